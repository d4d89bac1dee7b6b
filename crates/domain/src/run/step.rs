//! One step of a run.

use super::{LogLine, Provenance, ReportRecord, RunProblem, RunStatus};
use crate::{json::Json, time::Timestamp};

/// One step of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// Its name; of a repetition, the name of its own.
    pub name: String,
    /// What the workflow calls the step that it is a repetition of.
    pub template: Option<String>,
    /// What it runs: `definition.method`.
    pub task: String,
    /// How far it is.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What the method wrote, as data handles.
    pub data_handles: Vec<Json>,
    /// What the method logged, one entry a line: level and text.
    pub logs: Vec<LogLine>,
    /// Why it failed or is blocked.
    pub error: Option<RunProblem>,
    /// True if it failed and that does not fail its job.
    pub is_failure_allowed: bool,
    /// Why it was skipped.
    pub skipped: Option<SkipReason>,
    /// The text that its guard gave for a reason to skip it, secrets masked.
    pub guard_reason: Option<String>,
    /// What it found, if it asserts something.
    pub assertion: Option<AssertionRecord>,
    /// What it waits for, or waited for, if somebody has to approve it.
    pub approval: Option<ApprovalRecord>,
    /// What exactly ran.
    pub provenance: Option<Provenance>,
    /// The reports that were made of it.
    pub reports: Vec<ReportRecord>,
}

impl StepRecord {
    /// A step that has not begun.
    #[must_use]
    pub const fn pending(name: String, template: Option<String>, task: String) -> Self {
        Self {
            name,
            template,
            task,
            status: RunStatus::Pending,
            started_at: None,
            finished_at: None,
            data_handles: Vec::new(),
            logs: Vec::new(),
            error: None,
            is_failure_allowed: false,
            skipped: None,
            guard_reason: None,
            assertion: None,
            approval: None,
            provenance: None,
            reports: Vec::new(),
        }
    }

    /// The name of the step in its workflow.
    #[must_use]
    pub fn name_in_workflow(&self) -> &str {
        self.template.as_deref().unwrap_or(&self.name)
    }
}

/// Why a step was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// What it waits for did not become what it must.
    Condition,
    /// Its guard says that there is nothing to do.
    Guarded,
    /// The run ended before its turn came.
    NotBegun,
}

impl SkipReason {
    const ALL: [SkipReason; 3] = [SkipReason::Condition, SkipReason::Guarded, SkipReason::NotBegun];

    /// The spelling in JSON documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SkipReason::Condition => "condition",
            SkipReason::Guarded => "guarded",
            SkipReason::NotBegun => "not-begun",
        }
    }

    /// The reason of this spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        SkipReason::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// How bad it is if an assertion does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssertSeverity {
    /// Good to know.
    Low,
    /// To be looked at.
    Medium,
    /// Wrong.
    #[default]
    High,
}

impl AssertSeverity {
    /// Every severity with its spelling, the least one first.
    pub const WORDS: [(&'static str, Self); 3] = [("low", Self::Low), ("medium", Self::Medium), ("high", Self::High)];

    /// As a file writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AssertSeverity::Low => "low",
            AssertSeverity::Medium => "medium",
            AssertSeverity::High => "high",
        }
    }

    /// The severity of this spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        AssertSeverity::WORDS.into_iter().find(|(word, _)| *word == text).map(|(_, severity)| severity)
    }
}

/// What a step found that asserts something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionRecord {
    /// True if what it asserts holds.
    pub passed: bool,
    /// What it asserts.
    pub expression: String,
    /// What it says, secrets masked.
    pub message: String,
    /// How bad it is if it does not hold.
    pub severity: AssertSeverity,
    /// Why it has no answer.
    pub error: Option<String>,
}

/// What a step waits for that somebody has to approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// What is asked, secrets masked.
    pub prompt: String,
    /// How many seconds it can be decided.
    pub timeout: Option<u64>,
    /// What was decided.
    pub decision: Option<Decision>,
}

/// What somebody decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// True if the step may be passed.
    pub approved: bool,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub decided_by: String,
    /// When.
    pub decided_at: Timestamp,
}
