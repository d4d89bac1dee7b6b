//! Taking away what nothing needs any more: mark by the rows of the catalog, sweep by age.

use std::{
    io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use mangrove_domain::{
    ports::{StoreError, SweepOutcome, SweepRequest},
    time::Timestamp,
};
use mangrove_fs::{
    directory::Directory,
    faults::{Operation, io_fault},
};

use super::{Inner, access};

pub(super) fn run(store: &Inner, request: &SweepRequest) -> Result<SweepOutcome, StoreError> {
    let mut outcome = SweepOutcome::default();
    for object in store.list()? {
        if request.needed.contains(&object.key) {
            continue;
        }
        let path = store.path(object.key);
        let directory = store.directory("sweep", path.parent().unwrap_or(&store.root))?;
        if !directory.map_or(Ok(false), |directory| is_old(&directory, &path, request))? {
            continue;
        }
        if !request.is_dry_run {
            store.remove(object.key)?;
        }
        outcome.objects.push(object);
    }
    outcome.leftovers = leftovers(store, request)?;
    Ok(outcome)
}

/// Removes what interrupted writes left behind, and counts it.
pub(super) fn leftovers(store: &Inner, request: &SweepRequest) -> Result<usize, StoreError> {
    let mut count = 0;
    let Some(temporary) = store.directory("sweep", &store.root.join("tmp"))? else { return Ok(count) };
    let failed = |operation, path: &Path, error: &io::Error| access("sweep", io_fault(operation, path, error));
    for name in temporary.names().map_err(|error| failed(Operation::List, temporary.path(), &error))? {
        let path = temporary.path().join(&name);
        if !is_old(&temporary, &path, request)? {
            continue;
        }
        if !request.is_dry_run {
            match temporary.remove_all(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(Operation::Remove, &path, &error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        count += 1;
    }
    Ok(count)
}

/// False for what somebody else took away meanwhile.
fn is_old(directory: &Directory, path: &Path, request: &SweepRequest) -> Result<bool, StoreError> {
    let modified: SystemTime = match directory.look(path.file_name().unwrap_or_default()) {
        Ok(entry) => entry.modified,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(access("sweep", io_fault(Operation::Stat, path, &error))),
    };
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(request.is_old(Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))))
}
