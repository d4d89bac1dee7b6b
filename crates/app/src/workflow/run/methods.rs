//! `model.method(name, method[, inputs])`: methods that guards and assertions call to find out something.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use mangrove_domain::{
    data::{self, DataHandle, DataKind},
    json::Json,
    ports::FunctionCall,
    position::Position,
    run::{LogLine, RunProblem, RunStatus},
};

use super::{
    call::{Call, Place, call_method},
    context::Context,
    outputs,
};
use crate::{
    method::{Invoked, StepBudget},
    render::{Lookups, Scope},
    workflow::events::RunChange,
};

/// The function.
const FUNCTION: &str = "model.method";

/// What the expressions of a guard or an assertion find: what all find, and what methods say. Each is called as a part of the
/// step, once in an expression.
pub(super) struct WithMethods<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) place: Place<'a>,
    pub(super) scope: &'a Scope,
    pub(super) budget: &'a Arc<StepBudget>,
    /// Where the expression stands.
    pub(super) position: Position,
    /// True once it was told that the step begins.
    is_begun: AtomicBool,
    left: Mutex<Left>,
}

/// What the methods left behind.
#[derive(Default)]
pub(super) struct Left {
    data_handles: Vec<Json>,
    logs: Vec<LogLine>,
    /// How the first of them ended that was cancelled, or that could not be called since its type is not ready.
    stopped: Option<(RunStatus, RunProblem)>,
}

impl<'a> WithMethods<'a> {
    /// Nothing was called yet.
    pub(super) fn new(
        context: &'a Context<'a>,
        (place, scope): (Place<'a>, &'a Scope),
        budget: &'a Arc<StepBudget>,
        position: Position,
    ) -> Self {
        Self { context, place, scope, budget, position, is_begun: AtomicBool::new(true), left: Mutex::default() }
    }

    /// The same for a guard: nobody was told yet that the step begins.
    pub(super) fn of_guard(self) -> Self {
        Self { is_begun: AtomicBool::new(false), ..self }
    }

    /// Says that the step begins, if nobody has said so: what is asked of methods and logged by them is a part of it.
    pub(super) fn begin(&self) {
        if !self.is_begun.swap(true, Ordering::Relaxed) {
            let task = self.context.environment.mask(&self.place.step.task.label());
            let (job, step) = (self.place.job.to_owned(), self.place.planned.name.clone());
            self.context.observe(RunChange::StepStarted { job, step, task });
        }
    }

    /// The name of the item that is the answer: that of the specification, as the step lets it vary.
    async fn name_of_answer(&self, call: &Call, written: &DataHandle) -> String {
        let of_workflow = self.scope.get("inputs").unwrap_or(&Json::Null);
        let renderer = self.context.renderer(self.scope);
        // Without a value, nothing was called.
        let settings =
            outputs::settings(self.place.step, [&call.inputs, of_workflow], &renderer).await.unwrap_or_default();
        let of_spec = settings.into_iter().filter(|settings| settings.spec_name == written.spec_name);
        let vary: Vec<String> = of_spec.flat_map(|settings| settings.vary).collect();
        data::varied(&written.spec_name, &vary).unwrap_or_else(|_| written.spec_name.clone())
    }

    /// The outcome of a step whose guard or assertion has no value for this reason.
    pub(super) fn without_value(&self, error: RunProblem) -> Invoked {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).without_value(error)
    }

    /// What the methods left behind that were called.
    pub(super) fn into_left(self) -> Left {
        self.left.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn method(&self, name: &str, method: &str, inputs: &Json) -> Result<Json, String> {
        let context = self.context;
        self.begin();
        let definition = context.services.definitions.named(context.library, name).await;
        let call = Call {
            written: [None, None],
            definition: definition.map_err(|problem| problem.message)?,
            instance: None,
            global_arguments: None,
            method: method.to_owned(),
            inputs: inputs.clone(),
            inputs_at: self.position.clone(),
        };
        let label = format!("{name}.{method}");
        let invoked = call_method(context, self.place, self.scope, &call, (self.budget, false)).await;
        let Invoked { status, error, data_handles, handles, logs, .. } = invoked;
        let resources = || handles.iter().filter(|handle| handle.kind == DataKind::Resource);
        // What this call wrote, not what a call beside it or an earlier one did.
        let named = match resources().next() {
            Some(first) => {
                let name = self.name_of_answer(&call, first).await;
                resources().rfind(|handle| handle.name == name)
            }
            None => None,
        };
        let stopped = match (status, &error) {
            (RunStatus::Cancelled | RunStatus::Blocked, Some(error)) => Some((status, error.clone())),
            _ => None,
        };
        let answer = match (error, named) {
            (Some(error), _) => Err(error.message),
            (None, Some(written)) => {
                let (model, version) = (&call.definition.name.value, i64::from(written.version));
                let found = context.records.version(model, &written.name, &[], version).await;
                let found = found.map_err(|error| error.to_string())?;
                Ok(found.and_then(|record| record.get("attributes").cloned()))
            }
            (None, None) => Ok(None),
        };
        let record = || {
            Json::object([
                ("method", Json::from(label.as_str())),
                ("status", Json::from(status.as_str())),
                ("dataHandles", Json::Array(data_handles.clone())),
            ])
        };
        let answer = answer.map(|found| found.unwrap_or_else(record));
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.data_handles.extend(data_handles);
        left.logs.extend(logs);
        left.stopped = left.stopped.take().or(stopped);
        drop(left);
        if status == RunStatus::Succeeded { answer } else { answer.and(Err(format!("`{label}` {}", status.as_str()))) }
    }
}

impl Left {
    /// It ended as a method did that was cancelled or could not be called; else it failed.
    fn without_value(&self, error: RunProblem) -> Invoked {
        match &self.stopped {
            Some((status, error)) => Invoked::ended(*status, Some(error.clone())),
            None => Invoked::failed(error),
        }
    }

    /// The outcome of a step whose guard or assertion left this.
    pub(super) fn under(self, mut invoked: Invoked) -> Invoked {
        invoked.data_handles.splice(0..0, self.data_handles);
        invoked.logs.splice(0..0, self.logs);
        invoked
    }
}

#[async_trait]
impl Lookups for WithMethods<'_> {
    async fn answer(&self, call: &FunctionCall) -> Result<Json, String> {
        if call.name != FUNCTION {
            return self.context.lookups.answer(call).await;
        }
        let none = Json::Object(Vec::new());
        match call.arguments.as_slice() {
            [Json::String(name), Json::String(method)] => self.method(name, method, &none).await,
            [Json::String(name), Json::String(method), inputs @ Json::Object(_)] => {
                self.method(name, method, inputs).await
            }
            _ => Err("`model.method` takes the name of a definition, that of a method and, if it needs any, a mapping of inputs"
                .to_owned()),
        }
    }

    async fn variable(&self, path: &[String]) -> Result<Option<Json>, String> {
        self.context.lookups.variable(path).await
    }
}
