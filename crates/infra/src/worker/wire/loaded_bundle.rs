//! Bundles on their way to a child that holds their vendor files.

use std::{collections::HashMap, sync::Arc};

use mangrove_domain::bundle::{BundleFile, LoadedBundle};
use serde::{Deserialize, Serialize};

use super::WireError;

/// A bundle whose vendor files the child holds already: they are named by their paths.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireLoadedBundle<'a> {
    code: &'a str,
    #[serde(borrow)]
    vendor_files: Vec<&'a str>,
}

impl<'a> From<&'a LoadedBundle> for WireLoadedBundle<'a> {
    fn from(bundle: &'a LoadedBundle) -> Self {
        Self { code: &bundle.code, vendor_files: bundle.vendor_files.iter().map(|file| file.path.as_str()).collect() }
    }
}

impl WireLoadedBundle<'_> {
    /// The bundle with the files that are held by their paths.
    ///
    /// # Errors
    /// [`WireError::NotHeld`] if one of them was never sent.
    pub(in crate::worker) fn with(&self, held: &HashMap<String, Arc<str>>) -> Result<LoadedBundle, WireError> {
        let file = |path: &&str| {
            let code = held.get(*path).ok_or_else(|| WireError::NotHeld((*path).to_owned()))?;
            Ok(BundleFile { path: (*path).to_owned(), code: Arc::clone(code) })
        };
        let vendor_files = self.vendor_files.iter().map(file).collect::<Result<_, WireError>>()?;
        Ok(LoadedBundle { code: self.code.into(), vendor_files })
    }
}
