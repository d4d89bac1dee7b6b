//! How long and how large a module may grow.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The limits of one inspection or of one call. All of them always apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processor time of the calling thread, not wall time: a loaded machine must not fail an innocent module.
    pub cpu: Duration,
    /// Bytes that the engine may allocate.
    pub memory_bytes: u64,
    /// Bytes of the calling thread's stack that the engine may use. The thread needs about 1 MiB more.
    pub stack_bytes: usize,
    /// Jobs (continuations of promises, timers) that may run in one inspection or call. Endless chains of
    /// promises never trip the processor limit by themselves.
    pub pending_jobs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(10),
            memory_bytes: 256 * 1024 * 1024,
            stack_bytes: 1024 * 1024,
            pending_jobs: 1_000_000,
        }
    }
}

/// Watches the processor time of the thread that began the current stretch of work.
#[derive(Debug)]
pub(super) struct Watch {
    budget: Mutex<Budget>,
    spent: AtomicBool,
}

#[derive(Debug)]
struct Budget {
    end: Duration,
    look_again: Instant,
}

#[expect(clippy::disallowed_methods, reason = "measures how long code runs")]
impl Watch {
    pub(super) fn new() -> Self {
        Self {
            budget: Mutex::new(Budget { end: Duration::ZERO, look_again: Instant::now() }),
            spent: AtomicBool::new(false),
        }
    }

    /// Begins a stretch of work with a fresh budget.
    pub(super) fn begin(&self, cpu: Duration) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        *budget = Budget { end: thread_cpu_time() + cpu, look_again: Instant::now() + cpu };
        self.spent.store(false, Ordering::Relaxed);
    }

    /// True once the budget is used up. Cheap: a thread uses no more processor time than wall time, so the
    /// processor clock is read only when the rest of the budget has passed on the wall.
    pub(super) fn check(&self) -> bool {
        if self.is_spent() {
            return true;
        }
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now < budget.look_again {
            return false;
        }
        let rest = budget.end.saturating_sub(thread_cpu_time());
        if rest.is_zero() {
            self.spent.store(true, Ordering::Relaxed);
            return true;
        }
        budget.look_again = now + rest.max(Duration::from_millis(1));
        false
    }

    /// The answer of the last [`check`](Self::check).
    pub(super) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }
}

/// Processor time of this thread. Where the system does not tell (the file is Linux's), wall time stands in.
#[expect(clippy::disallowed_methods, reason = "measures how long code runs")]
fn thread_cpu_time() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = statistics.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
    match nanoseconds {
        Some(nanoseconds) => Duration::from_nanos(nanoseconds),
        None => START.get_or_init(Instant::now).elapsed(),
    }
}
