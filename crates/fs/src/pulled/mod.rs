//! Pulled extensions and their lockfile on disk (port `PulledExtensions`).
//!
//! One process at a time changes them: it holds the lock of their directory, which the kernel releases. Whatever is new is
//! written aside first, in a hidden directory beside the extensions, and takes its place by renaming.

mod contents;
mod update;

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    ports::{LockfileText, PulledExtensions, PulledFiles, Update, UpdateError},
    problem::Code,
    pulled::DIRECTORY,
    source::RelativePath,
};

use rustix::io::Errno;

use crate::{
    blocking,
    directory::Directory,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
    reason::Reason,
};

/// Pulled extensions of one repository.
#[derive(Clone, Debug)]
pub struct DiskPulledExtensions {
    repository: PathBuf,
    /// The directory that the lockfile lies below.
    lock_root: PathBuf,
    /// Where the lockfile may lie below it.
    lockfiles: Vec<String>,
}

impl DiskPulledExtensions {
    /// Those of the repository in this directory. The lockfile lies below `lock_root`, at the first of these places where
    /// there is one; a new one is written to the first. There is at least one.
    pub fn new(repository: impl Into<PathBuf>, lock_root: impl Into<PathBuf>, lockfiles: Vec<String>) -> Self {
        Self { repository: repository.into(), lock_root: lock_root.into(), lockfiles }
    }

    /// The directory of an extension.
    fn directory_of(&self, name: &str) -> PathBuf {
        self.repository.join(DIRECTORY).join(name)
    }

    fn read_lockfile(&self) -> Result<LockfileText, Fault> {
        for name in &self.lockfiles {
            let path = self.lock_root.join(name);
            match read::text(&path, Within::Root(&self.lock_root), FileKind::Document) {
                Ok(text) => return Ok(LockfileText { name: name.clone(), text: Some(text) }),
                Err(error) if error.is_absent() => {}
                Err(error) => return Err(error.into_fault()),
            }
        }
        Ok(LockfileText { name: self.lockfiles.first().cloned().unwrap_or_default(), text: None })
    }

    /// A file that is not there, or in whose place something else stands, is missing.
    fn find_missing(&self, name: &str, paths: &BTreeSet<RelativePath>) -> Result<BTreeSet<RelativePath>, Fault> {
        let root = self.directory_of(name);
        let mut missing = BTreeSet::new();
        for path in paths {
            let file = root.join(path.as_str());
            let is_there = Directory::open(&self.repository, file.parent().unwrap_or(&root))
                .and_then(|directory| directory.look(file.file_name().unwrap_or_default()));
            match is_there {
                Ok(entry) if entry.is_file => {}
                Ok(_) => {
                    missing.insert(path.clone());
                }
                Err(error) if is_elsewhere(&error) => {
                    missing.insert(path.clone());
                }
                Err(error) => return Err(io_fault(Operation::Stat, &file, &error)),
            }
        }
        Ok(missing)
    }
}

#[async_trait]
impl PulledExtensions for DiskPulledExtensions {
    async fn lockfile(&self) -> Result<LockfileText, Fault> {
        let this = self.clone();
        blocking(move || this.read_lockfile()).await.unwrap_or_else(|error| Err(ended(&error)))
    }

    async fn recover(&self) -> Result<(), Fault> {
        let this = self.clone();
        blocking(move || update::recover(&this)).await.unwrap_or_else(|error| Err(ended(&error)))
    }

    async fn missing(&self, name: &str, paths: &BTreeSet<RelativePath>) -> Result<BTreeSet<RelativePath>, Fault> {
        let (this, name, paths) = (self.clone(), name.to_owned(), paths.clone());
        blocking(move || this.find_missing(&name, &paths)).await.unwrap_or_else(|error| Err(ended(&error)))
    }

    async fn contents(&self, name: &str, nested: &[String]) -> Result<Option<PulledFiles>, Fault> {
        let (this, name, nested) = (self.clone(), name.to_owned(), nested.to_vec());
        let found = blocking(move || contents::find(&this.repository, &this.directory_of(&name), &nested));
        found.await.unwrap_or_else(|error| Err(ended(&error)))
    }

    async fn update(&self, update: Update) -> Result<(), UpdateError> {
        let this = self.clone();
        let done = blocking(move || update::carry_out(&this, &update)).await;
        done.unwrap_or_else(|error| Err(UpdateError::Failed(ended(&error))))
    }
}

/// True if nothing is at a path, or a file or a link on the way to it.
fn is_elsewhere(error: &io::Error) -> bool {
    let is_refused_link = Reason::behind(error).is_some_and(|refusal| refusal.code == Code::STATE_LINK);
    let is_link = is_refused_link || error.raw_os_error() == Some(Errno::LOOP.raw_os_error());
    is_link || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn ended(error: &crate::Unfinished) -> Fault {
    Fault::transient(Code::UNREADABLE, "pulled:task", error.to_string())
}

/// A name on the way to an extension, as the operating system takes it.
fn parted(path: &Path) -> (&Path, &OsStr) {
    (path.parent().unwrap_or(path), path.file_name().unwrap_or_default())
}

#[cfg(test)]
mod tests;
