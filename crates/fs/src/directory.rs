//! Directories of our own, and what is done in them: reached from a root by opening one name of the path after the
//! other, none of which may be a link (`design/security.md`).
//!
//! A repository that was cloned may have brought a state directory, with links in it that lead to files of its user.
//! Links in the path of the root itself are followed: whoever chose the root chose them.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fsync, mkdirat, openat, renameat, statat, unlinkat},
    io::Errno,
};
use tempfile::TempDir;

use crate::reason::Reason;

/// A directory that was opened without following a link below its root. What is done in it is done in that very
/// directory, even if a link takes its place meanwhile.
#[derive(Debug)]
pub struct Directory {
    handle: OwnedFd,
    path: PathBuf,
}

/// What stands under a name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// True for a directory, and not for a link to one.
    pub is_directory: bool,
    /// True for a regular file, and not for a link to one.
    pub is_file: bool,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When its content changed last.
    pub modified: SystemTime,
}

impl Directory {
    /// Opens the directory at `path`, which is `root` or lies below it. What is missing is made, the root and the
    /// directories above it included.
    ///
    /// # Errors
    /// That of the operating system; also if a name below the root is a link, or if `path` does not lie below it.
    pub fn make(root: &Path, path: &Path) -> io::Result<Self> {
        Self::reach(root, path, true)
    }

    /// Opens the directory at `path`, which is `root` or lies below it.
    ///
    /// # Errors
    /// As [`make`](Self::make); [`io::ErrorKind::NotFound`] if there is none.
    pub fn open(root: &Path, path: &Path) -> io::Result<Self> {
        Self::reach(root, path, false)
    }

    /// The directory of the file at `path` below the root, and the name of the file.
    pub(crate) fn make_for<'a>(root: &Path, path: &'a Path) -> io::Result<(Self, &'a OsStr)> {
        let (parent, name) = parted(path)?;
        Ok((Self::make(root, parent)?, name))
    }

    /// As [`make_for`](Self::make_for), if the directory is there.
    pub(crate) fn open_for<'a>(root: &Path, path: &'a Path) -> io::Result<(Self, &'a OsStr)> {
        let (parent, name) = parted(path)?;
        Ok((Self::open(root, parent)?, name))
    }

    fn reach(root: &Path, path: &Path, is_made: bool) -> io::Result<Self> {
        let not_below = || {
            let message = format!("{} does not lie below {}", path.display(), root.display());
            io::Error::new(io::ErrorKind::InvalidInput, message)
        };
        let below = path.strip_prefix(root).map_err(|_| not_below())?;
        let mut directory = Self::root(root, is_made)?;
        for part in below.components() {
            let Component::Normal(name) = part else { return Err(not_below()) };
            directory = directory.child(name, is_made)?;
        }
        Ok(directory)
    }

    fn root(root: &Path, is_made: bool) -> io::Result<Self> {
        let place = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = match openat(CWD, place, flags, Mode::empty()) {
            Err(Errno::NOENT) if is_made => {
                fs::create_dir_all(place)?;
                openat(CWD, place, flags, Mode::empty())?
            }
            outcome => outcome?,
        };
        Ok(Self { handle, path: root.to_owned() })
    }

    /// The directory of this name in it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn directory(&self, name: &OsStr) -> io::Result<Self> {
        self.child(name, false)
    }

    /// The same, which is made if it is missing.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub fn make_directory(&self, name: &OsStr) -> io::Result<Self> {
        self.child(name, true)
    }

    fn child(&self, name: &OsStr, is_made: bool) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut opened = openat(&self.handle, name, flags, Mode::empty());
        if is_made && matches!(opened, Err(Errno::NOENT)) {
            match mkdirat(&self.handle, name, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
                // Another process may have made it meanwhile.
                Ok(()) | Err(Errno::EXIST) => opened = openat(&self.handle, name, flags, Mode::empty()),
                Err(error) => return Err(error.into()),
            }
        }
        let path = self.path.join(name);
        match opened {
            Ok(handle) => Ok(Self { handle, path }),
            Err(_) if self.is_link(name) => Err(Reason::Link(path).into()),
            Err(error) => Err(error.into()),
        }
    }

    fn is_link(&self, name: &OsStr) -> bool {
        statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it, in no order.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The names in it that may be those of directories, in no order: links too, and what the file system says nothing
    /// of, but no regular files.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn names_without_files(&self) -> io::Result<Vec<(OsString, bool)>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let kind = entry.file_type();
            if name != "." && name != ".." && kind != FileType::RegularFile {
                names.push((name.to_owned(), kind == FileType::Directory));
            }
        }
        Ok(names)
    }

    /// What stands under a name; of a link, the link itself.
    ///
    /// # Errors
    /// That of the operating system, [`io::ErrorKind::NotFound`] among them.
    pub fn look(&self, name: &OsStr) -> io::Result<Entry> {
        let stat = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let seconds = Duration::from_secs(stat.st_mtime.unsigned_abs());
        let modified =
            if stat.st_mtime < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
        let nanoseconds = Duration::from_nanos(i64::try_from(stat.st_mtime_nsec).unwrap_or(0).unsigned_abs());
        Ok(Entry {
            is_directory: kind == FileType::Directory,
            is_file: kind == FileType::RegularFile,
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified: modified.and_then(|at| at.checked_add(nanoseconds)).unwrap_or(UNIX_EPOCH),
        })
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// That of the operating system, [`io::ErrorKind::NotFound`] among them; also for a directory.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Removes whatever stands under a name, a directory with everything below it. Links are removed and not followed.
    ///
    /// # Errors
    /// That of the operating system, [`io::ErrorKind::NotFound`] among them; a part may be removed by then.
    pub fn remove_all(&self, name: &OsStr) -> io::Result<()> {
        match unlinkat(&self.handle, name, AtFlags::empty()) {
            // What systems say of a directory.
            Err(Errno::ISDIR | Errno::PERM) => {}
            outcome => return Ok(outcome?),
        }
        let directory = self.child(name, false)?;
        for below in directory.names()? {
            match directory.remove_all(&below) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
        }
        Ok(unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// That of the operating system; also if it is not empty.
    pub fn remove_empty(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// A new directory in it, of a name that nobody can guess, for the owner alone; it is removed with the value.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn temporary(&self, prefix: &str) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix(prefix).tempdir_in(&self.path)
    }

    /// Makes the names in it durable.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.handle)?)
    }

    /// Lets two files or directories take each other's place at one moment.
    ///
    /// # Errors
    /// That of the operating system; [`io::ErrorKind::Unsupported`] where it cannot do that.
    pub(crate) fn exchange(&self, name: &OsStr, other: &Self, other_name: &OsStr) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&self.handle, name, &other.handle, other_name, RenameFlags::EXCHANGE) {
                // Some file systems do not have it.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                outcome => return Ok(outcome?),
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (name, other, other_name);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives a file or directory of this one another name, in this directory or another one of the file system.
    pub(crate) fn rename(&self, name: &OsStr, target: &Self, new_name: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.handle, name, &target.handle, new_name)?)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Removes the file or link at `path` below the root.
///
/// # Errors
/// As [`Directory::open`] and [`Directory::remove_file`].
pub fn remove_file(root: &Path, path: &Path) -> io::Result<()> {
    let (directory, name) = Directory::open_for(root, path)?;
    directory.remove_file(name)
}

/// Removes whatever stands at `path` below the root, a directory with everything below it.
///
/// # Errors
/// As [`Directory::open`] and [`Directory::remove_all`].
pub fn remove_all(root: &Path, path: &Path) -> io::Result<()> {
    let (directory, name) = Directory::open_for(root, path)?;
    directory.remove_all(name)
}

fn parted(path: &Path) -> io::Result<(&Path, &OsStr)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        (Some(_) | None, Some(_) | None) => {
            let message = format!("{} names no file", path.display());
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use mangrove_domain::problem::Code;

    use super::*;
    use crate::faults::{Operation, io_fault};

    /// A directory outside with a file, and a root whose `link` leads there.
    fn scene() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let scene = tempfile::tempdir().expect("a directory");
        let (root, outside) = (scene.path().join("root"), scene.path().join("outside"));
        fs::create_dir_all(root.join("real/below")).expect("a directory");
        fs::create_dir(&outside).expect("a directory");
        fs::write(outside.join("diary"), "dear diary").expect("a file");
        symlink(&outside, root.join("link")).expect("a link");
        symlink(&outside, root.join("real/below/link")).expect("a link");
        symlink("real", root.join("inward")).expect("a link");
        (scene, root, outside)
    }

    #[test]
    fn f03_no_link_below_the_root_is_followed() {
        let (_scene, root, outside) = scene();
        for (path, link) in [
            ("link", "link"),
            ("link/new/below", "link"),
            ("real/below/link/new", "real/below/link"),
            ("inward/below", "inward"),
        ] {
            for outcome in [Directory::make(&root, &root.join(path)), Directory::open(&root, &root.join(path))] {
                let error = outcome.expect_err(path);
                assert_eq!(error.to_string(), format!("{} is a symbolic link", root.join(link).display()));
                assert_eq!(io_fault(Operation::Create, &root, &error).code, Code::STATE_LINK);
            }
            assert!(remove_file(&root, &root.join(path).join("diary")).is_err());
            assert!(remove_all(&root, &root.join(path).join("diary")).is_err());
        }
        let left: Vec<_> = fs::read_dir(&outside).expect("a list").collect();
        assert_eq!(left.len(), 1, "nothing is made and nothing removed");
    }

    #[test]
    fn links_that_lead_to_the_root_are_followed() {
        let scene = tempfile::tempdir().expect("a directory");
        fs::create_dir(scene.path().join("chosen")).expect("a directory");
        symlink("chosen", scene.path().join("state")).expect("a link");
        let root = scene.path().join("state");
        let made = Directory::make(&root, &root.join("bundles/ab")).expect("made");
        assert_eq!(made.path(), root.join("bundles/ab"));
        assert!(scene.path().join("chosen/bundles/ab").is_dir());
    }

    #[test]
    fn what_is_missing_is_made_or_told() {
        let scene = tempfile::tempdir().expect("a directory");
        let root = scene.path().join("a/b");
        let missing = Directory::open(&root, &root.join("c")).expect_err("missing");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        Directory::make(&root, &root.join("c/d")).expect("made");
        Directory::make(&root, &root.join("c/d")).expect("there");
        assert_eq!(Directory::open(&root, &root).expect("there").names().expect("a list"), ["c"]);
        for path in [scene.path().join("elsewhere"), root.join("c/../../x")] {
            let error = Directory::make(&root, &path).expect_err("not below");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        }
        fs::write(root.join("file"), "").expect("a file");
        let error = Directory::make(&root, &root.join("file/below")).expect_err("a file");
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn f03_removal_takes_links_away_and_leaves_what_they_lead_to() {
        let (_scene, root, outside) = scene();
        let directory = Directory::open(&root, &root).expect("opens");
        directory.remove_all(OsStr::new("real")).expect("removed");
        directory.remove_all(OsStr::new("link")).expect("removed");
        assert!(directory.remove_all(OsStr::new("link")).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
        assert_eq!(directory.names().expect("a list"), ["inward"]);
        assert_eq!(fs::read_to_string(outside.join("diary")).expect("a file"), "dear diary");
    }

    #[test]
    fn a_directory_stays_the_same_when_a_link_takes_its_place() {
        let (_scene, root, outside) = scene();
        let directory = Directory::open(&root, &root.join("real")).expect("opens");
        fs::rename(root.join("real"), root.join("moved")).expect("moved");
        symlink(&outside, root.join("real")).expect("a link");
        assert!(directory.remove_file(OsStr::new("diary")).is_err());
        directory.remove_all(OsStr::new("below")).expect("removed");
        assert!(outside.join("diary").exists() && !root.join("moved/below").exists());
    }

    #[test]
    fn entries_are_told_apart_and_have_times() {
        let (_scene, root, _) = scene();
        fs::write(root.join("file"), "four").expect("a file");
        let at = UNIX_EPOCH + Duration::new(1_000, 500);
        fs::File::options().write(true).open(root.join("file")).and_then(|file| file.set_modified(at)).expect("set");
        let directory = Directory::open(&root, &root).expect("opens");
        let entry = directory.look(OsStr::new("file")).expect("there");
        assert_eq!(entry, Entry { is_directory: false, is_file: true, size_bytes: 4, modified: at });
        let kinds = ["real", "link"].map(|name| directory.look(OsStr::new(name)).expect("there"));
        assert_eq!(kinds.map(|entry| (entry.is_directory, entry.is_file)), [(true, false), (false, false)]);
    }
}
