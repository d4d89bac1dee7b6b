//! The reports that come with the program: what a method did, and what became of the steps of a workflow.

use std::fmt::Write as _;

use mangrove_domain::{
    json::Json,
    report::ReportScope,
    run::{JobRecord, RunRecord, RunStatus, StepRecord},
    vault,
    workflow::template,
};

use super::{Called, Report, StepExecution};
use crate::secrets::MASK;

/// What a method did.
pub(super) const METHOD: &str = "@swamp/method-summary";

/// What became of the steps of a workflow.
pub(super) const WORKFLOW: &str = "@swamp/workflow-summary";

/// How many rows of a table are shown.
const MOST_ROWS: usize = 200;

/// What the built-in report of this name is about; `None` if there is none.
#[must_use]
pub fn built_in(name: &str) -> Option<ReportScope> {
    match name {
        METHOD => Some(ReportScope::Method),
        WORKFLOW => Some(ReportScope::Workflow),
        _ => None,
    }
}

/// The names of the built-in reports.
#[must_use]
pub const fn built_in_names() -> [&'static str; 2] {
    [METHOD, WORKFLOW]
}

/// What a method did. `context` is what other reports are told of the call.
pub(super) fn of_method(called: &Called, context: &[(&'static str, Json)], error: Option<&str>) -> Report {
    let Called { model_name, model_type, method, arguments, sensitive, data_handles, .. } = called;
    let told = |key: &str| context.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
    let global = vault::redacted(&arguments.global, &sensitive.global, MASK);
    let own = vault::redacted(&arguments.method, &sensitive.method, MASK);
    let status = if error.is_none() { "succeeded" } else { "failed" };
    let written = match data_handles.len() {
        0 => "It wrote no data.".to_owned(),
        1 => "It wrote one item of data.".to_owned(),
        count => format!("It wrote {count} items of data."),
    };
    let narrative = format!("`{method}` of `{model_name}`, a `{model_type}`, {status}. {written}");
    let mut markdown = format!("# {model_name}.{method}\n\n{narrative}\n");
    if let Some(error) = error {
        let _ = write!(markdown, "\n## Error\n\n{}\n", block(error));
    }
    for (title, arguments) in [("Arguments", &own), ("Global arguments", &global)] {
        let rows =
            arguments.as_object().unwrap_or_default().iter().map(|(name, value)| vec![name.clone(), shown(value)]);
        table(&mut markdown, title, &["Name", "Value"], rows);
    }
    let rows = data_handles.iter().map(|handle| {
        let member = |key: &str| handle.get(key).map(shown).unwrap_or_default();
        ["name", "specName", "kind", "version", "size"].map(member).to_vec()
    });
    table(&mut markdown, "Data", &["Name", "Specification", "Kind", "Version", "Bytes"], rows);
    let produced = data_handles.iter().map(|handle| {
        let member = |key: &'static str| Some((key, handle.get(key)?.clone()));
        Json::object(["name", "specName", "kind", "dataId", "version", "size"].into_iter().filter_map(member))
    });
    let text = |text: &str| Json::from(text);
    let mut json = vec![("status", text(status))];
    json.extend(error.map(|error| ("error", text(error))));
    json.extend([
        ("modelId", text(&called.model_id)),
        ("modelName", text(model_name)),
        ("modelType", text(model_type)),
        ("methodName", text(method)),
        ("narrative", text(&narrative)),
        ("globalArgs", global),
        ("methodArgs", own),
    ]);
    json.extend(
        told("outputSpecs").filter(|specs| *specs != Json::Array(Vec::new())).map(|specs| ("outputSpecs", specs)),
    );
    json.push(("dataProduced", Json::Array(produced.collect())));
    Report { markdown, json: Json::object(json) }
}

/// What became of the steps of a workflow. Counted are all of them, also those that call no method.
pub(super) fn of_workflow(record: &RunRecord, executions: &[StepExecution]) -> Report {
    let steps = || record.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step.as_ref())));
    let count = |status: RunStatus| steps().filter(|(_, step)| step.status == status).count();
    let [succeeded, failed, skipped] = [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Skipped].map(count);
    let total = steps().count();
    let status = record.status.as_str();
    let mut markdown = format!(
        "# {}\n\nThe run {} {status}: of {total} steps, {succeeded} succeeded, {failed} failed, {skipped} skipped.\n",
        record.name, record.id
    );
    for (job, step) in steps() {
        if let Some(error) = step.error.as_ref().filter(|_| step.status == RunStatus::Failed) {
            let _ = write!(markdown, "\n## {} › {} failed\n\n{}\n", job.name, step.name, block(&error.message));
        }
    }
    let row = |(job, step): (&JobRecord, &StepRecord)| {
        [&job.name, &step.name, &step.task, step.status.as_str()].map(str::to_owned).to_vec()
    };
    table(&mut markdown, "Steps", &["Job", "Step", "Task", "Status"], steps().map(row));
    let of_step = |job: &JobRecord, step: &StepRecord| {
        let execution = executions.iter().find(|it| it.job == job.name && it.step == step.name);
        let called = |text: fn(&Called) -> &String| {
            execution.map_or(Json::Null, |execution| Json::from(text(&execution.called).as_str()))
        };
        vec![
            ("jobName", Json::from(job.name.as_str())),
            ("stepName", Json::from(step.name.as_str())),
            ("modelName", called(|called| &called.model_name)),
            ("modelType", called(|called| &called.model_type)),
            ("methodName", called(|called| &called.method)),
            ("status", Json::from(step.status.as_str())),
        ]
    };
    let failures = steps().filter(|(_, step)| step.status == RunStatus::Failed).map(|(job, step)| {
        let error = step.error.as_ref().map_or(Json::Null, |error| Json::from(error.message.as_str()));
        Json::object(of_step(job, step).into_iter().chain([("error", error)]))
    });
    let all = steps().map(|(job, step)| {
        let items = i64::try_from(step.data_handles.len()).unwrap_or(i64::MAX);
        Json::object(of_step(job, step).into_iter().chain([("dataCount", Json::from(items))]))
    });
    let number = |count: usize| Json::from(i64::try_from(count).unwrap_or(i64::MAX));
    let json = Json::object([
        ("status", Json::from(status)),
        ("workflowId", Json::from(record.workflow_id.as_deref().unwrap_or_default())),
        ("workflowRunId", Json::from(record.id.as_str())),
        ("workflowName", Json::from(record.name.as_str())),
        ("totalSteps", number(total)),
        ("succeeded", number(succeeded)),
        ("failed", number(failed)),
        ("skipped", number(skipped)),
        ("failures", Json::Array(failures.collect())),
        ("steps", Json::Array(all.collect())),
    ]);
    Report { markdown, json }
}

/// A value as a cell shows it.
fn shown(value: &Json) -> String {
    match value {
        Json::Array(_) | Json::Object(_) => value.to_string(),
        plain => template::put_into_text(plain),
    }
}

/// A table below a heading; nothing without rows. The JSON has those that are too many to be read.
fn table(markdown: &mut String, title: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(markdown, "\n## {title}\n\n| {} |\n|{}\n", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows.by_ref().take(MOST_ROWS) {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        let _ = writeln!(markdown, "| {} |", cells.join(" | "));
    }
    let further = rows.count();
    if further > 0 {
        let _ = write!(markdown, "\nand {further} more\n");
    }
}

/// A text in a cell of a table, where a line and a bar would end it.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as it stands, whatever marks are in it.
fn block(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}
