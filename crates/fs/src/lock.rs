//! Files that exist to be locked. The kernel releases a lock when its holder dies, so one that is left behind locks
//! nobody out (fault 39).
//!
//! Nothing is ever written to them, and no link is followed to one: a repository that was cloned may have put a link to
//! a file of its user there.

use std::{
    ffi::OsStr,
    fs::{File, TryLockError},
    io,
    path::Path,
};

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

/// How often a lock is tried that others only look at.
const ATTEMPTS: u32 = 1_000;

/// Opens the file at `path` as [`open`] does, and takes it for this process alone; `None` if somebody has it. Whoever has it may
/// remove it before giving it back: a file that is no longer in its place is no lock, and the next one is tried. Those that hold
/// it shared, to look who has it, are waited for.
///
/// # Errors
/// As [`open`].
pub fn try_take(root: &Path, path: &Path) -> io::Result<Option<File>> {
    for _ in 0..ATTEMPTS {
        let (directory, name) = Directory::make_for(root, path)?;
        let file = open_in(&directory, name, OFlags::RDWR | OFlags::CREATE)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Ok(()) => {
                    drop(file);
                    std::thread::yield_now();
                    continue;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            },
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let held = fstat(&file)?;
        match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino) => return Ok(Some(file)),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
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
    fn a_lock_is_taken_once_and_not_by_a_file_that_was_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("below/lock");
        let take = || try_take(directory.path(), &path).expect("looked");
        let first = take().expect("nobody has it");
        assert!(take().is_none());
        // Whoever opened it before it was removed waits for a file that nobody finds any more.
        let old = open_existing(directory.path(), &path).expect("opens");
        fs::remove_file(&path).expect("removed");
        drop(first);
        old.try_lock().expect("nobody has the old one");
        let second = take().expect("the new one is another file");
        assert!(take().is_none());
        drop(second);
        let looking = open_existing(directory.path(), &path).expect("opens");
        looking.try_lock_shared().expect("looks");
        let holder = std::thread::scope(|scope| {
            let taking = scope.spawn(take);
            drop(looking);
            taking.join().expect("ends")
        });
        assert!(holder.is_some(), "whoever looks has nothing");
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
