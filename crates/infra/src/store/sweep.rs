//! Taking away what nothing needs any more: mark by the rows of the catalog, sweep by age.

use std::{fs, io, path::Path, time::UNIX_EPOCH};

use mangrove_domain::{
    ports::{StoreError, SweepOutcome, SweepRequest},
    time::Timestamp,
};
use mangrove_fs::faults::{Operation, io_fault};

use super::{Inner, access, directory_names, remove_any};

pub(super) fn run(store: &Inner, request: &SweepRequest) -> Result<SweepOutcome, StoreError> {
    let mut outcome = SweepOutcome::default();
    for object in store.list()? {
        if request.needed.contains(&object.key) || !is_old(&store.path(object.key), request)? {
            continue;
        }
        if !request.is_dry_run {
            store.remove(object.key)?;
        }
        outcome.objects.push(object);
    }
    let temporary = store.root.join("tmp");
    for name in directory_names(&temporary)? {
        let path = temporary.join(name);
        if !is_old(&path, request)? {
            continue;
        }
        if !request.is_dry_run {
            remove_any(&path)?;
        }
        outcome.leftovers += 1;
    }
    Ok(outcome)
}

/// False for what somebody else took away meanwhile.
fn is_old(path: &Path, request: &SweepRequest) -> Result<bool, StoreError> {
    let modified = match fs::symlink_metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(modified) => modified,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(access("sweep", io_fault(Operation::Stat, path, &error))),
    };
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(request.is_old(Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))))
}
