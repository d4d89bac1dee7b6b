//! Where a scan leaves what the next one finds if nothing changes.

use async_trait::async_trait;

use crate::{failure::Fault, seal::Seal};

/// Keeps the latest [`Seal`].
///
/// Implementations MUST give back what was saved as it was, or nothing: a seal that is damaged, of another format or
/// saved by another build of the program counts as none. Losing one costs time and nothing else. Contract:
/// `testkit::contract::seals`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Seals: Send + Sync {
    /// The latest one.
    async fn load(&self) -> Option<Seal>;

    /// Keeps this one instead of the one before.
    async fn save(&self, seal: &Seal) -> Result<(), Fault>;
}
