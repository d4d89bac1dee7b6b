//! From documents with `${{ … }}` to values.

use mangrove_domain::{
    document::{Node, NodeValue},
    json::Json,
    ports::{ExpressionError, Expressions},
    position::Position,
    problem::Code,
    run::RunProblem,
    workflow::template::{self, Part},
};

use crate::secrets::Environment;

/// The names that expressions may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    variables: Vec<(String, Json)>,
}

impl Scope {
    /// `inputs` and `run`, and an empty `self`.
    #[must_use]
    pub fn new(inputs: Json, run: Json) -> Self {
        Self {
            variables: vec![
                ("inputs".to_owned(), inputs),
                ("run".to_owned(), run),
                ("self".to_owned(), Json::Object(Vec::new())),
            ],
        }
    }

    /// What the inputs of a trigger may use: `webhook`, if it was one.
    #[must_use]
    pub fn of_trigger(webhook: Option<Json>) -> Self {
        Self { variables: webhook.map(|webhook| ("webhook".to_owned(), webhook)).into_iter().collect() }
    }

    /// The value of `inputs`.
    #[must_use]
    pub fn inputs(&self) -> &Json {
        self.variables.iter().find(|(name, _)| name == "inputs").map_or(&Json::Null, |(_, value)| value)
    }

    /// The same scope with other `inputs`.
    #[must_use]
    pub fn with_inputs(&self, value: Json) -> Self {
        let kept = self.variables.iter().filter(|(name, _)| name != "inputs").cloned();
        Self { variables: kept.chain([("inputs".to_owned(), value)]).collect() }
    }

    /// The same scope with another `self`.
    #[must_use]
    pub fn with_self(&self, value: Json) -> Self {
        let kept = self.variables.iter().filter(|(name, _)| name != "self").cloned();
        Self { variables: kept.chain([("self".to_owned(), value)]).collect() }
    }
}

/// Renders documents in a scope.
#[derive(Clone, Copy)]
pub struct Renderer<'a> {
    /// Evaluates.
    pub expressions: &'a dyn Expressions,
    /// Gives out `env`, and masks it.
    pub environment: &'a Environment,
    /// The other names.
    pub scope: &'a Scope,
    /// The file of the documents, for messages.
    pub file: &'a str,
}

impl Renderer<'_> {
    /// The value of a document. A text that is only one expression becomes its value, of whatever type.
    ///
    /// # Errors
    /// The problem, with the place of the text in its file.
    pub fn value(&self, node: &Node) -> Result<Json, RunProblem> {
        match &node.value {
            NodeValue::String(text) => self.text(text, &node.position(self.file)),
            NodeValue::List(items) => {
                Ok(Json::Array(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?))
            }
            NodeValue::Map(members) => {
                let members = members
                    .iter()
                    .map(|(key, value)| Ok((key.as_str().unwrap_or_default().to_owned(), self.value(value)?)));
                Ok(Json::Object(members.collect::<Result<_, RunProblem>>()?))
            }
            NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => Ok(node.to_json()),
        }
    }

    /// The value of one text.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn text(&self, text: &str, position: &Position) -> Result<Json, RunProblem> {
        if !text.contains("${{") {
            return Ok(Json::from(text));
        }
        let parts = template::split(text).map_err(|error| problem(position, &error.to_string()))?;
        if let Some(expression) = template::sole_expression(&parts) {
            return self.expression(expression, position);
        }
        let mut rendered = String::new();
        for part in parts {
            match part {
                Part::Text(text) => rendered.push_str(text),
                Part::Expression(expression) => match self.expression(expression, position)? {
                    Json::String(text) => rendered.push_str(&text),
                    other => rendered.push_str(&other.to_string()),
                },
            }
        }
        Ok(Json::String(rendered))
    }

    fn expression(&self, expression: &str, position: &Position) -> Result<Json, RunProblem> {
        let failed = |error: ExpressionError| self.environment.mask_problem(problem(position, &error.to_string()));
        let references = self.expressions.references(expression).map_err(failed)?;
        let mut variables = self.scope.variables.clone();
        variables.push(("env".to_owned(), self.environment.give(&references)));
        self.expressions.evaluate(expression, &Json::Object(variables)).map_err(failed)
    }
}

fn problem(position: &Position, message: &str) -> RunProblem {
    RunProblem {
        code: Code::INVALID_EXPRESSION,
        message: format!("{position}: {message}"),
        blocked_by: None,
        failure: None,
    }
}
