//! Signs of use.

use std::{io, path::Path};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

/// Makes now the time at which a file or directory changed last, so that whoever removes what is old leaves it. A
/// symbolic link is not followed, and nothing is opened.
///
/// # Errors
/// That of the operating system; also if nothing is there.
pub fn touch(path: &Path) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
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
            touch(path).expect("touched");
            let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).expect("a time");
            assert!(modified > long_ago + Duration::from_hours(71), "{}", path.display());
        }
        assert_eq!(
            touch(&directory.path().join("missing")).map_err(|error| error.kind()),
            Err(io::ErrorKind::NotFound)
        );
    }
}
