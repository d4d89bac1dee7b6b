//! Signs of use.

use std::{io, path::Path};

use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_NOW, utimensat};

use crate::directory::Directory;

/// Makes now the time at which the file or directory at `path`, which lies below `root`, changed last, so that whoever
/// removes what is old leaves it. No symbolic link below the root is followed, and the file is not opened.
///
/// # Errors
/// That of the operating system; also if nothing is there.
pub fn touch(root: &Path, path: &Path) -> io::Result<()> {
    let (directory, name) = Directory::open_for(root, path)?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    Ok(utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{Duration, SystemTime},
    };

    use super::*;

    #[test]
    fn files_and_directories_become_new() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, folder) = (directory.path().join("file"), directory.path().join("folder"));
        fs::write(&file, "text").expect("a file");
        fs::create_dir(&folder).expect("a directory");
        for path in [&file, &folder] {
            let long_ago = SystemTime::now() - Duration::from_hours(72);
            fs::File::open(path).and_then(|file| file.set_modified(long_ago)).expect("an old time");
            touch(directory.path(), path).expect("touched");
            let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).expect("a time");
            assert!(modified > long_ago + Duration::from_hours(71), "{}", path.display());
        }
        assert_eq!(
            touch(directory.path(), &directory.path().join("missing")).map_err(|error| error.kind()),
            Err(io::ErrorKind::NotFound)
        );
    }
}
