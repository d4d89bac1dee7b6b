//! Vendor bundles that were read lately: many entries import the same ones.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use mangrove_domain::{
    bundle::{BundleFile, ObjectKey, StoredObject},
    ports::StoreError,
};

/// The most text that is kept, in bytes.
const MOST_BYTES: usize = 32 << 20;

/// The files of some vendor bundles, each compared with its name when it was read.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The one that was asked for last is at the end.
    bundles: VecDeque<(ObjectKey, Arc<[BundleFile]>)>,
    bytes: usize,
}

impl Recent {
    /// The files of a bundle, if they are kept and there is still a bundle of that size: who reads what is missing must hear
    /// of it.
    pub(super) fn get(
        &self,
        bundle: &StoredObject,
        size: impl FnOnce() -> Result<Option<u64>, StoreError>,
    ) -> Result<Option<Arc<[BundleFile]>>, StoreError> {
        let found = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(at) = kept.bundles.iter().position(|(key, _)| *key == bundle.key) else { return Ok(None) };
            let Some((key, files)) = kept.bundles.remove(at) else { return Ok(None) };
            kept.bundles.push_back((key, Arc::clone(&files)));
            files
        };
        Ok((size()? == Some(bundle.size_bytes)).then_some(found))
    }

    /// Keeps the files of a bundle. Those that were asked for longest ago make room.
    pub(super) fn put(&self, bundle: &StoredObject, files: Vec<BundleFile>) {
        let bytes = bytes_of(&files);
        if bytes > MOST_BYTES / 2 {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.bundles.iter().position(|(key, _)| *key == bundle.key) {
            kept.remove(at);
        }
        while kept.bytes + bytes > MOST_BYTES && !kept.bundles.is_empty() {
            kept.remove(0);
        }
        kept.bytes += bytes;
        kept.bundles.push_back((bundle.key, files.into()));
    }
}

impl Kept {
    fn remove(&mut self, at: usize) {
        if let Some((_, files)) = self.bundles.remove(at) {
            self.bytes -= bytes_of(&files);
        }
    }
}

fn bytes_of(files: &[BundleFile]) -> usize {
    files.iter().map(|file| file.code.len()).sum()
}
