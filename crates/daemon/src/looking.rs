//! Looks and the work that follows from them, as tasks that end with an event.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use mangrove_app::scan::{Choice, Error, Observed, ScanRequest, Scanner};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::event::{self, Event, ScanAnswer, ScanFailed};

/// After looks at edits alone comes one at everything when there was none for this long …
const AFTER_EDITS: Duration = Duration::from_secs(2);
/// … or when the first of them is this old.
const LONGEST_AFTER_EDITS: Duration = Duration::from_secs(20);

/// Looks at everything; but where the files are known that changed, and that is enough, at what follows from these.
pub(crate) fn look(
    scanner: Arc<Scanner>,
    request: ScanRequest,
    edits: Option<BTreeSet<PathBuf>>,
    sender: mpsc::Sender<Event>,
) {
    let start = Instant::now();
    let look = tokio::spawn(async move {
        request.cancellation.clone().run_until_cancelled(observe(&scanner, &request, edits)).await
    });
    tokio::spawn(async move {
        let event = match look.await {
            Ok(Some(outcome)) => Event::Looked(Box::new(outcome), start.elapsed()),
            Ok(None) => Event::LookGivenUp,
            Err(error) => {
                tracing::error!(%error, "a fault in Mangrove itself broke a look off");
                Event::LookGivenUp
            }
        };
        // The owner may have ended.
        let _ = sender.send(event).await;
    });
}

async fn observe(
    scanner: &Scanner,
    request: &ScanRequest,
    edits: Option<BTreeSet<PathBuf>>,
) -> Result<Observed, Error> {
    if let Some(paths) = edits {
        match scanner.look_at_edits(request, &paths).await {
            Ok(Some(observed)) => return Ok(observed),
            Ok(None) => {}
            // It may be about one root of several: what that means, the look at everything says.
            Err(error) => tracing::debug!(%error, "edits alone cannot be looked at"),
        }
    }
    scanner.look(request).await
}

/// Does what follows from a look for the sources that were chosen, as the work of this number, and tells who waits for it.
pub(crate) fn carry_out(
    scanner: Arc<Scanner>,
    observed: Observed,
    (number, choice): (u64, Choice),
    waiting: Vec<oneshot::Sender<ScanAnswer>>,
    sender: mpsc::Sender<Event>,
) {
    let work = tokio::spawn(async move { scanner.carry_out(observed, choice).await });
    tokio::spawn(async move {
        let outcome = match work.await {
            Ok(outcome) => outcome.map(Arc::new).map_err(|error| ScanFailed::Scan(Arc::new(error))),
            Err(error) => Err(ScanFailed::BrokenOff(error.to_string().into())),
        };
        event::answer(waiting, &outcome);
        // The owner may have ended.
        let _ = sender.send(Event::CarriedOut(number, outcome)).await;
    });
}

/// When looks at edits alone are followed by one at everything: what was told is a hint and never the whole truth.
#[derive(Debug, Default)]
pub(crate) struct AfterEdits(Option<Follows>);

#[derive(Clone, Copy, Debug)]
struct Follows {
    at: Instant,
    latest: Instant,
}

impl AfterEdits {
    /// There was a look at edits alone.
    pub(crate) fn looked_at_edits(&mut self, now: Instant) {
        let latest = self.0.map_or(now + LONGEST_AFTER_EDITS, |follows| follows.latest);
        self.0 = Some(Follows { at: latest.min(now + AFTER_EDITS), latest });
    }

    /// There was a look at everything.
    pub(crate) const fn looked_at_everything(&mut self) {
        self.0 = None;
    }

    /// When the look at everything is wanted; `None` if it need not follow.
    pub(crate) fn at(&self) -> Option<Instant> {
        self.0.map(|follows| follows.at)
    }

    /// True if it is wanted now, which is said once.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        self.0.take_if(|follows| now >= follows.at).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_everything_follows_when_edits_rest_and_when_they_never_do() {
        let start = Instant::now();
        let mut after = AfterEdits::default();
        assert_eq!((after.at(), after.take_due(start)), (None, false));
        after.looked_at_edits(start);
        assert_eq!(after.at(), Some(start + AFTER_EDITS));
        for tenth in 1..=300 {
            let now = start + Duration::from_millis(100 * tenth);
            let is_due = after.take_due(now);
            assert_eq!(is_due, now >= start + LONGEST_AFTER_EDITS, "after {tenth} tenths of a second");
            if is_due {
                break;
            }
            after.looked_at_edits(now);
        }
        assert!(!after.take_due(start + LONGEST_AFTER_EDITS), "it is said once");
        after.looked_at_edits(start);
        after.looked_at_everything();
        assert_eq!(after.at(), None);
    }
}
