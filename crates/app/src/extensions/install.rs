//! Restoring what the lockfile names.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use mangrove_domain::{
    advice::{Advice, UserAction},
    digest::Digest,
    outage::Outages,
    ports::{Placement, Update},
    problem::{Code, Problem},
    pulled::{LockEntry, Lockfile},
    source::RelativePath,
};

use super::{
    Extensions,
    error::ExtensionError,
    lock::{Changed, Locked, never_at_rest},
    some,
};

/// So many extensions are downloaded at once.
const AT_ONCE: usize = 4;

/// An extension of the lockfile, and what became of it.
#[derive(Debug)]
pub struct InstalledExtension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What became of it.
    pub outcome: InstallOutcome,
}

/// What became of an extension of the lockfile.
#[derive(Debug)]
pub enum InstallOutcome {
    /// It was put in place.
    Installed {
        /// Files that the lockfile names and its package does not have.
        absent: Vec<RelativePath>,
    },
    /// Everything was there.
    UpToDate,
    /// It is as it was before.
    Failed(ExtensionError),
}

impl Extensions {
    /// Pulls every extension of the lockfile of which a file is missing, in the version that is locked. The others are
    /// pulled even if one fails; the lockfile stays as it is.
    ///
    /// # Errors
    /// The lockfile cannot be used.
    pub async fn install(&self) -> Result<Vec<InstalledExtension>, ExtensionError> {
        let Locked { text, lockfile } = self.locked().await?;
        let outages = Outages::new();
        let (text, outages, lockfile) = (text.as_deref(), &outages, &lockfile);
        let mut installed: Vec<InstalledExtension> = stream::iter(&lockfile.entries)
            .map(|entry| async move {
                let outcome = self.restore(entry, lockfile, text, outages).await;
                let outcome = outcome.unwrap_or_else(InstallOutcome::Failed);
                InstalledExtension { name: entry.name.clone(), version: entry.version.clone(), outcome }
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        installed.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(installed)
    }

    async fn restore(
        &self,
        entry: &LockEntry,
        lockfile: &Lockfile,
        text: Option<&str>,
        outages: &Outages,
    ) -> Result<InstallOutcome, ExtensionError> {
        if self.is_complete(entry).await? {
            return Ok(InstallOutcome::UpToDate);
        }
        let server = self.ports.registry.address(entry.server.as_deref())?;
        let obtained = self.download((&entry.name, &entry.version), server, Some(entry), outages).await?;
        let nested = lockfile.nested(&entry.name);
        let there = self.ports.pulled.contents(&entry.name, &nested).await?;
        let digests = obtained.package.digests();
        if let Some(there) = &there {
            refuse_other_files(entry, &there.files, &digests)?;
        }
        let absent = entry.inside().into_iter().filter(|path| !digests.contains_key(path)).collect();
        let placement = Placement {
            name: entry.name.clone(),
            files: obtained.package.files,
            nested,
            only_missing: there.is_some(),
        };
        let update = Update { expected: text.map(str::to_owned), places: vec![placement], ..Update::default() };
        match self.change(update).await? {
            Changed::Done => Ok(InstallOutcome::Installed { absent }),
            Changed::Moved => Err(never_at_rest()),
        }
    }
}

/// What is there has to be what was pulled: the rest is only added to it.
fn refuse_other_files(
    entry: &LockEntry,
    there: &BTreeMap<RelativePath, Digest>,
    digests: &BTreeMap<RelativePath, Digest>,
) -> Result<(), ExtensionError> {
    let is_other = |(path, digest): &(&RelativePath, &Digest)| digests.get(*path).is_some_and(|known| known != *digest);
    let others: Vec<&RelativePath> = there.iter().filter(is_other).map(|(path, _)| path).collect();
    if others.is_empty() {
        return Ok(());
    }
    let name = entry.name.as_str();
    let message = format!("files of {name} are missing, and others were changed: {}", some(others.into_iter()));
    let reference = format!("{name}@{}", entry.version);
    let again = Advice::new(UserAction::PullExtension { name: reference, is_forced: true });
    Err(Problem::error(Code::LOCK_DRIFT, name, message).advise(again.and(" replaces them")).into())
}
