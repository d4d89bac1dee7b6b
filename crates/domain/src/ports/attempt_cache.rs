//! What attempts found, by what it was found in.

use async_trait::async_trait;

use super::CatalogError;
use crate::digest::Digest;

/// Remembers what building and inspecting gave, as bytes: bundles by their inputs, inspections by what was inspected. What is
/// in the bytes, and what they depend on, knows whoever makes the key (`design/inspection.md`, `design/bundling.md`).
///
/// Implementations MUST give back the bytes that were put last under a key, or nothing; they may forget at any time.
/// Contract: `testkit::contract::attempt_cache`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait AttemptCache: Send + Sync {
    /// What was put under this key; `None` if nothing was, or if it is forgotten.
    async fn cached(&self, key: Digest) -> Result<Option<Vec<u8>>, CatalogError>;

    /// Puts these bytes under this key, in the place of earlier ones.
    async fn cache(&self, key: Digest, found: &[u8]) -> Result<(), CatalogError>;
}
