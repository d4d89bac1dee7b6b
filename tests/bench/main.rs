//! `cargo xtask bench`: what the program costs as a user meets it, the whole process, beside what it is compared with.
//! `design/performance.md` says what each line means.

#![expect(clippy::print_stdout, reason = "a benchmark talks to its terminal")]

mod measure;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use measure::Options;

/// Ends with an error if a measurement could not be made, never because of a figure.
fn main() -> Result<()> {
    let (options, json) = arguments(std::env::args().skip(1))?;
    let report = measure::run(Path::new(env!("CARGO_BIN_EXE_mangrove")), &options)?;
    print!("{}", report.table());
    if let Some(path) = json {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        fs::write(&path, report.json()).with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}

fn arguments(mut arguments: impl Iterator<Item = String>) -> Result<(Options, Option<PathBuf>)> {
    let mut options = Options::full();
    let mut json = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo adds it.
            "--bench" => {}
            "--quick" => options = Options::quick(),
            "--json" => json = Some(PathBuf::from(arguments.next().context("--json wants a file")?)),
            other => bail!("unknown argument `{other}`; known are --quick and --json FILE"),
        }
    }
    Ok((options, json))
}
