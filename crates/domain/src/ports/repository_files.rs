//! The data files of a repository: definitions, workflows.

use async_trait::async_trait;

use crate::{failure::Fault, problem::Problem};

/// Reads files of one repository. Paths are relative to it, with forward slashes.
///
/// Implementations MUST give sorted paths; MUST treat a missing directory as an empty one; MUST skip directories
/// and files whose name starts with `.` or `_`; MUST give a file once, however many links lead to it, by its own path
/// if that lies in one of the directories; MUST NOT read or list what lies outside of the repository; MUST end, however
/// many directories there are.
/// Contract: `testkit::contract::repository_files`.
#[async_trait]
pub trait RepositoryFiles: Send + Sync {
    /// The files in `directories`, at any depth, whose name ends with one of `endings`. A directory below them that
    /// cannot be listed is a problem of the list.
    async fn list(&self, directories: &[&str], endings: &[&str]) -> Result<FileList, FilesError>;

    /// The text of a file; `None` if it is not there.
    async fn read(&self, path: &str) -> Result<Option<String>, FilesError>;
}

/// What was found in some directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileList {
    /// The files.
    pub paths: Vec<String>,
    /// Why it may not be all of them.
    pub problems: Vec<Problem>,
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
