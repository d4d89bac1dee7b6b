//! Making durable what was put.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use mangrove_domain::{failure::Fault, ports::StoreError};
use mangrove_fs::{
    atomic,
    faults::{Operation, io_fault},
};

use super::{Inner, access};

/// From this many changes on, one sync of the file system is cheaper than one of each file.
const SYNC_EACH_UP_TO: usize = 8;

impl Inner {
    /// Makes what was put durable: files and directories one by one if they are few, else the whole file system
    /// in one go.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut *self.lock_pending());
        if pending.is_empty() {
            return Ok(());
        }
        let outcome = self.sync_paths(&pending);
        if outcome.is_err() {
            // What was removed meanwhile is reported once, and does not fail every later sync.
            self.lock_pending().extend(pending.into_iter().filter(|path| path.exists()));
        }
        outcome.map_err(|fault| access("sync", fault))
    }

    pub(super) fn sync_paths(&self, pending: &BTreeSet<PathBuf>) -> Result<(), Fault> {
        #[cfg(target_os = "linux")]
        if pending.len() > SYNC_EACH_UP_TO {
            return atomic::sync_file_system(&self.root).map_err(|error| io_fault(Operation::Sync, &self.root, &error));
        }
        let directories: BTreeSet<&Path> = pending
            .iter()
            .flat_map(|path| path.ancestors().skip(1).take_while(|ancestor| ancestor.starts_with(&self.root)))
            .collect();
        let paths = pending.iter().map(PathBuf::as_path).chain(directories);
        for path in paths {
            atomic::sync(path).map_err(|error| io_fault(Operation::Sync, path, &error))?;
        }
        Ok(())
    }
}
