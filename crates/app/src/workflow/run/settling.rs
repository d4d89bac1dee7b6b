//! Records of a run that goes on are written at once, and reach the disk beside the work: a step that does little would wait for
//! the disk longer than for all else. A process that is killed takes nothing; a power failure takes what steps did in the time
//! that the disk takes, and never more than [`MOST_BEHIND`] records of it.

use futures::future::BoxFuture;

use super::context::Context;

/// So many records are written at most while the disk is waited for.
const MOST_BEHIND: usize = 16;

/// The records of one run that are not on the disk yet.
pub(super) struct Settling<'a> {
    context: &'a Context<'a>,
    /// Waits for the disk.
    waiting: Option<BoxFuture<'a, ()>>,
    /// Records that were written since that began.
    behind: usize,
}

impl<'a> Settling<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context, waiting: None, behind: 0 }
    }

    /// A record was written.
    pub(super) fn wrote(&mut self) {
        self.behind += 1;
        if self.waiting.is_none() {
            self.begin();
        }
    }

    /// True if nothing further may be written before the disk has what there is.
    pub(super) const fn is_behind(&self) -> bool {
        self.behind >= MOST_BEHIND
    }

    /// The disk has what was written when it was asked last; for ever if there is nothing that it lacks. Nothing is lost if this
    /// is dropped.
    pub(super) async fn next(&mut self) {
        let Some(waiting) = &mut self.waiting else { return std::future::pending().await };
        waiting.await;
        self.waiting = None;
        if self.behind > 0 {
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.behind = 0;
        let (context, run) = (self.context, &self.context.run_id);
        self.waiting = Some(Box::pin(async move {
            if let Err(error) = context.services.runs.settle().await {
                tracing::warn!(%run, %error, "the run history could not be written to the disk");
            }
        }));
    }
}
