//! What was read from the bucket or written to it, kept here: bounded in size, those that were used longest ago leave first.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use mangrove_domain::{
    bundle::{BundleFile, BundleRef, ObjectKey, StoredObject},
    ports::StoreError,
    problem::Code,
};

use super::super::{Inner, LocalStore};

/// Looks at the directory again after so large a part of the bound was written: other processes write there too.
const PARTS_OF_THE_BOUND: u64 = 16;

/// Objects in a directory. That it cannot be read or written costs requests and nothing else.
#[derive(Debug)]
pub(super) struct Cache {
    store: LocalStore,
    limit_bytes: u64,
    is_read_only: bool,
    size: Arc<Mutex<Size>>,
}

/// How large the objects in the directory are together.
#[derive(Debug, Default)]
struct Size {
    /// As they were counted, and what was written since; `None` before they were.
    bytes: Option<u64>,
    written_since: u64,
}

/// The code of one extension, or the files of one vendor bundle.
#[derive(Clone)]
pub(super) enum Kept {
    Code(Arc<str>),
    Vendor(Vec<BundleFile>),
}

impl Cache {
    pub(super) fn new(store: LocalStore, limit_bytes: u64, is_read_only: bool) -> Self {
        Self { store, limit_bytes, is_read_only, size: Arc::default() }
    }

    /// The directory.
    pub(super) const fn store(&self) -> &LocalStore {
        &self.store
    }

    /// An object as it was stored, compared with its digest; `None` if it is not here. The files of a vendor bundle have
    /// their import paths. What is damaged is taken away.
    pub(super) async fn get(&self, object: StoredObject) -> Option<Kept> {
        let is_read_only = self.is_read_only;
        let read = move |inner: &Inner| {
            let read = match object.key {
                ObjectKey::Extension(_) => {
                    inner.load(&BundleRef { entry: object, vendors: Vec::new() }).map(|loaded| Kept::Code(loaded.code))
                }
                ObjectKey::Vendor(_) => inner.vendor_files(&[object]).map(Kept::Vendor),
            };
            match &read {
                Ok(_) if !is_read_only => inner.mark_as_used(&inner.path(object.key)),
                Err(StoreError::Unusable { fault, .. }) if fault.code == Code::BUNDLE_CORRUPT && !is_read_only => {
                    tracing::debug!(%fault, "taken out of the cache");
                    let _ = inner.remove(object.key);
                }
                Ok(_) | Err(_) => {}
            }
            read
        };
        match self.store.blocking("read", read).await {
            Ok(kept) => Some(kept),
            Err(StoreError::Unusable { .. }) => None,
            Err(error) => {
                tracing::debug!(%error, "the cache of bundles cannot be read");
                None
            }
        }
    }

    /// True if all of these objects are here with these sizes.
    pub(super) async fn holds(&self, objects: Vec<StoredObject>) -> bool {
        self.store.blocking("read", move |inner| inner.holds(&objects)).await.unwrap_or(false)
    }

    /// Keeps an object. Those that were used longest ago make room; what is larger than the bound is not kept.
    pub(super) async fn put(&self, size_bytes: u64, kept: Kept) {
        if self.is_read_only || size_bytes > self.limit_bytes {
            return;
        }
        let (size, limit_bytes) = (Arc::clone(&self.size), self.limit_bytes);
        let write = move |inner: &Inner| {
            // Until it is written: what was counted must be there for whoever counts next.
            let mut size = lock(&size);
            make_room(inner, &mut size, limit_bytes, size_bytes)?;
            match kept {
                Kept::Code(code) => inner.put(code.as_bytes())?,
                Kept::Vendor(files) => inner.put_vendor(&files)?,
            };
            // What a crash takes away is fetched again.
            inner.lock_pending().clear();
            Ok(())
        };
        if let Err(error) = self.store.blocking("write", write).await {
            tracing::debug!(%error, "the cache of bundles cannot be written");
        }
    }

    /// Takes an object away, if it is here.
    pub(super) async fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        if self.is_read_only {
            return Ok(());
        }
        let is_here = self.store.blocking("read", move |inner| inner.size(key)).await?.is_some();
        if is_here { self.store.blocking("remove", move |inner| inner.remove(key)).await } else { Ok(()) }
    }
}

/// Makes room for an object of this size, and counts it.
fn make_room(inner: &Inner, size: &mut Size, limit_bytes: u64, size_bytes: u64) -> Result<(), StoreError> {
    let is_due = size.written_since.saturating_mul(PARTS_OF_THE_BOUND) >= limit_bytes;
    let counted = match size.bytes {
        Some(bytes) if !is_due => bytes,
        Some(_) | None => {
            size.written_since = 0;
            inner.list()?.iter().map(|object| object.size_bytes).sum()
        }
    };
    let mut bytes = counted;
    if bytes.saturating_add(size_bytes) > limit_bytes {
        let mut objects = by_use(inner)?;
        bytes = objects.iter().map(|(_, object)| object.size_bytes).sum();
        // A tenth more than needed, so that not every object that follows looks at all of them again.
        let goal = limit_bytes.saturating_sub(size_bytes).min(limit_bytes / 10 * 9);
        objects.sort_unstable();
        for (_, object) in objects {
            if bytes <= goal {
                break;
            }
            inner.remove(object.key)?;
            bytes = bytes.saturating_sub(object.size_bytes);
        }
    }
    size.bytes = Some(bytes.saturating_add(size_bytes));
    size.written_since = size.written_since.saturating_add(size_bytes);
    Ok(())
}

/// All objects, and when each was used last.
fn by_use(inner: &Inner) -> Result<Vec<(SystemTime, StoredObject)>, StoreError> {
    let used = |object: &StoredObject| {
        let metadata = inner.path(object.key).symlink_metadata();
        // What somebody else took away meanwhile goes first.
        metadata.and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    };
    Ok(inner.list()?.into_iter().map(|object| (used(&object), object)).collect())
}

fn lock(size: &Mutex<Size>) -> MutexGuard<'_, Size> {
    size.lock().unwrap_or_else(PoisonError::into_inner)
}
