//! Files that exist to be locked. The kernel releases a lock when its holder dies, so one that is left behind locks
//! nobody out (fault 39).
//!
//! Nothing is ever written to them, and no link is followed to one: a repository that was cloned may have put a link to
//! a file of its user there.

use std::{ffi::OsStr, fs::File, io, path::Path};

use rustix::{
    fs::{AtFlags, Mode, OFlags, fstat, openat, statat},
    io::Errno,
};

use crate::{directory::Directory, reason::Reason};

/// Opens the file at `path`, which lies below `root`, as one that only its owner may use. It is made if it is missing, and
/// so are the directories above it. What is in it stays.
///
/// # Errors
/// That of the operating system; also if anything but a regular file stands there, a link included, or if a name on the way
/// from the root is a link.
pub fn open(root: &Path, path: &Path) -> io::Result<File> {
    let (directory, name) = Directory::make_for(root, path)?;
    open_in(&directory, name, OFlags::RDWR | OFlags::CREATE)
}

/// Opens the file at `path`, which lies below `root`, if it is there, to look who holds it.
///
/// # Errors
/// As [`open`]; [`io::ErrorKind::NotFound`] if it is not there.
pub fn open_existing(root: &Path, path: &Path) -> io::Result<File> {
    let (directory, name) = Directory::open_for(root, path)?;
    open_existing_in(&directory, name)
}

/// As [`open_existing`], for a name in a directory.
pub(crate) fn open_existing_in(directory: &Directory, name: &OsStr) -> io::Result<File> {
    open_in(directory, name, OFlags::RDONLY)
}

fn open_in(directory: &Directory, name: &OsStr, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // A pipe that is opened to be written to has a reader waiting at its other end.
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Reason::unless_file(stat.st_mode)?,
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let file = openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    Reason::unless_file(fstat(&file)?.st_mode)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn f03_a_lock_that_is_a_link_is_refused_and_its_target_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("diary");
        fs::write(&target, "dear diary").expect("a file");
        for (name, target) in [("link", &target), ("to-nothing", &directory.path().join("nothing"))] {
            let path = directory.path().join(name);
            symlink(target, &path).expect("a link");
            let message = open(directory.path(), &path).expect_err("a link").to_string();
            assert_eq!(message, "it is a symbolic link, and a regular file is expected");
        }
        assert_eq!(fs::read_to_string(&target).expect("a file"), "dear diary");
        assert!(!directory.path().join("nothing").exists());
    }

    #[test]
    fn f03_a_lock_keeps_what_is_in_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "content").expect("a file");
        open(directory.path(), &path).expect("opens").lock().expect("locks");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "content");
        assert!(open_existing(directory.path(), &directory.path().join("missing")).is_err());
    }
}
