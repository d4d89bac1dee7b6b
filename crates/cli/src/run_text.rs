//! Pieces of what is printed of runs, past ones and those that go on.

use mangrove_app::method::reports::built_in;
use mangrove_documents::{ReportDocument, RunProblemDocument, StepDocument};
use mangrove_domain::run::RunStatus;
use serde_json::Value;

use crate::{
    human,
    line::{Line, Style},
    printer::Printer,
};

/// What helps, below the error that it is about.
pub(crate) fn print_hint(printer: &Printer, error: &RunProblemDocument, indent: &str) {
    if let Some(hint) = &error.hint {
        printer.line(format!("{indent}hint: {hint}"));
    }
}

/// What else is to be said of how a step ended: why it was skipped, that its failure is allowed.
pub(crate) fn reason(step: &StepDocument) -> Option<String> {
    match step.skipped.as_deref() {
        Some("guarded") => {
            let reason = step.guard_reason.as_deref().unwrap_or("what it does is done already");
            Some(format!("skipped by its guard: {}", human::without_styles(reason)))
        }
        _ if step.allowed_failure => Some("its failure is allowed".to_owned()),
        _ => None,
    }
}

/// `run by the driver @acme/ssh`; `None` if the step ran here.
pub(crate) fn driver(step: &StepDocument) -> Option<String> {
    let driver = step.provenance.as_ref()?.driver.as_ref()?;
    Some(format!("run by the driver {driver}"))
}

/// `report/report version 2 (213 B)`
pub(crate) fn handle_text(handle: &Value) -> String {
    let text = |key| handle.get(key).and_then(Value::as_str).unwrap_or("?");
    let number = |key| handle.get(key).and_then(Value::as_i64).unwrap_or(0);
    let size = human::size(u64::try_from(number("size")).unwrap_or(0));
    format!("{}/{} version {} ({size})", text("specName"), text("name"), number("version"))
}

/// `reported @acme/cost (report-acme-cost version 2)`, or why not.
pub(crate) fn report_text(report: &ReportDocument) -> String {
    match (&report.error, report.data_handles.first()) {
        (Some(error), _) => format!("error[{}]: {}", error.code, error.message),
        (None, None) => format!("reported {}: nothing", report.name),
        (None, Some(handle)) => {
            let name = handle.get("name").and_then(Value::as_str).unwrap_or("?");
            let version = handle.get("version").and_then(Value::as_i64).unwrap_or(0);
            format!("reported {} ({name} version {version})", report.name)
        }
    }
}

/// The reports of a step that are worth a line: not the one of which its error says the same.
pub(crate) fn reports_of(step: &StepDocument) -> impl Iterator<Item = &ReportDocument> {
    let told = step.error.as_ref().map(|error| error.message.as_str());
    let message = |report: &ReportDocument| report.error.as_ref().map(|error| error.message.clone());
    step.reports.iter().filter(move |report| told.is_none() || message(report).as_deref() != told)
}

/// The reports that are shown while a run goes on: those that somebody wrote, and those that could not be made.
pub(crate) fn told_reports<'a>(reports: impl IntoIterator<Item = &'a ReportDocument>) -> impl Iterator<Item = String> {
    reports.into_iter().filter(|report| !report.success || built_in(&report.name).is_none()).map(report_text)
}

/// A status in its colour.
pub(crate) fn status(status: &str) -> Line {
    let style = match RunStatus::parse(status) {
        Some(RunStatus::Succeeded) => Style::Green,
        Some(RunStatus::Failed | RunStatus::Blocked | RunStatus::Interrupted) => Style::Red,
        Some(RunStatus::Cancelled | RunStatus::Skipped | RunStatus::WaitingApproval | RunStatus::Suspended) => {
            Style::Yellow
        }
        Some(RunStatus::Pending | RunStatus::Running) | None => Style::Cyan,
    };
    style.of(status)
}
