//! Cached packages and bundles: how much there is, and what may go.

use std::{collections::BTreeSet, time::Duration};

use mangrove_domain::{
    bundle::{ObjectKey, StoredObject},
    cache::{Amount, LockUpdate, PackageUsage, PrunedPackages},
    digest::Digest,
    ports::{PruneRequest, RequiredPackages, SweepOutcome},
    problem::Problem,
};

use super::{base::Service, error::ServiceError};
use crate::{
    scan,
    upkeep::{self, SourceInventory, Sweep},
};

/// What was fetched this recently may not be locked yet.
const GRACE: Duration = Duration::from_hours(1);

/// How much is cached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheUsage {
    /// Where the bundles lie, where it is not the state directory.
    pub store_place: Option<String>,
    /// Packages.
    pub packages: PackageUsage,
    /// Bundles of sources.
    pub bundles: Amount,
    /// Vendor bundles.
    pub vendors: Amount,
}

/// What was removed, or in a dry run would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Files of packages that no lock names.
    pub packages: Amount,
    /// Requirements of packages that no source has any more, in the lock of the state directory.
    pub requirements: u64,
    /// Bundles that no source needs.
    pub bundles: Amount,
    /// Leftovers of interrupted writes.
    pub leftovers: u64,
    /// Why no bundles were removed; empty if they were.
    pub withheld: Vec<Problem>,
}

/// What is taken out of our own lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locked {
    /// What no source requires.
    OfNoSource,
    /// Nothing: nobody asked for it, and who is on another branch for an hour finds the same versions afterwards.
    Nothing,
}

/// Why nothing was pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// Not everything can be looked at, and a lock there may name packages that are still needed.
    #[error("nothing was removed: {0}, and a lock there may name packages that are still needed")]
    Unobservable(String),
    /// Sources, catalog, store or cache cannot be used.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// How much is cached. Changes nothing.
    ///
    /// # Errors
    /// Cache or store cannot be looked at, or this service has no cache of packages.
    pub async fn cache_usage(&self) -> Result<CacheUsage, ServiceError> {
        let packages = self.package_cache()?.usage().await;
        let packages = packages.map_err(ServiceError::failed("looking at the cache"))?;
        let mut usage = CacheUsage { packages, ..CacheUsage::default() };
        usage.store_place = self.scanner.ports().store.place();
        for object in self.stored_objects().await? {
            match object.key {
                ObjectKey::Vendor(_) => usage.vendors.add(object.size_bytes),
                ObjectKey::Extension(_) => usage.bundles.add(object.size_bytes),
            }
        }
        Ok(usage)
    }

    /// Removes packages that no lock names and bundles that no source needs, and what our own lock holds for no source.
    ///
    /// # Errors
    /// [`PruneError`]; nothing was removed then, or bundles only.
    pub async fn prune(&self, is_dry_run: bool) -> Result<Pruned, PruneError> {
        self.prune_with(Locked::OfNoSource, is_dry_run).await
    }

    pub(super) async fn prune_with(&self, locked: Locked, is_dry_run: bool) -> Result<Pruned, PruneError> {
        let cache = self.package_cache()?;
        let look = SourceInventory::take(&self.scanner).await.map_err(ServiceError::Scan)?;
        if let Some(unobservable) = look.unobservable {
            return Err(PruneError::Unobservable(unobservable));
        }
        let stored = self.stored_objects().await?;
        let mut kept: BTreeSet<Digest> = stored.into_iter().map(|object| object.key.digest()).collect();
        let swept = upkeep::sweep(&self.scanner, &look, is_dry_run).await.map_err(ServiceError::Scan)?;
        let (outcome, withheld) = match swept {
            Sweep::Done(outcome) => (outcome, Vec::new()),
            Sweep::Withheld(problems) => (SweepOutcome::default(), problems),
        };
        let mut bundles = Amount::default();
        for object in &outcome.objects {
            kept.remove(&object.key.digest());
            bundles.add(object.size_bytes);
        }
        // Where the catalog does not know of every source, more may be needed than sources say.
        let required = if withheld.is_empty() && locked == Locked::OfNoSource {
            let packages = upkeep::packages_in_use(&self.scanner).await.map_err(ServiceError::Scan)?;
            Some(RequiredPackages { specifiers: look.specifiers, packages })
        } else {
            None
        };
        let request = PruneRequest { locks: look.locks, required, stored: kept, grace: GRACE, is_dry_run };
        let pruned = cache.prune(&request).await.map_err(ServiceError::failed("pruning the cache"))?;
        let mut leftovers = outcome.leftovers as u64;
        if let Some(running) = &self.options.running {
            let removed = running.data.remove_leftovers(is_dry_run).await;
            leftovers += removed.map_err(|error| ServiceError::failed("pruning the data")(error.fault))?;
        }
        let PrunedPackages { files: packages, requirements } = pruned;
        Ok(Pruned { packages, requirements, bundles, leftovers, withheld })
    }

    /// Resolves locked packages again and moves their locks: those of these names, or all of them. With `is_pinned`, the
    /// lock that is committed receives everything that is locked.
    ///
    /// # Errors
    /// A lock cannot be read or written, or must not move.
    pub async fn update_locks(&self, names: &[String], is_pinned: bool) -> Result<LockUpdate, ServiceError> {
        let update = self.package_cache()?.update(names, is_pinned).await;
        update.map_err(ServiceError::failed("updating the lock"))
    }

    async fn stored_objects(&self) -> Result<Vec<StoredObject>, ServiceError> {
        let listed = self.scanner.ports().store.list().await;
        listed.map_err(|source| scan::Error::reading_store(source).into())
    }
}
