//! `mangrove workflow …`

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use mangrove_domain::time::parse_duration;

use super::{Checks, Inputs, Reports};

#[derive(Debug, Subcommand)]
pub(crate) enum Workflow {
    /// List the workflows
    List,
    /// Check workflows and definitions without running anything
    Validate {
        /// Only this workflow
        name: Option<String>,
    },
    /// Run a workflow
    Run {
        /// The workflow, by name or identifier
        name: String,
        #[command(flatten)]
        inputs: Inputs,
        /// Run once for each mapping of inputs on standard input, until one fails
        #[arg(long, conflicts_with = "input_file")]
        stdin: bool,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// List the steps that somebody has to approve
    Approvals,
    /// Approve a step that waits
    Approve(Decision),
    /// Reject a step that waits, which ends its run
    Reject(Decision),
    /// Let a run go on: one whose steps were approved, or one that did not end well
    Resume {
        /// The workflow, by name or identifier
        name: String,
        /// The run, or the beginning of its identifier; needed if several can go on
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// Do this step and everything that depends on it again
        #[arg(long, value_name = "STEP")]
        from: Option<String>,
        #[command(flatten)]
        inputs: Inputs,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Show a workflow as its file has it
    Get {
        /// The workflow, by name or identifier
        name: String,
    },
    /// Show a workflow with the values that its expressions have before a run; nothing runs
    Evaluate {
        /// The workflow, by name or identifier
        name: String,
        #[command(flatten)]
        inputs: Inputs,
    },
    /// Show past runs of workflows
    #[command(subcommand)]
    History(History),
    /// List the workflows whose name, identifier or description contains a text
    Search {
        /// The text; all workflows if not given
        query: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum History {
    /// Show the latest run of a workflow, or one run
    Get {
        /// The workflow by its name, or the identifier of a run
        name: String,
    },
    /// List the runs whose name or identifier contains a text, newest first
    Search {
        /// The text; all runs if not given
        query: Option<String>,
    },
    /// Show what the latest run of a workflow, or one run, has logged
    Logs {
        /// The workflow by its name, or the identifier of a run
        name: String,
        /// Only the last lines
        #[arg(long, value_name = "N")]
        tail: Option<usize>,
    },
}

/// What somebody decided.
#[derive(Debug, Args)]
pub(crate) struct Decision {
    /// The workflow, by name or identifier
    pub(crate) name: String,
    /// The step, as the run calls it
    pub(crate) step: String,
    /// The run, or the beginning of its identifier; needed if several runs wait
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// What is wanted of a run, beside its inputs.
#[derive(Debug, Default, Args)]
pub(crate) struct Wanted {
    /// A label of the run; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) tags: Vec<(String, String)>,
    /// End the run as cancelled after this time: seconds, or a duration such as 30s, 5m or 1h
    #[arg(long, value_name = "DURATION", value_parser = time_limit)]
    pub(crate) timeout: Option<Duration>,
    /// Let the run fail only for assertions that are at least this severe
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<Severity>,
    /// Report the assertions as `JUnit` XML, on standard output unless `--out` names a file
    #[arg(long)]
    pub(crate) junit: bool,
    /// Where to write that report
    #[arg(long, value_name = "FILE", requires = "junit")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) checks: Checks,
    #[command(flatten)]
    pub(crate) reports: Reports,
}

/// How bad it is if an assertion does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Severity {
    /// Good to know
    Low,
    /// To be looked at
    Medium,
    /// Wrong
    High,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn time_limit(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
    seconds
        .or_else(|| parse_duration(text))
        .ok_or_else(|| "expected seconds, or a duration such as 90s, 5m or 1h".to_owned())
}
