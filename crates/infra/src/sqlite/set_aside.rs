//! Moving a file out of the way, so that a new one can be made in its place.

use std::path::{Path, PathBuf};

use mangrove_domain::{ports::Clock as _, time::Timestamp};
use mangrove_fs::{
    atomic,
    directory::Directory,
    faults::{Operation, io_fault},
};
use time::{OffsetDateTime, macros::format_description};

use crate::system::SystemClock;

use super::{
    BusyPolicy, SqliteError,
    files::{directory_of, with_suffix},
    lock::lock_setup,
};

/// Puts another file, which nobody has open and which lies below the same directory, in the place of one and of its log, whatever is in that. Gives the new place
/// of the old one; `None` if there was none. Only the latest file that was replaced is kept.
pub(crate) async fn replace(path: &Path, by: &Path, busy: BusyPolicy) -> Result<Option<PathBuf>, SqliteError> {
    let failed = |operation, error: &std::io::Error| SqliteError::Other(io_fault(operation, path, error));
    let lock = lock_setup(path, busy).await?;
    let target = match std::fs::symlink_metadata(path) {
        Ok(_) => Some(move_aside(path, REPLACED)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(Operation::Stat, &error)),
    };
    if target.is_none() {
        // Of a file that is gone: SQLite would take them for those of the new one.
        let directory = Directory::open(directory_of(path), directory_of(path));
        let directory = directory.map_err(|error| failed(Operation::Read, &error))?;
        for suffix in ["-wal", "-shm"] {
            let _ = directory.remove_file(with_suffix(path, suffix).file_name().unwrap_or_default());
        }
    }
    atomic::rename(directory_of(path), by, path).map_err(|error| failed(Operation::Rename, &error))?;
    drop(lock);
    if let Some(target) = &target {
        forget_replaced(path, target);
    }
    Ok(target)
}

/// Why a file that was replaced lies aside, as its name says it.
pub(crate) const REPLACED: &str = "replaced";

/// Removes the files that were replaced before the latest one. Best effort: one that stays costs space.
pub(crate) fn forget_replaced(path: &Path, latest: &Path) {
    let text = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (earlier, latest) = (text(&with_suffix(path, &format!(".{REPLACED}-"))), text(latest));
    let Ok(directory) = Directory::open(directory_of(path), directory_of(path)) else { return };
    for entry in directory.names().unwrap_or_default() {
        let name = entry.to_string_lossy();
        if name.starts_with(&earlier) && !name.starts_with(&latest) {
            let _ = directory.remove_file(&entry);
        }
    }
}

/// A place beside a file where nothing is; `why` becomes part of its name.
pub(crate) fn place_aside(path: &Path, why: &str) -> PathBuf {
    let stamp = format!(".{why}-{}", stamp(SystemClock.now()));
    let mut target = with_suffix(path, &stamp);
    let mut counter = 1;
    while target.exists() {
        target = with_suffix(path, &format!("{stamp}-{counter}"));
        counter += 1;
    }
    target
}

/// Moves a file and its log out of the way; `why` becomes part of the name.
pub(super) fn move_aside(path: &Path, why: &str) -> Result<PathBuf, SqliteError> {
    let target = place_aside(path, why);
    let directory = directory_of(path);
    atomic::rename(directory, path, &target)
        .map_err(|error| SqliteError::Other(io_fault(Operation::Rename, path, &error)))?;
    for suffix in ["-wal", "-shm", "-suspect"] {
        let from = with_suffix(path, suffix);
        match atomic::rename(directory, &from, &with_suffix(&target, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SqliteError::Other(io_fault(Operation::Rename, &from, &error)));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(target)
}

/// A time as it stands in names of files: `20260101T093000Z`.
fn stamp(time: Timestamp) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = OffsetDateTime::from_unix_timestamp(time.as_millis().div_euclid(1000)).ok();
    date.and_then(|date| date.format(&format).ok()).unwrap_or_else(|| time.as_millis().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_names_of_files_sort_as_text() {
        assert_eq!(stamp(Timestamp::from_millis(1_767_225_600_999)), "20260101T000000Z");
        assert_eq!(stamp(Timestamp::from_millis(1_767_261_845_000)), "20260101T100405Z");
    }
}
