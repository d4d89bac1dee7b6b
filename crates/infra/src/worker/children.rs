//! The children of a pool: started when they are needed, kept for the next job, ended when they are idle.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use mangrove_domain::failure::Fault;
use tokio::{sync::Semaphore, time::Instant};

use super::{child_failure::spawn_failure, options::PoolOptions, process::Process, wire::Reply};

/// What the clones of a pool and its sessions share.
#[derive(Debug)]
pub(super) struct Children {
    pub(super) options: PoolOptions,
    /// Jobs hold a place only while they run, and wait for nothing else meanwhile.
    pub(super) jobs: Arc<Semaphore>,
    /// Sessions hold a place while the host works for them, hence places of their own: a build that a run waits for
    /// must not wait for that run.
    pub(super) sessions: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// The one that worked last is at the end, and works next.
    processes: Vec<(Process, Instant)>,
    /// True while a task waits to end those that are idle too long.
    is_reaping: bool,
}

impl Children {
    /// None yet.
    pub(super) fn new(options: PoolOptions) -> Self {
        let places = options.size.max(1);
        Self {
            options,
            jobs: Arc::new(Semaphore::new(places)),
            sessions: Arc::new(Semaphore::new(places)),
            idle: Mutex::default(),
        }
    }

    /// Those that wait for a job right now.
    pub(super) fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).processes.len()
    }

    /// How many places there are, and how many are taken.
    pub(super) fn load(&self, places: &Semaphore) -> (usize, usize) {
        let all = self.options.size.max(1);
        (all, all.saturating_sub(places.available_permits()))
    }

    /// Gives a first message to a child. A child that turns out to be dead before it began, or that somebody else kills
    /// while it works, is replaced once.
    pub(super) async fn begin(
        self: &Arc<Self>,
        task: &str,
        frame: &[u8],
        limit: Duration,
    ) -> Result<(Process, Reply), Fault> {
        let mut process = match self.take_idle() {
            Some(process) => process,
            None => self.spawn().await?,
        };
        let mut budget = limit;
        let failure = match process.exchange(frame, &mut budget).await {
            Ok(reply) => return Ok((process, reply)),
            Err(failure) => failure,
        };
        if !failure.is_stale() && !failure.is_foreign_kill() {
            return Err(failure.fault(task));
        }
        tracing::debug!(
            task,
            ?failure,
            "a worker was dead before it began, or was killed by somebody else; trying another one"
        );
        let mut process = self.spawn().await?;
        let mut budget = limit;
        match process.exchange(frame, &mut budget).await {
            Ok(reply) => Ok((process, reply)),
            Err(failure) => Err(failure.fault(task)),
        }
    }

    async fn spawn(&self) -> Result<Process, Fault> {
        let PoolOptions { program, arguments, memory_limit_bytes, .. } = &self.options;
        let spawned = Process::spawn(program, arguments, *memory_limit_bytes).await;
        spawned.map_err(|error| spawn_failure(program, &error))
    }

    fn take_idle(&self) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((mut process, _)) = idle.processes.pop() {
            if process.is_alive() {
                return Some(process);
            }
        }
        None
    }

    /// Keeps a child for the next job, unless it has done enough or holds too much memory. One that is dead is found
    /// out when it is taken.
    pub(super) fn give_back(self: &Arc<Self>, process: Process) {
        let is_over_memory = process.resident_bytes().is_some_and(|bytes| bytes > self.options.memory_limit_bytes / 2);
        if process.jobs() >= self.options.jobs_before_recycle || is_over_memory {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.processes.len() >= self.options.size.max(1) {
            return;
        }
        idle.processes.push((process, Instant::now()));
        if !idle.is_reaping {
            idle.is_reaping = true;
            tokio::spawn(reap(Arc::downgrade(self), self.options.idle_timeout));
        }
    }
}

/// Ends children that are idle too long, until none is left.
async fn reap(pool: Weak<Children>, idle_timeout: Duration) {
    let mut next = Instant::now() + idle_timeout;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.processes.retain(|(_, since)| since.elapsed() < idle_timeout);
        // The oldest stands first: the last one in is the first one out.
        let Some((_, since)) = idle.processes.first() else {
            idle.is_reaping = false;
            return;
        };
        next = *since + idle_timeout;
    }
}
