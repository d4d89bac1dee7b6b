//! `cargo xtask bench`: what the program costs as a user meets it, the whole process, beside what it is compared with.
//! `design/performance.md` says what each line means.

#![expect(clippy::print_stdout, reason = "a benchmark talks to its terminal")]

mod measure;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};

use measure::{Only, Options, callgrind::Part, report::Report};

/// What was asked for.
struct Request {
    options: Options,
    is_quick: bool,
    /// A repository of other people, instead of those that are written here.
    real: Option<PathBuf>,
    json: Option<PathBuf>,
}

/// Ends with 1 if a bound is missed, and with an error (which is 1 too, and says so) if a measurement could not be made.
/// On the small repository no bound means anything, so none is missed.
fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [repeat, part, times] = &words[..]
        && repeat == "--repeat"
    {
        Part::named(part).with_context(|| format!("no part `{part}`"))?.repeat(times.parse()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = request(words.into_iter())?;
    let program = Path::new(env!("CARGO_BIN_EXE_mangrove"));
    let report = match &request.real {
        Some(directory) => measure::real::run(program, directory, &request.options)?,
        None => measure::run(program, &request.options)?,
    };
    print!("{}", report.table());
    if let Some(path) = &request.json {
        write(path, &report)?;
    }
    let unmeasured = report.unmeasured();
    if !unmeasured.is_empty() {
        println!("not measured: {}", unmeasured.join("; "));
    }
    let missed = report.missed();
    if request.is_quick || missed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("missed: {}", missed.join("; "));
    Ok(ExitCode::FAILURE)
}

fn write(path: &Path, report: &Report) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::write(path, report.json()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("\nwritten to {}", path.display());
    Ok(())
}

fn request(mut arguments: impl Iterator<Item = String>) -> Result<Request> {
    let (mut is_quick, mut only, mut real, mut json) = (false, None, None, None);
    while let Some(argument) = arguments.next() {
        let mut path = || arguments.next().map(PathBuf::from).with_context(|| format!("{argument} wants a path"));
        match argument.as_str() {
            // Cargo adds it.
            "--bench" => {}
            "--quick" => is_quick = true,
            "--real" => real = Some(path()?),
            "--json" => json = Some(path()?),
            other => match Only::named(other) {
                Some(part) => only = Some(part),
                None => bail!(
                    "unknown argument `{other}`; known are --quick, --daemon, --data, --packages, --scans, --servers, --real DIR and --json FILE"
                ),
            },
        }
    }
    let options = if is_quick { Options::quick() } else { Options::full() };
    Ok(Request { options: Options { only, with_machine: true, ..options }, is_quick, real, json })
}
