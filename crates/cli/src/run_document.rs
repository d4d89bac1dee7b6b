//! Runs as `--json` prints them.

use mangrove_domain::run::{JobRecord, LogLine, Provenance, RunProblem, RunRecord, StepRecord};
use serde::Serialize;

use crate::{
    advice,
    documents::{FailureDocument, json_value},
    human,
};

/// `run show --json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunDocument {
    schema: &'static str,
    run_id: String,
    name: String,
    trigger: String,
    status: &'static str,
    started_at: String,
    finished_at: Option<String>,
    duration_ms: Option<u64>,
    inputs: serde_json::Value,
    jobs: Vec<JobDocument>,
    error: Option<RunProblemDocument>,
}

/// One job.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobDocument {
    name: String,
    status: &'static str,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration_ms: Option<u64>,
    steps: Vec<StepDocument>,
}

/// One step.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepDocument {
    name: String,
    task: String,
    status: &'static str,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration_ms: Option<u64>,
    data_handles: Vec<serde_json::Value>,
    logs: Vec<LogDocument>,
    error: Option<RunProblemDocument>,
    provenance: Option<ProvenanceDocument>,
}

/// One line of a log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogDocument {
    at: String,
    level: String,
    text: String,
}

/// Why something did not succeed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunProblemDocument {
    code: String,
    message: String,
    /// What helps; `null` if nothing does in general.
    hint: Option<String>,
    blocked_by: Option<String>,
    failure: Option<FailureDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProvenanceDocument {
    definition_digest: Option<String>,
    #[serde(rename = "type")]
    type_name: String,
    type_version: Option<String>,
    bundle_digest: String,
    fingerprint: String,
    extension: String,
    source: String,
    shadow_fallback: bool,
}

impl RunDocument {
    pub(crate) fn new(record: &RunRecord) -> Self {
        Self {
            schema: "mangrove.run/1",
            run_id: record.id.clone(),
            name: record.name.clone(),
            trigger: record.trigger.clone(),
            status: record.status.as_str(),
            started_at: human::rfc3339(record.started_at),
            finished_at: record.finished_at.map(human::rfc3339),
            duration_ms: human::elapsed_ms(Some(record.started_at), record.finished_at),
            inputs: json_value(&record.inputs),
            jobs: record.jobs.iter().map(JobDocument::from).collect(),
            error: record.error.as_ref().map(RunProblemDocument::from),
        }
    }
}

impl From<&JobRecord> for JobDocument {
    fn from(job: &JobRecord) -> Self {
        Self {
            name: job.name.clone(),
            status: job.status.as_str(),
            started_at: job.started_at.map(human::rfc3339),
            finished_at: job.finished_at.map(human::rfc3339),
            duration_ms: human::elapsed_ms(job.started_at, job.finished_at),
            steps: job.steps.iter().map(StepDocument::from).collect(),
        }
    }
}

impl From<&StepRecord> for StepDocument {
    fn from(step: &StepRecord) -> Self {
        Self {
            name: step.name.clone(),
            task: step.task.clone(),
            status: step.status.as_str(),
            started_at: step.started_at.map(human::rfc3339),
            finished_at: step.finished_at.map(human::rfc3339),
            duration_ms: human::elapsed_ms(step.started_at, step.finished_at),
            data_handles: step.data_handles.iter().map(json_value).collect(),
            logs: step.logs.iter().map(LogDocument::from).collect(),
            error: step.error.as_ref().map(RunProblemDocument::from),
            provenance: step.provenance.as_ref().map(ProvenanceDocument::from),
        }
    }
}

impl From<&LogLine> for LogDocument {
    fn from(line: &LogLine) -> Self {
        Self { at: human::rfc3339(line.at), level: line.level.clone(), text: line.text.clone() }
    }
}

impl From<&RunProblem> for RunProblemDocument {
    fn from(problem: &RunProblem) -> Self {
        Self {
            code: problem.code.to_string(),
            message: problem.message.clone(),
            hint: advice::of_run_problem(problem),
            blocked_by: problem.blocked_by.clone(),
            failure: problem.failure.as_ref().map(FailureDocument::new),
        }
    }
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
        }
    }
}
