//! The configuration of a repository, while it may change.

use async_trait::async_trait;

use crate::{configuration::InForce, problem::Problem};

/// The configuration of a repository, for a process that outlives it.
///
/// Implementations MUST answer [`in_force`](Self::in_force) from memory; MUST leave everything as it was where
/// [`reload`](Self::reload) fails; MUST let every adapter that goes by the configuration go by the new one once it
/// succeeds. Contract: `testkit::contract::configuration`.
#[async_trait]
pub trait Configuration: Send + Sync {
    /// What was read last.
    fn in_force(&self) -> InForce;

    /// Reads the configuration again.
    ///
    /// # Errors
    /// The [`Problem`]s for which it cannot be used, never none; what was in force still is.
    async fn reload(&self) -> Result<InForce, Vec<Problem>>;
}
