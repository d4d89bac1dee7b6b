//! YAML and JSON files with positions.

use crate::{document::Document, position::Position};

/// Parses YAML and JSON (JSON with comments where the file is called `.jsonc`).
///
/// Implementations MUST keep the position of every node; MUST refuse duplicate keys and more than one
/// document; MUST bound nesting, so that no input overflows the stack. Contract: `testkit::contract::documents`.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Documents: Send + Sync {
    /// Parses `text`, which stands in the file that people call `name`.
    ///
    /// # Errors
    /// [`DocumentError`] with line and column.
    fn parse(&self, name: &str, text: &str) -> Result<Document, DocumentError>;
}

/// The text is no document.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{position}: {message}")]
pub struct DocumentError {
    /// Where.
    pub position: Position,
    /// What was expected.
    pub message: String,
}
