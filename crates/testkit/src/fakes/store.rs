//! The bundle store in memory.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{BundleFile, BundleRef, LoadedBundle, ObjectKey, Presence, StoredObject, vendor_digest},
    digest::Digest,
    failure::Fault,
    ports::{BundleStore, StoreError, SweepOutcome, SweepRequest},
    problem::Code,
    source::RelativePath,
    time::Timestamp,
};

use super::lock;

/// A store in memory. It knows what was synced: [`crash`](Self::crash) loses the rest, and
/// [`MemoryCatalog`](super::MemoryCatalog) refuses rows that name it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    content: Mutex<Content>,
    failures: Mutex<VecDeque<StoreError>>,
}

#[derive(Debug, Default)]
struct Content {
    objects: BTreeMap<ObjectKey, Vec<(String, Vec<u8>)>>,
    durable: BTreeSet<ObjectKey>,
    touched: BTreeMap<ObjectKey, Timestamp>,
    owner: Option<String>,
    puts: usize,
}

impl Content {
    fn size(&self, key: ObjectKey) -> Option<u64> {
        let files = self.objects.get(&key)?;
        Some(files.iter().map(|(_, bytes)| bytes.len() as u64).sum())
    }

    fn presence(&self, object: &StoredObject) -> Presence {
        match self.size(object.key) {
            None => Presence::Missing(object.key),
            Some(found_bytes) if found_bytes != object.size_bytes => {
                Presence::WrongSize { key: object.key, recorded_bytes: object.size_bytes, found_bytes }
            }
            Some(_) => Presence::Present,
        }
    }

    fn verified(&self, key: ObjectKey) -> Result<&[(String, Vec<u8>)], StoreError> {
        let files = self.objects.get(&key).ok_or_else(|| unusable(key, Code::BUNDLE_MISSING, "is missing"))?;
        if digest_of(key, files) != key.digest() {
            return Err(unusable(key, Code::BUNDLE_CORRUPT, "is damaged"));
        }
        Ok(files)
    }
}

fn digest_of(key: ObjectKey, files: &[(String, Vec<u8>)]) -> Digest {
    match key {
        ObjectKey::Extension(_) => Digest::of(files.first().map_or(&[], |(_, bytes)| bytes)),
        ObjectKey::Vendor(_) => vendor_digest(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))),
    }
}

fn unusable(key: ObjectKey, code: Code, what: &str) -> StoreError {
    let fault = Fault::environment(code, "store:memory", format!("{key} {what}"));
    StoreError::Unusable { key, fault }
}

fn text(key: ObjectKey, bytes: &[u8]) -> Result<Arc<str>, StoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| unusable(key, Code::BUNDLE_CORRUPT, "is not UTF-8"))?;
    Ok(Arc::from(text))
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// True if the object is there, undamaged in size, and survives a crash.
    #[must_use]
    pub fn is_durable(&self, object: &StoredObject) -> bool {
        let content = lock(&self.content);
        content.durable.contains(&object.key) && content.presence(object) == Presence::Present
    }

    /// How often something was put.
    #[must_use]
    pub fn puts(&self) -> usize {
        lock(&self.content).puts
    }

    /// Makes the next put fail; several queue up.
    pub fn fail_next_put(&self, error: StoreError) {
        lock(&self.failures).push_back(error);
    }

    /// Loses everything that was not synced.
    pub fn crash(&self) {
        let Content { objects, durable, .. } = &mut *lock(&self.content);
        objects.retain(|key, _| durable.contains(key));
    }

    /// Replaces the bytes of an object's first file, as a damaged disk would.
    ///
    /// # Panics
    /// If the object is not there.
    pub fn damage(&self, key: ObjectKey, bytes: &[u8]) {
        let mut content = lock(&self.content);
        let files = content.objects.get_mut(&key).expect("an object to damage");
        bytes.clone_into(&mut files[0].1);
    }

    fn insert(&self, key: ObjectKey, files: Vec<(String, Vec<u8>)>) -> Result<StoredObject, StoreError> {
        if let Some(error) = lock(&self.failures).pop_front() {
            return Err(error);
        }
        let mut content = lock(&self.content);
        content.puts += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        content.touched.insert(key, Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)));
        let size_bytes = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        if content.objects.insert(key, files).is_none() {
            content.durable.remove(&key);
        }
        Ok(StoredObject { key, size_bytes })
    }
}

#[async_trait]
impl BundleStore for MemoryStore {
    async fn put(&self, code: &str) -> Result<StoredObject, StoreError> {
        let key = ObjectKey::Extension(Digest::of(code.as_bytes()));
        self.insert(key, vec![(String::new(), code.as_bytes().to_vec())])
    }

    async fn put_vendor(&self, files: &[BundleFile]) -> Result<StoredObject, StoreError> {
        let mut paths = BTreeSet::new();
        for file in files {
            let is_plain = RelativePath::parse(&file.path).is_ok_and(|path| path.as_str() == file.path);
            if !is_plain || !paths.insert(&file.path) {
                let message = format!("{:?} is not a file name of a vendor bundle", file.path);
                let fault = Fault::deterministic(Code::PACKAGE_MALFORMED, "store:vendor", message);
                return Err(StoreError::Access { operation: "write", fault });
            }
        }
        let key = ObjectKey::Vendor(vendor_digest(files.iter().map(|file| (file.path.as_str(), file.code.as_bytes()))));
        let mut stored: Vec<(String, Vec<u8>)> =
            files.iter().map(|file| (file.path.clone(), file.code.as_bytes().to_vec())).collect();
        stored.sort();
        self.insert(key, stored)
    }

    async fn sync(&self) -> Result<(), StoreError> {
        let Content { objects, durable, .. } = &mut *lock(&self.content);
        durable.extend(objects.keys().copied());
        Ok(())
    }

    async fn presence(&self, bundles: &[&BundleRef]) -> Result<Vec<Presence>, StoreError> {
        let content = lock(&self.content);
        let presence = |bundle: &&BundleRef| {
            let mut objects = bundle.closure().map(|object| content.presence(object));
            objects.find(|presence| *presence != Presence::Present).unwrap_or(Presence::Present)
        };
        Ok(bundles.iter().map(presence).collect())
    }

    async fn holds(&self, objects: &[StoredObject]) -> Result<bool, StoreError> {
        let content = lock(&self.content);
        Ok(objects.iter().all(|object| content.presence(object) == Presence::Present))
    }

    async fn load(&self, bundle: &BundleRef) -> Result<LoadedBundle, StoreError> {
        let key = bundle.entry.key;
        let code = text(key, lock(&self.content).verified(key)?.first().map_or(&[], |(_, bytes)| bytes))?;
        Ok(LoadedBundle { code, vendor_files: self.vendor_files(&bundle.vendors).await? })
    }

    async fn vendor_files(&self, vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError> {
        let content = lock(&self.content);
        let mut files = Vec::new();
        for vendor in vendors {
            for (path, bytes) in content.verified(vendor.key)? {
                let path = format!("../vendor/{}/{path}", vendor.key.digest());
                files.push(BundleFile { path, code: text(vendor.key, bytes)? });
            }
        }
        files.sort();
        Ok(files)
    }

    async fn list(&self) -> Result<Vec<StoredObject>, StoreError> {
        let content = lock(&self.content);
        let sizes = content.objects.keys().filter_map(|key| Some((*key, content.size(*key)?)));
        Ok(sizes.map(|(key, size_bytes)| StoredObject { key, size_bytes }).collect())
    }

    async fn verify(&self, object: &StoredObject) -> Result<Presence, StoreError> {
        let content = lock(&self.content);
        match content.presence(object) {
            Presence::Present => content.verified(object.key).map(|_| Presence::Present),
            presence @ (Presence::Missing(_) | Presence::WrongSize { .. }) => Ok(presence),
        }
    }

    async fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        let mut content = lock(&self.content);
        content.objects.remove(&key);
        content.durable.remove(&key);
        Ok(())
    }

    async fn sweep(&self, request: &SweepRequest) -> Result<SweepOutcome, StoreError> {
        let mut content = lock(&self.content);
        if let Some(owner) = content.owner.clone().filter(|owner| *owner != request.catalog) {
            return Err(StoreError::foreign(owner));
        }
        let goes = |key: &ObjectKey| {
            !request.needed.contains(key) && content.touched.get(key).is_some_and(|at| request.is_old(*at))
        };
        let keys: Vec<ObjectKey> = content.objects.keys().copied().filter(goes).collect();
        let sizes = keys.iter().filter_map(|key| Some(StoredObject { key: *key, size_bytes: content.size(*key)? }));
        let outcome = SweepOutcome { objects: sizes.collect(), leftovers: 0 };
        if !request.is_dry_run {
            content.owner = Some(request.catalog.clone());
            for key in keys {
                content.objects.remove(&key);
                content.durable.remove(&key);
            }
        }
        Ok(outcome)
    }
}
