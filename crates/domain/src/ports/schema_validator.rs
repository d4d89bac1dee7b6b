//! JSON Schema.

use crate::{description::Violation, json::Json};

/// Checks values against JSON Schema.
///
/// Implementations MUST report every violation with its path; MUST NOT fetch anything a schema refers to.
/// Contract: `testkit::contract::schema_validator`.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait SchemaValidator: Send + Sync {
    /// Every way in which `value` breaks `schema`, sorted by path; none if it does not.
    ///
    /// # Errors
    /// [`SchemaError`] if the schema is none.
    fn validate(&self, schema: &Json, value: &Json) -> Result<Vec<Violation>, SchemaError>;
}

/// The schema cannot be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("not a usable JSON Schema: {message}")]
pub struct SchemaError {
    /// In what way.
    pub message: String,
}
