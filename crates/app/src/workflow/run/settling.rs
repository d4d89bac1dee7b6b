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
    /// Waits for the disk, and says whether it has them.
    waiting: Option<BoxFuture<'a, bool>>,
    /// Records that were written since that began.
    behind: usize,
    /// True if the disk did not take them: the next record waits for it by itself, and takes these along.
    has_failed: bool,
}

impl<'a> Settling<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context, waiting: None, behind: 0, has_failed: false }
    }

    /// A record was written.
    pub(super) fn wrote(&mut self) {
        self.behind += 1;
        if self.waiting.is_none() {
            self.begin();
        }
    }

    /// A record was written that is on the disk, as is all before it.
    pub(super) const fn wrote_through(&mut self) {
        self.behind = 0;
        self.has_failed = false;
    }

    /// True if the next record has to be on the disk when it is written.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// True if nothing further may be written before the disk has what there is.
    pub(super) const fn is_behind(&self) -> bool {
        self.behind >= MOST_BEHIND && !self.has_failed
    }

    /// The disk has what was written when it was asked last, or does not take it; for ever if it was not asked. Nothing is lost if
    /// this is dropped.
    pub(super) async fn next(&mut self) {
        let Some(waiting) = &mut self.waiting else { return std::future::pending().await };
        self.has_failed = !waiting.await;
        self.waiting = None;
        if self.behind > 0 && !self.has_failed {
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.behind = 0;
        let (context, run) = (self.context, &self.context.run_id);
        self.waiting = Some(Box::pin(async move {
            let settled = context.services.runs.settle().await;
            if let Err(error) = &settled {
                tracing::warn!(%run, %error, "the run history could not be written to the disk");
            }
            settled.is_ok()
        }));
    }
}
