//! Guards: whether what a step would do is done already.

use mangrove_domain::{
    form::Located,
    json::{Json, Number},
    run::RunProblem,
};

use super::methods::WithMethods;
use crate::render::{Renderer, Stage};

/// True if there is nothing to do for the step.
pub(super) async fn decide(methods: &WithMethods<'_>, guard: &Located<String>) -> Result<bool, RunProblem> {
    let renderer = Renderer { lookups: methods, ..methods.context.renderer(methods.scope) };
    let value = renderer.text(&guard.value, &methods.position, Stage::EVERYTHING).await?;
    Ok(is_truthy(&value))
}

/// False for `false`, nothing, 0 and the empty text; true for all else, also for an empty list or mapping.
pub(super) fn is_truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(Number::Integer(number)) => *number != 0,
        Json::Number(Number::Float(number)) => *number != 0.0,
        Json::String(text) => !text.is_empty(),
        Json::Array(_) | Json::Object(_) => true,
    }
}
