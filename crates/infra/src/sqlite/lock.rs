//! The lock under which a file is created, migrated or set aside.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::faults::{Operation, io_fault};

use super::{
    BusyPolicy, SqliteError,
    files::{directory_of, with_suffix},
};

/// Takes the lock under which a file is created, migrated or set aside. The kernel releases it when its
/// holder dies, so a lock file that is left behind locks nobody out (fault 39).
pub(crate) async fn lock_setup(path: &Path, busy: BusyPolicy) -> Result<File, SqliteError> {
    let lock_path = with_suffix(path, "-lock");
    let file = mangrove_fs::lock::open(directory_of(path), &lock_path)
        .map_err(|error| SqliteError::Other(io_fault(Operation::Create, &lock_path, &error)))?;
    let pause = Duration::from_millis(10);
    let mut left = busy.busy_timeout.saturating_mul(busy.attempts.max(1));
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if left > Duration::ZERO => {
                left = left.saturating_sub(pause);
                tokio::time::sleep(pause).await;
            }
            Err(TryLockError::WouldBlock) => {
                let message = format!("{} is being prepared by another process", path.display());
                let fault = Fault::transient(Code::CATALOG_BUSY, "catalog:setup", message);
                return Err(SqliteError::Busy(fault));
            }
            Err(TryLockError::Error(error)) => {
                return Err(SqliteError::Other(io_fault(Operation::Lock, &lock_path, &error)));
            }
        }
    }
}
