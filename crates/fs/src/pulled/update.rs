//! Changing extensions and the lockfile together.

use std::{
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    ports::{Placement, Removal, Update, UpdateError},
    problem::Code,
    pulled::{DIRECTORY, FileMode},
    source::RelativePath,
};
use rustix::{
    fs::{FlockOperation, Mode, flock},
    io::Errno,
};

use super::{DiskPulledExtensions, contents, is_elsewhere, parted};
use crate::{
    atomic::{self, Durability},
    directory::Directory,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
    staging,
};

/// How the names of directories begin in which something is prepared. They are hidden, so that nobody looks into them.
const PREFIX: &str = ".new-";

/// How the names of directories begin in which something lies that could not be put back. They are hidden too, and stay.
const KEPT: &str = ".kept-";

/// How the name of a file ends that says where what lies beside it, under the rest of the name, was taken from.
const TAKEN_FROM: &str = ".taken-from";

/// How often the lock of the directory is tried, and what lies between two tries: a minute in all.
const LOCK_TRIES: u32 = 600;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Something that was done and can be undone.
enum Done {
    /// What is in place now lay under this name in the staging directory, and what was in place lies there now.
    Exchanged { place: PathBuf, aside: PathBuf },
    /// What lay under this name in the staging directory is in place now.
    Placed { place: PathBuf, aside: PathBuf },
    /// What was in place lies under this name in the staging directory.
    Removed { place: PathBuf, aside: PathBuf },
}

/// One change under way.
struct Change<'a> {
    disk: &'a DiskPulledExtensions,
    staging: PathBuf,
    done: Vec<Done>,
    /// How many names were given in the staging directory.
    count: usize,
    /// Stands for the lockfile as it was before.
    before: String,
}

pub(super) fn carry_out(disk: &DiskPulledExtensions, update: &Update) -> Result<(), UpdateError> {
    let path = disk.repository.join(DIRECTORY);
    let failed = |operation, path: &Path, error: &io::Error| UpdateError::Failed(io_fault(operation, path, error));
    let directory =
        Directory::make(&disk.repository, &path).map_err(|error| failed(Operation::Create, &path, &error))?;
    // Released when the directory is closed.
    lock(&directory, &path, LOCK_TRIES).map_err(UpdateError::Failed)?;
    let lockfile = disk.read_lockfile().map_err(UpdateError::Failed)?.text;
    if lockfile != update.expected {
        return Err(UpdateError::Moved);
    }
    let before = stamp(lockfile.as_deref());
    remove_leftovers(disk, &directory, &before);
    let staging = directory.temporary(PREFIX).map_err(|error| failed(Operation::Create, &path, &error))?;
    let mut change = Change { disk, staging: staging.path().to_owned(), done: Vec::new(), count: 0, before };
    let outcome = change.all(update);
    let is_whole = match &outcome {
        Ok(()) => {
            change.tidy(update);
            true
        }
        Err(_) => change.undo(),
    };
    let staging = staging.keep();
    let failed = |(path, error): (PathBuf, io::Error)| io_fault(Operation::Write, &path, &error);
    if is_whole {
        // What was in place goes with it.
        let _ = directory.remove_all(staging.file_name().unwrap_or_default());
        return outcome.map_err(|error| UpdateError::Failed(failed(error)));
    }
    let kept = keep(disk, &staging);
    outcome.map_err(|error| {
        let fault = failed(error);
        let message = format!("{}; what could not be put back lies in {}", fault.message, kept.display());
        UpdateError::Failed(Fault { message, ..fault })
    })
}

/// Puts back what processes have taken away that were killed, if there is any sign of one.
pub(super) fn recover(disk: &DiskPulledExtensions) -> Result<(), Fault> {
    let path = disk.repository.join(DIRECTORY);
    let directory = match Directory::open(&disk.repository, &path) {
        Ok(directory) => directory,
        Err(error) if is_elsewhere(&error) => return Ok(()),
        Err(error) => return Err(io_fault(Operation::List, &path, &error)),
    };
    let names = directory.names().map_err(|error| io_fault(Operation::List, &path, &error))?;
    if names.iter().any(|name| name.to_string_lossy().starts_with(PREFIX)) {
        lock(&directory, &path, LOCK_TRIES)?;
        let lockfile = disk.read_lockfile()?.text;
        remove_leftovers(disk, &directory, &stamp(lockfile.as_deref()));
    }
    Ok(())
}

/// Gives what could not be put back a name that no later change clears away. Gives where it lies then.
fn keep(disk: &DiskPulledExtensions, staging: &Path) -> PathBuf {
    let name = staging.file_name().unwrap_or_default().to_string_lossy();
    let kept = staging.with_file_name(format!("{KEPT}{}", name.strip_prefix(PREFIX).unwrap_or(&name)));
    match atomic::rename(&disk.repository, staging, &kept) {
        Ok(()) => kept,
        Err(_) => staging.to_owned(),
    }
}

/// Waits for whoever else changes extensions, but not for one who was stopped in the middle of it.
fn lock(directory: &Directory, path: &Path, tries: u32) -> Result<(), Fault> {
    for _ in 0..tries {
        match flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(LOCK_PAUSE),
            Err(error) => return Err(io_fault(Operation::Lock, path, &error.into())),
        }
    }
    let message = format!("another process has been changing {} for a long time", path.display());
    Err(Fault::transient(Code::SOURCE_MOVING, "pulled:lock", message))
}

/// What processes left that were killed. None is at work: we hold the lock. What was taken away for a change that did not come to
/// its end is put back.
fn remove_leftovers(disk: &DiskPulledExtensions, directory: &Directory, before: &str) {
    for name in directory.names().unwrap_or_default() {
        if name.to_string_lossy().starts_with(PREFIX) {
            let is_whole = directory.directory(&name).is_ok_and(|staging| put_back(disk, &staging, before));
            if is_whole {
                let _ = directory.remove_all(&name);
            }
        }
    }
}

/// Puts back what was taken from a place where nothing is now. False if something did not go back.
fn put_back(disk: &DiskPulledExtensions, staging: &Directory, before: &str) -> bool {
    let mut is_whole = true;
    for name in staging.names().unwrap_or_default() {
        let Some(aside) = name.to_str().and_then(|name| name.strip_suffix(TAKEN_FROM)) else { continue };
        let note = read::text(staging.path().join(&name), Within::Unlinked, FileKind::Document).unwrap_or_default();
        let Some((of, place)) = note.split_once('\n') else { continue };
        let (Ok(place), true) = (RelativePath::parse(place), of == before) else { continue };
        let (place, aside) = (disk.repository.join(DIRECTORY).join(place.as_str()), staging.path().join(aside));
        if place.symlink_metadata().is_ok() || aside.symlink_metadata().is_err() {
            continue;
        }
        is_whole &= atomic::rename(&disk.repository, &aside, &place).is_ok();
    }
    is_whole
}

/// Stands for the text of a lockfile.
fn stamp(lockfile: Option<&str>) -> String {
    lockfile.map_or_else(|| "none".to_owned(), |text| Digest::of(text.as_bytes()).to_string())
}

type Outcome = Result<(), (PathBuf, io::Error)>;

impl Change<'_> {
    fn all(&mut self, update: &Update) -> Outcome {
        // One that lies in another one comes after it: whoever takes the place of a directory takes it with all that is in it.
        let mut places: Vec<&Placement> = update.places.iter().collect();
        places.sort_by(|left, right| left.name.cmp(&right.name));
        let mut staged = Vec::new();
        for placement in &places {
            staged.push(self.stage(placement)?);
        }
        #[cfg(target_os = "linux")]
        atomic::sync_file_system(&self.staging).map_err(|error| (self.staging.clone(), error))?;
        for (placement, aside) in places.into_iter().zip(staged) {
            if placement.only_missing { self.fill(placement, &aside)? } else { self.place(placement, aside)? }
        }
        for removal in &update.removals {
            self.remove(removal)?;
        }
        let Some(text) = &update.lockfile else { return Ok(()) };
        let name = self.disk.read_lockfile().map(|lockfile| lockfile.name).unwrap_or_default();
        let path = self.disk.lock_root.join(name);
        atomic::write_shared(&self.disk.lock_root, &path, text.as_bytes(), Durability::Durable)
            .map_err(|error| (path, error))
    }

    /// A new name in the staging directory.
    fn aside(&mut self) -> PathBuf {
        self.count += 1;
        self.staging.join(self.count.to_string())
    }

    /// Writes everything that is to be put in place.
    fn stage(&mut self, placement: &Placement) -> Result<PathBuf, (PathBuf, io::Error)> {
        let aside = self.aside();
        Directory::make(&self.staging, &aside).map_err(|error| (aside.clone(), error))?;
        for (below, file) in &placement.files {
            let path = aside.join(below.as_str());
            let permissions = match file.mode {
                FileMode::Usual => Mode::from_raw_mode(0o666),
                FileMode::ReadOnly => Mode::from_raw_mode(0o444),
                FileMode::Executable => Mode::from_raw_mode(0o777),
            };
            staging::write_as(&self.staging, &path, &file.bytes, permissions).map_err(|error| (path, error))?;
        }
        if !placement.only_missing {
            for nested in &placement.nested {
                let from = self.disk.directory_of(&placement.name).join(nested);
                self.copy(&from, &aside.join(nested))?;
            }
        }
        Ok(aside)
    }

    /// Copies another extension that lies in this one, so that both take their place at one moment.
    fn copy(&self, from: &Path, to: &Path) -> Outcome {
        let repository = &self.disk.repository;
        let found = contents::find(repository, from, &[]);
        let found = found.map_err(|fault| (from.to_owned(), io::Error::other(fault.message)))?;
        for below in found.unwrap_or_default().files.keys() {
            let (source, target) = (from.join(below.as_str()), to.join(below.as_str()));
            let failed = |error: io::Error| (source.clone(), error);
            let mut opened =
                read::open(&source, Within::Unlinked, FileKind::Bundle).map_err(|error| failed(error.into()))?;
            let bytes = opened.bytes().map_err(|error| failed(error.into()))?;
            let permissions: Permissions = opened.into_file().metadata().map_err(failed)?.permissions();
            let mode = Mode::from_raw_mode(permissions.mode() & 0o777);
            staging::write_as(&self.staging, &target, &bytes, mode).map_err(|error| (target, error))?;
        }
        Ok(())
    }

    /// Lets the directory that was prepared take the place of the one that is there.
    fn place(&mut self, placement: &Placement, aside: PathBuf) -> Outcome {
        let place = self.disk.directory_of(&placement.name);
        let failed = |error| (place.clone(), error);
        let (parent, name) = parted(&place);
        let parent = Directory::make(&self.disk.repository, parent).map_err(failed)?;
        match parent.look(name) {
            Ok(entry) if entry.is_directory => {
                let exchanged = self.exchange(&place, &aside);
                if exchanged.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Unsupported) {
                    let old = self.aside();
                    self.take(&place, &old).map_err(failed)?;
                    self.done.push(Done::Removed { place: place.clone(), aside: old });
                } else {
                    exchanged.map_err(failed)?;
                    self.done.push(Done::Exchanged { place, aside });
                    return Ok(());
                }
            }
            // A file or a link: whoever put it there has to take it away.
            Ok(_) => return Err(failed(io::ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        self.rename(&aside, &place).map_err(failed)?;
        self.done.push(Done::Placed { place, aside });
        Ok(())
    }

    /// Lets the files that were prepared take their places where nothing is.
    fn fill(&mut self, placement: &Placement, aside: &Path) -> Outcome {
        let root = self.disk.directory_of(&placement.name);
        for below in placement.files.keys() {
            let (place, prepared) = (root.join(below.as_str()), aside.join(below.as_str()));
            let failed = |error| (place.clone(), error);
            let (parent, name) = parted(&place);
            let parent = Directory::make(&self.disk.repository, parent).map_err(failed)?;
            match parent.look(name) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.rename(&prepared, &place).map_err(failed)?;
                    self.done.push(Done::Placed { place, aside: prepared });
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    /// Takes files away: the whole directory at one moment if it holds nothing else.
    fn remove(&mut self, removal: &Removal) -> Outcome {
        let root = self.disk.directory_of(&removal.name);
        let found = contents::find(&self.disk.repository, &root, &[]);
        let found = found.map_err(|fault| (root.clone(), io::Error::other(fault.message)))?;
        let Some(found) = found else { return Ok(()) };
        let is_all = found.others.is_empty() && found.files.keys().all(|path| removal.files.contains(path));
        let places = if is_all {
            vec![root]
        } else {
            let listed = found.files.keys().filter(|path| removal.files.contains(*path));
            listed.map(|path| root.join(path.as_str())).collect()
        };
        for place in places {
            let aside = self.aside();
            self.take(&place, &aside).map_err(|error| (place.clone(), error))?;
            self.done.push(Done::Removed { place, aside });
        }
        Ok(())
    }

    /// Moves what is in place aside, and notes before where it was: if this process is killed, the next change puts it back.
    fn take(&self, place: &Path, aside: &Path) -> io::Result<()> {
        let below = place.strip_prefix(self.disk.repository.join(DIRECTORY)).ok().and_then(Path::to_str);
        if let Some(below) = below {
            let note = aside.with_extension(TAKEN_FROM.trim_start_matches('.'));
            staging::write(&self.staging, &note, format!("{}\n{below}", self.before).as_bytes())?;
        }
        self.rename(place, aside)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        atomic::rename(&self.disk.repository, from, to)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let ((parent, name), (other_parent, other_name)) = (parted(one), parted(other));
        let open = |path| Directory::open(&self.disk.repository, path);
        open(parent)?.exchange(name, &open(other_parent)?, other_name)
    }

    /// Puts everything back, the last first. False if something did not go back, which is then still aside.
    fn undo(&mut self) -> bool {
        let mut is_undone = true;
        while let Some(done) = self.done.pop() {
            let undone = match &done {
                Done::Exchanged { place, aside } => self.exchange(place, aside),
                Done::Placed { place, aside } => self.rename(place, aside),
                Done::Removed { place, aside } => self.rename(aside, place),
            };
            is_undone &= undone.is_ok();
        }
        is_undone
    }

    /// Removes what nobody misses any more: bundles of what is gone, and directories that are empty.
    fn tidy(&self, update: &Update) {
        let repository = &self.disk.repository;
        for removal in &update.removals {
            for path in &removal.beside {
                let path = repository.join(path.as_str());
                let _ = crate::directory::remove_file(repository, &path);
                self.remove_empty(&path, &repository.join(".swamp"));
            }
            let root = self.disk.directory_of(&removal.name);
            let mut directories: Vec<&str> = removal.files.iter().filter_map(RelativePath::parent).collect();
            directories.sort_unstable_by_key(|directory| std::cmp::Reverse(directory.len()));
            for directory in directories {
                self.remove_empty(&root.join(directory).join("file"), &root);
            }
            self.remove_empty(&root.join("file"), &repository.join(DIRECTORY));
        }
    }

    /// Removes the directories above a path that are empty, up to `top`, which stays.
    fn remove_empty(&self, path: &Path, top: &Path) {
        let above = path.ancestors().skip(1).take_while(|directory| *directory != top && directory.starts_with(top));
        for directory in above {
            let (parent, name) = parted(directory);
            let removed = Directory::open(&self.disk.repository, parent).and_then(|parent| parent.remove_empty(name));
            // One that is gone already says nothing of those above.
            if removed.is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn whoever_holds_the_directory_is_not_waited_for_without_end() {
        let repository = tempfile::tempdir().expect("a directory");
        let path = repository.path().join(DIRECTORY);
        let directory = Directory::make(repository.path(), &path).expect("a directory");
        let other = fs::File::open(&path).expect("a directory");
        flock(&other, FlockOperation::LockExclusive).expect("a lock");
        let fault = lock(&directory, &path, 2).expect_err("it is held");
        assert_eq!(fault.class, mangrove_domain::failure::FailureClass::Transient);
        assert!(fault.message.contains(DIRECTORY), "{fault}");
        drop(other);
        lock(&directory, &path, 2).expect("it is free");
    }

    #[test]
    fn what_was_taken_away_for_a_change_that_was_killed_is_put_back() {
        for is_committed in [false, true] {
            let repository = tempfile::tempdir().expect("a directory");
            let directory = repository.path().join(DIRECTORY);
            fs::create_dir_all(directory.join("@acme/dns")).expect("a directory");
            fs::write(directory.join("@acme/dns/a.ts"), "precious").expect("a file");
            let disk = DiskPulledExtensions::new(repository.path(), repository.path(), vec!["lock.json".to_owned()]);
            fs::write(repository.path().join("lock.json"), "before").expect("a lockfile");
            let staging = directory.join(".new-abc");
            fs::create_dir(&staging).expect("a directory");
            let mut change = Change {
                disk: &disk,
                staging: staging.clone(),
                done: Vec::new(),
                count: 0,
                before: stamp(Some("before")),
            };
            let files = [RelativePath::parse("a.ts").expect("a path")].into();
            let removal = Removal { name: "@acme/dns".to_owned(), files, beside: std::collections::BTreeSet::new() };
            change.remove(&removal).expect("it is taken away");
            assert!(!directory.join("@acme/dns").exists());
            let lockfile = if is_committed { "after" } else { "before" };
            fs::write(repository.path().join("lock.json"), lockfile).expect("a lockfile");
            recover(&disk).expect("nobody else is at work");
            assert_eq!(directory.join("@acme/dns/a.ts").exists(), !is_committed);
            assert!(!staging.exists());
        }
    }

    #[test]
    fn what_could_not_be_put_back_is_not_cleared_away() {
        let repository = tempfile::tempdir().expect("a directory");
        let directory = repository.path().join(DIRECTORY);
        fs::create_dir_all(directory.join(".new-abc/1")).expect("a directory");
        fs::write(directory.join(".new-abc/1/a.ts"), "precious").expect("a file");
        let disk = DiskPulledExtensions::new(repository.path(), repository.path(), vec!["lock.json".to_owned()]);
        let kept = keep(&disk, &directory.join(".new-abc"));
        carry_out(&disk, &Update::default()).expect("nothing to do");
        assert_eq!(fs::read_to_string(kept.join("1/a.ts")).expect("it is there"), "precious");
    }
}
