//! Everything that can happen to a daemon. Its [owner](crate::owner) takes one event after the other.

use std::{sync::Arc, time::Duration};

use mangrove_app::{
    scan::{Error, Observed, Report},
    service::{ServiceError, Upkeep},
};
use mangrove_domain::{ports::ScheduledInstant, problem::Problem, watch::FileChanges};
use tokio::sync::oneshot;

use crate::{
    read_schedules::ReadSchedules,
    schedule::{FireNumber, FireOutcome, SchedulerView},
};

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// Files changed, or may have.
    Files(FileChanges),
    /// A look at all sources ended after this time.
    Looked(Box<Result<Observed, Error>>, Duration),
    /// A look was given up, because the daemon stops.
    LookGivenUp,
    /// The work of this number, which followed from a look, was done.
    CarriedOut(u64, ScanAnswer),
    /// The schedules were read.
    SchedulesRead(Box<Result<ReadSchedules, ServiceError>>),
    /// A run that a schedule started has this identifier.
    ScheduledRunStarted(FireNumber, String),
    /// A run that a schedule started, or should have, came to this end.
    ScheduledRunEnded(FireNumber, FireOutcome),
    /// A look at what other daemons claimed ended with this.
    LookedAtClaims(ClaimsFound),
    /// Upkeep ended after this time.
    KeptUp(Box<Upkeep>, Duration),
    /// Somebody wants something.
    Request(Request),
}

/// What other daemons claimed.
#[derive(Debug)]
pub(crate) enum ClaimsFound {
    /// They did not begin the runs of these instants.
    Abandoned(Vec<ScheduledInstant>),
    /// They have these instants, whose runs wait here.
    Taken(Vec<ScheduledInstant>),
}

/// What somebody wants of a daemon.
#[derive(Debug)]
pub(crate) enum Request {
    /// A scan of everything; the answer comes when it has ended.
    Scan(ScanOptions, oneshot::Sender<ScanAnswer>),
    /// How the schedules are.
    Schedules(oneshot::Sender<SchedulerView>),
    /// The configuration is to be read again.
    Reload(oneshot::Sender<Vec<Problem>>),
    /// It is to end, when what runs has ended or the grace is over; asked again, now.
    Stop,
    /// It is to end now; what runs is cancelled.
    StopNow,
}

/// What a scan that somebody asks for shall do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// Read every file, whatever its stat says.
    pub rehash: bool,
    /// Let removals pass that the guardrail would withhold.
    pub allow_mass_removal: bool,
}

/// What came of a scan.
pub type ScanAnswer = Result<Arc<Report>, ScanFailed>;

/// A scan that was not made or not ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ScanFailed {
    /// Sources, catalog or bundle store cannot be used.
    #[error(transparent)]
    Scan(Arc<Error>),
    /// The daemon is about to end.
    #[error("the daemon is stopping")]
    Stopping,
    /// A fault in Mangrove itself broke it off.
    #[error("a fault in Mangrove itself broke the scan off: {0}")]
    BrokenOff(Arc<str>),
}

/// Tells all who wait; some may be gone.
pub(crate) fn answer(waiting: Vec<oneshot::Sender<ScanAnswer>>, outcome: &ScanAnswer) {
    for waiting in waiting {
        let _ = waiting.send(outcome.clone());
    }
}
