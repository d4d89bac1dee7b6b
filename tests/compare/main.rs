//! `cargo xtask compare --real DIR`: what the program makes of repositories of other people, against a real Deno that
//! loads the same sources. `design/inspection.md` says what is compared.

#![expect(clippy::print_stdout, reason = "it talks to its terminal")]

mod real;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use real::{Options, Report};

/// Ends with 1 if anything differs.
fn main() -> Result<ExitCode> {
    let options = options(std::env::args().skip(1))?;
    let start = Instant::now();
    let report = real::run(&options, &|root, report| print!("{}", told(root, report)))?;
    let seconds = start.elapsed().as_secs();
    println!(
        "\n{} roots, {} sources, {} of them indexed; {} bundles link; {} descriptions compared; {} left out; {} \
         differences; {seconds} s",
        report.roots,
        report.rows,
        report.indexed,
        report.linked,
        report.described,
        report.left_out.len(),
        report.differences.len(),
    );
    Ok(if report.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The lines of one root.
fn told(root: &Path, report: &Report) -> String {
    let name = if root.as_os_str().is_empty() { ".".to_owned() } else { root.display().to_string() };
    let mut lines =
        format!("{name}: {} indexed, {} link, {} described\n", report.indexed, report.linked, report.described);
    lines.extend(report.left_out.iter().map(|left_out| format!("  not compared: {left_out}\n")));
    lines.extend(report.differences.iter().map(|difference| format!("  DIFFERS: {difference}\n")));
    lines
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let (mut directory, mut deno, mut only, mut only_link) = (None, None, None, false);
    let mut program = PathBuf::from(env!("CARGO_BIN_EXE_mangrove"));
    while let Some(argument) = arguments.next() {
        let mut value = |of: &str| arguments.next().with_context(|| format!("{of} wants a value"));
        match argument.as_str() {
            "--real" => directory = Some(std::path::absolute(value("--real")?)?),
            "--deno" => deno = Some(PathBuf::from(value("--deno")?)),
            "--program" => program = std::path::absolute(value("--program")?)?,
            "--only" => only = Some(value("--only")?),
            "--link-only" => only_link = true,
            other => bail!(
                "unknown argument `{other}`; known are --real DIR, --link-only, --only TEXT, --deno FILE and --program FILE"
            ),
        }
    }
    let directory = directory.context("--real DIR names the directory with the repositories")?;
    let deno = deno.or_else(known_deno).context("no Deno: --deno, MANGROVE_TEST_DENO or PATH names one")?;
    Ok(Options { program, deno: std::path::absolute(deno)?, directory, only_link, only })
}

fn known_deno() -> Option<PathBuf> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&directories).map(|directory| directory.join("deno"));
    std::env::var_os("MANGROVE_TEST_DENO").map(PathBuf::from).or_else(|| found.find(|path| path.is_file()))
}
