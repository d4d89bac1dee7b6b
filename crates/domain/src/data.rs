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

/// How long the name of an item may be, in bytes: it is no content, and every record and list repeats it.
pub const NAME_LIMIT_BYTES: usize = 512;

/// How long all tags of an item may be together, in bytes.
pub const TAGS_LIMIT_BYTES: usize = 8 << 10;

/// What stands in the handle of an item is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLong {
    /// The name.
    #[error("the name has {bytes} bytes, and {NAME_LIMIT_BYTES} are allowed")]
    Name {
        /// Its length.
        bytes: usize,
    },
    /// The tags.
    #[error("the tags have {bytes} bytes together, and {TAGS_LIMIT_BYTES} are allowed")]
    Tags {
        /// The length of all names and values.
        bytes: usize,
    },
}

/// Checks the name and the tags that an item is to be stored under.
///
/// # Errors
/// [`TooLong`]
pub fn check_length(name: &str, tags: &[(String, String)]) -> Result<(), TooLong> {
    if name.len() > NAME_LIMIT_BYTES {
        return Err(TooLong::Name { bytes: name.len() });
    }
    let bytes = tags.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > TAGS_LIMIT_BYTES { Err(TooLong::Tags { bytes }) } else { Ok(()) }
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
