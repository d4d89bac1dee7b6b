//! `${{ … }}` in definitions and workflows.

use std::{fmt::Debug, sync::Arc};

use crate::json::Json;

/// Reads CEL expressions.
///
/// Implementations MUST be free of side effects and MUST end in bounded time and depth.
/// Contract: `testkit::contract::expressions`.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Expressions: Send + Sync {
    /// The expression that a text spells. Nothing is evaluated, and no name is looked up.
    ///
    /// # Errors
    /// [`ExpressionErrorKind::Invalid`] if the text is no expression.
    fn parse(&self, expression: &str) -> Result<Arc<dyn ParsedExpression>, ExpressionError>;

    /// The variables that an expression may read: see [`ParsedExpression::references`].
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    fn references(&self, expression: &str) -> Result<Vec<Vec<String>>, ExpressionError> {
        Ok(self.parse(expression)?.references().to_vec())
    }

    /// The value of an expression that asks for nothing but variables.
    ///
    /// # Errors
    /// [`ExpressionError`] if the text is no expression, or has no value.
    fn evaluate(&self, expression: &str, variables: &Json) -> Result<Json, ExpressionError> {
        self.parse(expression)?.evaluate(variables.into(), &NoFunctions)
    }
}

/// An expression, ready to be evaluated any number of times.
///
/// Numbers in [`Variables`] and in answers are doubles to an expression, whole or not, but for those that are declared as
/// integers. A whole double of up to 53 bits that an expression yields comes back as
/// [`Number::Integer`](crate::json::Number::Integer).
pub trait ParsedExpression: Debug + Send + Sync {
    /// The variables that an expression may read, each as a path: its name, then the members that are taken of it by
    /// constant names (`inputs.zone["id"]` is `["inputs", "zone", "id"]`). Sorted, each once.
    ///
    /// Secrets are masked by what this says, so it MUST name every variable that [`evaluate`](Self::evaluate) may look
    /// at, by the same parser; where it is not known which member is read, the path ends before it. Variables that the
    /// expression binds itself are not among them; functions of [`ExpressionFunctions`] are not either.
    fn references(&self) -> &[Vec<String>];

    /// The paths among them of which the expression asks whether they are there, by `has` or an optional. Without a value they
    /// are no mistake. Sorted, each once.
    fn asked_for(&self) -> &[Vec<String>];

    /// Which functions of [`ExpressionFunctions`] the expression calls, by name. Sorted, each once.
    fn functions(&self) -> &[String];

    /// The value.
    ///
    /// # Errors
    /// [`ExpressionErrorKind::Failed`] if it has no value, [`ExpressionErrorKind::Waiting`] if a function that decides it
    /// has not been answered yet.
    fn evaluate(&self, variables: Variables<'_>, functions: &dyn ExpressionFunctions) -> Result<Json, ExpressionError>;
}

/// What an expression may read.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'v> {
    /// An object whose members are the names that the expression may use.
    pub values: &'v Json,
    /// The paths of numbers that are ints to the expression where they are whole: those that somebody declares as
    /// integers. Each begins with the name of a variable; [`ANY_ITEM`] stands for each item of a list.
    pub integers: &'v [Vec<String>],
}

/// Stands in a path for each item of a list.
pub const ANY_ITEM: &str = "[]";

impl<'v> From<&'v Json> for Variables<'v> {
    fn from(values: &'v Json) -> Self {
        Self { values, integers: &[] }
    }
}

/// The names of the functions that [`ExpressionFunctions`] answers.
pub const EXPRESSION_FUNCTIONS: [&str; 9] = [
    "data.findBySpec",
    "data.findByTag",
    "data.latest",
    "data.listVersions",
    "data.query",
    "data.version",
    "file.contents",
    "model.method",
    "workers.connected",
];

/// What an expression may ask for beyond its variables.
pub trait ExpressionFunctions: Send + Sync {
    /// The answer, or why there is none. `None` means that it is not known yet: the evaluation ends, waiting for it.
    fn call(&self, call: &FunctionCall) -> Option<Result<Json, String>>;
}

/// A call of one of [`EXPRESSION_FUNCTIONS`].
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionCall {
    /// Which function: `data.latest`.
    pub name: String,
    /// An int is a [`Number::Integer`](crate::json::Number::Integer); a double is a
    /// [`Number::Float`](crate::json::Number::Float) also when it is whole.
    pub arguments: Vec<Json>,
}

/// Answers nothing: there are no functions where the expression stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFunctions;

impl ExpressionFunctions for NoFunctions {
    fn call(&self, call: &FunctionCall) -> Option<Result<Json, String>> {
        Some(Err(format!("`{}` cannot be used here", call.name)))
    }
}

/// An expression that has no value.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
#[error("`{expression}`: {message}")]
pub struct ExpressionError {
    /// The text.
    pub expression: String,
    /// What is wrong with it.
    pub message: String,
    /// Why it has none.
    pub kind: ExpressionErrorKind,
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpressionErrorKind {
    /// The text is no expression.
    Invalid,
    /// It is one, and fails.
    Failed,
    /// It waits for this answer.
    Waiting(FunctionCall),
}
