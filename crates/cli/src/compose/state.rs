//! The state directory.

use std::{fs, io, path::Path};

use mangrove_fs::atomic::{self, Durability};

use super::error::ComposeError;

/// Makes it, with a `.gitignore` that keeps it out of the repository.
pub(super) fn prepare(directory: &Path) -> Result<(), ComposeError> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let ignore = directory.join(".gitignore");
        if !ignore.exists() {
            atomic::create(&ignore, b"*\n", Durability::Volatile)?;
        }
        Ok(())
    };
    write().map_err(|source| ComposeError::State { directory: directory.to_owned(), source })
}
