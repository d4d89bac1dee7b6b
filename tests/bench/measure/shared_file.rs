//! One file edited that several entry points import.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use mangrove_testkit::corpus;

use super::{Options, STATUS, median, milliseconds, process::Program, report::Line};

/// The scan after the edit of a shared file, and a dry run before it: that does everything but build what depends on the
/// file. Leaves the repository as it was.
pub(super) fn measure(mangrove: &Program, directory: &Path, git: &Program, options: &Options) -> Result<[Line; 2]> {
    let path = directory.join(corpus::library_path("s000"));
    let before = fs::read_to_string(&path).context("cannot read a shared file")?;
    let dependents = options.entries.div_ceil(options.services);
    let (mut statuses, mut plans, mut scans) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.runs {
        // What the round before left is settled, as it is when somebody comes and edits.
        mangrove.timed(&["scan"])?;
        git.timed(STATUS)?;
        let after = before.replace("revision = \"1\"", &format!("revision = \"edited {round}\""));
        ensure!(after != before, "the shared file should name its revision");
        fs::write(&path, after).context("cannot write a shared file")?;
        statuses.push(git.timed(STATUS)?);
        plans.push(mangrove.timed(&["scan", "--dry-run"])?);
        // As a person runs it: one that tells of every row, as for `--json`, plans all of them.
        let (scan, said) = mangrove.timed_saying(&["scan"])?;
        scans.push(scan);
        ensure!(
            said.contains(&format!("({dependents} built)")),
            "{dependents} entries should be built after the edit of {}: {said}",
            path.display()
        );
    }
    fs::write(&path, before).context("cannot write a shared file")?;
    for _ in 0..2 {
        mangrove.timed(&["scan"])?;
    }
    let [status, plan, scan] = [statuses, plans, scans].map(|mut times| milliseconds(median(&mut times)));
    let line = |what, figure| {
        let line = Line::new(what, figure, "ms").against("git status then", status).after(options.runs);
        line.noting(&format!("{dependents} dependents"))
    };
    Ok([
        line("one shared file edited", scan),
        line("one shared file edited, beyond the builds", plan).at_most_times(0.6),
    ])
}
