//! Running a workflow from its first job to its last record.

mod context;
mod execution;
mod request;
mod single;
mod step;
mod under_way;

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    json::Json,
    problem::{Code, Problem},
    run::{JobRecord, RunProblem, RunRecord, RunStatus, StepRecord},
    workflow::{Job, MAXIMUM_NESTING, Workflow},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

#[expect(clippy::module_name_repetitions, reason = "several parts have requests; the name says whose this one is")]
pub use self::request::RunRequest;
pub use self::request::{Limits, NotRecorded, StartError};

use self::{
    context::{Context, NestedRuns},
    execution::Execution,
    under_way::Lines,
};
use crate::{
    method::{self, RunBudget, Services},
    render::Scope,
    secrets::Environment,
    spans,
    workflow::{
        events::Observer,
        inputs::{self, Mistakes},
        library::Library,
    },
};

/// Runs workflows and single methods.
#[derive(Clone)]
pub struct Engine {
    services: Services,
    repository: String,
    limits: Limits,
    cancellation: CancellationToken,
}

/// A run that is on record and has not begun.
#[expect(clippy::module_name_repetitions, reason = "it is a run in one of its states")]
#[derive(Clone, Debug)]
pub struct RecordedRun {
    workflow: Arc<Workflow>,
    record: RunRecord,
    /// The names of the workflows that led here, this one last.
    chain: Vec<String>,
    deadline: Option<Instant>,
}

impl RecordedRun {
    /// The record as it was saved, but for the masking of secrets.
    #[must_use]
    pub const fn record(&self) -> &RunRecord {
        &self.record
    }
}

/// Where a run comes from.
#[derive(Clone, Copy, Default)]
struct Caller<'a> {
    /// The names of the workflows that led here.
    chain: &'a [String],
    /// When the step that calls it runs out of time.
    deadline: Option<Instant>,
}

/// What a run shares with those that its steps start.
#[derive(Clone, Copy)]
struct Shared<'a> {
    library: &'a Library,
    environment: &'a Arc<Environment>,
    observer: &'a Arc<dyn Observer>,
    budget: &'a Arc<RunBudget>,
}

impl Engine {
    /// An engine for the repository in the directory that methods know as `repository`.
    #[must_use]
    pub fn new(services: Services, repository: String, limits: Limits) -> Self {
        Self { services, repository, limits, cancellation: CancellationToken::default() }
    }

    /// The same engine, whose runs end as cancelled when they are asked to.
    #[must_use]
    pub fn with_cancellation(mut self, cancellation: CancellationToken) -> Self {
        self.cancellation = cancellation;
        self
    }

    /// Runs a workflow. The record is saved when the run begins, after each step and at the end; the one that comes
    /// back is the last. A run that fails is `Ok` with a record that says so (fault 30).
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn run(
        &self,
        library: &Library,
        request: RunRequest,
        environment: Environment,
        observer: Arc<dyn Observer>,
    ) -> Result<RunRecord, StartError> {
        let environment = Arc::new(environment);
        let run = self.record(request, &environment, observer.as_ref()).await?;
        Ok(self.carry_out(library, run, &environment, &observer).await?)
    }

    /// What runs one method of a definition: a run of one job with one step, called `definition.method`.
    /// The inputs are values: an expression in them is text.
    ///
    /// # Errors
    /// [`StartError::Problems`] with `UNKNOWN_NAME` if there is no such definition.
    pub fn method_request(
        library: &Library,
        definition: &str,
        method: &str,
        inputs: Json,
        trigger: String,
    ) -> Result<RunRequest, StartError> {
        let known = library.definition(definition).map_err(|problem| StartError::Problems(vec![problem]))?;
        let workflow = Arc::new(single::workflow(&known.file, &known.name.value, method, &inputs));
        Ok(RunRequest { workflow, inputs, trigger, file_problem: None })
    }

    /// Checks the inputs of a run, gives it an identifier and writes down that it runs.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn record(
        &self,
        request: RunRequest,
        environment: &Environment,
        observer: &dyn Observer,
    ) -> Result<RecordedRun, StartError> {
        self.record_for(Caller::default(), request, environment, observer).await
    }

    /// Carries out a run that is on record.
    ///
    /// # Errors
    /// The last record cannot be saved.
    pub async fn carry_out(
        &self,
        library: &Library,
        run: RecordedRun,
        environment: &Arc<Environment>,
        observer: &Arc<dyn Observer>,
    ) -> Result<RunRecord, NotRecorded> {
        self.execute(run, Shared { library, environment, observer, budget: &RunBudget::new() }).await
    }

    async fn record_for(
        &self,
        caller: Caller<'_>,
        request: RunRequest,
        environment: &Environment,
        observer: &dyn Observer,
    ) -> Result<RecordedRun, StartError> {
        let workflow = request.workflow;
        let chain: Vec<String> = caller.chain.iter().cloned().chain([workflow.name.value.clone()]).collect();
        check_chain(&workflow, &chain).map_err(|problem| StartError::Problems(vec![problem]))?;
        let inputs = self.inputs(&workflow, request.inputs).map_err(StartError::Problems)?;
        let record = RunRecord {
            id: self.services.entropy.identifier(),
            name: workflow.name.value.clone(),
            trigger: request.trigger,
            status: RunStatus::Running,
            started_at: self.services.clock.now(),
            finished_at: None,
            written_at: None,
            inputs,
            jobs: workflow.jobs.iter().map(job_record).collect(),
            error: None,
            file_problem: request.file_problem.map(of_file),
        };
        match context::save(&self.services, environment, observer, &record, &Lines::default()).await {
            Ok(_) => Ok(RecordedRun { workflow, record, chain, deadline: caller.deadline }),
            Err(source) => Err(NotRecorded { source, record: Box::new(record) }.into()),
        }
    }

    async fn execute(&self, run: RecordedRun, shared: Shared<'_>) -> Result<RunRecord, NotRecorded> {
        let RecordedRun { workflow, record, chain, deadline } = run;
        let about = about_run(&workflow, &record);
        let definitions = shared.library.usable_definitions();
        let context = Context {
            services: &self.services,
            repository: &self.repository,
            limits: self.limits,
            cancellation: &self.cancellation,
            library: shared.library,
            workflow: &workflow,
            scope: Scope::new(record.inputs.clone(), about),
            environment: shared.environment,
            observer: shared.observer,
            models: Arc::new(definitions.map(|known| (known.name.value.clone(), known.id.clone())).collect()),
            run_id: Arc::from(record.id.as_str()),
            lines: Arc::default(),
            budget: Arc::clone(shared.budget),
            chain,
            deadline,
            nested: self,
        };
        let span = spans::run(&record);
        let finished = Execution::new(&context, record).finish().instrument(span.clone()).await;
        let status = finished.as_ref().map_or_else(|error| error.record.status, |record| record.status);
        spans::end(&span, status);
        finished
    }

    /// The inputs with defaults and coerced texts.
    fn inputs(&self, workflow: &Workflow, inputs: Json) -> Result<Json, Vec<Problem>> {
        let position = || workflow.inputs.as_ref().map(|node| node.position(&workflow.file));
        let invalid = |message: String, hint: Option<String>| {
            Problem::error(Code::INVALID_INPUT, workflow.name.value.clone(), message).at_if(position()).advise_if(hint)
        };
        inputs::check(workflow, inputs, self.services.schemas.as_ref()).map_err(|wrong| match wrong {
            Mistakes::Schema(error) => vec![invalid(format!("`inputs`: {error}"), None)],
            Mistakes::Values(violations) => {
                violations.into_iter().map(|wrong| invalid(format!("input {}", wrong.violation), wrong.hint)).collect()
            }
        })
    }
}

#[async_trait]
impl NestedRuns for Engine {
    async fn run_nested(
        &self,
        caller: &Context<'_>,
        request: RunRequest,
        deadline: Option<Instant>,
    ) -> Result<RunRecord, StartError> {
        let from = Caller { chain: &caller.chain, deadline };
        let run = self.record_for(from, request, caller.environment, caller.observer.as_ref()).await?;
        let Context { library, environment, observer, budget, .. } = caller;
        let shared = Shared { library, environment, observer, budget };
        Ok(self.execute(run, shared).await?)
    }
}

/// What expressions see as `run`.
fn about_run(workflow: &Workflow, record: &RunRecord) -> Json {
    let tags = workflow.tags.iter().map(|(name, value)| (name.as_str(), Json::from(value.as_str())));
    Json::object([
        ("id", Json::from(record.id.as_str())),
        ("workflowId", Json::from(workflow.id.as_str())),
        ("workflowName", Json::from(workflow.name.value.as_str())),
        ("startedAt", Json::from(record.started_at.to_string())),
        ("tags", Json::object(tags)),
        // Additions of ours.
        ("name", Json::from(record.name.as_str())),
        ("trigger", Json::from(record.trigger.as_str())),
    ])
}

/// Why the file of a workflow cannot be used, with its place.
fn of_file(problem: Problem) -> RunProblem {
    let place = problem.position.map_or(problem.subject, |position| position.to_string());
    method::problem(problem.code, format!("{place}: {}", problem.message))
}

fn check_chain(workflow: &Workflow, chain: &[String]) -> Result<(), Problem> {
    let before = &chain[..chain.len() - 1];
    let (code, message) = if before.contains(&workflow.name.value) {
        (Code::WORKFLOW_CYCLE, format!("workflows call each other: {}", chain.join(" → ")))
    } else if chain.len() > MAXIMUM_NESTING {
        let path = chain.join(" → ");
        (Code::INVALID_DOCUMENT, format!("workflows are nested deeper than {MAXIMUM_NESTING} levels: {path}"))
    } else {
        return Ok(());
    };
    Err(Problem::error(code, workflow.file.clone(), message).at(workflow.name.position(&workflow.file)))
}

fn job_record(job: &Job) -> JobRecord {
    let steps = job.steps.iter().map(|step| StepRecord {
        name: step.name.value.clone(),
        task: step.task.label(),
        status: RunStatus::Pending,
        started_at: None,
        finished_at: None,
        data_handles: Vec::new(),
        logs: Vec::new(),
        error: None,
        provenance: None,
    });
    JobRecord {
        name: job.name.value.clone(),
        status: RunStatus::Pending,
        started_at: None,
        finished_at: None,
        steps: steps.collect(),
    }
}
