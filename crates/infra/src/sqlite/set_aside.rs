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

/// Moves the file and its log out of the way, whatever is in it, so that the next opening makes a new one. Gives
/// the new place; `None` if there is no file. Only the latest file that was replaced is kept.
pub(crate) async fn replace(path: &Path, busy: BusyPolicy) -> Result<Option<PathBuf>, SqliteError> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SqliteError::Other(io_fault(Operation::Stat, path, &error))),
    }
    let lock = lock_setup(path, busy).await?;
    let target = move_aside(path, REPLACED)?;
    drop(lock);
    forget_replaced(path, &target);
    Ok(Some(target))
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
