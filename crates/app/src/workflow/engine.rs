//! Running a workflow from its first job to its last record.
//!
//! One task owns the record of a run. It asks the pure graph what may start, starts it, waits for whatever ends
//! next, writes it down, and asks again. Steps are futures of that task: dropping the run drops them.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use mangrove_domain::{
    document::{Node, NodeValue},
    form::Located,
    json::Json,
    ports::RunStoreError,
    problem::{Code, Problem},
    run::{JobRecord, RunProblem, RunRecord, RunStatus, StepRecord},
    source::Origin,
    workflow::{
        Job, Step, Target, Task, Workflow,
        graph::{self, AfterFailure, Member},
    },
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Library,
    observer::{Event, Observer},
    render::{Renderer, Scope},
    step,
};
use crate::{
    method::{Services, arguments},
    secrets::Environment,
};

/// How deep workflows may call each other.
pub const MAX_NESTING: usize = 10;

/// How much may run at once where a workflow does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of one run, at least 1.
    pub jobs: usize,
    /// Steps of one job, at least 1.
    pub steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { jobs: 16, steps: 16 }
    }
}

/// Runs workflows and single methods.
#[derive(Clone)]
pub struct Engine {
    pub(super) services: Services,
    pub(super) repository: String,
    pub(super) limits: Limits,
    pub(super) cancellation: CancellationToken,
}

/// What to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Which workflow.
    pub workflow: Arc<Workflow>,
    /// Its inputs, an object.
    pub inputs: Json,
    /// Who or what starts it: `command-line`, `schedule`, ….
    pub trigger: String,
}

/// Why a run did not begin, or has no record.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The inputs break the workflow's schema, or a name is unknown. Nothing ran.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// The run history cannot be written. `record` is how far the run came.
    #[error("the run cannot be recorded: {source}")]
    NotRecorded {
        /// What came back.
        #[source]
        source: RunStoreError,
        /// The run as it should have been recorded.
        record: Box<RunRecord>,
    },
}

impl StartError {
    /// The problem code that stands for it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            StartError::Problems(problems) => problems.first().map_or(Code::INVALID_INPUT, |problem| problem.code),
            StartError::NotRecorded { source, .. } => source.fault.code,
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// What the steps of one run share.
pub(super) struct Context<'a> {
    pub(super) engine: &'a Engine,
    pub(super) library: &'a Library,
    pub(super) workflow: &'a Workflow,
    pub(super) scope: Scope,
    pub(super) environment: &'a Arc<Environment>,
    pub(super) observer: &'a Arc<dyn Observer>,
    pub(super) models: Arc<BTreeMap<String, String>>,
    pub(super) run_id: String,
    /// The names of the workflows that led here, this one last.
    pub(super) chain: Vec<String>,
    /// When the step that called this workflow runs out of time.
    pub(super) deadline: Option<Instant>,
}

impl Context<'_> {
    pub(super) fn renderer<'a>(&'a self, scope: &'a Scope) -> Renderer<'a> {
        Renderer {
            expressions: self.engine.services.expressions.as_ref(),
            environment: self.environment,
            scope,
            file: &self.workflow.file,
        }
    }

    async fn save(&self, record: RunRecord) -> Result<(), RunStoreError> {
        self.engine.services.runs.save(&record).await
    }
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
        request: Request,
        environment: Environment,
        observer: Arc<dyn Observer>,
    ) -> Result<RunRecord, StartError> {
        self.execute(library, request, &Arc::new(environment), &observer, (&[], None)).await
    }

    /// Runs one method of a definition as a run of one job with one step, called `definition.method`.
    /// The inputs are values: an expression in them is text.
    ///
    /// # Errors
    /// [`StartError`]; with `UNKNOWN_NAME` if there is no such definition.
    pub async fn run_method(
        &self,
        library: &Library,
        definition: &str,
        method: &str,
        request: (Json, String),
        environment: Environment,
        observer: Arc<dyn Observer>,
    ) -> Result<RunRecord, StartError> {
        let known = library.definition(definition).map_err(|problem| StartError::Problems(vec![problem]))?;
        let (inputs, trigger) = request;
        let workflow = Arc::new(single(&known.file, &known.name.value, method, &inputs));
        self.run(library, Request { workflow, inputs, trigger }, environment, observer).await
    }

    pub(super) async fn execute(
        &self,
        library: &Library,
        request: Request,
        environment: &Arc<Environment>,
        observer: &Arc<dyn Observer>,
        (chain, deadline): (&[String], Option<Instant>),
    ) -> Result<RunRecord, StartError> {
        let workflow = &request.workflow;
        let chain: Vec<String> = chain.iter().cloned().chain([workflow.name.value.clone()]).collect();
        check_chain(workflow, &chain).map_err(|problem| StartError::Problems(vec![problem]))?;
        let inputs = self.inputs(workflow, request.inputs).map_err(StartError::Problems)?;
        let (id, started_at) = (self.services.entropy.identifier(), self.services.clock.now());
        let about = Json::object([
            ("id", Json::from(id.as_str())),
            ("name", Json::from(workflow.name.value.as_str())),
            ("trigger", Json::from(request.trigger.as_str())),
            ("startedAt", Json::from(started_at.as_millis())),
        ]);
        let definitions = library.usable_definitions();
        let context = Context {
            engine: self,
            library,
            workflow,
            scope: Scope::new(inputs.clone(), about),
            environment,
            observer,
            models: Arc::new(definitions.map(|known| (known.name.value.clone(), known.id.clone())).collect()),
            run_id: id.clone(),
            chain,
            deadline,
        };
        let record = RunRecord {
            id,
            name: workflow.name.value.clone(),
            trigger: request.trigger,
            status: RunStatus::Running,
            started_at,
            finished_at: None,
            inputs,
            jobs: workflow.jobs.iter().map(job_record).collect(),
            error: None,
        };
        Run::new(&context, record).finish().await
    }

    /// The inputs with defaults and coerced texts.
    fn inputs(&self, workflow: &Workflow, inputs: Json) -> Result<Json, Vec<Problem>> {
        let schema = workflow.input_schema();
        let inputs = arguments::complete(&schema, inputs);
        let position = || workflow.inputs.as_ref().map(|node| node.position(&workflow.file));
        let told = |message: String, hint: Option<String>| {
            Problem::error(Code::INVALID_INPUT, workflow.name.value.clone(), message).at_if(position()).advise_if(hint)
        };
        let violations = match self.services.schemas.validate(&schema, &inputs) {
            Ok(violations) => violations,
            Err(error) => return Err(vec![told(format!("`inputs`: {error}"), None)]),
        };
        if violations.is_empty() {
            return Ok(inputs);
        }
        let known = schema.get("properties").and_then(Json::as_object).unwrap_or_default();
        Err(violations
            .into_iter()
            .map(|violation| {
                let names = known.iter().map(|(name, _)| name.as_str()).filter(|name| *name != violation.path);
                let is_known = known.iter().any(|(name, _)| super::validate::is_within(&violation.path, name));
                let hint = if is_known { None } else { mangrove_domain::nearest::hint(&violation.path, names) };
                told(format!("input {violation}"), hint)
            })
            .collect())
    }
}

fn check_chain(workflow: &Workflow, chain: &[String]) -> Result<(), Problem> {
    let before = &chain[..chain.len() - 1];
    let (code, message) = if before.contains(&workflow.name.value) {
        (Code::WORKFLOW_CYCLE, format!("workflows call each other: {}", chain.join(" → ")))
    } else if chain.len() > MAX_NESTING {
        let path = chain.join(" → ");
        (Code::INVALID_DOCUMENT, format!("workflows are nested deeper than {MAX_NESTING} levels: {path}"))
    } else {
        return Ok(());
    };
    Err(Problem::error(code, workflow.file.clone(), message).at(workflow.name.position(&workflow.file)))
}

/// A workflow of one step. Each input is handed through as a value by an expression that names it.
fn single(file: &str, definition: &str, method: &str, inputs: &Json) -> Workflow {
    let located = |text: String| Located { value: text, line: 1, column: 1 };
    let node = |value: NodeValue| Node { line: 1, column: 1, value };
    let handed = inputs.as_object().unwrap_or_default().iter().map(|(name, _)| {
        let quoted = Json::from(name.as_str()).to_string();
        let value = node(NodeValue::String(format!("${{{{ inputs[{quoted}] }}}}")));
        (node(NodeValue::String(name.clone())), value)
    });
    let task = Task::ModelMethod {
        target: Target::Definition(located(definition.to_owned())),
        method: located(method.to_owned()),
        inputs: Some(node(NodeValue::Map(handed.collect()))),
    };
    let step = Step {
        name: located(method.to_owned()),
        description: None,
        task,
        for_each: None,
        depends_on: Vec::new(),
        weight: 0,
        allow_failure: false,
        timeout: None,
        driver: None,
    };
    let job = Job {
        name: located(definition.to_owned()),
        description: None,
        depends_on: Vec::new(),
        weight: 0,
        concurrency: None,
        driver: None,
        steps: vec![step],
    };
    Workflow {
        file: file.to_owned(),
        origin: Origin::Local,
        id: String::new(),
        name: located(format!("{definition}.{method}")),
        description: None,
        tags: Vec::new(),
        inputs: None,
        trigger: None,
        concurrency: None,
        driver: None,
        jobs: vec![job],
    }
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

/// A step that ended: its job, its index there, what became of it.
type Ended = (usize, usize, step::Outcome);

/// One run under way.
struct Run<'a> {
    context: &'a Context<'a>,
    record: RunRecord,
    jobs: Vec<Member>,
    steps: Vec<Vec<Member>>,
    under_way: FuturesUnordered<BoxFuture<'a, Ended>>,
    /// True if something did not begin because the run was cancelled.
    is_cut_short: bool,
}

impl<'a> Run<'a> {
    fn new(context: &'a Context<'a>, record: RunRecord) -> Self {
        Self {
            context,
            record,
            jobs: graph::jobs(&context.workflow.jobs),
            steps: context.workflow.jobs.iter().map(|job| graph::steps(&job.steps)).collect(),
            under_way: FuturesUnordered::new(),
            is_cut_short: false,
        }
    }

    async fn finish(mut self) -> Result<RunRecord, StartError> {
        let context = self.context;
        if let Err(source) = context.save(self.snapshot()).await {
            return Err(StartError::NotRecorded { source, record: Box::new(self.record) });
        }
        context.observer.observe(&Event::RunStarted(&self.record));
        self.advance();
        while let Some((job, step, outcome)) = self.under_way.next().await {
            self.end_step(job, step, outcome);
            self.advance();
            // A history that cannot be written for a moment must not lose the run: the last save decides.
            if let Err(error) = context.save(self.snapshot()).await {
                tracing::warn!(run = %self.record.id, %error, "the run history could not be written");
            }
        }
        let statuses: Vec<RunStatus> = self.record.jobs.iter().map(|job| job.status).collect();
        self.record.status = match graph::summary(&self.jobs, &statuses) {
            RunStatus::Blocked => RunStatus::Blocked,
            _ if self.is_cut_short => RunStatus::Cancelled,
            RunStatus::Skipped => RunStatus::Succeeded,
            status => status,
        };
        self.record.error =
            self.error().or_else(|| (self.record.status == RunStatus::Cancelled).then(crate::method::cancelled));
        self.record.finished_at = Some(self.context.engine.services.clock.now());
        if let Err(source) = context.save(self.snapshot()).await {
            return Err(StartError::NotRecorded { source, record: Box::new(self.record) });
        }
        self.record.inputs = self.context.environment.mask_json(&self.record.inputs);
        self.context.observer.observe(&Event::RunFinished(&self.record));
        Ok(self.record)
    }

    /// The record as it may be kept. Secrets may have been given out since it was made, so inputs are masked here.
    fn snapshot(&self) -> RunRecord {
        let inputs = self.context.environment.mask_json(&self.record.inputs);
        RunRecord { inputs, ..self.record.clone() }
    }

    /// Starts and skips everything that can be decided now.
    fn advance(&mut self) {
        let limits = self.context.engine.limits;
        let limit = self.context.workflow.concurrency.map_or(limits.jobs, |limit| limit as usize);
        loop {
            let mut changed = false;
            if self.is_blocked() {
                changed |= self.skip_the_rest();
            } else if self.context.engine.cancellation.is_cancelled() && self.skip_the_rest() {
                changed = true;
                self.is_cut_short = true;
            }
            let statuses: Vec<RunStatus> = self.record.jobs.iter().map(|job| job.status).collect();
            let next = graph::next(&self.jobs, &statuses, limit, AfterFailure::GoOn);
            for index in next.skip {
                self.skip_job(index);
                changed = true;
            }
            for index in next.start {
                let job = &mut self.record.jobs[index];
                job.status = RunStatus::Running;
                job.started_at = Some(self.context.engine.services.clock.now());
                self.context.observer.observe(&Event::JobStarted { job: &job.name });
                changed = true;
            }
            for index in 0..self.record.jobs.len() {
                if self.record.jobs[index].status == RunStatus::Running {
                    changed |= self.advance_job(index);
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn advance_job(&mut self, index: usize) -> bool {
        let job = &self.context.workflow.jobs[index];
        let limit = job.concurrency.map_or(self.context.engine.limits.steps, |limit| limit as usize);
        let statuses: Vec<RunStatus> = self.record.jobs[index].steps.iter().map(|step| step.status).collect();
        let next = graph::next(&self.steps[index], &statuses, limit, AfterFailure::OnlyDependents);
        let mut changed = !next.skip.is_empty() || !next.start.is_empty();
        for step in next.skip {
            self.skip_step(index, step);
        }
        for step_index in next.start {
            let now = self.context.engine.services.clock.now();
            let record = &mut self.record.jobs[index].steps[step_index];
            record.status = RunStatus::Running;
            record.started_at = Some(now);
            let event = Event::StepStarted { job: &job.name.value, step: &record.name, task: &record.task };
            self.context.observer.observe(&event);
            let (context, step) = (self.context, &job.steps[step_index]);
            self.under_way.push(Box::pin(async move { (index, step_index, step::run(context, job, step).await) }));
        }
        let statuses: Vec<RunStatus> = self.record.jobs[index].steps.iter().map(|step| step.status).collect();
        if !statuses.iter().any(|status| matches!(status, RunStatus::Pending | RunStatus::Running)) {
            self.end_job(index, graph::summary(&self.steps[index], &statuses));
            changed = true;
        }
        changed
    }

    fn end_step(&mut self, job: usize, step: usize, outcome: step::Outcome) {
        let now = self.context.engine.services.clock.now();
        let job = &mut self.record.jobs[job];
        let record = &mut job.steps[step];
        let invoked = outcome.invoked;
        record.task = outcome.task;
        record.status = invoked.status;
        record.finished_at = Some(now);
        record.data_handles = invoked.data_handles;
        record.logs = invoked.logs;
        record.error = invoked.error.map(|error| self.context.environment.mask_problem(error));
        record.provenance = invoked.provenance;
        self.context.observer.observe(&Event::StepFinished { job: &job.name, step: record });
    }

    fn end_job(&mut self, index: usize, status: RunStatus) {
        let job = &mut self.record.jobs[index];
        job.status = status;
        job.finished_at = Some(self.context.engine.services.clock.now());
        self.context.observer.observe(&Event::JobFinished { job: &job.name, status });
    }

    fn skip_step(&mut self, job: usize, step: usize) {
        let job = &mut self.record.jobs[job];
        job.steps[step].status = RunStatus::Skipped;
        self.context.observer.observe(&Event::StepFinished { job: &job.name, step: &job.steps[step] });
    }

    fn skip_job(&mut self, index: usize) {
        for step in 0..self.record.jobs[index].steps.len() {
            self.skip_step(index, step);
        }
        self.end_job(index, RunStatus::Skipped);
    }

    fn is_blocked(&self) -> bool {
        self.record.jobs.iter().flat_map(|job| &job.steps).any(|step| step.status == RunStatus::Blocked)
    }

    /// After a type turned out not to be ready, nothing new begins (fault 48); what runs may end.
    fn skip_the_rest(&mut self) -> bool {
        let mut changed = false;
        for job in 0..self.record.jobs.len() {
            if self.record.jobs[job].status == RunStatus::Pending {
                self.skip_job(job);
                changed = true;
                continue;
            }
            for step in 0..self.record.jobs[job].steps.len() {
                if self.record.jobs[job].steps[step].status == RunStatus::Pending {
                    self.skip_step(job, step);
                    changed = true;
                }
            }
        }
        changed
    }

    /// The error of the step that decided: one that is blocked, else the first that failed and counts.
    fn error(&self) -> Option<RunProblem> {
        let steps = || {
            self.record.jobs.iter().enumerate().flat_map(|(job, record)| {
                record.steps.iter().enumerate().map(move |(step, record)| (job, step, record))
            })
        };
        let wanted = self.record.status;
        let counts = |job: usize, step: usize| !self.steps[job][step].allow_failure;
        let (job, _, step) = match wanted {
            RunStatus::Blocked => steps().find(|(_, _, step)| step.status == RunStatus::Blocked),
            RunStatus::Failed | RunStatus::Cancelled => {
                steps().find(|(job, index, step)| step.error.is_some() && counts(*job, *index))
            }
            RunStatus::Pending | RunStatus::Running | RunStatus::Succeeded | RunStatus::Skipped => None,
        }?;
        let error = step.error.clone()?;
        let place = format!("job `{}`, step `{}`", self.record.jobs[job].name, step.name);
        Some(RunProblem { message: format!("{place}: {}", error.message), ..error })
    }
}
