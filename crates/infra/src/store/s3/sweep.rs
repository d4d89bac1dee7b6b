//! Taking away what nothing needs any more, beside other machines that write.

use futures::{StreamExt as _, TryStreamExt as _};
use mangrove_domain::{
    bundle::StoredObject,
    ports::{StoreError, SweepOutcome, SweepRequest},
};

use super::{
    super::{Ownership, access, sweep},
    Inner,
    bucket::PARALLEL_REQUESTS,
};

impl Inner {
    pub(super) async fn sweep(&self, request: &SweepRequest) -> Result<SweepOutcome, StoreError> {
        match self.ownership(&request.catalog).await? {
            Ownership::Ours => {}
            Ownership::Unclaimed if request.is_dry_run => {}
            Ownership::Unclaimed => self.claim_if_free(&request.catalog).await?,
            Ownership::Foreign(owner) => return Err(StoreError::foreign(owner)),
        }
        let old = self
            .listed()
            .await?
            .into_iter()
            .filter(|(object, modified)| !request.needed.contains(&object.key) && request.is_old(*modified));
        let old: Vec<StoredObject> = old.map(|(object, _)| object).collect();
        let removed = futures::stream::iter(old)
            .map(|object| async move {
                let goes = request.is_dry_run || self.remove_if_old(object, request).await?;
                Ok::<_, StoreError>(goes.then_some(object))
            })
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_collect::<Vec<_>>();
        let mut objects: Vec<StoredObject> = removed.await?.into_iter().flatten().collect();
        objects.sort_unstable();
        objects.dedup();
        let cached = request.clone();
        let leftovers = self.cache.store().blocking("sweep", move |inner| sweep::leftovers(inner, &cached)).await;
        Ok(SweepOutcome { objects, leftovers: leftovers.unwrap_or(0) })
    }

    /// Removes an object if it is still old: somebody may have put it again since it was listed.
    async fn remove_if_old(&self, object: StoredObject, request: &SweepRequest) -> Result<bool, StoreError> {
        let failed = |fault| access("sweep", fault);
        let mut is_removed = false;
        for name in self.names_of(object.key).await.map_err(failed)? {
            let Some(found) = self.bucket.look(&name).await.map_err(failed)? else { continue };
            if request.is_old(found.modified) {
                self.known.forget(object.key);
                self.bucket.remove(&found.name).await.map_err(failed)?;
                is_removed = true;
            }
        }
        if is_removed {
            self.cache.remove(object.key).await?;
        }
        Ok(is_removed)
    }
}
