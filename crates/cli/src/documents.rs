//! What `--json` prints. More keys may be added; these stay. Times are RFC 3339 in UTC.

use std::collections::BTreeMap;

use mangrove_app::{
    health::Summary,
    scan::{Report, Statistics},
};
use mangrove_domain::{
    failure::{Failure, Fault},
    json::{Json, Number},
    plan::Step,
    problem::Problem,
    row::Row,
    source::SourceId,
    state::{State, StateName},
};
use serde::Serialize;

use crate::{advice, human};

/// A failure with its history.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureDocument {
    class: &'static str,
    code: String,
    cause: String,
    message: String,
    /// What helps against every failure of this code; `null` if nothing does in general.
    hint: Option<String>,
    first_message: String,
    attempts: u32,
    first_seen: String,
    last_seen: String,
    next_retry: Option<String>,
}

impl FailureDocument {
    pub(crate) fn new(failure: &Failure) -> Self {
        Self {
            class: failure.class.as_str(),
            code: failure.code.to_string(),
            cause: failure.cause.0.to_string(),
            message: failure.latest_message.clone(),
            hint: advice::of_code(failure.code),
            first_message: failure.first_message.clone(),
            attempts: failure.attempts,
            first_seen: human::rfc3339(failure.first_seen),
            last_seen: human::rfc3339(failure.last_seen),
            next_retry: failure.next_retry.map(human::rfc3339),
        }
    }
}

/// A problem.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemDocument {
    code: String,
    severity: &'static str,
    path: String,
    line: Option<u32>,
    column: Option<u32>,
    #[serde(rename = "type")]
    type_name: Option<String>,
    message: String,
    hint: Option<String>,
}

impl From<&Problem> for ProblemDocument {
    fn from(problem: &Problem) -> Self {
        let position = problem.position.as_ref();
        Self {
            code: problem.code.to_string(),
            severity: problem.severity.as_str(),
            path: position.map_or_else(|| problem.subject.clone(), |position| position.file.clone()),
            line: position.map(|position| position.line),
            column: position.map(|position| position.column),
            type_name: None,
            message: problem.message.clone(),
            hint: problem.remedy().as_ref().map(advice::text),
        }
    }
}

impl ProblemDocument {
    /// The same, about this type.
    pub(crate) fn of_type(mut self, type_name: Option<&String>) -> Self {
        self.type_name = type_name.cloned();
        self
    }
}

/// A bundle that was not built here, but shipped by the extension of the source.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShippedDocument {
    /// SHA-256 of the bundle.
    digest: String,
    /// The pull that brought it.
    pull: String,
    /// Why it could not be built here: the imports that nothing maps.
    unmapped: Vec<String>,
}

impl ShippedDocument {
    /// `None` if the row's bundle was built here, or if it has none.
    pub(crate) fn of(row: &Row) -> Option<Self> {
        let digest = row.shipped_bundle()?.to_string();
        let acceptance = row.shipped.as_ref()?;
        Some(Self { digest, pull: acceptance.pull.to_string(), unmapped: acceptance.unmapped.clone() })
    }
}

/// One source in `scan` and `why`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SourceDocument {
    root: String,
    path: String,
    origin: Option<&'static str>,
    extension: Option<String>,
    kind: Option<String>,
    #[serde(rename = "type")]
    type_name: Option<String>,
    claimed_type: Option<String>,
    state: Option<&'static str>,
    verdict: &'static str,
    reason: String,
    degraded: bool,
    shadowed_by: Option<String>,
    violations: Vec<String>,
    failure: Option<FailureDocument>,
    shipped: Option<ShippedDocument>,
}

impl SourceDocument {
    pub(crate) fn new(step: &Step, row: Option<&Row>) -> Self {
        let violations = match row.map(|row| &row.state) {
            Some(State::ValidationFailed { violations, .. }) => violations.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        Self {
            root: step.source.root.to_string(),
            path: step.source.path.to_string(),
            origin: row.map(|row| row.origin.as_str()),
            extension: row.map(|row| row.extension.name.to_string()),
            kind: row.map(|row| row.kind.to_string()),
            type_name: row.and_then(indexed_type),
            claimed_type: row.and_then(|row| row.claimed_type.as_ref()).map(ToString::to_string),
            state: row.map(|row| row.state.name().as_str()),
            verdict: step.verdict.name(),
            reason: step.verdict.to_string(),
            degraded: row.is_some_and(|row| row.degraded.is_some()),
            shadowed_by: row.and_then(|row| row.shadowed_by.as_ref()).map(SourceId::to_string),
            violations,
            failure: row.and_then(Row::failure).map(FailureDocument::new),
            shipped: row.and_then(ShippedDocument::of),
        }
    }
}

/// `scan --json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScanDocument {
    schema: &'static str,
    dry_run: bool,
    /// True if a signal ended it before everything was settled.
    cancelled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_aside: Option<String>,
    summary: SummaryDocument,
    sources: Vec<SourceDocument>,
    problems: Vec<ProblemDocument>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SummaryDocument {
    states: BTreeMap<&'static str, u64>,
    degraded: u64,
    shadowed: u64,
    built: u64,
    inspected: u64,
    files_read: u64,
    directories_listed: u64,
    duration_ms: u64,
}

impl ScanDocument {
    pub(crate) fn new(report: &Report, sources: Vec<SourceDocument>, dry_run: bool) -> Self {
        let Statistics { built, inspected, files_read, directories_listed, duration } = report.statistics;
        let mut states: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (state, count) in report.kinds.values().flat_map(|kind| &kind.states) {
            *states.entry(state.as_str()).or_default() += count;
        }
        states.retain(|_, count| *count > 0);
        let count = |of: fn(&Summary) -> u64| report.kinds.values().map(of).sum();
        Self {
            schema: "mangrove.scan/1",
            dry_run,
            cancelled: report.is_cancelled,
            set_aside: None,
            summary: SummaryDocument {
                states,
                degraded: count(|kind| kind.degraded),
                shadowed: count(|kind| kind.shadowed),
                built,
                inspected,
                files_read,
                directories_listed,
                duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            },
            sources,
            problems: report.problems.iter().map(ProblemDocument::from).collect(),
        }
    }

    /// The same for another command that scans.
    pub(crate) fn named(mut self, schema: &'static str, set_aside: Option<String>) -> Self {
        self.schema = schema;
        self.set_aside = set_aside;
        self
    }
}

/// `types --json`.
#[derive(Debug, Serialize)]
pub(crate) struct TypesDocument {
    pub(crate) schema: &'static str,
    pub(crate) types: Vec<TypeDocument>,
}

/// One type in `types`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TypeDocument {
    kind: String,
    #[serde(rename = "type")]
    type_name: Option<String>,
    claimed_type: Option<String>,
    version: Option<String>,
    origin: &'static str,
    extension: String,
    root: String,
    path: String,
    state: &'static str,
    degraded: bool,
    shadowed_by: Option<String>,
    /// True if it adds to that type, and defines no type itself.
    add_on: bool,
    shipped: Option<ShippedDocument>,
}

impl From<&Row> for TypeDocument {
    fn from(row: &Row) -> Self {
        let version = match &row.state {
            State::Indexed(indexed) => indexed.version.as_ref().map(ToString::to_string),
            _ => None,
        };
        Self {
            kind: row.kind.to_string(),
            type_name: indexed_type(row),
            claimed_type: row.claimed_type.as_ref().map(ToString::to_string),
            version,
            origin: row.origin.as_str(),
            extension: row.extension.name.to_string(),
            root: row.source.root.to_string(),
            path: row.source.path.to_string(),
            state: row.state.name().as_str(),
            degraded: row.degraded.is_some(),
            shadowed_by: row.shadowed_by.as_ref().map(SourceId::to_string),
            add_on: row.is_add_on(),
            shipped: ShippedDocument::of(row),
        }
    }
}

/// The type of an indexed row; other rows only claim one.
fn indexed_type(row: &Row) -> Option<String> {
    (row.state.name() == StateName::Indexed).then(|| row.type_name().map(ToString::to_string)).flatten()
}

/// A domain value as serde sees it.
pub(crate) fn json_value(json: &Json) -> serde_json::Value {
    match json {
        Json::Null => serde_json::Value::Null,
        Json::Bool(value) => serde_json::Value::Bool(*value),
        Json::Number(Number::Integer(value)) => (*value).into(),
        Json::Number(Number::Float(value)) => (*value).into(),
        Json::String(text) => serde_json::Value::String(text.clone()),
        Json::Array(items) => items.iter().map(json_value).collect(),
        Json::Object(members) => {
            serde_json::Value::Object(members.iter().map(|(key, value)| (key.clone(), json_value(value))).collect())
        }
    }
}

/// A fault, without its cause.
#[derive(Debug, Serialize)]
pub(crate) struct FaultDocument {
    class: &'static str,
    pub(crate) code: String,
    pub(crate) message: String,
    /// What helps against every fault of this code; `null` if nothing does in general.
    pub(crate) hint: Option<String>,
}

impl From<&Fault> for FaultDocument {
    fn from(fault: &Fault) -> Self {
        Self {
            class: fault.class.as_str(),
            code: fault.code.to_string(),
            message: fault.message.clone(),
            hint: advice::of_code(fault.code),
        }
    }
}
