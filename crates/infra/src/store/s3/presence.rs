//! What is there and how large it is: asked one by one where it is little, by one listing where it is much, and remembered
//! for a while.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _};
use mangrove_domain::{
    bundle::{ObjectKey, Presence, StoredObject},
    failure::{FailureClass, Fault},
    ports::StoreError,
    time::Timestamp,
};
use tokio::time::{Instant, timeout};

use super::{
    super::{access, presence::presence_of},
    Inner,
    bucket::PARALLEL_REQUESTS,
    names,
};

/// For how long an object that was seen counts as there. Only a sweep takes objects away, those that were needed by nobody
/// for a day; whoever loads one that is gone hears of it.
const REMEMBERED: Duration = Duration::from_mins(1);

/// From this many on, a listing of everything is cheaper: it tells of a thousand objects in one request.
const LISTED_FROM: usize = 16;

/// How long a server is waited for that says nothing, while there are copies of everything that is asked for. Its own time limits
/// are those of large objects, and whoever wants to run a method would wait for all of them.
const PATIENCE_WITH_COPIES: Duration = Duration::from_secs(3);

/// Objects that were seen, and when. That something is not there is not remembered.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<ObjectKey, (u64, Instant)>>);

impl Known {
    pub(super) fn add(&self, object: StoredObject) {
        self.lock().insert(object.key, (object.size_bytes, Instant::now()));
    }

    pub(super) fn forget(&self, key: ObjectKey) {
        self.lock().remove(&key);
    }

    /// Of everything that there was when the listing began.
    fn replace(&self, objects: &[StoredObject], began: Instant) {
        let mut known = self.lock();
        known.retain(|_, (_, seen)| *seen >= began);
        for object in objects {
            known.insert(object.key, (object.size_bytes, began));
        }
    }

    fn sizes(&self, keys: &HashSet<ObjectKey>) -> HashMap<ObjectKey, u64> {
        let known = self.lock();
        let fresh = keys.iter().filter_map(|key| Some((*key, known.get(key)?)));
        fresh.filter(|(_, (_, seen))| seen.elapsed() < REMEMBERED).map(|(key, (size, _))| (key, *size)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, (u64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How large some objects are, as far as they are there.
pub(super) struct Sizes(HashMap<ObjectKey, u64>);

impl Sizes {
    pub(super) fn presence(&self, object: &StoredObject) -> Presence {
        presence_of(object, self.0.get(&object.key).copied())
    }
}

impl Inner {
    /// How large these objects are. While the server cannot be reached, those in the cache count as there.
    pub(super) async fn sizes(&self, objects: impl Iterator<Item = StoredObject>) -> Result<Sizes, StoreError> {
        let wanted: HashSet<StoredObject> = objects.collect();
        let keys: HashSet<ObjectKey> = wanted.iter().map(|object| object.key).collect();
        let mut sizes = self.known.sizes(&keys);
        let unknown: Vec<ObjectKey> = keys.into_iter().filter(|key| !sizes.contains_key(key)).collect();
        if unknown.is_empty() {
            return Ok(Sizes(sizes));
        }
        let missing = || wanted.iter().filter(|object| !sizes.contains_key(&object.key)).copied().collect::<Vec<_>>();
        let mut looking = pin!(self.looked_at(&unknown));
        // A listing of everything takes as long as it takes.
        let is_little = unknown.len() < LISTED_FROM;
        let in_time = if is_little { timeout(PATIENCE_WITH_COPIES, &mut looking).await.ok() } else { None };
        let looked = match in_time {
            Some(looked) => looked,
            None if is_little && self.cache.holds(missing()).await => Err(access("read", self.bucket.is_silent())),
            None => looking.await,
        };
        match looked {
            Ok(found) => sizes.extend(found),
            Err(error) if error.fault().class == FailureClass::Transient => {
                let missing = missing();
                if !self.cache.holds(missing.clone()).await {
                    return Err(error);
                }
                tracing::warn!(%error, "using the bundles that are in the cache");
                sizes.extend(missing.into_iter().map(|object| (object.key, object.size_bytes)));
            }
            Err(error) => return Err(error),
        }
        Ok(Sizes(sizes))
    }

    async fn looked_at(&self, keys: &[ObjectKey]) -> Result<Vec<(ObjectKey, u64)>, StoreError> {
        self.admit(false).await?;
        if keys.len() >= LISTED_FROM {
            let objects = self.listed().await?;
            return Ok(objects.into_iter().map(|(object, _)| (object.key, object.size_bytes)).collect());
        }
        let found = futures::stream::iter(keys.iter().copied())
            .map(|key| self.looked_at_one(key))
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_collect::<Vec<_>>()
            .await
            .map_err(|fault| access("read", fault))?;
        let found: Vec<StoredObject> = found.into_iter().flatten().collect();
        for object in &found {
            self.known.add(*object);
        }
        Ok(found.into_iter().map(|object| (object.key, object.size_bytes)).collect())
    }

    async fn looked_at_one(&self, key: ObjectKey) -> Result<Option<StoredObject>, Fault> {
        let found = match key {
            ObjectKey::Extension(digest) => self.bucket.look(&names::of_extension(digest)).await?.into_iter().collect(),
            ObjectKey::Vendor(digest) => self.bucket.list(&names::vendor_folder(digest)).await?,
        };
        Ok(found.iter().find_map(|found| names::listed(&found.name, found.size_bytes)))
    }

    /// All objects, and when each was written last.
    pub(super) async fn listed(&self) -> Result<Vec<(StoredObject, Timestamp)>, StoreError> {
        self.admit(false).await?;
        let began = Instant::now();
        let found = self.bucket.list("").await.map_err(|fault| access("list", fault))?;
        let listed =
            found.iter().filter_map(|found| Some((names::listed(&found.name, found.size_bytes)?, found.modified)));
        let listed: Vec<(StoredObject, Timestamp)> = listed.collect();
        let objects: Vec<StoredObject> = listed.iter().map(|(object, _)| *object).collect();
        self.known.replace(&objects, began);
        Ok(listed)
    }
}
