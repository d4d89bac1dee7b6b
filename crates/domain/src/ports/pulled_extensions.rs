//! Pulled extensions and their lockfile on disk.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::{digest::Digest, failure::Fault, pulled::PackageFile, source::RelativePath};

/// The pulled extensions of one repository.
///
/// Implementations MUST follow no link below the repository; MUST do all of an [`Update`] or nothing of it, and write the
/// lockfile last, so that a process that is killed at any moment leaves either what was there or what is to be there, with
/// the lockfile of the one or the other; MUST change nothing if the lockfile is not the expected one any more; MUST let
/// one process at a time change something. The adapter is held to it by the tests of the crate `fs`.
#[async_trait]
pub trait PulledExtensions: Send + Sync {
    /// The lockfile, wherever the marker says that it lies.
    async fn lockfile(&self) -> Result<LockfileText, Fault>;

    /// Puts back what a change has taken away that was killed, so that what is there is what the lockfile says.
    async fn recover(&self) -> Result<(), Fault>;

    /// Those of these files that are not in the directory of an extension.
    async fn missing(&self, name: &str, paths: &BTreeSet<RelativePath>) -> Result<BTreeSet<RelativePath>, Fault>;

    /// What lies in the directory of an extension, without these directories in it, which belong to other extensions.
    /// `None` if there is no such directory.
    async fn contents(&self, name: &str, nested: &[String]) -> Result<Option<PulledFiles>, Fault>;

    /// Changes extensions and the lockfile together.
    async fn update(&self, update: Update) -> Result<(), UpdateError>;
}

/// The lockfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockfileText {
    /// What people call it: its path below the repository.
    pub name: String,
    /// Its text; `None` if there is none.
    pub text: Option<String>,
}

/// What lies in the directory of an extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PulledFiles {
    /// The regular files.
    pub files: BTreeMap<RelativePath, Digest>,
    /// What is neither a file nor a directory, such as links.
    pub others: BTreeSet<RelativePath>,
    /// The text of the manifest; `None` if there is none, or it is not UTF-8.
    pub manifest: Option<String>,
}

/// Extensions and the lockfile, as they are to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The lockfile from which this was made.
    pub expected: Option<String>,
    /// What is put in place.
    pub places: Vec<Placement>,
    /// What is taken away.
    pub removals: Vec<Removal>,
    /// The lockfile afterwards; `None` if it stays.
    pub lockfile: Option<String>,
}

/// An extension that is put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its name.
    pub name: String,
    /// Its files, by their paths below it.
    pub files: BTreeMap<RelativePath, PackageFile>,
    /// Directories in it that belong to other extensions, which stay.
    pub nested: Vec<String>,
    /// Only what is missing is written, and everything that is there stays; otherwise the directory holds these files
    /// afterwards and no others.
    pub only_missing: bool,
}

/// An extension that is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its name.
    pub name: String,
    /// The files that are removed from its directory; what else is there stays.
    pub files: BTreeSet<RelativePath>,
    /// Files of the repository that are removed with it.
    pub beside: BTreeSet<RelativePath>,
}

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Somebody else has changed the lockfile meanwhile.
    #[error("the lockfile has changed meanwhile")]
    Moved,
    /// The disk says no.
    #[error("{0}")]
    Failed(Fault),
}
