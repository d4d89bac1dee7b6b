//! What methods write.

use async_trait::async_trait;

use crate::{
    data::{DataHandle, DataKind},
    failure::Fault,
    json::Json,
    time::Timestamp,
};

/// Versioned resources and files of model instances.
///
/// Implementations MUST write atomically; MUST give every write a new version and never change an old one.
/// Contract: `testkit::contract::data_store`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait DataStore: Send + Sync {
    /// Stores one item as the next version of its name.
    async fn write(&self, data: NewData) -> Result<DataHandle, DataError>;

    /// The content of an item of `model_id`; the latest version if none is asked for, `None` if there is none.
    async fn read(
        &self,
        model_id: &str,
        spec_name: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Json)>, DataError>;

    /// The latest versions of all items of `model_id`, sorted by spec and name.
    async fn list(&self, model_id: &str) -> Result<Vec<DataHandle>, DataError>;

    /// The identifiers of all models that have an item, sorted.
    async fn models(&self) -> Result<Vec<String>, DataError>;

    /// Removes what writers left that died before they had finished, and gives how many files that were; a dry run only
    /// counts them. No version is one.
    async fn remove_leftovers(&self, is_dry_run: bool) -> Result<u64, DataError>;
}

/// Something to store.
#[derive(Clone, Debug, PartialEq)]
pub struct NewData {
    /// The identifier of the definition whose method writes.
    pub model_id: String,
    /// The declared resource or file.
    pub spec_name: String,
    /// The name of the instance.
    pub name: String,
    /// Which of the two.
    pub kind: DataKind,
    /// The content; a file's as text.
    pub content: Json,
    /// Free labels.
    pub tags: Vec<(String, String)>,
    /// The run that writes.
    pub run_id: String,
    /// When.
    pub written_at: Timestamp,
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} data: {fault}")]
pub struct DataError {
    /// What was being done.
    pub operation: &'static str,
    /// What came back, with the path.
    pub fault: Fault,
}
