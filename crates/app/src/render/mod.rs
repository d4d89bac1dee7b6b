//! From documents with `${{ … }}` to values.

mod lookups;
mod scope;
mod stage;

use std::sync::Arc;

use futures::future::BoxFuture;
use mangrove_domain::{
    document::{Node, NodeValue},
    json::Json,
    ports::{ExpressionError, ExpressionErrorKind, Expressions, ParsedExpression, Variables},
    position::Position,
    problem::Code,
    run::RunProblem,
    workflow::{
        rewrites::{self, VaultCall},
        template::{self, Part, Span},
    },
};

pub use lookups::{Lookups, NoLookups};
pub use scope::Scope;
pub use stage::Stage;

use crate::secrets::{Environment, Placeholders, Secrets, VaultKey};
use lookups::{Answers, together};
use stage::Verdict;

/// How many things one expression may ask for.
const MAXIMUM_CALLS: usize = 1000;

/// Renders documents in a scope.
#[derive(Clone, Copy)]
pub struct Renderer<'a> {
    /// Reads expressions.
    pub expressions: &'a dyn Expressions,
    /// Gives out `env`, and masks it and every secret.
    pub environment: &'a Environment,
    /// The other names.
    pub scope: &'a Scope,
    /// The file of the documents, for messages.
    pub file: &'a str,
    /// Finds data, files and models.
    pub lookups: &'a dyn Lookups,
    /// Finds secrets.
    pub secrets: &'a dyn Secrets,
    /// Where secrets are kept while something else stands for them; `None` puts them into the values.
    pub placeholders: Option<&'a Placeholders>,
}

/// An expression that was read.
struct Read {
    parsed: Arc<dyn ParsedExpression>,
    calls: Vec<VaultCall>,
}

impl Renderer<'_> {
    /// The value of a document at a stage. A text that is only one expression becomes its value, of whatever type.
    ///
    /// What stays as it is written can be evaluated later by [`again`](Self::again) and [`hand_over`](Self::hand_over).
    ///
    /// # Errors
    /// The problem, with the place of the text in its file.
    pub async fn value(&self, node: &Node, stage: Stage) -> Result<Json, RunProblem> {
        if has_expression(node) { self.node(node, stage).await } else { Ok(node.to_json()) }
    }

    fn node<'s>(&'s self, node: &'s Node, stage: Stage) -> BoxFuture<'s, Result<Json, RunProblem>> {
        Box::pin(async move {
            match &node.value {
                NodeValue::String(text) => self.text(text, &node.position(self.file), stage).await,
                NodeValue::List(items) => {
                    let mut values = Vec::with_capacity(items.len());
                    for item in items {
                        values.push(self.value(item, stage).await?);
                    }
                    Ok(Json::Array(values))
                }
                NodeValue::Map(members) => {
                    let mut values = Vec::with_capacity(members.len());
                    for (key, value) in members {
                        let key = key.as_str().unwrap_or_default().to_owned();
                        values.push((key, self.value(value, stage).await?));
                    }
                    Ok(Json::Object(values))
                }
                NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => Ok(node.to_json()),
            }
        })
    }

    /// The value of one text.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub async fn text(&self, text: &str, position: &Position, stage: Stage) -> Result<Json, RunProblem> {
        self.parts(text, position, stage, &|_| true).await
    }

    /// What a method is called with, from what earlier stages have made: see [`again`](Self::again).
    ///
    /// # Errors
    /// The problem, at this place.
    pub async fn hand_over(&self, value: &Json, position: &Position) -> Result<Json, RunProblem> {
        self.again(value, position, Stage::HAND_OVER).await
    }

    /// A value that earlier stages have made, with what they left evaluated at this one. Only what the files of workflows and
    /// definitions say themselves is; what merely looks like it, in data or in inputs of a caller, stays as it is.
    ///
    /// # Errors
    /// The problem, at this place.
    pub async fn again(&self, value: &Json, position: &Position, stage: Stage) -> Result<Json, RunProblem> {
        self.json(value, position, stage).await
    }

    fn json<'s>(
        &'s self,
        value: &'s Json,
        position: &'s Position,
        stage: Stage,
    ) -> BoxFuture<'s, Result<Json, RunProblem>> {
        Box::pin(async move {
            Ok(match value {
                Json::String(text) if text.contains(template::OPEN) => {
                    let is_left = |span: &Span<'_>| self.environment.is_left(span.raw);
                    self.parts(text, position, stage, &is_left).await?
                }
                Json::Array(items) => {
                    let mut values = Vec::with_capacity(items.len());
                    for item in items {
                        values.push(self.json(item, position, stage).await?);
                    }
                    Json::Array(values)
                }
                Json::Object(members) => {
                    let mut values = Vec::with_capacity(members.len());
                    for (key, value) in members {
                        values.push((key.clone(), self.json(value, position, stage).await?));
                    }
                    Json::Object(values)
                }
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
            })
        })
    }

    /// The value of a text of which these expressions are evaluated.
    async fn parts(
        &self,
        text: &str,
        position: &Position,
        stage: Stage,
        is_ours: &(dyn Fn(&Span<'_>) -> bool + Send + Sync),
    ) -> Result<Json, RunProblem> {
        let parts = template::split(text);
        if let Some(span) = template::sole_expression(&parts).filter(|span| is_ours(span)) {
            return Ok(self.span(span, position, stage).await?.unwrap_or_else(|| Json::from(text)));
        }
        let mut rendered = String::with_capacity(text.len());
        for part in parts {
            match part {
                Part::Expression(span) if is_ours(&span) => match self.span(span, position, stage).await? {
                    Some(value) => rendered.push_str(&template::put_into_text(&value)),
                    None => rendered.push_str(span.raw),
                },
                Part::Expression(Span { raw: text, .. }) | Part::Text(text) => rendered.push_str(text),
            }
        }
        Ok(Json::String(rendered))
    }

    /// The value of an expression that stands alone, without `${{ }}`.
    ///
    /// # Errors
    /// Why it has none, secrets masked.
    pub async fn evaluate(&self, expression: &str) -> Result<Json, ExpressionError> {
        let outcome = async { self.evaluate_read(&self.read(expression)?, expression).await }.await;
        outcome.map_err(|error| ExpressionError { message: self.environment.mask(&error.message), ..error })
    }

    /// The value of an expression in a text; `None` if it stays as it is written.
    async fn span(&self, span: Span<'_>, position: &Position, stage: Stage) -> Result<Option<Json>, RunProblem> {
        let failed = |error: &ExpressionError| self.environment.mask_problem(problem(position, &error.to_string()));
        let read = match self.read(span.expression) {
            Ok(read) => read,
            Err(error) if stage.keeps_invalid() => {
                if stage == Stage::HAND_OVER {
                    tracing::warn!(%position, %error, "a text stays as it is: what looks like an expression is none");
                }
                return Ok(None);
            }
            Err(error) => return Err(failed(&error)),
        };
        match stage.of(read.parsed.as_ref(), !read.calls.is_empty()) {
            Verdict::Evaluate => match self.evaluate_read(&read, span.expression).await {
                Ok(value) => return Ok(Some(value)),
                Err(error) if !stage.keeps_failed() => return Err(failed(&error)),
                Err(_) => {}
            },
            Verdict::Keep => {}
            Verdict::Mixed => {
                let message = format!(
                    "`{}`: what reads `env` or a vault cannot read anything else where it is passed on to another \
                     workflow, which has names of its own; pass the parts on, or put them together there",
                    span.expression
                );
                return Err(problem(position, &message));
            }
        }
        self.environment.leave(span.raw);
        Ok(None)
    }

    fn read(&self, expression: &str) -> Result<Read, ExpressionError> {
        let calls = rewrites::vault_calls(expression);
        let text = rewrites::replace_calls(expression, &calls, |number| format!("\"{}\"", Placeholders::text(number)));
        let parsed = self.expressions.parse(&text);
        let parsed = parsed.map_err(|error| ExpressionError { expression: expression.to_owned(), ..error })?;
        Ok(Read { parsed, calls })
    }

    async fn evaluate_read(&self, read: &Read, expression: &str) -> Result<Json, ExpressionError> {
        let failed = |message: String| ExpressionError {
            expression: expression.to_owned(),
            message,
            kind: ExpressionErrorKind::Failed,
        };
        let parsed = read.parsed.as_ref();
        // What is a call of a vault was taken out before it was parsed.
        if parsed.references().iter().any(|path| path.first().is_some_and(|root| root == "vault")) {
            return Err(failed("`vault.get` takes two names: of a vault, and of a secret in it".to_owned()));
        }
        let secrets = Placeholders::default();
        for VaultCall { vault, key, .. } in &read.calls {
            let secret = self.secrets.get(vault, key).await;
            // The expression stands in front of the reason; where there is more in it, the reason says which call it is about.
            let is_whole = read.calls.len() == 1 && expression.starts_with("vault.get(") && expression.ends_with(')');
            let secret = secret.map_err(|reason| {
                failed(if is_whole { reason } else { format!("vault.get({vault}, {key}): {reason}") })
            })?;
            self.environment.conceal(&secret, VaultKey::new(vault, key));
            let _ = secrets.put(secret);
        }
        let variables = self.variables(parsed.references()).await.map_err(failed)?;
        let mut answers = Answers::default();
        let value = loop {
            let variables = Variables { values: &variables, integers: self.scope.integers() };
            match parsed.evaluate(variables, &answers) {
                Ok(value) => break value,
                Err(ExpressionError { kind: ExpressionErrorKind::Waiting(call), .. }) => {
                    if answers.len() == MAXIMUM_CALLS {
                        return Err(failed(format!("asks for more than {MAXIMUM_CALLS} things")));
                    }
                    // There are no workers beside this process.
                    let answer = match call.name.as_str() {
                        "workers.connected" => Ok(Json::Array(Vec::new())),
                        _ => self.lookups.answer(&call).await,
                    };
                    answers.add(call, answer);
                }
                Err(error) => {
                    let message = format!("{}{}", error.message, self.not_given(&error.message, parsed.references()));
                    return Err(ExpressionError { expression: expression.to_owned(), message, ..error });
                }
            }
        };
        Ok(match self.placeholders {
            _ if read.calls.is_empty() => value,
            None => secrets.reveal_in(&value),
            Some(kept) => secrets.replace_in(&value, &|secret| kept.put(secret)),
        })
    }

    /// Which of the inputs that are read, and that a message is about, nobody gave, as the end of a sentence; empty if all are there.
    fn not_given(&self, message: &str, references: &[Vec<String>]) -> String {
        let Some(inputs) = self.scope.get("inputs").and_then(Json::as_object) else { return String::new() };
        let of_inputs = references.iter().filter(|path| path.first().is_some_and(|root| root == "inputs"));
        let mut missing: Vec<&str> = of_inputs.filter_map(|path| path.get(1).map(String::as_str)).collect();
        missing.retain(|name| message.contains(&format!("`{name}`")) && !inputs.iter().any(|(known, _)| known == name));
        missing.dedup();
        match missing.as_slice() {
            [] => String::new(),
            [name] => format!("; the input `{name}` was not given"),
            names => format!("; the inputs `{}` were not given", names.join("`, `")),
        }
    }

    /// What an expression sees that reads these paths.
    async fn variables(&self, references: &[Vec<String>]) -> Result<Json, String> {
        let mut variables = self.scope.read_by(references);
        let mut found: Option<(String, Json)> = None;
        for path in references {
            let name = &path[0];
            if name == "env" || self.scope.get(name).is_some() {
                continue;
            }
            let Some(value) = self.lookups.variable(path).await? else { continue };
            // Paths are sorted: those of one variable follow each other.
            found = match found {
                Some((known, before)) if known == *name => Some((known, together(before, value))),
                before => {
                    variables.extend(before);
                    Some((name.clone(), value))
                }
            };
        }
        variables.extend(found);
        variables.push(("env".to_owned(), self.environment.give(references)));
        Ok(Json::Object(variables))
    }
}

/// Whether there is an expression in a document.
fn has_expression(node: &Node) -> bool {
    match &node.value {
        NodeValue::String(text) => text.contains(template::OPEN),
        NodeValue::List(items) => items.iter().any(has_expression),
        NodeValue::Map(members) => members.iter().any(|(_, value)| has_expression(value)),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => false,
    }
}

fn problem(position: &Position, message: &str) -> RunProblem {
    RunProblem::new(Code::INVALID_EXPRESSION, format!("{position}: {message}"))
}
