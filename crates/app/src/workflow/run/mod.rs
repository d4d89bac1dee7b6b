//! Running a workflow from its first job to its last record.

mod assertion;
mod call;
mod cancel_reason;
mod context;
mod evaluate;
mod execution;
mod guard;
mod methods;
mod outcome;
mod outputs;
mod repeat;
mod reports;
mod request;
mod settling;
mod single;
mod step;
mod under_way;
mod values;

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use futures::future::join_all;
use mangrove_domain::{
    description::Description,
    document::Node,
    json::Json,
    problem::{Code, Problem},
    report::ReportOptions,
    run::{AssertSeverity, RunProblem, RunRecord, RunStatus},
    type_name::TypeName,
    workflow::{
        MAXIMUM_NESTING, Workflow,
        resume::{self, NotResumed},
    },
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use self::cancel_reason::CancelReason;
pub use self::request::{Beginning, Limits, NotRecorded, Resumption, StartError};
#[expect(clippy::module_name_repetitions, reason = "several parts have requests; the name says whose this one is")]
pub use self::request::{RunOptions, RunRequest};

use self::{
    context::{Context, NestedRuns},
    execution::Execution,
    under_way::Lines,
    values::{laid_over, masked_input, overlaid},
};
use crate::{
    data::{DataLookups, Models, Records},
    method::{self, RunBudget, Services, checks::CheckOptions},
    render::{Renderer, Scope},
    secrets::Environment,
    spans,
    vault::ConcealedVaults,
    workflow::{events::Observer, inputs, library::Library},
};

/// Runs workflows and single methods.
#[derive(Clone)]
pub struct Engine {
    services: Services,
    repository: String,
    limits: Limits,
    cancellation: CancellationToken,
    cancel_reason: CancelReason,
}

/// A run that is on record and has not begun.
#[expect(clippy::module_name_repetitions, reason = "it is a run in one of its states")]
#[derive(Clone, Debug)]
pub struct RecordedRun {
    workflow: Arc<Workflow>,
    /// What its inputs were made of.
    inputs_written: Option<Node>,
    record: RunRecord,
    fail_on: AssertSeverity,
    checks: CheckOptions,
    reports: ReportOptions,
    driver: Option<String>,
    /// The names of the workflows that led here, this one last.
    chain: Vec<String>,
    deadline: Option<Instant>,
    models: Arc<Models>,
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
    /// The definitions that the run before knows, those included that it has made.
    models: Option<&'a Arc<Models>>,
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
        let (cancellation, cancel_reason) = (CancellationToken::default(), CancelReason::default());
        Self { services, repository, limits, cancellation, cancel_reason }
    }

    /// The same engine, whose runs end as cancelled when they are asked to.
    #[must_use]
    pub fn with_cancellation(self, cancellation: CancellationToken) -> Self {
        Self { cancellation, ..self }
    }

    /// The same engine, whose runs say this where they end because they were asked to.
    #[must_use]
    pub fn with_cancel_reason(self, cancel_reason: CancelReason) -> Self {
        Self { cancel_reason, ..self }
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
        let run = self.record(library, request, &environment, observer.as_ref()).await?;
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
        let workflow = Arc::new(single::workflow(known, method, &inputs));
        Ok(RunRequest::new(workflow, inputs, trigger))
    }

    /// The workflow with the values that everything in it has before a run with these inputs, secrets masked.
    ///
    /// # Errors
    /// [`StartError::Problems`]: such a run would not begin.
    pub async fn evaluate(
        &self,
        library: &Library,
        workflow: &Arc<Workflow>,
        inputs: Json,
        environment: &Arc<Environment>,
    ) -> Result<Arc<Workflow>, StartError> {
        let inputs = values::inputs(workflow, inputs).map_err(StartError::Problems)?;
        let evaluated = self.evaluated(&models_of(library), workflow, &inputs, environment).await?;
        Ok(Arc::new(evaluate::shown(&evaluated, environment)))
    }

    /// What runs one method of an instance of a type, which is made if it is not there: a run as of
    /// [`method_request`](Self::method_request).
    #[must_use]
    pub fn instance_request(type_name: &str, name: &str, method: &str, inputs: Json, trigger: String) -> RunRequest {
        let workflow = Arc::new(single::of_instance(type_name, name, method, &inputs));
        RunRequest::new(workflow, inputs, trigger)
    }

    /// Brings model types up to date, side by side, and describes those that are ready; what keeps one from it is told by the
    /// steps that need it.
    pub(crate) async fn ready_types(&self, types: &BTreeSet<TypeName>) -> Vec<Arc<Description>> {
        let kind = method::model_kind();
        let ready = join_all(types.iter().map(|name| self.services.types.ready(&kind, name))).await;
        ready.into_iter().flatten().map(|ready| ready.description).collect()
    }

    /// Checks the inputs of a run, gives it an identifier and writes down that it runs.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn record(
        &self,
        library: &Library,
        request: RunRequest,
        environment: &Arc<Environment>,
        observer: &dyn Observer,
    ) -> Result<RecordedRun, StartError> {
        self.record_for(Caller::default(), library, request, environment, observer).await
    }

    /// Writes down that a run goes on, with these inputs over those that it had.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn record_again(
        &self,
        library: &Library,
        resumption: Resumption,
        environment: &Arc<Environment>,
        observer: &dyn Observer,
    ) -> Result<RecordedRun, StartError> {
        let Resumption { workflow, record, from, inputs, inputs_written, options } = resumption;
        let inputs = inputs::as_written(&workflow, inputs, inputs_written.as_ref());
        let inputs = laid_over(record.inputs.clone(), inputs);
        if let Some(name) = masked_input(&inputs) {
            let message = format!("the input `{name}` of the run {} holds a secret, which is not kept", record.id);
            let hint = format!("give it again: `--input {name}=…`");
            let problem = Problem::error(Code::RUN_STATE, workflow.name.value.clone(), message).advise(hint);
            return Err(StartError::Problems(vec![problem]));
        }
        let inputs = values::inputs(&workflow, inputs).map_err(StartError::Problems)?;
        let models = models_of(library);
        let workflow = self.evaluated(&models, &workflow, &inputs, environment).await?;
        let before = record.clone();
        let record = match &from {
            None => resume::suspended(record, &workflow),
            Some(step) => resume::from_step(record, &workflow, step),
        };
        let record = record.map_err(|wrong| {
            let problem = Problem::error(Code::RUN_STATE, workflow.name.value.clone(), wrong.to_string());
            StartError::Problems(vec![match wrong {
                NotResumed::Waits { .. } => problem.advise("approve or reject it first"),
                NotResumed::Status { .. } | NotResumed::NoStart { .. } | NotResumed::NoStep { .. } => problem,
            }])
        })?;
        let tags = overlaid(&record.tags, options.tags);
        let record = with_masked_tasks(RunRecord { inputs, tags, ..record }, environment);
        match context::replace(&self.services, environment, observer, &before, &record).await {
            Ok(false) => Err(StartError::Problems(vec![taken(&before)])),
            Ok(true) => {
                let RunOptions { fail_on, checks, reports, driver, .. } = options;
                let fail_on = fail_on.unwrap_or(AssertSeverity::Low);
                let chain = vec![workflow.name.value.clone()];
                let deadline = None;
                Ok(RecordedRun {
                    workflow,
                    inputs_written: None,
                    record,
                    fail_on,
                    checks,
                    reports,
                    driver,
                    chain,
                    deadline,
                    models,
                })
            }
            Err(source) => Err(NotRecorded { source, record: Box::new(record) }.into()),
        }
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
        library: &Library,
        request: RunRequest,
        environment: &Arc<Environment>,
        observer: &dyn Observer,
    ) -> Result<RecordedRun, StartError> {
        let workflow = request.workflow;
        let chain: Vec<String> = caller.chain.iter().cloned().chain([workflow.name.value.clone()]).collect();
        check_chain(&workflow, &chain).map_err(|problem| StartError::Problems(vec![problem]))?;
        // What a step gives on may wait until it is handed over; the step has looked at it.
        let is_nested = !caller.chain.is_empty();
        let waits = |value: &Json| is_nested && environment.waits(value);
        let inputs = inputs::as_written(&workflow, request.inputs, request.inputs_written.as_ref());
        let inputs = values::known_inputs(&workflow, inputs, &waits).map_err(StartError::Problems)?;
        let models = caller.models.map_or_else(|| models_of(library), Arc::clone);
        let workflow = self.evaluated(&models, &workflow, &inputs, environment).await?;
        let record = RunRecord {
            id: request.id.unwrap_or_else(|| self.services.entropy.identifier()),
            name: workflow.name.value.clone(),
            // A single method has no workflow that anybody knows.
            workflow_id: Some(workflow.id.clone()).filter(|id| !id.is_empty()),
            tags: overlaid(&workflow.tags, request.options.tags),
            trigger: request.trigger,
            status: RunStatus::Running,
            started_at: self.services.clock.now(),
            finished_at: None,
            written_at: None,
            inputs,
            jobs: workflow.jobs.iter().map(resume::pending).collect(),
            error: None,
            file_problem: request.file_problem.map(of_file),
            reports: Vec::new(),
        };
        let record = with_masked_tasks(record, environment);
        match context::save(&self.services, environment, observer, &record, &Lines::default()).await {
            Ok(_) => {
                let RunOptions { fail_on, checks, reports, driver, .. } = request.options;
                let fail_on = fail_on.unwrap_or(AssertSeverity::Low);
                let deadline = caller.deadline;
                Ok(RecordedRun {
                    workflow,
                    inputs_written: request.inputs_written,
                    record,
                    fail_on,
                    checks,
                    reports,
                    driver,
                    chain,
                    deadline,
                    models,
                })
            }
            Err(source) => Err(NotRecorded { source, record: Box::new(record) }.into()),
        }
    }

    async fn execute(&self, run: RecordedRun, shared: Shared<'_>) -> Result<RunRecord, NotRecorded> {
        let RecordedRun { workflow, inputs_written, record, fail_on, checks, reports, driver, chain, deadline, models } =
            run;
        let about = about_run(&workflow, &record);
        let records = self.records(&models, shared.environment);
        let context = Context {
            services: &self.services,
            repository: &self.repository,
            limits: self.limits,
            cancellation: &self.cancellation,
            cancel_reason: &self.cancel_reason,
            library: shared.library,
            workflow: &workflow,
            inputs_written: inputs_written.as_ref(),
            scope: Scope::new(record.inputs.clone(), &workflow.input_schema(), about),
            environment: shared.environment,
            observer: shared.observer,
            models,
            lookups: DataLookups::new(records.clone()),
            records,
            run_id: Arc::from(record.id.as_str()),
            tags: record.tags.clone(),
            lines: Arc::default(),
            fail_on,
            checks,
            reports,
            driver,
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

    /// What methods have written, as a run sees it.
    fn records(&self, models: &Arc<Models>, environment: &Arc<Environment>) -> Records {
        let secrets = ConcealedVaults::new(self.services.vaults.clone(), Arc::clone(environment));
        let (data, expressions) = (Arc::clone(&self.services.data), Arc::clone(&self.services.expressions));
        Records::new(data, expressions, Arc::new(secrets), Arc::clone(models))
    }

    /// The workflow with the values of everything that has one before anything runs.
    async fn evaluated(
        &self,
        models: &Arc<Models>,
        workflow: &Arc<Workflow>,
        inputs: &Json,
        environment: &Arc<Environment>,
    ) -> Result<Arc<Workflow>, StartError> {
        // A single method has no text of anybody's.
        if workflow.id.is_empty() {
            return Ok(Arc::clone(workflow));
        }
        let scope = Scope::new(inputs.clone(), &workflow.input_schema(), Json::Object(Vec::new()));
        let lookups = DataLookups::new(self.records(models, environment));
        let renderer = Renderer {
            expressions: self.services.expressions.as_ref(),
            environment,
            scope: &scope,
            file: &workflow.file,
            lookups: &lookups,
            secrets: &self.services.vaults,
            placeholders: None,
        };
        let evaluated = evaluate::body(workflow, &renderer).await;
        evaluated.map(Arc::new).map_err(|wrong| {
            StartError::Problems(vec![Problem::error(wrong.code, workflow.file.clone(), wrong.message)])
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
        let from = Caller { chain: &caller.chain, deadline, models: Some(&caller.models) };
        let run = self.record_for(from, caller.library, request, caller.environment, caller.observer.as_ref()).await?;
        let Context { library, environment, observer, budget, .. } = caller;
        let shared = Shared { library, environment, observer, budget };
        Ok(self.execute(run, shared).await?)
    }
}

/// Why a run does not go on, or nothing is decided about it: somebody else was faster.
pub(crate) fn taken(run: &RunRecord) -> Problem {
    let message = format!("another process or request has the run {}, or has changed it since it was read", run.id);
    Problem::error(Code::RUN_STATE, run.name.clone(), message).advise("look how far it is, and ask again")
}

/// The definitions as a run finds them.
fn models_of(library: &Library) -> Arc<Models> {
    Arc::new(Models::new(library.usable_definitions()))
}

/// What expressions see as `run`.
fn about_run(workflow: &Workflow, record: &RunRecord) -> Json {
    let tags = record.tags.iter().map(|(name, value)| (name.as_str(), Json::from(value.as_str())));
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

/// The record with what its steps call as it may be shown.
fn with_masked_tasks(mut record: RunRecord, environment: &Environment) -> RunRecord {
    for step in record.jobs.iter_mut().flat_map(|job| &mut job.steps) {
        let task = environment.mask(&step.task);
        if task != step.task {
            Arc::make_mut(step).task = task;
        }
    }
    record
}
