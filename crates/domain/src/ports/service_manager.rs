//! Whoever starts and watches over a daemon.

/// What the program that manages a daemon hears of it: systemd, or nobody.
///
/// Implementations MUST return at once; MUST NOT fail where nobody manages the daemon.
pub trait ServiceManager: Send + Sync {
    /// The daemon answers from now on.
    fn ready(&self);

    /// It reads its configuration again; [`ready`](Self::ready) says when it has.
    fn reloading(&self);

    /// It is about to end.
    fn stopping(&self);

    /// What it is doing, in one line.
    fn status(&self, line: &str);

    /// It is alive: whoever is not told for the [agreed time](Self::alive_within) starts another one.
    fn alive(&self);

    /// How often it must be told at least that the daemon is alive; `None` if it does not want to know.
    fn alive_within(&self) -> Option<std::time::Duration>;
}

/// Nobody manages this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoServiceManager;

impl ServiceManager for NoServiceManager {
    fn ready(&self) {}

    fn reloading(&self) {}

    fn stopping(&self) {}

    fn status(&self, _line: &str) {}

    fn alive(&self) {}

    fn alive_within(&self) -> Option<std::time::Duration> {
        None
    }
}
