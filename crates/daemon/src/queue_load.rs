//! How full a queue of runs is.

/// Runs that one kind of trigger starts: how many go on, may go on, and wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueLoad {
    /// How many go on.
    pub running: u64,
    /// How many may go on at once.
    pub limit: u64,
    /// How many wait for their turn.
    pub waiting: u64,
}
