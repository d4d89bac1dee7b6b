//! What was fetched, on disk: `<state>/npm/<registry>/<name>/packument` and `<name>/<version>/package.tgz`.
//!
//! Every file is written under another name and renamed, so that a reader, in this process or another, sees
//! a whole file or none. No link below the root is followed to write or to remove. Nothing here is trusted for being here: an archive is compared with its integrity
//! whenever it is read, and what does not match counts as absent.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

use mangrove_domain::failure::Fault;
use mangrove_fs::{
    atomic::{self, Durability},
    directory,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};
use reqwest::Url;

use super::{packument::checkable, specifier::PackageId};

/// The cache below one state directory.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// A cached answer of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedPackument {
    /// The `ETag` it came with.
    pub tag: Option<String>,
    /// The bytes.
    pub body: Vec<u8>,
}

/// A cache file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct Error {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        io_fault(Operation::Write, &error.path, &error.source)
    }
}

impl Cache {
    /// The cache in `<state>/npm`. Nothing is created before the first write.
    #[must_use]
    pub fn new(state_directory: &Path) -> Self {
        Self { root: state_directory.join("npm") }
    }

    /// The cached metadata of a package.
    #[must_use]
    pub fn packument(&self, registry: &Url, name: &str) -> Option<CachedPackument> {
        let path = self.package_directory(registry, name).join("packument");
        let bytes = read::bytes(path, Within::Unlinked, FileKind::State).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let tag = std::str::from_utf8(&bytes[..end]).ok()?;
        Some(CachedPackument { tag: (!tag.is_empty()).then(|| tag.to_owned()), body: bytes[end + 1..].to_vec() })
    }

    /// Keeps metadata.
    ///
    /// # Errors
    /// [`Error`]
    pub fn keep_packument(&self, registry: &Url, name: &str, packument: &CachedPackument) -> Result<(), Error> {
        let tag = packument.tag.as_deref().filter(|tag| !tag.contains(['\r', '\n'])).unwrap_or_default();
        let bytes = [tag.as_bytes(), b"\n", &packument.body].concat();
        write_file(&self.root, &self.package_directory(registry, name).join("packument"), &bytes)
    }

    /// Forgets metadata that led to a failure.
    pub fn forget_packument(&self, registry: &Url, name: &str) {
        let _ = directory::remove_file(&self.root, &self.package_directory(registry, name).join("packument"));
    }

    /// The archive of a package if it is there and is what `integrity` says.
    #[must_use]
    pub fn archive(&self, registry: &Url, package: &PackageId, integrity: &str) -> Option<Vec<u8>> {
        let path = self.archive_path(registry, package);
        let bytes = read::bytes(path, Within::Unlinked, FileKind::State).ok()?;
        checkable(integrity)?.check(&bytes).ok()?;
        Some(bytes)
    }

    /// True if there is an archive of this version, verified or not.
    #[must_use]
    pub fn has_archive(&self, registry: &Url, package: &PackageId) -> bool {
        self.archive_path(registry, package).is_file()
    }

    /// Keeps an archive that was verified.
    ///
    /// # Errors
    /// [`Error`]
    pub fn keep_archive(&self, registry: &Url, package: &PackageId, bytes: &[u8]) -> Result<(), Error> {
        write_file(&self.root, &self.archive_path(registry, package), bytes)
    }

    /// Where everything is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory for work in progress, on the same file system.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// Where the records of built units are.
    #[must_use]
    pub fn units(&self) -> PathBuf {
        self.root.join("units")
    }

    fn archive_path(&self, registry: &Url, package: &PackageId) -> PathBuf {
        self.package_directory(registry, &package.name).join(&package.version).join("package.tgz")
    }

    /// `<registry>/<name>`: two registries of one host are told apart by their ports and paths.
    fn package_directory(&self, registry: &Url, name: &str) -> PathBuf {
        let mut place = registry.host_str().unwrap_or("unknown").to_owned();
        if let Some(port) = registry.port() {
            let _ = write!(place, "+{port}");
        }
        for segment in registry.path().split('/').filter(|segment| !segment.is_empty()) {
            place.push('+');
            place.push_str(segment);
        }
        self.root.join("registries").join(place).join(name)
    }
}

/// Writes a file below the cache that can be fetched or built again: others see its old content or its new one.
pub(super) fn write_file(root: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    atomic::write(root, path, bytes, Durability::Volatile).map_err(|source| Error { path: path.to_owned(), source })
}
