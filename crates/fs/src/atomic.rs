//! Files that others see as they were or as they are to be, and never in between: written aside, then renamed.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags, linkat, openat},
    io::Errno,
};
use tempfile::NamedTempFile;

use crate::directory::Directory;

/// How the names of files begin that are being written.
pub const PREFIX: &str = ".new-";

/// Whether content must be on the disk before it gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// After a power failure the file may have its old content, its new one, or none. For what is checked when it is
    /// read and can be made again: caches, and what is synced in batches later.
    Volatile,
    /// The content is on the disk when the file gets its name. The name itself is durable once the directory is synced.
    Durable,
}

/// Replaces the file at `path`, which lies below `root` and which only its owner may read. Makes the directories that are
/// missing.
///
/// # Errors
/// That of the operating system; also if a name on the way from the root is a link. What stood at `path` is still there
/// then.
pub fn write(root: &Path, path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let (directory, name) = Directory::make_for(root, path)?;
    Written::new(&directory, PRIVATE, content, durability)?.replace(&directory, name)
}

/// Replaces the file at `path`, which lies below `root`, with one that may be read by whoever reads other new files of
/// this process. The content is written in `scratch`, on the same file system. Makes the directories that are missing.
///
/// # Errors
/// As [`write()`].
pub fn write_through(
    root: &Path,
    scratch: &Directory,
    path: &Path,
    content: &[u8],
    durability: Durability,
) -> io::Result<()> {
    let (directory, name) = Directory::make_for(root, path)?;
    Written::new(scratch, SHARED, content, durability)?.replace(&directory, name)
}

/// Replaces the file at `path`, which lies below `root`, with one that may be read by whoever reads other new files of
/// this process. Makes the directories that are missing.
///
/// # Errors
/// As [`write()`].
pub fn write_shared(root: &Path, path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let (directory, name) = Directory::make_for(root, path)?;
    Written::new(&directory, SHARED, content, durability)?.replace(&directory, name)
}

/// Gives the content a name in a directory that nobody has yet; only its owner may read it. False if the name is taken.
///
/// # Errors
/// That of the operating system.
pub fn create(directory: &Directory, name: &str, content: &[u8], durability: Durability) -> io::Result<bool> {
    Written::new(directory, PRIVATE, content, durability)?.name_once(directory, OsStr::new(name))
}

/// Takes a name in a directory that nobody has yet, and fills the file under that name: others may see less of it than the
/// whole. Only its owner may read it. False if the name is taken.
///
/// # Errors
/// That of the operating system; the name may be taken then, by an empty file.
pub fn claim(directory: &Directory, name: &str, content: &[u8]) -> io::Result<bool> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(directory, name, flags, PRIVATE) {
        Ok(file) => {
            let mut file = File::from(file);
            file.write_all(content).map(|()| true).inspect_err(|_| {
                // Best effort: nobody comes back for a part, which takes room on a disk that may have none.
                let _ = file.set_len(0);
            })
        }
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// As [`create`], at `path` below `root`. Makes the directories that are missing.
///
/// # Errors
/// As [`write()`].
pub fn create_at(root: &Path, path: &Path, content: &[u8], durability: Durability) -> io::Result<bool> {
    let (directory, name) = Directory::make_for(root, path)?;
    Written::new(&directory, PRIVATE, content, durability)?.name_once(&directory, name)
}

/// Gives the content a name below `root` that nobody has yet; whoever reads other new files of this process may read it.
/// Makes the directories that are missing. False if the name is taken.
///
/// # Errors
/// As [`write()`].
pub fn create_shared(root: &Path, path: &Path, content: &[u8], durability: Durability) -> io::Result<bool> {
    let (directory, name) = Directory::make_for(root, path)?;
    Written::new(&directory, SHARED, content, durability)?.name_once(&directory, name)
}

/// Makes a file or directory durable that is there already.
///
/// # Errors
/// That of the operating system.
pub fn sync(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::fsync(opened(path)?)?)
}

/// Makes everything durable that was written to the file system of this directory.
///
/// # Errors
/// That of the operating system.
#[cfg(target_os = "linux")]
pub fn sync_file_system(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(opened(directory)?)?)
}

/// Opens without waiting for anybody, and no link.
fn opened(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Gives a file or directory that is whole another name below the same root, on the same file system. A file that has the
/// name already makes way, as does an empty directory for a directory.
///
/// # Errors
/// That of the operating system; also if a name on the way from the root is a link. Both names mean what they meant before
/// then.
pub fn rename(root: &Path, from: &Path, to: &Path) -> io::Result<()> {
    let ((source, name), (target, new_name)) = (Directory::open_for(root, from)?, Directory::open_for(root, to)?);
    source.rename(name, &target, new_name)
}

/// What its owner may read and write, and nobody else.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// What everybody may read and write; the process's umask takes away from this.
const SHARED: Mode = Mode::from_raw_mode(0o666);

/// A file that is whole and has no name yet under which anybody looks for it; removed with the value.
struct Written<'a> {
    directory: &'a Directory,
    file: NamedTempFile<File>,
}

impl<'a> Written<'a> {
    fn new(directory: &'a Directory, mode: Mode, content: &[u8], durability: Durability) -> io::Result<Self> {
        let open = |path: &Path| {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(File::from(openat(directory, path.file_name().unwrap_or_default(), flags, mode)?))
        };
        // By its name, a leftover is known.
        let mut file = tempfile::Builder::new().prefix(PREFIX).make_in(directory.path(), open)?;
        // Tells whoever removes leftovers that this is none. Best effort: its age says so too.
        let _ = file.as_file().try_lock();
        file.write_all(content)?;
        if durability == Durability::Durable {
            file.as_file().sync_all()?;
        }
        Ok(Self { directory, file })
    }

    /// Gives it this name, whoever has it.
    fn replace(self, target: &Directory, name: &OsStr) -> io::Result<()> {
        self.directory.rename(self.file.path().file_name().unwrap_or_default(), target, name)?;
        // It has no temporary name any more that had to be removed.
        self.file.keep()?;
        Ok(())
    }

    /// Gives it this name, and false if somebody has it.
    fn name_once(self, target: &Directory, name: &OsStr) -> io::Result<bool> {
        let temporary = self.file.path().file_name().unwrap_or_default();
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(self.directory, temporary, target, name, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    self.file.keep()?;
                    return Ok(true);
                }
                Err(Errno::EXIST) => return Ok(false),
                // Some file systems do not have it.
                Err(Errno::INVAL | Errno::NOSYS) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match linkat(self.directory, temporary, target, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a list");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("below/file");
        for (content, durability) in [("one", Durability::Volatile), ("two", Durability::Durable)] {
            write(directory.path(), &path, content.as_bytes(), durability).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("a string"), content);
        }
        assert_eq!(names(&directory.path().join("below")), ["file"]);
        assert_eq!(fs::metadata(&path).expect("a stat").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("taken");
        fs::create_dir(&path).expect("a directory");
        fs::write(path.join("inside"), "kept").expect("a file");
        assert!(write(directory.path(), &path, b"new", Durability::Volatile).is_err());
        assert_eq!(fs::read_to_string(path.join("inside")).expect("a string"), "kept");
        assert_eq!(names(directory.path()), ["taken"], "the unfinished file is removed");
    }

    #[test]
    fn a_name_is_given_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("1.json");
        let opened = Directory::open(directory.path(), directory.path()).expect("opens");
        assert!(create(&opened, "1.json", b"first", Durability::Durable).expect("created"));
        assert!(!create(&opened, "1.json", b"second", Durability::Durable).expect("looked"));
        assert_eq!(fs::read_to_string(&path).expect("a string"), "first");
        assert_eq!(names(directory.path()), ["1.json"]);
    }

    #[test]
    fn a_name_is_claimed_once_and_by_no_link() {
        let directory = tempfile::tempdir().expect("a directory");
        let opened = Directory::open(directory.path(), directory.path()).expect("opens");
        assert!(claim(&opened, "raw", b"first").expect("claimed"));
        assert!(!claim(&opened, "raw", b"second").expect("looked"));
        symlink("nowhere", directory.path().join("link")).expect("a link");
        assert!(!claim(&opened, "link", b"second").expect("looked"));
        assert_eq!(fs::read_to_string(directory.path().join("raw")).expect("a string"), "first");
        assert_eq!(fs::metadata(directory.path().join("raw")).expect("a stat").permissions().mode() & 0o777, 0o600);
        assert_eq!(names(directory.path()), ["link", "raw"]);
    }

    #[test]
    fn through_another_directory_with_the_permissions_of_new_files() {
        let directory = tempfile::tempdir().expect("a directory");
        let (scratch, path) = (directory.path().join("tmp"), directory.path().join("object"));
        let opened = Directory::make(directory.path(), &scratch).expect("made");
        write_through(directory.path(), &opened, &path, b"code", Durability::Volatile).expect("written");
        fs::write(directory.path().join("usual"), "").expect("a file");
        let mode = |name: &str| fs::metadata(directory.path().join(name)).expect("a stat").permissions().mode();
        assert_eq!(mode("object"), mode("usual"));
        assert_eq!(names(&scratch), Vec::<String>::new());
    }

    #[test]
    fn f03_nothing_is_written_or_renamed_through_a_link() {
        let scene = tempfile::tempdir().expect("a directory");
        let (root, outside) = (scene.path().join("root"), scene.path().join("outside"));
        for path in [&root, &outside] {
            fs::create_dir(path).expect("a directory");
        }
        symlink(&outside, root.join("link")).expect("a link");
        fs::write(root.join("file"), "mine").expect("a file");
        assert!(write(&root, &root.join("link/file"), b"new", Durability::Volatile).is_err());
        assert!(write(&root, &root.join("link/below/file"), b"new", Durability::Volatile).is_err());
        let scratch = Directory::make(&root, &root.join("tmp")).expect("made");
        assert!(write_through(&root, &scratch, &root.join("link/file"), b"new", Durability::Volatile).is_err());
        assert!(rename(&root, &root.join("file"), &root.join("link/file")).is_err());
        assert_eq!(names(&outside), Vec::<String>::new());
        assert_eq!(names(&root), ["file", "link", "tmp"]);
        symlink(root.join("file"), root.join("last")).expect("a link");
        write(&root, &root.join("last"), b"new", Durability::Volatile).expect("a link in the last place makes way");
        assert_eq!(fs::read_to_string(root.join("file")).expect("a file"), "mine");
    }
}
