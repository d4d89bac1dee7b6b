//! How many processes there are, and how much use each is put to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How many processes wait, for how long, and how much use each is put to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// How many may wait at once.
    pub idle: usize,
    /// How many of them may have the same code and the same grants.
    pub idle_per_start: usize,
    /// After so long without a session a process ends.
    pub idle_timeout: Duration,
    /// After so many calls a process is not used again.
    pub calls: u32,
    /// A process that keeps more than this resident after a call is not used again, in bytes. What it keeps is missing to
    /// its next call, whose own limit stays what it is.
    pub memory_bytes: u64,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            idle: 8,
            idle_per_start: 4,
            idle_timeout: Duration::from_mins(1),
            calls: 500,
            memory_bytes: super::MEMORY_LIMIT_BYTES / 4,
        }
    }
}

/// Counts a process for as long as it is there.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// One more.
    pub(super) fn new(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
