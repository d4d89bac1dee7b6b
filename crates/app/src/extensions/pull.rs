//! Pulling an extension with what it needs: all of it is put in place, or nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mangrove_domain::{
    advice::{Advice, UserAction},
    outage::Outages,
    ports::{Placement, PulledFiles, Update},
    problem::{Code, Problem},
    pulled::{ExtensionReference, FilesChecksum, LockEntry, Lockfile, Package, files_checksum},
};

use super::{
    Extensions, PullRequest, Wanted,
    error::ExtensionError,
    lock::{Changed, Locked, TRIES, never_at_rest},
    obtain::{Obtained, unknown},
    some,
};

/// How far what is needed may need something itself.
const DEEPEST: usize = 10;

/// How many extensions one pull may bring.
const MOST: usize = 200;

/// What became of an extension that was asked for, or that another one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledExtension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version that was locked before.
    pub previous: Option<String>,
    /// What became of it.
    pub status: PullStatus,
    /// How many files it has.
    pub files: usize,
    /// The registry that it comes from; `None` for an archive or a directory.
    pub server: Option<String>,
    /// The extension that needs it; `None` for the one that was asked for.
    pub needed_by: Option<String>,
}

/// What became of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullStatus {
    /// It was put in place.
    Pulled,
    /// It was there already.
    UpToDate,
}

/// What one pull brings, the one that was asked for first.
type Found = Vec<(Obtained, Option<String>)>;

impl Extensions {
    /// Pulls an extension, and those that it needs and that are not there.
    ///
    /// # Errors
    /// [`ExtensionError`]; nothing was changed.
    pub async fn pull(&self, request: &PullRequest) -> Result<Vec<PulledExtension>, ExtensionError> {
        // What could not be reached is not asked for everything that is needed in turn.
        let outages = Outages::new();
        self.ports.pulled.recover().await?;
        let mut locked = self.locked().await?;
        let root = match &request.wanted {
            Wanted::Local(path) => {
                let local = self.ports.packages.local(path, &self.kinds).await?;
                let package = self.opened(&path.display().to_string(), local.files)?;
                Obtained { package, checksum: local.checksum, server: None, channel: None }
            }
            Wanted::Registry { reference, channel } => {
                match self.newest(request, reference, channel.as_deref(), &locked, &outages).await? {
                    Newest::ToPull(obtained) => *obtained,
                    Newest::UpToDate(up_to_date) => return Ok(vec![up_to_date]),
                }
            }
        };
        let mut found = self.with_needed(root, &locked.lockfile, &outages).await?;
        for _ in 0..TRIES {
            if let Some(pulled) = self.put_in_place(&found, locked, request).await? {
                return Ok(pulled);
            }
            locked = self.locked().await?;
            self.leave_out_what_came(&mut found, &locked.lockfile).await?;
        }
        Err(never_at_rest())
    }

    /// What is needed and was pulled by somebody else meanwhile stays as it is.
    async fn leave_out_what_came(&self, found: &mut Found, lockfile: &Lockfile) -> Result<(), ExtensionError> {
        let mut kept = Found::new();
        for (obtained, needed_by) in found.drain(..) {
            let entry = lockfile.entry(&obtained.package.manifest.name).filter(|_| needed_by.is_some());
            let has_come = match entry {
                Some(entry) => self.is_complete(entry).await?,
                None => false,
            };
            if !has_come {
                kept.push((obtained, needed_by));
            }
        }
        *found = kept;
        Ok(())
    }

    async fn newest(
        &self,
        request: &PullRequest,
        reference: &ExtensionReference,
        channel: Option<&str>,
        locked: &Locked,
        outages: &Outages,
    ) -> Result<Newest, ExtensionError> {
        let name = reference.name.as_str();
        let entry = locked.lockfile.entry(name);
        let server = self.ports.registry.address(entry.and_then(|entry| entry.server.as_deref()))?;
        let recorded = entry.and_then(|entry| entry.channel.as_deref());
        let channel = channel.or_else(|| recorded.filter(|_| reference.version.is_none()));
        let version = match &reference.version {
            Some(version) => version.clone(),
            None => {
                let newest = self.ports.registry.newest(&server, name, channel, outages).await?;
                newest.ok_or_else(|| unknown(name, channel, &server))?
            }
        };
        let same = entry.filter(|entry| entry.version == version && !request.is_forced);
        if let Some(entry) = same
            && self.is_complete(entry).await?
        {
            return Ok(Newest::UpToDate(PulledExtension {
                name: name.to_owned(),
                version,
                previous: Some(entry.version.clone()),
                status: PullStatus::UpToDate,
                files: entry.inside().len(),
                server: entry.server.clone(),
                needed_by: None,
            }));
        }
        let obtained = self.download((name, &version), server, same, outages).await?;
        Ok(Newest::ToPull(Box::new(Obtained { channel: channel.map(str::to_owned), ..obtained })))
    }

    /// With everything that is needed and not there: in the version that is locked, else in the newest.
    async fn with_needed(
        &self,
        root: Obtained,
        lockfile: &Lockfile,
        outages: &Outages,
    ) -> Result<Found, ExtensionError> {
        let manifest = &root.package.manifest;
        let mut met = BTreeSet::from([manifest.name.clone()]);
        // Each with the chain of those that need it, and the registry of the last of them, where it is looked for.
        let needed_by_root = |needed: &String| (needed.clone(), vec![manifest.name.clone()], root.server.clone());
        let mut pending: VecDeque<(String, Vec<String>, Option<String>)> =
            manifest.dependencies.iter().map(needed_by_root).collect();
        let mut found = vec![(root, None)];
        while let Some((name, chain, origin)) = pending.pop_front() {
            if !met.insert(name.clone()) {
                continue;
            }
            if chain.len() > DEEPEST || found.len() >= MOST {
                let message = format!(
                    "{} needs others {DEEPEST} deep, or {MOST} of them, which is more than any honest extension: {} → {name}",
                    chain.first().map_or("", String::as_str),
                    chain.join(" → ")
                );
                return Err(Problem::error(Code::PACKAGE_UNSUPPORTED, name, message)
                    .advise("pull what it needs by itself first")
                    .into());
            }
            let entry = lockfile.entry(&name);
            if let Some(entry) = entry
                && self.is_complete(entry).await?
            {
                continue;
            }
            let recorded = entry.and_then(|entry| entry.server.as_deref()).or(origin.as_deref());
            let server = self.ports.registry.address(recorded)?;
            let version = match entry {
                Some(entry) => entry.version.clone(),
                None => {
                    let newest = self.ports.registry.newest(&server, &name, None, outages).await;
                    let newest = newest.and_then(|newest| newest.ok_or_else(|| unknown(&name, None, &server)));
                    newest.map_err(|fault| needed_by(&chain, fault.into()))?
                }
            };
            let obtained = self.download((&name, &version), server, entry, outages).await;
            let obtained = obtained.map_err(|error| needed_by(&chain, error))?;
            let chain: Vec<String> = chain.iter().cloned().chain([name.clone()]).collect();
            let dependencies = &obtained.package.manifest.dependencies;
            let server = &obtained.server;
            pending.extend(dependencies.iter().map(|needed| (needed.clone(), chain.clone(), server.clone())));
            let needed_by = chain.iter().rev().nth(1).cloned();
            found.push((obtained, needed_by));
        }
        Ok(found)
    }

    /// `None` if somebody else has changed the lockfile meanwhile.
    async fn put_in_place(
        &self,
        found: &Found,
        locked: Locked,
        request: &PullRequest,
    ) -> Result<Option<Vec<PulledExtension>>, ExtensionError> {
        let Locked { text, mut lockfile } = locked;
        let now = self.clock.now().to_string();
        let mut update = Update { expected: text, ..Update::default() };
        let (mut pulled, mut replaced) = (Vec::new(), Vec::new());
        for (obtained, needed_by) in found {
            let Obtained { package, checksum, server, channel } = obtained;
            let name = package.manifest.name.as_str();
            let old = lockfile.entry(name).cloned();
            let entry = LockEntry {
                name: name.to_owned(),
                version: package.manifest.version.clone(),
                pulled_at: Some(now.clone()),
                files: package.files.keys().map(|path| LockEntry::file(name, path)).collect(),
                checksum: *checksum,
                files_checksum: FilesChecksum::All(files_checksum(&package.digests())),
                server: server.clone(),
                channel: channel.clone(),
                include: old.as_ref().and_then(|old| old.include.clone()),
            };
            pulled.push(PulledExtension {
                name: name.to_owned(),
                version: entry.version.clone(),
                previous: old.as_ref().map(|old| old.version.clone()),
                status: PullStatus::Pulled,
                files: entry.files.len(),
                server: server.clone(),
                needed_by: needed_by.clone(),
            });
            lockfile.put(entry);
            replaced.push(old);
        }
        // What lies in which directory is only known once all of them are named.
        for ((obtained, needed_by), old) in found.iter().zip(replaced) {
            let package = &obtained.package;
            let name = package.manifest.name.as_str();
            let nested = lockfile.nested(name);
            refuse_files_of_others(package, &nested)?;
            if !request.is_forced
                && let Some(there) = self.ports.pulled.contents(name, &nested).await?
            {
                let wanted = match &request.wanted {
                    Wanted::Local(path) if needed_by.is_none() => path.display().to_string(),
                    Wanted::Local(_) | Wanted::Registry { .. } => name.to_owned(),
                };
                refuse_changed(obtained, old.as_ref(), &there, wanted)?;
            }
            let files = package.files.clone();
            update.places.push(Placement { name: name.to_owned(), files, nested, only_missing: false });
        }
        update.lockfile = Some(lockfile.text());
        Ok(match self.change(update).await? {
            Changed::Done => Some(pulled),
            Changed::Moved => None,
        })
    }
}

/// Why an extension cannot be got that others need.
fn needed_by(chain: &[String], error: ExtensionError) -> ExtensionError {
    let needing: Vec<&str> = chain.iter().rev().map(String::as_str).collect();
    let needs = format!(
        "it is needed by {}; one that is there already, also from an archive or a directory, is not asked for",
        needing.join(", and that by ")
    );
    error.adding(&needs)
}

enum Newest {
    ToPull(Box<Obtained>),
    UpToDate(PulledExtension),
}

/// No package may bring files of an extension that lies in its directory.
pub(super) fn refuse_files_of_others(package: &Package, nested: &[String]) -> Result<(), ExtensionError> {
    let Package { manifest, files } = package;
    let foreign =
        files.keys().find(|path| nested.iter().any(|nested| path.is_inside(nested) || path.as_str() == nested));
    match foreign {
        None => Ok(()),
        Some(path) => {
            let message = format!("{}@{} has {path}, where another extension lies", manifest.name, manifest.version);
            Err(Problem::error(Code::PACKAGE_MALFORMED, manifest.name.as_str(), message)
                .advise("remove that extension first")
                .into())
        }
    }
}

/// What somebody has changed is not thrown away, unless it is said. What an interrupted pull has put in place already is
/// no change.
/// `wanted` is what was asked for: its name, or where it lies.
fn refuse_changed(
    obtained: &Obtained,
    entry: Option<&LockEntry>,
    there: &PulledFiles,
    wanted: String,
) -> Result<(), ExtensionError> {
    let PulledFiles { files, others, .. } = there;
    let package = &obtained.package;
    let digests = package.digests();
    let is_same = files.iter().all(|(path, digest)| digests.get(path) == Some(digest));
    let is_as_pulled = entry.is_some_and(|entry| entry.is_as_pulled(files));
    if others.is_empty() && (is_same || is_as_pulled || files.is_empty()) {
        return Ok(());
    }
    let name = package.manifest.name.as_str();
    Err(changed(name, entry, there, UserAction::PullExtension { name: wanted, is_forced: true }).into())
}

/// The problem of files that are not as they were pulled.
pub(super) fn changed(name: &str, entry: Option<&LockEntry>, there: &PulledFiles, action: UserAction) -> Problem {
    let listed = entry.map(LockEntry::inside).unwrap_or_default();
    let unlisted: BTreeSet<_> =
        there.files.keys().chain(&there.others).filter(|path| !listed.contains(*path)).collect();
    let missing: Vec<_> = listed.iter().filter(|path| !there.files.contains_key(*path)).collect();
    let recorded = match entry.map(|entry| &entry.files_checksum) {
        Some(FilesChecksum::Each(recorded)) => recorded.clone(),
        Some(FilesChecksum::All(_) | FilesChecksum::Nothing) | None => BTreeMap::new(),
    };
    let changed: Vec<_> =
        there.files.iter().filter(|(path, digest)| recorded.get(path).is_some_and(|known| known != *digest)).collect();
    let what = if entry.is_none() {
        format!("the lockfile does not name {name}, and there are files of it: {}", some(unlisted.into_iter()))
    } else if !changed.is_empty() {
        format!("files of {name} were changed: {}", some(changed.into_iter().map(|(path, _)| path)))
    } else if !unlisted.is_empty() {
        format!("{name} has files that were not pulled: {}", some(unlisted.into_iter()))
    } else if !missing.is_empty() {
        let missing = some(missing.into_iter());
        format!("files of {name} are missing, and nobody knows whether the others are as they were pulled: {missing}")
    } else {
        format!("files of {name} are not as they were pulled, or nobody knows how they were")
    };
    Problem::error(Code::LOCK_DRIFT, name, what).advise(Advice::new(action).and(" does it all the same"))
}
