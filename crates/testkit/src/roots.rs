//! The roots below a directory, in a copy of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The files that make a directory a repository.
const MARKERS: [&str; 2] = ["mangrove.yaml", ".swamp.yaml"];

/// What is not copied: histories, states of programs, and what package managers put there.
const LEFT_OUT: [&str; 3] = [".git", ".mangrove", "node_modules"];

/// Copies a directory with everything that sources may name, links as links.
///
/// # Errors
/// Whatever the file system says.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

/// Every directory with a marker, sorted.
///
/// # Errors
/// Whatever the file system says.
pub fn find(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut roots = Vec::new();
    if MARKERS.iter().any(|marker| directory.join(marker).is_file()) {
        roots.push(directory.to_owned());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            roots.extend(find(&entry.path())?);
        }
    }
    roots.sort();
    Ok(roots)
}
