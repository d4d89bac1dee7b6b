//! Directories that nobody else looks into yet: filled file by file, then used or renamed as a whole.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use rustix::fs::{Mode, OFlags, openat};

use crate::directory::Directory;

/// Writes a file below `root`, which is such a directory; makes the directories above the file. A crash leaves half a
/// file, which nobody finds: the directory has no name yet under which anybody looks for it. Where others may look, see
/// [`atomic`](crate::atomic).
///
/// # Errors
/// That of the operating system; also if a name on the way from the root is a link.
pub fn write(root: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    create(root, path)?.write_all(content)
}

/// The same of a new file with these permissions, from which the process's umask takes away.
///
/// # Errors
/// As [`write()`].
pub(crate) fn write_as(root: &Path, path: &Path, content: &[u8], permissions: Mode) -> io::Result<()> {
    let (directory, name) = Directory::make_for(root, path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    File::from(openat(directory, name, flags, permissions)?).write_all(content)
}

/// Makes an empty file below such a directory, or cuts the one that is there, to be written to.
///
/// # Errors
/// As [`write()`].
pub fn create(root: &Path, path: &Path) -> io::Result<File> {
    let (directory, name) = Directory::make_for(root, path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(directory, name, flags, Mode::from_raw_mode(0o666))?.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn missing_directories_are_made() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("vendor/chunk.js");
        write(directory.path(), &path, b"one").expect("written");
        write(directory.path(), &path, b"two").expect("written again");
        assert_eq!(fs::read(&path).expect("a file"), b"two");
    }
}
