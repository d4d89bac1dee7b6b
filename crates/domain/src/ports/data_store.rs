//! What methods write.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::{
    data::{DataHandle, DataKind, Owner},
    failure::Fault,
    json::Json,
    time::Timestamp,
};

/// Versioned resources and files of model instances. An item is named by its model and its name: two specifications of one
/// model share their names.
///
/// Implementations MUST write atomically; MUST give every write a new version and never change an old one. A version that was
/// not [settled](DataStore::settle) may be lost to a power failure, not to the end of a process; what such a loss leaves MUST
/// be no version, or say that it is damaged when it is asked for, and MUST NOT keep others from being found.
/// Contract: `testkit::contract::data_store`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait DataStore: Send + Sync {
    /// Stores one item as the next version of its name.
    async fn write(&self, data: NewData) -> Result<DataHandle, DataError>;

    /// Takes the next version of a name for a file that somebody else fills, and gives its number and the file's place.
    /// There is no such version before it is [finished](Self::finish).
    async fn reserve(&self, model_id: &str, name: &str) -> Result<(u32, PathBuf), DataError>;

    /// Makes a version of what was reserved. The content of `data` counts for nothing: the file is what was written to it.
    async fn finish(&self, version: u32, data: NewData) -> Result<DataHandle, DataError>;

    /// Makes versions durable that were written or finished. Of many at once the waits for the disk go on side by side, so
    /// whoever writes much asks once, before anything says that it is there. What was removed meanwhile is left out.
    async fn settle(&self, written: Vec<WrittenVersion>) -> Result<(), DataError>;

    /// An item of `model_id` with its content; the latest version if none is asked for, `None` if there is none.
    async fn read(
        &self,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Content)>, DataError>;

    /// The versions of an item that there are, in ascending order.
    async fn versions(&self, model_id: &str, name: &str) -> Result<Vec<DataHandle>, DataError>;

    /// The latest versions of all items of `model_id`, sorted by spec and name.
    async fn list(&self, model_id: &str) -> Result<Vec<DataHandle>, DataError>;

    /// Versions of all models as the search wants them, in any order. There may be more than those that fit: the search
    /// says what can be left out, and whoever asks looks again.
    async fn find(&self, search: &DataSearch) -> Result<Vec<FoundData>, DataError>;

    /// The identifiers of all models that have an item, sorted.
    async fn models(&self) -> Result<Vec<String>, DataError>;

    /// Removes one version of an item, or all of them. What is not ours to remove is hidden from then on.
    async fn delete(&self, model_id: &str, name: &str, version: Option<u32>) -> Result<Removed, DataError>;

    /// True if this store has written the version, so that it may remove it by itself.
    fn is_removable(&self, handle: &DataHandle) -> bool;

    /// Where the content of a version lies, or would lie.
    fn content_path(&self, model_id: &str, name: &str, version: u32) -> PathBuf;

    /// Removes what writers left that died before they had finished, and gives how many files that were; a dry run only
    /// counts them. No version is one.
    async fn remove_leftovers(&self, is_dry_run: bool) -> Result<u64, DataError>;
}

/// The content of a version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they say, where their type is JSON and they are.
    pub json: Option<Json>,
}

/// Which versions are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataSearch {
    /// All versions, and not only the latest of each model, name and step.
    pub wants_every_version: bool,
    /// The contents too.
    pub wants_content: bool,
    /// What must be so of each.
    pub equal: Vec<(DataField, String)>,
}

/// What versions are told apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataField {
    /// The tag `modelName`.
    ModelName,
    /// The identifier of the definition.
    ModelId,
    /// The type of the definition.
    ModelType,
    /// The name of the item.
    Name,
    /// The declared resource or file.
    SpecName,
    /// The run of the workflow.
    WorkflowRun,
    /// The step.
    Step,
    /// A tag.
    Tag(String),
}

impl DataField {
    /// What a version has there; the empty text for nothing.
    #[must_use]
    pub fn of<'a>(&self, handle: &'a DataHandle) -> &'a str {
        match self {
            DataField::ModelName => handle.model_name(),
            DataField::ModelId => &handle.model_id,
            DataField::ModelType => &handle.model_type,
            DataField::Name => &handle.name,
            DataField::SpecName => &handle.spec_name,
            DataField::WorkflowRun => handle.owner.workflow_run_id.as_deref().unwrap_or_default(),
            DataField::Step => handle.step_name(),
            DataField::Tag(name) => handle.tag(name).unwrap_or_default(),
        }
    }
}

/// A version that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundData {
    /// What is known of it.
    pub handle: DataHandle,
    /// True for the latest one of its model, name and step.
    pub is_latest: bool,
    /// What it says, if that was asked for.
    pub content: Option<Content>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many versions.
    pub versions: u64,
    /// Their contents together.
    pub bytes: u64,
}

/// A version, by what it is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WrittenVersion {
    /// The identifier of its definition.
    pub model_id: String,
    /// The name of its item.
    pub name: String,
    /// Its number.
    pub version: u32,
}

impl From<&DataHandle> for WrittenVersion {
    fn from(handle: &DataHandle) -> Self {
        Self { model_id: handle.model_id.clone(), name: handle.name.clone(), version: handle.version }
    }
}

/// Something to store.
#[derive(Clone, Debug, PartialEq)]
pub struct NewData {
    /// The identifier of the definition whose method writes.
    pub model_id: String,
    /// The type of the definition.
    pub model_type: String,
    /// The declared resource or file.
    pub spec_name: String,
    /// The name of the instance.
    pub name: String,
    /// Which of the two.
    pub kind: DataKind,
    /// The content.
    pub content: Vec<u8>,
    /// What the content is.
    pub content_type: String,
    /// How long it is kept, as its author wrote it.
    pub lifetime: String,
    /// How many versions are kept, as its author wrote it; `null` for all.
    pub garbage_collection: Json,
    /// True if it was written piece by piece.
    pub is_streaming: bool,
    /// Labels.
    pub tags: Vec<(String, String)>,
    /// Who writes.
    pub owner: Owner,
    /// True if it says that the thing behind the item is gone.
    pub is_deleted: bool,
    /// The run that writes; empty if none does.
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
