//! What is measured, in what order.

mod calls;
mod catalog;
mod daemon;
mod data;
mod package;
pub(crate) mod process;
pub(crate) mod report;
mod steps;
mod unhealthy;

use std::{
    fs,
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use mangrove_domain::{index::TypeIndex, source::Kind, type_name::TypeName};
use mangrove_testkit::{
    corpus::{self, Corpus, Expected},
    rows,
};
use serde_json::Value;
use tempfile::TempDir;

use process::Program;
use report::{Bound, Line, Report};

/// The type that `describe` and `why` are asked about; every corpus has it.
const TYPE: &str = "@corpus/s000/thing0000";

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Entry points of the repository.
    pub(crate) entries: usize,
    /// Extensions that they are spread over.
    pub(crate) services: usize,
    /// The least length of an entry point, in bytes.
    pub(crate) entry_bytes: usize,
    /// Runs of each whole-process figure; the median counts.
    pub(crate) runs: usize,
    /// Runs of `scan --rehash`, which takes long.
    pub(crate) rehash_runs: usize,
    /// Types of the index that names are looked up in.
    pub(crate) index_types: usize,
    /// Whether repositories of other sizes are scanned too, to see how cost grows.
    pub(crate) growth: bool,
    /// Entry points that are unhealthy in each way, of the repository where some are.
    pub(crate) unhealthy: usize,
    /// Entry points of the repository with a package.
    pub(crate) entries_with_package: usize,
    /// Rows of the catalog that is read and written.
    pub(crate) catalog_rows: usize,
    /// Items of data that are searched, some more.
    pub(crate) data_items: usize,
    /// Steps of the workflow that is run.
    pub(crate) steps: usize,
    /// Calls of methods, each in a session of its own.
    pub(crate) calls: usize,
    /// What is done to a daemon.
    pub(crate) daemon: daemon::Amounts,
    /// True if nothing but the daemon is measured.
    pub(crate) daemon_only: bool,
    /// True if nothing but data and steps is measured.
    pub(crate) data_only: bool,
}

impl Options {
    /// The reference repository of the bounds.
    pub(crate) fn full() -> Self {
        Self {
            entries: 4_080,
            services: 658,
            entry_bytes: 30_000,
            runs: 15,
            rehash_runs: 5,
            index_types: 100_000,
            growth: true,
            unhealthy: 12,
            entries_with_package: 500,
            catalog_rows: 100_000,
            data_items: 100_000,
            steps: 200,
            calls: 300,
            daemon: daemon::Amounts::full(),
            daemon_only: false,
            data_only: false,
        }
    }

    /// Just enough to prove that the code works.
    pub(crate) fn quick() -> Self {
        Self {
            entries: 60,
            services: 10,
            entry_bytes: 3_000,
            runs: 3,
            rehash_runs: 1,
            index_types: 1_000,
            growth: false,
            unhealthy: 1,
            entries_with_package: 12,
            catalog_rows: 2_000,
            data_items: 1_000,
            steps: 20,
            calls: 50,
            daemon: daemon::Amounts::quick(),
            daemon_only: false,
            data_only: false,
        }
    }

    /// The same shape in another size: so many eighths of it.
    fn eighths(self, number: usize) -> Self {
        let part = |whole: usize| (whole * number / 8).max(1);
        Self { entries: part(self.entries), services: part(self.services), ..self }
    }
}

/// Measures everything with this program.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let mut lines = Vec::new();
    if options.data_only {
        lines.push(steps::overhead(program, options)?);
        lines.extend(data::measure(program, options)?);
        return Ok(Report::of(options, lines));
    }
    let repository = repository(options)?;
    let mangrove = Program::new(program, repository.path());

    let cold = cold_scan(&mangrove, options)?;
    if options.daemon_only {
        lines.extend(daemon::measure(&mangrove, repository.path(), options)?);
        lines.push(daemon::lateness(program, &options.daemon)?);
        return Ok(Report::of(options, lines));
    }
    lines.push(
        Line::new("cold scan, per entry", milliseconds(cold.wall) / as_number(options.entries), "ms")
            .at_most(15.0)
            .after(1),
    );
    lines.push(
        Line::new("cold scan, peak memory", as_number(cold.memory.bytes) / 1_048_576.0, "MiB")
            .at_most(512.0)
            .after(1)
            .noting(cold.memory.kind),
    );
    lines.extend(warm(&mangrove, repository.path(), options)?);
    lines.extend(unhealthy::measure(program, options)?);
    lines.extend(calls::measure(program, repository.path(), options.calls)?);
    lines.extend(daemon::measure(&mangrove, repository.path(), options)?);
    lines.push(daemon::lateness(program, &options.daemon)?);
    lines.push(resolve(options.index_types)?);
    lines.push(package::cold_scan(program, options)?);
    lines.extend(catalog::measure(options.catalog_rows)?);
    lines.push(steps::overhead(program, options)?);
    lines.extend(data::measure(program, options)?);
    if options.growth {
        lines.extend(growth(program, options, &mangrove, cold.wall)?);
    }
    Ok(Report::of(options, lines))
}

impl Report {
    fn of(options: &Options, lines: Vec<Line>) -> Self {
        Self {
            entries: options.entries,
            extensions: options.services,
            processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            optimized: !cfg!(debug_assertions),
            lines,
        }
    }
}

/// A repository that needs neither package nor network, below the system's temporary directory.
fn repository(options: &Options) -> Result<TempDir> {
    Ok(repository_with_entries(options)?.0)
}

fn repository_with_entries(options: &Options) -> Result<(TempDir, Vec<Expected>)> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let corpus = Corpus { entries: options.entries, services: options.services, broken: 0, invalid: 0 };
    let expected = corpus.write(directory.path()).context("cannot write the repository")?;
    corpus::lengthen(directory.path(), &expected, options.entry_bytes).context("cannot write the repository")?;
    fs::write(directory.path().join(".gitignore"), ".mangrove/\n").context("cannot write .gitignore")?;
    Ok((directory, expected))
}

/// Commits all of a repository; gives the git to ask about it.
fn committed(directory: &Path) -> Result<Program> {
    let git = Program::new(Path::new("git"), directory);
    git.output(&["init", "--quiet"])?;
    git.output(&["add", "--all"])?;
    let identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgSign=false"];
    // Nor may git tidy up in the background while it is measured.
    let quiet = ["-c", "gc.auto=0", "-c", "maintenance.auto=false"];
    git.output(&[&identity[..], &quiet, &["commit", "--quiet", "--message", "All"]].concat())?;
    Ok(git)
}

const STATUS: &[&str] = &["-c", "core.untrackedCache=false", "status", "--porcelain"];

/// The first scan of a repository; it must build everything and accept everything.
fn cold_scan(mangrove: &Program, options: &Options) -> Result<process::Watched> {
    let watched = mangrove.watched(&["scan", "--json"])?;
    let summary = summary(&watched.stdout)?;
    let healthy = summary["states"]["Indexed"].as_u64();
    let expected = u64::try_from(options.entries)?;
    if healthy != Some(expected) || summary["built"].as_u64() != Some(expected) {
        bail!("the cold scan should have built and accepted {expected} entries: {summary}");
    }
    Ok(watched)
}

/// A further scan has nothing to do, or it is not what is to be measured. Says what it looked at all the same.
fn expect_warm(mangrove: &Program) -> Result<String> {
    let summary = summary(&mangrove.output(&["scan", "--json"])?)?;
    for key in ["built", "inspected"] {
        ensure!(summary[key].as_u64() == Some(0), "the warm scan has something to do ({key}): {summary}");
    }
    Ok(format!("files read: {}, directories listed: {}", summary["filesRead"], summary["directoriesListed"]))
}

fn summary(stdout: &str) -> Result<Value> {
    let document: Value = serde_json::from_str(stdout).context("`scan --json` prints no JSON document")?;
    Ok(document["summary"].clone())
}

/// Everything that is asked of a repository in which nothing changes. The programs take turns, so that a busy moment of
/// the machine meets all of them.
fn warm(mangrove: &Program, directory: &Path, options: &Options) -> Result<Vec<Line>> {
    let git = committed(directory)?;
    // The untracked cache lives in the index, and a git without it takes it out: each variant has its own index.
    fs::copy(directory.join(".git/index"), directory.join(".git/index-with-cache")).context("cannot copy the index")?;
    let cached_git =
        Program::new(Path::new("git"), directory).with_environment("GIT_INDEX_FILE", ".git/index-with-cache");

    let scan: &[&str] = &["scan"];
    let cached: &[&str] = &["-c", "core.untrackedCache=true", "status", "--porcelain"];
    let turns: [(&Program, &[&str]); 6] = [
        (mangrove, scan),
        (&git, STATUS),
        (&cached_git, cached),
        (mangrove, &["types"]),
        (mangrove, &["describe", TYPE]),
        (mangrove, &["why", TYPE]),
    ];
    // The first rounds fill caches and settle what is too young to be believed; they do not count.
    for _ in 0..2 {
        for (program, arguments) in turns {
            program.timed(arguments)?;
        }
    }
    let looked_at = expect_warm(mangrove)?;
    let status = git.output(STATUS)?;
    ensure!(status.is_empty(), "git should have nothing to say of the repository: {status}");
    let mut times = turns.map(|_| Vec::with_capacity(options.runs));
    for _ in 0..options.runs {
        for ((program, arguments), times) in turns.iter().zip(&mut times) {
            times.push(program.timed(arguments)?);
        }
    }
    let [scan, plain, cached, types, describe, why] = times.map(|mut times| milliseconds(median(&mut times)));
    let mut rehash = Vec::with_capacity(options.rehash_runs);
    for _ in 0..options.rehash_runs {
        rehash.push(mangrove.timed(&["scan", "--rehash"])?);
    }
    let rehash = milliseconds(median(&mut rehash));

    let asked = |what, figure| Line::new(what, figure, "ms").at_most(50.0).after(options.runs);
    Ok(vec![
        Line::new("git status", plain, "ms").after(options.runs),
        Line::new("git status, untracked cache", cached, "ms").after(options.runs),
        Line { bound: Some(Bound::RatioAtMost(0.5)), ..Line::new("warm scan", scan, "ms") }
            .against("git status", plain)
            .after(options.runs)
            .noting(&looked_at),
        Line::new("warm scan, untracked cache", scan, "ms")
            .against("git status, untracked cache", cached)
            .after(options.runs),
        Line { bound: Some(Bound::RatioAtLeast(150.0)), ..Line::new("scan --rehash", rehash, "ms") }
            .against("warm scan", scan)
            .after(options.rehash_runs),
        asked("types", types),
        asked("describe", describe),
        asked("why", why),
    ])
}

/// One look-up in a published snapshot, in a running process.
fn resolve(types: usize) -> Result<Line> {
    const LOOK_UPS: usize = 1_000_000;
    let names: Vec<String> = (0..types).map(|number| format!("@corpus/s{:03}/thing{number}", number % 658)).collect();
    let row = |(number, name): (usize, &String)| Arc::new(rows::indexed(&format!("models/{number}.ts"), name));
    let index = TypeIndex::build(names.iter().enumerate().map(row));
    let names: Vec<TypeName> = names.iter().map(|name| TypeName::stored(name.as_str())).collect();
    let kind = Kind::new("model");
    let mut found = 0;
    let start = Instant::now();
    // A stride that shares no factor with the number of types visits all of them, far from each other in memory.
    for look_up in 0..LOOK_UPS {
        let name = &names[look_up.wrapping_mul(7_919) % names.len()];
        found += usize::from(index.resolve(black_box(&kind), black_box(name)).is_some());
    }
    let elapsed = start.elapsed();
    ensure!(found == LOOK_UPS, "{found} of {LOOK_UPS} look-ups found their type");
    Ok(Line::new("resolve a type", elapsed.as_secs_f64() * 1e9 / as_number(LOOK_UPS), "ns").at_most(1_000.0).after(1))
}

/// How the time of a scan grows with the repository: 1 is linear. `whole` was scanned already, in the time `cold`; the
/// others have an eighth, a quarter, half and twice its entries.
fn growth(program: &Path, options: &Options, whole: &Program, cold: Duration) -> Result<[Line; 2]> {
    let size = as_number(options.entries);
    let mut cold_curve = vec![(size, cold.as_secs_f64())];
    let mut warm_curve = vec![(size, warm_scan(whole, options)?.as_secs_f64())];
    for eighths in [1, 2, 4, 16] {
        let part = options.eighths(eighths);
        let repository = repository(&part)?;
        let mangrove = Program::new(program, repository.path());
        let size = as_number(part.entries);
        cold_curve.push((size, cold_scan(&mangrove, &part)?.wall.as_secs_f64()));
        warm_curve.push((size, warm_scan(&mangrove, &part)?.as_secs_f64()));
    }
    Ok([
        Line::new("growth of the cold scan", exponent(&cold_curve), "exponent").at_most(1.1).after(1),
        Line::new("growth of the warm scan", exponent(&warm_curve), "exponent").at_most(1.1).after(options.runs),
    ])
}

fn warm_scan(mangrove: &Program, options: &Options) -> Result<Duration> {
    mangrove.timed(&["scan"])?;
    expect_warm(mangrove)?;
    let mut times = (0..options.runs).map(|_| mangrove.timed(&["scan"])).collect::<Result<Vec<_>>>()?;
    Ok(median(&mut times))
}

/// The power of the size that the value grows with: the slope of the line through the logarithms.
pub(crate) fn exponent(curve: &[(f64, f64)]) -> f64 {
    let points: Vec<(f64, f64)> = curve.iter().map(|(size, value)| (size.ln(), value.ln())).collect();
    let count = as_number(points.len());
    let mean_size = points.iter().map(|(size, _)| size).sum::<f64>() / count;
    let mean_value = points.iter().map(|(_, value)| value).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(size, value)| (size - mean_size) * (value - mean_value)).sum();
    let variance: f64 = points.iter().map(|(size, _)| (size - mean_size).powi(2)).sum();
    covariance / variance
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "numbers far below 2^52, for people to read")]
fn as_number(number: usize) -> f64 {
    number as f64
}
