//! The bundle store in a bucket of S3, with a cache here.
//!
//! ```text
//! <prefix>/<aa>/<sha256>.js                     code of one extension entry point
//! <prefix>/vendor/<sha256>/<files>.<object>     one vendor bundle: all its files in one object, named by the bytes of
//!                                               its files and its own
//! <prefix>/catalog-id                           the catalog whose rows say what is still needed
//! ```
//!
//! The bytes of every object have the digest that its key says: those of a vendor bundle are
//! [`encoded_vendor`]. An object is there as a whole or not at all, and when
//! putting it has returned it is durable. What is loaded, from the cache or from the bucket, is compared with its digest.
//! The reasons are in `design/bundle-store-s3.md`.

mod bucket;
mod cache;
mod connection;
mod faults;
mod load;
mod names;
mod options;
mod owner;
mod presence;
mod sweep;

use std::{
    fmt,
    sync::{Arc, OnceLock, Weak},
};

use async_trait::async_trait;
use bytes::Bytes;
use mangrove_domain::{
    bundle::{BundleFile, BundleRef, LoadedBundle, ObjectKey, Presence, StoredObject, encoded_vendor},
    digest::Digest,
    failure::Fault,
    ports::{BundleStore, Catalog, Clock, SHORTEST_GRACE, StoreError, SweepOutcome, SweepRequest},
};

use super::{LocalStore, OwnedStore, Ownership, access, vendor};
use crate::system::SystemClock;

pub use options::{DEFAULT_CACHE_BYTES, Endpoint, EndpointError, Place, PlaceError, S3Options};

use self::{
    bucket::{Bucket, Content},
    cache::{Cache, Kept},
    owner::Admission,
    presence::Known,
};

/// Bundles in a bucket, shared by every process and machine that uses it. Cheap to clone.
#[derive(Clone)]
pub struct S3Store {
    inner: Arc<Inner>,
}

struct Inner {
    bucket: Bucket,
    cache: Cache,
    cache_bytes: u64,
    known: Known,
    fetching: load::Turns,
    admission: Admission,
    catalog: OnceLock<Weak<dyn Catalog>>,
    clock: Arc<dyn Clock>,
}

impl S3Store {
    /// The store that these options describe. Nothing is asked before it is used.
    #[must_use]
    pub fn new(options: S3Options) -> Self {
        let cache_bytes = options.cache_bytes;
        let directory = LocalStore::new(options.cache_directory.clone());
        let inner = Inner {
            cache: Cache::new(directory, cache_bytes, options.is_cache_read_only),
            cache_bytes,
            bucket: Bucket::new(options),
            known: Known::default(),
            fetching: load::Turns::default(),
            admission: Admission::default(),
            catalog: OnceLock::new(),
            clock: Arc::new(SystemClock),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Says whose store this must be: one of another catalog is refused, and one that is nobody's becomes that of this
    /// catalog when something is put. The first one that is named counts.
    pub fn belongs_to(&self, catalog: &Arc<dyn Catalog>) {
        let _ = self.inner.catalog.set(Arc::downgrade(catalog));
    }

    /// What people know the store by: its place, and the server where it is not that of AWS.
    #[must_use]
    pub fn name(&self) -> &str {
        self.inner.bucket.name()
    }

    /// How many requests were sent to the server, repeated ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.inner.bucket.requests()
    }

    /// How large the cache may become, in bytes.
    #[must_use]
    pub fn cache_bytes(&self) -> u64 {
        self.inner.cache_bytes
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("S3Store").field("bucket", &self.inner.bucket).finish_non_exhaustive()
    }
}

impl From<S3Store> for Arc<dyn OwnedStore> {
    fn from(store: S3Store) -> Self {
        Arc::new(store)
    }
}

#[async_trait]
impl OwnedStore for S3Store {
    async fn ownership(&self, catalog_id: &str) -> Result<Ownership, StoreError> {
        self.inner.ownership(catalog_id).await
    }

    async fn claim(&self, catalog_id: &str) -> Result<(), StoreError> {
        self.inner.claim(catalog_id).await
    }

    fn expect_claim(&self) {
        self.inner.admission.admit_all();
    }
}

#[async_trait]
impl BundleStore for S3Store {
    async fn put(&self, code: &str) -> Result<StoredObject, StoreError> {
        let digest = Digest::of(code.as_bytes());
        let object = StoredObject { key: ObjectKey::Extension(digest), size_bytes: code.len() as u64 };
        self.inner.write(&names::of_extension(digest), Bytes::copy_from_slice(code.as_bytes())).await?;
        self.inner.known.add(object);
        self.inner.cache.put(object.size_bytes, Kept::Code(Arc::from(code))).await;
        Ok(object)
    }

    async fn put_vendor(&self, files: &[BundleFile]) -> Result<StoredObject, StoreError> {
        vendor::check_names(files)?;
        let encoded = encoded_vendor(files.iter().map(|file| (file.path.as_str(), file.code.as_bytes())));
        let digest = Digest::of(&encoded);
        let size_bytes = files.iter().map(|file| file.code.len() as u64).sum();
        let object = StoredObject { key: ObjectKey::Vendor(digest), size_bytes };
        let name = names::of_vendor(digest, size_bytes, encoded.len() as u64);
        self.inner.write(&name, Bytes::from(encoded)).await?;
        self.inner.known.add(object);
        self.inner.cache.put(size_bytes, Kept::Vendor(files.to_vec())).await;
        Ok(object)
    }

    fn place(&self) -> Option<String> {
        Some(self.name().to_owned())
    }

    async fn sync(&self) -> Result<(), StoreError> {
        // What was put is durable: the server answers after that.
        Ok(())
    }

    async fn presence(&self, bundles: &[&BundleRef]) -> Result<Vec<Presence>, StoreError> {
        let sizes = self.inner.sizes(bundles.iter().flat_map(|bundle| bundle.closure()).copied()).await?;
        let presence = |bundle: &&BundleRef| {
            let mut objects = bundle.closure().map(|object| sizes.presence(object));
            objects.find(|presence| *presence != Presence::Present).unwrap_or(Presence::Present)
        };
        Ok(bundles.iter().map(presence).collect())
    }

    async fn holds(&self, objects: &[StoredObject]) -> Result<bool, StoreError> {
        let sizes = self.inner.sizes(objects.iter().copied()).await?;
        Ok(objects.iter().all(|object| sizes.presence(object) == Presence::Present))
    }

    async fn load(&self, bundle: &BundleRef) -> Result<LoadedBundle, StoreError> {
        let (code, vendor_files) =
            futures::try_join!(self.inner.code(bundle.entry), self.inner.vendor_files(&bundle.vendors))?;
        Ok(LoadedBundle { code, vendor_files })
    }

    async fn vendor_files(&self, vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError> {
        self.inner.vendor_files(vendors).await
    }

    async fn list(&self) -> Result<Vec<StoredObject>, StoreError> {
        let mut objects: Vec<StoredObject> = self.inner.listed().await?.into_iter().map(|(object, _)| object).collect();
        objects.sort_unstable();
        // Of a vendor bundle whose name was written in two ways, one is the right one.
        objects.dedup_by_key(|object| object.key);
        Ok(objects)
    }

    async fn verify(&self, object: &StoredObject) -> Result<Presence, StoreError> {
        self.inner.verify(object).await
    }

    async fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        self.inner.remove(key).await
    }

    async fn sweep(&self, request: &SweepRequest) -> Result<SweepOutcome, StoreError> {
        self.inner.sweep(request).await
    }
}

impl Inner {
    /// Writes an object. One that is there is left alone if it is whole and was written lately; else it is written again,
    /// so that a sweep elsewhere does not take it for old.
    async fn write(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        self.admit(true).await?;
        let failed = |fault| access("write", fault);
        if self.bucket.create(name, content.clone()).await.map_err(failed)? {
            return Ok(());
        }
        if let Some(Content::Whole(found, modified)) = self.bucket.get(name).await.map_err(failed)?
            && found == content
            && self.clock.now().since(modified) < SHORTEST_GRACE / 2
        {
            return Ok(());
        }
        self.bucket.write(name, content).await.map_err(failed)
    }

    /// The keys in the bucket of one object.
    async fn names_of(&self, key: ObjectKey) -> Result<Vec<String>, Fault> {
        match key {
            ObjectKey::Extension(digest) => Ok(vec![names::of_extension(digest)]),
            ObjectKey::Vendor(digest) => {
                let found = self.bucket.list(&names::vendor_folder(digest)).await?;
                let ours = found.into_iter().filter(|found| names::listed(&found.name, found.size_bytes).is_some());
                Ok(ours.map(|found| found.name).collect())
            }
        }
    }

    async fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        self.admit(true).await?;
        self.known.forget(key);
        self.cache.remove(key).await?;
        let failed = |fault| access("remove", fault);
        for name in self.names_of(key).await.map_err(failed)? {
            self.bucket.remove(&name).await.map_err(failed)?;
        }
        Ok(())
    }
}
