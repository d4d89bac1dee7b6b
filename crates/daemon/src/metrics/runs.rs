//! Runs and steps that have ended.

use std::time::Duration;

use mangrove_app::workflow::{RunChange, RunEvent};
use mangrove_domain::{
    run::{RunRecord, RunStatus},
    time::Timestamp,
};
use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};
use tokio::sync::broadcast::{self, error::RecvError};

use super::instruments::{Counters, counter, counters, histogram};

/// From a method that only computes to a workflow of hours.
const RUNNING: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];

/// What starts runs, in one word for each.
const TRIGGERS: [&str; 6] = ["command-line", "http", "schedule", "webhook", "run", "other"];

/// How a run or a step can end.
const ENDS: [RunStatus; 5] =
    [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Skipped, RunStatus::Cancelled, RunStatus::Blocked];

/// Runs and steps that have ended.
#[derive(Debug)]
pub(crate) struct Runs {
    run_durations: Histogram,
    step_durations: Histogram,
    outcomes: Counters<2>,
    step_outcomes: Counters<1>,
    missed: Counter,
}

impl Runs {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let run_durations = histogram(registry, "mangrove_run_seconds", "How long runs took", &RUNNING);
        let step_durations = histogram(registry, "mangrove_step_seconds", "How long steps of runs took", &RUNNING);
        let outcomes = counters(registry, "mangrove_runs", "Runs that ended, by how and by what had started them");
        let step_outcomes = counters(registry, "mangrove_steps", "Steps of runs that ended or were skipped, by how");
        let missed = counter(
            registry,
            "mangrove_missed_run_events",
            "Events of runs that came too fast to be counted in the other figures of runs",
        );
        for status in ENDS {
            step_outcomes.get_or_create(&[("status", status.as_str().into())]).inc_by(0);
            // A run is never skipped.
            for trigger in TRIGGERS.into_iter().filter(|_| status != RunStatus::Skipped) {
                outcomes.get_or_create(&[("status", status.as_str().into()), ("trigger", trigger.into())]).inc_by(0);
            }
        }
        Self { run_durations, step_durations, outcomes, step_outcomes, missed }
    }

    /// Counts what happens in all runs, for as long as somebody tells of it.
    pub(crate) async fn follow(&self, mut events: broadcast::Receiver<RunEvent>) {
        loop {
            match events.recv().await {
                Ok(event) => self.add(&event.change),
                Err(RecvError::Lagged(missed)) => {
                    self.missed.inc_by(missed);
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn add(&self, change: &RunChange) {
        match change {
            // What waits for somebody has not ended.
            RunChange::Finished(record) if record.status.is_final() => self.add_run(record),
            RunChange::StepFinished { step, .. } if step.status.is_final() => {
                self.step_outcomes.get_or_create(&[("status", step.status.as_str().into())]).inc();
                if let Some(duration) = elapsed(step.started_at, step.finished_at) {
                    self.step_durations.observe(duration.as_secs_f64());
                }
            }
            RunChange::Started(_)
            | RunChange::Finished(_)
            | RunChange::StepFinished { .. }
            | RunChange::JobStarted { .. }
            | RunChange::StepStarted { .. }
            | RunChange::Log { .. }
            | RunChange::LinesDropped { .. }
            | RunChange::JobFinished { .. } => {}
        }
    }

    fn add_run(&self, record: &RunRecord) {
        // A run that a step of another one started has the identifier of that one behind this word.
        let word = record.trigger.split(' ').next().unwrap_or_default();
        let trigger = TRIGGERS.into_iter().find(|known| *known == word).unwrap_or("other");
        self.outcomes.get_or_create(&[("status", record.status.as_str().into()), ("trigger", trigger.into())]).inc();
        if let Some(duration) = elapsed(Some(record.started_at), record.finished_at) {
            self.run_durations.observe(duration.as_secs_f64());
        }
    }
}

fn elapsed(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<Duration> {
    Some(end?.since(start?))
}
