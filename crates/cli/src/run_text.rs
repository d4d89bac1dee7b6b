//! Pieces of what is printed of runs, past ones and those that go on.

use mangrove_documents::{RunProblemDocument, StepDocument};
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
        Some("guarded") => Some("skipped by its guard: what it does is done already".to_owned()),
        _ if step.allowed_failure => Some("its failure is allowed".to_owned()),
        _ => None,
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
        Some(RunStatus::Failed | RunStatus::Blocked | RunStatus::Interrupted) => Style::Red,
        Some(RunStatus::Cancelled | RunStatus::Skipped | RunStatus::WaitingApproval | RunStatus::Suspended) => {
            Style::Yellow
        }
        Some(RunStatus::Pending | RunStatus::Running) | None => Style::Cyan,
    };
    style.of(status)
}
