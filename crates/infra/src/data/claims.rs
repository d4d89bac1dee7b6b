//! The versions that this process has claimed last: whoever writes an item again and again need not list all of its versions
//! each time.

use std::{
    collections::HashMap,
    ffi::OsStr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use mangrove_fs::{directory::Directory, stamp::Seen};

/// How many items are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// By the directory of an item: the number, and the stamp of the directory once it was claimed.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashMap<PathBuf, (u32, Seen)>>);

impl Claims {
    /// A number in the directory of an item such that the next one that is free is above all others. `None` where that takes a
    /// list.
    ///
    /// What came or went since in the directory shows in its stamp, but for what did so within the same tick of its clock. A
    /// number that was claimed then is met when it is tried. One that was claimed and removed again left one above it.
    pub(super) fn latest(&self, item: &Directory) -> Option<u32> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(item.path()).copied();
        let (version, _) = known.filter(|(_, seen)| *seen == Seen::look(item, ""))?;
        let above = version.checked_add(2)?;
        item.look(OsStr::new(&above.to_string())).is_err().then_some(version)
    }

    /// This process has claimed this one just now.
    pub(super) fn keep(&self, item: &Directory, version: u32) {
        let seen = Seen::look(item, "");
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(item.path().to_owned(), (version, seen));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_others_did_in_the_directory_is_noticed() {
        let root = tempfile::tempdir().expect("a directory");
        let item = Directory::open(root.path(), root.path()).expect("opens");
        let claims = Claims::default();
        assert_eq!(claims.latest(&item), None);
        for version in ["1", "2"] {
            fs::create_dir(root.path().join(version)).expect("a directory");
        }
        claims.keep(&item, 2);
        assert_eq!(claims.latest(&item), Some(2));
        // Within the same tick or not.
        for version in ["3", "4"] {
            fs::create_dir(root.path().join(version)).expect("a directory");
        }
        fs::remove_dir(root.path().join("3")).expect("removed");
        assert_eq!(claims.latest(&item), None);
        claims.keep(&item, 4);
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        fs::File::open(root.path()).expect("opens").set_modified(long_ago).expect("set");
        assert_eq!(claims.latest(&item), None);
    }
}
