//! Runs single flight in many orders of what happens at once (design/drills.md).

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

/// The crate that does it, which is a workspace of its own.
pub(crate) const MANIFEST: &str = "explore/single-flight/Cargo.toml";

/// How it is built, wherever cargo is told to build the rest.
pub(crate) const BUILD: &[&str] = &["--manifest-path", MANIFEST, "--target-dir", "target/explore", "--locked"];

/// How many schedules of each sort a rule is run in if nothing is said; the gate runs fewer.
const SCHEDULES: &str = "200000";

/// Explores with the arguments of this command. True if every rule held.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let environment = environment(std::env::args().skip(2))?;
    let status = Command::new("cargo")
        .args(["test", "--release"])
        .args(BUILD)
        .envs(environment)
        .current_dir(root)
        .status()
        .context("cannot run cargo")?;
    Ok(status.success())
}

/// What the tests are told.
fn environment(mut arguments: impl Iterator<Item = String>) -> Result<Vec<(&'static str, String)>> {
    let mut environment = vec![("MANGROVE_SCHEDULES", SCHEDULES.to_owned())];
    while let Some(argument) = arguments.next() {
        let name = match argument.as_str() {
            "--schedules" => "MANGROVE_SCHEDULES",
            "--seed" => "MANGROVE_SEED",
            _ => bail!("unknown argument `{argument}`"),
        };
        let value = arguments.next().with_context(|| format!("{argument} needs a number"))?;
        let _: u64 = value.parse().with_context(|| format!("{argument} {value}"))?;
        environment.retain(|(other, _)| *other != name);
        environment.push((name, value));
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &[&str]) -> Result<Vec<(&'static str, String)>> {
        environment(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn what_is_said_is_told() {
        assert_eq!(told(&[]).expect("nothing"), [("MANGROVE_SCHEDULES", SCHEDULES.to_owned())]);
        let both = told(&["--schedules", "7", "--seed", "9"]).expect("both");
        assert_eq!(both, [("MANGROVE_SCHEDULES", "7".to_owned()), ("MANGROVE_SEED", "9".to_owned())]);
        assert!(told(&["--seed"]).is_err());
        assert!(told(&["--seed", "-1"]).is_err());
        assert!(told(&["--minutes", "7"]).is_err());
    }
}
