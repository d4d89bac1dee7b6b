//! A run as scripts of the reference read it: `--json=swamp`.

use std::collections::BTreeMap;

use mangrove_app::service::DataModel;
use mangrove_domain::run::RunStatus;
use serde::Serialize;
use serde_json::Value;

use crate::{
    moment::Moment,
    run::{AssertionDocument, JobDocument, ReportDocument, RunDocument, StepDocument},
};

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceRunDocument {
    id: String,
    workflow_id: Option<String>,
    workflow_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Value>,
    status: String,
    started_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Moment>,
    tags: BTreeMap<String, String>,
    jobs: Vec<ReferenceJob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reports: Vec<ReferenceReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_required: Option<ReferenceApproval>,
}

/// A report, with what it says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceReport {
    name: String,
    scope: String,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl ReferenceReport {
    /// A report, and what it says as far as that is known.
    #[must_use]
    pub fn new(report: &ReportDocument, markdown: Option<String>, json: Option<Value>) -> Self {
        Self {
            name: report.name.clone(),
            scope: report.scope.clone(),
            success: report.success,
            markdown,
            json,
            error: report.error.as_ref().map(|error| error.message.clone()),
        }
    }
}

/// One method that was run by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceCallDocument {
    model_id: String,
    model_name: String,
    model_type: String,
    method_name: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    output_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_file: Option<String>,
    data_artifacts: Vec<ReferenceItem>,
    reports: BTreeMap<String, ReferenceReport>,
    global_arguments: Value,
    method_arguments: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a method wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceItem {
    /// What names this version.
    pub id: String,
    /// The name of the item.
    pub name: String,
    /// The file with the content.
    pub path: String,
    /// The content, if it is a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Value>,
}

impl ReferenceCallDocument {
    /// A run of one method of this model. What it was called with its summary says.
    #[must_use]
    pub fn new(
        run: &RunDocument,
        model: &DataModel,
        data_artifacts: Vec<ReferenceItem>,
        reports: Vec<ReferenceReport>,
    ) -> Self {
        let summary =
            reports.iter().find_map(|report| report.json.as_ref().filter(|json| json.get("methodArgs").is_some()));
        let told = |key: &str| summary.and_then(|json| json.get(key)).cloned();
        let step = run.jobs.iter().flat_map(|job| &job.steps).next();
        let method = step.and_then(|step| step.task.rsplit_once('.')).map(|(_, method)| method.to_owned());
        Self {
            model_id: model.id.clone(),
            model_name: model.name.clone(),
            model_type: model.type_name.clone(),
            method_name: method.unwrap_or_default(),
            status: status(&run.status),
            duration: run.duration_ms,
            output_id: run.run_id.clone(),
            log_file: None,
            data_artifacts,
            global_arguments: told("globalArgs").unwrap_or_else(|| Value::Object(serde_json::Map::new())),
            method_arguments: told("methodArgs").unwrap_or_else(|| run.inputs.clone()),
            reports: reports.into_iter().map(|report| (report.name.clone(), report)).collect(),
            error: run.error.as_ref().map(|error| error.message.clone()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ReferenceJob {
    name: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    steps: Vec<ReferenceStep>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceStep {
    name: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data_artifacts: Vec<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allowed_failure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assert_result: Option<ReferenceAssertion>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ReferenceAssertion {
    passed: bool,
    expr: String,
    message: String,
    severity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceApproval {
    step_id: String,
    job_id: String,
    prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
}

impl From<&RunDocument> for ReferenceRunDocument {
    fn from(run: &RunDocument) -> Self {
        Self {
            id: run.run_id.clone(),
            workflow_id: run.workflow_id.clone(),
            workflow_name: run.name.clone(),
            inputs: run.inputs.as_object().filter(|inputs| !inputs.is_empty()).map(|_| run.inputs.clone()),
            status: status(&run.status),
            started_at: run.started_at,
            completed_at: run.finished_at,
            tags: run.tags.clone(),
            jobs: run.jobs.iter().map(job).collect(),
            duration: run.duration_ms,
            error: run.error.as_ref().map(|error| error.message.clone()),
            reports: Vec::new(),
            approval_required: approval(&run.jobs),
        }
    }
}

impl ReferenceRunDocument {
    /// The same with what reports say.
    #[must_use]
    pub fn with_reports(self, reports: Vec<ReferenceReport>) -> Self {
        Self { reports, ..self }
    }
}

/// The reference knows no blocked and no interrupted runs: those have failed.
fn status(status: &str) -> String {
    let is_failure = matches!(RunStatus::parse(status), Some(RunStatus::Blocked | RunStatus::Interrupted));
    if is_failure { RunStatus::Failed.as_str().to_owned() } else { status.to_owned() }
}

fn job(job: &JobDocument) -> ReferenceJob {
    ReferenceJob {
        name: job.name.clone(),
        status: status(&job.status),
        duration: job.duration_ms,
        steps: job.steps.iter().map(step).collect(),
    }
}

fn step(step: &StepDocument) -> ReferenceStep {
    ReferenceStep {
        name: step.name.clone(),
        status: status(&step.status),
        error: step.error.as_ref().map(|error| error.message.clone()),
        duration: step.duration_ms,
        data_artifacts: step.data_handles.clone(),
        allowed_failure: step.allowed_failure,
        reason: step.skipped.clone().filter(|reason| reason == "guarded"),
        assert_result: step.assertion.as_ref().map(assertion),
    }
}

fn assertion(assertion: &AssertionDocument) -> ReferenceAssertion {
    ReferenceAssertion {
        passed: assertion.passed,
        expr: assertion.expression.clone(),
        message: assertion.message.clone(),
        severity: assertion.severity.clone(),
        error: assertion.error.clone(),
    }
}

fn approval(jobs: &[JobDocument]) -> Option<ReferenceApproval> {
    let steps = jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
    let mut waiting = steps.filter(|(_, step)| step.status == RunStatus::WaitingApproval.as_str());
    let (job, step) = waiting.next()?;
    let approval = step.approval.as_ref()?;
    Some(ReferenceApproval {
        step_id: step.name.clone(),
        job_id: job.name.clone(),
        prompt: approval.prompt.clone(),
        timeout: approval.timeout,
    })
}
