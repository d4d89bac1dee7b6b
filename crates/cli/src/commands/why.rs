//! `mangrove why`

use mangrove_app::why::{self, Explanation};
use mangrove_domain::{
    failure::Failure,
    ports::AuditRecord,
    problem::Code,
    row::Row,
    state::{State, StateName},
    time::Timestamp,
};
use serde::Serialize;

use super::Context;
use crate::{
    documents::{ProblemDocument, SourceDocument},
    errors::CommandError,
    exit::Exit,
    human,
    printer::Style,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WhyDocument {
    schema: &'static str,
    query: String,
    sources: Vec<ExplainedDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedDocument {
    #[serde(flatten)]
    source: SourceDocument,
    next_action: &'static str,
    remarks: Vec<ProblemDocument>,
    history: Vec<HistoryDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryDocument {
    at: String,
    from: Option<&'static str>,
    to: &'static str,
    reason: String,
}

pub(crate) async fn run(context: &Context, query: &str) -> Result<Exit, CommandError> {
    let workspace = context.look().await?;
    let explanations = why::explain(&workspace.scanner, query).await?;
    if explanations.is_empty() {
        return Err(unknown(query));
    }
    let now = workspace.scanner.ports().clock.now();
    if context.printer.is_json() {
        context.printer.document(&WhyDocument {
            schema: "mangrove.why/1",
            query: query.to_owned(),
            sources: explanations.iter().map(document).collect(),
        });
    } else {
        for explanation in &explanations {
            print(context, explanation, now);
        }
    }
    Ok(Exit::Done)
}

/// The error about a query that no source matches.
pub(crate) fn unknown(query: &str) -> CommandError {
    CommandError::no(
        Some(Code::UNKNOWN_NAME),
        format!("no source has the path or type `{query}`"),
        Some("`mangrove types --all` lists all; paths are relative to the repository"),
    )
}

fn document(explanation: &Explanation) -> ExplainedDocument {
    let history = |record: &AuditRecord| HistoryDocument {
        at: human::rfc3339(record.transition.at),
        from: record.transition.from.map(StateName::as_str),
        to: record.transition.to.as_str(),
        reason: record.transition.reason.clone(),
    };
    ExplainedDocument {
        source: SourceDocument::new(&explanation.step, explanation.row.as_deref()),
        next_action: explanation.step.action.name(),
        remarks: explanation.remarks.iter().map(ProblemDocument::from).collect(),
        history: explanation.history.iter().map(history).collect(),
    }
}

fn print(context: &Context, explanation: &Explanation, now: Timestamp) {
    let printer = &context.printer;
    printer.line(printer.styled(Style::Bold, &explanation.source.to_string()));
    let row = explanation.row.as_deref();
    if let Some(row) = row {
        let type_name = row.type_name().map(|name| format!("  `{name}`")).unwrap_or_default();
        printer.line(format!("  state    {}{type_name}", row.state.name()));
        if let Some(winner) = &row.shadowed_by {
            printer.line(format!("  shadowed {winner} resolves the type instead"));
        }
        if row.is_add_on() {
            printer.line("  add-on   it adds to that type and is none of its own");
        }
    } else {
        printer.line("  state    not in the catalog yet");
    }
    for remark in &explanation.remarks {
        printer.line(format!("  remark   {} [{}]", remark.message, remark.code));
    }
    printer.line(format!("  verdict  {}: {}", explanation.step.verdict.name(), explanation.step.verdict));
    printer.line(format!("  a scan   would {} it", explanation.step.action.name()));
    if let Some(State::ValidationFailed { violations, .. }) = row.map(|row| &row.state) {
        printer.line("  rejected because");
        for violation in violations {
            printer.line(format!("    {violation}"));
        }
    }
    if let Some(failure) = row.and_then(Row::failure) {
        printer.line(format!(
            "  failure  {} [{}], {}, first {}, last {}",
            failure.class,
            failure.code,
            human::count(failure.attempts.into(), "attempt"),
            human::ago(failure.first_seen, now),
            human::ago(failure.last_seen, now),
        ));
        for line in failure_lines(failure) {
            printer.line(format!("    {line}"));
        }
        if let Some(at) = failure.next_retry {
            printer.line(format!("  retry    {}, at a scan, or when the type is asked for", human::ahead(at, now)));
        }
    }
    for record in &explanation.history {
        let from = record.transition.from.map_or("new", |state| state.as_str());
        printer.line(format!(
            "  {}  {from} → {}: {}",
            human::ago(record.transition.at, now),
            record.transition.to,
            record.transition.reason
        ));
    }
}

/// The messages of a failure: the latest, and the first where it says something else (fault 43).
fn failure_lines(failure: &Failure) -> Vec<String> {
    let mut lines: Vec<String> = failure.latest_message.lines().map(str::to_owned).collect();
    if failure.first_message != failure.latest_message {
        lines.push(format!("at first: {}", failure.first_message));
    }
    lines
}
