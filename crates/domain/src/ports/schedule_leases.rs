//! Which daemon starts a scheduled run.

use async_trait::async_trait;

use crate::{failure::Fault, time::Timestamp};

/// Gives each instant of each schedule to one daemon, of all that share a state directory (fault 38).
///
/// Implementations MUST give a claim to the first holder that asks, and to no other one as long as it is kept; MUST give it
/// again to the holder that has it, who may not have heard the answer; MUST make it durable before
/// [`claim`](Self::claim) returns, so that a daemon that starts anew does not fire twice. A daemon that ends between its
/// claim and its run leaves the instant without a run: at most once, not at least once. Contract:
/// `testkit::contract::schedule_leases`.
#[async_trait]
pub trait ScheduleLeases: Send + Sync {
    /// True if the holder may start the run.
    async fn claim(&self, claim: &ScheduleClaim) -> Result<bool, LeaseError>;

    /// The latest instant of each workflow that somebody claimed, by the identifiers of the workflows.
    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError>;

    /// Forgets what was claimed before this time, but for the latest instant of each workflow. Comes back with how many
    /// claims that were.
    async fn sweep(&self, before: Timestamp) -> Result<u64, LeaseError>;
}

/// What a daemon asks for before it starts a scheduled run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleClaim {
    /// The identifier of the workflow.
    pub workflow: String,
    /// The instant of its schedule.
    pub instant: Timestamp,
    /// Who asks: an identifier that no other process ever has.
    pub holder: String,
    /// When it asks.
    pub at: Timestamp,
}

/// The leases cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} the claims of schedules: {fault}")]
pub struct LeaseError {
    /// What was being done.
    pub operation: &'static str,
    /// What came back, with the path.
    pub fault: Fault,
}
