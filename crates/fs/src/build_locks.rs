//! Build locks as files that the kernel locks: `<directory>/<fingerprint>`, one for each build under way.
//!
//! A file for each fingerprint instead of a few that are shared: who waits for one build must not wait for another one
//! that happens to share its file, least of all for a whole scan. A holder removes its file when it is done; one that was
//! killed leaves it behind, unlocked and empty, for the next one to take or to sweep.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    ports::{Acquired, BuildLock, BuildLocks},
};
use rustix::{
    fs::{AtFlags, fstat, statat},
    io::Errno,
};
use tokio::time::Instant;

use crate::{blocking, directory::Directory, lock};

/// How long a file that is locked is left alone before the next look: the kernel wakes nobody who does not wait for
/// ever. The pauses double from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// Files older than this were left behind by processes that were killed.
const ABANDONED: Duration = Duration::from_hours(24);

/// Build locks in a directory that all processes of a catalog share.
#[derive(Debug)]
pub struct LockFiles {
    directory: PathBuf,
    sweep: Once,
}

impl LockFiles {
    /// Locks below this directory, which is made when the first one is taken.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory, sweep: Once::new() }
    }
}

/// A file that is locked. The lock is the kernel's and ends with the last handle.
#[derive(Debug)]
struct Held {
    directory: Directory,
    name: OsString,
    _file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // While it is still locked: whoever opened it before sees that its file is no longer the one of this name.
        let _ = self.directory.remove_file(&self.name);
    }
}

#[async_trait]
impl BuildLocks for LockFiles {
    async fn acquire(&self, fingerprint: Digest, patience: Duration) -> Acquired {
        let name = fingerprint.to_string();
        let end = Instant::now() + patience;
        let (mut pause, longest) = PAUSES;
        let mut has_waited = false;
        self.sweep.call_once(|| {
            let directory = self.directory.clone();
            tokio::spawn(blocking(move || sweep(&directory)));
        });
        loop {
            let (directory, name) = (self.directory.clone(), name.clone());
            match blocking(move || attempt(&directory, OsStr::new(&name))).await {
                Ok(Ok(Some(held))) => {
                    let lock = BuildLock::new(held);
                    return if has_waited { Acquired::AfterOthers(lock) } else { Acquired::AtOnce(lock) };
                }
                // Somebody else has it.
                Ok(Ok(None)) => has_waited = true,
                // No place for locks, such as a state directory that cannot be written: then nobody waits.
                Ok(Err(_)) | Err(_) => return Acquired::Unavailable,
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Acquired::Busy;
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// Locks the file of this name; `None` if somebody else has it.
fn attempt(directory: &Path, name: &OsStr) -> io::Result<Option<Held>> {
    loop {
        let file = lock::open(directory, &directory.join(name))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The one who held it removed it between our two steps: then this file is nobody's, and another one may stand
        // there already.
        let directory = Directory::open(directory, directory)?;
        if is_at(&file, &directory, name)? {
            return Ok(Some(Held { directory, name: name.to_owned(), _file: file }));
        }
    }
}

fn is_at(file: &File, directory: &Directory, name: &OsStr) -> io::Result<bool> {
    let ours = fstat(file)?;
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) => Ok((ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes what processes left behind that were killed. A file that somebody holds stays.
fn sweep(path: &Path) {
    let Ok(directory) = Directory::open(path, path) else { return };
    for name in directory.names().unwrap_or_default() {
        let age = directory.look(&name).ok().and_then(|entry| entry.modified.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            drop(attempt(path, &name));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, FileTimes},
        sync::Arc,
        time::SystemTime,
    };

    use super::*;

    fn locks(directory: &tempfile::TempDir) -> LockFiles {
        LockFiles::new(directory.path().join("locks"))
    }

    #[tokio::test]
    async fn the_contract_holds() {
        let directory = tempfile::tempdir().unwrap();
        mangrove_testkit::contract::build_locks(&|| Arc::new(locks(&directory)) as Arc<dyn BuildLocks>).await;
        let left = fs::read_dir(directory.path().join("locks")).unwrap().count();
        assert_eq!(left, 0, "who is done leaves nothing behind");
    }

    #[tokio::test]
    async fn where_nothing_can_be_written_nobody_waits() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("locks"), "a file").unwrap();
        let acquired = locks(&directory).acquire(Digest::of(b"a"), Duration::from_mins(1)).await;
        assert!(matches!(acquired, Acquired::Unavailable), "{acquired:?}");
    }

    #[test]
    fn what_a_killed_process_left_behind_is_taken_and_swept() {
        let directory = tempfile::tempdir().unwrap();
        let (old, held, new) =
            (directory.path().join("old"), directory.path().join("held"), directory.path().join("new"));
        for path in [&old, &held, &new] {
            fs::write(path, "").unwrap();
        }
        let long_ago = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        for path in [&old, &held] {
            File::options().write(true).open(path).unwrap().set_times(long_ago).unwrap();
        }
        let holder = attempt(directory.path(), OsStr::new("held")).unwrap().expect("nobody has it");
        sweep(directory.path());
        assert_eq!((old.exists(), held.exists(), new.exists()), (false, true, true));
        drop(holder);
        assert!(attempt(directory.path(), OsStr::new("new")).unwrap().is_some(), "left behind, and locked by nobody");
    }
}
