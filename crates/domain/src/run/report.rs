//! What became of a report.

use super::{LogLine, RunProblem};
use crate::{json::Json, report::ReportScope};

/// A report that was to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRecord {
    /// Its name, such as `@acme/cost`.
    pub name: String,
    /// What it is about; of one that nobody has, what it would be about where it is named.
    pub scope: ReportScope,
    /// What was stored of it, as data handles: its text, then its JSON. None if it has nothing to say.
    pub data_handles: Vec<Json>,
    /// Why there is none.
    pub error: Option<RunProblem>,
    /// What it logged, if it is about a workflow; else the log of its step has that.
    pub logs: Vec<LogLine>,
}

impl ReportRecord {
    /// One that could not be made.
    #[must_use]
    pub const fn failed(name: String, scope: ReportScope, error: RunProblem) -> Self {
        Self { name, scope, data_handles: Vec::new(), error: Some(error), logs: Vec::new() }
    }

    /// True if it was made, even if it had nothing to say.
    #[must_use]
    pub const fn has_succeeded(&self) -> bool {
        self.error.is_none()
    }
}
