//! Building one module from many.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::AttemptCache;
use crate::{
    bundle::{Bundle, BundleFile},
    failure::{Failure, Fault},
    module_graph::ModuleGraph,
    outage::Outages,
    package::{Offer, PackageRequest},
    route::Route,
};

/// Turns a module graph into one module.
///
/// Implementations MUST use the bytes of the request for local files and no others; MUST give the same code for
/// the same request; MUST keep an import of the request's map external under the name that the map gives,
/// unless that is one of the files to be inlined, or under the one that its offer gives for more names; MUST refuse
/// names that an offer lacks; MUST end within their time limit; MUST survive hostile input at
/// the price of that one request; MUST build an entry as its [`route`](Self::route) says. Contract: `testkit::contract::bundler`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Bundler: Send + Sync {
    /// How an entry that needs this from outside is built. Answers from lock files and memory, never from a network.
    async fn route(&self, request: &PackageRequest) -> Route;

    /// What a build of an entry that needs this would fail for, if it has failed for `earlier` with the same inputs and a
    /// look is enough to know that it would again: the program that builds it is still missing. It need not say where in
    /// the sources that is. `None` if it must be tried.
    async fn fails_again(&self, _request: &PackageRequest, _earlier: &Failure) -> Option<Fault> {
        None
    }

    /// The same bundler, remembering what it builds in another cache; `None` if it remembers nothing.
    fn remembering_in(&self, _cache: Arc<dyn AttemptCache>) -> Option<Arc<dyn Bundler>> {
        None
    }

    /// Builds one bundle. A bundler that fetches packages itself shares what it finds out about hosts with the other
    /// builds of the same plan through `outages`, and does not wait for those that are known not to answer.
    async fn bundle(&self, request: BundleRequest, outages: &Arc<Outages>) -> Result<Bundle, BuildFailure>;
}

/// What to build.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleRequest {
    /// Entry, files and edges.
    pub graph: ModuleGraph,
    /// What the bundle imports for each external specifier; empty if the bundler resolves packages itself.
    pub imports: BTreeMap<String, String>,
    /// What can be imported by name from the files of `imports`, as far as it is known.
    pub offers: BTreeMap<String, Arc<Offer>>,
    /// Files that go in instead of staying outside, by the path under which `imports` or another of these files
    /// names them (`../vendor/<digest>/<file>`). Empty for a bundle that shares its packages.
    pub inlined: Vec<BundleFile>,
}

/// No bundle came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildFailure {
    /// The first error.
    pub fault: Fault,
    /// Every error, rendered for people with file, line and excerpt.
    pub diagnostics: Vec<String>,
}

impl From<Fault> for BuildFailure {
    fn from(fault: Fault) -> Self {
        Self { fault, diagnostics: Vec::new() }
    }
}
