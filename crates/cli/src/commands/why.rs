//! `mangrove why`

use std::path::Path;

use mangrove_app::why::{Explanation, Helper};
use mangrove_domain::{
    failure::Failure,
    problem::{Code, Problem},
    row::Row,
    settle::AuditRecord,
    state::{State, StateName},
    time::Timestamp,
};
use serde::Serialize;

use super::{Context, current_directory, query};
use crate::{
    advice,
    documents::{ProblemDocument, SourceDocument},
    errors::CommandError,
    exit::Exit,
    human,
    line::Style,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WhyDocument {
    schema: &'static str,
    query: String,
    sources: Vec<ExplainedDocument>,
    helpers: Vec<HelperDocument>,
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HelperDocument {
    root: String,
    path: String,
    imported_by: Vec<String>,
    remarks: Vec<ProblemDocument>,
}

pub(crate) async fn run(context: &Context, text: &str) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let here = current_directory();
    let answer = service.why(query(text, here.as_deref())).await?;
    if answer.explanations.is_empty() && answer.helpers.is_empty() {
        return Err(unknown(service.directory(), text, answer.nearest, &answer.unobservable));
    }
    let now = service.clock().now();
    if context.printer.is_json() {
        context.printer.document(&WhyDocument {
            schema: "mangrove.why/1",
            query: text.to_owned(),
            sources: answer.explanations.iter().map(document).collect(),
            helpers: answer.helpers.iter().map(helper_document).collect(),
        });
    } else {
        for explanation in &answer.explanations {
            print(context, explanation, now);
        }
        for helper in &answer.helpers {
            print_helper(context, helper);
        }
    }
    Ok(Exit::Done)
}

/// The error about a query that no source matches.
pub(crate) fn unknown(
    repository: &Path,
    query: &str,
    nearest: Option<String>,
    unobservable: &[Problem],
) -> CommandError {
    let is_file = repository.join(query).is_file() || Path::new(query).is_file();
    let (message, hint) = if is_file {
        (
            format!("`{query}` is not a source, and no source imports it"),
            "sources are .ts, .tsx and .mts files in the directories of a kind, such as extensions/models; tests, \
             declarations and directories that begin with `_` or `.` are left out",
        )
    } else {
        (format!("no source has the path or type `{query}`"), "`mangrove types --all` lists all sources")
    };
    let hint = nearest.filter(|_| !is_file).unwrap_or_else(|| hint.to_owned());
    let mut error = CommandError::no(Some(Code::UNKNOWN_NAME), message, Some(&hint));
    if !is_file && !unobservable.is_empty() {
        error.details.push("it may be in one of these places, which cannot be read now:".to_owned());
        let line = |problem: &Problem| format!("  {}: {} [{}]", problem.subject, problem.message, problem.code);
        error.details.extend(unobservable.iter().map(line));
    }
    error
}

fn helper_document(helper: &Helper) -> HelperDocument {
    HelperDocument {
        root: helper.source.root.to_string(),
        path: helper.source.path.to_string(),
        imported_by: helper.imported_by.iter().map(ToString::to_string).collect(),
        remarks: helper.remarks.iter().map(ProblemDocument::from).collect(),
    }
}

/// How many importers are named.
const IMPORTERS: usize = 10;

fn print_helper(context: &Context, helper: &Helper) {
    let printer = &context.printer;
    printer.line(Style::Bold.of(helper.source.to_string()));
    let is_elsewhere = helper.remarks.iter().any(|remark| remark.code == Code::WRONG_KIND);
    if is_elsewhere {
        printer.line("  helper   it is not an entry point: what it exports belongs in the directory of another kind");
    } else {
        let names: Vec<String> = helper.export_names.iter().map(|name| format!("`{name}`")).collect();
        printer.line(format!("  helper   it is not an entry point: it exports none of {}", names.join(", ")));
    }
    for remark in &helper.remarks {
        printer.line(format!("  remark   {} [{}]", remark.message, remark.code));
        if let Some(hint) = remark.remedy() {
            printer.line(format!("    {}", advice::text(&hint)));
        }
    }
    if helper.imported_by.is_empty() {
        printer.line("  not imported by any source");
        return;
    }
    printer.line(format!("  imported by {}", human::count(helper.imported_by.len() as u64, "source")));
    for source in helper.imported_by.iter().take(IMPORTERS) {
        printer.line(format!("    {source}"));
    }
    if let Some(more) = helper.imported_by.len().checked_sub(IMPORTERS).filter(|more| *more > 0) {
        printer.line(format!("    and {more} more"));
    }
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
    printer.line(Style::Bold.of(explanation.source.to_string()));
    let row = explanation.row.as_deref();
    if let Some(row) = row {
        let type_name = row.type_name().map(|name| format!("  `{name}`")).unwrap_or_default();
        printer.line(format!("  state    {}{type_name}", row.state.name()));
        if let Some(winner) = &row.shadowed_by {
            printer.line(format!("  shadowed {winner} resolves the type instead"));
        }
        if row.is_add_on() {
            printer.line("  add-on   it adds to that type, and defines no type itself");
        }
    } else {
        printer.line("  state    not in the catalog yet");
    }
    for remark in &explanation.remarks {
        printer.line(format!("  remark   {} [{}]", remark.message, remark.code));
    }
    printer.line(format!("  verdict  {}: {}", explanation.step.verdict.name(), explanation.step.verdict));
    printer.line(format!("  next     a scan would {} it", explanation.step.action.name()));
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
        if let Some(next) = human::next_retry(failure, now) {
            printer.line(format!("  retry    {next}, at the next scan, or when a run needs the type"));
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
        lines.push(format!("first failure: {}", failure.first_message));
    }
    lines
}
