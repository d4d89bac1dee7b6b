//! Runs that a trigger of their workflow starts: a schedule, a webhook.

use std::sync::Arc;

use mangrove_domain::{
    inputs,
    json::Json,
    problem::Problem,
    workflow::{Trigger, Workflow},
};

use super::requests::{RunError, StartedRun, unknown};
use crate::{
    method::arguments,
    render::{NoLookups, Renderer, Scope, Stage},
    secrets::Environment,
    service::base::Service,
    vault::Vaults,
    workflow::{
        library::Library,
        run::{Engine, RunRequest, StartError},
        validate,
    },
};

/// A run that a trigger starts.
#[derive(Clone, Debug, PartialEq)]
pub struct StartTriggered {
    /// Which workflow, by name or identifier.
    pub workflow: String,
    /// What starts it: `schedule`, `webhook`.
    pub trigger: String,
    /// What `webhook` is in the inputs of the trigger; `None` for a schedule.
    pub webhook: Option<Json>,
    /// The workflow as it was read last while its file was in order: it runs if that file cannot be used now.
    pub last_good: Option<Arc<Workflow>>,
    /// The identifier that the run will have; `None` for a new one.
    pub run: Option<String>,
}

/// A run that a trigger starts, as far as it is known before anything of it happens.
pub struct PreparedRun {
    engine: Engine,
    library: Arc<Library>,
    in_force: InForce,
    start: StartTriggered,
    /// The number of what the library was read from; `None` if nobody tells of changes.
    edition: Option<u64>,
}

/// What runs, and why it is not what the file says now.
struct InForce {
    workflow: Arc<Workflow>,
    file_problem: Option<Problem>,
}

impl Service {
    /// Starts a run with the inputs of the trigger of its workflow, as [`start_run`](Self::start_run) does. Expressions in
    /// them may use `env`, and `webhook` if it was one. An input `event` that the workflow declares is the body of the
    /// request, unless the trigger says otherwise.
    ///
    /// # Errors
    /// [`RunError`]; nothing ran. An expression without a value is one, and what is known to be wrong before the run.
    pub async fn start_triggered(&self, start: StartTriggered) -> Result<StartedRun, RunError> {
        self.begin_prepared(self.prepare_triggered(start).await?).await
    }

    /// What [`start_triggered`](Self::start_triggered) does before anything is recorded or asked of a vault: finding the workflow,
    /// and holding it against what is known. Whoever does not start it afterwards has changed nothing.
    ///
    /// # Errors
    /// [`RunError`]; such a run would not begin.
    pub async fn prepare_triggered(&self, start: StartTriggered) -> Result<PreparedRun, RunError> {
        let engine = self.engine()?;
        let edition = self.library.edition();
        let library = self.library_for_run(&start.workflow).await?;
        let in_force = self.in_force(&library, &start)?;
        self.refuse_mistakes(&engine, &library, &in_force.workflow).await?;
        Ok(PreparedRun { engine, library, in_force, start, edition })
    }

    /// Starts what was prepared. What may have changed since then is prepared again.
    ///
    /// # Errors
    /// [`RunError`]; nothing ran.
    pub async fn start_prepared(&self, prepared: PreparedRun) -> Result<StartedRun, RunError> {
        let is_current = prepared.edition.is_some() && prepared.edition == self.library.edition();
        let prepared = if is_current { prepared } else { self.prepare_triggered(prepared.start).await? };
        self.begin_prepared(prepared).await
    }

    async fn begin_prepared(&self, prepared: PreparedRun) -> Result<StartedRun, RunError> {
        let PreparedRun { engine, library, in_force: InForce { workflow, file_problem }, start, .. } = prepared;
        let StartTriggered { trigger, webhook, run, .. } = start;
        let environment = self.expression_environment();
        let inputs = self.trigger_inputs(&workflow, webhook, &environment, self.vaults()?).await?;
        let file = workflow.file.clone();
        let request = RunRequest { id: run, file_problem, ..RunRequest::new(workflow, inputs, trigger) };
        self.begin(engine, library, &file, request, environment).await
    }

    /// The workflow as its file is, or as it was last in order if the file, or its trigger, cannot be used now.
    fn in_force(&self, library: &Library, start: &StartTriggered) -> Result<InForce, RunError> {
        let found = library.workflow(&start.workflow);
        let Some(last_good) = &start.last_good else {
            let workflow = Arc::clone(found.map_err(|problem| unknown(library, problem))?);
            return Ok(InForce { workflow, file_problem: None });
        };
        let file_problem = match &found {
            Ok(workflow) if workflow.is_trigger_broken => library.first_error(&workflow.file).cloned(),
            Ok(workflow) if start.webhook.is_none() => self.schedule_problem(workflow),
            Ok(_) => None,
            Err(_) => {
                let schedules = self.schedules(library).ok();
                schedules.and_then(|known| known.fault_of(&last_good.file, last_good.origin))
            }
        };
        match (found, file_problem) {
            (Ok(workflow), None) => Ok(InForce { workflow: Arc::clone(workflow), file_problem: None }),
            (_, Some(problem)) => Ok(InForce { workflow: Arc::clone(last_good), file_problem: Some(problem) }),
            (Err(problem), None) => Err(unknown(library, problem)),
        }
    }

    /// What keeps a workflow from running by its schedule.
    fn schedule_problem(&self, workflow: &Workflow) -> Option<Problem> {
        let calendar = self.calendar().ok()?;
        let recurrence = validate::recurrence(workflow, calendar)?;
        recurrence.err()?.into_iter().next()
    }

    async fn trigger_inputs(
        &self,
        workflow: &Workflow,
        webhook: Option<Json>,
        environment: &Environment,
        vaults: &Vaults,
    ) -> Result<Json, StartError> {
        let schema = workflow.input_schema();
        let declares_event = inputs::properties(&schema).iter().any(|(name, _)| name == "event");
        let event = webhook.as_ref().and_then(|webhook| webhook.get("body")).filter(|_| declares_event).cloned();
        let event = Json::object(event.map(|event| ("event", event)));
        let Some(inputs) = workflow.trigger.as_ref().and_then(|Trigger { inputs, .. }| inputs.as_ref()) else {
            return Ok(event);
        };
        let scope = Scope::of_trigger(webhook);
        let expressions = self.repository.expressions.as_ref();
        let renderer = Renderer {
            expressions,
            environment,
            scope: &scope,
            file: &workflow.file,
            lookups: &NoLookups,
            secrets: vaults,
            placeholders: None,
        };
        let given = renderer.value(inputs, Stage::EVERYTHING).await.map_err(|problem| {
            StartError::Problems(vec![Problem::error(problem.code, workflow.file.clone(), problem.message)])
        })?;
        Ok(arguments::merge(&[&event, &given]))
    }
}
