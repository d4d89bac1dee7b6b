//! The versions that this store writes.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mangrove_domain::{
    data::DataHandle,
    digest::Digest,
    failure::Fault,
    ports::{NewData, WrittenVersion},
};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::{self, Directory},
    faults::{Operation, io_fault},
    leftovers,
    read::{self, FileKind, Within},
};

use super::{
    Place, RAW, Versions,
    claims::Claims,
    directories_in, each_in,
    evidence::{Evidence, Links, Root},
    malformed, metadata, name_of, names, names_in, opened, read_text,
};

/// How often a writer tries the next version before it gives up.
const CLAIM_ATTEMPTS: u32 = 10_000;
const METADATA: &str = "metadata.json";
/// Up to which version what is not ours is not found.
const HIDDEN: &str = "hidden";
/// How many directories are known to be durable at most.
const MOST_DURABLE: usize = 10_000;
/// How many files wait for the disk at once at most.
const SYNCED_AT_ONCE: usize = 16;
/// What the directory of an item begins with; the first layout has no such names.
pub(super) const ITEM: char = '@';

#[derive(Clone, Debug)]
pub(super) struct Ours {
    root: Root,
    /// Directories of items whose names this process has made durable, up to the root.
    durable: Arc<Mutex<HashSet<PathBuf>>>,
    claims: Arc<Claims>,
}

/// What the directory of an item says.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) places: Versions,
    pub(super) hidden_up_to: u32,
}

impl Ours {
    pub(super) fn new(root: Root) -> Self {
        Self { root, durable: Arc::default(), claims: Arc::default() }
    }

    pub(super) const fn root(&self) -> &Root {
        &self.root
    }

    pub(super) fn model(&self, model_id: &str) -> PathBuf {
        self.root.path.join(names::escape(model_id))
    }

    pub(super) fn item(&self, model_id: &str, name: &str) -> PathBuf {
        let mut path = self.model(model_id);
        path.push(format!("{ITEM}{}", names::escape(name)));
        path
    }

    pub(super) fn version(&self, model_id: &str, name: &str, version: u32) -> PathBuf {
        self.item(model_id, name).join(version.to_string())
    }

    pub(super) fn versions(&self, model_id: &str, name: &str, evidence: &mut Evidence<'_>) -> Result<Own, Fault> {
        let path = self.item(model_id, name);
        let Some(directory) = opened(&self.root.path, &path)? else { return Ok(Own::default()) };
        evidence.look(&self.root, &path, Links::Refused);
        let mut own = Own::default();
        for entry in names_in(&directory)? {
            if entry == HIDDEN {
                evidence.look(&self.root, &path.join(HIDDEN), Links::Refused);
                own.hidden_up_to = hidden_up_to(&path)?;
            }
            // Temporary files have other names.
            let Some(number) = entry.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let place = path.join(entry);
            // Also if there is none: it makes a version of what was claimed.
            evidence.look(&self.root, &place.join(METADATA), Links::Refused);
            own.places.insert(number, Place::Ours(place));
        }
        Ok(own)
    }

    /// What is known of the version in a directory; `None` if it is none.
    pub(super) fn handle(&self, directory: &Path) -> Result<Option<DataHandle>, Fault> {
        let path = directory.join(METADATA);
        if opened(&self.root.path, directory)?.is_none() {
            return Ok(None);
        }
        let Some(text) = read_text(&path)? else { return Ok(None) };
        // What a power failure leaves of a file that was not settled: its name, and zeros for what it said.
        if text.bytes().all(|byte| byte == 0) {
            return Ok(None);
        }
        metadata::parse(&text).map(Some).map_err(|what| malformed(&path, &what))
    }

    /// Writes a version above `others`, the highest number that is taken elsewhere.
    pub(super) fn write(&self, data: NewData, others: u32) -> Result<DataHandle, Fault> {
        let (version, directory) = self.claim(&data.model_id, &data.name, &data.content, others)?;
        let (size, checksum) = (data.content.len() as u64, Digest::of(&data.content));
        Self::describe(&directory, metadata::handle(data, version, size, &checksum))
    }

    pub(super) fn reserve(&self, model_id: &str, name: &str, others: u32) -> Result<(u32, PathBuf), Fault> {
        let (version, directory) = self.claim(model_id, name, b"", others)?;
        Ok((version, directory.path().join(RAW)))
    }

    pub(super) fn finish(&self, version: u32, data: NewData) -> Result<DataHandle, Fault> {
        let path = self.version(&data.model_id, &data.name, version);
        let directory =
            Directory::open(&self.root.path, &path).map_err(|error| io_fault(Operation::Write, &path, &error))?;
        let raw = path.join(RAW);
        let content = read::bytes(&raw, Within::Unlinked, FileKind::State).map_err(read::ReadError::into_fault)?;
        let (size, checksum) = (content.len() as u64, Digest::of(&content));
        Self::describe(&directory, metadata::handle(data, version, size, &checksum))
    }

    /// Takes the next number above all that are taken by giving it this content.
    fn claim(&self, model_id: &str, name: &str, content: &[u8], others: u32) -> Result<(u32, Directory), Fault> {
        let path = self.item(model_id, name);
        if fs::symlink_metadata(&path).is_err() {
            // It is about to be made, also if it was there before.
            self.durable().remove(&path);
        }
        let failed = |error: io::Error| io_fault(Operation::Create, &path, &error);
        let item = Directory::make(&self.root.path, &path).map_err(failed)?;
        let own = match self.claims.latest(&item) {
            Some(own) => own,
            None => highest_in(&item)?,
        };
        let mut version = own.max(others);
        for _ in 0..CLAIM_ATTEMPTS {
            version = version.checked_add(1).ok_or_else(|| malformed(&path, "all versions are used up"))?;
            let place = item.make_directory(OsStr::new(&version.to_string())).map_err(failed)?;
            let claimed = atomic::claim(&place, RAW, content);
            if claimed.map_err(|error| io_fault(Operation::Write, &place.path().join(RAW), &error))? {
                self.claims.keep(&item, version);
                return Ok((version, place));
            }
        }
        Err(malformed(&path, "too many others write the same item"))
    }

    /// Writes down what is known of a version, which makes it one.
    fn describe(directory: &Directory, handle: DataHandle) -> Result<DataHandle, Fault> {
        let text = metadata::text(&handle)
            .map_err(|error| malformed(directory.path(), &format!("its metadata cannot be written: {error}")))?;
        if !put(directory, METADATA, text.as_bytes())? {
            return Err(malformed(directory.path(), "the version has its metadata already"));
        }
        Ok(handle)
    }

    /// Makes versions durable: their contents, what is known of them, their names, and those of the directories above them. The
    /// name of an item is made so once: each wait for the disk costs time.
    pub(super) fn settle(&self, written: &[WrittenVersion]) -> Result<(), Fault> {
        let of = |written: &WrittenVersion| self.version(&written.model_id, &written.name, written.version);
        let versions: Vec<PathBuf> = written.iter().map(of).collect();
        let items: BTreeSet<&Path> = versions.iter().filter_map(|version| version.parent()).collect();
        let mut directories: BTreeSet<&Path> = versions.iter().map(PathBuf::as_path).collect();
        directories.extend(&items);
        let is_durable = |item: &&&Path| self.durable().contains(**item);
        for item in items.iter().filter(|item| !is_durable(item)) {
            directories.extend(item.ancestors().skip(1).take_while(|path| path.starts_with(&self.root.path)));
        }
        let files = versions.iter().flat_map(|version| [RAW, METADATA].map(|name| version.join(name)));
        sync_all(&files.chain(directories.into_iter().map(Path::to_owned)).collect::<Vec<_>>())?;
        let mut durable = self.durable();
        if durable.len() + items.len() > MOST_DURABLE {
            durable.clear();
        }
        durable.extend(items.into_iter().map(Path::to_owned));
        Ok(())
    }

    fn durable(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of the items of a model, also of those that have no version yet.
    pub(super) fn names(&self, model_id: &str, evidence: &mut Evidence<'_>) -> Result<BTreeSet<String>, Fault> {
        let mut names = BTreeSet::new();
        let path = self.model(model_id);
        evidence.look(&self.root, &path, Links::Refused);
        let Some(model) = opened(&self.root.path, &path)? else { return Ok(names) };
        for directory in directories_in(&model)? {
            let Some(escaped) = directory.to_str().and_then(|name| name.strip_prefix(ITEM)) else { continue };
            let name = match names::unescape(escaped) {
                None if names::is_cut(escaped) => {
                    self.newest(&path.join(&directory), evidence)?.map(|handle| handle.name)
                }
                name => name,
            };
            // A directory that somebody gave another name is that of no item.
            names.extend(name.filter(|name| names::escape(name) == escaped));
        }
        Ok(names)
    }

    /// What is known of the newest version in the directory of an item.
    fn newest(&self, item: &Path, evidence: &mut Evidence<'_>) -> Result<Option<DataHandle>, Fault> {
        evidence.look(&self.root, item, Links::Refused);
        let Some(directory) = opened(&self.root.path, item)? else { return Ok(None) };
        let numbers = names_in(&directory)?.into_iter().filter_map(|name| name.to_str()?.parse::<u32>().ok());
        let numbers: BTreeSet<u32> = numbers.collect();
        for number in numbers.into_iter().rev() {
            let version = item.join(number.to_string());
            evidence.look(&self.root, &version.join(METADATA), Links::Refused);
            if let Some(handle) = self.handle(&version)? {
                return Ok(Some(handle));
            }
        }
        Ok(None)
    }

    /// What is known of any version in the directory of a model.
    pub(super) fn any(&self, model: &Path) -> Result<Option<DataHandle>, Fault> {
        let Some(directory) = opened(&self.root.path, model)? else { return Ok(None) };
        for item in directories_in(&directory)? {
            if item.to_str().is_some_and(|name| name.starts_with(ITEM))
                && let Some(handle) = self.newest(&model.join(item), &mut Evidence::unwanted())?
            {
                return Ok(Some(handle));
            }
        }
        Ok(None)
    }

    /// From now on, versions up to this one that are not ours are not found.
    pub(super) fn hide(&self, model_id: &str, name: &str, version: u32) -> Result<(), Fault> {
        let path = self.item(model_id, name).join(HIDDEN);
        let root = &self.root.path;
        Directory::make(root, &self.item(model_id, name))
            .and_then(|_| atomic::write(root, &path, version.to_string().as_bytes(), Durability::Durable))
            .map_err(|error| io_fault(Operation::Write, &path, &error))
    }

    pub(super) fn remove(&self, model_id: &str, name: &str, version: u32) -> Result<(), Fault> {
        let path = self.version(model_id, name, version);
        directory::remove_all(&self.root.path, &path).map_err(|error| io_fault(Operation::Remove, &path, &error))
    }

    /// Removes the directory of an item that has nothing left.
    pub(super) fn tidy(&self, model_id: &str, name: &str) -> Result<(), Fault> {
        let path = self.item(model_id, name);
        let Some(model) = path.parent() else { return Ok(()) };
        if let Some(directory) = opened(&self.root.path, model)? {
            // It stays if somebody has written meanwhile.
            let _ = directory.remove_empty(OsStr::new(&name_of(&path)));
        }
        Ok(())
    }

    pub(super) fn remove_leftovers(&self, is_dry_run: bool) -> Result<u64, Fault> {
        let mut count = 0;
        if let Some(root) = opened(&self.root.path, &self.root.path)? {
            let mut clean = |version: &Directory| {
                count += leftovers::find(version).len() as u64;
                if !is_dry_run {
                    leftovers::remove(version);
                }
                Ok(())
            };
            each_in(&root, &mut |model| {
                each_in(model, &mut |item| {
                    if name_of(item.path()).starts_with(ITEM) { each_in(item, &mut clean) } else { Ok(()) }
                })
            })?;
        }
        Ok(count)
    }
}

/// The highest number in the directory of an item that somebody claimed, or up to which nothing is found; 0 if there is none.
fn highest_in(item: &Directory) -> Result<u32, Fault> {
    let claimed = names_in(item)?.iter().filter_map(|name| name.to_str()?.parse::<u32>().ok()).max();
    Ok(claimed.unwrap_or(0).max(hidden_up_to(item.path())?))
}

/// Up to which version nothing is found in the directory of an item that is not ours.
fn hidden_up_to(item: &Path) -> Result<u32, Fault> {
    let path = item.join(HIDDEN);
    let text = read_text(&path)?;
    text.map_or(Ok(0), |text| text.trim().parse().map_err(|_| malformed(&path, "it holds no number")))
}

/// Makes all of these durable that are there. Several wait side by side: the disk is asked once for what it has of all of them.
fn sync_all(paths: &[PathBuf]) -> Result<(), Fault> {
    let sync = |path: &PathBuf| match atomic::sync(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_fault(Operation::Sync, path, &error)),
        Ok(()) | Err(_) => Ok(()),
    };
    let threads = paths.len().min(SYNCED_AT_ONCE);
    if threads <= 1 {
        return paths.iter().try_for_each(sync);
    }
    let sync = &sync;
    std::thread::scope(|scope| {
        let part = |first| move || paths.iter().skip(first).step_by(threads).try_for_each(sync);
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(part(first))).collect();
        running.into_iter().try_for_each(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Gives complete content this name. False if the name is taken.
fn put(directory: &Directory, name: &str, content: &[u8]) -> Result<bool, Fault> {
    let placed = atomic::create(directory, name, content, Durability::Volatile);
    placed.map_err(|error| io_fault(Operation::Write, &directory.path().join(name), &error))
}
