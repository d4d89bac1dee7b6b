//! Everything at once on a running daemon: edits, schedules, requests, commands beside it, a registry that comes and goes, over
//! PostgreSQL a database that does so too, and in the middle the daemon is killed. Afterwards every run is accounted for and every
//! source is what it must be; meanwhile neither memory nor descriptors grow, and no process is left over.

mod held;
mod outages;
mod parts;
mod record;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use fastrand::Rng;
use mangrove_testkit::{
    corpus::{Corpus, Expected},
    registry::FakeRegistry,
};
use serde_json::Value;

use self::{
    held::watch,
    outages::Outages,
    parts::{ask, command, disturb, edit, publish, remote},
    record::settle,
};
use crate::{
    Extent, Outcome,
    engine::Engine,
    processes,
    repository::{Repository, model},
    serving::Serving,
};

const CORPUS: Corpus = Corpus { entries: 60, services: 10, broken: 2, invalid: 2 };
/// How long the short forms take, without what comes before and after.
const SHORT: Duration = Duration::from_secs(24);
const SHORT_OVER_POSTGRES: Duration = Duration::from_secs(6);
/// What the memory of a daemon may grow by between a quarter of its time and its end.
const GROWTH: u64 = 20 << 20;
/// The short form ends while caches still fill.
const SHORT_GROWTH: u64 = 48 << 20;

const REMOTE: &str = "extensions/models/remote.ts";
const PACKAGE: &str = "drilled";

/// The definitions whose method runs each second; the methods of the last one take so long that the kill meets some.
const SCHEDULED: [&str; 3] = ["greeter", "remote", "slow"];

/// What all that goes on at once shares.
struct Scene<'a> {
    engine: Engine,
    repository: &'a Repository,
    expected: &'a [Expected],
    registry: &'a FakeRegistry,
    is_over: AtomicBool,
    /// Where the daemon answers, and which daemon it is.
    daemon: Mutex<(SocketAddr, usize)>,
    /// Runs that somebody was told of.
    accepted: Mutex<BTreeSet<String>>,
    edits: AtomicUsize,
    requests: AtomicUsize,
    commands: AtomicUsize,
    faults: AtomicUsize,
}

pub(crate) fn run(random: &mut Rng, extent: Extent, engine: Engine) -> Result<Outcome> {
    let short = if engine == Engine::Postgres { SHORT_OVER_POSTGRES } else { SHORT };
    let duration = if extent.is_quick() { short } else { extent.duration };
    let registry = FakeRegistry::start()?;
    publish(&registry, 0);
    let (mut repository, expected) = Repository::generated(CORPUS)?;
    repository.set_environment("MANGROVE_NPM_REGISTRY", registry.url());
    let database = engine.set_up(&mut repository);
    let mut outages = database.map(|database| Outages::new(database, random.fork(), extent));
    repository.write(REMOTE, &remote(0))?;
    repository.write("extensions/models/slow.ts", &slow())?;
    for (number, name) in SCHEDULED.iter().enumerate().skip(1) {
        let id = format!("7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5b{number:02}");
        let definition = format!("id: {id}\nname: {name}\nversion: 1\nmethods: {{}}\n");
        repository.write(&format!("models/@drill/{name}/{id}.yaml"), &definition)?;
    }
    for (number, definition) in SCHEDULED.iter().enumerate() {
        repository.write(&format!("workflows/every-second-{number}.yaml"), &scheduled(number, definition))?;
    }
    let first = Serving::start(&repository, &["--rescan", "10s"])?;
    let scene = Scene {
        engine,
        repository: &repository,
        expected: &expected,
        registry: &registry,
        is_over: AtomicBool::new(false),
        daemon: Mutex::new((first.address, 0)),
        accepted: Mutex::default(),
        edits: AtomicUsize::new(0),
        requests: AtomicUsize::new(0),
        commands: AtomicUsize::new(0),
        faults: AtomicUsize::new(0),
    };
    let (second, held) = thread::scope(|scope| {
        let mut parts: Vec<fn(&Scene<'_>, Rng) -> Result<()>> = vec![edit, ask, command];
        // A source that waits for its registry heals later than the short form over PostgreSQL ends.
        if engine == Engine::Sqlite || !extent.is_quick() {
            parts.push(disturb);
        }
        let parts: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let (scene, random) = (&scene, random.fork());
                scope.spawn(move || part(scene, random))
            })
            .collect();
        let daemons = both_halves(&scene, first, duration, extent, outages.as_mut());
        scene.is_over.store(true, Ordering::Relaxed);
        for part in parts {
            let Ok(outcome) = part.join() else { bail!("a part of the drill panicked") };
            outcome?;
        }
        daemons
    })?;
    registry.heal()?;
    let runs = settle(&scene, &second, extent)?;
    let workers = processes::below(second.process())?;
    second.stop()?.expect(&[0])?;
    processes::wait_until_gone(&workers)?;
    repository.check(&expected).context("afterwards")?;
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let outages = outages.map_or_else(String::new, |outages| format!(", {outages}"));
    Ok(Outcome::Held(format!(
        "{} s: {} edits, {} requests, {} commands, {} faults of the registry{outages}, one SIGKILL; runs: {runs}; {held}",
        duration.as_secs(),
        count(&scene.edits),
        count(&scene.requests),
        count(&scene.commands),
        count(&scene.faults),
    )))
}

/// One daemon until it is killed in the middle, over PostgreSQL while it has no database, and the next one until the end. Gives the second, and what both held.
fn both_halves(
    scene: &Scene<'_>,
    first: Serving,
    duration: Duration,
    extent: Extent,
    mut outages: Option<&mut Outages>,
) -> Result<(Serving, String)> {
    let most = if extent.is_quick() { SHORT_GROWTH } else { GROWTH };
    let mut look = || outages.as_mut().map_or(Ok(()), |outages| outages.look());
    let before = watch(&first, duration / 2, most, &mut look).context("the first daemon")?;
    // What it has accepted by then it could tell nobody.
    if let Some(outages) = &mut outages {
        outages.begin();
    }
    let workers = processes::below(first.process())?;
    first.kill()?;
    processes::wait_until_gone(&workers)?;
    if let Some(outages) = &mut outages {
        outages.end();
    }
    let second = Serving::start(scene.repository, &["--rescan", "10s"])?;
    *locked(&scene.daemon) = (second.address, 1);
    let mut look = || outages.as_mut().map_or(Ok(()), |outages| outages.look());
    let after = watch(&second, duration / 2, most, &mut look).context("the second daemon")?;
    if let Some(outages) = outages {
        outages.end();
    }
    Ok((second, format!("MB by the minute: {before}; after the SIGKILL {after}")))
}

impl Scene<'_> {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn daemon(&self) -> (SocketAddr, usize) {
        *locked(&self.daemon)
    }

    fn accepted(&self, document: &Value) {
        if let Some(id) = document["runId"].as_str() {
            locked(&self.accepted).insert(id.to_owned());
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model whose method takes a second and a half.
fn slow() -> String {
    let pause = "await new Promise((go) => setTimeout(go, 1500)); context.logger.info";
    model("", "@drill/slow", "hello").replace("context.logger.info", pause)
}

fn scheduled(number: usize, definition: &str) -> String {
    format!(
        "id: 5b1f0a3e-2f64-4c1e-8f0b-9c8b7d6e5b{number:02}\nname: every second {number}\n\
         trigger: {{ schedule: '* * * * * *' }}\njobs:\n  - name: only\n    steps:\n      - name: greet\n        \
         task: {{ type: model_method, modelIdOrName: {definition}, methodName: greet, inputs: {{ name: x }} }}\n"
    )
}
