//! What methods write.

mod lifetime;
mod name;
mod owner;

pub use self::{
    lifetime::{Lifetime, Retention},
    name::{NAME_LIMIT_BYTES, NameError, TAGS_LIMIT_BYTES, TagsTooLong, check_name, check_tags, varied},
    owner::{Owner, OwnerKind},
};

use crate::{json::Json, report::DATA_TYPE, time::Timestamp};

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

    /// The content type of an item that says nothing of it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            DataKind::Resource => JSON,
            DataKind::File => "application/octet-stream",
        }
    }
}

/// The content type of resources.
pub const JSON: &str = "application/json";

/// True if content of this type is read as JSON.
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    essence(content_type).eq_ignore_ascii_case(JSON)
}

/// True if content of this type is shown and queried as text.
#[must_use]
pub fn is_text(content_type: &str) -> bool {
    let essence = essence(content_type).to_ascii_lowercase();
    essence.starts_with("text/")
        || ["application/yaml", "application/x-yaml", "application/xml", "application/toml"].contains(&essence.as_str())
        || essence.ends_with("+yaml")
        || essence.ends_with("+xml")
}

/// A content type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// A stored item.
#[derive(Clone, Debug, PartialEq)]
pub struct DataHandle {
    /// What names this version.
    pub data_id: String,
    /// The identifier of the definition.
    pub model_id: String,
    /// The type of the definition; empty where nobody noted it.
    pub model_type: String,
    /// The declared resource or file.
    pub spec_name: String,
    /// The name of the instance, unique for its model.
    pub name: String,
    /// Which of the two.
    pub kind: DataKind,
    /// Counts from 1.
    pub version: u32,
    /// Bytes of content.
    pub size_bytes: u64,
    /// SHA-256 of the content in hexadecimal, where somebody took it.
    pub checksum: Option<String>,
    /// What the content is.
    pub content_type: String,
    /// How long it is kept, as its author wrote it.
    pub lifetime: String,
    /// How many versions are kept, as its author wrote it: a number or a duration; `null` for all.
    pub garbage_collection: Json,
    /// True if it was written piece by piece.
    pub is_streaming: bool,
    /// Labels, in the order in which they were given.
    pub tags: Vec<(String, String)>,
    /// Who wrote it.
    pub owner: Owner,
    /// True for the version that says that the thing behind it is gone.
    pub is_deleted: bool,
    /// The name that it has now.
    pub renamed_to: Option<String>,
    /// The run that wrote it; empty if none did.
    pub run_id: String,
    /// When.
    pub written_at: Timestamp,
}

impl DataHandle {
    /// The value of a tag; the last one counts.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().rev().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str())
    }

    /// The name of the definition that wrote it, as it was called then.
    #[must_use]
    pub fn model_name(&self) -> &str {
        self.tag("modelName").unwrap_or_default()
    }

    /// The step that wrote it; empty outside of workflows.
    #[must_use]
    pub fn step_name(&self) -> &str {
        self.owner.step_name.as_deref().unwrap_or_default()
    }

    /// True for what a report says.
    #[must_use]
    pub fn is_report(&self) -> bool {
        self.tag("type") == Some(DATA_TYPE) && self.tag("reportName").is_some()
    }

    /// True if nothing is to be found under its name any more.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        self.is_deleted || self.renamed_to.is_some()
    }
}

/// Labels put together: of those that share a name, the later one counts, in the place of the first.
pub fn tags<'a>(parts: impl IntoIterator<Item = &'a [(String, String)]>) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = Vec::new();
    for (name, value) in parts.into_iter().flatten() {
        match merged.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.clone_from(value),
            None => merged.push((name.clone(), value.clone())),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_tags_win_in_the_place_of_earlier_ones() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let merged =
            tags([&[pair("type", "resource"), pair("env", "dev")][..], &[pair("env", "prod"), pair("x", "1")]]);
        assert_eq!(merged, [pair("type", "resource"), pair("env", "prod"), pair("x", "1")]);
    }

    #[test]
    fn content_types_are_compared_without_their_parameters() {
        assert!(is_json("application/json; charset=utf-8"));
        assert!(is_text("text/plain; charset=utf-8") && is_text("application/yaml") && !is_text("image/png"));
        assert!(!is_json("text/json"));
    }
}
