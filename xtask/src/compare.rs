//! Compares what the program makes of repositories of other people with what a real Deno makes of them (`tests/compare`).

use std::{ffi::OsString, path::Path, process::Command};

use anyhow::{Context as _, Result};

/// What cargo is told before the arguments of the comparison. The whole workspace, so that nothing that the tests use is
/// compiled again with other features.
const ARGUMENTS: &[&str] = &["test", "--workspace", "--test", "compare", "--"];

/// What is followed by a path.
const WITH_PATH: [&str; 3] = ["--real", "--deno", "--program"];

/// Runs it with the arguments of this command. True if nothing differs.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let mut command = Command::new("cargo");
    command.args(ARGUMENTS).args(absolute(std::env::args().skip(2))?).current_dir(root);
    Ok(command.status().context("cannot run cargo")?.success())
}

/// The arguments with paths that do not depend on the directory: cargo runs a test in that of its package.
fn absolute(arguments: impl Iterator<Item = String>) -> Result<Vec<OsString>> {
    let mut is_path = false;
    let argument = |argument: String| {
        let is_this = std::mem::replace(&mut is_path, WITH_PATH.contains(&argument.as_str()));
        let argument = OsString::from(argument);
        if is_this { Ok(std::path::absolute(argument).context("no such path")?.into_os_string()) } else { Ok(argument) }
    };
    arguments.map(argument).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_whoever_asks() {
        let line = ["--real", "a", "--only", "b"].into_iter().map(str::to_owned);
        let line = absolute(line).expect("paths");
        let here = std::env::current_dir().expect("a directory");
        assert_eq!(line[1], here.join("a"));
        assert_eq!(line[3], "b");
    }
}
