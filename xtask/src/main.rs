//! The gate: `cargo xtask ci` is what a change has to pass, here and in continuous integration.
//!
//! Uses none of our crates, so that it works while they do not compile.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer's tool talks to its terminal")]

mod bench;
mod ci;
mod compare;
mod deny;
mod explore;
mod layers;
mod metadata;
mod soak;
mod standalone;
mod tidy;
mod tree;

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, Result};

/// One subcommand: its name, what it does in one line, and its code.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&Path) -> Result<bool>,
}

/// Every subcommand. `run` answers whether all is well; an error means that the gate itself could not work.
const COMMANDS: &[Command] = &[
    Command {
        name: "ci",
        about: "format, lint, layers, tidy, documents, tests: all that a change must pass",
        run: ci::run,
    },
    Command {
        name: "layers",
        about: "who may depend on whom, what stands alone, and the list of ports",
        run: layers::run,
    },
    Command {
        name: "deny",
        about: "licences, bans and origins of outside crates, by `cargo deny` and deny.toml",
        run: deny::run,
    },
    Command {
        name: "bench",
        about: "measure the whole program: [--quick] [--debug] [--daemon|--data|--packages|--scans] [--real DIR] [--json FILE]; never part of `ci`",
        run: bench::run,
    },
    Command {
        name: "soak",
        about: "drills on the real program: [--quick] [--minutes N] [--seed N] [--only DRILL] [--program FILE]; 20 minutes if nothing is said",
        run: soak::run,
    },
    Command {
        name: "explore",
        about: "the rules of single flight in many orders of what happens at once: [--schedules N] [--seed N]",
        run: explore::run,
    },
    Command {
        name: "compare",
        about: "repositories of other people against a real Deno: --real DIR [--link-only] [--only TEXT] [--deno FILE]",
        run: compare::run,
    },
    Command { name: "tidy", about: "rules about files that no compiler checks", run: tidy::run },
];

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        return usage("no subcommand given");
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", overview());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return usage(&format!("unknown subcommand `{name}`"));
    };
    match repository_root().and_then(|root| (command.run)(&root)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn usage(message: &str) -> ExitCode {
    eprintln!("error: {message}\n\n{}", overview());
    ExitCode::from(2)
}

fn overview() -> String {
    let lines = COMMANDS.iter().map(|command| format!("  {:<8}{}\n", command.name, command.about));
    std::iter::once("usage: cargo xtask <subcommand>\n\n".to_owned()).chain(lines).collect()
}

/// The directory of the workspace: the parent of this crate.
fn repository_root() -> Result<std::path::PathBuf> {
    let manifest_directory = std::env::var("CARGO_MANIFEST_DIR")
        .map_or_else(|_| std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")), std::path::PathBuf::from);
    let root = manifest_directory.parent().context("the crate of the gate has no parent directory")?;
    Ok(root.to_path_buf())
}

/// Prints findings and says whether there were none.
fn report(check: &str, findings: &[String]) -> bool {
    for finding in findings {
        println!("{check}: {finding}");
    }
    if findings.is_empty() {
        println!("{check}: nothing found");
    } else {
        println!("{check}: {} found", findings.len());
    }
    findings.is_empty()
}
