//! Guards: whether what a step would do is done already.

use mangrove_domain::{
    form::Located,
    json::{Json, Number},
    run::RunProblem,
};

use super::methods::WithMethods;
use crate::{
    method::lines::shortened,
    render::{Renderer, Stage},
};

/// What a guard says of its step.
pub(super) enum Decision {
    /// It is to run.
    Run,
    /// There is nothing to do, for this reason if the guard gives a text. Secrets are masked.
    Skip(Option<String>),
}

/// How many characters of a reason are kept: a guard may give anything that it has read.
const LONGEST_REASON: usize = 500;

/// Whether there is something to do for the step.
pub(super) async fn decide(methods: &WithMethods<'_>, guard: &Located<String>) -> Result<Decision, RunProblem> {
    let renderer = Renderer { lookups: methods, ..methods.context.renderer(methods.scope) };
    let value = renderer.text(&guard.value, &methods.position, Stage::EVERYTHING).await?;
    Ok(match value {
        value if !is_truthy(&value) => Decision::Run,
        Json::String(reason) => {
            let reason = methods.context.environment.mask(&reason);
            Decision::Skip(Some(shortened(reason, LONGEST_REASON)))
        }
        _ => Decision::Skip(None),
    })
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
