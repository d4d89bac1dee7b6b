//! Moving a file out of the way, so that a new one can be made in its place.

use std::path::{Path, PathBuf};

use mangrove_fs::faults::{Operation, io_fault};

use super::{BusyPolicy, SqliteError, files::with_suffix, lock::lock_setup};

/// Moves the file and its log out of the way, whatever is in it, so that the next opening makes a new one. Gives
/// the new place; `None` if there is no file. Only the latest file that was replaced is kept.
pub(crate) async fn replace(path: &Path, busy: BusyPolicy) -> Result<Option<PathBuf>, SqliteError> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SqliteError::Other(io_fault(Operation::Stat, path, &error))),
    }
    let lock = lock_setup(path, busy).await?;
    let target = move_aside(path, "replaced")?;
    drop(lock);
    forget_replaced(path, &target);
    Ok(Some(target))
}

/// Removes the files that earlier calls of [`replace`] left. Best effort: one that stays costs space.
fn forget_replaced(path: &Path, latest: &Path) {
    let text = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (earlier, latest) = (text(&with_suffix(path, ".replaced-")), text(latest));
    let Some(Ok(entries)) = path.parent().map(std::fs::read_dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&earlier) && !name.starts_with(&latest) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Moves a file and its log out of the way; `why` becomes part of the name.
pub(super) fn move_aside(path: &Path, why: &str) -> Result<PathBuf, SqliteError> {
    let now = time::OffsetDateTime::now_utc();
    let stamp = format!(
        ".{why}-{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second()
    );
    let mut target = with_suffix(path, &stamp);
    let mut counter = 1;
    while target.exists() {
        target = with_suffix(path, &format!("{stamp}-{counter}"));
        counter += 1;
    }
    std::fs::rename(path, &target).map_err(|error| SqliteError::Other(io_fault(Operation::Rename, path, &error)))?;
    for suffix in ["-wal", "-shm", "-suspect"] {
        let from = with_suffix(path, suffix);
        match std::fs::rename(&from, with_suffix(&target, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SqliteError::Other(io_fault(Operation::Rename, &from, &error)));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(target)
}
