//! What methods write.

use crate::time::Timestamp;

/// Resource or file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataKind {
    /// Structured data with a schema.
    Resource,
    /// Bytes with a content type.
    File,
}

impl DataKind {
    /// `resource` or `file`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DataKind::Resource => "resource",
            DataKind::File => "file",
        }
    }
}

/// A stored item.
#[derive(Clone, Debug, PartialEq)]
pub struct DataHandle {
    /// Unique over all versions.
    pub data_id: String,
    /// The identifier of the definition.
    pub model_id: String,
    /// The declared resource or file.
    pub spec_name: String,
    /// The name of the instance.
    pub name: String,
    /// Which of the two.
    pub kind: DataKind,
    /// Counts from 1.
    pub version: u32,
    /// Bytes of content.
    pub size_bytes: u64,
    /// Free labels.
    pub tags: Vec<(String, String)>,
    /// The run that wrote it.
    pub run_id: String,
    /// When.
    pub written_at: Timestamp,
}
