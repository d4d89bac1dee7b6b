//! The names that expressions may use.

use std::sync::Arc;

use mangrove_domain::{inputs, json::Json};

/// The names that expressions may use, beside `env` and what [`Lookups`](super::Lookups) find.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    variables: Vec<(String, Arc<Json>)>,
    /// The paths of what is declared as an integer: see [`Variables`](mangrove_domain::ports::Variables).
    integers: Arc<[Vec<String>]>,
}

impl Scope {
    /// `inputs` of a schema, `run` and its `workflowRunId`, and an empty `self`.
    #[must_use]
    pub fn new(inputs: Json, schema: &Json, run: Json) -> Self {
        let id = run.get("id").cloned().unwrap_or_default();
        Self::empty()
            .with_inputs(inputs, schema)
            .with("run", run)
            .with("workflowRunId", id)
            .with_self(Json::Object(Vec::new()))
    }

    /// What the inputs of a trigger may use: `webhook`, if it was one.
    #[must_use]
    pub fn of_trigger(webhook: Option<Json>) -> Self {
        let empty = Self::empty();
        webhook.map_or(empty.clone(), |webhook| empty.with("webhook", webhook))
    }

    fn empty() -> Self {
        Self { variables: Vec::new(), integers: Arc::default() }
    }

    /// The same scope with another value of this name.
    #[must_use]
    pub fn with(&self, name: &str, value: Json) -> Self {
        let kept = self.variables.iter().filter(|(known, _)| known != name).cloned();
        let variables = kept.chain([(name.to_owned(), Arc::new(value))]).collect();
        Self { variables, integers: Arc::clone(&self.integers) }
    }

    /// The same scope with other `inputs`. What their schema does not name is declared as it was.
    #[must_use]
    pub fn with_inputs(&self, inputs: Json, schema: &Json) -> Self {
        let names = inputs::properties(schema);
        let is_named =
            |path: &&Vec<String>| path.get(1).is_some_and(|name| names.iter().any(|(known, _)| known == name));
        let before = self.integers.iter().filter(|path| !is_named(path)).cloned();
        let own = inputs::integers(schema).into_iter().map(|mut path| {
            path.insert(0, "inputs".to_owned());
            path
        });
        Self { integers: before.chain(own).collect(), ..self.with("inputs", inputs) }
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

    /// The paths of what is declared as an integer.
    pub(super) fn integers(&self) -> &[Vec<String>] {
        &self.integers
    }

    /// Every name, with its value if one of the paths begins with it.
    pub(super) fn read_by(&self, references: &[Vec<String>]) -> Vec<(String, Json)> {
        let is_read = |name: &str| references.iter().any(|path| path.first().is_some_and(|root| root == name));
        let value = |name: &str, value: &Json| if is_read(name) { value.clone() } else { Json::Null };
        self.variables.iter().map(|(name, known)| (name.clone(), value(name, known))).collect()
    }
}
