//! Everything at once on a running daemon: edits, schedules, requests, commands beside it, a registry that comes and
//! goes, and in the middle the daemon is killed. Afterwards every run is accounted for and every source is what it must
//! be; meanwhile neither memory nor descriptors grow.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use mangrove_domain::state::StateName;
use mangrove_testkit::{
    corpus::{Corpus, Expected, library_path},
    http::Client,
    registry::{FakePackage, FakeRegistry, Misbehaviour},
};
use serde_json::Value;

use crate::{
    Extent, Outcome, random_below,
    repository::{Repository, TIME_LIMIT, model},
    serving::{Held, Serving},
};

const CORPUS: Corpus = Corpus { entries: 60, services: 10, broken: 2, invalid: 2 };
/// How long the short form takes, without what comes before and after.
const SHORT: Duration = Duration::from_secs(24);
/// What the memory of a daemon may grow by between a quarter of its time and its end.
const GROWTH: u64 = 20 << 20;
/// The short form ends while caches still fill.
const SHORT_GROWTH: u64 = 48 << 20;
/// Descriptors that come and go: connections, files that are being read, pipes of workers.
const PASSING_DESCRIPTORS: usize = 64;

const REMOTE: &str = "extensions/models/remote.ts";
const PACKAGE: &str = "drilled";

/// The definitions whose method runs each second; the methods of the last one take so long that the kill meets some.
const SCHEDULED: [&str; 3] = ["greeter", "remote", "slow"];

/// What all that goes on at once shares.
struct Scene<'a> {
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

pub(crate) fn run(random: &mut Rng, extent: Extent) -> Result<Outcome> {
    let duration = if extent.is_quick() { SHORT } else { extent.duration };
    let registry = FakeRegistry::start()?;
    publish(&registry, 0);
    let (mut repository, expected) = Repository::generated(CORPUS)?;
    repository.set_environment("MANGROVE_NPM_REGISTRY", registry.url());
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
        let parts: [fn(&Scene<'_>, Rng) -> Result<()>; 4] = [edit, ask, command, disturb];
        let parts = parts.map(|part| {
            let (scene, random) = (&scene, random.fork());
            scope.spawn(move || part(scene, random))
        });
        let daemons = both_halves(&scene, first, duration, extent);
        scene.is_over.store(true, Ordering::Relaxed);
        for part in parts {
            let Ok(outcome) = part.join() else { bail!("a part of the drill panicked") };
            outcome?;
        }
        daemons
    })?;
    registry.heal()?;
    let runs = settle(&scene, &second)?;
    second.stop()?.expect(&[0])?;
    repository.check(&expected).context("afterwards")?;
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    Ok(Outcome::Held(format!(
        "{} s: {} edits, {} requests, {} commands, {} faults, one SIGKILL; runs: {runs}; {held}",
        duration.as_secs(),
        count(&scene.edits),
        count(&scene.requests),
        count(&scene.commands),
        count(&scene.faults),
    )))
}

/// One daemon until it is killed in the middle, and the next one until the end. Gives the second, and what both held.
fn both_halves(scene: &Scene<'_>, first: Serving, duration: Duration, extent: Extent) -> Result<(Serving, String)> {
    let most = if extent.is_quick() { SHORT_GROWTH } else { GROWTH };
    let before = watch(&first, duration / 2, most).context("the first daemon")?;
    first.kill()?;
    let second = Serving::start(scene.repository, &["--rescan", "10s"])?;
    *locked(&scene.daemon) = (second.address, 1);
    let after = watch(&second, duration / 2, most).context("the second daemon")?;
    Ok((second, format!("MB by the minute: {before}; after the SIGKILL {after}")))
}

/// Watches what a daemon holds. Gives its memory by the minute, in MB.
fn watch(serving: &Serving, duration: Duration, most: u64) -> Result<String> {
    let (start, mut held) = (Instant::now(), Vec::new());
    while start.elapsed() < duration {
        thread::sleep(Duration::from_millis(250));
        held.push((start.elapsed(), serving.held()?));
    }
    let typical = |held: &[(Duration, Held)]| {
        let mut bytes: Vec<u64> = held.iter().map(|(_, held)| held.bytes).collect();
        bytes.sort_unstable();
        bytes.get(bytes.len() / 2).copied().unwrap_or_default()
    };
    let minute = |(at, _): &(Duration, Held)| at.as_secs() / 60;
    let minutes = held.chunk_by(|one, next| minute(one) == minute(next));
    let minutes: Vec<String> = minutes.map(|held| format!("{:.1}", megabytes(typical(held)))).collect();
    let minutes = minutes.join(" ");
    let quarter = (held.len() / 4).max(1);
    ensure!(held.len() >= quarter, "it was never looked at");
    let (before, after) = (typical(&held[..quarter]), typical(&held[held.len() - quarter..]));
    let grown = after.saturating_sub(before);
    ensure!(grown <= most, "its memory grew from {} to {} KiB; MB by the minute: {minutes}", before >> 10, after >> 10);
    let least = held.iter().map(|(_, held)| held.descriptors).min().unwrap_or_default();
    let last = held.last().map(|(_, held)| held.descriptors).unwrap_or_default();
    ensure!(last <= least + PASSING_DESCRIPTORS, "its descriptors grew from {least} to {last}");
    Ok(minutes)
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
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

/// Saves sources: with another comment, broken, removed and written again, and what many of them import. In the end each
/// is as it was.
fn edit(scene: &Scene<'_>, mut random: Rng) -> Result<()> {
    let good: Vec<&Expected> = scene.expected.iter().filter(|entry| entry.state == StateName::Indexed).collect();
    let mut original: BTreeMap<String, String> = BTreeMap::new();
    while scene.goes_on() {
        let path = match random.u8(..8) {
            0 => library_path(&good[random.usize(..good.len())].service),
            _ => good[random.usize(..good.len())].path.clone(),
        };
        let text = match original.get(&path) {
            Some(text) => text.clone(),
            None => fs::read_to_string(scene.repository.path(&path))?,
        };
        match random.u8(..6) {
            0 => scene.repository.write(&path, &format!("const unfinished = [;\n{text}"))?,
            1 => fs::remove_file(scene.repository.path(&path)).or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?,
            2 => scene.repository.write(&path, &text)?,
            _ => scene.repository.write(&path, &format!("{text}\n// {}\n", random.u32(..)))?,
        }
        original.entry(path).or_insert(text);
        scene.edits.fetch_add(1, Ordering::Relaxed);
        thread::sleep(random_below(&mut random, Duration::from_millis(250)));
    }
    for (path, text) in original {
        scene.repository.write(&path, &text)?;
    }
    Ok(())
}

/// Asks the daemon for everything, and starts runs.
fn ask(scene: &Scene<'_>, mut random: Rng) -> Result<()> {
    const PATHS: [&str; 7] = [
        "/api/v1/types",
        "/api/v1/types/@drill/greeter",
        "/api/v1/sources?limit=20",
        "/api/v1/transitions?limit=20",
        "/api/v1/runs?limit=20",
        "/api/v1/schedules",
        "/api/v1/why?query=@drill/remote",
    ];
    let mut connection: Option<(Client, usize)> = None;
    while scene.goes_on() {
        let (address, number) = scene.daemon();
        let answer = match connection.as_mut().filter(|(_, of)| *of == number) {
            Some((client, _)) if random.u8(..4) > 0 => client.get(PATHS[random.usize(..PATHS.len())], None),
            Some((client, _)) => start(client, &mut random),
            None => match Client::connect(address) {
                Ok(client) => {
                    connection = Some((client, number));
                    continue;
                }
                Err(error) => Err(error),
            },
        };
        match answer {
            Ok(answer) => {
                ensure!(answer.status < 500 || answer.status == 503, "{}: {}", answer.status, text(&answer.body));
                if matches!(answer.status, 201 | 202) {
                    scene.accepted(&serde_json::from_slice(&answer.body)?);
                }
                scene.requests.fetch_add(1, Ordering::Relaxed);
            }
            // It was killed, and nobody knows yet where the next one answers.
            Err(_) if number == 0 => connection = None,
            Err(error) => return Err(error).context("the daemon does not answer"),
        }
        thread::sleep(random_below(&mut random, Duration::from_millis(60)));
    }
    Ok(())
}

fn start(client: &mut Client, random: &mut Rng) -> std::io::Result<mangrove_testkit::http::Answer> {
    let key = format!("Idempotency-Key: {}", random.u64(..));
    client.send("POST", "/api/v1/workflows/hello/runs", &[&key, "Prefer: respond-async"], "")
}

/// Uses the command line beside the daemon.
fn command(scene: &Scene<'_>, mut random: Rng) -> Result<()> {
    const COMMANDS: [&[&str]; 5] =
        [&["workflow", "run", "hello", "--json"], &["scan"], &["types"], &["run", "list"], &["doctor"]];
    while scene.goes_on() {
        let number = random.usize(..COMMANDS.len());
        let ended = scene.repository.run(COMMANDS[number])?.expect(&[0, 1, 75])?;
        if number == 0 && ended.code() == 0 {
            for line in ended.stdout.lines() {
                scene.accepted(&serde_json::from_str(line).unwrap_or_default());
            }
        }
        scene.commands.fetch_add(1, Ordering::Relaxed);
        thread::sleep(random_below(&mut random, Duration::from_millis(1_500)));
    }
    Ok(())
}

/// A registry that fails in all ways, and a source that needs something new of it each time.
fn disturb(scene: &Scene<'_>, mut random: Rng) -> Result<()> {
    let mut version = 0;
    while scene.goes_on() {
        version += 1;
        let fault = match random.u8(..3) {
            0 => Misbehaviour::Status(503),
            1 => Misbehaviour::Status(500),
            _ => Misbehaviour::Stall,
        };
        scene.registry.misbehave(None, fault, None);
        publish(scene.registry, version);
        scene.repository.write(REMOTE, &remote(version))?;
        scene.faults.fetch_add(1, Ordering::Relaxed);
        thread::sleep(random_below(&mut random, Duration::from_secs(3)));
        scene.registry.heal()?;
        thread::sleep(random_below(&mut random, Duration::from_secs(3)));
    }
    Ok(())
}

/// Waits until everything is well, and accounts for every run. Gives what became of them.
fn settle(scene: &Scene<'_>, serving: &Serving) -> Result<String> {
    let start = Instant::now();
    loop {
        let why = serving.document("/api/v1/why?query=@drill/remote")?;
        let list = runs(serving)?;
        let newest = list.iter().find(|run| run["name"] == "every second 1" && run["finishedAt"].is_string());
        if newest.is_some_and(|run| run["status"] == "succeeded") {
            break;
        }
        ensure!(start.elapsed() < TIME_LIMIT, "the source with a package never heals: {why}; {newest:?}");
        thread::sleep(Duration::from_millis(200));
    }
    // Of each schedule one run goes on at most; what the killed daemon was about has ended with it.
    let start = Instant::now();
    while let Some(name) = running_twice(&runs(serving)?) {
        ensure!(start.elapsed() < TIME_LIMIT, "more than one run of `{name}` is told as running");
        thread::sleep(Duration::from_millis(100));
    }
    let list = runs(serving)?;
    let known: BTreeMap<&str, &str> =
        list.iter().filter_map(|run| Some((run["runId"].as_str()?, run["status"].as_str()?))).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, status) in &known {
        *counts.entry(status).or_default() += 1;
        let is_old = locked(&scene.accepted).contains(*id);
        ensure!(!(is_old && matches!(*status, "running" | "pending")), "run {id} is told as {status}");
    }
    for id in locked(&scene.accepted).iter() {
        ensure!(known.contains_key(id.as_str()), "run {id} was accepted and is not on record");
    }
    let counts: Vec<String> = counts.into_iter().map(|(status, count)| format!("{count} {status}")).collect();
    Ok(format!("{} accepted; on record {}", locked(&scene.accepted).len(), counts.join(", ")))
}

/// The name of a workflow of which more than one run is under way.
fn running_twice(runs: &[Value]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut running = runs.iter().filter(|run| run["finishedAt"].is_null()).filter_map(|run| run["name"].as_str());
    running.find(|name| !seen.insert(*name)).map(str::to_owned)
}

fn runs(serving: &Serving) -> Result<Vec<Value>> {
    let (mut runs, mut cursor) = (Vec::new(), String::new());
    loop {
        let document = serving.document(&format!("/api/v1/runs?limit=200{cursor}"))?;
        runs.extend(document["runs"].as_array().context("no list of runs")?.iter().cloned());
        match document["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(runs),
        }
    }
}

fn publish(registry: &FakeRegistry, version: usize) {
    let package = FakePackage::new(PACKAGE, &format!("1.0.{version}"));
    registry.publish(package.file("index.js", &format!("export const value = {version};\n")));
}

fn remote(version: usize) -> String {
    model(&format!("import {{ value }} from \"npm:{PACKAGE}@1.0.{version}\";"), "@drill/remote", "${value}")
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(500).collect()
}
