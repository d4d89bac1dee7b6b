//! All steps that a change has to pass, one after the other; the first failure ends it.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{deny, explore, layers, soak, standalone, tidy};

/// How a step is done.
enum Work {
    /// A program with its arguments and further environment variables.
    Program { arguments: Vec<&'static str>, environment: Vec<(&'static str, &'static str)> },
    /// A check of this crate.
    Check(fn(&Path) -> Result<bool>),
}

struct Step {
    name: &'static str,
    work: Work,
}

/// Programs that no run of all tests runs, and that `--all-targets` therefore leaves out.
const BY_HAND: [&str; 4] = ["--test", "soak", "--test", "compare"];

fn cargo(name: &'static str, arguments: &[&'static str]) -> Step {
    Step { name, work: Work::Program { arguments: arguments.to_vec(), environment: Vec::new() } }
}

fn steps(has_nextest: bool, is_ci: bool) -> Vec<Step> {
    let mut steps = vec![
        cargo("format", &["fmt", "--all", "--check"]),
        cargo("format of what is explored", &["fmt", "--manifest-path", explore::MANIFEST, "--check"]),
        Step { name: "layers", work: Work::Check(layers::run) },
        Step { name: "tidy", work: Work::Check(tidy::run) },
        Step { name: "deny", work: Work::Check(deny::run) },
        cargo("lint", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        cargo("lint of drills", &[&["clippy", "--workspace"], &BY_HAND[..], &["--", "-D", "warnings"]].concat()),
        Step {
            name: "documents",
            work: Work::Program {
                arguments: vec!["doc", "--workspace", "--no-deps", "--document-private-items"],
                environment: vec![("RUSTDOCFLAGS", "-D warnings")],
            },
        },
    ];
    let tests = if has_nextest {
        let profile = if is_ci { "ci" } else { "default" };
        vec!["nextest", "run", "--workspace", "--profile", profile]
    } else {
        vec!["test", "--workspace", "--lib", "--bins", "--tests", "--examples"]
    };
    // The same random cases for every change; who runs the tests by hand gets others each time.
    let environment = vec![("PROPTEST_RNG_SEED", "20261130")];
    steps.push(Step { name: "tests", work: Work::Program { arguments: tests, environment } });
    steps.push(cargo("drills", &[soak::ARGUMENTS, &["--quick"]].concat()));
    steps.push(cargo("doc tests", &["test", "--workspace", "--doc"]));
    let lint = ["clippy", "--all-targets"];
    steps.push(cargo("lint of what is explored", &[&lint[..], explore::BUILD, &["--", "-D", "warnings"]].concat()));
    steps.push(cargo("explore", &[&["test"], explore::BUILD].concat()));
    // A service that wants the catalog alone must not need the bundler. Last, since it builds other features.
    steps.extend(standalone::PARTS.iter().filter_map(|part| {
        let mut arguments = vec!["clippy"];
        arguments.extend(part.arguments());
        arguments.extend(["--", "-D", "warnings"]);
        Some(cargo(part.feature?, &arguments))
    }));
    steps
}

/// Runs every step.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let steps = steps(has_nextest(root), deny::is_ci());
    let mut durations: Vec<(&str, Duration)> = Vec::new();
    let mut failed = None;
    for step in &steps {
        println!("\n==> {}", step.name);
        let start = Instant::now();
        let passed = step.work.run(root).with_context(|| format!("step `{}`", step.name))?;
        let duration = start.elapsed();
        durations.push((step.name, duration));
        println!("<== {} {} in {}", step.name, if passed { "passed" } else { "FAILED" }, seconds(duration));
        if !passed {
            failed = Some(step.name);
            break;
        }
    }
    println!();
    for (name, duration) in &durations {
        let outcome = if failed == Some(*name) { "FAILED" } else { "passed" };
        println!("{outcome}  {:>9}  {name}", seconds(*duration));
    }
    for step in steps.iter().skip(durations.len()) {
        println!("not run             {}", step.name);
    }
    Ok(failed.is_none())
}

impl Work {
    fn run(&self, root: &Path) -> Result<bool> {
        match self {
            Work::Check(check) => check(root),
            Work::Program { arguments, environment } => {
                println!("    cargo {}", arguments.join(" "));
                let status = Command::new("cargo")
                    .args(arguments)
                    .envs(environment.iter().copied())
                    .current_dir(root)
                    .status()
                    .context("cannot run cargo")?;
                Ok(status.success())
            }
        }
    }
}

fn has_nextest(root: &Path) -> bool {
    Command::new("cargo")
        .args(["nextest", "--version"])
        .current_dir(root)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(steps: &[Step]) -> Vec<String> {
        let mut programs = Vec::new();
        for step in steps {
            if let Work::Program { arguments, .. } = &step.work {
                programs.push(arguments.join(" "));
            }
        }
        programs
    }

    #[test]
    fn a_failing_program_fails_its_step() {
        let work = Work::Program { arguments: vec!["no-such-subcommand"], environment: Vec::new() };
        assert!(!work.run(Path::new(".")).expect("cargo itself runs"));
    }

    #[test]
    fn lints_are_errors_and_every_test_is_run() {
        let with = programs(&steps(true, true));
        assert!(with.iter().any(|line| line.starts_with("clippy") && line.ends_with("-D warnings")));
        assert!(with.contains(&"nextest run --workspace --profile ci".to_owned()));
        assert!(with.contains(&"test --workspace --doc".to_owned()), "nextest runs no doc tests");
        let sqlite = "clippy --package mangrove-infra --no-default-features --features sqlite -- -D warnings";
        assert!(with.contains(&sqlite.to_owned()), "each feature is checked alone");
        let explore = "test --manifest-path explore/single-flight/Cargo.toml --target-dir target/explore --locked";
        assert!(with.contains(&explore.to_owned()), "it is no part of the workspace");
        let without = programs(&steps(false, false));
        assert!(without.iter().any(|line| line.starts_with("test --workspace --lib")));
    }
}
