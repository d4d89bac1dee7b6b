//! The files beside a database, and what tells it from another one of the same name.

use std::path::{Path, PathBuf};

/// The directory of a database, which is the root of all that is written beside it.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn suspect_path(path: &Path) -> PathBuf {
    with_suffix(path, "-suspect")
}

/// What tells a file from another one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> std::io::Result<Option<Self>> {
        let metadata = std::fs::metadata(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Ok(Some(Self { device: metadata.dev(), inode: metadata.ino() }))
        }
        #[cfg(not(unix))]
        {
            drop(metadata);
            Ok(None)
        }
    }
}
