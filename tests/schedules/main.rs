//! The scheduler over real calendars, real files and a real database, with a clock that the tests set.

mod clocks;
mod daemons;
mod files;

use std::{collections::HashMap, sync::Arc, time::Duration};

use mangrove_daemon::schedule::{Fire, FireOutcome, Limits, Schedule, Scheduler};
use mangrove_domain::{
    ports::Calendar as _,
    run::RunStatus,
    source::Origin,
    time::Timestamp,
    workflow::{Misfire, Overlap},
};
use mangrove_infra::calendar::CronCalendar;
use mangrove_testkit::fakes::SeededEntropy;

/// The schedule of a workflow `w`.
pub(crate) fn schedule(pattern: &str, zone: &str) -> Schedule {
    let calendar = CronCalendar::new("UTC").expect("a zone");
    Schedule {
        workflow: "w".into(),
        name: "w".to_owned(),
        file: "workflows/w.yaml".to_owned(),
        origin: Origin::Local,
        pattern: pattern.to_owned(),
        recurrence: calendar.recurrence(pattern, Some(zone)).expect("a schedule"),
        overlap: Overlap::Skip,
        misfire: Misfire::Skip,
        jitter: Duration::ZERO,
    }
}

pub(crate) fn scheduler() -> Scheduler {
    Scheduler::new(Limits::default(), Arc::new(SeededEntropy::new(7)))
}

/// A scheduler of one schedule that nobody saw before.
pub(crate) fn scheduler_of(schedule: Schedule, now: Timestamp) -> Scheduler {
    let mut scheduler = scheduler();
    scheduler.replace(vec![schedule], |_| None, &HashMap::new(), now);
    scheduler
}

/// What starts now; each run ends at once.
pub(crate) fn run(scheduler: &mut Scheduler, now: Timestamp) -> Vec<Fire> {
    let fires = scheduler.advance(now);
    for fire in &fires {
        scheduler.ended(fire.number, FireOutcome::Ran(RunStatus::Succeeded));
    }
    fires
}

/// The instants that are fired until `end`, by a clock that goes as clocks do.
pub(crate) fn fired_until(scheduler: &mut Scheduler, end: Timestamp) -> Vec<Timestamp> {
    let mut fired = Vec::new();
    while let Some(due) = scheduler.next_due().filter(|due| *due <= end) {
        // Timers are a little late.
        let started = run(scheduler, due.plus(Duration::from_millis(3)));
        assert_eq!(started.len(), 1, "one schedule, one run");
        fired.push(started[0].due);
    }
    fired
}
