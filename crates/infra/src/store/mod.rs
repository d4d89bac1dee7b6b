//! The bundle store in a local directory.
//!
//! ```text
//! <root>/<aa>/<sha256>.js         code of one extension entry point
//! <root>/vendor/<sha256>/…        files of one vendor bundle
//! <root>/tmp/                     what is being written
//! <root>/catalog-id               the catalog whose rows say what is still needed
//! ```
//!
//! Every object is written in `tmp/` and renamed to its place, so a reader sees all of it or nothing. What was
//! put is made durable by [`sync`](BundleStore::sync), once for a batch. Presence looks at sizes only: one stat
//! for an extension bundle, one for each file of a vendor bundle, and a vendor that many bundles share is looked
//! at once per call. Bytes are compared with their digest by `load` and `verify`, and by `put` when something of
//! that name is there: a damaged object is replaced by what should have been there all the time.

mod sweep;
mod vendor;

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{BundleFile, BundleRef, LoadedBundle, ObjectKey, Presence, StoredObject, vendor_digest},
    digest::Digest,
    failure::Fault,
    ports::{BundleStore, StoreError, SweepOutcome, SweepRequest},
    problem::Code,
};
use mangrove_fs::faults::{Operation, io_fault};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};

/// From this many changes on, one sync of the file system is cheaper than one of each file.
const SYNC_EACH_UP_TO: usize = 8;

/// Below this many bundles, one thread looks at all of them.
const LOOK_ALONE_UP_TO: usize = 256;

/// Bundles in a local directory, shared by every process that uses it. Cheap to clone.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone, Debug)]
pub struct LocalStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Files and directories that were put and not made durable yet.
    pending: Mutex<BTreeSet<PathBuf>>,
}

/// Whose store this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Nobody's yet.
    Unclaimed,
    /// This catalog's.
    Ours,
    /// That of the catalog with this identifier: what it needs is not ours to sweep.
    Foreign(String),
}

impl LocalStore {
    /// The store in this directory, such as `.mangrove/bundles`. Nothing is created before the first put.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { root: root.into(), pending: Mutex::default() }) }
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Whose store this is, seen from the catalog with this identifier.
    ///
    /// # Errors
    /// [`StoreError::Access`] if the store's `catalog-id` is there and cannot be read.
    pub fn ownership(&self, catalog_id: &str) -> Result<Ownership, StoreError> {
        let path = self.inner.root.join("catalog-id");
        match fs::read_to_string(&path) {
            Ok(text) if text.trim() == catalog_id => Ok(Ownership::Ours),
            Ok(text) => Ok(Ownership::Foreign(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ownership::Unclaimed),
            Err(error) => Err(access("read", io_fault(Operation::Read, &path, &error))),
        }
    }

    /// Makes the store that of this catalog, whoever's it was.
    ///
    /// # Errors
    /// [`StoreError::Access`] if it cannot be written.
    pub fn claim(&self, catalog_id: &str) -> Result<(), StoreError> {
        self.inner.write_file(&self.inner.root.join("catalog-id"), catalog_id.as_bytes())
    }

    /// Runs blocking work off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner)).await.unwrap_or_else(|error| {
            let message = format!("the task that wanted to {operation} ended early: {error}");
            let fault = Fault::environment(Code::BUNDLE_MISSING, "store:task", message);
            Err(access(operation, fault))
        })
    }
}

#[async_trait]
impl BundleStore for LocalStore {
    async fn put(&self, code: &str) -> Result<StoredObject, StoreError> {
        let code = code.to_owned();
        self.blocking("write", move |inner| inner.put(code.as_bytes())).await
    }

    async fn put_vendor(&self, files: &[BundleFile]) -> Result<StoredObject, StoreError> {
        let files = files.to_vec();
        self.blocking("write", move |inner| inner.put_vendor(&files)).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.blocking("sync", Inner::sync).await
    }

    async fn presence(&self, bundles: &[&BundleRef]) -> Result<Vec<Presence>, StoreError> {
        let bundles: Vec<BundleRef> = bundles.iter().map(|bundle| (*bundle).clone()).collect();
        self.blocking("read", move |inner| inner.presence(&bundles)).await
    }

    async fn holds(&self, objects: &[StoredObject]) -> Result<bool, StoreError> {
        let objects = objects.to_vec();
        self.blocking("read", move |inner| inner.holds(&objects)).await
    }

    async fn load(&self, bundle: &BundleRef) -> Result<LoadedBundle, StoreError> {
        let bundle = bundle.clone();
        self.blocking("read", move |inner| inner.load(&bundle)).await
    }

    async fn vendor_files(&self, vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError> {
        let vendors = vendors.to_vec();
        self.blocking("read", move |inner| inner.vendor_files(&vendors)).await
    }

    async fn list(&self) -> Result<Vec<StoredObject>, StoreError> {
        self.blocking("list", Inner::list).await
    }

    async fn verify(&self, object: &StoredObject) -> Result<Presence, StoreError> {
        let object = *object;
        self.blocking("read", move |inner| {
            let presence = presence_of(&object, inner.size(object.key)?);
            if presence != Presence::Present {
                return Ok(presence);
            }
            match inner.read(object.key) {
                Ok(_) => Ok(Presence::Present),
                Err(StoreError::Unusable { .. }) => Ok(Presence::WrongSize {
                    key: object.key,
                    recorded_bytes: object.size_bytes,
                    found_bytes: object.size_bytes,
                }),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        self.blocking("remove", move |inner| inner.remove(key)).await
    }

    async fn sweep(&self, request: &SweepRequest) -> Result<SweepOutcome, StoreError> {
        match self.ownership(&request.catalog)? {
            Ownership::Ours => {}
            Ownership::Unclaimed if request.is_dry_run => {}
            Ownership::Unclaimed => self.claim(&request.catalog)?,
            Ownership::Foreign(owner) => return Err(StoreError::foreign(owner)),
        }
        let request = request.clone();
        self.blocking("sweep", move |inner| sweep::run(inner, &request)).await
    }
}

impl Inner {
    fn path(&self, key: ObjectKey) -> PathBuf {
        match key {
            ObjectKey::Extension(digest) => {
                let name = digest.to_string();
                let mut path = self.root.join(&name[..2]);
                path.push(format!("{name}.js"));
                path
            }
            ObjectKey::Vendor(digest) => {
                let mut path = self.root.join("vendor");
                path.push(digest.to_string());
                path
            }
        }
    }

    fn lock_pending(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, code: &[u8]) -> Result<StoredObject, StoreError> {
        let key = ObjectKey::Extension(Digest::of(code));
        let path = self.path(key);
        if fs::read(&path).is_ok_and(|found| found == code) {
            touch(&path);
        } else {
            self.write_file(&path, code)?;
        }
        // Also when it was there: whoever put it may not have come to the point of syncing it.
        self.lock_pending().insert(path);
        Ok(StoredObject { key, size_bytes: code.len() as u64 })
    }

    /// Writes beside and renames; an existing file is replaced as a whole.
    fn write_file(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        let parent = path.parent().unwrap_or(&self.root);
        create_directory(parent)?;
        let temporary = self.temporary_name()?;
        let written = fs::write(&temporary, content)
            .map_err(|error| io_fault(Operation::Write, &temporary, &error))
            .and_then(|()| fs::rename(&temporary, path).map_err(|error| io_fault(Operation::Rename, path, &error)));
        written.map_err(|fault| {
            // The fault that is reported is the first one; a leftover is swept with the store.
            let _ = fs::remove_file(&temporary);
            access("write", fault)
        })
    }

    fn put_vendor(&self, files: &[BundleFile]) -> Result<StoredObject, StoreError> {
        vendor::check_names(files)?;
        let key = ObjectKey::Vendor(vendor_digest(files.iter().map(|file| (file.path.as_str(), file.code.as_bytes()))));
        let path = self.path(key);
        let size_bytes = files.iter().map(|file| file.code.len() as u64).sum();
        let is_there = self.read(key).is_ok();
        if is_there {
            touch(&path);
        } else {
            create_directory(&self.root.join("vendor"))?;
            let temporary = self.temporary_name()?;
            let placed = vendor::write(&temporary, files).and_then(|()| self.place_directory(key, &temporary, &path));
            if let Err(fault) = placed {
                let _ = remove_any(&temporary);
                return Err(access("write", fault));
            }
        }
        let mut pending = self.lock_pending();
        for file in files {
            let file = path.join(&file.path);
            pending.extend(file.ancestors().take_while(|ancestor| *ancestor != path).map(Path::to_owned));
        }
        pending.insert(path);
        Ok(StoredObject { key, size_bytes })
    }

    /// Renames a directory to its place. If one is there already, another writer was faster and ours is not needed,
    /// or it is damaged and makes way.
    fn place_directory(&self, key: ObjectKey, from: &Path, to: &Path) -> Result<(), Fault> {
        for _ in 0..8 {
            match fs::rename(from, to) {
                Ok(()) => return Ok(()),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
                    ) =>
                {
                    if self.read(key).is_ok() {
                        drop(remove_any(from));
                        return Ok(());
                    }
                    let away = self.temporary_name().map_err(|error| error.fault().clone())?;
                    match fs::rename(to, &away) {
                        // Best effort: leftovers in `tmp` are swept with the store.
                        Ok(()) => drop(remove_any(&away)),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(io_fault(Operation::Rename, to, &error)),
                    }
                }
                Err(error) => return Err(io_fault(Operation::Rename, to, &error)),
            }
        }
        let message = format!("{} is written by others again and again", to.display());
        Err(Fault::transient(Code::NOT_WRITABLE, "store:contended", message))
    }

    fn temporary_name(&self) -> Result<PathBuf, StoreError> {
        let directory = self.root.join("tmp");
        create_directory(&directory)?;
        Ok(directory.join(uuid::Uuid::new_v4().to_string()))
    }

    fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        let path = self.path(key);
        // Away first, so that no reader meets half of a directory.
        let away = self.temporary_name()?;
        match fs::rename(&path, &away) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            outcome => outcome.map_err(|error| access("remove", io_fault(Operation::Rename, &path, &error)))?,
        }
        self.lock_pending().retain(|pending| !pending.starts_with(&path));
        remove_any(&away)
    }

    /// Makes what was put durable: files and directories one by one if they are few, else the whole file system
    /// in one go.
    fn sync(&self) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut *self.lock_pending());
        if pending.is_empty() {
            return Ok(());
        }
        let outcome = self.sync_paths(&pending);
        if outcome.is_err() {
            // What was removed meanwhile is reported once, and does not fail every later sync.
            self.lock_pending().extend(pending.into_iter().filter(|path| path.exists()));
        }
        outcome.map_err(|fault| access("sync", fault))
    }

    fn sync_paths(&self, pending: &BTreeSet<PathBuf>) -> Result<(), Fault> {
        #[cfg(target_os = "linux")]
        if pending.len() > SYNC_EACH_UP_TO {
            let root = fs::File::open(&self.root).map_err(|error| io_fault(Operation::Sync, &self.root, &error))?;
            return rustix::fs::syncfs(&root)
                .map_err(|error| io_fault(Operation::Sync, &self.root, &io::Error::from(error)));
        }
        let directories: BTreeSet<&Path> = pending
            .iter()
            .flat_map(|path| path.ancestors().skip(1).take_while(|ancestor| ancestor.starts_with(&self.root)))
            .collect();
        let paths = pending.iter().map(PathBuf::as_path).chain(directories);
        for path in paths {
            let synced = fs::File::open(path).and_then(|file| file.sync_all());
            synced.map_err(|error| io_fault(Operation::Sync, path, &error))?;
        }
        Ok(())
    }

    /// The directory of the store, to look from; `None` if there is none.
    fn handle(&self) -> Result<Option<OwnedFd>, StoreError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(&self.root, flags, Mode::empty()) {
            Ok(root) => Ok(Some(root)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(access("read", io_fault(Operation::Stat, &self.root, &error.into()))),
        }
    }

    /// As [`size`](Self::size), for one of thousands: without a walk from the top of the file system.
    fn size_below(&self, root: &OwnedFd, digest: Digest) -> Result<Option<u64>, StoreError> {
        let name = digest.to_string();
        match rustix::fs::statat(root, format!("{}/{name}.js", &name[..2]), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or(0))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => {
                let path = self.path(ObjectKey::Extension(digest));
                Err(access("read", io_fault(Operation::Stat, &path, &error.into())))
            }
        }
    }

    /// The bytes that the object has; `None` if it is not there.
    fn size(&self, key: ObjectKey) -> Result<Option<u64>, StoreError> {
        let path = self.path(key);
        let size = match key {
            ObjectKey::Extension(_) => fs::symlink_metadata(&path).map(|metadata| metadata.len()),
            ObjectKey::Vendor(_) => vendor::size(&path),
        };
        match size {
            Ok(size) => Ok(Some(size)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(access("read", io_fault(Operation::Stat, &path, &error))),
        }
    }

    fn presence(&self, bundles: &[BundleRef]) -> Result<Vec<Presence>, StoreError> {
        let mut vendors: HashMap<ObjectKey, Option<u64>> = HashMap::new();
        for vendor in bundles.iter().flat_map(|bundle| &bundle.vendors) {
            if let std::collections::hash_map::Entry::Vacant(slot) = vendors.entry(vendor.key) {
                slot.insert(self.size(vendor.key)?);
            }
        }
        let look = |bundle: &BundleRef| {
            for object in bundle.closure() {
                let size = match vendors.get(&object.key) {
                    Some(size) => *size,
                    None => self.size(object.key)?,
                };
                let presence = presence_of(object, size);
                if presence != Presence::Present {
                    return Ok(presence);
                }
            }
            Ok(Presence::Present)
        };
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(4);
        if bundles.len() <= LOOK_ALONE_UP_TO || threads == 1 {
            return bundles.iter().map(look).collect();
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = bundles
                .chunks(bundles.len().div_ceil(threads))
                .map(|chunk| scope.spawn(move || chunk.iter().map(look).collect::<Result<Vec<_>, StoreError>>()))
                .collect();
            let mut presence = Vec::with_capacity(bundles.len());
            for worker in workers {
                match worker.join() {
                    Ok(part) => presence.extend(part?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(presence)
        })
    }

    fn holds(&self, objects: &[StoredObject]) -> Result<bool, StoreError> {
        let Some(root) = self.handle()? else { return Ok(objects.is_empty()) };
        let all = |objects: &[StoredObject]| {
            for object in objects {
                let size = match object.key {
                    ObjectKey::Extension(digest) => self.size_below(&root, digest)?,
                    ObjectKey::Vendor(_) => self.size(object.key)?,
                };
                if presence_of(object, size) != Presence::Present {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(4);
        if objects.len() <= LOOK_ALONE_UP_TO || threads == 1 {
            return all(objects);
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                objects.chunks(objects.len().div_ceil(threads)).map(|chunk| scope.spawn(|| all(chunk))).collect();
            let mut holds = true;
            for worker in workers {
                holds &= worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(holds)
        })
    }

    fn load(&self, bundle: &BundleRef) -> Result<LoadedBundle, StoreError> {
        let key = bundle.entry.key;
        let code = self.read(key)?.pop().map(|(_, bytes)| bytes).unwrap_or_default();
        Ok(LoadedBundle { code: text(key, code)?, vendor_files: self.vendor_files(&bundle.vendors)? })
    }

    fn vendor_files(&self, vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError> {
        let mut files = Vec::new();
        for vendor in vendors {
            for (path, bytes) in self.read(vendor.key)? {
                let path = format!("../vendor/{}/{path}", vendor.key.digest());
                files.push(BundleFile { path, code: text(vendor.key, bytes)? });
            }
        }
        files.sort();
        Ok(files)
    }

    /// Every file of an object by its path in it, compared with the object's name.
    fn read(&self, key: ObjectKey) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let path = self.path(key);
        let (files, digest) = match key {
            ObjectKey::Extension(_) => fs::read(&path).map(|bytes| {
                let digest = Digest::of(&bytes);
                (vec![(String::new(), bytes)], digest)
            }),
            ObjectKey::Vendor(_) => vendor::read(&path).map(|files| {
                let digest = vendor_digest(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
                (files, digest)
            }),
        }
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                unusable(key, Code::BUNDLE_MISSING, "is missing from the store")
            }
            io::ErrorKind::InvalidData => unusable(key, Code::BUNDLE_CORRUPT, "holds a name that is not UTF-8"),
            _ => access("read", io_fault(Operation::Read, &path, &error)),
        })?;
        if digest == key.digest() {
            Ok(files)
        } else {
            Err(unusable(key, Code::BUNDLE_CORRUPT, "does not have the content that its name says"))
        }
    }

    fn list(&self) -> Result<Vec<StoredObject>, StoreError> {
        let mut objects = Vec::new();
        for name in directory_names(&self.root)? {
            let directory = self.root.join(&name);
            let is_vendor = name == "vendor";
            if !is_vendor && name.len() != 2 {
                continue;
            }
            for name in directory_names(&directory)? {
                let digest = if is_vendor { name.as_str() } else { name.strip_suffix(".js").unwrap_or("") };
                // Not ours, or half a download of somebody else: not an object.
                let Ok(digest) = digest.parse::<Digest>() else { continue };
                let key = if is_vendor { ObjectKey::Vendor(digest) } else { ObjectKey::Extension(digest) };
                if let Some(size_bytes) = self.size(key)? {
                    objects.push(StoredObject { key, size_bytes });
                }
            }
        }
        objects.sort_unstable();
        Ok(objects)
    }
}

fn text(key: ObjectKey, bytes: Vec<u8>) -> Result<Arc<str>, StoreError> {
    let text = String::from_utf8(bytes);
    text.map(Arc::from).map_err(|_| unusable(key, Code::BUNDLE_CORRUPT, "is not UTF-8"))
}

fn presence_of(object: &StoredObject, size: Option<u64>) -> Presence {
    match size {
        None => Presence::Missing(object.key),
        Some(found_bytes) if found_bytes == object.size_bytes => Presence::Present,
        Some(found_bytes) => Presence::WrongSize { key: object.key, recorded_bytes: object.size_bytes, found_bytes },
    }
}

/// The UTF-8 names in a directory; none if there is no such directory.
fn directory_names(path: &Path) -> Result<Vec<String>, StoreError> {
    let fault = |error: io::Error| access("list", io_fault(Operation::List, path, &error));
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(fault(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(fault)?.file_name().into_string());
    }
    Ok(names)
}

fn create_directory(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|error| access("write", io_fault(Operation::Create, path, &error)))
}

fn remove_any(path: &Path) -> Result<(), StoreError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(access("remove", io_fault(Operation::Remove, path, &error)))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Marks an object as used now, for the grace period of a sweep. Best effort: a store on a read-only disk is
/// swept by nobody.
fn touch(path: &Path) {
    let now = std::time::SystemTime::now();
    let _ = fs::File::open(path).and_then(|file| file.set_modified(now));
}

fn access(operation: &'static str, fault: Fault) -> StoreError {
    StoreError::Access { operation, fault }
}

fn unusable(key: ObjectKey, code: Code, what: &str) -> StoreError {
    let fault = Fault::environment(code, "store:object", format!("{key} {what}"));
    StoreError::Unusable { key, fault }
}
