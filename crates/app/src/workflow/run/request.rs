//! What is run, and why a run does not begin.

use std::sync::Arc;

use mangrove_domain::{
    document::Node,
    json::Json,
    ports::RunStoreError,
    problem::{Code, Problem},
    report::ReportOptions,
    run::{AssertSeverity, RunRecord},
    workflow::Workflow,
};

use crate::method::checks::CheckOptions;

/// How much may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of one run where its workflow does not say, at least 1.
    pub jobs: usize,
    /// Steps of one job where its workflow does not say, at least 1.
    pub steps: usize,
    /// Steps of one job, whatever its workflow says; at least 1.
    pub most_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { jobs: 16, steps: 16, most_steps: usize::MAX }
    }
}

/// What whoever starts a run wants of it, beside its inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Which checks are left out.
    pub checks: CheckOptions,
    /// Which reports are made.
    pub reports: ReportOptions,
    /// Labels of the run, over those of its workflow.
    pub tags: Vec<(String, String)>,
    /// From which severity on an assertion that does not hold fails its job; `None` for every one.
    pub fail_on: Option<AssertSeverity>,
    /// The driver that runs its methods, `none` to run them here; `None` for what the configuration says.
    pub driver: Option<String>,
}

/// A workflow to run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRequest {
    /// Which workflow.
    pub workflow: Arc<Workflow>,
    /// Its inputs, an object.
    pub inputs: Json,
    /// The document that they were made of, if there is one.
    pub inputs_written: Option<Node>,
    /// Who or what starts it: `command-line`, `schedule`, ….
    pub trigger: String,
    /// The identifier that it will have; `None` for a new one.
    pub id: Option<String>,
    /// What else is wanted of it.
    pub options: RunOptions,
    /// Why the file of the workflow cannot be used now, if this is the workflow as it was before.
    pub file_problem: Option<Problem>,
}

impl RunRequest {
    /// A run of which nothing else is wanted.
    #[must_use]
    pub fn new(workflow: Arc<Workflow>, inputs: Json, trigger: String) -> Self {
        let options = RunOptions::default();
        Self { workflow, inputs, inputs_written: None, trigger, id: None, options, file_problem: None }
    }
}

/// A run that goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Resumption {
    /// Its workflow as it is now.
    pub workflow: Arc<Workflow>,
    /// Its record.
    pub record: RunRecord,
    /// The step from which on it is done again; `None` if it waited for an approval.
    pub from: Option<String>,
    /// Inputs over those that it had, an object.
    pub inputs: Json,
    /// The document that these were made of, if there is one.
    pub inputs_written: Option<Node>,
    /// What else is wanted of it.
    pub options: RunOptions,
}

/// What begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Beginning {
    /// A new run.
    New(Box<RunRequest>),
    /// One that goes on.
    Again(Box<Resumption>),
}

/// Why a run did not begin, or has no record.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The inputs break the workflow's schema, or a name is unknown. Nothing ran.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// The run history cannot be written.
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
}

/// A run whose record could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the run cannot be recorded")]
pub struct NotRecorded {
    /// What came back.
    #[source]
    pub source: RunStoreError,
    /// The run as it should have been recorded: how far it came.
    pub record: Box<RunRecord>,
}

impl StartError {
    /// The problem code that stands for it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            StartError::Problems(problems) => problems.first().map_or(Code::INVALID_INPUT, |problem| problem.code),
            StartError::NotRecorded(error) => error.source.fault.code,
        }
    }

    /// The error with its cause as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            StartError::Problems(_) => self.to_string(),
            StartError::NotRecorded(error) => format!("{error}: {}", error.source),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ")
}
