//! A commit, prepared for whichever engine writes it.

use std::collections::{BTreeMap, HashSet};

use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    fingerprint::Part,
    ports::{CatalogError, Change, Commit, Write},
    problem::Code,
    row::Row,
    source::SourceId,
};

use super::record::{self, RecordError};

/// A commit with everything encoded that does not need the database.
pub(crate) struct Batch<'a> {
    pub(crate) changes: Vec<Prepared<'a>>,
    /// JSON by its digest.
    pub(crate) descriptions: Vec<(Digest, String)>,
    pub(crate) parts: BTreeMap<Digest, &'a Part>,
}

/// One change of a batch.
pub(crate) struct Prepared<'a> {
    pub(crate) change: &'a Change,
    /// The encoded row; `None` for a deletion.
    pub(crate) put: Option<(&'a Row, Vec<u8>)>,
}

/// A change that no catalog takes.
pub(crate) struct Refused<'a> {
    source: &'a SourceId,
    why: String,
}

/// What the catalog has of a source that a batch changes.
#[derive(Default)]
pub(crate) struct Current {
    /// That of its row; 0 if it has none.
    pub(crate) revision: u64,
    pub(crate) is_resolvable: bool,
    /// The last revision of an earlier row of this source.
    pub(crate) departed: u64,
}

impl From<Refused<'_>> for CatalogError {
    fn from(Refused { source, why }: Refused<'_>) -> Self {
        CatalogError::Row {
            source_id: source.to_string(),
            fault: Fault::deterministic(Code::CATALOG_ROW, "catalog:row", format!("cannot write {source}: {why}")),
        }
    }
}

impl<'a> Batch<'a> {
    /// Encodes a commit.
    pub(crate) fn prepare(commit: &'a Commit) -> Result<Self, Refused<'a>> {
        let mut seen = HashSet::new();
        let mut parts = BTreeMap::new();
        let mut changes = Vec::with_capacity(commit.changes.len());
        for change in &commit.changes {
            let source = &change.source;
            if !seen.insert(source) {
                return Err(Refused { source, why: "the batch names it twice".to_owned() });
            }
            let put = match &change.write {
                Write::Put(row) if row.source != *source => {
                    return Err(Refused { source, why: format!("the row is one of {}", row.source) });
                }
                Write::Put(row) => {
                    let encoded =
                        record::encode(row).map_err(|error: RecordError| Refused { source, why: error.to_string() })?;
                    for inputs in row.built.iter().chain(&row.attempted) {
                        for part in [&inputs.config, &inputs.packages, &inputs.bundler] {
                            parts.insert(part.digest(), part);
                        }
                    }
                    Some((&**row, encoded))
                }
                Write::Delete => None,
            };
            changes.push(Prepared { change, put });
        }
        let descriptions = commit
            .descriptions
            .iter()
            .map(|description| {
                let json = description.to_json().to_string();
                (Digest::of(json.as_bytes()), json)
            })
            .collect();
        Ok(Self { changes, descriptions, parts })
    }
}

/// What became of the rows of a batch.
pub(crate) enum Written {
    /// All of them are written, with these revisions.
    All(Vec<(SourceId, u64)>),
    /// The change of this index breaks I2.
    TypeIsTaken(usize),
}
