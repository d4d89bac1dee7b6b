//! Packages from a registry.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    failure::Fault,
    fingerprint::Part,
    outage::Outages,
    package::{PackageRequest, PreparedPackages},
};

/// Resolution, fetching and pre-bundling of packages.
///
/// Implementations MUST answer [`closure`](Self::closure) from lock files and caches alone, without a
/// network; MUST resolve a range the same way tomorrow, and
/// as the request's lock file says where it does; MUST verify the integrity of everything fetched and
/// never leave half an entry in the cache; MUST share one attempt among simultaneous requests for one package.
/// A failure is never remembered as an answer; what could not be reached is told to the outages of the request, and not
/// asked again while these say so. The adapter is held to it by the tests of
/// `infra::npm` over a fake registry.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Packages: Send + Sync {
    /// The packages part of a fingerprint: the locked closure of these specifiers. What is not locked yet
    /// contributes a line that says so, so that a later lock makes a difference.
    async fn closure(&self, request: &PackageRequest) -> Result<Part, Fault>;

    /// Makes the packages ready to import: resolves, fetches, verifies, builds vendor bundles and puts them
    /// into the store. `outages` are those of the plan that the request belongs to, new ones for a request by itself.
    async fn prepare(&self, request: &PackageRequest, outages: &Arc<Outages>) -> Result<PreparedPackages, Fault>;
}
