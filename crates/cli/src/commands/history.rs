//! `mangrove workflow history`: past runs as scripts of swamp ask for them.

use std::collections::BTreeMap;

use mangrove_app::service::Service;
use mangrove_documents::{Moment, ReferenceRunDocument, RunDocument};
use mangrove_domain::{
    ports::RunFilter,
    run::{RunLookup, RunRecord, RunStatus},
};
use serde::Serialize;

use super::{Context, reference, run};
use crate::{args, errors::CommandError, exit::Exit, human, printer::table};

/// How many runs are listed.
const LISTED: usize = 50;

#[derive(Serialize)]
struct SearchDocument {
    schema: &'static str,
    query: String,
    results: Vec<PastRun>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PastRun {
    run_id: String,
    workflow_id: Option<String>,
    workflow_name: String,
    status: String,
    started_at: Moment,
    completed_at: Option<Moment>,
    duration: Option<u64>,
    tags: BTreeMap<String, String>,
    failed_step: Option<String>,
    failure_reason: Option<String>,
    step_progress: StepProgress,
}

#[derive(Serialize)]
struct StepProgress {
    completed: usize,
    total: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogsDocument {
    schema: &'static str,
    path: Option<String>,
    lines: Vec<String>,
    line_count: usize,
}

pub(crate) async fn dispatch(context: &Context, history: args::History) -> Result<Exit, CommandError> {
    match history {
        args::History::Get { name } => get(context, &name).await,
        args::History::Search { query } => search(context, query.unwrap_or_default()).await,
        args::History::Logs { name, tail } => logs(context, &name, tail).await,
    }
}

/// The latest run of a workflow, else the run of this identifier.
async fn find(service: &Service, name: &str) -> Result<RunRecord, CommandError> {
    let filter = RunFilter { name: Some(name.to_owned()), limit: Some(1), ..RunFilter::default() };
    if let Some(latest) = service.runs(&filter).await?.first()
        && let RunLookup::Found(record) = service.run(&latest.id).await?
    {
        return Ok(*record);
    }
    run::find(service, name).await
}

async fn get(context: &Context, name: &str) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let document = RunDocument::from(&find(&service, name).await?);
    if context.printer.is_json() {
        let document = reference::with_artifacts(&service, &document).await?;
        context.printer.document(&ReferenceRunDocument::from(&document));
    } else {
        run::print(&context.printer, &document, context.now());
    }
    Ok(Exit::Done)
}

async fn search(context: &Context, query: String) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let wanted = query.to_lowercase();
    let mut results = Vec::new();
    for header in service.runs(&RunFilter::default()).await? {
        let texts = [&header.name, &header.id];
        if results.len() == LISTED || !texts.into_iter().any(|text| text.to_lowercase().contains(&wanted)) {
            continue;
        }
        // It may have been forgotten meanwhile.
        if let RunLookup::Found(record) = service.run(&header.id).await? {
            results.push(past_run(&record));
        }
    }
    if context.printer.is_json() {
        context.printer.document(&SearchDocument { schema: "mangrove.workflow-history/1", query, results });
        return Ok(Exit::Done);
    }
    let now = context.now();
    let cell = |run: &PastRun| {
        let started = human::ago(run.started_at.0, now);
        vec![run.run_id.clone(), run.status.clone(), run.workflow_name.clone(), started]
    };
    context.printer.lines(table(&results.iter().map(cell).collect::<Vec<_>>()));
    if results.is_empty() {
        context.printer.note("no such runs; `mangrove workflow run NAME` runs a workflow");
    }
    Ok(Exit::Done)
}

fn past_run(record: &RunRecord) -> PastRun {
    let document = RunDocument::from(record);
    let steps = || record.jobs.iter().flat_map(|job| &job.steps);
    let failed = steps().find(|step| step.error.is_some() && !step.is_failure_allowed);
    let has_ended = |status: RunStatus| status.is_final() && status != RunStatus::Skipped;
    PastRun {
        run_id: document.run_id,
        workflow_id: document.workflow_id,
        workflow_name: document.name,
        status: document.status,
        started_at: document.started_at,
        completed_at: document.finished_at,
        duration: document.duration_ms,
        tags: document.tags,
        failed_step: failed.map(|step| step.name.clone()),
        failure_reason: record.error.as_ref().map(|error| error.message.clone()),
        step_progress: StepProgress {
            completed: steps().filter(|step| has_ended(step.status)).count(),
            total: steps().count(),
        },
    }
}

async fn logs(context: &Context, name: &str, tail: Option<usize>) -> Result<Exit, CommandError> {
    let record = find(&context.look()?, name).await?;
    let steps = record.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
    let line = |job: &str, step: &str, text: &str| format!("[{job}/{step}] {text}");
    let mut lines: Vec<String> =
        steps.flat_map(|(job, step)| step.logs.iter().map(move |log| line(&job.name, &step.name, &log.text))).collect();
    if let Some(tail) = tail {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    if context.printer.is_json() {
        let line_count = lines.len();
        let schema = "mangrove.workflow-history-logs/1";
        context.printer.document(&LogsDocument { schema, path: None, lines, line_count });
        return Ok(Exit::Done);
    }
    for line in &lines {
        context.printer.line(human::without_styles(line).as_ref());
    }
    if lines.is_empty() {
        context.printer.note("nothing was logged");
    }
    Ok(Exit::Done)
}
