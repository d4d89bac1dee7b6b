//! Definitions that the program writes.

use async_trait::async_trait;

use super::FilesError;

/// Keeps definitions that nobody wrote by hand, and writes new ones for people to go on with.
///
/// Implementations MUST give automatic definitions sorted by their files; MUST let nobody see a file half written; MUST
/// create a file for one caller only, however many processes ask at the same time; MUST NOT replace what another process has
/// written since its caller looked; MUST NOT write outside of the
/// directory of definitions or that of automatic ones. Paths are relative to these, with forward slashes.
/// Contract: `testkit::contract::definition_files`.
#[async_trait]
pub trait DefinitionFiles: Send + Sync {
    /// The automatic definitions.
    async fn automatic(&self) -> Result<Vec<DefinitionText>, FilesError>;

    /// The automatic definition in this file; `None` if it is not there.
    async fn read_automatic(&self, path: &str) -> Result<Option<DefinitionText>, FilesError>;

    /// Writes an automatic definition unless its file is there. Gives what is in the file now.
    async fn create_automatic(&self, path: &str, text: &str) -> Result<DefinitionText, FilesError>;

    /// Writes an automatic definition unless its file has another text than `before`. Gives what is in the file now.
    async fn replace_automatic(&self, path: &str, before: &str, text: &str) -> Result<DefinitionText, FilesError>;

    /// Writes a definition below the directory in which people keep theirs, as a file that they can edit. `None` if the
    /// file is there already.
    async fn create(&self, path: &str, text: &str) -> Result<Option<DefinitionText>, FilesError>;
}

/// A definition as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionText {
    /// Its file, as people name it.
    pub file: String,
    /// Its text.
    pub text: String,
}
