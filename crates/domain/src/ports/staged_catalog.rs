//! A catalog in the making.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;

use super::{AttemptCache, Catalog, CatalogError};

/// A new catalog that nobody else sees until it is put in the place of the one in use.
///
/// Implementations MUST leave the catalog in use as it is until [`put_in_place`](Self::put_in_place), and show it to its
/// readers then with all of the old content or all of the new; MUST keep what was replaced; MUST remove the new one without
/// a trace if it is dropped before. Contract: `testkit::contract::databases`.
#[async_trait]
pub trait StagedCatalog: Send + Sync {
    /// Its rows.
    fn catalog(&self) -> Arc<dyn Catalog>;

    /// What attempts found that were made for it.
    fn attempt_cache(&self) -> Arc<dyn AttemptCache>;

    /// Replaces the catalog in use, damaged, newer or in order, and keeps it under another name. One that could be read
    /// keeps its identity, so that the bundle store is that of the new one; rows get revisions that no earlier row of their
    /// source had. Gives where the old one lies now; `None` if there was none.
    ///
    /// # Errors
    /// The old one cannot be copied or moved, or the new one cannot be written in its place.
    async fn put_in_place(self: Box<Self>) -> Result<Option<PathBuf>, CatalogError>;
}
