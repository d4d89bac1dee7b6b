//! Runs that a trigger of their workflow starts: a schedule, a webhook.

use std::sync::Arc;

use mangrove_domain::{
    json::Json,
    problem::Problem,
    workflow::{Trigger, Workflow},
};

use super::requests::{RunError, StartedRun, unknown};
use crate::{
    method::arguments,
    render::{Renderer, Scope},
    secrets::Environment,
    service::base::Service,
    workflow::run::{RunRequest, StartError},
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
}

impl Service {
    /// Starts a run with the inputs of the trigger of its workflow, as [`start_run`](Self::start_run) does. Expressions in
    /// them may use `env`, and `webhook` if it was one. An input `event` that the workflow declares is the body of the
    /// request, unless the trigger says otherwise.
    ///
    /// # Errors
    /// [`RunError`]; nothing ran. An expression without a value is one.
    pub async fn start_triggered(&self, start: StartTriggered) -> Result<StartedRun, RunError> {
        let StartTriggered { workflow, trigger, webhook } = start;
        let engine = self.engine()?;
        let library = Arc::new(self.library().await?);
        let workflow = Arc::clone(library.workflow(&workflow).map_err(|problem| unknown(&library, problem))?);
        let environment = self.expression_environment();
        let inputs = self.trigger_inputs(&workflow, webhook, &environment)?;
        let file = workflow.file.clone();
        self.begin(engine, library, &file, RunRequest { workflow, inputs, trigger }, environment).await
    }

    fn trigger_inputs(
        &self,
        workflow: &Workflow,
        webhook: Option<Json>,
        environment: &Environment,
    ) -> Result<Json, StartError> {
        let declares_event = workflow
            .inputs
            .as_ref()
            .and_then(|node| node.get("properties"))
            .is_some_and(|node| node.get("event").is_some());
        let event = webhook.as_ref().and_then(|webhook| webhook.get("body")).filter(|_| declares_event).cloned();
        let event = Json::object(event.map(|event| ("event", event)));
        let Some(inputs) = workflow.trigger.as_ref().and_then(|Trigger { inputs, .. }| inputs.as_ref()) else {
            return Ok(event);
        };
        let scope = Scope::of_trigger(webhook);
        let expressions = self.repository.expressions.as_ref();
        let renderer = Renderer { expressions, environment, scope: &scope, file: &workflow.file };
        let given = renderer.value(inputs).map_err(|problem| {
            StartError::Problems(vec![Problem::error(problem.code, workflow.file.clone(), problem.message)])
        })?;
        Ok(arguments::merge(&[&event, &given]))
    }
}
