//! What a live view of a run is given.

use std::sync::Arc;

use mangrove_domain::run::{LogLine, RunRecord, RunStatus, StepRecord};

/// Listens to a run. Called in the order of events, from the task of the run; must return soon.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: RunEvent);

    /// The run, or one that a step of it started, is on record like this, secrets masked.
    fn recorded(&self, record: &Arc<RunRecord>) {
        let _ = record;
    }

    /// The run, or one that a step of it started, is on record as ended like this, secrets masked; reports are still added.
    fn ended(&self, record: &Arc<RunRecord>) {
        let _ = record;
    }
}

/// Something that happened in a run, or in one that a step of it started. Secrets are masked.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEvent {
    /// The run in which it happened.
    pub run_id: Arc<str>,
    /// What happened.
    pub change: RunChange,
}

/// What happened in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunChange {
    /// The run is recorded and begins.
    Started(Arc<RunRecord>),
    /// A job begins.
    JobStarted {
        /// Its name.
        job: String,
    },
    /// A step begins.
    StepStarted {
        /// The name of its job.
        job: String,
        /// Its name.
        step: String,
        /// What it runs: `definition.method`.
        task: String,
    },
    /// A method logged a line.
    Log {
        /// The name of its job.
        job: String,
        /// The name of its step.
        step: String,
        /// What it logged.
        line: LogLine,
    },
    /// Lines that methods logged were left out before this, because the subscriber reads too slowly. The record of the
    /// run has them.
    LinesDropped {
        /// How many.
        lines: u64,
    },
    /// A step ended, or was skipped.
    StepFinished {
        /// The name of its job.
        job: String,
        /// The step as it is recorded.
        step: Arc<StepRecord>,
    },
    /// A job ended, or was skipped.
    JobFinished {
        /// Its name.
        job: String,
        /// How it ended.
        status: RunStatus,
    },
    /// The run ended and is recorded.
    Finished(Arc<RunRecord>),
}

/// What has happened in a run by its record, in an order in which it may have happened: for those who come late. The
/// first is [`RunChange::Started`], and the last [`RunChange::Finished`] if it has ended. Lines of steps that go on are not in
/// the record.
#[must_use]
pub fn replay(record: &Arc<RunRecord>) -> Vec<RunEvent> {
    let mut changes = vec![RunChange::Started(Arc::clone(record))];
    for job in record.jobs.iter().filter(|job| job.status != RunStatus::Pending) {
        if job.started_at.is_some() {
            changes.push(RunChange::JobStarted { job: job.name.clone() });
        }
        for step in job.steps.iter().filter(|step| step.status != RunStatus::Pending) {
            let (name, task) = (step.name.clone(), step.task.clone());
            // A step that its guard skipped has begun if methods of the guard have logged.
            if step.started_at.is_some() || !step.logs.is_empty() {
                changes.push(RunChange::StepStarted { job: job.name.clone(), step: name.clone(), task });
            }
            let line =
                |line: &LogLine| RunChange::Log { job: job.name.clone(), step: name.clone(), line: line.clone() };
            changes.extend(step.logs.iter().map(line));
            if !step.status.is_open() {
                changes.push(RunChange::StepFinished { job: job.name.clone(), step: Arc::clone(step) });
            }
        }
        if !job.status.is_open() {
            changes.push(RunChange::JobFinished { job: job.name.clone(), status: job.status });
        }
    }
    if !record.is_open() {
        changes.push(RunChange::Finished(Arc::clone(record)));
    }
    let run_id: Arc<str> = Arc::from(record.id.as_str());
    changes.into_iter().map(|change| RunEvent { run_id: Arc::clone(&run_id), change }).collect()
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: RunEvent) {}
}
