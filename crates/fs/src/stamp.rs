//! What the file system says of a path without opening it, and when that can be trusted.

use std::{
    collections::HashMap,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mangrove_domain::ports::FileStamp;
use rustix::{
    fd::AsFd,
    fs::{AtFlags, FileType, statat},
};
use serde::{Deserialize, Serialize};

use crate::directory::Directory;

/// How the names of files begin by which a clock is probed.
pub(crate) const PREFIX: &str = "clock-";
const SECOND_NS: i64 = 1_000_000_000;
/// Kernels stamp files with a coarse clock that may lag by one tick, at most 10 ms; twice that is safe.
const FINE_GRANULARITY_NS: i64 = 20_000_000;
/// File systems with whole or even seconds, and those that cannot be probed.
const COARSE_GRANULARITY_NS: i64 = 2 * SECOND_NS;
/// For how long a probe of a clock stands in for another one.
const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// What a look at a path gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// Something is there.
    There(Stat),
    /// The operating system's error number.
    Failed(i32),
}

/// The parts of a stat that change when content changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What stands there.
    pub kind: NodeKind,
    inode: u64,
    size_bytes: u64,
    modified_ns: i64,
    changed_ns: i64,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; in listings, and where a look does not follow it.
    Link,
    /// A socket, pipe or device: never opened.
    Other,
}

impl Seen {
    /// Looks at `path` below `directory`; the empty path is the directory itself. Links are followed.
    pub fn look(directory: impl AsFd, path: &str) -> Self {
        Self::look_with(directory, path, AtFlags::empty())
    }

    /// The same, without following a link at the end of the path.
    pub fn look_itself(directory: impl AsFd, path: &str) -> Self {
        Self::look_with(directory, path, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn look_with(directory: impl AsFd, path: &str, flags: AtFlags) -> Self {
        match statat(directory, if path.is_empty() { "." } else { path }, flags) {
            Ok(stat) => Self::There(Stat {
                kind: match FileType::from_raw_mode(stat.st_mode) {
                    FileType::RegularFile => NodeKind::File,
                    FileType::Directory => NodeKind::Directory,
                    FileType::Symlink => NodeKind::Link,
                    _ => NodeKind::Other,
                },
                inode: stat.st_ino,
                size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
                modified_ns: nanoseconds(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
                changed_ns: nanoseconds(stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)),
            }),
            Err(error) => Self::Failed(error.raw_os_error()),
        }
    }

    /// The same of an open file.
    #[must_use]
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        let kind = if metadata.is_file() {
            NodeKind::File
        } else if metadata.is_dir() {
            NodeKind::Directory
        } else {
            NodeKind::Other
        };
        Self::There(Stat {
            kind,
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// What stands there; `None` if the look failed.
    #[must_use]
    pub const fn kind(&self) -> Option<NodeKind> {
        match self {
            Seen::There(stat) => Some(stat.kind),
            Seen::Failed(_) => None,
        }
    }

    /// True if both name the same file, under whatever paths.
    #[must_use]
    pub fn is_same_node(&self, other: &Seen) -> bool {
        matches!((self, other), (Seen::There(this), Seen::There(that)) if this.inode == that.inode)
    }

    /// The same without the time at which owner, mode or links changed, for files that only programs write that do not
    /// set times.
    #[must_use]
    pub const fn of_content(self) -> Self {
        match self {
            Seen::There(stat) => Seen::There(Stat { changed_ns: stat.modified_ns, ..stat }),
            Seen::Failed(_) => self,
        }
    }

    /// True for a regular file of no bytes.
    #[must_use]
    pub const fn is_empty_file(&self) -> bool {
        matches!(self, Seen::There(Stat { kind: NodeKind::File, size_bytes: 0, .. }))
    }

    /// True if nothing is there, as opposed to something that cannot be reached.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        use rustix::io::Errno;
        matches!(self, Seen::Failed(number)
            if [Errno::NOENT.raw_os_error(), Errno::NOTDIR.raw_os_error()].contains(number))
    }
}

/// For those who keep stamps without knowing what is in them.
impl From<Seen> for FileStamp {
    fn from(seen: Seen) -> Self {
        Self(match seen {
            Seen::There(Stat { kind, inode, size_bytes, modified_ns, changed_ns }) => {
                let kind = match kind {
                    NodeKind::File => 1,
                    NodeKind::Directory => 2,
                    NodeKind::Link => 3,
                    NodeKind::Other => 4,
                };
                [kind, inode, size_bytes, modified_ns.cast_unsigned(), changed_ns.cast_unsigned()]
            }
            Seen::Failed(number) => [0, u64::from(number.cast_unsigned()), 0, 0, 0],
        })
    }
}

const fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(SECOND_NS).saturating_add(nanoseconds)
}

/// The moment before which a time stamp proves that nothing was written since: the start of reading, by
/// the file system's own clock, less what that clock cannot tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    start_ns: i64,
    granularity_ns: i64,
}

impl Horizon {
    /// Probes the clock with a file of our own in `state_directory`; if that is not possible there, or
    /// lies on another device than `root`, or if nothing may be written (`None`), the system's clock less 2 s
    /// stands in.
    #[must_use]
    pub fn now(state_directory: Option<&Path>, root: &Path) -> Self {
        let probed = state_directory.and_then(|directory| probe(directory, root));
        let (start_ns, granularity_ns) = probed.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            (i64::try_from(now.as_nanos()).unwrap_or(i64::MAX), COARSE_GRANULARITY_NS)
        });
        Self { start_ns, granularity_ns }
    }

    /// True if a write after reading could have left the same stamp. One without fine digits may lie on a file system that is
    /// mounted below the probed one and has a coarser clock.
    #[must_use]
    pub fn is_racy(self, seen: &Seen) -> bool {
        match seen {
            Seen::There(Stat { modified_ns, changed_ns, .. }) => {
                let granularity = self.granularity_ns.max(granularity(&[*modified_ns, *changed_ns]));
                (*modified_ns).max(*changed_ns) >= self.start_ns.saturating_sub(granularity)
            }
            Seen::Failed(_) => false,
        }
    }
}

/// The latest probes of the clock of directories, for who reads one file after another.
#[derive(Debug, Default)]
pub struct LatestHorizons(Mutex<HashMap<PathBuf, (Horizon, Instant)>>);

impl LatestHorizons {
    /// As [`Horizon::now`], for a file that looks like `seen` before it is read. An earlier horizon proves the same of what is
    /// older than it; the clock is probed again for what is not, and after a second, since clocks can be put back.
    #[expect(clippy::disallowed_methods, reason = "measures how old a probe is")]
    pub fn before_reading(&self, seen: &Seen, state_directory: Option<&Path>, root: &Path) -> Horizon {
        let now = Instant::now();
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((horizon, at)) = latest.get(root)
            && now.duration_since(*at) < BELIEVED_FOR
            && !horizon.is_racy(seen)
        {
            return *horizon;
        }
        let horizon = Horizon::now(state_directory, root);
        latest.insert(root.to_owned(), (horizon, now));
        horizon
    }
}

fn probe(state_directory: &Path, root: &Path) -> Option<(i64, i64)> {
    // It may belong to a repository that is not there any more: nothing is made for a probe.
    let directory = Directory::open(state_directory, state_directory).ok()?;
    if std::fs::metadata(state_directory).ok()?.dev() != std::fs::metadata(root).ok()?.dev() {
        return None;
    }
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(directory.path()).ok()?;
    let mut samples = Vec::new();
    for _ in 0..3 {
        file.write_all(b".").ok()?;
        let metadata = file.as_file().metadata().ok()?;
        samples.push(nanoseconds(metadata.mtime(), metadata.mtime_nsec()));
        samples.push(nanoseconds(metadata.ctime(), metadata.ctime_nsec()));
    }
    let start = samples.iter().copied().min()?;
    Some((start, granularity(&samples)))
}

/// Samples that all end in zeros come from a clock without those digits.
fn granularity(samples: &[i64]) -> i64 {
    let divides = |unit: i64| samples.iter().all(|sample| sample % unit == 0);
    if divides(SECOND_NS) {
        COARSE_GRANULARITY_NS
    } else if divides(SECOND_NS / 100) {
        SECOND_NS / 5
    } else {
        FINE_GRANULARITY_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_granularity_is_the_finest_digit_that_is_used() {
        assert_eq!(granularity(&[3 * SECOND_NS, 4 * SECOND_NS]), COARSE_GRANULARITY_NS);
        assert_eq!(granularity(&[3 * SECOND_NS + 10_000_000, 4 * SECOND_NS]), SECOND_NS / 5);
        assert_eq!(granularity(&[3 * SECOND_NS + 1, 4 * SECOND_NS]), FINE_GRANULARITY_NS);
    }

    #[test]
    fn a_stamp_without_fine_digits_is_believed_later_than_the_clock_that_was_probed_says() {
        let start_ns = 1_000 * SECOND_NS + 7;
        let horizon = Horizon { start_ns, granularity_ns: FINE_GRANULARITY_NS };
        let is_racy = |modified_ns, changed_ns| {
            let kind = NodeKind::File;
            horizon.is_racy(&Seen::There(Stat { kind, inode: 1, size_bytes: 1, modified_ns, changed_ns }))
        };
        let second_before = 999 * SECOND_NS;
        assert!(is_racy(second_before, second_before), "a file system of whole seconds, mounted below");
        assert!(!is_racy(second_before, second_before + 1), "somebody has set the time of the content");
        assert!(!is_racy(997 * SECOND_NS, 997 * SECOND_NS));
        assert!(is_racy(start_ns, start_ns));
    }

    #[test]
    fn a_link_is_another_thing_than_what_it_leads_to() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("file"), "x").expect("a file");
        std::os::unix::fs::symlink("file", directory.path().join("link")).expect("a link");
        let root = std::fs::File::open(directory.path()).expect("opens");
        assert_eq!(Seen::look(&root, "link"), Seen::look(&root, "file"));
        assert_eq!(Seen::look_itself(&root, "link").kind(), Some(NodeKind::Link));
        assert_eq!(Seen::look_itself(&root, "file"), Seen::look(&root, "file"));
    }

    #[test]
    fn without_a_directory_of_our_own_two_seconds_are_distrusted() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        std::fs::write(&file, "x").expect("a file");
        let horizon = Horizon::now(Some(&file.join("impossible")), directory.path());
        assert!(horizon.is_racy(&Seen::of(&file.metadata().expect("a stat"))));
        let old = std::fs::File::options().write(true).open(&file).expect("opens");
        old.set_modified(SystemTime::now() + std::time::Duration::from_hours(1)).expect("sets");
        assert!(horizon.is_racy(&Seen::of(&file.metadata().expect("a stat"))), "a stamp in the future proves nothing");
    }
}
