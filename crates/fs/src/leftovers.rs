//! Temporary files of processes that were killed before they could rename or remove them.

use std::{
    ffi::{OsStr, OsString},
    time::{Duration, SystemTime},
};

use crate::{atomic, directory::Directory, lock, stamp};

/// Nobody writes one file for so long.
const ABANDONED: Duration = Duration::from_hours(1);

/// The names of the leftovers in a directory, though not below it: files with the names of temporary ones that are older
/// than an hour and that nobody writes. Those that cannot be looked at are left out.
#[must_use]
pub fn find(directory: &Directory) -> Vec<OsString> {
    let is_temporary = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with(atomic::PREFIX) || name.starts_with(stamp::PREFIX)
    };
    let names = directory.names().unwrap_or_default();
    names.into_iter().filter(|name| is_temporary(name) && is_abandoned(directory, name)).collect()
}

/// Removes the leftovers in a directory. Best effort: what stays costs space.
pub fn remove(directory: &Directory) {
    for name in find(directory) {
        let _ = directory.remove_file(&name);
    }
}

fn is_abandoned(directory: &Directory, name: &OsStr) -> bool {
    let Ok(entry) = directory.look(name) else { return false };
    let is_old = SystemTime::now().duration_since(entry.modified).is_ok_and(|age| age > ABANDONED);
    // Clocks jump, so age alone proves nothing: who writes it holds a lock.
    entry.is_file && is_old && lock::open_existing_in(directory, name).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::symlink,
    };

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
        remove(&Directory::open(directory.path(), directory.path()).expect("opens"));
        let mut left: Vec<String> = fs::read_dir(directory.path())
            .expect("a list")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        let expected = [".new-directory", ".new-held", ".new-link", ".new-young", "1.json", "clock-young", "other"];
        assert_eq!(left, expected);
    }
}
