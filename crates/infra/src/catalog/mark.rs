//! The mark of a catalog: what the file system says of its files, without opening them.
//!
//! Every commit writes to the write-ahead log, and folding the log writes to both files; the kernel stamps them. The
//! stamps are believed by the same rule as those of sources: one that is so young that a further write could leave the
//! same is no mark (`design/decisions/0007-sealed-scans.md`).

use std::path::{Path, PathBuf};

use mangrove_domain::digest::Digest;
use mangrove_fs::stamp::{Horizon, Seen};
use rustix::fs::CWD;

use crate::persistence::OpenMode;

/// The mark; `None` if there is no catalog, if it is suspect, or if its stamps prove nothing yet.
pub(super) fn of(path: &Path, mode: OpenMode) -> Option<Digest> {
    let directory = path.parent()?;
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let look = |path: &Path| Some(Seen::look(CWD, path.to_str()?));
    // Its next opening checks the whole file, and may set it aside.
    if !look(&with("-suspect"))?.is_absent() {
        return None;
    }
    let horizon = Horizon::now((mode == OpenMode::ReadWrite).then_some(directory), directory);
    // SQLite sets the owner of the log each time it is opened by root.
    let (file, log) = (look(path)?, look(&with("-wal"))?.of_content());
    // A log without content says the same as none; every process that opens the catalog makes one.
    let log = if log.is_empty_file() { None } else { Some(log).filter(|log| !log.is_absent()) };
    if file.is_absent() || file.is_empty_file() {
        return None;
    }
    let is_racy = [Some(file), log].into_iter().flatten().any(|seen| horizon.is_racy(&seen));
    (!is_racy).then(|| Digest::of(format!("{}\n{file:?}\n{log:?}", path.display()).as_bytes()))
}
