//! `${{ … }}` in definitions and workflows.

use crate::json::Json;

/// Evaluates CEL expressions.
///
/// Implementations MUST be free of side effects and MUST end in bounded time and depth.
/// Contract: `testkit::contract::expressions`.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Expressions: Send + Sync {
    /// Parses without evaluating.
    ///
    /// # Errors
    /// [`ExpressionError`] if the text is no expression.
    fn check(&self, expression: &str) -> Result<(), ExpressionError>;

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
