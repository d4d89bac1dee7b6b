//! A schedule with what is known of it.

use mangrove_documents::{Moment, ScheduleDocument};

use super::{
    address,
    badge::{Badge, Tone},
    moment::{When, exact},
};
use crate::frame::Frame;

/// A schedule as `parts/schedule.html` shows it.
pub(crate) struct ScheduleView {
    /// The page of its workflow.
    pub(crate) address: String,
    pub(crate) next: Option<When>,
    pub(crate) times: Vec<TimeLine>,
    pub(crate) running: Vec<Going>,
    pub(crate) last: Option<Last>,
    /// Of which instant no run came, why, and how often that was.
    pub(crate) left_out: Option<LeftOut>,
    pub(crate) schedule: ScheduleDocument,
}

/// One instant of a schedule.
pub(crate) struct TimeLine {
    /// What clocks of its zone show.
    pub(crate) wall_clock: String,
    pub(crate) utc: String,
    pub(crate) due: When,
}

/// A scheduled run that goes on.
pub(crate) struct Going {
    pub(crate) address: Option<String>,
    pub(crate) due: When,
}

/// A scheduled run that has ended, or did not begin.
pub(crate) struct Last {
    pub(crate) badge: Badge,
    pub(crate) address: Option<String>,
    pub(crate) due: When,
}

/// An instant of which no run came.
pub(crate) struct LeftOut {
    pub(crate) due: When,
    pub(crate) reason: String,
    pub(crate) count: u64,
}

impl ScheduleView {
    pub(crate) fn new(frame: &Frame, schedule: &ScheduleDocument) -> Self {
        let of_run = |run: &Option<String>| run.as_deref().map(address::of_run);
        let behind = |at: Moment| frame.ago(at.0);
        let time = |at: Moment, wall_clock: &str| TimeLine {
            wall_clock: wall_clock.to_owned(),
            utc: exact(at.0).trim_end_matches(" UTC").to_owned(),
            due: frame.due(at.0),
        };
        Self {
            address: address::of_workflow(&schedule.name),
            next: schedule.next_run.map(|next| frame.due(next.0)),
            times: schedule.upcoming.iter().map(|upcoming| time(upcoming.at, &upcoming.wall_clock)).collect(),
            running: schedule
                .running
                .iter()
                .map(|run| Going { address: of_run(&run.run_id), due: behind(run.due) })
                .collect(),
            last: schedule.last.as_ref().map(|last| Last {
                badge: badge(&last.status),
                address: of_run(&last.run_id),
                due: behind(last.due),
            }),
            left_out: schedule.left_out.as_ref().map(|left_out| LeftOut {
                due: behind(left_out.due),
                reason: reason(&left_out.reason),
                count: left_out.count,
            }),
            schedule: schedule.clone(),
        }
    }
}

fn badge(status: &str) -> Badge {
    match status {
        "refused" => Badge::new(Tone::Bad, "could not be started"),
        "elsewhere" => Badge::new(Tone::Idle, "started by another daemon"),
        status => Badge::of_status(status),
    }
}

fn reason(word: &str) -> String {
    match word {
        "runs" => "the one before still ran".to_owned(),
        "waits" => "the one before still waited".to_owned(),
        "queue-full" => "too many waited".to_owned(),
        "missed" => "nobody was there at the time".to_owned(),
        other => other.to_owned(),
    }
}
