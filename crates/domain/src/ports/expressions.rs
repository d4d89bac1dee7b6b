//! `${{ … }}` in definitions and workflows.

use crate::json::Json;

/// Evaluates CEL expressions.
///
/// Implementations MUST be free of side effects and MUST end in bounded time and depth.
/// Contract: `testkit::contract::expressions`.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Expressions: Send + Sync {
    /// The variables that an expression may read, each as a path: its name, then the members that are taken of it by
    /// constant names (`inputs.zone["id"]` is `["inputs", "zone", "id"]`). Sorted, each once. Nothing is evaluated.
    ///
    /// Secrets are masked by what this says, so it MUST name every variable that [`evaluate`](Self::evaluate) may look
    /// at, by the same parser; where it is not known which member is read, the path ends before it. Variables that
    /// the expression binds itself and functions are not among them.
    ///
    /// # Errors
    /// [`ExpressionError`] if the text is no expression.
    fn references(&self, expression: &str) -> Result<Vec<Vec<String>>, ExpressionError>;

    /// The value of an expression, where `variables` is an object whose members are the names it may use.
    ///
    /// # Errors
    /// [`ExpressionError`] if the text is no expression or a name is unknown.
    fn evaluate(&self, expression: &str, variables: &Json) -> Result<Json, ExpressionError>;
}

/// An expression that has no value.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{expression}`: {message}")]
pub struct ExpressionError {
    /// The text.
    pub expression: String,
    /// What is wrong with it.
    pub message: String,
}
