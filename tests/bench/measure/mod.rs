//! What is measured, in what order.

pub(crate) mod callgrind;
mod calls;
mod catalog;
mod daemon;
mod data;
mod deno;
mod growth;
mod package;
mod packages;
pub(crate) mod process;
pub(crate) mod real;
pub(crate) mod report;
mod resolve;
mod second_node;
mod shared_file;
mod start;
mod steps;
mod stored;
mod unhealthy;
mod yardsticks;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use mangrove_testkit::corpus::{self, Corpus, Expected};
use serde_json::Value;
use tempfile::TempDir;

use process::Program;
use report::{Line, Report};

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
    /// Entry points of further repositories, fewest first, to see how cost grows.
    pub(crate) growth: &'static [usize],
    /// Entry points that are unhealthy in each way, of the repository where some are.
    pub(crate) unhealthy: usize,
    /// Entry points of the repository with a package.
    pub(crate) entries_with_package: usize,
    /// The repository with a schema library in every entry, which takes as long as all others; `None` to leave it out.
    pub(crate) packages: Option<packages::Amounts>,
    /// Entry points of a repository that Deno bundles and imports.
    pub(crate) sample: usize,
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
    /// If not everything is measured: what.
    pub(crate) only: Option<Only>,
    /// Whether the machine may take part with what it has besides: its registry of packages, a Deno, valgrind. Needs the
    /// program of the benchmark.
    pub(crate) with_machine: bool,
}

/// A part that can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    Daemon,
    /// Data and steps.
    Data,
    /// The repository with a schema library in every entry.
    Packages,
    /// Scans of the other repositories, and the other commands.
    Scans,
    /// What machines share: a catalog on a server, and bundles in a bucket.
    Servers,
}

impl Only {
    /// What the command line calls it by.
    pub(crate) fn named(argument: &str) -> Option<Self> {
        match argument {
            "--daemon" => Some(Self::Daemon),
            "--data" => Some(Self::Data),
            "--packages" => Some(Self::Packages),
            "--scans" => Some(Self::Scans),
            "--servers" => Some(Self::Servers),
            _ => None,
        }
    }
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
            growth: &[500, 1_000, 2_000, 4_000, 8_000],
            unhealthy: 12,
            entries_with_package: 500,
            packages: Some(packages::Amounts { entries: 4_000, unhealthy: 12 }),
            sample: 20,
            catalog_rows: 100_000,
            data_items: 100_000,
            steps: 200,
            calls: 300,
            daemon: daemon::Amounts::full(),
            only: None,
            with_machine: false,
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
            growth: &[],
            unhealthy: 1,
            entries_with_package: 12,
            packages: Some(packages::Amounts { entries: 12, unhealthy: 1 }),
            sample: 2,
            catalog_rows: 2_000,
            data_items: 1_000,
            steps: 20,
            calls: 50,
            daemon: daemon::Amounts::quick(),
            only: None,
            with_machine: false,
        }
    }

    /// The same shape with so many entries.
    fn sized(self, entries: usize) -> Self {
        Self { entries, services: (self.services * entries / self.entries).max(1), ..self }
    }
}

/// Measures everything with this program.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let lines = match options.only {
        Some(Only::Data) => data_and_steps(program, options)?,
        Some(Only::Packages) => packages::measure(program, options)?,
        Some(Only::Servers) => servers(program, options)?,
        Some(Only::Daemon | Only::Scans) | None => on_the_reference(program, options)?,
    };
    Ok(Report::of(options, lines))
}

fn servers(program: &Path, options: &Options) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = told(options, catalog::measure(options.catalog_rows)?).into();
    lines.extend(told(options, second_node::measure(program, options)?));
    Ok(lines)
}

fn data_and_steps(program: &Path, options: &Options) -> Result<Vec<Line>> {
    let mut lines = vec![steps::overhead(program, options)?];
    lines.extend(data::measure(program, options)?);
    Ok(lines)
}

/// What is measured on the reference repository, and unless a part alone is asked for, on all others.
fn on_the_reference(program: &Path, options: &Options) -> Result<Vec<Line>> {
    let repository = repository(options)?;
    let directory = repository.path();
    let mangrove = Program::new(program, directory);

    let cold = cold_scan(&mangrove, options)?;
    let daemon = || -> Result<Vec<Line>> {
        let mut lines = daemon::measure(&mangrove, directory, options)?;
        lines.push(daemon::lateness(program, &options.daemon)?);
        Ok(lines)
    };
    if options.only == Some(Only::Daemon) {
        return daemon();
    }
    let mut lines = told(
        options,
        vec![
            Line::new("cold scan, per entry", milliseconds(cold.wall) / as_number(options.entries), "ms").at_most(15.0),
            Line::new("cold scan, peak memory", mebibytes(cold.memory.bytes), "MiB")
                .at_most(400.0)
                .noting(cold.memory.kind),
        ],
    );
    let git = committed(directory)?;
    lines.extend(told(options, warm(&mangrove, &git, directory, options)?));
    lines.extend(told(options, yardsticks::measure(directory, options.runs)?));
    lines.extend(told(options, start::measure(program, &mangrove, options.runs)?));
    lines.extend(told(options, callgrind::measure(program, directory, options)?));
    lines.extend(told(options, shared_file::measure(&mangrove, directory, &git, options)?));
    lines.extend(told(options, unhealthy::measure(program, options)?));
    lines.extend(told(options, calls::measure(program, directory, options.calls)?));
    if options.only.is_none() {
        lines.extend(told(options, daemon()?));
        lines.extend(told(options, packages::measure(program, options)?));
        lines.extend(told(options, data_and_steps(program, options)?));
    }
    lines.extend(told(options, vec![resolve::measure(options.index_types)?]));
    lines.extend(told(options, vec![package::cold_scan(program, options)?]));
    lines.extend(told(options, catalog::measure(options.catalog_rows)?));
    if options.only.is_none() {
        lines.extend(told(options, second_node::measure(program, options)?));
    }
    lines.extend(told(options, growth::measure(program, options)?));
    Ok(lines)
}

/// Says each line when it is measured, to whoever waits for all of them.
#[expect(clippy::print_stderr, reason = "a benchmark talks to its terminal")]
fn told<Lines: AsRef<[Line]>>(options: &Options, lines: Lines) -> Lines {
    if options.with_machine {
        for line in lines.as_ref() {
            eprintln!("{}", line.cells().join("  "));
        }
    }
    lines
}

impl Report {
    fn of(options: &Options, lines: Vec<Line>) -> Self {
        let (entries, extensions) = match (options.only, options.packages) {
            (Some(Only::Packages), Some(packages)) => (packages.entries, packages.extensions()),
            _ => (options.entries, options.services),
        };
        Self {
            entries,
            extensions,
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
    let git = commit_all(directory)?;
    let status = git.output(STATUS)?;
    ensure!(status.is_empty(), "git should have nothing to say of the repository: {status}");
    Ok(git)
}

/// The same, whatever git has to say of the repository then. Our own state is none of its business.
fn commit_all(directory: &Path) -> Result<Program> {
    let git = Program::new(Path::new("git"), directory);
    git.output(&["init", "--quiet"])?;
    fs::create_dir_all(directory.join(".git/info")).context("cannot tell git what to leave out")?;
    fs::write(directory.join(".git/info/exclude"), ".mangrove/\n").context("cannot tell git what to leave out")?;
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
fn warm(mangrove: &Program, git: &Program, directory: &Path, options: &Options) -> Result<Vec<Line>> {
    // The untracked cache lives in the index, and a git without it takes it out: each variant has its own index.
    fs::copy(directory.join(".git/index"), directory.join(".git/index-with-cache")).context("cannot copy the index")?;
    let cached_git =
        Program::new(Path::new("git"), directory).with_environment("GIT_INDEX_FILE", ".git/index-with-cache");

    let scan: &[&str] = &["scan"];
    let cached: &[&str] = &["-c", "core.untrackedCache=true", "status", "--porcelain"];
    let turns: [(&Program, &[&str]); 6] = [
        (mangrove, scan),
        (git, STATUS),
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
        Line::new("warm scan", scan, "ms")
            .against("git status", plain)
            .at_most_times(0.5)
            .after(options.runs)
            .noting(&looked_at),
        Line::new("warm scan, untracked cache", scan, "ms")
            .against("git status, untracked cache", cached)
            .after(options.runs),
        Line::new("scan --rehash", rehash, "ms")
            .against("warm scan", scan)
            .at_least_times(100.0)
            .after(options.rehash_runs),
        asked("types", types),
        asked("describe", describe),
        asked("why", why),
    ])
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

fn mebibytes(bytes: usize) -> f64 {
    as_number(bytes) / 1_048_576.0
}

#[expect(clippy::cast_precision_loss, reason = "numbers far below 2^52, for people to read")]
fn as_number(number: usize) -> f64 {
    number as f64
}
