//! `cargo xtask soak`: drills that are worth repeating. Each does to the real program, on a real disk, what a machine
//! does to it sooner or later, and then looks whether anything was lost. `design/drills.md` says what each must show.

#![expect(clippy::print_stdout, reason = "it talks to its terminal")]

mod api;
mod cause;
mod crowd;
mod daemon;
mod disk;
mod engine;
mod files;
mod fleet;
mod kills;
mod network;
mod processes;
mod repository;
mod serving;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use fastrand::Rng;

use crate::engine::Engine;

/// What a drill found. An error is a promise that did not hold.
enum Outcome {
    /// All held; the sentence says what was counted.
    Held(String),
    /// It could not be tried here, and why.
    Skipped(String),
}

/// One drill: its name, and the code that does it once with these random numbers.
struct Drill {
    name: &'static str,
    run: fn(&mut Rng, Extent) -> Result<Outcome>,
}

/// How much a drill shall do.
#[derive(Clone, Copy)]
struct Extent {
    /// How long drills go on whose length is a choice; zero for the shortest form.
    duration: Duration,
}

impl Extent {
    fn is_quick(self) -> bool {
        self.duration.is_zero()
    }
}

const DRILLS: &[Drill] = &[
    Drill { name: "kills", run: |random, extent| kills::run(random, extent, Engine::Sqlite) },
    Drill { name: "kills-postgres", run: |random, extent| kills::run(random, extent, Engine::Postgres) },
    Drill { name: "crowd", run: |random, extent| crowd::run(random, extent, Engine::Sqlite) },
    Drill { name: "crowd-postgres", run: |random, extent| crowd::run(random, extent, Engine::Postgres) },
    Drill { name: "files", run: |random, _| files::run(random) },
    Drill { name: "disk", run: |random, _| disk::run(random) },
    Drill { name: "silent-registry", run: |random, _| network::silent(random) },
    Drill { name: "dropped-packets", run: |random, _| network::dropping(random) },
    Drill { name: "one-cause", run: |_, extent| cause::run(extent) },
    Drill { name: "api", run: api::run },
    Drill { name: "fleet", run: fleet::run },
    Drill { name: "daemon", run: |random, extent| daemon::run(random, extent, Engine::Sqlite) },
    Drill { name: "daemon-postgres", run: |random, extent| daemon::run(random, extent, Engine::Postgres) },
];

/// What was asked for.
struct Request {
    /// How long to repeat the drills; each is done at least once.
    duration: Duration,
    seed: u64,
    only: Option<String>,
}

fn main() -> Result<ExitCode> {
    let request = request(std::env::args().skip(1))?;
    let mut random = Rng::with_seed(request.seed);
    let start = Instant::now();
    let mut failures = 0;
    println!("seed {}", request.seed);
    loop {
        for drill in DRILLS {
            if request.only.as_deref().is_some_and(|only| only != drill.name) {
                continue;
            }
            let begun = Instant::now();
            let outcome = (drill.run)(&mut random, Extent { duration: request.duration });
            let seconds = begun.elapsed().as_secs_f64();
            match outcome {
                Ok(Outcome::Held(counted)) => println!("held     {seconds:>6.1} s  {:<16} {counted}", drill.name),
                Ok(Outcome::Skipped(reason)) if is_ci() => {
                    failures += 1;
                    println!("FAILED   {seconds:>6.1} s  {:<16} cannot be skipped here: {reason}", drill.name);
                }
                Ok(Outcome::Skipped(reason)) => println!("SKIPPED  {seconds:>6.1} s  {:<16} {reason}", drill.name),
                Err(error) => {
                    failures += 1;
                    println!("FAILED   {seconds:>6.1} s  {:<16} {error:#}", drill.name);
                }
            }
        }
        if start.elapsed() >= request.duration {
            break;
        }
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A random duration below `bound`.
fn random_below(random: &mut Rng, bound: Duration) -> Duration {
    bound.mul_f64(random.f64())
}

/// In continuous integration everything that the drills need is there.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

fn request(mut arguments: impl Iterator<Item = String>) -> Result<Request> {
    const LONG: Duration = Duration::from_mins(20);
    let mut request = Request { duration: LONG, seed: 1, only: None };
    while let Some(argument) = arguments.next() {
        let mut value = |of: &str| arguments.next().with_context(|| format!("{of} wants a value"));
        match argument.as_str() {
            "--quick" => request.duration = Duration::ZERO,
            "--minutes" => request.duration = Duration::from_mins(value("--minutes")?.parse()?),
            "--seed" => request.seed = value("--seed")?.parse()?,
            "--only" => {
                let name = value("--only")?;
                if !DRILLS.iter().any(|drill| drill.name == name) {
                    let names: Vec<&str> = DRILLS.iter().map(|drill| drill.name).collect();
                    bail!("no drill is called `{name}`; there are {}", names.join(", "));
                }
                request.only = Some(name);
            }
            "--program" => {
                let program = std::path::absolute(value("--program")?)?;
                repository::PROGRAM.set(program).ok().context("--program is there twice")?;
            }
            other => bail!(
                "unknown argument `{other}`; known are --quick, --minutes N, --seed N, --only DRILL and --program FILE"
            ),
        }
    }
    Ok(request)
}
