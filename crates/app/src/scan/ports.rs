//! What the pipeline needs from the world.

use std::sync::Arc;

use mangrove_domain::ports::{
    BuildLeases, BuildLocks, BundleStore, Bundler, Catalog, Clock, Entropy, ExportInspector, Packages, Seals,
    SourceTree, StoreError,
};

/// The adapters that the pipeline works through.
#[derive(Clone)]
pub struct Ports {
    /// Sources and module graphs.
    pub tree: Arc<dyn SourceTree>,
    /// Packages.
    pub packages: Arc<dyn Packages>,
    /// Bundles are built by it.
    pub bundler: Arc<dyn Bundler>,
    /// Bundles are kept in it.
    pub store: Arc<dyn BundleStore>,
    /// Looks at exports.
    pub inspector: Arc<dyn ExportInspector>,
    /// Rows are kept in it.
    pub catalog: Arc<dyn Catalog>,
    /// Keeps what the latest scan left for the next one.
    pub seals: Arc<dyn Seals>,
    /// Keeps other processes from building the same at the same time.
    pub locks: Arc<dyn BuildLocks>,
    /// Keeps other nodes from building the same at the same time, where bundles are shared with some.
    pub leases: Option<Arc<dyn BuildLeases>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random numbers for retry timers.
    pub entropy: Arc<dyn Entropy>,
}

impl Ports {
    /// Takes a damaged object out of the store, so that the next build puts a good one there. Failing to
    /// do so is no error here: the build that follows meets the same obstacle and reports it.
    pub(crate) async fn discard_unusable(&self, error: &StoreError) {
        if let StoreError::Unusable { key, .. } = error
            && let Err(error) = self.store.remove(*key).await
        {
            tracing::debug!(%error, "a damaged object could not be removed");
        }
    }
}
