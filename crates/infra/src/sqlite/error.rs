//! What errors of the engine mean.

use std::path::Path;

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};
use mangrove_fs::faults::io_class;

/// What the log, its index and a page need at once, in bytes.
const SMALLEST_ROOM: u64 = 128 << 10;

/// Why the file could not be used.
#[derive(Debug)]
pub(crate) enum SqliteError {
    /// Others hold the lock.
    Busy(Fault),
    /// A newer version wrote it.
    Newer(Fault),
    /// It is damaged.
    Corrupt(Fault),
    /// Another file is in its place by now, or none. Opening it again helps.
    Replaced(Fault),
    /// Anything else.
    Other(Fault),
}

impl SqliteError {
    /// What an error of the engine means. The code numbers are `SQLite`'s primary result codes.
    pub(super) fn of(operation: &str, path: &Path, error: &sqlx::Error) -> Self {
        let message = format!("cannot {operation} {}: {error}", path.display());
        let fault = |class, code, cause: String| Fault::new(class, code, cause, message.clone());
        let other = |code, cause: String| SqliteError::Other(fault(FailureClass::Environment, code, cause));
        match error {
            sqlx::Error::Database(database) => {
                let number = database.code().and_then(|text| text.parse::<i32>().ok()).map_or(0, |code| code & 0xff);
                let cause = format!("sqlite:{number}");
                match number {
                    5 | 6 => {
                        let message = format!("cannot {operation} {}: another process is writing it", path.display());
                        SqliteError::Busy(Fault::transient(Code::CATALOG_BUSY, cause, message))
                    }
                    11 | 26 => SqliteError::Corrupt(fault(FailureClass::Environment, Code::CATALOG_CORRUPT, cause)),
                    13 => full(operation, path, cause),
                    // Also what extending the log or its index says where nothing is left.
                    10 if has_no_room(path) => full(operation, path, cause),
                    3 | 8 | 23 => other(Code::NOT_WRITABLE, cause),
                    14 => other(Code::UNREADABLE, cause),
                    _ => other(Code::CATALOG_FAILED, cause),
                }
            }
            sqlx::Error::Io(error) => SqliteError::Other(fault(
                io_class(error.kind()),
                Code::CATALOG_FAILED,
                format!("io:{:?}", error.kind()),
            )),
            sqlx::Error::PoolTimedOut => {
                SqliteError::Busy(fault(FailureClass::Transient, Code::CATALOG_BUSY, "catalog:connections".to_owned()))
            }
            _ => other(Code::CATALOG_FAILED, "catalog:engine".to_owned()),
        }
    }

    /// The fault in it.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            SqliteError::Busy(fault)
            | SqliteError::Newer(fault)
            | SqliteError::Corrupt(fault)
            | SqliteError::Replaced(fault)
            | SqliteError::Other(fault) => fault,
        }
    }
}

fn full(operation: &str, path: &Path, cause: String) -> SqliteError {
    let message = format!("cannot {operation} {}: the disk is full", path.display());
    SqliteError::Other(Fault::environment(Code::DISK_FULL, cause, message))
}

/// True if the file system has less room than any write of a database needs.
fn has_no_room(path: &Path) -> bool {
    let directory = path.parent().unwrap_or(path);
    rustix::fs::statvfs(directory).is_ok_and(|room| room.f_bavail.saturating_mul(room.f_frsize) < SMALLEST_ROOM)
}

/// True if the statement would break a unique index.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// A failure that is no engine error.
pub(crate) fn failed(operation: &str, path: &Path, what: &str) -> Fault {
    let message = format!("cannot {operation} {}: {what}", path.display());
    Fault::environment(Code::CATALOG_FAILED, "catalog:engine", message)
}

pub(super) fn incomplete(path: &Path, lost: &str) -> SqliteError {
    corrupt(format!("{} is damaged: its table or index `{lost}` is gone", path.display()))
}

pub(super) fn corrupt(message: String) -> SqliteError {
    SqliteError::Corrupt(Fault::environment(Code::CATALOG_CORRUPT, "catalog:corrupt", message))
}

pub(super) fn newer(path: &Path, found: &str, known: i64) -> SqliteError {
    let message = format!(
        "{} was written by a newer version (layout {found}, this version knows {known}); it was not changed",
        path.display()
    );
    SqliteError::Newer(Fault::environment(Code::CATALOG_NEWER, "catalog:newer", message))
}
