//! Looking after cached packages and their locks.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use async_trait::async_trait;

use crate::{
    cache::{LockUpdate, PackageUsage, PrunedPackages},
    digest::Digest,
    failure::Fault,
};

/// The cache and the locks behind the port [`Packages`](super::Packages).
///
/// Implementations MUST change nothing in [`usage`](Self::usage) and in a dry run; MUST NOT remove what a lock names,
/// and MUST remove nothing where a lock cannot be read, since it might name anything; MUST change no lock that people keep,
/// except when they ask for it; MUST leave a requirement that cannot be resolved as it was locked. The adapter is held to it by the tests of the crate `npm`.
#[async_trait]
pub trait PackageCache: Send + Sync {
    /// What the cache holds.
    async fn usage(&self) -> Result<PackageUsage, Fault>;

    /// Takes out of the lock that nobody but the program writes what no source requires, then removes what no lock names, and
    /// gives how much that is.
    async fn prune(&self, request: &PruneRequest) -> Result<PrunedPackages, Fault>;

    /// Resolves what is locked again and moves the locks: only packages of these names, or all if there are none. With
    /// `is_pinned`, the lock that is committed receives everything that is locked.
    async fn update(&self, names: &[String], is_pinned: bool) -> Result<LockUpdate, Fault>;
}

/// What may leave a cache of packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneRequest {
    /// The lock files of sources, beside those of the repository itself.
    pub locks: BTreeSet<PathBuf>,
    /// What sources require; `None` if that is not known of all of them, and then the lock stays as it is.
    pub required: Option<RequiredPackages>,
    /// The objects of the bundle store: what was built from packages and is not among them is not needed.
    pub stored: BTreeSet<Digest>,
    /// What was written within this time stays: it may be fetched and not locked yet, or locked for a source that was not
    /// seen yet.
    pub grace: Duration,
    /// True to report and not to remove.
    pub is_dry_run: bool,
}

/// What keeps a requirement in a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequiredPackages {
    /// The specifiers that sources import.
    pub specifiers: BTreeSet<String>,
    /// The packages, as `name@version`, that bundles in use and latest attempts were made of: where a source cannot be
    /// understood at the moment, they stand for what it imported before.
    pub packages: BTreeSet<String>,
}
