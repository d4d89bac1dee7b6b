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

    /// Reads those of these files that are not as they were. The answers are in the order of the files.
    async fn read_changed(&self, files: Vec<KnownFile>) -> Vec<FileReading>;

    /// True if the same request would give this list again; false if that is not certain.
    async fn is_listed_so(&self, list: &FileList) -> bool;
}

/// What was found in some directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileList {
    /// The files.
    pub paths: Vec<String>,
    /// Why it may not be all of them.
    pub problems: Vec<Problem>,
    /// The directories that were listed or are missing, each with its stamp; `None` if they do not tell whether the list
    /// still holds.
    pub rests_on: Option<Vec<(String, FileStamp)>>,
}

/// By what an adapter knows the state of a file or directory again. It means nothing to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileStamp(pub [u64; 5]);

/// A file of which something may be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    /// Its path.
    pub path: String,
    /// The stamp that it had when it was read last.
    pub stamp: Option<FileStamp>,
}

/// What reading a file gave.
#[derive(Debug)]
pub enum FileReading {
    /// It is as it was when it had its stamp; it was not opened.
    Unchanged,
    /// It was read.
    Text {
        /// Its text.
        text: String,
        /// By what it is known again; `None` as long as it may be written without another stamp.
        stamp: Option<FileStamp>,
    },
    /// It is not there.
    Absent,
    /// It cannot be read.
    Failed(FilesError),
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
