//! One workflow: what it does, starting it, when it runs by itself, and its latest runs.

use std::{sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Form,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use mangrove_app::{
    service::Service,
    workflow::{Library, RunOptions, inputs::Mistakes},
};
use mangrove_daemon::http::{
    ApiError, InPath,
    work::{self, RunKey, RunRequest},
};
use mangrove_documents::{ProblemDocument, ScheduleDocument, json, problems};
use mangrove_domain::{
    digest::Digest,
    json::Json,
    ports::RunFilter,
    workflow::{Condition, Dependency, Workflow},
};

use crate::{
    form::{self, Entered},
    frame::{Frame, Section, Visitor, page},
    graph::{self, Drawing, Graph},
    parts::{address, run_line::RunLine, schedule::ScheduleView},
};

/// How many runs are listed.
const LATEST: u32 = 10;

/// How long the page of a run waits for its end: what ends at once is shown with its end.
const SOON: Duration = Duration::from_millis(500);

/// The field with the key that makes a form start one run, however often it is sent.
const KEY: &str = "key";

#[derive(Template)]
#[template(path = "workflow.html")]
struct WorkflowPage {
    frame: Frame,
    workflow: Arc<Workflow>,
    address: String,
    /// Why it cannot be run by its name.
    hindrance: Option<ProblemDocument>,
    problems: Vec<ProblemDocument>,
    form: form::Form,
    /// What is wrong with the inputs and belongs to no field.
    mistakes: Vec<String>,
    is_refused: bool,
    key: String,
    has_graph: bool,
    drawing: Option<Drawing>,
    /// True if the steps of a job are shown when asked for.
    is_folded: bool,
    jobs: Vec<JobLine>,
    schedule: Option<ScheduleView>,
    runs: Result<Vec<RunLine>, String>,
}

struct JobLine {
    anchor: String,
    name: String,
    description: Option<String>,
    waits: Vec<String>,
    steps: Vec<StepLine>,
}

struct StepLine {
    anchor: String,
    name: String,
    description: Option<String>,
    task: String,
    waits: Vec<String>,
    /// What is said of it besides: repetition, time limit, failures that do not count.
    remarks: Vec<String>,
}

impl WorkflowPage {
    fn runs_address(&self) -> String {
        format!("/runs?name={}", address::segment(&self.workflow.name.value))
    }

    fn pattern(&self) -> Option<&str> {
        mangrove_documents::schedule(&self.workflow)
    }
}

/// The page.
pub(crate) async fn show(visitor: Visitor, InPath(name): InPath<String>) -> Result<Response, ApiError> {
    let library = visitor.state.look(visitor.state.service().library()).await?;
    let found = find(&library, &name)?;
    let form = form::Form::new(&found.workflow.input_schema());
    render(&visitor, &library, found, form, Vec::new()).await
}

/// Starts a run with what the form says, and leads to its page. A form that is wrong comes back.
pub(crate) async fn start(
    visitor: Visitor,
    InPath(name): InPath<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    visitor.state.takes_work()?;
    let service = visitor.state.service();
    let library = visitor.state.look(service.library()).await?;
    let found = find(&library, &name)?;
    let entered: Entered = fields.into_iter().collect();
    let mut form = form::Form::new(&found.workflow.input_schema()).filled(&entered);
    let Some(inputs) = form.inputs() else {
        return refuse(&visitor, &library, found, form, Vec::new()).await;
    };
    if let Err(Mistakes(wrong)) = Service::check_inputs(&found.workflow, inputs.clone()) {
        let others = form.refuse(wrong);
        return refuse(&visitor, &library, found, form, others).await;
    }
    let key = key(&visitor, &name, entered.get(KEY).map(String::as_str).unwrap_or_default(), &inputs)?;
    let serde_json::Value::Object(inputs) = json::to_value(&inputs) else {
        return Err(ApiError::plain(StatusCode::BAD_REQUEST, "the inputs are no object"));
    };
    let request =
        RunRequest { workflow: name, inputs, trigger: "dashboard".to_owned(), options: RunOptions::default(), key };
    let answer = work::start(&visitor.state, request, SOON).await?;
    Ok(Redirect::to(&address::of_run(&answer.record.id)).into_response())
}

/// Leads whoever loads the answer to a form again back to the form.
pub(crate) async fn lead_to_form(InPath(name): InPath<String>) -> Redirect {
    Redirect::to(&format!("{}#start", address::of_workflow(&name)))
}

/// The key of a form that was sent: the same form with the same inputs is the same request, whoever sends it again; with
/// other inputs it is another one.
fn key(visitor: &Visitor, workflow: &str, sent: &str, inputs: &Json) -> Result<Option<RunKey>, ApiError> {
    if sent.is_empty() {
        return Ok(None);
    }
    let inputs = inputs.to_string();
    let key = Digest::of(format!("{sent}\0{workflow}\0{inputs}").as_bytes()).to_string();
    RunKey::new(&visitor.identity, &key, workflow, inputs.as_bytes()).map(Some)
}

/// A workflow, and why it cannot be run by its name if that is so.
struct Found {
    workflow: Arc<Workflow>,
    hindrance: Option<ProblemDocument>,
}

/// The workflow of this name or identifier: one that cannot be run is shown as well.
fn find(library: &Library, name: &str) -> Result<Found, ApiError> {
    match library.workflow(name) {
        Ok(workflow) => Ok(Found { workflow: Arc::clone(workflow), hindrance: None }),
        Err(problem) => {
            let same = |workflow: &&Arc<Workflow>| workflow.name.value == name || workflow.id == name;
            let Some(workflow) = library.workflows.iter().find(same) else {
                let hiding = problems(library.hiding_problems(&problem));
                return Err(ApiError::of_problem(&problem).with_problems(hiding));
            };
            Ok(Found { workflow: Arc::clone(workflow), hindrance: Some((&problem).into()) })
        }
    }
}

async fn refuse(
    visitor: &Visitor,
    library: &Library,
    found: Found,
    form: form::Form,
    mistakes: Vec<String>,
) -> Result<Response, ApiError> {
    let mut response = render(visitor, library, found, form, mistakes).await?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

async fn render(
    visitor: &Visitor,
    library: &Library,
    found: Found,
    form: form::Form,
    mistakes: Vec<String>,
) -> Result<Response, ApiError> {
    let Found { workflow, hindrance } = found;
    let service = visitor.state.service();
    let name = &workflow.name.value;
    let frame = visitor.frame(Section::Workflows, name.as_str());
    let graph = Graph::of_workflow(&workflow);
    let has_graph = graph.is_worth_drawing();
    let filter = RunFilter { name: Some(name.clone()), limit: Some(LATEST), before: None };
    let runs = service.runs(&filter).await.map_err(|error| error.to_string());
    let runs = runs.map(|runs| runs.iter().map(|run| RunLine::new(&frame, &run.into())).collect());
    let schedules = visitor.state.backend().schedules().await;
    let is_its = |schedule: &&ScheduleDocument| schedule.id == workflow.id && schedule.path == workflow.file;
    let schedule = schedules.as_ref().and_then(|document| document.schedules.iter().find(is_its));
    let known = service.schedules(library).map(|schedules| {
        let of_schedule = schedules.further_problems(library).filter(|problem| problem.subject == workflow.file);
        problems(library.problems_of(&workflow.file).chain(of_schedule))
    });
    page(&WorkflowPage {
        address: address::of_workflow(name),
        hindrance,
        problems: known?,
        is_refused: form.mistakes() > 0 || !mistakes.is_empty(),
        form,
        mistakes,
        key: service.scanner().ports().entropy.identifier(),
        drawing: if has_graph { Drawing::new("Jobs and steps", &graph) } else { None },
        has_graph,
        is_folded: graph.has_many_steps(),
        jobs: jobs(&workflow),
        schedule: schedule.map(|schedule| ScheduleView::new(&frame, schedule)),
        runs,
        frame,
        workflow,
    })
}

fn jobs(workflow: &Workflow) -> Vec<JobLine> {
    let jobs = workflow.jobs.iter().enumerate().map(|(index, job)| {
        let steps = job.steps.iter().enumerate().map(|(number, step)| {
            let mut remarks = Vec::new();
            if let Some(for_each) = &step.for_each {
                remarks.push(format!("once for each {}", for_each.item.value));
            }
            if step.guard.is_some() {
                remarks.push("unless its guard says that it is done".to_owned());
            }
            if step.allow_failure {
                remarks.push("its failure does not count".to_owned());
            }
            if let Some(limit) = step.timeout {
                remarks.push(format!("at most {}", mangrove_documents::human::duration(limit)));
            }
            StepLine {
                anchor: graph::step_anchor(index, number),
                name: step.name.value.clone(),
                description: step.description.clone(),
                task: step.task.label(),
                waits: step.depends_on.iter().map(waits).collect(),
                remarks,
            }
        });
        JobLine {
            anchor: graph::job_anchor(index),
            name: job.name.value.clone(),
            description: job.description.clone(),
            waits: job.depends_on.iter().map(waits).collect(),
            steps: steps.collect(),
        }
    });
    jobs.collect()
}

/// `collect succeeded`
fn waits(dependency: &Dependency) -> String {
    format!("{} {}", dependency.on.value, words(&dependency.condition))
}

fn words(condition: &Condition) -> String {
    let joined = |conditions: &[Condition], with: &str| conditions.iter().map(words).collect::<Vec<_>>().join(with);
    match condition {
        Condition::Always => "has ended or was left out".to_owned(),
        Condition::Succeeded => "succeeded".to_owned(),
        Condition::Failed => "failed".to_owned(),
        Condition::Completed => "has ended".to_owned(),
        Condition::Skipped => "was skipped".to_owned(),
        Condition::All(conditions) => joined(conditions, " and "),
        Condition::Any(conditions) => joined(conditions, " or "),
        Condition::Not(condition) => format!("not: {}", words(condition)),
    }
}
