//! Reading objects: from the cache, else from the bucket; each compared with its digest.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use mangrove_domain::{
    bundle::{BundleFile, ObjectKey, Presence, StoredObject, decoded_vendor},
    digest::Digest,
    ports::StoreError,
    problem::Code,
};

use super::{
    super::{access, unusable},
    Inner,
    bucket::{Content, PARALLEL_REQUESTS},
    cache::Kept,
    names,
};

/// Who fetches which object: others that want the same one wait for it.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<ObjectKey, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    fn of(&self, key: ObjectKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody waits for any more.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(key).or_default())
    }
}

impl Inner {
    /// The code of an extension.
    pub(super) async fn code(&self, object: StoredObject) -> Result<Arc<str>, StoreError> {
        match self.kept(object).await? {
            Kept::Code(code) => Ok(code),
            Kept::Vendor(_) => Err(unusable(object.key, Code::BUNDLE_CORRUPT, "is no code of an extension")),
        }
    }

    /// The files of these vendor bundles by their import path, sorted.
    pub(super) async fn vendor_files(&self, vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError> {
        let files = futures::stream::iter(vendors.iter().copied())
            .map(|vendor| async move {
                match self.kept(vendor).await? {
                    Kept::Vendor(files) => Ok(files),
                    Kept::Code(_) => Err(unusable(vendor.key, Code::BUNDLE_CORRUPT, "is no vendor bundle")),
                }
            })
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_collect::<Vec<_>>();
        let mut files: Vec<BundleFile> = files.await?.into_iter().flatten().collect();
        files.sort();
        Ok(files)
    }

    /// An object, from the cache if it is there; fetched by one at a time.
    async fn kept(&self, object: StoredObject) -> Result<Kept, StoreError> {
        if let Some(kept) = self.cache.get(object).await {
            return Ok(kept);
        }
        let turn = self.fetching.of(object.key);
        let _turn = turn.lock().await;
        if let Some(kept) = self.cache.get(object).await {
            return Ok(kept);
        }
        let bytes = self.fetch(object.key).await?;
        let corrupt = || unusable(object.key, Code::BUNDLE_CORRUPT, "is not UTF-8");
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(Arc::<str>::from).map_err(|_| corrupt());
        if let ObjectKey::Extension(_) = object.key {
            let kept = Kept::Code(text(&bytes)?);
            self.cache.put(bytes.len() as u64, kept.clone()).await;
            return Ok(kept);
        }
        let decoded = decoded_vendor(&bytes).ok_or_else(corrupt)?;
        let mut files = Vec::with_capacity(decoded.len());
        for (path, content) in decoded {
            files.push(BundleFile { path: path.to_owned(), code: text(content)? });
        }
        let size_bytes = files.iter().map(|file| file.code.len() as u64).sum();
        self.cache.put(size_bytes, Kept::Vendor(files.clone())).await;
        let digest = object.key.digest();
        for file in &mut files {
            file.path = format!("../vendor/{digest}/{}", file.path);
        }
        Ok(Kept::Vendor(files))
    }

    /// The bytes of an object in the bucket, whose digest is that of its key.
    async fn fetch(&self, key: ObjectKey) -> Result<Bytes, StoreError> {
        self.admit(false).await?;
        let mut damage = None;
        // What came damaged may have become so on the way.
        for _ in 0..2 {
            for name in self.names_of(key).await.map_err(|fault| access("read", fault))? {
                match self.bucket.get(&name).await.map_err(|fault| access("read", fault))? {
                    Some(Content::Whole(bytes, _)) if Digest::of(&bytes) == key.digest() => return Ok(bytes),
                    Some(Content::Whole(..)) => damage = Some("does not have the content that its name says"),
                    Some(Content::TooLarge(_)) => damage = Some("is larger than any bundle"),
                    None => {}
                }
            }
            if damage.is_none() {
                break;
            }
        }
        self.known.forget(key);
        Err(match damage {
            Some(damage) => unusable(key, Code::BUNDLE_CORRUPT, damage),
            None => unusable(key, Code::BUNDLE_MISSING, "is missing from the store"),
        })
    }

    /// Compares what the bucket has with the digest, and never what the cache has.
    pub(super) async fn verify(&self, object: &StoredObject) -> Result<Presence, StoreError> {
        self.admit(false).await?;
        let found_bytes =
            |found_bytes| Presence::WrongSize { key: object.key, recorded_bytes: object.size_bytes, found_bytes };
        let mut presence = Presence::Missing(object.key);
        for name in self.names_of(object.key).await.map_err(|fault| access("read", fault))? {
            let bytes = match self.bucket.get(&name).await.map_err(|fault| access("read", fault))? {
                None => continue,
                Some(Content::TooLarge(bytes)) => {
                    presence = found_bytes(bytes);
                    continue;
                }
                Some(Content::Whole(bytes, _)) => bytes,
            };
            let size_bytes = names::listed(&name, bytes.len() as u64).map_or(0, |listed| listed.size_bytes);
            if size_bytes == object.size_bytes && Digest::of(&bytes) == object.key.digest() {
                return Ok(Presence::Present);
            }
            presence = found_bytes(size_bytes);
        }
        Ok(presence)
    }
}
