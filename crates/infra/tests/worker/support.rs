//! Helpers of these tests.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use mangrove_domain::failure::Fault;
use mangrove_infra::worker::{Pool, PoolOptions, TimeLimits};
use mangrove_sources::parser::ModuleParser as _;

pub(crate) type Test = (&'static str, fn());

/// Long enough for a loaded machine; a test waits as long only when it is about to fail.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A time limit that a test wants to see hit.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) fn options(size: usize) -> PoolOptions {
    let long = TimeLimits {
        parse: PATIENCE,
        bundle: PATIENCE,
        vendor: PATIENCE,
        inspect: PATIENCE,
        open: PATIENCE,
        call: PATIENCE,
    };
    PoolOptions {
        size,
        time_limits: long,
        idle_timeout: PATIENCE,
        ..PoolOptions::new(std::env::current_exe().unwrap(), vec!["worker".to_owned()])
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// What the child says to a job whose name is `path`.
pub(crate) async fn ask(pool: &Pool, path: &str) -> Result<Vec<String>, Fault> {
    pool.parse(path, Arc::from(&b""[..])).await.map(|module| module.exports)
}

pub(crate) async fn pid(pool: &Pool) -> u32 {
    ask(pool, "pid").await.unwrap()[0].parse().unwrap()
}

/// True if the process has ended, reaped or not.
pub(crate) fn has_ended(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
