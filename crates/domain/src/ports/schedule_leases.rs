//! Which daemon starts a scheduled run.

use async_trait::async_trait;

use crate::{failure::Fault, time::Timestamp};

/// Gives each instant of each schedule to one daemon, of all that share a state directory or a database (fault 38).
///
/// Implementations MUST give a claim to the first holder that asks, and to no other one as long as that one lives or its run is
/// on record; MUST give it again to the holder that has it, who may not have heard the answer; MUST make it durable before
/// [`claim`](Self::claim) returns, so that a daemon that starts anew does not fire twice. A holder lives as long as its process,
/// as far as others can tell: where that can be mistaken, the history of runs that belongs to the leases MUST refuse the first
/// record of a run whose claim was given to somebody else. Contract: `testkit::contract::schedule_leases` and
/// `testkit::contract::leases_of_two_processes`.
#[async_trait]
pub trait ScheduleLeases: Send + Sync {
    /// Whether the holder may start the run.
    async fn claim(&self, claim: &ScheduleClaim) -> Result<ClaimAnswer, LeaseError>;

    /// The claims for instants at or after `since` whose holders have ended, or have said that they did not begin, without a run
    /// on record: whoever asks for one of them gets it. The earliest comes first, at most a thousand.
    async fn abandoned(&self, since: Timestamp) -> Result<Vec<ScheduledInstant>, LeaseError>;

    /// Those of these instants that no other holder gets any more, as far as is known now: somebody who lives has them, or their
    /// runs have begun or will never begin. In any order.
    async fn taken(&self, instants: &[ScheduledInstant]) -> Result<Vec<ScheduledInstant>, LeaseError>;

    /// Says that the run of this claim will not begin, if this holder still has it.
    async fn give_up(&self, claim: &ScheduleClaim, given_up: GivenUp) -> Result<(), LeaseError>;

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
    /// Who asks: an identifier that no other process ever has, of letters, digits and hyphens.
    pub holder: String,
    /// The identifier that the run will have.
    pub run: String,
    /// True if the run may begin while an earlier scheduled one of its workflow goes on.
    pub may_overlap: bool,
    /// How many scheduled runs of all workflows may go on at once in all daemons that share the claims, this one included; at least 1.
    /// `None` for any number.
    pub most_at_once: Option<u32>,
    /// When it asks.
    pub at: Timestamp,
}

/// What comes of asking for an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimAnswer {
    /// The holder starts the run.
    Given,
    /// Somebody else has it.
    Elsewhere,
    /// An earlier scheduled run of the workflow goes on, here or elsewhere, and must have ended first. Nobody has the instant.
    Overlaps,
    /// As many scheduled runs go on as may at once, here and elsewhere. Nobody has the instant.
    Full,
}

/// What becomes of an instant whose run did not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GivenUp {
    /// Whoever asks next may start a run: this process could not.
    ForOthers,
    /// No run starts: anybody would be refused.
    ForGood,
}

/// An instant of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScheduledInstant {
    /// When it is.
    pub instant: Timestamp,
    /// The identifier of the workflow.
    pub workflow: String,
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
