//! `mangrove run list` and `mangrove run show`

use mangrove_domain::{
    ports::RunFilter,
    problem::Code,
    run::{JobRecord, RunHeader, RunLookup, RunProblem, RunRecord, RunStatus, StepRecord},
    time::Timestamp,
};
use serde::Serialize;

use super::Context;
use crate::{
    advice,
    errors::CommandError,
    exit::Exit,
    human,
    line::{Line, Style},
    printer::{Printer, table},
    run_document::RunDocument,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunListDocument {
    schema: &'static str,
    runs: Vec<ListedRunDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedRunDocument {
    run_id: String,
    name: String,
    status: &'static str,
    trigger: String,
    started_at: String,
    finished_at: Option<String>,
    duration_ms: Option<u64>,
}

pub(crate) async fn list(context: &Context, name: Option<String>, limit: u32) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let records = service.runs(&RunFilter { name, limit: Some(limit), ..RunFilter::default() }).await?;
    if context.printer.is_json() {
        let listed = |record: &RunHeader| ListedRunDocument {
            run_id: record.id.clone(),
            name: record.name.clone(),
            status: record.status.as_str(),
            trigger: record.trigger.clone(),
            started_at: human::rfc3339(record.started_at),
            finished_at: record.finished_at.map(human::rfc3339),
            duration_ms: human::elapsed_ms(Some(record.started_at), record.finished_at),
        };
        let runs = records.iter().map(listed).collect();
        context.printer.document(&RunListDocument { schema: "mangrove.run-list/1", runs });
        return Ok(Exit::Done);
    }
    let now = service.clock().now();
    let cells: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            vec![
                record.id.clone(),
                record.status.as_str().to_owned(),
                record.name.clone(),
                human::ago(record.started_at, now),
                human::elapsed(Some(record.started_at), record.finished_at),
            ]
        })
        .collect();
    for line in table(&cells) {
        context.printer.line(line);
    }
    if cells.is_empty() {
        context.printer.note("no runs; `mangrove workflow run NAME` runs a workflow");
    }
    Ok(Exit::Done)
}

pub(crate) async fn show(context: &Context, id: &str) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let unknown = |message: String, hint: &str| CommandError::no(Some(Code::UNKNOWN_NAME), message, Some(hint));
    let record = match service.run(id).await? {
        RunLookup::Found(record) => record,
        RunLookup::Unknown => {
            let message = format!("no run has an identifier that begins with `{id}`");
            return Err(unknown(message, "`mangrove run list` lists the runs"));
        }
        RunLookup::Ambiguous => {
            let message = format!("more than one run has an identifier that begins with `{id}`");
            return Err(unknown(message, "give more of the identifier; `mangrove run list` lists the runs"));
        }
    };
    if context.printer.is_json() {
        context.printer.document(&RunDocument::new(&record));
    } else {
        print(&context.printer, &record, service.clock().now());
    }
    Ok(Exit::Done)
}

fn print(printer: &Printer, record: &RunRecord, now: Timestamp) {
    let elapsed = human::elapsed(Some(record.started_at), record.finished_at);
    printer.line(Style::Bold.of(&record.name) + "  " + status(record.status) + format!("  {elapsed}"));
    printer.line(format!("  run {}, {} by {}", record.id, human::ago(record.started_at, now), record.trigger));
    if record.inputs.as_object().is_some_and(|inputs| !inputs.is_empty()) {
        printer.line(format!("  inputs {}", record.inputs));
    }
    for job in &record.jobs {
        print_job(printer, job);
    }
    if let Some(error) = &record.error {
        printer.line(format!("  error[{}]: {}", error.code, error.message));
        print_hint(printer, error, "  ");
    }
}

fn print_job(printer: &Printer, job: &JobRecord) {
    let elapsed = human::elapsed(job.started_at, job.finished_at);
    printer.line(Line::from("  ") + Line::name(&job.name) + "  " + status(job.status) + format!("  {elapsed}"));
    for step in &job.steps {
        print_step(printer, step);
    }
}

fn print_step(printer: &Printer, step: &StepRecord) {
    let elapsed = human::elapsed(step.started_at, step.finished_at);
    let head = Line::from("    ") + Line::name(&step.name) + " (" + Line::name(&step.task) + ")  ";
    printer.line(head + status(step.status) + format!("  {elapsed}"));
    for line in &step.logs {
        printer.line(format!("      {:<5} {}", line.level, line.text));
    }
    for handle in &step.data_handles {
        printer.line(format!("      wrote {}", handle_text(handle)));
    }
    if let Some(error) = &step.error {
        printer.line(format!("      error[{}]: {}", error.code, error.message));
        print_hint(printer, error, "      ");
    }
    if let Some(provenance) = &step.provenance {
        let version = provenance.type_version.as_deref().unwrap_or("without version");
        printer.line(format!("      ran {} {version} from {}", provenance.type_name, provenance.source));
    }
}

/// What helps, below the error that it is about.
pub(crate) fn print_hint(printer: &Printer, error: &RunProblem, indent: &str) {
    if let Some(hint) = advice::of_run_problem(error) {
        printer.line(format!("{indent}hint: {hint}"));
    }
}

/// `report/report version 2 (213 B)`
pub(crate) fn handle_text(handle: &mangrove_domain::json::Json) -> String {
    let text = |key| handle.get(key).and_then(mangrove_domain::json::Json::as_str).unwrap_or("?");
    let number = |key| handle.get(key).and_then(mangrove_domain::json::Json::as_integer).unwrap_or(0);
    let size = human::size(u64::try_from(number("size")).unwrap_or(0));
    format!("{}/{} version {} ({size})", text("specName"), text("name"), number("version"))
}

/// A status in its colour.
pub(crate) fn status(status: RunStatus) -> Line {
    let style = match status {
        RunStatus::Succeeded => Style::Green,
        RunStatus::Failed | RunStatus::Blocked => Style::Red,
        RunStatus::Cancelled | RunStatus::Skipped => Style::Yellow,
        RunStatus::Pending | RunStatus::Running => Style::Cyan,
    };
    style.of(status.as_str())
}
