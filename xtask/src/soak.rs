//! Runs the drills of `tests/soak`: what the program does when it is killed, crowded, starved and lied to.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

/// What cargo is told before the arguments of the drills. The whole workspace, so that nothing that the tests use is
/// compiled again with other features.
pub(crate) const ARGUMENTS: &[&str] = &["test", "--workspace", "--test", "soak", "--"];

/// Runs them with the arguments of this command. True if every drill held.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let arguments = ARGUMENTS.iter().map(|word| (*word).to_owned()).chain(std::env::args().skip(2));
    let status = Command::new("cargo").args(arguments).current_dir(root).status().context("cannot run cargo")?;
    Ok(status.success())
}
