//! Files that others see as they were or as they are to be, and never in between: written aside, then renamed.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags},
};
use tempfile::NamedTempFile;

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

/// Replaces the file at `path`, which only its owner may read. Makes the directory if it is missing.
///
/// # Errors
/// That of the operating system; what stood at `path` is still there then.
pub fn write(path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let directory = directory_of(path);
    fs::create_dir_all(directory)?;
    let file = written(private(), directory, content, durability)?;
    file.persist(path)?;
    Ok(())
}

/// Replaces the file at `path` with one that may be read by whoever reads other new files of this process. The content
/// is written in `scratch`, which must be there, on the same file system.
///
/// # Errors
/// That of the operating system; what stood at `path` is still there then.
pub fn write_through(scratch: &Path, path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    // The process's umask takes away from this.
    let file = written(builder.permissions(Permissions::from_mode(0o666)), scratch, content, durability)?;
    file.persist(path)?;
    Ok(())
}

/// Gives the content a name that nobody has yet; only its owner may read it. False if the name is taken.
///
/// # Errors
/// That of the operating system; also if the directory is missing.
pub fn create(path: &Path, content: &[u8], durability: Durability) -> io::Result<bool> {
    let file = written(private(), directory_of(path), content, durability)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
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

/// Gives a file or directory that is whole another name on the same file system. A file that has the name already makes
/// way, as does an empty directory for a directory.
///
/// # Errors
/// That of the operating system; both names mean what they meant before then.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Hidden, and of a name by which a leftover is known.
fn private() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    builder
}

fn written(
    builder: impl std::borrow::Borrow<tempfile::Builder<'static, 'static>>,
    directory: &Path,
    content: &[u8],
    durability: Durability,
) -> io::Result<NamedTempFile> {
    let mut file = builder.borrow().tempfile_in(directory)?;
    // Tells whoever removes leftovers that this is none. Best effort: its age says so too.
    let _ = file.as_file().try_lock();
    file.write_all(content)?;
    if durability == Durability::Durable {
        file.as_file().sync_all()?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
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
            write(&path, content.as_bytes(), durability).expect("written");
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
        assert!(write(&path, b"new", Durability::Volatile).is_err());
        assert_eq!(fs::read_to_string(path.join("inside")).expect("a string"), "kept");
        assert_eq!(names(directory.path()), ["taken"], "the unfinished file is removed");
    }

    #[test]
    fn a_name_is_given_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("1.json");
        assert!(create(&path, b"first", Durability::Durable).expect("created"));
        assert!(!create(&path, b"second", Durability::Durable).expect("looked"));
        assert_eq!(fs::read_to_string(&path).expect("a string"), "first");
        assert_eq!(names(directory.path()), ["1.json"]);
    }

    #[test]
    fn through_another_directory_with_the_permissions_of_new_files() {
        let directory = tempfile::tempdir().expect("a directory");
        let (scratch, path) = (directory.path().join("tmp"), directory.path().join("object"));
        fs::create_dir(&scratch).expect("a directory");
        write_through(&scratch, &path, b"code", Durability::Volatile).expect("written");
        fs::write(directory.path().join("usual"), "").expect("a file");
        let mode = |name: &str| fs::metadata(directory.path().join(name)).expect("a stat").permissions().mode();
        assert_eq!(mode("object"), mode("usual"));
        assert_eq!(names(&scratch), Vec::<String>::new());
    }
}
