//! The data files of a repository: definitions, workflows.

use async_trait::async_trait;

use crate::failure::Fault;

/// Reads files of one repository. Paths are relative to it, with forward slashes.
///
/// Implementations MUST give sorted paths; MUST treat a missing directory as an empty one; MUST skip directories
/// and files whose name starts with `.` or `_`; MUST end when links form a circle.
/// Contract: `testkit::contract::repository_files`.
#[async_trait]
pub trait RepositoryFiles: Send + Sync {
    /// The files in `directory`, at any depth if `recursive`, whose name ends with one of `endings`.
    async fn list(&self, directory: &str, recursive: bool, endings: &[&str]) -> Result<Vec<String>, FilesError>;

    /// The text of a file; `None` if it is not there.
    async fn read(&self, path: &str) -> Result<Option<String>, FilesError>;
}

/// A file or directory cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path}: {fault}")]
pub struct FilesError {
    /// What was being done: `list`, `read`.
    pub operation: &'static str,
    /// To what.
    pub path: String,
    /// What came back.
    pub fault: Fault,
}
