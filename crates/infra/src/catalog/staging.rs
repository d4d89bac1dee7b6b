//! Where a catalog lies that is not in place yet.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use mangrove_domain::ports::CatalogError;
use mangrove_fs::{
    directory::Directory,
    faults::{Operation, io_fault},
    lock,
};
use tempfile::TempDir;

use super::error;
use crate::sqlite::{self, BusyPolicy, SqliteError};

/// A directory beside the catalog, with one file in it that its process keeps locked. It goes with this value; what a
/// process that was killed has left goes when the next one is made.
pub(crate) struct StagingDirectory {
    directory: TempDir,
    _lock: File,
}

/// How the names of these directories go on after that of the catalog.
const SUFFIX: &str = ".staged-";
const LOCK: &str = "lock";

impl StagingDirectory {
    /// For the catalog at `path`.
    pub(crate) async fn new(path: &Path) -> Result<Self, CatalogError> {
        // Nobody takes a directory for one that was left before it is locked.
        let alone = sqlite::lock_setup(path, BusyPolicy::default()).await;
        let _alone = alone.map_err(|cause| error("prepare", cause))?;
        Self::make(path)
            .map_err(|(path, cause)| error("prepare", SqliteError::Other(io_fault(Operation::Create, &path, &cause))))
    }

    fn make(path: &Path) -> Result<Self, (PathBuf, std::io::Error)> {
        let parent = path.parent().unwrap_or(path);
        let prefix = format!("{}{SUFFIX}", path.file_name().unwrap_or_default().to_string_lossy());
        let made = Directory::open(parent, parent).and_then(|state| {
            remove_leftovers(&state, &prefix);
            state.temporary(&prefix)
        });
        let directory = made.map_err(|error| (parent.to_owned(), error))?;
        let place = directory.path().join(LOCK);
        let locked = lock::open(parent, &place).and_then(|file| file.lock().map(|()| file));
        let lock = locked.map_err(|error| (place, error))?;
        Ok(Self { directory, _lock: lock })
    }

    /// The place of the catalog in it.
    pub(crate) fn catalog(&self) -> PathBuf {
        self.directory.path().join("catalog.db")
    }
}

/// Best effort: what stays costs space.
fn remove_leftovers(state: &Directory, prefix: &str) {
    for name in state.names().unwrap_or_default() {
        let is_staging = name.to_string_lossy().starts_with(prefix);
        if !is_staging || !state.look(&name).is_ok_and(|entry| entry.is_directory) {
            continue;
        }
        let is_left = match lock::open_existing(state.path(), &state.path().join(&name).join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            // Its process did not come so far: whoever makes one now waits for us.
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if is_left {
            let _ = state.remove_all(&name);
        }
    }
}
