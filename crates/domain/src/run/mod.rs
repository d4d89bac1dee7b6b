//! Runs: what happened when a method or a workflow ran.

mod decide;
mod line;
mod report;
mod step;

use std::sync::Arc;

use crate::{advice::Advice, failure::Failure, json::Json, time::Timestamp};

pub use decide::NotDecided;
pub use line::{LogLine, without_styles};
pub use report::ReportRecord;
pub use step::{ApprovalRecord, AssertSeverity, AssertionRecord, Decision, SkipReason, StepRecord};

/// How far a run, job or step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RunStatus {
    /// Not started.
    Pending,
    /// Going on.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Not started, because a condition did not hold.
    Skipped,
    /// Stopped from outside.
    Cancelled,
    /// Not possible, because a type that it needs is not ready (fault 48).
    Blocked,
    /// Broken off, because its process ended: how far it came is known as far as it was on record (fault 39).
    Interrupted,
    /// Of a step: it waits until somebody approves or rejects it.
    WaitingApproval,
    /// Of a run or job: nothing of it goes on, and it can go on once what it waits for is decided.
    Suspended,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [RunStatus; 10] = [
        RunStatus::Pending,
        RunStatus::Running,
        RunStatus::Succeeded,
        RunStatus::Failed,
        RunStatus::Skipped,
        RunStatus::Cancelled,
        RunStatus::Blocked,
        RunStatus::Interrupted,
        RunStatus::WaitingApproval,
        RunStatus::Suspended,
    ];

    /// The spelling in JSON documents: `pending`, `running`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RunStatus::Pending => "pending",
            RunStatus::Running => "running",
            RunStatus::Succeeded => "succeeded",
            RunStatus::Failed => "failed",
            RunStatus::Skipped => "skipped",
            RunStatus::Cancelled => "cancelled",
            RunStatus::Blocked => "blocked",
            RunStatus::Interrupted => "interrupted",
            RunStatus::WaitingApproval => "waiting_approval",
            RunStatus::Suspended => "suspended",
        }
    }

    /// True if it goes on, or has not begun: a process takes care of it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, RunStatus::Pending | RunStatus::Running)
    }

    /// True if nothing can become of it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, RunStatus::Pending | RunStatus::Running | RunStatus::WaitingApproval | RunStatus::Suspended)
    }

    /// The status of this spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        RunStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// One run with everything that is kept of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// Unique; later ones sort after earlier ones.
    pub id: String,
    /// The workflow's name, or `definition.method` for a single method.
    pub name: String,
    /// The identifier of the workflow; `None` for a single method.
    pub workflow_id: Option<String>,
    /// The labels of the workflow and those that whoever started it gave.
    pub tags: Vec<(String, String)>,
    /// Who or what started it: `command-line`, `schedule`, ….
    pub trigger: String,
    /// How far it is.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; of an interrupted one, the last sign of life of its process.
    pub finished_at: Option<Timestamp>,
    /// When this was written, if it goes on: its process lived then.
    pub written_at: Option<Timestamp>,
    /// The inputs, secrets masked.
    pub inputs: Json,
    /// The jobs in the order of the workflow.
    pub jobs: Vec<JobRecord>,
    /// Why it failed or is blocked.
    pub error: Option<RunProblem>,
    /// Why the file of its workflow could not be used when it began: then it is a run of the workflow as it was read last
    /// while its file was in order.
    pub file_problem: Option<RunProblem>,
    /// The reports that were made of it as a whole.
    pub reports: Vec<ReportRecord>,
}

/// What lists of runs show of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunHeader {
    /// As [`RunRecord::id`].
    pub id: String,
    /// As [`RunRecord::name`].
    pub name: String,
    /// As [`RunRecord::trigger`].
    pub trigger: String,
    /// As [`RunRecord::status`].
    pub status: RunStatus,
    /// As [`RunRecord::started_at`].
    pub started_at: Timestamp,
    /// As [`RunRecord::finished_at`].
    pub finished_at: Option<Timestamp>,
}

impl RunHeader {
    /// True if the run goes on.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.status.is_open()
    }
}

impl From<&RunRecord> for RunHeader {
    fn from(record: &RunRecord) -> Self {
        Self {
            id: record.id.clone(),
            name: record.name.clone(),
            trigger: record.trigger.clone(),
            status: record.status,
            started_at: record.started_at,
            finished_at: record.finished_at,
        }
    }
}

impl RunRecord {
    /// True if the record says that the run goes on.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.status.is_open()
    }

    /// The identifier of the run whose step started this one, if a step did: it ends with that run.
    #[must_use]
    pub fn part_of(&self) -> Option<&str> {
        self.trigger.strip_prefix("run ")
    }

    /// The record of a run that was broken off at this time, for this reason: it, and what was going on, ended with this
    /// status; what had not begun is skipped.
    #[must_use]
    pub fn broken_off(mut self, at: Timestamp, status: RunStatus, reason: &RunProblem) -> Self {
        for job in &mut self.jobs {
            for step in job.steps.iter_mut().filter(|step| step.status.is_open()) {
                let step = Arc::make_mut(step);
                let was_running = step.status == RunStatus::Running;
                if step.status == RunStatus::Pending {
                    step.skipped = Some(SkipReason::NotBegun);
                }
                break_off(&mut step.status, &mut step.finished_at, at, status);
                if was_running {
                    step.error = Some(reason.clone());
                }
            }
            break_off(&mut job.status, &mut job.finished_at, at, status);
        }
        self.status = status;
        self.finished_at = Some(at);
        self.written_at = None;
        self.error = Some(reason.clone());
        self
    }
}

fn break_off(status: &mut RunStatus, finished_at: &mut Option<Timestamp>, at: Timestamp, ended: RunStatus) {
    match status {
        RunStatus::Running => {
            *status = ended;
            *finished_at = Some(at);
        }
        RunStatus::Pending => *status = RunStatus::Skipped,
        // Whoever decides it can still do so.
        RunStatus::WaitingApproval
        | RunStatus::Suspended
        | RunStatus::Succeeded
        | RunStatus::Failed
        | RunStatus::Skipped
        | RunStatus::Cancelled
        | RunStatus::Blocked
        | RunStatus::Interrupted => {}
    }
}

impl RunRecord {
    /// Takes out what its steps and reports logged; true if there was anything.
    pub fn forget_lines(&mut self) -> bool {
        let mut had_lines = false;
        for report in &mut self.reports {
            had_lines |= !std::mem::take(&mut report.logs).is_empty();
        }
        let steps = self.jobs.iter_mut().flat_map(|job| &mut job.steps);
        for step in steps.filter(|step| !step.logs.is_empty()) {
            Arc::make_mut(step).logs.clear();
            had_lines = true;
        }
        had_lines
    }
}

/// What an identifier, or the beginning of one, leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum RunLookup {
    /// No run.
    Unknown,
    /// This one.
    Found(Box<RunRecord>),
    /// More than one, and it is the whole identifier of none of them.
    Ambiguous,
}

impl RunLookup {
    /// The record, if there is exactly one.
    #[must_use]
    pub fn found(self) -> Option<RunRecord> {
        match self {
            RunLookup::Found(record) => Some(*record),
            RunLookup::Unknown | RunLookup::Ambiguous => None,
        }
    }
}

/// One job of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The steps in the order of the job. The records of one run, of which each is written as a whole, share those that are as
    /// before.
    pub steps: Vec<Arc<StepRecord>>,
}

/// Why something did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub struct RunProblem {
    /// Names the page that explains it.
    pub code: crate::problem::Code,
    /// What happened, for people.
    pub message: String,
    /// The type whose failure blocks the run.
    pub blocked_by: Option<String>,
    /// That type's failure.
    pub failure: Option<Failure>,
    /// What to do about it; `None` if nothing is known beyond what helps against everything of its code.
    pub advice: Option<Advice>,
}

impl RunProblem {
    /// Why something did not succeed, which no type blocks.
    #[must_use]
    pub const fn new(code: crate::problem::Code, message: String) -> Self {
        Self { code, message, blocked_by: None, failure: None, advice: None }
    }

    /// The same, and what to do about it.
    #[must_use]
    pub fn advise_if(self, advice: Option<Advice>) -> Self {
        Self { advice, ..self }
    }
}

/// What exactly ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The digest of the definition file's bytes.
    pub definition_digest: Option<String>,
    /// The type.
    pub type_name: String,
    /// The version that the export declares.
    pub type_version: Option<String>,
    /// The digest of the bundle that ran.
    pub bundle_digest: String,
    /// The digest over the inputs that the bundle was made from.
    pub fingerprint: String,
    /// The extension's name and version, `name@version`.
    pub extension: String,
    /// The source, as people name it.
    pub source: String,
    /// True if a lower row stood in for a failed one.
    pub shadow_fallback: bool,
    /// The driver that ran it; `None` if it ran here.
    pub driver: Option<String>,
}
