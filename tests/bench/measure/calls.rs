//! What a call costs besides what its method does, where a process is there that has made one like it before.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    ports::{HostCall, MethodHost, MethodRunner, OpenRequest},
    source::RootId,
};
use mangrove_infra::{
    runner::deno::{self, DenoRunner, Roots},
    runtime::ProgramLocations,
    worker::{Pool, PoolOptions},
};
use mangrove_testkit::{
    fakes::SeededEntropy,
    requests::{open_model, unchecked_call},
};

use super::{median, milliseconds, report::Line};

/// A method that does nothing but to say how often it was called: the module remembers it, so that a process that began anew
/// is found out.
const CODE: &str = "let calls = 0; export const model = { run: () => (calls += 1) };";

struct OneRoot(PathBuf);

#[async_trait]
impl Roots for OneRoot {
    async fn directory(&self, _root: &RootId) -> Option<PathBuf> {
        Some(self.0.clone())
    }

    async fn directories(&self) -> Vec<PathBuf> {
        vec![self.0.clone()]
    }
}

struct Nobody;

#[async_trait]
impl MethodHost for Nobody {
    async fn call(&self, _call: HostCall) -> Result<Json, String> {
        Ok(Json::Null)
    }
}

/// Calls of both engines in this repository, each a session of its own. Deno's are measured only where one is there.
pub(super) fn measure(program: &Path, repository: &Path, calls: usize) -> Result<Vec<Line>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("no runtime")?;
    runtime.block_on(async {
        let embedded = Pool::new(PoolOptions::new(program.to_owned(), vec!["worker".to_owned()]));
        let line = |what, time| Line::new(what, milliseconds(time), "ms");
        let mut lines = vec![line("warm call, embedded", warm(&embedded, calls).await?).at_most(2.0).after(calls)];
        let places = ProgramLocations { environment: std::env::vars().collect(), ..ProgramLocations::default() };
        if places.deno().is_ok() {
            let deno = deno_runner(places, repository)?;
            lines.push(line("first call in Deno", call(&deno, &request()).await?.0).after(1));
            lines.push(line("warm call in Deno", warm(&deno, calls).await?).at_most(5.0).after(calls));
        }
        Ok(lines)
    })
}

fn deno_runner(places: ProgramLocations, repository: &Path) -> Result<DenoRunner> {
    let repository = repository.canonicalize().context("the repository is gone")?;
    Ok(DenoRunner::new(deno::Options {
        launcher: Vec::new(),
        places,
        state_directory: repository.join(".mangrove"),
        repository: repository.clone(),
        environment: BTreeMap::new(),
        roots: Arc::new(OneRoot(repository)),
        entropy: Arc::new(SeededEntropy::new(1)),
        size: 4,
        memory_limit_bytes: deno::MEMORY_LIMIT_BYTES,
        open_limit: deno::OPEN_LIMIT,
        call_limit: deno::CALL_LIMIT,
        pool: deno::PoolLimits { calls: u32::MAX, ..deno::PoolLimits::default() },
    }))
}

fn request() -> OpenRequest {
    open_model(LoadedBundle { code: CODE.into(), vendor_files: Vec::new() })
}

/// One session with one call: how long it took, and how many calls the module has counted.
async fn call(runner: &dyn MethodRunner, request: &OpenRequest) -> Result<(Duration, i64)> {
    let start = Instant::now();
    let mut session = runner.open(request.clone()).await.map_err(|error| anyhow!("it does not open: {error}"))?;
    let call = unchecked_call(vec!["run".to_owned()], Json::Null, Json::Object(Vec::new()));
    let counted = session.call(call, Arc::new(Nobody)).await.map_err(|error| anyhow!("it does not run: {error}"))?;
    drop(session);
    Ok((start.elapsed(), counted.as_integer().context("a number was expected")?))
}

/// The median over sessions that follow each other at once. Most must have found a process that was there.
async fn warm(runner: &dyn MethodRunner, calls: usize) -> Result<Duration> {
    let request = request();
    call(runner, &request).await?;
    let (mut times, mut anew) = (Vec::with_capacity(calls), 0);
    for _ in 0..calls {
        let (time, counted) = call(runner, &request).await?;
        times.push(time);
        anew += usize::from(counted == 1);
    }
    ensure!(anew * 2 <= calls, "{anew} of {calls} calls began in a new process");
    Ok(median(&mut times))
}
