//! Runs that the reference recorded before somebody changed over: they are listed and shown, and never go on.

use std::collections::BTreeMap;

use mangrove_domain::json::Json;
use serde_json::Value;

use crate::{
    json,
    moment::{Moment, elapsed},
    run::{AssertionDocument, JobDocument, ListedRunDocument, RunDocument, RunProblemDocument, StepDocument},
};

/// The run in a record of the reference; `None` for a document that is none.
#[must_use]
pub fn earlier_run(record: &Json) -> Option<RunDocument> {
    let record = json::to_value(record);
    let (started_at, finished_at) = (moment(&record, "startedAt")?, moment(&record, "completedAt"));
    let failure = text(&record, "failureReason");
    Some(RunDocument {
        schema: "mangrove.run/1".to_owned(),
        run_id: text(&record, "id")?,
        name: text(&record, "workflowName")?,
        workflow_id: text(&record, "workflowId"),
        tags: tags(&record),
        trigger: text(&record, "triggerSource").unwrap_or_else(|| "swamp".to_owned()),
        status: text(&record, "status")?,
        started_at,
        finished_at,
        duration_ms: elapsed(Some(started_at.0), finished_at.map(|at| at.0)),
        inputs: record.get("inputs").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        jobs: list(&record, "jobs").iter().map(job).collect(),
        error: failure.map(problem),
        file_problem: None,
        reports: Vec::new(),
    })
}

impl From<&RunDocument> for ListedRunDocument {
    fn from(run: &RunDocument) -> Self {
        Self {
            run_id: run.run_id.clone(),
            name: run.name.clone(),
            status: run.status.clone(),
            trigger: run.trigger.clone(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            duration_ms: run.duration_ms,
        }
    }
}

fn job(record: &Value) -> JobDocument {
    let (started_at, finished_at) = (moment(record, "startedAt"), moment(record, "completedAt"));
    JobDocument {
        name: text(record, "jobName").unwrap_or_default(),
        status: text(record, "status").unwrap_or_default(),
        started_at,
        finished_at,
        duration_ms: elapsed(started_at.map(|at| at.0), finished_at.map(|at| at.0)),
        steps: list(record, "steps").iter().map(step).collect(),
    }
}

fn step(record: &Value) -> StepDocument {
    let (started_at, finished_at) = (moment(record, "startedAt"), moment(record, "completedAt"));
    StepDocument {
        name: text(record, "stepName").unwrap_or_default(),
        template: None,
        task: String::new(),
        status: text(record, "status").unwrap_or_default(),
        started_at,
        finished_at,
        duration_ms: elapsed(started_at.map(|at| at.0), finished_at.map(|at| at.0)),
        data_handles: list(record, "dataArtifacts").to_vec(),
        logs: Vec::new(),
        error: text(record, "error").map(problem),
        allowed_failure: record.get("allowedFailure").and_then(Value::as_bool).unwrap_or_default(),
        skipped: None,
        guard_reason: None,
        assertion: record.get("assertResult").and_then(assertion),
        approval: None,
        provenance: None,
        reports: Vec::new(),
    }
}

fn assertion(record: &Value) -> Option<AssertionDocument> {
    Some(AssertionDocument {
        passed: record.get("passed")?.as_bool()?,
        expression: text(record, "expr").unwrap_or_default(),
        message: text(record, "message").unwrap_or_default(),
        severity: text(record, "severity").unwrap_or_default(),
        error: text(record, "error"),
    })
}

fn problem(message: String) -> RunProblemDocument {
    let code = mangrove_domain::problem::Code::METHOD_FAILED.to_string();
    RunProblemDocument { code, message, hint: None, blocked_by: None, failure: None }
}

fn tags(record: &Value) -> BTreeMap<String, String> {
    let tags = record.get("tags").and_then(Value::as_object).into_iter().flatten();
    tags.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn list<'a>(record: &'a Value, key: &str) -> &'a [Value] {
    record.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(record: &Value, key: &str) -> Option<String> {
    record.get(key)?.as_str().map(str::to_owned)
}

fn moment(record: &Value, key: &str) -> Option<Moment> {
    let text = record.get(key)?.as_str().filter(|text| !text.is_empty())?;
    serde_json::from_value(Value::String(text.to_owned())).ok()
}
