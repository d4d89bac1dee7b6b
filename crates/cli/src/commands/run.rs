//! `mangrove run list`, `show`, `logs` and `cancel`

use std::{sync::Arc, time::Duration};

use mangrove_app::{service::Service, workflow::replay};
use mangrove_documents::{
    ErrorReport, JobDocument, ListedRunDocument, RunDocument, RunEventDocument, RunListDocument, RunLogLineDocument,
    RunLogsDocument, StepDocument, earlier_run, json,
};
use mangrove_domain::{
    ports::RunFilter,
    problem::{Code, Problem},
    run::{RunLookup, RunRecord, RunStatus},
    time::Timestamp,
};

use super::{Context, running};
use crate::{
    client::Client,
    errors::CommandError,
    exit::Exit,
    human,
    line::{Line, Style},
    printer::{Printer, table},
    run_text::{driver, handle_text, print_hint, reason, report_text, reports_of, status},
};

/// The most runs that a daemon gives at once.
const LARGEST_PAGE: u32 = 1_000;

/// How often a run of another process is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

pub(crate) async fn list(context: &Context, name: Option<String>, limit: u32) -> Result<Exit, CommandError> {
    if let Some(client) = context.client()? {
        print_list(&context.printer, &ask_for_list(&client, name.as_deref(), limit).await?, context.now());
        return Ok(Exit::Done);
    }
    let service = context.look()?;
    let filter = RunFilter { name: name.clone(), limit: Some(limit), ..RunFilter::default() };
    let found = service.runs(&filter).await?;
    let mut document = RunListDocument::from(found.as_slice()).seeing_all(service.sees_all_runs());
    let earlier = service.earlier_runs().await?;
    let earlier =
        earlier.iter().filter_map(earlier_run).filter(|run| name.as_ref().is_none_or(|name| *name == run.name));
    document.runs.extend(earlier.map(|run| ListedRunDocument::from(&run)));
    document.runs.sort_by(|one, other| (other.started_at, &other.run_id).cmp(&(one.started_at, &one.run_id)));
    document.runs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    print_list(&context.printer, &document, service.clock().now());
    Ok(Exit::Done)
}

/// A run of ours, else one that the reference recorded.
async fn find_shown(service: &Service, id: &str) -> Result<RunDocument, CommandError> {
    let error = match find(service, id).await {
        Ok(record) => return Ok(RunDocument::from(&record)),
        Err(error) => error,
    };
    let earlier = service.earlier_runs().await?;
    let found = earlier.iter().filter_map(earlier_run).find(|run| run.run_id.starts_with(id));
    found.ok_or(error)
}

/// As many runs as are wanted, which may be more than a page.
async fn ask_for_list(client: &Client, name: Option<&str>, limit: u32) -> Result<RunListDocument, CommandError> {
    let (mut whole, mut left) = (RunListDocument::from([].as_slice()), limit);
    let mut cursor: Option<String> = None;
    while left > 0 {
        let limit = left.min(LARGEST_PAGE).to_string();
        let parameters = [("limit", Some(limit.as_str())), ("name", name), ("cursor", cursor.as_deref())];
        let given: Vec<(&str, &str)> =
            parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let page: RunListDocument = client.get(&["runs"], &given).await?;
        left = left.saturating_sub(u32::try_from(page.runs.len()).unwrap_or(u32::MAX));
        whole.runs.extend(page.runs);
        whole.is_partial |= page.is_partial;
        let Some(next) = page.next else { break };
        cursor = Some(next);
    }
    Ok(whole)
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
    if document.is_partial {
        let message = "the database does not answer; these are the runs of one machine, and others may have more";
        printer.problem(&Problem::warning(Code::DATABASE_UNREACHABLE, "runs", message));
    }
    printer.lines(table(&cells));
    if cells.is_empty() {
        printer.note("no runs; `mangrove workflow run NAME` runs a workflow");
    }
}

pub(crate) async fn show(context: &Context, id: &str) -> Result<Exit, CommandError> {
    let run = match context.client()? {
        Some(client) => client.get(&["runs", id], &[]).await?,
        None => find_shown(&context.look()?, id).await?,
    };
    print(&context.printer, &run, context.now());
    Ok(Exit::Done)
}

pub(super) async fn find(service: &Service, id: &str) -> Result<RunRecord, CommandError> {
    match service.run(id).await? {
        RunLookup::Found(record) => Ok(*record),
        RunLookup::Unknown => Err(CommandError::answer(ErrorReport::unknown_run(id))),
        RunLookup::Ambiguous => Err(CommandError::answer(ErrorReport::ambiguous_run(id))),
    }
}

pub(crate) async fn logs(context: &Context, id: &str) -> Result<Exit, CommandError> {
    let logs = match context.client()? {
        Some(client) => client.get(&["runs", id, "logs"], &[]).await?,
        None => RunLogsDocument::from(&find(&context.look()?, id).await?),
    };
    if context.printer.is_json() {
        context.printer.document(&logs);
        return Ok(Exit::Done);
    }
    for RunLogLineDocument { job, step, level, text, .. } in &logs.lines {
        let place = Line::name(job) + " › " + Line::name(step) + "  ";
        context.printer.line(place + format!("{level:<5} {text}"));
    }
    if logs.lines.is_empty() {
        context.printer.note("nothing is logged; the lines of a step that goes on are on record after a second");
    }
    Ok(Exit::Done)
}

pub(crate) async fn follow(context: &Context, id: &str) -> Result<Exit, CommandError> {
    let view = running::view(context);
    let show = |event: &RunEventDocument| {
        if let Some(view) = &view {
            view.show(event);
        }
    };
    if let Some(client) = context.client()? {
        let mut events = client.follow(&["runs", id, "logs"]).await?;
        while let Some(event) = events.next().await? {
            show(&event);
        }
        return Ok(Exit::Done);
    }
    // It goes on in another process, whose record is all that is seen here.
    let service = context.look()?;
    let mut record = find(&service, id).await?;
    while record.is_open() {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        record = find(&service, &record.id).await?;
    }
    for event in replay(&Arc::new(record)) {
        show(&RunEventDocument::from(&event));
    }
    Ok(Exit::Done)
}

pub(crate) async fn cancel(context: &Context, id: &str) -> Result<Exit, CommandError> {
    if let Some(client) = context.client()? {
        let run: RunDocument = client.post(&["runs", id, "cancel"], &serde_json::Map::new()).await?;
        say_cancelling(&context.printer, &run);
        return Ok(Exit::Done);
    }
    // Its process finds the request in the history.
    let service = context.open(None)?;
    let record = find(&service, id).await?;
    let id = &record.id;
    if let Some(whole) = record.part_of().filter(|_| record.is_open()) {
        let hint = format!("`mangrove run cancel {whole}` ends both");
        let message = format!("the run {id} is part of the run {whole}, and ends with that one");
        return Err(CommandError::no(None, message, Some(&hint)));
    }
    if record.is_open() && service.request_cancellation(id, None).await? {
        say_cancelling(&context.printer, &RunDocument::from(&record));
        return Ok(Exit::Done);
    }
    let record = find(&service, id).await?;
    if record.status == RunStatus::Cancelled {
        say_cancelling(&context.printer, &RunDocument::from(&record));
        return Ok(Exit::Done);
    }
    Err(CommandError::no(None, format!("the run {id} has ended already: {}", record.status.as_str()), None))
}

fn say_cancelling(printer: &Printer, run: &RunDocument) {
    if printer.is_json() {
        printer.document(run);
    } else {
        let is_over = run.status == RunStatus::Cancelled.as_str();
        let verb = if is_over { "Cancelled" } else { "Cancelling" };
        printer.status(verb, format!("{} (run {}){}", run.name, run.run_id, if is_over { " already" } else { "" }));
    }
}

pub(super) fn print(printer: &Printer, run: &RunDocument, now: Timestamp) {
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
    if let Some(problem) = &run.file_problem {
        printer.line(format!("  ran as it was last in order; its file cannot be used: {}", problem.message));
    }
    for job in &run.jobs {
        print_job(printer, job);
    }
    if let Some(error) = &run.error {
        printer.line(format!("  error[{}]: {}", error.code, human::without_styles(&error.message)));
        print_hint(printer, error, "  ");
    }
    for report in &run.reports {
        printer.line(format!("  {}", report_text(report)));
        for line in &report.logs {
            printer.line(format!("    {:<5} {}", line.level, human::without_styles(&line.text)));
        }
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
        printer.line(format!("      {:<5} {}", line.level, human::without_styles(&line.text)));
    }
    if let Some(reason) = reason(step) {
        printer.line(format!("      {reason}"));
    }
    if let Some(assertion) = &step.assertion {
        let word = if assertion.passed { "holds" } else { "does not hold" };
        printer.line(format!("      {word} ({}): {}", assertion.severity, assertion.expression));
    }
    if let Some(approval) = &step.approval {
        printer.line(format!("      asks: {}", approval.prompt));
        if let Some(decision) = &approval.decision {
            let word = if decision.approved { "approved" } else { "rejected" };
            let reason = decision.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            printer.line(format!("      {word} by {}{reason}", decision.decided_by));
        }
    }
    for handle in &step.data_handles {
        printer.line(format!("      wrote {}", handle_text(handle)));
    }
    if let Some(error) = &step.error {
        printer.line(format!("      error[{}]: {}", error.code, human::without_styles(&error.message)));
        print_hint(printer, error, "      ");
    }
    for report in reports_of(step) {
        printer.line(format!("      {}", report_text(report)));
    }
    if let Some(provenance) = &step.provenance {
        let version = provenance.type_version.as_deref().unwrap_or("without version");
        printer.line(format!("      ran {} {version} from {}", provenance.type_name, provenance.source));
        if let Some(driver) = driver(step) {
            printer.line(format!("      {driver}"));
        }
    }
}
