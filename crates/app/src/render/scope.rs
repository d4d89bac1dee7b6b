//! The names that expressions may use.

use std::sync::Arc;

use mangrove_domain::json::Json;

/// The names that expressions may use, beside `env` and what [`Lookups`](super::Lookups) find.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    variables: Vec<(String, Arc<Json>)>,
}

impl Scope {
    /// `inputs`, `run` and its `workflowRunId`, and an empty `self`.
    #[must_use]
    pub fn new(inputs: Json, run: Json) -> Self {
        let id = run.get("id").cloned().unwrap_or_default();
        Self { variables: Vec::new() }
            .with("inputs", inputs)
            .with("run", run)
            .with("workflowRunId", id)
            .with_self(Json::Object(Vec::new()))
    }

    /// What the inputs of a trigger may use: `webhook`, if it was one.
    #[must_use]
    pub fn of_trigger(webhook: Option<Json>) -> Self {
        let empty = Self { variables: Vec::new() };
        webhook.map_or(empty.clone(), |webhook| empty.with("webhook", webhook))
    }

    /// The same scope with another value of this name.
    #[must_use]
    pub fn with(&self, name: &str, value: Json) -> Self {
        let kept = self.variables.iter().filter(|(known, _)| known != name).cloned();
        Self { variables: kept.chain([(name.to_owned(), Arc::new(value))]).collect() }
    }

    /// The same scope with another `self`.
    #[must_use]
    pub fn with_self(&self, value: Json) -> Self {
        self.with("self", value)
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// Every name, with its value if one of the paths begins with it.
    pub(super) fn read_by(&self, references: &[Vec<String>]) -> Vec<(String, Json)> {
        let is_read = |name: &str| references.iter().any(|path| path.first().is_some_and(|root| root == name));
        let value = |name: &str, value: &Json| if is_read(name) { value.clone() } else { Json::Null };
        self.variables.iter().map(|(name, known)| (name.clone(), value(name, known))).collect()
    }
}
