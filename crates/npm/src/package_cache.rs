//! The port over cache and locks.

use async_trait::async_trait;
use mangrove_domain::{
    cache::{LockUpdate, PackageUsage, PrunedPackages, UpdatedRequirement},
    failure::Fault,
    ports::{PackageCache, PruneRequest},
};

use super::{NpmPackages, update::Updated};

#[async_trait]
impl PackageCache for NpmPackages {
    async fn usage(&self) -> Result<PackageUsage, Fault> {
        self.usage().await
    }

    async fn prune(&self, request: &PruneRequest) -> Result<PrunedPackages, Fault> {
        self.prune(request).await
    }

    async fn update(&self, names: &[String], is_pinned: bool) -> Result<LockUpdate, Fault> {
        let update = self.update(names, is_pinned).await?;
        let requirement = |updated: Updated| UpdatedRequirement {
            requirement: updated.requirement,
            before: updated.before.to_string(),
            after: updated.after.map(|package| package.to_string()),
            is_moved: updated.is_moved,
        };
        Ok(LockUpdate {
            requirements: update.requirements.into_iter().map(requirement).collect(),
            unknown: update.unknown,
            set_aside: update.set_aside,
        })
    }
}
