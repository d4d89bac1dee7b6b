//! What builds vendor bundles, as packages ask for it: one package, built once, shared by every extension that imports it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use async_trait::async_trait;
use mangrove_domain::{bundle::BundleFile, failure::Fault};
use serde::{Deserialize, Serialize};

/// What a chunk imports for a shared package until [`VendorOutput::link`] puts its place in.
pub const PLACEHOLDER: &str = "mangrove-unit:";

/// Builds vendor directories; implemented in process and by the worker pool.
#[expect(clippy::module_name_repetitions, reason = "named beside `Bundler` in other modules")]
#[async_trait]
pub trait VendorBundler: Send + Sync {
    /// Builds the entries of one package into a directory of chunks.
    async fn build_vendor(&self, request: VendorRequest) -> Result<VendorOutput, Fault>;
}

/// What to build.
#[expect(clippy::module_name_repetitions, reason = "named beside `BundleRequest` in other modules")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorRequest {
    /// `name@version`, for messages and the unit's own record.
    pub package: String,
    /// A directory whose `node_modules/<name>` holds the package.
    pub directory: PathBuf,
    /// What is imported of it: the specifier (`zod`, `zod/v4`) and the file name of its entry chunk (`zod.js`).
    pub entries: BTreeMap<String, String>,
    /// Names of packages in `node_modules` of the directory itself that stay outside, because they are units of
    /// their own. Copies that lie deeper go in, and so does what `require` loads of a package with two forms.
    pub shared: BTreeSet<String>,
}

/// What came out. One of the files is `unit.json`: `{"package": "name@version", "entries": {specifier: file}}`.
/// As long as there are `shared_imports`, the files are to be [linked](Self::link).
#[expect(clippy::module_name_repetitions, reason = "named with `VendorRequest`")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VendorOutput {
    /// The chunks and `unit.json`, sorted by path. Only the chunks import each other, as `./<file>`.
    pub files: Vec<BundleFile>,
    /// The bare specifiers (`zod/v4`) by which chunks import shared packages.
    pub shared_imports: BTreeSet<String>,
    /// What can be imported by name, by the specifier of the entry.
    pub names: BTreeMap<String, EntryNames>,
    /// The names that chunks import of shared packages whenever an entry is loaded, by the bare specifier.
    pub shared_names: BTreeMap<String, BTreeSet<String>>,
}

/// What can be imported by name from an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryNames {
    /// What its file exports itself.
    pub exports: BTreeSet<String>,
    /// Bare specifiers of shared packages whose exports it hands on.
    pub handed_on: BTreeSet<String>,
    /// True if it hands on exports of a built-in module, which nobody lists.
    pub is_open: bool,
    /// A second file of the entry that has members by name that Node does not find, with everything that it exports.
    pub wide: Option<(String, BTreeSet<String>)>,
}

impl VendorOutput {
    /// The files with each shared import leading to where `targets` says, such as `../<digest>/zod.js`.
    #[must_use]
    pub fn link(&self, targets: &BTreeMap<String, String>) -> Vec<BundleFile> {
        let mut files = self.files.clone();
        for file in &mut files {
            if !file.code.contains(PLACEHOLDER) {
                continue;
            }
            let mut code = file.code.to_string();
            for (specifier, target) in targets {
                code = code.replace(&format!("\"{PLACEHOLDER}{specifier}\""), &format!("\"{target}\""));
            }
            file.code = code.into();
        }
        files
    }
}
