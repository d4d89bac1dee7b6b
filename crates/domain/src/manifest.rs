//! What a manifest says that code of its extension may ask for while it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// What the manifest that a source belongs to says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionManifest {
    /// The files that it lists under `additionalFiles`, as they are listed, with their absolute paths; `None` for one that
    /// is not there or lies outside of the extension.
    pub files: BTreeMap<String, Option<PathBuf>>,
    /// The names of the extensions that it lists under `dependencies`, without versions.
    pub dependencies: BTreeSet<String>,
}
