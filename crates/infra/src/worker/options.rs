//! How a pool of worker processes works.

use std::{path::PathBuf, sync::Arc, time::Duration};

use mangrove_engine::Limits;

use crate::web::WebClient;

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
    /// Sends what the code of sessions wants to send by itself; without one, `fetch` is something that the engine lacks.
    pub web: Option<Arc<WebClient>>,
    /// After so many answers a child is replaced.
    pub jobs_before_recycle: u32,
    /// After so long without a job a child ends.
    pub idle_timeout: Duration,
}

/// The stack of code in a child: room for some 20,000 calls of a simple function, twice what Deno has. A child's thread has more.
const STACK_BYTES: usize = 12 << 20;

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
            inspect_limits: Limits { stack_bytes: STACK_BYTES, ..Limits::default() },
            run_limits: Limits { stack_bytes: STACK_BYTES, ..Limits::default() },
            web: None,
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
