//! Temporary files of processes that were killed before they could rename or remove them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{atomic, lock, stamp};

/// Nobody writes one file for so long.
const ABANDONED: Duration = Duration::from_hours(1);

/// The leftovers in a directory, though not below it: files with the names of temporary ones that are older than an hour
/// and that nobody writes. Those that cannot be looked at are left out.
#[must_use]
pub fn find(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_temporary = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with(atomic::PREFIX) || name.starts_with(stamp::PREFIX)
    };
    entries.filter(|entry| is_temporary(entry) && is_abandoned(entry)).map(|entry| entry.path()).collect()
}

/// Removes the leftovers in a directory. Best effort: what stays costs space.
pub fn remove(directory: &Path) {
    for path in find(directory) {
        let _ = fs::remove_file(path);
    }
}

fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let Ok(metadata) = entry.metadata() else { return false };
    let is_old = metadata
        .modified()
        .is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED));
    // Clocks jump, so age alone proves nothing: who writes it holds a lock.
    metadata.is_file() && is_old && lock::open_existing(&entry.path()).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn f20_only_files_that_a_dead_process_left_are_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let long_ago = SystemTime::now() - ABANDONED - Duration::from_mins(1);
        for name in [".new-old", "clock-old", ".new-held", "other", "1.json"] {
            let file = File::create(path(name)).expect("a file");
            file.set_modified(long_ago).expect("a time");
        }
        for name in [".new-young", "clock-young"] {
            fs::write(path(name), "").expect("a file");
        }
        fs::create_dir(path(".new-directory")).expect("a directory");
        symlink(path("1.json"), path(".new-link")).expect("a link");
        let held = File::open(path(".new-held")).expect("opens");
        held.lock().expect("locks");
        remove(directory.path());
        let mut left: Vec<String> = fs::read_dir(directory.path())
            .expect("a list")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        let expected = [".new-directory", ".new-held", ".new-link", ".new-young", "1.json", "clock-young", "other"];
        assert_eq!(left, expected);
    }
}
