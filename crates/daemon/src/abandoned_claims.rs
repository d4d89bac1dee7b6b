//! Looks now and then for runs that other daemons claimed and did not begin.

use std::time::Duration;

use mangrove_app::service::Service;
use tokio::{sync::mpsc, time::Instant};

use crate::event::Event;

/// How often is looked.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// How long ago an instant may be. What nobody began for so long is missed.
const LONGEST_AGO: Duration = Duration::from_hours(1);

/// The looks of one daemon.
#[derive(Debug)]
pub(crate) struct AbandonedClaims {
    next: Instant,
    is_under_way: bool,
}

impl AbandonedClaims {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { next: now, is_under_way: false }
    }

    /// Begins a look if it is time for one; it ends with an event.
    pub(crate) fn look(&mut self, now: Instant, service: &Service, sender: &mpsc::Sender<Event>) {
        if self.is_under_way || now < self.next {
            return;
        }
        let Ok(leases) = service.leases() else { return };
        self.is_under_way = true;
        let (leases, since) = (leases.clone(), service.clock().now().minus(LONGEST_AGO));
        let sender = sender.clone();
        tokio::spawn(async move {
            let found = leases.abandoned(since).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "what other daemons did not begin is not known");
                Vec::new()
            });
            // The owner may have ended.
            let _ = sender.send(Event::ClaimsAbandoned(found)).await;
        });
    }

    /// A look ended.
    pub(crate) fn ended(&mut self, now: Instant) {
        self.is_under_way = false;
        self.next = now + BETWEEN_LOOKS;
    }
}
