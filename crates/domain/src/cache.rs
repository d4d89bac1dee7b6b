//! What caches hold, and what became of locked packages.

use std::path::PathBuf;

use crate::failure::Fault;

/// Files of one sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

impl Amount {
    /// Counts one more file.
    pub const fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// What was removed from a cache of packages and its lock, or in a dry run would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunedPackages {
    /// Files of packages that no lock names.
    pub files: Amount,
    /// Requirements that left the lock of the state directory, because no source has them any more.
    pub requirements: u64,
}

/// What a cache of packages holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageUsage {
    /// Where it is.
    pub directory: PathBuf,
    /// Answers of registries.
    pub metadata: Amount,
    /// Package archives.
    pub archives: Amount,
    /// Records of built units.
    pub units: Amount,
    /// Work in progress, and what interrupted work left behind.
    pub scratch: Amount,
}

/// What became of one locked requirement that was resolved again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedRequirement {
    /// `npm:name@range`
    pub requirement: String,
    /// What it was locked to: `name@version`.
    pub before: String,
    /// What it is locked to now; a failure leaves what was.
    pub after: Result<String, Fault>,
    /// True if anything of its tree is another version.
    pub is_moved: bool,
}

/// What became of the locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockUpdate {
    /// One for each requirement that was looked at, sorted.
    pub requirements: Vec<UpdatedRequirement>,
    /// Names that no lock has.
    pub unknown: Vec<String>,
    /// Where a lock lies now that was damaged: what it locked is resolved again.
    pub set_aside: Option<PathBuf>,
}
