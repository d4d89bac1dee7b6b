//! Extensions that are pulled from a registry, an archive or a directory: what they are called, what their packages may
//! hold, what the lockfile says of them (`design/origins.md`).

mod checksum;
mod entry;
mod lockfile;
mod manifest;
mod name;
mod package;
mod path;

pub use self::{
    checksum::{FilesChecksum, files_checksum},
    entry::{LockEntry, LockedFile},
    lockfile::Lockfile,
    manifest::{PackageManifest, dependencies},
    name::{ExtensionReference, is_name, is_scoped_name},
    package::{Arranged, FileMode, Item, Package, PackageBounds, PackageFile, Refusal, arrange},
    path::{LockedPath, is_bundle_cache, locked_path},
};

/// Where pulled extensions lie, below the repository.
pub const DIRECTORY: &str = ".swamp/pulled-extensions";

/// The name of the lockfile, in the directory of the models.
pub const LOCKFILE: &str = "upstream_extensions.json";

/// The name of a manifest.
pub const MANIFEST: &str = "manifest.yaml";
