//! `mangrove workflow …`

use clap::{Args, Subcommand};

use super::{Inputs, Wanted};

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
