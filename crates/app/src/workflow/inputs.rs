//! Inputs of a workflow against its schema: for runs, and for whoever fills in a form before one.

use mangrove_domain::{
    description::Violation,
    json::Json,
    nearest,
    ports::{SchemaError, SchemaValidator},
    workflow::Workflow,
};

use crate::method::arguments;

/// Why inputs cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistakes {
    /// The schema of the workflow is none.
    #[error(transparent)]
    Schema(SchemaError),
    /// They break the schema: at least one violation, sorted by path.
    #[error("{}", .0.iter().map(|wrong| wrong.violation.to_string()).collect::<Vec<_>>().join("; "))]
    Values(Vec<Mistake>),
}

/// One way in which inputs break the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where and how.
    pub violation: Violation,
    /// A name that may have been meant.
    pub hint: Option<String>,
}

/// The inputs with defaults and coerced texts.
///
/// # Errors
/// [`Mistakes`].
pub fn check(workflow: &Workflow, inputs: Json, schemas: &dyn SchemaValidator) -> Result<Json, Mistakes> {
    let schema = workflow.input_schema();
    let inputs = arguments::complete(&schema, inputs);
    let violations = schemas.validate(&schema, &inputs).map_err(Mistakes::Schema)?;
    if violations.is_empty() {
        return Ok(inputs);
    }
    let known = schema.get("properties").and_then(Json::as_object).unwrap_or_default();
    let wrong = |violation: Violation| {
        let names = known.iter().map(|(name, _)| name.as_str()).filter(|name| *name != violation.path);
        let is_known = known.iter().any(|(name, _)| violation.is_within(name));
        let hint = if is_known { None } else { nearest::hint(&violation.path, names) };
        Mistake { violation, hint }
    };
    Err(Mistakes::Values(violations.into_iter().map(wrong).collect()))
}
