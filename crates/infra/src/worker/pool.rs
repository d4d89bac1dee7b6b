//! A bounded pool of children.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{Bundle, BundleFile},
    failure::Fault,
    inspection::Inspection,
    package::PackageRequest,
    ports::{
        BuildFailure, BundleRequest, Bundler, ExportInspector, InspectRequest, MethodRunner, OpenRequest, RunError,
        Session,
    },
    route::Route,
};
use mangrove_engine::Limits;
use mangrove_npm::vendor::{VendorBundler, VendorOutput, VendorRequest};
use mangrove_sources::parser::{ModuleParser, ParsedModule};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    death::{Death, spawn_failure},
    process::Process,
    session::{PooledSession, is_nested},
    wire::{self, Reply, Request, WireError},
};
use crate::bundler::embedded;

/// How a pool works.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The program whose children serve jobs: this binary.
    pub program: PathBuf,
    /// Its arguments, such as `["worker"]`.
    pub arguments: Vec<String>,
    /// How many jobs may run at once, at least 1. As many sessions may be open besides.
    pub size: usize,
    /// How much memory a child may keep resident while it works, in bytes.
    pub memory_limit_bytes: u64,
    /// How long jobs may take.
    pub time_limits: TimeLimits,
    /// The engine's own limits for looking at a bundle.
    pub inspect_limits: Limits,
    /// The engine's own limits for running methods.
    pub run_limits: Limits,
    /// After so many answers a child is replaced.
    pub jobs_before_recycle: u32,
    /// After so long without a job a child ends.
    pub idle_timeout: Duration,
}

impl PoolOptions {
    /// The usual values, for children of this program.
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self {
            program,
            arguments,
            size: std::thread::available_parallelism().map_or(2, usize::from),
            memory_limit_bytes: 512 << 20,
            time_limits: TimeLimits::default(),
            inspect_limits: Limits::default(),
            run_limits: Limits::default(),
            jobs_before_recycle: 1_000,
            idle_timeout: Duration::from_secs(10),
        }
    }
}

/// Time per kind of job: wall time without what the child waits for a processor, and at most ten times as much wall
/// time. When it is over, the child and all that it started are killed (fault 36).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// Reading one module.
    pub parse: Duration,
    /// Building one bundle.
    pub bundle: Duration,
    /// Building one vendor directory.
    pub vendor: Duration,
    /// Looking at one bundle. Longer than the engine's own limit of processor time, by what an honest job may take
    /// besides; a built-in that cannot be interrupted is stopped by this one.
    pub inspect: Duration,
    /// Loading one bundle for calls.
    pub open: Duration,
    /// One call, without the time that the host takes for its answers.
    pub call: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            parse: Duration::from_secs(10),
            bundle: Duration::from_mins(1),
            vendor: Duration::from_mins(2),
            inspect: Duration::from_secs(20),
            open: Duration::from_secs(20),
            call: Duration::from_mins(10),
        }
    }
}

/// Children of this program that parse, bundle, inspect and run.
///
/// Cheap to clone. Waiting for a free place is fair. Children are started when they are needed and end when they
/// are idle; dropping the last clone kills those that are left.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    options: PoolOptions,
    /// Jobs hold a place only while they run, and wait for nothing else meanwhile.
    jobs: Arc<Semaphore>,
    /// Sessions hold a place while the host works for them, hence places of their own: a build that a run waits for
    /// must not wait for that run.
    sessions: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// The one that worked last is at the end, and works next.
    processes: Vec<(Process, Instant)>,
    /// True while a task waits to end those that are idle too long.
    is_reaping: bool,
}

impl Pool {
    /// A pool without any children yet.
    #[must_use]
    pub fn new(options: PoolOptions) -> Self {
        let places = options.size.max(1);
        Self {
            inner: Arc::new(Inner {
                options,
                jobs: Arc::new(Semaphore::new(places)),
                sessions: Arc::new(Semaphore::new(places)),
                idle: Mutex::default(),
            }),
        }
    }

    /// Children that wait for a job right now.
    #[must_use]
    pub fn idle_workers(&self) -> usize {
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).processes.len()
    }

    async fn job(&self, task: &str, request: &Request<'_>, limit: Duration) -> Result<Reply, Fault> {
        let frame = wire::frame(request).map_err(|error| nonsense(&error, task))?;
        let _place = self.inner.jobs.acquire().await;
        let (process, reply) = self.inner.begin(task, &frame, limit).await?;
        self.inner.give_back(process);
        Ok(reply)
    }
}

fn nonsense(error: &WireError, task: &str) -> Fault {
    Death::Confused(error.to_string()).fault(task)
}

fn unexpected(reply: &Reply, task: &str) -> Fault {
    let name = match reply {
        Reply::Accepted => "Accepted",
        Reply::Parsed(_) => "Parsed",
        Reply::Bundled(_) => "Bundled",
        Reply::Vendored(_) => "Vendored",
        Reply::Inspected(_) => "Inspected",
        Reply::Opened(_) => "Opened",
        Reply::HostCall { .. } => "HostCall",
        Reply::Returned(_) => "Returned",
        Reply::Closed => "Closed",
        Reply::Panicked(_) => "Panicked",
        Reply::Refused(_) => "Refused",
    };
    Death::Confused(format!("an unexpected {name}")).fault(task)
}

impl Inner {
    pub(super) const fn options(&self) -> &PoolOptions {
        &self.options
    }

    /// Gives a first message to a child. A child that turns out to be dead before it began is replaced once.
    async fn begin(self: &Arc<Self>, task: &str, frame: &[u8], limit: Duration) -> Result<(Process, Reply), Fault> {
        let mut process = match self.take_idle() {
            Some(process) => process,
            None => self.spawn().await?,
        };
        let mut budget = limit;
        let death = match process.exchange(frame, &mut budget).await {
            Ok(reply) => return Ok((process, reply)),
            Err(death) => death,
        };
        if !death.is_stale() {
            return Err(death.fault(task));
        }
        tracing::debug!(task, ?death, "a worker was dead before it began; trying another one");
        let mut process = self.spawn().await?;
        let mut budget = limit;
        match process.exchange(frame, &mut budget).await {
            Ok(reply) => Ok((process, reply)),
            Err(death) => Err(death.fault(task)),
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

    /// Keeps a child for the next job, unless it has done enough or has grown fat. One that is dead is found out
    /// when it is taken.
    pub(super) fn give_back(self: &Arc<Self>, process: Process) {
        let is_fat = process.resident_bytes().is_some_and(|bytes| bytes > self.options.memory_limit_bytes / 2);
        if process.jobs() >= self.options.jobs_before_recycle || is_fat {
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
async fn reap(pool: Weak<Inner>, idle_timeout: Duration) {
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

#[async_trait]
impl ModuleParser for Pool {
    async fn parse(&self, path: &str, bytes: Arc<[u8]>) -> Result<ParsedModule, Fault> {
        let task = format!("parsing `{path}`");
        let limit = self.inner.options.time_limits.parse;
        match self.job(&task, &Request::Parse { path, bytes: &bytes }, limit).await? {
            Reply::Parsed(module) => Ok(module),
            other => Err(unexpected(&other, &task)),
        }
    }
}

#[async_trait]
impl Bundler for Pool {
    async fn route(&self, _request: &PackageRequest) -> Route {
        Route::prepared(embedded::identity())
    }

    async fn bundle(&self, request: BundleRequest) -> Result<Bundle, BuildFailure> {
        let task = format!("bundling `{}`", request.graph.entry);
        let limit = self.inner.options.time_limits.bundle;
        match self.job(&task, &Request::Bundle((&request).into()), limit).await? {
            Reply::Bundled(Ok(bundle)) => Ok(bundle.into()),
            Reply::Bundled(Err(failure)) => {
                Err(failure.try_into().unwrap_or_else(|error: WireError| nonsense(&error, &task).into()))
            }
            other => Err(unexpected(&other, &task).into()),
        }
    }
}

#[async_trait]
impl VendorBundler for Pool {
    async fn build_vendor(&self, mut request: VendorRequest) -> Result<VendorOutput, Fault> {
        let task = format!("bundling the package {}", request.package);
        // The child works in another directory.
        if let Ok(absolute) = std::path::absolute(&request.directory) {
            request.directory = absolute;
        }
        let limit = self.inner.options.time_limits.vendor;
        match self.job(&task, &Request::Vendor(request), limit).await? {
            Reply::Vendored(Ok(output)) => {
                let files = output.files.into_iter().map(|(path, code)| BundleFile { path, code: code.into() });
                Ok(VendorOutput { files: files.collect(), shared_imports: output.shared_imports })
            }
            Reply::Vendored(Err(fault)) => Err(fault.try_into().unwrap_or_else(|error| nonsense(&error, &task))),
            other => Err(unexpected(&other, &task)),
        }
    }
}

#[async_trait]
impl ExportInspector for Pool {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        let task = format!("inspecting {}", request.subject);
        let limit = self.inner.options.time_limits.inspect;
        let message = Request::inspect(&request, &self.inner.options.inspect_limits);
        match self.job(&task, &message, limit).await? {
            Reply::Inspected(Ok(inspection)) => inspection.try_into().map_err(|error| nonsense(&error, &task)),
            Reply::Inspected(Err(fault)) => Err(fault.try_into().unwrap_or_else(|error| nonsense(&error, &task))),
            other => Err(unexpected(&other, &task)),
        }
    }
}

#[async_trait]
impl MethodRunner for Pool {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        let task = format!("loading {}", request.subject);
        let message = Request::open(&request, &self.inner.options.run_limits);
        let frame = wire::frame(&message).map_err(|error| RunError::Fault(nonsense(&error, &task)))?;
        // A session that a host opens on behalf of another one takes no place: the outer one keeps its own until the
        // inner one is done, so that waiting could last for ever.
        let place: Option<OwnedSemaphorePermit> =
            if is_nested() { None } else { Arc::clone(&self.inner.sessions).acquire_owned().await.ok() };
        let limit = self.inner.options.time_limits.open;
        let (process, reply) = self.inner.begin(&task, &frame, limit).await.map_err(RunError::Fault)?;
        match reply {
            Reply::Opened(Ok(())) => {
                Ok(Box::new(PooledSession::new(Arc::clone(&self.inner), process, place, request.subject)))
            }
            Reply::Opened(Err(error)) => {
                self.inner.give_back(process);
                Err(error.try_into().unwrap_or_else(|error| RunError::Fault(nonsense(&error, &task))))
            }
            other => Err(RunError::Fault(unexpected(&other, &task))),
        }
    }
}
