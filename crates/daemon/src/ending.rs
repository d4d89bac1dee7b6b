//! The end of a daemon: what runs may go on for a while, is cancelled then, and gets some time to notice.

use std::time::Duration;

use tokio::time::Instant;

/// How long runs that were cancelled may take to end.
const AFTER_CANCELLING: Duration = Duration::from_secs(5);
/// Runs end without an event, so that it has to be looked whether they have.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// How far a daemon is with its end.
#[derive(Debug, Default)]
pub(crate) struct Ending(Option<Deadline>);

#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Instant,
    has_cancelled: bool,
}

impl Ending {
    /// It begins; what runs may go on for the grace.
    pub(crate) fn begin(&mut self, now: Instant, grace: Duration) {
        self.0 = Some(Deadline { at: now + grace, has_cancelled: false });
    }

    /// It is over now, whatever runs.
    pub(crate) const fn hurry(&mut self, now: Instant) {
        self.0 = Some(Deadline { at: now, has_cancelled: true });
    }

    pub(crate) const fn has_begun(&self) -> bool {
        self.0.is_some()
    }

    /// When it is to be looked at again.
    pub(crate) fn wake(&self, now: Instant) -> Option<Instant> {
        self.0.map(|deadline| deadline.at.min(now + BETWEEN_LOOKS))
    }

    /// True if what runs is to be cancelled; once.
    pub(crate) fn cancels(&mut self, now: Instant) -> bool {
        let is_time = self.0.is_some_and(|deadline| now >= deadline.at && !deadline.has_cancelled);
        if is_time {
            self.0 = Some(Deadline { at: now + AFTER_CANCELLING, has_cancelled: true });
        }
        is_time
    }

    /// True if it is over: everything is done, or does not end although it was cancelled.
    pub(crate) fn is_over(&self, now: Instant, is_done: impl FnOnce() -> bool) -> bool {
        self.0.is_some_and(|deadline| is_done() || deadline.has_cancelled && now >= deadline.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_may_go_on_is_cancelled_and_then_left() {
        let now = Instant::now();
        let seconds = |seconds| now + Duration::from_secs(seconds);
        let mut ending = Ending::default();
        assert!(!ending.has_begun() && !ending.is_over(now, || true) && ending.wake(now).is_none());
        ending.begin(now, Duration::from_secs(20));
        assert!(ending.is_over(now, || true), "nothing runs");
        assert!(!ending.cancels(seconds(19)) && !ending.is_over(seconds(30), || false));
        assert!(ending.cancels(seconds(20)) && !ending.cancels(seconds(21)), "once");
        assert!(!ending.is_over(seconds(24), || false));
        assert!(ending.is_over(seconds(25), || false));
        ending.begin(now, Duration::from_secs(20));
        ending.hurry(seconds(1));
        assert!(ending.is_over(seconds(1), || false));
    }
}
