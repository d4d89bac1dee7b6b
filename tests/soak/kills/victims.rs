//! What is killed, and when.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use fastrand::Rng;
use mangrove_testkit::http::Client;
use serde_json::Value;

use super::scene::Scene;
use crate::{
    processes::{self, Process},
    random_below,
    repository::Running,
    serving::Serving,
};

/// Runs that begin with a second are under way for so long, about.
const BUSY_IN_A_SECOND: Duration = Duration::from_millis(400);

/// A sort of process that is killed.
pub(super) struct Victim {
    pub(super) name: &'static str,
    pub(super) kill: fn(&mut Scene, &Moments, &mut Rng) -> Result<Kill>,
}

pub(super) const VICTIMS: [Victim; 7] = [
    Victim { name: "cold scans", kill: cold_scan },
    Victim { name: "workflow runs", kill: |scene, moments, random| run(scene, WORKFLOW, moments.run, random) },
    Victim { name: "daemons", kill: daemon },
    Victim { name: "scans of edits", kill: scan_of_edits },
    Victim { name: "method runs", kill: |scene, moments, random| run(scene, METHOD, moments.run, random) },
    Victim { name: "daemons that start", kill: starting_daemon },
    // Long before its end.
    Victim { name: "commands of the shell", kill: |scene, moments, random| run(scene, SHELL, moments.run * 2, random) },
];

const WORKFLOW: &[&str] = &["workflow", "run", "work", "--json"];
const SHELL: &[&str] = &["workflow", "run", "shell", "--json"];
const METHOD: &[&str] = &["model", "method", "run", "worker", "greet", "--json"];

/// A process that was killed.
pub(super) struct Kill {
    /// False if it had ended before.
    pub(super) is_dead: bool,
    pub(super) after: Duration,
    /// What it had started.
    pub(super) workers: std::collections::BTreeSet<Process>,
}

/// How long commands take that nobody kills.
pub(super) struct Moments {
    cold_scan: Duration,
    run: Duration,
    start: Duration,
}

impl Moments {
    /// Does each once. The first scan also waits for the disk to bring the program.
    pub(super) fn measure(scene: &mut Scene) -> Result<Self> {
        scene.lose_catalog()?;
        let start = Instant::now();
        scene.repository.run(&["scan"])?.expect(&[0])?;
        let cold_scan = start.elapsed();
        let start = Instant::now();
        scene.repository.run(WORKFLOW)?.expect(&[0])?;
        let run = start.elapsed();
        let start = Instant::now();
        let serving = Serving::start(&scene.repository, &[])?;
        let moments = Self { cold_scan, run, start: start.elapsed() };
        serving.stop()?.expect(&[0])?;
        Ok(moments)
    }
}

fn cold_scan(scene: &mut Scene, moments: &Moments, random: &mut Rng) -> Result<Kill> {
    scene.lose_catalog()?;
    kill_within(scene.repository.start(&["scan"])?, random_below(random, moments.cold_scan))
}

fn scan_of_edits(scene: &mut Scene, moments: &Moments, random: &mut Rng) -> Result<Kill> {
    scene.edit_all()?;
    kill_within(scene.repository.start(&["scan"])?, random_below(random, moments.cold_scan))
}

/// A command that runs something, and tells of it on standard output.
fn run(scene: &mut Scene, arguments: &[&str], whole: Duration, random: &mut Rng) -> Result<Kill> {
    let mut running = scene.repository.start(arguments)?;
    let kill = kill_now(&mut running, random_below(random, whole))?;
    for line in running.said()?.lines() {
        // Its last line may be cut.
        scene.tell(&serde_json::from_str(line).unwrap_or_default());
    }
    Ok(kill)
}

/// A daemon with schedules of which everybody knows, runs that it has accepted, and often edits that it has just seen.
fn daemon(scene: &mut Scene, _: &Moments, random: &mut Rng) -> Result<Kill> {
    let serving = Serving::start(&scene.repository, &["--parallel-runs", "8"])?;
    if random.bool() {
        scene.edit_all()?;
    }
    let mut client = Client::connect(serving.address)?;
    for _ in 0..3 {
        let key = format!("Idempotency-Key: {}", random.u64(..));
        let answer = client.send("POST", "/api/v1/workflows/work/runs", &[&key, "Prefer: respond-async"], "")?;
        scene.tell(&serde_json::from_slice(&answer.body).with_context(|| format!("status {}", answer.status))?);
    }
    std::thread::sleep(until_next_second()? + random_below(random, BUSY_IN_A_SECOND));
    let listed: Value = serving.document("/api/v1/runs?limit=50")?;
    for run in listed["runs"].as_array().context("no list of runs")? {
        scene.tell(run);
    }
    std::thread::sleep(random_below(random, BUSY_IN_A_SECOND / 4));
    kill_now(&mut serving.into_running()?, Duration::ZERO)
}

fn starting_daemon(scene: &mut Scene, moments: &Moments, random: &mut Rng) -> Result<Kill> {
    scene.edit_all()?;
    let serve = scene.repository.start(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])?;
    // It goes on with what it found when it is ready.
    kill_within(serve, random_below(random, moments.start * 2))
}

fn kill_within(mut running: Running, moment: Duration) -> Result<Kill> {
    kill_now(&mut running, moment)
}

/// Kills a process after this time. It stands still before, so that all that it has started by then is known.
fn kill_now(running: &mut Running, after: Duration) -> Result<Kill> {
    std::thread::sleep(after);
    running.signal("STOP")?;
    processes::wait_until_still(running.process());
    let workers = processes::below(running.process())?;
    let is_dead = running.kill()?;
    Ok(Kill { is_dead, after, workers })
}

fn until_next_second() -> Result<Duration> {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH)?;
    Ok(Duration::from_nanos(1_000_000_000 - u64::from(now.subsec_nanos())))
}
