//! Removing an extension.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_domain::{
    advice::{Advice, UserAction},
    nearest,
    ports::{PulledFiles, Removal, Update},
    problem::{Code, Problem},
    source::RelativePath,
};

use super::{
    Extensions,
    error::ExtensionError,
    lock::{Changed, Locked, TRIES, never_at_rest},
    pull::changed,
};

/// An extension that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedExtension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The files of it that were removed.
    pub removed: BTreeSet<RelativePath>,
    /// Files in its directory that the lockfile did not name, which stay.
    pub kept: BTreeSet<RelativePath>,
}

impl Extensions {
    /// Removes the files of an extension that the lockfile names, and its entry. Files that somebody changed are removed
    /// only with `is_forced`; files that somebody added stay.
    ///
    /// # Errors
    /// [`ExtensionError`]; nothing was removed.
    pub async fn remove(&self, name: &str, is_forced: bool) -> Result<RemovedExtension, ExtensionError> {
        // Else what a removal has taken away that was killed would count as changed.
        self.ports.pulled.recover().await?;
        for _ in 0..TRIES {
            let Locked { text, mut lockfile } = self.locked().await?;
            let Some(entry) = lockfile.entry(name).cloned() else {
                let names = lockfile.entries.iter().map(|entry| entry.name.as_str());
                let listed = || Advice::new(UserAction::ListExtensions).and(" lists those that were pulled");
                let advice = nearest::hint(name, names).map_or_else(listed, Advice::from);
                let message = format!("the lockfile names no extension {name}");
                return Err(Problem::error(Code::NOT_LOCKED, name, message).advise(advice).into());
            };
            let nested = lockfile.nested(name);
            let there = self.ports.pulled.contents(name, &nested).await?.unwrap_or_default();
            let mut listed = entry.inside();
            // What lies in another extension belongs to that one, whatever this entry names.
            listed.retain(|path| !nested.iter().any(|nested| path.is_inside(nested)));
            let own: BTreeMap<_, _> = there
                .files
                .iter()
                .filter(|(path, _)| listed.contains(*path))
                .map(|(path, digest)| (path.clone(), *digest))
                .collect();
            if !is_forced && !own.is_empty() && !entry.files_checksum.is_of(&own) {
                let action = UserAction::RemoveChangedExtension { name: name.to_owned() };
                // What was added stays, and is no reason to refuse.
                let there = PulledFiles { files: own, ..PulledFiles::default() };
                return Err(changed(name, Some(&entry), &there, action).into());
            }
            let removed: BTreeSet<RelativePath> = own.into_keys().collect();
            let kept = there.files.into_keys().chain(there.others).filter(|path| !removed.contains(path)).collect();
            lockfile.remove(name);
            let update = Update {
                expected: text,
                removals: vec![Removal { name: name.to_owned(), files: listed, beside: entry.bundles() }],
                lockfile: Some(lockfile.text()),
                ..Update::default()
            };
            if matches!(self.change(update).await?, Changed::Done) {
                return Ok(RemovedExtension { name: name.to_owned(), version: entry.version, removed, kept });
            }
        }
        Err(never_at_rest())
    }
}
