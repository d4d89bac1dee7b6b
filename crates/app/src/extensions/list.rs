//! Which extensions were pulled.

use std::collections::BTreeSet;

use mangrove_domain::{
    pulled::{FilesChecksum, LockEntry, MANIFEST},
    source::RelativePath,
};

use super::{Extensions, error::ExtensionError};

/// An extension of the lockfile.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedExtension {
    /// Its entry.
    pub entry: LockEntry,
    /// Those of its files that are not there.
    pub missing: BTreeSet<RelativePath>,
}

impl Extensions {
    /// The extensions that the lockfile names, by name.
    ///
    /// # Errors
    /// The lockfile cannot be used, or the disk not be looked at.
    pub async fn list(&self) -> Result<Vec<ListedExtension>, ExtensionError> {
        let mut listed = Vec::new();
        for entry in self.locked().await?.lockfile.entries {
            let missing = self.missing(&entry).await?;
            listed.push(ListedExtension { entry, missing });
        }
        listed.sort_by(|left, right| left.entry.name.cmp(&right.entry.name));
        Ok(listed)
    }

    /// Those of the files of an entry that are not there.
    pub(super) async fn missing(&self, entry: &LockEntry) -> Result<BTreeSet<RelativePath>, ExtensionError> {
        Ok(self.ports.pulled.missing(&entry.name, &entry.inside()).await?)
    }

    /// True if nothing of an entry is missing, and what is there is not another version. One that names no files needs a
    /// directory.
    pub(super) async fn is_complete(&self, entry: &LockEntry) -> Result<bool, ExtensionError> {
        if entry.inside().is_empty() {
            return Ok(self.ports.pulled.contents(&entry.name, &[]).await?.is_some());
        }
        Ok(self.missing(entry).await?.is_empty() && self.other_version(entry).await?.is_none())
    }

    /// The version that the manifest which is there names, where the files are not those that were pulled, and it is
    /// another one. Files that somebody only edited are of the version that is locked.
    pub(super) async fn other_version(&self, entry: &LockEntry) -> Result<Option<String>, ExtensionError> {
        if entry.files_checksum == FilesChecksum::Nothing {
            return Ok(None);
        }
        let listed = entry.inside();
        let there = self.ports.pulled.contents(&entry.name, &[]).await?.unwrap_or_default();
        let own = there.files.into_iter().filter(|(path, _)| listed.contains(path)).collect();
        if entry.files_checksum.is_of(&own) {
            return Ok(None);
        }
        let manifest = there.manifest.and_then(|text| self.documents.parse(MANIFEST, &text).ok());
        let version = manifest.and_then(|document| Some(document.root.get("version")?.as_str()?.to_owned()));
        Ok(version.filter(|version| *version != entry.version))
    }
}
