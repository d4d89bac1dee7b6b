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
//! at once per call. No link below the root is followed to write, to sweep or to remove. Bytes are compared with their digest by `load` and `verify`, and by `put` when something of
//! that name is there: a damaged object is replaced by what should have been there all the time. Vendor bundles that many
//! entries share are read and compared once, and then as long as they have the size that they had.

mod durable;
mod presence;
mod read;
mod recent;
#[cfg(feature = "s3")]
pub mod s3;
mod sweep;
mod vendor;
mod write;

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{BundleFile, BundleRef, LoadedBundle, ObjectKey, Presence, StoredObject},
    failure::Fault,
    ports::{BundleStore, StoreError, SweepOutcome, SweepRequest},
    problem::Code,
};
use mangrove_fs::{
    directory::{self, Directory},
    faults::{Operation, io_fault},
    read::{FileKind, Within},
};

use self::{presence::presence_of, recent::Recent};

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
    /// Vendor bundles that were read lately.
    recent: Recent,
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

/// A bundle store that knows whose it is.
#[async_trait]
pub trait OwnedStore: BundleStore {
    /// Whose store this is, seen from the catalog with this identifier.
    async fn ownership(&self, catalog_id: &str) -> Result<Ownership, StoreError>;

    /// Makes the store that of this catalog, whoever's it was.
    async fn claim(&self, catalog_id: &str) -> Result<(), StoreError>;

    /// Says that a [claim](Self::claim) for a new catalog will follow: until then the store is used whoever's it is.
    fn expect_claim(&self) {}
}

impl From<LocalStore> for Arc<dyn OwnedStore> {
    fn from(store: LocalStore) -> Self {
        Arc::new(store)
    }
}

#[async_trait]
impl OwnedStore for LocalStore {
    async fn ownership(&self, catalog_id: &str) -> Result<Ownership, StoreError> {
        LocalStore::ownership(self, catalog_id)
    }

    async fn claim(&self, catalog_id: &str) -> Result<(), StoreError> {
        LocalStore::claim(self, catalog_id)
    }
}

impl LocalStore {
    /// The store in this directory, such as `.mangrove/bundles`. Nothing is created before the first put.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { root: root.into(), pending: Mutex::default(), recent: Recent::default() }) }
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
        match mangrove_fs::read::text(&path, Within::Unlinked, FileKind::State) {
            Ok(text) if text.trim() == catalog_id => Ok(Ownership::Ours),
            Ok(text) => Ok(Ownership::Foreign(text.trim().to_owned())),
            Err(error) if error.is_absent() => Ok(Ownership::Unclaimed),
            Err(error) => Err(access("read", error.into_fault())),
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
        mangrove_fs::blocking(move || work(&inner)).await.unwrap_or_else(|error| {
            let message = format!("cannot {operation} bundles: {error}");
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

    /// The directory at this place, opened without links; `None` if there is none.
    fn directory(&self, operation: &'static str, path: &Path) -> Result<Option<Directory>, StoreError> {
        match Directory::open(&self.root, path) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(access(operation, io_fault(Operation::List, path, &error))),
        }
    }

    /// The directory at this place, made if it is missing.
    fn made_directory(&self, path: &Path) -> Result<Directory, StoreError> {
        Directory::make(&self.root, path).map_err(|error| access("write", io_fault(Operation::Create, path, &error)))
    }

    /// Removes whatever stands at this place; what is gone already is no error.
    fn remove_any(&self, path: &Path) -> Result<(), StoreError> {
        match directory::remove_all(&self.root, path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(access("remove", io_fault(Operation::Remove, path, &error)))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn lock_pending(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The UTF-8 names in a directory.
fn names_in(directory: &Directory) -> Result<Vec<String>, StoreError> {
    let names = directory.names();
    let names = names.map_err(|error| access("list", io_fault(Operation::List, directory.path(), &error)))?;
    Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
}

/// True if nothing stands at the place that an operation was for.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn access(operation: &'static str, fault: Fault) -> StoreError {
    StoreError::Access { operation, fault }
}

fn unusable(key: ObjectKey, code: Code, what: &str) -> StoreError {
    let fault = Fault::environment(code, "store:object", format!("{key} {what}"));
    StoreError::Unusable { key, fault }
}
