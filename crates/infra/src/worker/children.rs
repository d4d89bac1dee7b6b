//! The children of a pool: started when they are needed, kept for the next job, ended when they are idle.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use mangrove_domain::{bundle::BundleFile, failure::Fault, ports::OpenRequest};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    child_failure::spawn_failure,
    options::PoolOptions,
    process::Process,
    wire::{self, Reply, Request},
};

/// How long a child may take to begin or to let go of a session before it is killed instead.
pub(super) const TURN_LIMIT: Duration = Duration::from_secs(1);

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

/// What is loaded in a child, and which sessions may find what it remembers.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// What it was opened with.
    pub(super) request: OpenRequest,
    /// The run that alone may have it; `None` if any may.
    confined_to: Option<String>,
}

impl Kept {
    /// What was loaded just now.
    pub(super) const fn new(request: OpenRequest) -> Self {
        Self { request, confined_to: None }
    }

    /// From now on, only sessions of the run that has it now may.
    pub(super) fn confine(&mut self) {
        self.confined_to = Some(self.request.run.clone());
    }

    /// True if a session for this request may have it.
    fn may_serve(&self, request: &OpenRequest) -> bool {
        let OpenRequest { bundle, export_name, subject, requirements: _, grantee, root_directory, run } = request;
        let own = &self.request;
        (&own.export_name, &own.subject, &own.grantee, &own.bundle) == (export_name, subject, grantee, bundle)
            && own.root_directory == *root_directory
            && self.confined_to.as_ref().is_none_or(|confined| confined == run)
    }
}

#[derive(Debug)]
struct IdleChild {
    process: Process,
    /// What is loaded in it.
    kept: Option<Kept>,
    since: Instant,
}

#[derive(Debug, Default)]
struct Idle {
    /// The one that worked last is at the end, and works next.
    processes: Vec<IdleChild>,
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

    /// Gives a first message to a child, and before it the vendor files of the bundle that it is about. A child that turns out to be dead before it began, or that somebody else kills
    /// while it works, is replaced once.
    pub(super) async fn begin(
        self: &Arc<Self>,
        task: &str,
        vendor_files: &[BundleFile],
        frame: &[u8],
        limit: Duration,
    ) -> Result<(Process, Reply), Fault> {
        let mut process = match self.take_idle() {
            Some(process) => process,
            None => self.spawn().await?,
        };
        let mut budget = limit;
        let failure = match process.exchange_with(vendor_files, frame, &mut budget).await {
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
        match process.exchange_with(vendor_files, frame, &mut budget).await {
            Ok(reply) => Ok((process, reply)),
            Err(failure) => Err(failure.fault(task)),
        }
    }

    async fn spawn(&self) -> Result<Process, Fault> {
        let PoolOptions { program, arguments, memory_limit_bytes, .. } = &self.options;
        let spawned = Process::spawn(program, arguments, *memory_limit_bytes).await;
        spawned.map_err(|error| spawn_failure(program, &error))
    }

    /// Takes a child in which nothing is loaded, else the one whose session ended first.
    fn take_idle(&self) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while !idle.processes.is_empty() {
            let at = idle.processes.iter().rposition(|child| child.kept.is_none()).unwrap_or(0);
            let mut child = idle.processes.remove(at);
            if child.process.is_alive() {
                return Some(child.process);
            }
        }
        None
    }

    /// Takes a child in which this is loaded, and begins another session in it. One that is dead is passed over: nothing was
    /// asked of it that somebody could miss.
    pub(super) async fn begin_again(&self, request: &OpenRequest) -> Option<(Process, Kept)> {
        let frame = wire::frame(&Request::Begin).ok()?;
        loop {
            let (mut process, mut kept) = self.take_kept(request)?;
            kept.request.run.clone_from(&request.run);
            let mut budget = TURN_LIMIT;
            if let Ok(Reply::Begun(true)) = process.exchange(&frame, &mut budget).await {
                return Some((process, kept));
            }
        }
    }

    fn take_kept(&self, request: &OpenRequest) -> Option<(Process, Kept)> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fit = |child: &IdleChild| child.kept.as_ref().is_some_and(|kept| kept.may_serve(request));
        let at = idle.processes.iter().rposition(is_fit)?;
        let IdleChild { process, kept, .. } = idle.processes.remove(at);
        Some((process, kept?))
    }

    /// Keeps a child for the next job, unless it has done enough or holds too much memory. One that is dead is found
    /// out when it is taken.
    pub(super) fn give_back(self: &Arc<Self>, process: Process) {
        self.give_back_with(process, None);
    }

    /// The same of a child in which something is loaded that another session may have. What it remembers is missing to
    /// that, so it may hold half of the memory that others may.
    pub(super) fn give_back_with(self: &Arc<Self>, process: Process, kept: Option<Kept>) {
        let most = self.options.memory_limit_bytes / if kept.is_some() { 4 } else { 2 };
        let is_over_memory = process.resident_bytes().is_some_and(|bytes| bytes > most);
        if process.jobs() >= self.options.jobs_before_recycle || is_over_memory {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The one that waits longest gives way.
        let surplus = (idle.processes.len() + 1).saturating_sub(self.options.size.max(1));
        let ended: Vec<IdleChild> = idle.processes.drain(..surplus).collect();
        idle.processes.push(IdleChild { process, kept, since: Instant::now() });
        if !idle.is_reaping {
            idle.is_reaping = true;
            tokio::spawn(reap(Arc::downgrade(self), self.options.idle_timeout));
        }
        drop(idle);
        drop(ended);
    }
}

/// Ends children that are idle too long, until none is left.
async fn reap(pool: Weak<Children>, idle_timeout: Duration) {
    let mut next = Instant::now() + idle_timeout;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.processes.retain(|child| child.since.elapsed() < idle_timeout);
        // The oldest stands first: what comes goes to the end.
        let Some(oldest) = idle.processes.first() else {
            idle.is_reaping = false;
            return;
        };
        next = oldest.since + idle_timeout;
    }
}
