//! How a daemon is.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{problem::Problem, time::Timestamp, watch::Coverage};
use tokio::sync::watch;

use crate::queue_load::QueueLoad;

/// How a daemon is at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// What it is about.
    pub phase: Phase,
    /// When it was started.
    pub started_at: Timestamp,
    /// The latest look at all sources; `None` before the first.
    pub last_look: Option<LastLook>,
    /// Why the sources cannot be looked at, or the catalog cannot be written; `None` if both worked at the latest try.
    pub failing: Option<String>,
    /// How much is watched for changes; `None` before anything is.
    pub coverage: Option<Coverage>,
    /// The nodes of the same catalog that have other sources, one problem each.
    pub checkouts: Arc<[Problem]>,
    /// How many sources are being built or inspected.
    pub in_progress: usize,
    /// The runs of schedules.
    pub scheduled: QueueLoad,
    /// When the next of them is due.
    pub next_run: Option<Timestamp>,
}

/// What a daemon is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It looks at the sources for the first time.
    Starting,
    /// It answers.
    Ready,
    /// It takes nothing new and waits for what runs.
    Stopping,
}

impl Phase {
    /// `starting`, `ready` or `stopping`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::Stopping => "stopping",
        }
    }
}

/// One look at all sources.
#[derive(Clone, Debug)]
pub struct LastLook {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// What is wrong besides the rows' own failures, or why the look itself failed.
    pub problems: Arc<[Problem]>,
    /// True if it failed: what is known is older.
    pub has_failed: bool,
}

impl Status {
    /// Of a daemon that begins now.
    #[must_use]
    pub fn starting(now: Timestamp) -> Self {
        Self {
            phase: Phase::Starting,
            started_at: now,
            last_look: None,
            failing: None,
            coverage: None,
            checkouts: Arc::default(),
            in_progress: 0,
            scheduled: QueueLoad { running: 0, limit: 0, waiting: 0 },
            next_run: None,
        }
    }
}

/// Notes how many runs of schedules there are and when the next one is due, and wakes nobody if that is as before.
pub(crate) fn note_scheduled(status: &watch::Sender<Status>, scheduled: QueueLoad, next_run: Option<Timestamp>) {
    status.send_if_modified(|status| {
        let before = (status.scheduled, status.next_run);
        (status.scheduled, status.next_run) = (scheduled, next_run);
        before != (scheduled, next_run)
    });
}
