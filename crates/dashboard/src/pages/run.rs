//! One run: what became of it, what it wrote and logged, what exactly ran, and ending it.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use mangrove_daemon::http::{ApiError, ApiState, InPath, work};
use mangrove_documents::{RunDocument, human, json};
use mangrove_domain::workflow::Workflow;

use crate::{
    actions,
    content::indented,
    frame::{Frame, Notice, Section, Visitor, page},
    graph::{Drawing, Graph},
    parts::{
        address,
        badge::Badge,
        moment::{When, exact},
    },
    runs::{
        log::LogView,
        now::Now,
        problem::ProblemView,
        steps::JobView,
        written::{self, WrittenView},
    },
};

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    run: RunDocument,
    badge: Badge,
    /// The page of its workflow, if there is one of this name.
    workflow: Option<String>,
    /// The run whose step started it.
    calling: Option<String>,
    started: When,
    finished: Option<When>,
    took: String,
    /// Its inputs as indented JSON.
    inputs: Option<String>,
    problem: Option<ProblemView>,
    /// What is reported of it, and what it wrote that is Markdown.
    reports: Vec<WrittenView>,
    /// Why reports were not made.
    failed_reports: Vec<String>,
    /// True if there is more than one step, so that a drawing says something.
    has_graph: bool,
    drawing: Option<Drawing>,
    /// True if the steps of a job are shown when asked for, or when something in it has to be looked at.
    is_folded: bool,
    /// True if the file of the workflow has other jobs or steps by now.
    has_changed: bool,
    jobs: Vec<JobView>,
    log: LogView,
    /// True if it goes on in this process, so that it can be followed and ended.
    is_here: bool,
}

impl RunPage {
    fn is_open(&self) -> bool {
        self.run.status().is_some_and(mangrove_domain::run::RunStatus::is_open)
    }

    fn started_exactly(&self) -> String {
        exact(self.run.started_at.0)
    }

    fn log_address(&self) -> String {
        format!("{}/log", address::of_run(&self.run.run_id))
    }

    fn cancel_address(&self) -> String {
        format!("{}/cancel", address::of_run(&self.run.run_id))
    }

    /// The events of the run, for the script.
    fn follow_address(&self) -> String {
        format!("/api/v1/runs/{}/logs?follow", address::segment(&self.run.run_id))
    }
}

/// The page.
pub(crate) async fn show(visitor: Visitor, InPath(id): InPath<String>) -> Result<Response, ApiError> {
    let service = visitor.state.service();
    let Now { run, lines, is_here } = Now::of(service, work::find_run(&visitor.state, &id).await?).await;
    let library = visitor.state.look(service.library()).await.ok();
    let frame = visitor.frame(Section::Runs, format!("{} {}", run.name, run.status));
    let workflow = library.as_ref().and_then(|library| library.workflow(&run.name).ok());
    let graph = Graph::of_run(&run, workflow.map(AsRef::as_ref));
    let has_changed = workflow.is_some_and(|workflow| has_changed(workflow, &run));
    let written = written::of_run(service, &run, library.as_deref()).await;
    let mut reports = written::of_reports(service, &run).await;
    reports.extend(written::reports(&written));
    let jobs = run.jobs.iter().zip(written).enumerate();
    let jobs = jobs.map(|(index, (job, written))| JobView::new(&frame, index, job, written)).collect();
    let has_graph = graph.is_worth_drawing();
    page(&RunPage {
        badge: Badge::of_status(&run.status),
        workflow: workflow.map(|workflow| address::of_workflow(&workflow.name.value)),
        calling: run.trigger.strip_prefix("run ").map(str::to_owned),
        started: frame.ago(run.started_at.0),
        finished: run.finished_at.map(|at| frame.ago(at.0)),
        took: human::elapsed(run.duration_ms),
        inputs: inputs(&run),
        problem: run.error.as_ref().map(ProblemView::new),
        reports,
        failed_reports: written::failed_reports(&run),
        drawing: if has_graph { Drawing::new("Jobs and steps", &graph) } else { None },
        has_graph,
        is_folded: graph.has_many_steps(),
        has_changed,
        jobs,
        log: LogView::of(lines),
        is_here,
        frame,
        run,
    })
}

fn inputs(run: &RunDocument) -> Option<String> {
    let has_some = run.inputs.as_object().is_some_and(|inputs| !inputs.is_empty());
    has_some.then(|| indented(&json::from_value(&run.inputs)))
}

/// True if the workflow has jobs or steps that the run has not, or the other way round.
fn has_changed(workflow: &Workflow, run: &RunDocument) -> bool {
    let now = workflow.jobs.iter().map(|job| {
        let steps: Vec<&str> = job.steps.iter().map(|step| step.name.value.as_str()).collect();
        (job.name.value.as_str(), steps)
    });
    let then = run.jobs.iter().map(|job| {
        let mut steps: Vec<&str> =
            job.steps.iter().map(|step| step.template.as_deref().unwrap_or(&step.name)).collect();
        steps.dedup();
        (job.name.as_str(), steps)
    });
    // A step that repeats over nothing leaves no trace.
    let repeats = |job: &str, step: &str| {
        let job = workflow.jobs.iter().find(|known| known.name.value == job);
        let step = job.and_then(|job| job.steps.iter().find(|known| known.name.value == step));
        step.is_some_and(|step| step.for_each.is_some())
    };
    let without = |(job, mut steps): (&'_ str, Vec<&'_ str>)| {
        steps.retain(|step| !repeats(job, step));
        (job.to_owned(), steps.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    !now.map(without).eq(then.map(without))
}

/// Asks the run to end.
pub(crate) async fn cancel(visitor: Visitor, InPath(id): InPath<String>) -> Result<Response, ApiError> {
    let record = work::cancel(&visitor.state, &id, None).await?;
    if let Some(run) = visitor.state.service().active_run(&record.id) {
        // The page that follows shows its end, if it comes soon.
        let _ = tokio::time::timeout(SOON, run.wait()).await;
    }
    Ok(actions::lead_back(Some(&address::of_run(&record.id)), Notice::Cancelling))
}

/// How long the next page waits for something that was asked for.
const SOON: Duration = Duration::from_secs(1);

/// Everything that a run has logged, as text: time, level, job, step and line, with tabs between them.
pub(crate) async fn log(State(state): State<ApiState>, InPath(id): InPath<String>) -> Result<Response, ApiError> {
    let Now { lines, .. } = Now::of(state.service(), work::find_run(&state, &id).await?).await;
    let mut text = String::new();
    for line in lines {
        let place = format!("{} › {}", line.job, line.step);
        text.push_str(&format!("{}\t{}\t{place}\t{}\n", line.at, line.level, line.text));
    }
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
