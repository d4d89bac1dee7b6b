//! What methods write.

use crate::{json::Json, time::Timestamp};

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

impl DataHandle {
    /// The handle as methods, run records and `run show` see it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::object([
            ("name", Json::from(self.name.as_str())),
            ("specName", Json::from(self.spec_name.as_str())),
            ("kind", Json::from(self.kind.as_str())),
            ("dataId", Json::from(self.data_id.as_str())),
            ("version", Json::from(i64::from(self.version))),
            ("size", Json::from(i64::try_from(self.size_bytes).unwrap_or(i64::MAX))),
            ("tags", Json::object(self.tags.iter().map(|(key, value)| (key.as_str(), Json::from(value.as_str()))))),
            ("metadata", Json::object::<&str>([])),
        ])
    }
}
