//! Directories that nobody else looks into yet: filled file by file, then used or renamed as a whole.

use std::{fs, io, path::Path};

/// Writes a file below such a directory; makes the directories above the file. A crash leaves half a file, which nobody
/// finds: the directory has no name yet under which anybody looks for it. Where others may look, see [`atomic`](crate::atomic).
///
/// # Errors
/// That of the operating system.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_directories_are_made() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("vendor/chunk.js");
        write(&path, b"one").expect("written");
        write(&path, b"two").expect("written again");
        assert_eq!(fs::read(&path).expect("a file"), b"two");
    }
}
