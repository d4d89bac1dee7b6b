//! Runs.

use std::collections::BTreeMap;

use mangrove_domain::run::{
    ApprovalRecord, AssertionRecord, Decision, JobRecord, LogLine, Provenance, ReportRecord, RunHeader, RunProblem,
    RunRecord, RunStatus, StepRecord,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    advice,
    failure::FailureDocument,
    json,
    moment::{Moment, elapsed},
};

/// `run list --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunListDocument {
    /// `mangrove.run-list/1`.
    pub schema: String,
    /// The runs, newest first.
    pub runs: Vec<ListedRunDocument>,
    /// The cursor of the next page; left out if this is the last one, or if nobody asked for pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// True if other machines share the history and could not be asked: these are the runs of one machine. Left out otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

impl RunListDocument {
    /// The same, of all machines that share the history or only of this one.
    #[must_use]
    pub fn seeing_all(self, sees_all: bool) -> Self {
        Self { is_partial: !sees_all, ..self }
    }

    /// The same as a page, with the cursor of the next one.
    #[must_use]
    pub fn page(self, next: Option<String>) -> Self {
        Self { next, ..self }
    }
}

impl From<&[RunHeader]> for RunListDocument {
    fn from(runs: &[RunHeader]) -> Self {
        Self {
            schema: "mangrove.run-list/1".to_owned(),
            runs: runs.iter().map(ListedRunDocument::from).collect(),
            next: None,
            is_partial: false,
        }
    }
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedRunDocument {
    /// Unique; later ones sort after earlier ones.
    pub run_id: String,
    /// The workflow's name, or `definition.method` for a single method.
    pub name: String,
    /// `running`, `succeeded`, `failed`, `cancelled`, `blocked`, `interrupted`, …
    pub status: String,
    /// Who or what started it: `command-line`, `schedule`, `http`, ….
    pub trigger: String,
    /// When it began.
    pub started_at: Moment,
    /// When it ended; `null` if it goes on. Of an interrupted one, the last sign of life of its process.
    pub finished_at: Option<Moment>,
    /// How long it took, in milliseconds; `null` if it goes on.
    pub duration_ms: Option<u64>,
}

impl From<&RunHeader> for ListedRunDocument {
    fn from(run: &RunHeader) -> Self {
        Self {
            run_id: run.id.clone(),
            name: run.name.clone(),
            status: run.status.as_str().to_owned(),
            trigger: run.trigger.clone(),
            started_at: run.started_at.into(),
            finished_at: run.finished_at.map(Moment),
            duration_ms: elapsed(Some(run.started_at), run.finished_at),
        }
    }
}

/// `run show --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDocument {
    /// `mangrove.run/1`.
    pub schema: String,
    /// Unique; later ones sort after earlier ones.
    pub run_id: String,
    /// The workflow's name, or `definition.method` for a single method.
    pub name: String,
    /// The identifier of the workflow; `null` for a single method.
    #[serde(default)]
    pub workflow_id: Option<String>,
    /// Its labels: those of the workflow, and those that whoever started it gave.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Who or what started it: `command-line`, `schedule`, `http`, ….
    pub trigger: String,
    /// `running`, `succeeded`, `failed`, `cancelled`, `blocked`, `interrupted`, `suspended`, …
    pub status: String,
    /// When it began.
    pub started_at: Moment,
    /// When it ended; `null` if it goes on. Of an interrupted one, the last sign of life of its process.
    pub finished_at: Option<Moment>,
    /// How long it took, in milliseconds; `null` if it goes on.
    pub duration_ms: Option<u64>,
    /// Its inputs, secrets masked.
    pub inputs: Value,
    /// The jobs in the order of the workflow.
    pub jobs: Vec<JobDocument>,
    /// Why it failed or is blocked.
    pub error: Option<RunProblemDocument>,
    /// Why the file of its workflow could not be used when it began: then it is a run of the workflow as it was last in
    /// order. `null` if it is a run of what the file said.
    #[serde(default)]
    pub file_problem: Option<RunProblemDocument>,
    /// The reports that were made of it as a whole; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ReportDocument>,
}

impl RunDocument {
    /// How far it is; `None` if a newer version has another word for it.
    #[must_use]
    pub fn status(&self) -> Option<RunStatus> {
        RunStatus::parse(&self.status)
    }
}

impl From<&RunRecord> for RunDocument {
    fn from(record: &RunRecord) -> Self {
        Self {
            schema: "mangrove.run/1".to_owned(),
            run_id: record.id.clone(),
            name: record.name.clone(),
            workflow_id: record.workflow_id.clone(),
            tags: record.tags.iter().cloned().collect(),
            trigger: record.trigger.clone(),
            status: record.status.as_str().to_owned(),
            started_at: record.started_at.into(),
            finished_at: record.finished_at.map(Moment),
            duration_ms: elapsed(Some(record.started_at), record.finished_at),
            inputs: json::to_value(&record.inputs),
            jobs: record.jobs.iter().map(JobDocument::from).collect(),
            error: record.error.as_ref().map(RunProblemDocument::from),
            file_problem: record.file_problem.as_ref().map(RunProblemDocument::from),
            reports: record.reports.iter().map(ReportDocument::from).collect(),
        }
    }
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDocument {
    /// Its name.
    pub name: String,
    /// `pending`, `running`, `succeeded`, `failed`, `skipped`, …
    pub status: String,
    /// When it began; `null` if it did not.
    pub started_at: Option<Moment>,
    /// When it ended; `null` if it did not.
    pub finished_at: Option<Moment>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The steps in the order of the job.
    pub steps: Vec<StepDocument>,
}

impl From<&JobRecord> for JobDocument {
    fn from(job: &JobRecord) -> Self {
        Self {
            name: job.name.clone(),
            status: job.status.as_str().to_owned(),
            started_at: job.started_at.map(Moment),
            finished_at: job.finished_at.map(Moment),
            duration_ms: elapsed(job.started_at, job.finished_at),
            steps: job.steps.iter().map(|step| StepDocument::from(step.as_ref())).collect(),
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepDocument {
    /// Its name; of a repetition, the name of its own.
    pub name: String,
    /// What the workflow calls the step that it is a repetition of; left out if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What it runs: `definition.method`.
    pub task: String,
    /// `pending`, `running`, `succeeded`, `failed`, `skipped`, …
    pub status: String,
    /// When it began; `null` if it did not.
    pub started_at: Option<Moment>,
    /// When it ended; `null` if it did not.
    pub finished_at: Option<Moment>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What the method wrote, as data handles.
    pub data_handles: Vec<Value>,
    /// What the method logged.
    pub logs: Vec<LogDocument>,
    /// Why it failed or is blocked.
    pub error: Option<RunProblemDocument>,
    /// True if it failed and that does not fail its job; left out if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allowed_failure: bool,
    /// Why it was skipped: `condition`, `guarded` or `not-begun`; left out if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The text that its guard gave for a reason to skip it; left out if it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard_reason: Option<String>,
    /// What it found, if it asserts something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<AssertionDocument>,
    /// What it waits for, or waited for, if somebody has to approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalDocument>,
    /// What exactly ran.
    pub provenance: Option<ProvenanceDocument>,
    /// The reports that were made of it; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ReportDocument>,
}

impl From<&StepRecord> for StepDocument {
    fn from(step: &StepRecord) -> Self {
        Self {
            name: step.name.clone(),
            template: step.template.clone(),
            task: step.task.clone(),
            status: step.status.as_str().to_owned(),
            started_at: step.started_at.map(Moment),
            finished_at: step.finished_at.map(Moment),
            duration_ms: elapsed(step.started_at, step.finished_at),
            data_handles: step.data_handles.iter().map(json::to_value).collect(),
            logs: step.logs.iter().map(LogDocument::from).collect(),
            error: step.error.as_ref().map(RunProblemDocument::from),
            allowed_failure: step.is_failure_allowed,
            skipped: step.skipped.map(|reason| reason.as_str().to_owned()),
            guard_reason: step.guard_reason.clone(),
            assertion: step.assertion.as_ref().map(AssertionDocument::from),
            approval: step.approval.as_ref().map(ApprovalDocument::from),
            provenance: step.provenance.as_ref().map(ProvenanceDocument::from),
            reports: step.reports.iter().map(ReportDocument::from).collect(),
        }
    }
}

/// A report that was to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportDocument {
    /// Its name, such as `@acme/cost`.
    pub name: String,
    /// `method`, `model` or `workflow`.
    pub scope: String,
    /// True if it was made, even if it had nothing to say.
    pub success: bool,
    /// What was stored of it, as data handles: its text, then its JSON.
    pub data_handles: Vec<Value>,
    /// Why it was not made; left out if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunProblemDocument>,
    /// What it logged, if it is about a workflow; left out if that is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogDocument>,
}

impl From<&ReportRecord> for ReportDocument {
    fn from(report: &ReportRecord) -> Self {
        Self {
            name: report.name.clone(),
            scope: report.scope.as_str().to_owned(),
            success: report.has_succeeded(),
            data_handles: report.data_handles.iter().map(json::to_value).collect(),
            error: report.error.as_ref().map(RunProblemDocument::from),
            logs: report.logs.iter().map(LogDocument::from).collect(),
        }
    }
}

/// What a step found that asserts something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssertionDocument {
    /// True if it holds.
    pub passed: bool,
    /// What it asserts.
    pub expression: String,
    /// What it says, secrets masked.
    pub message: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Why there is no answer; `null` if there is one.
    pub error: Option<String>,
}

impl From<&AssertionRecord> for AssertionDocument {
    fn from(assertion: &AssertionRecord) -> Self {
        Self {
            passed: assertion.passed,
            expression: assertion.expression.clone(),
            message: assertion.message.clone(),
            severity: assertion.severity.as_str().to_owned(),
            error: assertion.error.clone(),
        }
    }
}

/// What a step waits for that somebody has to approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalDocument {
    /// What is asked, secrets masked.
    pub prompt: String,
    /// How many seconds it can be decided; `null` if it always can.
    pub timeout: Option<u64>,
    /// What was decided; `null` if nothing was.
    pub decision: Option<DecisionDocument>,
}

impl From<&ApprovalRecord> for ApprovalDocument {
    fn from(approval: &ApprovalRecord) -> Self {
        Self {
            prompt: approval.prompt.clone(),
            timeout: approval.timeout,
            decision: approval.decision.as_ref().map(DecisionDocument::from),
        }
    }
}

/// What somebody decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionDocument {
    /// True if the step may be passed.
    pub approved: bool,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub decided_by: String,
    /// When.
    pub decided_at: Moment,
}

impl From<&Decision> for DecisionDocument {
    fn from(decision: &Decision) -> Self {
        Self {
            approved: decision.approved,
            reason: decision.reason.clone(),
            decided_by: decision.decided_by.clone(),
            decided_at: decision.decided_at.into(),
        }
    }
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogDocument {
    /// When.
    pub at: Moment,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The text, secrets masked.
    pub text: String,
}

impl From<&LogLine> for LogDocument {
    fn from(line: &LogLine) -> Self {
        Self { at: line.at.into(), level: line.level.clone(), text: line.text.clone() }
    }
}

/// Why something did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunProblemDocument {
    /// Names the page that explains it.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What helps; `null` if nothing does in general.
    pub hint: Option<String>,
    /// The type whose failure blocks the run.
    pub blocked_by: Option<String>,
    /// That type's failure.
    pub failure: Option<FailureDocument>,
}

impl From<&RunProblem> for RunProblemDocument {
    fn from(problem: &RunProblem) -> Self {
        Self {
            code: problem.code.to_string(),
            message: problem.message.clone(),
            hint: advice::of_run_problem(problem),
            blocked_by: problem.blocked_by.clone(),
            failure: problem.failure.as_ref().map(FailureDocument::from),
        }
    }
}

/// What exactly ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvenanceDocument {
    /// The digest of the definition file's bytes.
    pub definition_digest: Option<String>,
    /// The type.
    #[serde(rename = "type")]
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
    /// True if a lower source stood in for a failed one.
    pub shadow_fallback: bool,
    /// The driver that ran it; absent if it ran here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

impl From<&Provenance> for ProvenanceDocument {
    fn from(provenance: &Provenance) -> Self {
        Self {
            definition_digest: provenance.definition_digest.clone(),
            type_name: provenance.type_name.clone(),
            type_version: provenance.type_version.clone(),
            bundle_digest: provenance.bundle_digest.clone(),
            fingerprint: provenance.fingerprint.clone(),
            extension: provenance.extension.clone(),
            source: provenance.source.clone(),
            shadow_fallback: provenance.shadow_fallback,
            driver: provenance.driver.clone(),
        }
    }
}
