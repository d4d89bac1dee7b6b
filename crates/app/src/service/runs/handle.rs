//! A hold on one run.

use std::sync::Arc;

use super::live::{LiveRun, RunEvents, RunOutcome};

/// A hold on one run. The run goes on when it is dropped, unless [`cancel_on_drop`](Self::cancel_on_drop) was asked for.
#[derive(Debug)]
pub struct RunHandle {
    id: String,
    live: Arc<LiveRun>,
    cancels_on_drop: bool,
}

impl RunHandle {
    pub(super) const fn new(id: String, live: Arc<LiveRun>) -> Self {
        Self { id, live, cancels_on_drop: false }
    }

    /// The identifier of the run, under which it is in the history.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the end of the run and gives its last record, or why that could not be saved.
    pub async fn wait(&self) -> RunOutcome {
        self.live.outcome().await
    }

    /// What happens in the run from now on. The first event is [`Started`](crate::workflow::RunChange::Started) with the
    /// record as it is now, or [`Finished`](crate::workflow::RunChange::Finished) if the run has ended.
    #[must_use]
    pub fn events(&self) -> RunEvents {
        self.live.subscribe()
    }

    /// Asks the run to end: what is going on is stopped, nothing new begins, and the record says that it was cancelled.
    pub fn cancel(&self) {
        self.live.cancellation.cancel();
    }

    /// As [`cancel`](Self::cancel); the record says this of why, one sentence without a full stop.
    pub fn cancel_because(&self, reason: impl Into<String>) {
        self.live.cancel_reason.say(reason);
        self.cancel();
    }

    /// The same hold; dropping it asks the run to end.
    #[must_use]
    pub const fn cancel_on_drop(mut self) -> Self {
        self.cancels_on_drop = true;
        self
    }
}

impl Drop for RunHandle {
    fn drop(&mut self) {
        if self.cancels_on_drop {
            self.cancel();
        }
    }
}
