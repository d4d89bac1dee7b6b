//! From errors of the operating system to faults: one place, so that the same error has the same class and
//! code everywhere (`design/errors.md`).

use std::{fmt, io, path::Path};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};

use crate::reason::{Reason, Refusal};

/// What was being done to a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Reading a file.
    Read,
    /// Listing a directory.
    List,
    /// Asking for size, times and kind.
    Stat,
    /// Writing a file.
    Write,
    /// Creating a file or directory.
    Create,
    /// Moving to another name.
    Rename,
    /// Removing a file or directory.
    Remove,
    /// Making durable.
    Sync,
    /// Taking an operating system lock.
    Lock,
}

impl Operation {
    /// The verb, as in "cannot read …".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::List => "list",
            Operation::Stat => "look at",
            Operation::Write => "write",
            Operation::Create => "create",
            Operation::Rename => "rename",
            Operation::Remove => "remove",
            Operation::Sync => "sync",
            Operation::Lock => "lock",
        }
    }

    /// True if it only looks.
    #[must_use]
    pub const fn is_read(self) -> bool {
        match self {
            Operation::Read | Operation::List | Operation::Stat => true,
            Operation::Write
            | Operation::Create
            | Operation::Rename
            | Operation::Remove
            | Operation::Sync
            | Operation::Lock => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The fault that an error of the operating system is.
///
/// Class and code follow from [`io::ErrorKind`] and from whether the operation reads or writes:
/// a full disk or quota is `DISK_FULL`, a failed read `UNREADABLE`, a failed write `NOT_WRITABLE`. All are
/// [`FailureClass::Environment`], but for time-outs, interruptions and busy files, which are
/// [`FailureClass::Transient`]. The cause key names the error (`os-error:13`), not the path: the same error
/// on the same source is recognised again, and errors that heal together share it. What [`read`](crate::read) refuses
/// has codes and classes of its own.
#[must_use]
pub fn io_fault(operation: Operation, path: &Path, error: &io::Error) -> Fault {
    let message = format!("cannot {operation} {}: {error}", path.display());
    if let Some(Refusal { class, code, cause }) = Reason::behind(error) {
        return Fault::new(class, code, cause, message);
    }
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Code::DISK_FULL,
        _ if operation.is_read() => Code::UNREADABLE,
        _ => Code::NOT_WRITABLE,
    };
    Fault::new(io_class(error.kind()), code, cause(error), message).caused_by(same(error))
}

/// An error of the same kind, and of the same number where the operating system gave one.
fn same(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The class of an error of the operating system.
#[must_use]
pub fn io_class(kind: io::ErrorKind) -> FailureClass {
    match kind {
        io::ErrorKind::Interrupted
        | io::ErrorKind::TimedOut
        | io::ErrorKind::WouldBlock
        | io::ErrorKind::ResourceBusy
        | io::ErrorKind::StaleNetworkFileHandle => FailureClass::Transient,
        _ => FailureClass::Environment,
    }
}

fn cause(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("os-error:{number}"),
        None => format!("io:{:?}", error.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(operation: Operation, kind: io::ErrorKind) -> Fault {
        io_fault(operation, Path::new("models/a.ts"), &io::Error::from(kind))
    }

    #[test]
    fn codes_follow_kind_and_direction() {
        assert_eq!(fault(Operation::Write, io::ErrorKind::StorageFull).code, Code::DISK_FULL);
        assert_eq!(fault(Operation::Write, io::ErrorKind::PermissionDenied).code, Code::NOT_WRITABLE);
        assert_eq!(fault(Operation::Read, io::ErrorKind::PermissionDenied).code, Code::UNREADABLE);
        assert_eq!(fault(Operation::Create, io::ErrorKind::ReadOnlyFilesystem).code, Code::NOT_WRITABLE);
    }

    #[test]
    fn what_is_not_classified_belongs_to_the_environment() {
        assert_eq!(fault(Operation::Read, io::ErrorKind::Other).class, FailureClass::Environment);
        assert_eq!(fault(Operation::Read, io::ErrorKind::TimedOut).class, FailureClass::Transient);
    }

    #[test]
    fn the_cause_names_the_error_and_the_message_the_path() {
        let fault = io_fault(Operation::Read, Path::new("models/a.ts"), &io::Error::from_raw_os_error(13));
        assert_eq!(&*fault.cause.0, "os-error:13");
        assert!(fault.message.starts_with("cannot read models/a.ts: "), "{}", fault.message);
        let source: Option<&io::Error> = fault.find();
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::PermissionDenied));
    }
}
