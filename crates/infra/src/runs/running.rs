//! Who runs a run. Its process holds an operating system lock on a file of the run's name; the kernel releases it
//! when the process dies, so that a run whose process is gone is told from one that goes on (fault 39).

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use mangrove_domain::failure::Fault;
use mangrove_fs::{
    directory,
    faults::{Operation, io_fault},
};

/// The locks of a history: of runs, and of the processes that claim runs of schedules.
#[derive(Debug)]
pub(super) struct Running {
    directory: PathBuf,
    held: Mutex<HashMap<String, File>>,
}

impl Running {
    /// Locks beside the history at `path`.
    pub(super) fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push("-running");
        Self { directory: PathBuf::from(name), held: Mutex::default() }
    }

    /// Takes the lock of a run that begins, unless this process has it.
    pub(super) fn hold(&self, id: &str) -> Result<(), Fault> {
        let Some(path) = self.path(id) else { return Ok(()) };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(id) {
            return Ok(());
        }
        let lock = || -> io::Result<File> {
            let file = mangrove_fs::lock::open(&self.directory, &path)?;
            // Others hold it shared, and for a moment only.
            file.lock()?;
            Ok(file)
        };
        held.insert(id.to_owned(), lock().map_err(|error| io_fault(Operation::Lock, &path, &error))?);
        Ok(())
    }

    /// Takes the lock of a run if nobody has it, this process included. One with an identifier that is none of ours has none.
    pub(super) fn take(&self, id: &str) -> Result<bool, Fault> {
        let Some(path) = self.path(id) else { return Ok(true) };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(id) {
            return Ok(false);
        }
        let taken = mangrove_fs::lock::try_take(&self.directory, &path);
        let Some(file) = taken.map_err(|error| io_fault(Operation::Lock, &path, &error))? else { return Ok(false) };
        held.insert(id.to_owned(), file);
        Ok(true)
    }

    /// True if this process has it.
    pub(super) fn is_held(&self, id: &str) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// Gives the lock of a run that ended back.
    pub(super) fn release(&self, id: &str) {
        let file = self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if file.is_some() {
            self.forget(id);
        }
    }

    /// Removes the file of a run, or of a process, that ended. Best effort: a file without a lock says nothing.
    pub(super) fn forget(&self, id: &str) {
        if let Some(path) = self.path(id) {
            let _ = directory::remove_file(&self.directory, &path);
        }
    }

    /// True unless it is certain that nobody runs it.
    pub(super) fn is_alive(&self, id: &str) -> bool {
        let Some(path) = self.path(id) else { return false };
        match mangrove_fs::lock::open_existing(&self.directory, &path) {
            // Shared, so that two who look do not take each other for the holder.
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => false,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
            },
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// `None` for an identifier that is none of ours.
    fn path(&self, id: &str) -> Option<PathBuf> {
        let is_plain = !id.is_empty() && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        is_plain.then(|| self.directory.join(format!("{id}.lock")))
    }
}
