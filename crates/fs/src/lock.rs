//! Files that exist to be locked. The kernel releases a lock when its holder dies, so one that is left behind locks
//! nobody out (fault 39).
//!
//! Nothing is ever written to them, and no link is followed to one: a repository that was cloned may have put a link to
//! a file of its user there.

use std::{fs::File, io, path::Path};

use rustix::{
    fs::{CWD, Mode, OFlags, fstat, openat},
    io::Errno,
};

use crate::reason::Reason;

/// Opens the file, which is made if it is missing, as one that only its owner may use. What is in it stays.
///
/// # Errors
/// That of the operating system; also if anything but a regular file stands there, a link included.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::RDWR | OFlags::CREATE)
}

/// Opens the file if it is there, to look who holds it.
///
/// # Errors
/// That of the operating system, [`io::ErrorKind::NotFound`] among them; also if anything but a regular file stands
/// there.
pub fn open_existing(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::RDONLY)
}

fn open_with(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // A pipe that is opened to be written to has a reader waiting at its other end.
    match rustix::fs::lstat(path) {
        Ok(stat) => Reason::unless_file(stat.st_mode)?,
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let file = openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)?;
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
            let message = open(&path).expect_err("a link").to_string();
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
        open(&path).expect("opens").lock().expect("locks");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "content");
        assert!(open_existing(&directory.path().join("missing")).is_err());
    }
}
