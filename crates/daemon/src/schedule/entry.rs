//! One schedule of a scheduler: its times, and what came of them.

use mangrove_domain::{problem::Problem, time::Timestamp};

use super::{
    definition::{Last, LeftOut, LeftOutReason, Schedule},
    timing::Timing,
};

pub(super) struct Entry {
    pub(super) schedule: Schedule,
    pub(super) timing: Timing,
    pub(super) last: Option<Last>,
    pub(super) left_out: Option<LeftOut>,
    /// Why nothing is known of the schedule that its file has now.
    pub(super) problem: Option<Problem>,
}

impl Entry {
    /// Notes an instant of which no run comes.
    pub(super) fn leave_out(&mut self, due: Timestamp, reason: LeftOutReason) {
        let count = self.left_out.as_ref().map_or(0, |left_out| left_out.count);
        self.left_out = Some(LeftOut { due, reason, count: count.saturating_add(1) });
    }
}
