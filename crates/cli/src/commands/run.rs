//! `mangrove run list` and `mangrove run show`

use mangrove_documents::{
    ErrorReport, JobDocument, RunDocument, RunListDocument, RunProblemDocument, StepDocument, json,
};
use mangrove_domain::{
    ports::RunFilter,
    run::{RunLookup, RunStatus},
    time::Timestamp,
};
use serde_json::Value;

use super::Context;
use crate::{
    errors::CommandError,
    exit::Exit,
    human,
    line::{Line, Style},
    printer::{Printer, table},
};

pub(crate) async fn list(context: &Context, name: Option<String>, limit: u32) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let runs = service.runs(&RunFilter { name, limit: Some(limit), ..RunFilter::default() }).await?;
    print_list(&context.printer, &RunListDocument::from(runs.as_slice()), service.clock().now());
    Ok(Exit::Done)
}

fn print_list(printer: &Printer, document: &RunListDocument, now: Timestamp) {
    if printer.is_json() {
        printer.document(document);
        return;
    }
    let cells: Vec<Vec<String>> = document
        .runs
        .iter()
        .map(|run| {
            vec![
                run.run_id.clone(),
                run.status.clone(),
                run.name.clone(),
                human::ago(run.started_at.0, now),
                human::elapsed(run.duration_ms),
            ]
        })
        .collect();
    for line in table(&cells) {
        printer.line(line);
    }
    if cells.is_empty() {
        printer.note("no runs; `mangrove workflow run NAME` runs a workflow");
    }
}

pub(crate) async fn show(context: &Context, id: &str) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let record = match service.run(id).await? {
        RunLookup::Found(record) => record,
        RunLookup::Unknown => return Err(CommandError::answer(ErrorReport::unknown_run(id))),
        RunLookup::Ambiguous => return Err(CommandError::answer(ErrorReport::ambiguous_run(id))),
    };
    print(&context.printer, &RunDocument::from(record.as_ref()), service.clock().now());
    Ok(Exit::Done)
}

fn print(printer: &Printer, run: &RunDocument, now: Timestamp) {
    if printer.is_json() {
        printer.document(run);
        return;
    }
    let elapsed = human::elapsed(run.duration_ms);
    printer.line(Style::Bold.of(&run.name) + "  " + status(&run.status) + format!("  {elapsed}"));
    printer.line(format!("  run {}, {} by {}", run.run_id, human::ago(run.started_at.0, now), run.trigger));
    if run.inputs.as_object().is_some_and(|inputs| !inputs.is_empty()) {
        printer.line(format!("  inputs {}", json::from_value(&run.inputs)));
    }
    for job in &run.jobs {
        print_job(printer, job);
    }
    if let Some(error) = &run.error {
        printer.line(format!("  error[{}]: {}", error.code, error.message));
        print_hint(printer, error, "  ");
    }
}

fn print_job(printer: &Printer, job: &JobDocument) {
    let elapsed = human::elapsed(job.duration_ms);
    printer.line(Line::from("  ") + Line::name(&job.name) + "  " + status(&job.status) + format!("  {elapsed}"));
    for step in &job.steps {
        print_step(printer, step);
    }
}

fn print_step(printer: &Printer, step: &StepDocument) {
    let elapsed = human::elapsed(step.duration_ms);
    let head = Line::from("    ") + Line::name(&step.name) + " (" + Line::name(&step.task) + ")  ";
    printer.line(head + status(&step.status) + format!("  {elapsed}"));
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
pub(crate) fn print_hint(printer: &Printer, error: &RunProblemDocument, indent: &str) {
    if let Some(hint) = &error.hint {
        printer.line(format!("{indent}hint: {hint}"));
    }
}

/// `report/report version 2 (213 B)`
pub(crate) fn handle_text(handle: &Value) -> String {
    let text = |key| handle.get(key).and_then(Value::as_str).unwrap_or("?");
    let number = |key| handle.get(key).and_then(Value::as_i64).unwrap_or(0);
    let size = human::size(u64::try_from(number("size")).unwrap_or(0));
    format!("{}/{} version {} ({size})", text("specName"), text("name"), number("version"))
}

/// A status in its colour.
pub(crate) fn status(status: &str) -> Line {
    let style = match RunStatus::parse(status) {
        Some(RunStatus::Succeeded) => Style::Green,
        Some(RunStatus::Failed | RunStatus::Blocked) => Style::Red,
        Some(RunStatus::Cancelled | RunStatus::Skipped) => Style::Yellow,
        Some(RunStatus::Pending | RunStatus::Running) | None => Style::Cyan,
    };
    style.of(status)
}
