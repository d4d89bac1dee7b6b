//! Reading files: the one way in which anything of ours opens a file to read it (`design/security.md`).
//!
//! Under the name of a document there may be anything: a named pipe that never gives a byte, a link to a device that
//! never ends or to a file of somebody else, a file as large as the disk. Whatever is read here is a regular file, was
//! opened without waiting, lies where it may lie, and is not larger than its kind may be.

use std::{
    fs::File,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use mangrove_domain::failure::Fault;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, CWD, Mode, OFlags, openat, statat},
    io::Errno,
};

use crate::{
    faults::{Operation, io_fault},
    stamp::Seen,
};

pub use crate::{file_kind::FileKind, reason::Reason};

/// Where a file may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Within<'a> {
    /// In this directory or below it. Links are followed as long as they lead there.
    Root(&'a Path),
    /// At the path itself: its last part is no link. For files that Mangrove has written, which are none.
    Unlinked,
    /// Wherever links lead: for what the person who started the program, or the kernel, names.
    Anywhere,
}

/// A file cannot be read.
#[expect(clippy::module_name_repetitions, reason = "`Error` is what its users call errors of their own")]
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {reason}", path.display())]
pub struct ReadError {
    /// Which one, as it was asked for.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

impl ReadError {
    /// True if nothing is there, not even a link that leads nowhere.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        let Reason::System(error) = &self.reason else { return false };
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }

    /// The fault that it is.
    #[must_use]
    pub fn into_fault(self) -> Fault {
        io_fault(Operation::Read, &self.path, &self.reason.into())
    }
}

/// The reason alone, for errors that name the path themselves.
impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        error.reason.into()
    }
}

/// The bytes of a file.
///
/// # Errors
/// [`ReadError`]
pub fn bytes(path: impl AsRef<Path>, within: Within<'_>, kind: FileKind) -> Result<Vec<u8>, ReadError> {
    open(path, within, kind)?.bytes()
}

/// The text of a file.
///
/// # Errors
/// [`ReadError`]
pub fn text(path: impl AsRef<Path>, within: Within<'_>, kind: FileKind) -> Result<String, ReadError> {
    let bytes = bytes(path.as_ref(), within, kind)?;
    String::from_utf8(bytes).map_err(|_| ReadError { path: path.as_ref().to_owned(), reason: Reason::NotUtf8 })
}

/// A regular file that may be read.
#[derive(Debug)]
pub struct Opened {
    path: PathBuf,
    file: File,
    kind: FileKind,
}

/// Opens a file. This never waits for somebody else.
///
/// # Errors
/// [`ReadError`]; also if it is too large already.
pub fn open(path: impl AsRef<Path>, within: Within<'_>, kind: FileKind) -> Result<Opened, ReadError> {
    let path = path.as_ref();
    let opened = match within {
        Within::Root(root) => open_inside(root, path),
        Within::Unlinked => open_regular(CWD, path, AtFlags::SYMLINK_NOFOLLOW, |flags| {
            openat(CWD, path, flags | OFlags::NOFOLLOW, Mode::empty())
        }),
        Within::Anywhere => open_regular(CWD, path, AtFlags::empty(), |flags| openat(CWD, path, flags, Mode::empty())),
    };
    let failed = |reason| {
        let is_missing = matches!(&reason, Reason::System(error) if error.kind() == io::ErrorKind::NotFound);
        let is_link = || path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        let reason = if is_missing && is_link() { Reason::DanglingLink } else { reason };
        ReadError { path: path.to_owned(), reason }
    };
    let opened = Opened { path: path.to_owned(), file: opened.map_err(failed)?, kind };
    if opened.size().map_err(|error| failed(error.into()))? > kind.limit_bytes() {
        return Err(failed(Reason::TooLarge { kind }));
    }
    Ok(opened)
}

impl Opened {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// What the file system says of it now.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn stamp(&self) -> Result<Seen, ReadError> {
        match self.file.metadata() {
            Ok(metadata) => Ok(Seen::of(&metadata)),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// All bytes from here on.
    ///
    /// # Errors
    /// [`ReadError`], also if it has grown too large.
    pub fn bytes(&mut self) -> Result<Vec<u8>, ReadError> {
        let limit = self.kind.limit_bytes();
        let size = self.size().unwrap_or_default().min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default().saturating_add(1));
        let read = (&self.file).take(limit + 1).read_to_end(&mut bytes);
        match read {
            Ok(length) if u64::try_from(length).unwrap_or(u64::MAX) > limit => {
                Err(self.failed(Reason::TooLarge { kind: self.kind }))
            }
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// The file, for who reads a part of it.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }

    fn failed(&self, reason: Reason) -> ReadError {
        ReadError { path: self.path.clone(), reason }
    }
}

fn open_inside(root: &Path, path: &Path) -> Result<File, Reason> {
    if let Some(file) = open_without_looking(root, path) {
        return Ok(file);
    }
    let real = path.canonicalize()?;
    let root = if real.starts_with(root) { root.to_owned() } else { root.canonicalize()? };
    let Ok(below) = real.strip_prefix(&root) else { return Err(Reason::Outside { root, real }) };
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    let directory = openat(CWD, &root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    open_regular(&directory, below, AtFlags::SYMLINK_NOFOLLOW, |flags| {
        open_without_links(&directory, below, flags | OFlags::NOFOLLOW)
    })
}

/// Opens what lies below the root by its name, with no link on the way, where the kernel makes sure of that. `None` for
/// everything else: a look at each directory on the way says what it is.
fn open_without_looking(root: &Path, path: &Path) -> Option<File> {
    #[cfg(target_os = "linux")]
    {
        let below = path.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty())?;
        let is_plain = below.components().all(|component| matches!(component, Component::Normal(_)));
        let directory = is_plain.then(|| {
            openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        })?;
        let directory = directory.ok()?;
        open_regular(&directory, below, AtFlags::SYMLINK_NOFOLLOW, |flags| {
            open_beneath(&directory, below, flags | OFlags::NOFOLLOW)
        })
        .ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (root, path);
        None
    }
}

/// Opens what is free of links. If one takes the place of a directory at this very moment, the kernel refuses it.
fn open_without_links(directory: &OwnedFd, below: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    match open_beneath(directory, below, flags) {
        // Kernels before 5.6, and some containers, do not have it.
        Err(Errno::NOSYS | Errno::PERM) => {}
        outcome => return outcome,
    }
    openat(directory, below, flags, Mode::empty())
}

/// The kernel refuses links on the way, and ways out of the directory.
#[cfg(target_os = "linux")]
fn open_beneath(directory: &OwnedFd, below: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    openat2(directory, below, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

/// Opens what is a regular file before and after it is opened: nothing else is, for opening alone may do something.
fn open_regular(
    directory: impl AsFd,
    path: &Path,
    following: AtFlags,
    open: impl FnOnce(OFlags) -> Result<OwnedFd, Errno>,
) -> Result<File, Reason> {
    Reason::unless_file(statat(&directory, path, following)?.st_mode)?;
    let file = open(OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC)?;
    Reason::unless_file(rustix::fs::fstat(&file)?.st_mode)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{fs::symlink, net::UnixListener},
    };

    use mangrove_domain::problem::Code;
    use rustix::fs::{FileType, mknodat};

    use super::*;

    /// A directory with one of everything under the name that says what it is.
    fn zoo() -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("root/below")).expect("a directory");
        fs::write(path("outside"), "secret").expect("a file");
        fs::write(path("root/below/file"), "text").expect("a file");
        fs::write(path("root/not-text"), [0xff, 0xfe]).expect("a file");
        mknodat(CWD, path("root/pipe"), FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
        drop(UnixListener::bind(path("root/socket")).expect("a socket"));
        fs::File::create(path("root/sparse")).and_then(|file| file.set_len(20 << 30)).expect("a sparse file");
        let links = [
            ("link", "below/file"),
            ("link-by-links", "link"),
            ("absolute", path("root/below/file").to_str().expect("UTF-8")),
            ("up-and-down", "../root/below/file"),
            ("out", "../outside"),
            ("out-absolute", path("outside").to_str().expect("UTF-8")),
            ("out-by-directory", ".."),
            ("nowhere", "missing"),
            ("loop", "loop"),
            ("zero", "/dev/zero"),
            ("to-pipe", "pipe"),
        ]
        .map(|(name, target)| (name, target.to_owned()));
        for (name, target) in links {
            symlink(target, path("root").join(name)).expect("a link");
        }
        directory
    }

    #[test]
    fn f02_f03_only_regular_files_of_the_root_are_read() {
        let zoo = zoo();
        let root = zoo.path().join("root");
        let read = |name: &str| {
            let outcome = text(root.join(name), Within::Root(&root), FileKind::Document);
            outcome.map_err(|error| (error.is_absent(), error.into_fault().code))
        };
        for name in ["below/file", "link", "link-by-links", "absolute", "up-and-down"] {
            assert_eq!(read(name).as_deref(), Ok("text"), "{name}");
        }
        for (name, code) in [
            ("pipe", Code::NOT_A_FILE),
            ("to-pipe", Code::NOT_A_FILE),
            ("socket", Code::NOT_A_FILE),
            ("below", Code::NOT_A_FILE),
            ("", Code::NOT_A_FILE),
            ("sparse", Code::FILE_TOO_LARGE),
            ("not-text", Code::MALFORMED_DOCUMENT),
            ("zero", Code::LINK_OUTSIDE_ROOT),
            ("out", Code::LINK_OUTSIDE_ROOT),
            ("out-absolute", Code::LINK_OUTSIDE_ROOT),
            ("out-by-directory/outside", Code::LINK_OUTSIDE_ROOT),
            ("nowhere", Code::UNREADABLE),
            ("loop", Code::UNREADABLE),
        ] {
            assert_eq!(read(name), Err((false, code)), "{name}");
        }
        assert_eq!(read("missing"), Err((true, Code::UNREADABLE)));
        assert_eq!(read("below/file/missing"), Err((true, Code::UNREADABLE)));
    }

    #[test]
    fn a_file_of_our_own_is_no_link_and_one_that_a_person_names_may_be_any_file() {
        let zoo = zoo();
        let code = |name: &str, within| {
            let outcome = bytes(zoo.path().join("root").join(name), within, FileKind::State);
            outcome.map(|bytes| bytes.len()).map_err(|error| error.into_fault().code)
        };
        assert_eq!(code("below/file", Within::Unlinked), Ok(4));
        assert_eq!(code("link", Within::Unlinked), Err(Code::NOT_A_FILE));
        assert_eq!(code("pipe", Within::Unlinked), Err(Code::NOT_A_FILE));
        assert_eq!(code("out", Within::Anywhere), Ok(6));
        for name in ["zero", "pipe", "to-pipe", "socket", "below"] {
            assert_eq!(code(name, Within::Anywhere), Err(Code::NOT_A_FILE), "{name}");
        }
    }

    #[test]
    fn a_refusal_says_path_reason_and_limit() {
        let zoo = zoo();
        let root = zoo.path().join("root");
        let message = |name: &str, kind| {
            let error = bytes(root.join(name), Within::Root(&root), kind).expect_err(name);
            error
                .to_string()
                .replace(&root.display().to_string(), "…")
                .replace(&zoo.path().display().to_string(), "…/..")
        };
        for (name, kind, expected) in [
            ("pipe", FileKind::Document, "cannot read …/pipe: it is a named pipe, and a regular file is expected"),
            ("sparse", FileKind::Source, "cannot read …/sparse: it is larger than 64 MiB, the limit for sources"),
            ("out", FileKind::Source, "cannot read …/out: a link leads outside of …, to …/../outside"),
        ] {
            assert_eq!(message(name, kind), expected);
        }
    }

    #[test]
    fn a_file_of_the_limit_is_read_and_one_byte_more_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let limit = FileKind::Document.limit_bytes();
        for (size, is_read) in [(limit, true), (limit + 1, false)] {
            fs::File::create(&path).and_then(|file| file.set_len(size)).expect("a file");
            assert_eq!(bytes(&path, Within::Unlinked, FileKind::Document).is_ok(), is_read, "{size}");
        }
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "small").expect("a file");
        let mut opened = open(&path, Within::Unlinked, FileKind::Document).expect("opens");
        let writer = fs::File::options().write(true).open(&path).expect("opens");
        writer.set_len(FileKind::Document.limit_bytes() + 1).expect("grows");
        let error = opened.bytes().expect_err("too large");
        assert!(matches!(error.reason, Reason::TooLarge { .. }), "{error}");
    }
}
