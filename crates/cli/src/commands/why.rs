//! `mangrove why`

use std::path::Path;

use mangrove_documents::{
    ErrorReport, ExplainedDocument, FailureDocument, HelperDocument, ProblemDocument, WhyDocument, source_name,
};
use mangrove_domain::{
    problem::{Code, Problem},
    time::Timestamp,
};

use super::{Context, current_directory, query};
use crate::{errors::CommandError, exit::Exit, human, line::Style};

pub(crate) async fn run(context: &Context, text: &str) -> Result<Exit, CommandError> {
    if let Some(client) = context.client()? {
        let document: WhyDocument = client.get(&["why"], &[("query", text)]).await?;
        print(context, &document, context.now());
        return Ok(Exit::Done);
    }
    let service = context.look()?;
    let here = current_directory();
    let answer = service.why(query(text, here.as_deref())).await?;
    if answer.is_empty() {
        return Err(unknown(service.directory(), text, answer.nearest, &answer.unobservable));
    }
    print(context, &WhyDocument::new(text, &answer), service.clock().now());
    Ok(Exit::Done)
}

fn print(context: &Context, document: &WhyDocument, now: Timestamp) {
    if context.printer.is_json() {
        context.printer.document(document);
        return;
    }
    for explained in &document.sources {
        print_source(context, explained, now);
    }
    for helper in &document.helpers {
        print_helper(context, helper);
    }
    if let Some(built_in) = &document.built_in {
        let version = built_in.version.as_deref().unwrap_or_default();
        context.printer.line(Style::Bold.of(&built_in.type_name) + format!(" {version}"));
        context.printer.line(format!("  {}, comes with the program and is always there", built_in.kind));
    }
}

/// The error about a query that no source matches.
pub(crate) fn unknown(
    repository: &Path,
    query: &str,
    nearest: Option<String>,
    unobservable: &[Problem],
) -> CommandError {
    let is_file = repository.join(query).is_file() || Path::new(query).is_file();
    if !is_file {
        return CommandError::answer(ErrorReport::unknown_source(query, nearest, unobservable));
    }
    let hint = "sources are .ts, .tsx and .mts files in the directories of a kind, such as extensions/models; tests, \
                declarations and directories that begin with `_` or `.` are left out";
    let message = format!("`{query}` is not a source, and no source imports it");
    CommandError::no(Some(Code::UNKNOWN_NAME), message, Some(hint))
}

/// How many importers are named.
const IMPORTERS: usize = 10;

fn print_helper(context: &Context, helper: &HelperDocument) {
    let printer = &context.printer;
    printer.line(Style::Bold.of(source_name(&helper.root, &helper.path)));
    let is_elsewhere = helper.remarks.iter().any(|remark| Code::parse(&remark.code) == Some(Code::WRONG_KIND));
    if is_elsewhere {
        printer.line("  helper   it is not an entry point: what it exports belongs in the directory of another kind");
    } else {
        let names: Vec<String> = helper.export_names.iter().map(|name| format!("`{name}`")).collect();
        printer.line(format!("  helper   it is not an entry point: it exports none of {}", names.join(", ")));
    }
    for remark in &helper.remarks {
        print_remark(context, remark);
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

fn print_remark(context: &Context, remark: &ProblemDocument) {
    context.printer.line(format!("  remark   {} [{}]", remark.message, remark.code));
    if let Some(hint) = &remark.hint {
        context.printer.line(format!("    {hint}"));
    }
}

fn print_source(context: &Context, explained: &ExplainedDocument, now: Timestamp) {
    let printer = &context.printer;
    let source = &explained.source;
    printer.line(Style::Bold.of(source.name()));
    if let Some(state) = &source.state {
        let type_name = source.type_name.as_ref().or(source.claimed_type.as_ref());
        let type_name = type_name.map(|name| format!("  `{name}`")).unwrap_or_default();
        printer.line(format!("  state    {state}{type_name}"));
        if let Some(winner) = &source.shadowed_by {
            printer.line(format!("  shadowed {winner} resolves the type instead"));
        }
        if explained.add_on {
            printer.line("  add-on   it adds to that type, and defines no type itself");
        }
    } else {
        printer.line("  state    not in the catalog yet");
    }
    for remark in &explained.remarks {
        print_remark(context, remark);
    }
    if let (Some(verdict), Some(reason)) = (&source.verdict, &source.reason) {
        printer.line(format!("  verdict  {verdict}: {reason}"));
    }
    printer.line(format!("  next     a scan would {} it", explained.next_action));
    if !source.violations.is_empty() {
        printer.line("  rejected because");
        for violation in &source.violations {
            printer.line(format!("    {violation}"));
        }
    }
    if let Some(failure) = &source.failure {
        print_failure(context, failure, now);
    }
    for transition in &explained.history {
        let from = transition.from.as_deref().unwrap_or("new");
        let ago = human::ago(transition.at.0, now);
        printer.line(format!("  {ago}  {from} → {}: {}", transition.to, transition.reason));
    }
}

/// A failure: the latest message, and the first where it says something else (fault 43).
fn print_failure(context: &Context, failure: &FailureDocument, now: Timestamp) {
    let printer = &context.printer;
    printer.line(format!(
        "  failure  {} [{}], {}, first {}, last {}",
        failure.class,
        failure.code,
        human::count(failure.attempts.into(), "attempt"),
        human::ago(failure.first_seen.0, now),
        human::ago(failure.last_seen.0, now),
    ));
    for line in failure.message.lines() {
        printer.line(format!("    {line}"));
    }
    if failure.first_message != failure.message {
        printer.line(format!("    first failure: {}", failure.first_message));
    }
    if let Some(next) = human::next_retry(failure, now) {
        printer.line(format!("  retry    {next}, at the next scan, or when a run needs the type"));
    }
}
