//! A repository in which some entries are unhealthy, as in every real one.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use mangrove_testkit::{
    corpus::{self, Ailment},
    registry::FakeRegistry,
};

use super::{
    Options, STATUS, committed, median, milliseconds, process::Program, report::Line, repository_with_entries, summary,
};

/// The scan in which nothing has changed, with its attempts and without: a dry run does all but these.
pub(super) fn measure(program: &Path, options: &Options) -> Result<[Line; 2]> {
    let (directory, expected) = repository_with_entries(options)?;
    let ailments = corpus::sicken(directory.path(), &expected, options.unhealthy).context("cannot write entries")?;
    // It has no package at all, and answers so at once.
    let registry = FakeRegistry::start().context("no registry")?;
    let mangrove = Program::new(program, directory.path())
        .with_environment("MANGROVE_NPM_REGISTRY", &registry.url())
        .with_environment("MANGROVE_DENO", "/nonexistent/deno");
    let git = committed(directory.path())?;
    let whole: &[&str] = &["scan"];
    let without: &[&str] = &["scan", "--dry-run"];
    let turns: [(&Program, &[&str]); 3] = [(&git, STATUS), (&mangrove, whole), (&mangrove, without)];
    for _ in 0..3 {
        for (program, arguments) in turns {
            program.timed(arguments)?;
        }
    }
    let summary = summary(&mangrove.output(&["scan", "--json"])?)?;
    let failing =
        ailments.values().filter(|ailment| matches!(ailment, Ailment::Syntax | Ailment::Package | Ailment::Program));
    let failing = failing.count() as u64;
    ensure!(
        summary["built"].as_u64() == Some(failing) && summary["states"]["BundleBuildFailed"].as_u64() == Some(failing),
        "{failing} entries should fail, and be tried: {summary}"
    );
    let rejected = summary["states"]["ValidationFailed"].as_u64();
    ensure!(rejected == u64::try_from(options.unhealthy).ok(), "some entries should be rejected: {summary}");
    let mut times = turns.map(|_| Vec::with_capacity(options.runs));
    for _ in 0..options.runs {
        for ((program, arguments), times) in turns.iter().zip(&mut times) {
            times.push(program.timed(arguments)?);
        }
    }
    let [status, whole, without] = times.map(|mut times| milliseconds(median(&mut times)));
    let note = format!("{} unhealthy in each of {} ways", options.unhealthy, Ailment::ALL.len());
    let line = |what, figure, most| {
        Line::new(what, figure, "ms")
            .against("git status there", status)
            .at_most_times(most)
            .after(options.runs)
            .noting(&note)
    };
    Ok([
        line("warm scan, 0.3 % unhealthy", whole, 3.0),
        line("warm scan, 0.3 % unhealthy, beyond the attempts", without, 0.6),
    ])
}
