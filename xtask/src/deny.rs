//! The rules of `deny.toml` for outside crates: licences, banned crates, where crates come from.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

const INSTALL: &str = "cargo install --locked cargo-deny";

/// Runs `cargo deny`. Where it is not installed, says how to install it; continuous integration fails then.
pub(crate) fn run(root: &Path) -> Result<bool> {
    if !is_installed(root) {
        return Ok(missing(is_ci()));
    }
    let arguments = ["deny", "check", "bans", "licenses", "sources"];
    println!("    cargo {}", arguments.join(" "));
    let status = Command::new("cargo").args(arguments).current_dir(root).status().context("cannot run cargo")?;
    Ok(status.success())
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
