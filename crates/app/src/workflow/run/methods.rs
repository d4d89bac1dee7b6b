//! `model.method(name, method[, inputs])`: methods that guards and assertions call to find out something.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mangrove_domain::{
    data::DataKind,
    json::Json,
    ports::FunctionCall,
    position::Position,
    run::{LogLine, RunStatus},
};

use super::{
    call::{Call, Place, call_method},
    context::Context,
};
use crate::{
    method::{Invoked, StepBudget},
    render::{Lookups, Scope},
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
    left: Mutex<Left>,
}

/// What the methods left behind.
#[derive(Default)]
pub(super) struct Left {
    data_handles: Vec<Json>,
    logs: Vec<LogLine>,
}

impl<'a> WithMethods<'a> {
    /// Nothing was called yet.
    pub(super) fn new(
        context: &'a Context<'a>,
        (place, scope): (Place<'a>, &'a Scope),
        budget: &'a Arc<StepBudget>,
        position: Position,
    ) -> Self {
        Self { context, place, scope, budget, position, left: Mutex::default() }
    }

    /// What the methods left behind that were called.
    pub(super) fn into_left(self) -> Left {
        self.left.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn method(&self, name: &str, method: &str, inputs: &Json) -> Result<Json, String> {
        let context = self.context;
        let definition = context.services.definitions.named(context.library, name).await;
        let call = Call {
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
        let mut resources = handles.iter().filter(|handle| handle.kind == DataKind::Resource);
        let first = resources.clone().next();
        // What this call wrote, not what a call beside it or an earlier one did.
        let named = resources.rfind(|handle| first.is_some_and(|first| handle.name == first.spec_name));
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
        drop(left);
        if status == RunStatus::Succeeded { answer } else { answer.and(Err(format!("`{label}` {}", status.as_str()))) }
    }
}

impl Left {
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
