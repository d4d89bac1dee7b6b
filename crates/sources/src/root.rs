//! A root that is open: a directory to look from.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use mangrove_domain::source::{Origin, RootId};

/// A directory that sources lie below.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) id: RootId,
    pub(super) origin: Origin,
    /// Absolute, without symbolic links.
    pub(super) directory: PathBuf,
    pub(super) handle: OwnedFd,
}

impl Root {
    /// Opens a directory; `directory` must be free of symbolic links.
    pub(super) fn open(id: RootId, origin: Origin, directory: PathBuf) -> io::Result<Self> {
        let handle = rustix::fs::open(
            &directory,
            rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )?;
        Ok(Self { id, origin, directory, handle })
    }

    pub(super) fn absolute(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.directory.clone() } else { self.directory.join(path) }
    }

    /// Where `path` really lies below the root; `Ok(None)` if that is outside.
    pub(super) fn canonical(&self, path: &str) -> io::Result<Option<String>> {
        let real = fs::canonicalize(self.absolute(path))?;
        Ok(real.strip_prefix(&self.directory).ok().and_then(Path::to_str).map(str::to_owned))
    }
}
