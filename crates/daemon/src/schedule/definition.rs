//! What is scheduled, and what comes of it.

use std::{sync::Arc, time::Duration};

use mangrove_app::workflow::Scheduled;
use mangrove_domain::{
    ports::Recurrence,
    problem::Problem,
    run::RunStatus,
    source::Origin,
    time::Timestamp,
    workflow::{Misfire, Overlap},
};

/// The schedule of one workflow.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The identifier of the workflow. A schedule is the same one as long as this is, whatever its file.
    pub workflow: Arc<str>,
    /// The name of the workflow.
    pub name: String,
    /// The file of the workflow, as people name it.
    pub file: String,
    /// Where the root of the file comes from.
    pub origin: Origin,
    /// The pattern as the file has it.
    pub pattern: String,
    /// When it is due.
    pub recurrence: Arc<dyn Recurrence>,
    /// What happens when it is due while it still runs or waits.
    pub overlap: Overlap,
    /// What happens when nobody was there at the time.
    pub misfire: Misfire,
    /// How much later it may begin, at most; zero for none.
    pub jitter: Duration,
}

impl Schedule {
    /// True if the two are due at the same times.
    pub(super) fn has_times_of(&self, other: &Self) -> bool {
        self.pattern == other.pattern
            && self.recurrence.zone() == other.recurrence.zone()
            && self.jitter == other.jitter
    }
}

/// The schedule of a workflow that has one.
impl From<&Scheduled> for Schedule {
    fn from(scheduled: &Scheduled) -> Self {
        let Scheduled { workflow, recurrence } = scheduled;
        let trigger = workflow.trigger.as_ref();
        Self {
            workflow: workflow.id.as_str().into(),
            name: workflow.name.value.clone(),
            file: workflow.file.clone(),
            origin: workflow.origin,
            pattern: trigger.and_then(|it| it.schedule.as_ref()).map(|it| it.value.clone()).unwrap_or_default(),
            recurrence: Arc::clone(recurrence),
            overlap: trigger.map(|trigger| trigger.overlap).unwrap_or_default(),
            misfire: trigger.map(|trigger| trigger.misfire).unwrap_or_default(),
            jitter: trigger.map(|trigger| trigger.jitter).unwrap_or_default(),
        }
    }
}

/// A schedule that is not in force: it came with a pulled extension, and nobody has allowed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotEnabled {
    /// The identifier of the workflow.
    pub workflow: String,
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// The pattern as the file has it.
    pub pattern: String,
}

impl From<&Scheduled> for NotEnabled {
    fn from(scheduled: &Scheduled) -> Self {
        let Schedule { workflow, name, file, pattern, .. } = Schedule::from(scheduled);
        Self { workflow: workflow.to_string(), name, file, pattern }
    }
}

/// Names one [`Fire`] of a scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FireNumber(pub(super) u64);

/// A run that has to be started now.
#[derive(Clone, Debug, PartialEq)]
pub struct Fire {
    /// What [`Scheduler::started`](super::Scheduler::started) and [`Scheduler::ended`](super::Scheduler::ended) are told.
    pub number: FireNumber,
    /// The identifier of the workflow.
    pub workflow: Arc<str>,
    /// The name of the workflow.
    pub name: String,
    /// The instant of the schedule that it is for: with the workflow, what is claimed, so that one daemon starts it.
    pub due: Timestamp,
    /// True if it makes up for runs that were missed, or that another daemon did not come to.
    pub makes_up: bool,
    /// True if it was started before, and an earlier run of the workflow went on in another daemon.
    pub starts_again: bool,
    /// What is done if an earlier run of the workflow goes on in another daemon.
    pub overlap: Overlap,
}

/// What came of a [`Fire`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FireOutcome {
    /// The run ended like this (faults 30 and 48: failed and blocked are what they are).
    Ran(RunStatus),
    /// It could not be started.
    Refused(Problem),
    /// Another daemon on the same state directory, or database, has started it.
    Elsewhere,
    /// An earlier run of the workflow goes on in another daemon, and its runs do not overlap.
    Overlaps,
    /// As many scheduled runs go on as may at once, in all daemons together.
    Full,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The instant that it was for.
    pub due: Timestamp,
    /// Its identifier, if it ran here.
    pub run: Option<String>,
    /// What came of it.
    pub outcome: FireOutcome,
}

/// An instant of which no run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The instant.
    pub due: Timestamp,
    /// Why none came.
    pub reason: LeftOutReason,
    /// How often this happened since the schedule is known; what was missed at one time counts once.
    pub count: u64,
}

/// Why no run came of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// A run of the workflow goes on, and its runs do not overlap.
    Runs,
    /// A run of the workflow waits already.
    Waits,
    /// As many runs of the workflow wait as may.
    QueueFull,
    /// Nobody was there at the time.
    Missed,
}

impl LeftOutReason {
    /// `runs`, `waits`, `queue-full` or `missed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LeftOutReason::Runs => "runs",
            LeftOutReason::Waits => "waits",
            LeftOutReason::QueueFull => "queue-full",
            LeftOutReason::Missed => "missed",
        }
    }
}

/// Something that happened to a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The identifier of the workflow.
    pub workflow: Arc<str>,
    /// The name of the workflow.
    pub name: String,
    /// The instant that it is about; `None` where it is about none.
    pub due: Option<Timestamp>,
    /// What happened.
    pub what: What,
}

/// What can happen to a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A run is to be started.
    Fired,
    /// A run waits for its turn.
    Queued,
    /// No run comes of the instant.
    LeftOut(LeftOutReason),
    /// The run of this identifier ended, or none came of it.
    Ended(Option<String>, FireOutcome),
    /// The workflow runs by itself from now on.
    Added,
    /// Its times, or what happens when they cannot be kept, are others.
    Changed,
    /// It does not run by itself any more.
    Removed,
    /// Its file cannot be used: it goes on as it was.
    Broken(Problem),
}
