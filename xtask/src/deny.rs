//! The rules of `deny.toml` for outside crates: licences, banned crates, where crates come from.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::explore;

const INSTALL: &str = "cargo install --locked cargo-deny";

/// Runs `cargo deny`. Where it is not installed, says how to install it; continuous integration fails then.
pub(crate) fn run(root: &Path) -> Result<bool> {
    if !is_installed(root) {
        return Ok(missing(is_ci()));
    }
    // The rules are those of the workspace; that the crate beside it needs few of them is no warning.
    for (manifest, level) in [("Cargo.toml", "warn"), (explore::MANIFEST, "error")] {
        let arguments = ["deny", "--manifest-path", manifest, "--config", "deny.toml", "--log-level", level];
        let arguments = [&arguments[..], &["check", "bans", "licenses", "sources"]].concat();
        println!("    cargo {}", arguments.join(" "));
        let status = Command::new("cargo").args(arguments).current_dir(root).status().context("cannot run cargo")?;
        if !status.success() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// True where continuous integration runs the gate.
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

fn is_installed(root: &Path) -> bool {
    let version = Command::new("cargo").args(["deny", "--version"]).current_dir(root).output();
    version.is_ok_and(|output| output.status.success())
}

/// Whether the gate may go on without `cargo deny`.
fn missing(is_ci: bool) -> bool {
    if is_ci {
        println!("deny: cargo-deny is not installed; install it with `{INSTALL}`");
    } else {
        println!("deny: skipped, since cargo-deny is not installed; `{INSTALL}` installs it");
    }
    !is_ci
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuous_integration_cannot_go_on_without_it() {
        assert!(!missing(true));
        assert!(missing(false));
    }
}
