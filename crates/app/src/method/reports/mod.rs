//! Reports after a call of a method and after a run of a workflow: which are made, by whom, and where they are kept
//! (`design/reports.md`).

mod context;
mod host;
mod maker;
mod method;
mod storing;
mod summaries;
mod summed_up;
mod workflow;

use mangrove_domain::{json::Json, problem::Code, report::ReportOptions, run::RunProblem};

pub use summaries::{built_in, built_in_names};
pub(crate) use summed_up::summed_up_arguments;
pub(crate) use workflow::{WorkflowEnded, after_workflow};

pub(super) use context::sensitive;
pub(super) use method::{MethodEnded, after_method};

use super::problem;

/// What is wanted of the reports after a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReportsWanted<'a> {
    /// Which reports.
    pub(crate) options: &'a ReportOptions,
    /// What tells the reports of this repetition of a step apart.
    pub(crate) suffix: Option<&'a str>,
}

/// The arguments of a call as reports are told of them: what reads `env` or a vault stands as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShownArguments {
    /// Those of the definition.
    pub(crate) global: Json,
    /// Those of the method.
    pub(crate) method: Json,
}

impl Default for ShownArguments {
    fn default() -> Self {
        Self { global: Json::Object(Vec::new()), method: Json::Object(Vec::new()) }
    }
}

/// A call of a method, as reports about its workflow are told of it. Secrets are masked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Called {
    pub(crate) model_name: String,
    pub(crate) model_type: String,
    pub(crate) model_id: String,
    pub(crate) method: String,
    pub(crate) arguments: ShownArguments,
    /// What it wrote, as methods have handles.
    pub(crate) data_handles: Vec<Json>,
    /// Which arguments its schemas call sensitive.
    pub(crate) sensitive: Sensitive,
}

/// A step that calls a method, or would have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepExecution {
    pub(crate) job: String,
    pub(crate) step: String,
    /// `succeeded`, `failed` or `skipped`.
    pub(crate) status: &'static str,
    /// Why it failed, masked.
    pub(crate) error: Option<String>,
    pub(crate) called: Called,
}

/// Members of arguments that schemas call sensitive, by the paths to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sensitive {
    pub(crate) global: Vec<Vec<String>>,
    pub(crate) method: Vec<Vec<String>>,
}

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    markdown: String,
    json: Json,
}

/// Why a report was not made.
fn not_made(name: &str, reason: &str) -> RunProblem {
    problem(Code::REPORT_FAILED, format!("the report `{name}` could not be made: {reason}"))
}
