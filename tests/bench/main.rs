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

use measure::Options;

/// Ends with 1 if a bound is missed, and with an error (which is 1 too, and says so) if a measurement could not be made.
/// On the small repository no bound means anything, so none is missed.
fn main() -> Result<ExitCode> {
    let (options, is_quick, json) = arguments(std::env::args().skip(1))?;
    let report = measure::run(Path::new(env!("CARGO_BIN_EXE_mangrove")), &options)?;
    print!("{}", report.table());
    if let Some(path) = json {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        fs::write(&path, report.json()).with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nwritten to {}", path.display());
    }
    let missed = report.missed();
    if is_quick || missed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("missed: {}", missed.join("; "));
    Ok(ExitCode::FAILURE)
}

fn arguments(mut arguments: impl Iterator<Item = String>) -> Result<(Options, bool, Option<PathBuf>)> {
    let mut options = Options::full();
    let mut is_quick = false;
    let mut json = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo adds it.
            "--bench" => {}
            "--quick" => {
                let Options { daemon_only, data_only, .. } = options;
                (options, is_quick) = (Options { daemon_only, data_only, ..Options::quick() }, true);
            }
            "--daemon" => options.daemon_only = true,
            "--data" => options.data_only = true,
            "--json" => json = Some(PathBuf::from(arguments.next().context("--json wants a file")?)),
            other => bail!("unknown argument `{other}`; known are --quick, --daemon, --data and --json FILE"),
        }
    }
    Ok((options, is_quick, json))
}
