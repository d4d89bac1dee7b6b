//! What people see of schedules.

use std::{collections::HashMap, sync::Arc};

use mangrove_domain::{
    problem::Problem,
    source::Origin,
    time::Timestamp,
    workflow::{Misfire, Overlap},
};

use super::{
    definition::{Last, LeftOut, NotEnabled},
    entry::Entry,
    queue::{Limits, Queue},
};

/// How many coming times are shown of each schedule.
pub const UPCOMING: usize = 5;

/// All schedules at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerView {
    /// By the names of their workflows.
    pub schedules: Vec<ScheduledView>,
    /// Why files of workflows cannot be used of which nothing is known from before.
    pub broken: Vec<Problem>,
    /// The schedules that nobody has allowed.
    pub not_enabled: Vec<NotEnabled>,
    /// What runs and waits altogether.
    pub queue: QueueView,
}

/// What runs and waits altogether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// How many scheduled runs go on.
    pub running: usize,
    /// How many may.
    pub limit: usize,
    /// What waits, first come first: the names of workflows, and the instants that the runs are for.
    pub waiting: Vec<(String, Timestamp)>,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledView {
    /// The identifier of the workflow.
    pub workflow: Arc<str>,
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Where the root of the file comes from.
    pub origin: Origin,
    /// The pattern as the file has it.
    pub pattern: String,
    /// The zone that it is in.
    pub zone: String,
    /// What happens when it is due while it still runs or waits.
    pub overlap: Overlap,
    /// What happens when nobody was there at the time.
    pub misfire: Misfire,
    /// When the next run begins, with its jitter; `None` if none is due any more.
    pub next: Option<Timestamp>,
    /// The next instants of the schedule, [`UPCOMING`] at most, and what clocks of its zone show then.
    pub upcoming: Vec<(Timestamp, String)>,
    /// The runs that go on: their identifiers, once they have one, and the instants that they are for.
    pub running: Vec<(Option<String>, Timestamp)>,
    /// How many runs wait.
    pub waiting: usize,
    /// The run that ended last.
    pub last: Option<Last>,
    /// The latest instant of which no run came.
    pub left_out: Option<LeftOut>,
    /// Why nothing is known of the schedule that its file has now; it goes on with the one that it had.
    pub problem: Option<Problem>,
}

pub(super) fn of<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    queue: &Queue,
    limits: Limits,
    now: Timestamp,
) -> SchedulerView {
    let mut running: HashMap<&str, Vec<(Option<String>, Timestamp)>> = HashMap::new();
    for run in queue.running() {
        running.entry(&run.fire.workflow).or_default().push((run.run.clone(), run.fire.due));
    }
    let mut waiting: HashMap<&str, usize> = HashMap::new();
    for fire in queue.waiting() {
        *waiting.entry(&fire.workflow).or_default() += 1;
    }
    let mut schedules: Vec<ScheduledView> = entries
        .map(|entry| {
            let id = &*entry.schedule.workflow;
            one(entry, running.get(id).cloned().unwrap_or_default(), waiting.get(id).copied().unwrap_or_default(), now)
        })
        .collect();
    schedules.sort_by(|one, other| (&one.name, &one.workflow).cmp(&(&other.name, &other.workflow)));
    let queue = QueueView {
        running: queue.running().count(),
        limit: limits.running,
        waiting: queue.waiting().map(|fire| (fire.name.clone(), fire.due)).collect(),
    };
    SchedulerView { schedules, broken: Vec::new(), not_enabled: Vec::new(), queue }
}

fn one(entry: &Entry, running: Vec<(Option<String>, Timestamp)>, waiting: usize, now: Timestamp) -> ScheduledView {
    let schedule = &entry.schedule;
    let recurrence = schedule.recurrence.as_ref();
    let upcoming = std::iter::successors(recurrence.next_after(now), |instant| recurrence.next_after(*instant));
    ScheduledView {
        workflow: Arc::clone(&schedule.workflow),
        name: schedule.name.clone(),
        file: schedule.file.clone(),
        origin: schedule.origin,
        pattern: schedule.pattern.clone(),
        zone: recurrence.zone().to_owned(),
        overlap: schedule.overlap,
        misfire: schedule.misfire,
        next: entry.timing.begins(),
        upcoming: upcoming.take(UPCOMING).map(|instant| (instant, recurrence.wall_clock(instant))).collect(),
        running,
        waiting,
        last: entry.last.clone(),
        left_out: entry.left_out,
        problem: entry.problem.clone(),
    }
}
