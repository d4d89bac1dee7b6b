//! Which extensions were pulled.

use std::collections::BTreeSet;

use mangrove_domain::{pulled::LockEntry, source::RelativePath};

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

    /// True if nothing of an entry is missing. One that names no files needs a directory.
    pub(super) async fn is_complete(&self, entry: &LockEntry) -> Result<bool, ExtensionError> {
        if entry.inside().is_empty() {
            return Ok(self.ports.pulled.contents(&entry.name, &[]).await?.is_some());
        }
        Ok(self.missing(entry).await?.is_empty())
    }
}
