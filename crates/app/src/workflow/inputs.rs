//! Inputs of a workflow against its schema: for runs, and for whoever fills in a form before one.

use mangrove_domain::{
    description::Violation,
    document::Node,
    inputs,
    json::Json,
    nearest,
    problem::{Code, Problem},
    workflow::Workflow,
};

use crate::method::arguments;

/// Why inputs cannot be used: at least one mistake, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|wrong| wrong.violation.to_string()).collect::<Vec<_>>().join("; "))]
pub struct Mistakes(pub Vec<Mistake>);

/// One way in which inputs break the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where and how.
    pub violation: Violation,
    /// A name that may have been meant.
    pub hint: Option<String>,
}

/// The inputs with their numbers as they are written in the document that they were made of, where the workflow wants a text.
#[must_use]
pub(crate) fn as_written(workflow: &Workflow, inputs: Json, written: Option<&Node>) -> Json {
    arguments::as_written(&workflow.input_schema(), inputs, written)
}

/// The inputs with defaults and coerced texts.
///
/// # Errors
/// [`Mistakes`].
pub fn check(workflow: &Workflow, inputs: Json) -> Result<Json, Mistakes> {
    check_but(workflow, inputs, &|_| false)
}

/// As [`check`], for inputs of which some have no value yet: nothing is said of these.
///
/// # Errors
/// [`Mistakes`].
pub(crate) fn check_but(workflow: &Workflow, given: Json, waits: &dyn Fn(&Json) -> bool) -> Result<Json, Mistakes> {
    let schema = workflow.input_schema();
    let later = given.as_object().unwrap_or_default().iter().filter(|(_, value)| waits(value));
    let later: Vec<String> = later.map(|(name, _)| name.clone()).collect();
    let known = inputs::properties(&schema);
    let wrong = |violation: Violation| {
        let is_known = known.iter().any(|(name, _)| violation.is_within(name));
        let hint = if is_known { None } else { nearest_of(&schema, &violation.path) };
        Mistake { violation, hint }
    };
    let given = inputs::with_defaults(&schema, inputs::coerced(&schema, given));
    let mut violations = inputs::violations(&schema, &given);
    violations.retain(|violation| !later.iter().any(|name| violation.is_within(name)));
    if violations.is_empty() {
        return Ok(given);
    }
    Err(Mistakes(violations.into_iter().map(wrong).collect()))
}

/// Inputs that a workflow which names its inputs does not name, as warnings: its expressions can use them all the same.
#[must_use]
pub fn unnamed(workflow: &Workflow, inputs: &Json) -> Vec<Problem> {
    let schema = workflow.input_schema();
    let known = inputs::properties(&schema);
    if known.is_empty() || workflow.is_single_call() {
        return Vec::new();
    }
    let given = inputs.as_object().unwrap_or_default().iter().map(|(name, _)| name);
    let unknown = given.filter(|name| !known.iter().any(|(known, _)| known == *name));
    unknown
        .map(|name| {
            let message = format!("the workflow names no input `{name}`");
            Problem::warning(Code::INVALID_INPUT, workflow.name.value.clone(), message)
                .advise_if(nearest_of(&schema, name))
        })
        .collect()
}

fn nearest_of(schema: &Json, name: &str) -> Option<String> {
    let names = inputs::properties(schema).iter().map(|(known, _)| known.as_str());
    nearest::hint(name, names.filter(|known| *known != name))
}
