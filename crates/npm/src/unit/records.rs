//! The records of built units, one file each.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use mangrove_domain::{
    bundle::{ObjectKey, StoredObject},
    digest::Digest,
    failure::Fault,
    problem::Code,
};
use mangrove_fs::read::{FileKind, Within, bytes};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    cache::{Cache, write_file},
    vendor::EntryNames,
};

/// What was drafted.
#[derive(Serialize, Deserialize)]
pub(super) struct DraftRecord {
    pub(super) package: String,
    pub(super) entries: BTreeMap<String, String>,
    pub(super) imports: BTreeSet<String>,
    pub(super) names: BTreeMap<String, EntryNames>,
    pub(super) imported_names: BTreeMap<String, BTreeSet<String>>,
    pub(super) vendor: Option<ObjectRecord>,
}

/// Where a unit is in the store.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ObjectRecord {
    digest: String,
    size_bytes: u64,
}

impl ObjectRecord {
    pub(super) fn of(object: StoredObject) -> Self {
        Self { digest: object.key.digest().to_string(), size_bytes: object.size_bytes }
    }

    pub(super) fn object(&self) -> Option<StoredObject> {
        Some(StoredObject { key: ObjectKey::Vendor(self.digest.parse().ok()?), size_bytes: self.size_bytes })
    }
}

/// The vendor bundle that a record names; `None` if it names none or cannot be read.
pub(crate) fn recorded(path: &Path) -> Option<StoredObject> {
    read::<ObjectRecord>(path).or_else(|| read::<DraftRecord>(path)?.vendor)?.object()
}

/// The file of one record.
#[derive(Clone)]
pub(super) struct RecordFile {
    root: PathBuf,
    path: PathBuf,
}

impl RecordFile {
    /// The record with this key.
    pub(super) fn of(cache: &Cache, key: Digest) -> Self {
        let name = key.to_string();
        let path = cache.units().join(&name[..2]).join(format!("{name}.json"));
        Self { root: cache.root().to_owned(), path }
    }

    /// What it says; a missing or damaged one says nothing.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        read(&self.path)
    }

    /// Replaces it.
    pub(super) fn write<T: Serialize>(&self, record: &T) -> Result<(), Fault> {
        let text = serde_json::to_vec_pretty(record)
            .map_err(|error| Fault::environment(Code::BUNDLE_FAILED, "packages:record", error.to_string()))?;
        Ok(write_file(&self.root, &self.path, &text)?)
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&bytes(path, Within::Unlinked, FileKind::State).ok()?).ok()
}
