//! Why a file is not read, although the operating system would give it.

use std::{io, path::PathBuf};

use mangrove_domain::{failure::FailureClass, problem::Code};
use rustix::{
    fs::{FileType, RawMode},
    io::Errno,
};

use crate::file_kind::{FileKind, MIB};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// Something else stands there: a directory, named pipe, socket, device, or a link where none may be.
    #[error("it is {0}, and a regular file is expected")]
    NotAFile(&'static str),
    /// It is larger than its kind may be.
    #[error("it is larger than {} MiB, the limit for {kind}", kind.limit_bytes() / MIB)]
    TooLarge {
        /// What it was read as.
        kind: FileKind,
    },
    /// A link leads out of the root.
    #[error("a link leads outside of {}, to {}", root.display(), real.display())]
    Outside {
        /// The directory that it must lie in.
        root: PathBuf,
        /// Where it really lies.
        real: PathBuf,
    },
    /// A directory of our own is a link, or a name on the way to it is: this one.
    #[error("{} is a symbolic link", .0.display())]
    Link(PathBuf),
    /// What it leads to is not there.
    #[error("the link leads nowhere")]
    DanglingLink,
    /// It is to be read as text.
    #[error("not UTF-8")]
    NotUtf8,
    /// The operating system refused or failed.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// What a refusal of ours is as a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    /// When reading it again may help.
    pub(crate) class: FailureClass,
    /// The code of the problem.
    pub(crate) code: Code,
    /// Names the reason and not the path.
    pub(crate) cause: &'static str,
}

impl Reason {
    /// What it is as a fault; `None` if the operating system said it.
    pub(crate) const fn refusal(&self) -> Option<Refusal> {
        let (class, code, cause) = match self {
            Reason::NotAFile(_) => (FailureClass::Environment, Code::NOT_A_FILE, "not-a-file"),
            Reason::TooLarge { .. } => (FailureClass::Deterministic, Code::FILE_TOO_LARGE, "too-large"),
            Reason::Outside { .. } => (FailureClass::Environment, Code::LINK_OUTSIDE_ROOT, "link-outside-root"),
            Reason::Link(_) => (FailureClass::Environment, Code::STATE_LINK, "state-link"),
            Reason::DanglingLink => (FailureClass::Environment, Code::UNREADABLE, "dangling-link"),
            Reason::NotUtf8 => (FailureClass::Deterministic, Code::MALFORMED_DOCUMENT, "not-utf-8"),
            Reason::System(_) => return None,
        };
        Some(Refusal { class, code, cause })
    }

    /// The refusal behind an error that was made from one.
    pub(crate) fn behind(error: &io::Error) -> Option<Refusal> {
        error.get_ref()?.downcast_ref::<Reason>()?.refusal()
    }

    /// Fails unless the mode is that of a regular file.
    pub(crate) fn unless_file(mode: RawMode) -> Result<(), Reason> {
        let found = match FileType::from_raw_mode(mode) {
            FileType::RegularFile => return Ok(()),
            FileType::Directory => "a directory",
            FileType::Symlink => "a symbolic link",
            FileType::Fifo => "a named pipe",
            FileType::Socket => "a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            FileType::Unknown => "something that is not known here",
        };
        Err(Reason::NotAFile(found))
    }
}

impl From<Errno> for Reason {
    fn from(error: Errno) -> Self {
        Reason::System(error.into())
    }
}

/// For errors that name the path themselves.
impl From<Reason> for io::Error {
    fn from(reason: Reason) -> Self {
        let kind = match reason {
            Reason::System(error) => return error,
            Reason::NotAFile(_) | Reason::Outside { .. } | Reason::Link(_) | Reason::DanglingLink => {
                io::ErrorKind::InvalidInput
            }
            Reason::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            Reason::NotUtf8 => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, reason)
    }
}
