//! Looks at what other daemons claim: now and then for what they did not begin, and more often for what they took of that which waits
//! here.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    ports::{LeaseError, ScheduleLeases, ScheduledInstant},
    time::Timestamp,
};
use tokio::{sync::mpsc, time::Instant};

use crate::event::{ClaimsFound, Event};

/// How long ago an instant may be. What nobody began for so long is missed.
const LONGEST_AGO: Duration = Duration::from_hours(1);
/// How many of the instants that wait are asked for at once: those whose turn is next.
pub(crate) const MOST_ASKED: usize = 1_024;

/// A kind of look that is made again and again, one at a time.
#[derive(Debug)]
pub(crate) struct Looks {
    pause: Duration,
    next: Instant,
    is_under_way: bool,
}

impl Looks {
    /// For what nobody began.
    pub(crate) const fn for_abandoned(now: Instant) -> Self {
        Self { pause: Duration::from_secs(5), next: now, is_under_way: false }
    }

    /// For what somebody else has.
    pub(crate) const fn for_taken(now: Instant) -> Self {
        Self { pause: Duration::from_millis(300), next: now, is_under_way: false }
    }

    /// True if one begins now.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        let begins = !self.is_under_way && now >= self.next;
        self.is_under_way |= begins;
        begins
    }

    /// One ended.
    pub(crate) fn ended(&mut self, now: Instant) {
        self.is_under_way = false;
        self.next = now + self.pause;
    }
}

/// Looks for instants that were claimed since then and got no run; ends with an event.
pub(crate) fn look_for_abandoned(leases: Arc<dyn ScheduleLeases>, now: Timestamp, sender: mpsc::Sender<Event>) {
    let since = now.minus(LONGEST_AGO);
    look(async move { leases.abandoned(since).await }, ClaimsFound::Abandoned, sender);
}

/// Looks which of these instants others have; ends with an event.
pub(crate) fn look_for_taken(
    leases: Arc<dyn ScheduleLeases>,
    waiting: Vec<ScheduledInstant>,
    sender: mpsc::Sender<Event>,
) {
    look(async move { leases.taken(&waiting).await }, ClaimsFound::Taken, sender);
}

fn look(
    question: impl Future<Output = Result<Vec<ScheduledInstant>, LeaseError>> + Send + 'static,
    found: fn(Vec<ScheduledInstant>) -> ClaimsFound,
    sender: mpsc::Sender<Event>,
) {
    tokio::spawn(async move {
        let instants = question.await.unwrap_or_else(|error| {
            tracing::debug!(%error, "what other daemons claimed is not known");
            Vec::new()
        });
        // The owner may have ended.
        let _ = sender.send(Event::LookedAtClaims(found(instants))).await;
    });
}
