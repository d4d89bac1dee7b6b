//! What inspections found, by what was inspected.

use async_trait::async_trait;

use super::CatalogError;
use crate::digest::Digest;

/// Remembers inspections as bytes; what is in them, and what they depend on, knows whoever makes the key
/// (`design/inspection.md`).
///
/// Implementations MUST give back the bytes that were put last under a key, or nothing; they may forget at any time.
/// Contract: `testkit::contract::inspection_cache`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait InspectionCache: Send + Sync {
    /// What was put under this key; `None` if nothing was, or if it is forgotten.
    async fn cached_inspection(&self, key: Digest) -> Result<Option<Vec<u8>>, CatalogError>;

    /// Puts an inspection under this key, in the place of an earlier one.
    async fn cache_inspection(&self, key: Digest, inspection: &[u8]) -> Result<(), CatalogError>;
}
