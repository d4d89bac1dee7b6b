//! The stored form of a run: a JSON document, so that later versions can add to it.

use std::sync::Arc;

use mangrove_domain::{
    failure::Failure,
    problem::Code,
    report::ReportScope,
    run::{
        ApprovalRecord, AssertSeverity, AssertionRecord, Decision, JobRecord, LogLine, Provenance, ReportRecord,
        RunProblem, RunRecord, RunStatus, SkipReason, StepRecord,
    },
    time::Timestamp,
};
use mangrove_fs::json_text::{from_value, to_value};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::advice::{StoredPhrase, load_advice, store_advice};
use crate::stored::StoredFailure;

/// Why a stored record is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParseError {
    /// Not the JSON document that was written.
    #[error("{0}")]
    Json(serde_json::Error),
    /// A word in it is none of ours.
    #[error("unknown {what} {word:?}")]
    Word {
        /// What it should be.
        what: &'static str,
        /// What is there.
        word: String,
    },
    /// A step of a job that there is not.
    #[error("it has no job {0}, and a step of it")]
    NoJob(usize),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredRun {
    id: String,
    name: String,
    #[serde(default)]
    workflow_id: Option<String>,
    #[serde(default)]
    tags: Vec<(String, String)>,
    trigger: String,
    status: String,
    started_at: i64,
    finished_at: Option<i64>,
    #[serde(default)]
    written_at: Option<i64>,
    inputs: Value,
    jobs: Vec<StoredJob>,
    error: Option<StoredProblem>,
    #[serde(default)]
    file_problem: Option<StoredProblem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reports: Vec<StoredReport>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredJob {
    name: String,
    status: String,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    /// Those of a record of an earlier layout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StoredStep>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredStep {
    name: String,
    #[serde(default)]
    template: Option<String>,
    task: String,
    status: String,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    data_handles: Vec<Value>,
    logs: Vec<StoredLine>,
    error: Option<StoredProblem>,
    #[serde(default)]
    is_failure_allowed: bool,
    #[serde(default)]
    skipped: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guard_reason: Option<String>,
    #[serde(default)]
    assertion: Option<StoredAssertion>,
    #[serde(default)]
    approval: Option<StoredApproval>,
    provenance: Option<StoredProvenance>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reports: Vec<StoredReport>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredReport {
    name: String,
    scope: String,
    data_handles: Vec<Value>,
    error: Option<StoredProblem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    logs: Vec<StoredLine>,
}

#[derive(Serialize, Deserialize)]
struct StoredAssertion {
    passed: bool,
    expression: String,
    message: String,
    severity: String,
    error: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredApproval {
    prompt: String,
    timeout: Option<u64>,
    decision: Option<StoredDecision>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredDecision {
    approved: bool,
    reason: Option<String>,
    decided_by: String,
    decided_at: i64,
}

#[derive(Serialize, Deserialize)]
struct StoredLine {
    at: i64,
    level: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredProblem {
    code: String,
    message: String,
    blocked_by: Option<String>,
    failure: Option<StoredFailure<String>>,
    /// Empty if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    advice: Vec<StoredPhrase>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredProvenance {
    definition_digest: Option<String>,
    type_name: String,
    type_version: Option<String>,
    bundle_digest: String,
    fingerprint: String,
    extension: String,
    source: String,
    shadow_fallback: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    driver: Option<String>,
}

/// The document of a record, without its steps.
pub(crate) fn to_json(record: &RunRecord) -> String {
    let stored = StoredRun {
        id: record.id.clone(),
        name: record.name.clone(),
        workflow_id: record.workflow_id.clone(),
        tags: record.tags.clone(),
        trigger: record.trigger.clone(),
        status: record.status.as_str().to_owned(),
        started_at: record.started_at.as_millis(),
        finished_at: millis(record.finished_at),
        written_at: millis(record.written_at),
        inputs: to_value(&record.inputs),
        jobs: record.jobs.iter().map(store_job).collect(),
        error: record.error.as_ref().map(store_problem),
        file_problem: record.file_problem.as_ref().map(store_problem),
        reports: record.reports.iter().map(store_report).collect(),
    };
    // Texts, numbers and lists only: there is nothing in it that JSON cannot say.
    serde_json::to_string(&stored).unwrap_or_default()
}

fn store_job(job: &JobRecord) -> StoredJob {
    StoredJob {
        name: job.name.clone(),
        status: job.status.as_str().to_owned(),
        started_at: millis(job.started_at),
        finished_at: millis(job.finished_at),
        steps: Vec::new(),
    }
}

/// The document of a step.
pub(crate) fn step_to_json(step: &StepRecord) -> String {
    serde_json::to_string(&store_step(step)).unwrap_or_default()
}

fn store_step(step: &StepRecord) -> StoredStep {
    StoredStep {
        name: step.name.clone(),
        template: step.template.clone(),
        task: step.task.clone(),
        status: step.status.as_str().to_owned(),
        started_at: millis(step.started_at),
        finished_at: millis(step.finished_at),
        data_handles: step.data_handles.iter().map(to_value).collect(),
        logs: step.logs.iter().map(store_line).collect(),
        error: step.error.as_ref().map(store_problem),
        is_failure_allowed: step.is_failure_allowed,
        skipped: step.skipped.map(|reason| reason.as_str().to_owned()),
        guard_reason: step.guard_reason.clone(),
        assertion: step.assertion.as_ref().map(store_assertion),
        approval: step.approval.as_ref().map(store_approval),
        provenance: step.provenance.as_ref().map(store_provenance),
        reports: step.reports.iter().map(store_report).collect(),
    }
}

fn store_line(line: &LogLine) -> StoredLine {
    StoredLine { at: line.at.as_millis(), level: line.level.clone(), text: line.text.clone() }
}

fn store_report(report: &ReportRecord) -> StoredReport {
    StoredReport {
        name: report.name.clone(),
        scope: report.scope.as_str().to_owned(),
        data_handles: report.data_handles.iter().map(to_value).collect(),
        error: report.error.as_ref().map(store_problem),
        logs: report.logs.iter().map(store_line).collect(),
    }
}

fn store_assertion(assertion: &AssertionRecord) -> StoredAssertion {
    StoredAssertion {
        passed: assertion.passed,
        expression: assertion.expression.clone(),
        message: assertion.message.clone(),
        severity: assertion.severity.as_str().to_owned(),
        error: assertion.error.clone(),
    }
}

fn store_approval(approval: &ApprovalRecord) -> StoredApproval {
    let decision = approval.decision.as_ref().map(|decision| StoredDecision {
        approved: decision.approved,
        reason: decision.reason.clone(),
        decided_by: decision.decided_by.clone(),
        decided_at: decision.decided_at.as_millis(),
    });
    StoredApproval { prompt: approval.prompt.clone(), timeout: approval.timeout, decision }
}

fn store_problem(problem: &RunProblem) -> StoredProblem {
    StoredProblem {
        code: problem.code.to_string(),
        message: problem.message.clone(),
        blocked_by: problem.blocked_by.clone(),
        failure: problem.failure.as_ref().map(store_failure),
        advice: problem.advice.as_ref().map(store_advice).unwrap_or_default(),
    }
}

fn store_failure(failure: &Failure) -> StoredFailure<String> {
    StoredFailure::of(failure, failure.code.to_string())
}

fn store_provenance(provenance: &Provenance) -> StoredProvenance {
    StoredProvenance {
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

/// The record of a document and of those of its steps, each with the place of its job, in their order.
pub(crate) fn parse(json: &str, steps: &[(usize, String)]) -> Result<RunRecord, ParseError> {
    let mut record = parse_document(json)?;
    // Those in the record itself were written before these.
    if !steps.is_empty() {
        record.jobs.iter_mut().for_each(|job| job.steps.clear());
    }
    for (job, json) in steps {
        let stored: StoredStep = serde_json::from_str(json).map_err(ParseError::Json)?;
        let job = record.jobs.get_mut(*job).ok_or(ParseError::NoJob(*job))?;
        job.steps.push(Arc::new(load_step(stored)?));
    }
    Ok(record)
}

fn parse_document(json: &str) -> Result<RunRecord, ParseError> {
    let stored: StoredRun = serde_json::from_str(json).map_err(ParseError::Json)?;
    Ok(RunRecord {
        id: stored.id,
        name: stored.name,
        workflow_id: stored.workflow_id,
        tags: stored.tags,
        trigger: stored.trigger,
        status: status(&stored.status)?,
        started_at: Timestamp::from_millis(stored.started_at),
        finished_at: timestamp(stored.finished_at),
        written_at: timestamp(stored.written_at),
        inputs: from_value(stored.inputs),
        jobs: stored.jobs.into_iter().map(load_job).collect::<Result<_, _>>()?,
        error: stored.error.map(load_problem).transpose()?,
        file_problem: stored.file_problem.map(load_problem).transpose()?,
        reports: stored.reports.into_iter().map(load_report).collect::<Result<_, _>>()?,
    })
}

fn load_job(stored: StoredJob) -> Result<JobRecord, ParseError> {
    Ok(JobRecord {
        name: stored.name,
        status: status(&stored.status)?,
        started_at: timestamp(stored.started_at),
        finished_at: timestamp(stored.finished_at),
        steps: stored.steps.into_iter().map(|step| load_step(step).map(Arc::new)).collect::<Result<_, _>>()?,
    })
}

fn load_step(stored: StoredStep) -> Result<StepRecord, ParseError> {
    Ok(StepRecord {
        name: stored.name,
        template: stored.template,
        task: stored.task,
        status: status(&stored.status)?,
        started_at: timestamp(stored.started_at),
        finished_at: timestamp(stored.finished_at),
        data_handles: stored.data_handles.into_iter().map(from_value).collect(),
        logs: stored.logs.into_iter().map(load_line).collect(),
        error: stored.error.map(load_problem).transpose()?,
        is_failure_allowed: stored.is_failure_allowed,
        skipped: stored.skipped.map(skip_reason).transpose()?,
        guard_reason: stored.guard_reason,
        assertion: stored.assertion.map(load_assertion).transpose()?,
        approval: stored.approval.map(load_approval),
        provenance: stored.provenance.map(load_provenance),
        reports: stored.reports.into_iter().map(load_report).collect::<Result<_, _>>()?,
    })
}

fn load_line(stored: StoredLine) -> LogLine {
    LogLine { at: Timestamp::from_millis(stored.at), level: stored.level, text: stored.text }
}

fn load_report(stored: StoredReport) -> Result<ReportRecord, ParseError> {
    let StoredReport { name, scope, data_handles, error, logs } = stored;
    Ok(ReportRecord {
        name,
        scope: ReportScope::parse(&scope).ok_or(ParseError::Word { what: "scope", word: scope })?,
        data_handles: data_handles.into_iter().map(from_value).collect(),
        error: error.map(load_problem).transpose()?,
        logs: logs.into_iter().map(load_line).collect(),
    })
}

fn load_assertion(stored: StoredAssertion) -> Result<AssertionRecord, ParseError> {
    let StoredAssertion { passed, expression, message, severity, error } = stored;
    let severity = AssertSeverity::parse(&severity).ok_or(ParseError::Word { what: "severity", word: severity })?;
    Ok(AssertionRecord { passed, expression, message, severity, error })
}

fn load_approval(stored: StoredApproval) -> ApprovalRecord {
    let decision = stored.decision.map(|decision| Decision {
        approved: decision.approved,
        reason: decision.reason,
        decided_by: decision.decided_by,
        decided_at: Timestamp::from_millis(decision.decided_at),
    });
    ApprovalRecord { prompt: stored.prompt, timeout: stored.timeout, decision }
}

fn skip_reason(word: String) -> Result<SkipReason, ParseError> {
    SkipReason::parse(&word).ok_or(ParseError::Word { what: "reason", word })
}

fn load_problem(stored: StoredProblem) -> Result<RunProblem, ParseError> {
    Ok(RunProblem {
        code: code(&stored.code)?,
        message: stored.message,
        blocked_by: stored.blocked_by,
        failure: stored.failure.map(load_failure).transpose()?,
        advice: load_advice(stored.advice),
    })
}

fn load_failure(stored: StoredFailure<String>) -> Result<Failure, ParseError> {
    let code = code(&stored.code)?;
    Ok(stored.load(code))
}

fn load_provenance(stored: StoredProvenance) -> Provenance {
    Provenance {
        definition_digest: stored.definition_digest,
        type_name: stored.type_name,
        type_version: stored.type_version,
        bundle_digest: stored.bundle_digest,
        fingerprint: stored.fingerprint,
        extension: stored.extension,
        source: stored.source,
        shadow_fallback: stored.shadow_fallback,
        driver: stored.driver,
    }
}

fn status(word: &str) -> Result<RunStatus, ParseError> {
    RunStatus::parse(word).ok_or_else(|| ParseError::Word { what: "status", word: word.to_owned() })
}

fn code(word: &str) -> Result<Code, ParseError> {
    Code::parse(word).ok_or_else(|| ParseError::Word { what: "problem code", word: word.to_owned() })
}

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

fn timestamp(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}
