//! Restoring what the lockfile names.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use mangrove_domain::{
    advice::{Advice, UserAction},
    digest::Digest,
    outage::Outages,
    ports::{Placement, PulledFiles, Update},
    problem::{Code, Problem},
    pulled::{FilesChecksum, LockEntry, files_checksum},
    source::RelativePath,
};

use super::{
    Extensions,
    error::ExtensionError,
    lock::{Changed, Locked, TRIES, never_at_rest},
    pull::refuse_files_of_others,
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
    Installed,
    /// It was put in place, and its entry names its files now: it had those of the layout of an older program.
    Migrated,
    /// Everything was there.
    UpToDate,
    /// It is as it was before.
    Failed(ExtensionError),
}

impl Extensions {
    /// Pulls every extension of the lockfile of which a file is missing, in the version that is locked. The others are
    /// pulled even if one fails. The lockfile stays as it is, but for entries that name files which their package does not
    /// have.
    ///
    /// # Errors
    /// The lockfile cannot be used.
    pub async fn install(&self) -> Result<Vec<InstalledExtension>, ExtensionError> {
        self.ports.pulled.recover().await?;
        let Locked { lockfile, .. } = self.locked().await?;
        let outages = Outages::new();
        let outages = &outages;
        let mut installed: Vec<InstalledExtension> = stream::iter(lockfile.entries)
            .map(|entry| async move {
                let outcome = self.restore(&entry, outages).await.unwrap_or_else(InstallOutcome::Failed);
                InstalledExtension { name: entry.name, version: entry.version, outcome }
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        installed.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(installed)
    }

    async fn restore(&self, entry: &LockEntry, outages: &Outages) -> Result<InstallOutcome, ExtensionError> {
        if self.is_complete(entry).await? {
            return Ok(InstallOutcome::UpToDate);
        }
        if let Some(version) = self.other_version(entry).await? {
            return Err(other_version(entry, &version).into());
        }
        let server = self.ports.registry.address(entry.server.as_deref())?;
        let obtained = self.download((&entry.name, &entry.version), server, Some(entry), outages).await?;
        let digests = obtained.package.digests();
        let is_migrated = entry.inside().iter().any(|path| !digests.contains_key(path));
        for _ in 0..TRIES {
            let Locked { text, mut lockfile } = self.locked().await?;
            if lockfile.entry(&entry.name) != Some(entry) {
                return Err(never_at_rest());
            }
            let nested = lockfile.nested(&entry.name);
            refuse_files_of_others(&obtained.package, &nested)?;
            let there = self.ports.pulled.contents(&entry.name, &nested).await?;
            if let Some(there) = &there {
                refuse_other_files(entry, there, &digests)?;
            }
            let placement = Placement {
                name: entry.name.clone(),
                files: obtained.package.files.clone(),
                nested,
                only_missing: there.is_some(),
            };
            let mut update = Update { expected: text, places: vec![placement], ..Update::default() };
            if is_migrated {
                lockfile.put(LockEntry {
                    files: digests.keys().map(|path| LockEntry::file(&entry.name, path)).collect(),
                    files_checksum: FilesChecksum::All(files_checksum(&digests)),
                    ..entry.clone()
                });
                update.lockfile = Some(lockfile.text());
            }
            match (self.change(update).await?, is_migrated) {
                (Changed::Done, false) => return Ok(InstallOutcome::Installed),
                (Changed::Done, true) => return Ok(InstallOutcome::Migrated),
                (Changed::Moved, _) => {}
            }
        }
        Err(never_at_rest())
    }
}

fn other_version(entry: &LockEntry, version: &str) -> Problem {
    let LockEntry { name, version: locked, .. } = entry;
    let message = format!("the lockfile names {name}@{locked}, and the files that are there are those of {version}");
    let again = Advice::new(UserAction::PullExtension { name: format!("{name}@{locked}"), is_forced: true });
    Problem::error(Code::LOCK_DRIFT, name.as_str(), message).advise(again.and(" replaces them"))
}

/// What is there has to be what was pulled: the rest is only added to it.
fn refuse_other_files(
    entry: &LockEntry,
    there: &PulledFiles,
    digests: &BTreeMap<RelativePath, Digest>,
) -> Result<(), ExtensionError> {
    let is_other = |(path, digest): &(&RelativePath, &Digest)| digests.get(*path).is_some_and(|known| known != *digest);
    let changed = there.files.iter().filter(is_other).map(|(path, _)| path);
    // A link, or a directory, where a file is to be.
    let links = there.others.iter().filter(|path| digests.contains_key(*path));
    let is_covered = |path: &&RelativePath| digests.keys().any(|wanted| path.is_inside(wanted.as_str()));
    let covering = there.files.keys().chain(&there.others).filter(is_covered);
    let others: Vec<&RelativePath> = changed.chain(links).chain(covering).collect();
    if others.is_empty() {
        return Ok(());
    }
    let name = entry.name.as_str();
    let message = format!(
        "files of {name} are missing, and others were changed or stand in their places: {}",
        some(others.into_iter())
    );
    let reference = format!("{name}@{}", entry.version);
    let again = Advice::new(UserAction::PullExtension { name: reference, is_forced: true });
    Err(Problem::error(Code::LOCK_DRIFT, name, message).advise(again.and(" replaces them")).into())
}
