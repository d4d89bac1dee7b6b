//! Building one module from many.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{BundleFile, ModuleGraph, PackageRequest};
use crate::{failure::Fault, fingerprint::Part};

/// Turns a module graph into one module.
///
/// Implementations MUST use the bytes of the request for local files and no others; MUST give the same code for
/// the same request; MUST keep an import of the request's map external under the name that the map gives,
/// unless that is one of the files to be inlined; MUST end within their time limit; MUST survive hostile input at
/// the price of that one request; MUST build an entry as its [`route`](Self::route) says. Contract: `testkit::contract::bundler`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Bundler: Send + Sync {
    /// How an entry that needs this from outside is built. Answers from lock files and memory, never from a network.
    async fn route(&self, request: &PackageRequest) -> Route;

    /// Builds one bundle.
    async fn bundle(&self, request: BundleRequest) -> Result<Bundle, BuildFailure>;
}

/// How one entry is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The bundler part of its fingerprint: adapter, version, options and formats that change output. `None` while
    /// the adapter is unavailable; the part then counts as unchanged.
    pub identity: Option<Part>,
    /// Who resolves its packages.
    pub resolver: Resolver,
}

/// Who resolves the packages of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// The port [`Packages`](super::Packages): they are prepared, and the bundle imports what was prepared.
    Packages,
    /// The bundler itself: nothing is prepared, and the bundle holds everything. With the packages part of the
    /// fingerprint.
    Bundler(Part),
}

impl Route {
    /// Built by a bundler of this identity from packages that are prepared.
    #[must_use]
    pub const fn prepared(identity: Part) -> Self {
        Self { identity: Some(identity), resolver: Resolver::Packages }
    }
}

/// What to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleRequest {
    /// Entry, files and edges.
    pub graph: ModuleGraph,
    /// What the bundle imports for each external specifier; empty if the bundler resolves packages itself.
    pub imports: BTreeMap<String, String>,
    /// Files that go in instead of staying outside, by the path under which `imports` or another of these files
    /// names them (`../vendor/<digest>/<file>`). Empty for a bundle that shares its packages.
    pub inlined: Vec<BundleFile>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// One ES module, UTF-8.
    pub code: String,
    /// Its source map as JSON text, if one was made.
    pub source_map: Option<String>,
    /// What the extension's own modules need by their text: free globals such as `Deno`, `fetch`, and
    /// `node:` imports; sorted.
    pub requirements: Vec<String>,
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
