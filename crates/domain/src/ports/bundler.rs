//! Building one module from many.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{BundleFile, ModuleGraph};
use crate::{failure::Fault, fingerprint::Part};

/// Turns a module graph into one module.
///
/// Implementations MUST use the bytes of the request and no others; MUST give the same code for the same
/// request; MUST keep an import of the request's map external under the name that the map gives, unless that is one
/// of the files to be inlined; MUST end
/// within their time limit; MUST survive hostile input at the price of that one request.
/// Contract: `testkit::contract::bundler`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Bundler: Send + Sync {
    /// The bundler part of a fingerprint: adapter, version, options and formats that change output.
    fn identity(&self) -> Part;

    /// Builds one bundle.
    async fn bundle(&self, request: BundleRequest) -> Result<Bundle, BuildFailure>;
}

/// What to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleRequest {
    /// Entry, files and edges.
    pub graph: ModuleGraph,
    /// What the bundle imports for each external specifier.
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
