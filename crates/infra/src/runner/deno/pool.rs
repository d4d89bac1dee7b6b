//! Processes that wait for a session like the one that they served.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{
    bounds::{Counted, PoolLimits},
    loaded::Loaded,
    start::Start,
};

/// How long a session waits for a process that is just coming to rest, before it starts one of its own.
const PATIENCE: Duration = Duration::from_millis(50);

/// The processes of one runner.
pub(super) struct Pool {
    limits: PoolLimits,
    /// How many processes there may be before idle ones give way to new ones.
    most: usize,
    /// How many there are, whatever they do.
    alive: Arc<AtomicUsize>,
    waiting: Mutex<Waiting>,
    /// Told when a process has come to rest, or was found unfit.
    settled: Notify,
}

#[derive(Default)]
struct Waiting {
    /// The one that came last is at the end, and is taken first.
    idle: Vec<Idle>,
    /// What those were started with that are coming to rest, and the run that alone may have each.
    settling: Vec<(Arc<Start>, Option<String>)>,
    /// True while a task waits to end those that are idle too long.
    is_reaping: bool,
    /// Nothing is kept any more.
    is_closed: bool,
}

struct Idle {
    loaded: Loaded,
    since: Instant,
}

/// A process that is coming to rest, until this is dropped.
struct Settling<'a> {
    pool: &'a Pool,
    start: Arc<Start>,
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        let mut waiting = self.pool.waiting();
        if let Some(at) = waiting.settling.iter().position(|(start, _)| Arc::ptr_eq(start, &self.start)) {
            waiting.settling.swap_remove(at);
        }
        drop(waiting);
        self.pool.settled.notify_waiters();
    }
}

impl Waiting {
    /// The place of a process that was started like this and may serve this run: of one that serves no other, if there is one.
    fn find(&self, start: &Start, run: &str) -> Option<usize> {
        let fits = |idle: &Idle| idle.loaded.may_serve(start, run);
        let is_its_own = |idle: &Idle| fits(idle) && idle.loaded.confined_to().is_some();
        self.idle.iter().rposition(is_its_own).or_else(|| self.idle.iter().rposition(fits))
    }
}

impl Pool {
    /// None yet. With `most` processes or more, idle ones give way to new ones.
    pub(super) fn new(limits: PoolLimits, most: usize) -> Self {
        Self { limits, most, alive: Arc::default(), waiting: Mutex::default(), settled: Notify::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many processes there are, and how many of them wait for a session.
    pub(super) fn count(&self) -> (usize, usize) {
        let idle = self.waiting().idle.len();
        (self.alive.load(Ordering::Relaxed), idle)
    }

    /// Takes a process that was started like this and may serve this run, if one waits or comes to rest soon.
    pub(super) async fn take(&self, start: &Start, run: &str) -> Option<Loaded> {
        let until = Instant::now() + PATIENCE;
        loop {
            // Whoever settles after this is heard.
            let settled = self.settled.notified();
            {
                let mut waiting = self.waiting();
                while let Some(at) = waiting.find(start, run) {
                    let mut loaded = waiting.idle.remove(at).loaded;
                    if loaded.is_alive() {
                        return Some(loaded);
                    }
                }
                let may_come = |(of, confined): &(Arc<Start>, Option<String>)| {
                    **of == *start && confined.as_ref().is_none_or(|confined| confined == run)
                };
                if !waiting.settling.iter().any(may_come) {
                    return None;
                }
            }
            timeout_at(until, settled).await.ok()?;
        }
    }

    /// Counts a process that is about to be started. If there are too many, idle ones end, the oldest first.
    pub(super) fn make_room(&self) -> Counted {
        let counted = Counted::new(&self.alive);
        let surplus = self.alive.load(Ordering::Relaxed).saturating_sub(self.most);
        let mut waiting = self.waiting();
        let ended: Vec<Idle> = {
            let count = surplus.min(waiting.idle.len());
            waiting.idle.drain(..count).collect()
        };
        drop(waiting);
        drop(ended);
        counted
    }

    /// Ends the processes that wait, and those that have a session when that ends.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.is_closed = true;
        let ended = std::mem::take(&mut waiting.idle);
        drop(waiting);
        drop(ended);
    }

    /// Takes back a process whose session has ended, if nothing of it is left behind. Else the process ends, also outside of a
    /// runtime.
    pub(super) fn release(self: &Arc<Self>, loaded: Loaded) {
        let Ok(runtime) = Handle::try_current() else { return };
        let start = Arc::clone(loaded.start());
        self.waiting().settling.push((Arc::clone(&start), loaded.confined_to().map(str::to_owned)));
        let pool = Arc::clone(self);
        runtime.spawn(async move {
            let _settling = Settling { pool: &pool, start };
            match loaded.rest(&pool.limits).await {
                Ok(loaded) => pool.keep(loaded),
                Err(reason) => tracing::debug!(reason, "a process of Deno is not used again"),
            }
        });
    }

    fn keep(self: &Arc<Self>, loaded: Loaded) {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return;
        }
        let of_its_kind = waiting.idle.iter().filter(|idle| idle.loaded.start() == loaded.start()).count();
        if of_its_kind >= self.limits.idle_per_start || self.limits.idle == 0 {
            return;
        }
        let surplus = (waiting.idle.len() + 1).saturating_sub(self.limits.idle);
        let ended: Vec<Idle> = waiting.idle.drain(..surplus).collect();
        waiting.idle.push(Idle { loaded, since: Instant::now() });
        if !waiting.is_reaping {
            waiting.is_reaping = true;
            tokio::spawn(reap(Arc::downgrade(self), self.limits.idle_timeout));
        }
        drop(waiting);
        drop(ended);
    }
}

/// Ends processes that are idle too long, until none is left.
async fn reap(pool: Weak<Pool>, idle_timeout: Duration) {
    let mut next = Instant::now() + idle_timeout;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut waiting = pool.waiting();
        waiting.idle.retain(|idle| idle.since.elapsed() < idle_timeout);
        // The oldest stands first.
        let Some(oldest) = waiting.idle.first() else {
            waiting.is_reaping = false;
            return;
        };
        next = oldest.since + idle_timeout;
    }
}
