//! Vendor bundles: one package, built once, shared by every extension that imports it.

use std::{collections::BTreeMap, path::PathBuf};

use async_trait::async_trait;
use mangrove_domain::{failure::Fault, ports::BundleFile};
use serde::{Deserialize, Serialize};

/// Builds vendor directories; implemented in process and by the worker pool.
#[async_trait]
pub trait VendorBundler: Send + Sync {
    /// Builds the entries of one package into a directory of chunks.
    async fn build_vendor(&self, request: VendorRequest) -> Result<VendorOutput, Fault>;
}

/// What to build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorRequest {
    /// `name@version`, for messages and the unit's own record.
    pub package: String,
    /// A directory whose `node_modules/<name>` holds the package.
    pub directory: PathBuf,
    /// What is imported of it: the specifier (`zod`, `zod/v4`) and the file name of its entry chunk (`zod.js`).
    pub entries: BTreeMap<String, String>,
    /// Bare specifiers that stay external, and what is imported instead.
    pub externals: BTreeMap<String, String>,
}

/// What came out. One of the files is `unit.json`: `{"package": "name@version", "entries": {specifier: file}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorOutput {
    /// The chunks and `unit.json`, sorted by path. Only the chunks import each other, as `./<file>`.
    pub files: Vec<BundleFile>,
}
