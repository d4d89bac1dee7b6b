//! What directories hold that matters to grants, remembered for as long as nothing was written to them.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use mangrove_domain::protected;
use mangrove_fs::stamp::{Horizon, Seen};

/// How many directories are remembered; with more, all are forgotten.
const MOST: usize = 100_000;

/// What stands in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// Something whose name is protected, whatever it is.
    Protected,
    /// A symbolic link.
    Link,
    /// A directory.
    Directory,
}

/// The members of one directory that matter.
pub(super) type Members = Arc<[(OsString, Member)]>;

/// Listings of directories. A directory is listed again if its stamp has changed since, or was too young at that time to
/// tell one moment from the next.
#[derive(Default)]
pub(super) struct Listings(Mutex<HashMap<PathBuf, (Seen, Members)>>);

impl Listings {
    /// The members of a directory. What cannot be read of it is not there.
    pub(super) fn of(&self, directory: &Path) -> Members {
        let Ok(before) = fs::metadata(directory) else { return Arc::default() };
        let before = Seen::of(&before);
        if let Some((seen, members)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(directory)
            && *seen == before
        {
            return Arc::clone(members);
        }
        let horizon = Horizon::now(None, directory);
        let (members, is_whole) = list(directory);
        if is_whole && !horizon.is_racy(&before) {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(directory.to_owned(), (before, Arc::clone(&members)));
        }
        members
    }
}

/// What can be read, and whether that is all.
fn list(directory: &Path) -> (Members, bool) {
    let Ok(entries) = fs::read_dir(directory) else { return (Arc::default(), false) };
    let mut is_whole = true;
    let mut members = Vec::new();
    for entry in entries {
        let found = entry.and_then(|entry| Ok((member(&entry)?, entry.file_name())));
        match found {
            Ok((Some(member), name)) => members.push((name, member)),
            Ok((None, _)) => {}
            Err(_) => is_whole = false,
        }
    }
    (members.into(), is_whole)
}

fn member(entry: &fs::DirEntry) -> io::Result<Option<Member>> {
    if protected::is_protected(&entry.file_name().to_string_lossy()) {
        return Ok(Some(Member::Protected));
    }
    let kind = entry.file_type()?;
    Ok(match () {
        () if kind.is_symlink() => Some(Member::Link),
        () if kind.is_dir() => Some(Member::Directory),
        () => None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    /// Lets the last write to a directory lie in the past.
    fn age(directory: &Path) {
        let long_ago = SystemTime::now() - Duration::from_hours(1);
        fs::File::open(directory).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn what_is_written_to_a_directory_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let listings = Listings::default();
        let found = || listings.of(place.path()).iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        for round in 0..50 {
            let name = format!("{round}.env");
            fs::write(place.path().join(&name), "").unwrap();
            assert_eq!(found(), [name.as_str()], "a moment after it was made");
            fs::remove_file(place.path().join(&name)).unwrap();
            assert!(found().is_empty(), "a moment after it was removed");
        }
        assert!(listings.of(&place.path().join("nowhere")).is_empty());
    }

    #[test]
    fn a_directory_that_nobody_writes_to_is_listed_once() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(".env"), "").unwrap();
        fs::create_dir(place.path().join("below")).unwrap();
        fs::write(place.path().join("plain.txt"), "").unwrap();
        std::os::unix::fs::symlink("below", place.path().join("link")).unwrap();
        let listings = Listings::default();
        let seen = Seen::of(&fs::metadata(place.path()).unwrap());
        let remembered: Members = [(OsString::from("only here"), Member::Directory)].into();
        listings.0.lock().unwrap().insert(place.path().to_owned(), (seen, Arc::clone(&remembered)));
        assert_eq!(listings.of(place.path()), remembered, "its stamp is the same");
        age(place.path());
        let mut members = listings.of(place.path()).to_vec();
        members.sort_by(|one, other| one.0.cmp(&other.0));
        let expected = [(".env", Member::Protected), ("below", Member::Directory), ("link", Member::Link)];
        assert_eq!(members, expected.map(|(name, member)| (OsString::from(name), member)));
    }
}
