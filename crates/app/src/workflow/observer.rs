//! What a live view of a run is told.

use mangrove_domain::run::{LogLine, RunRecord, RunStatus, StepRecord};

/// Listens to a run. Called in the order of events, from the task of the run; must return soon.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

/// Something that happened in a run. Secrets are masked.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The run is recorded and begins.
    RunStarted(&'a RunRecord),
    /// A job begins.
    JobStarted {
        /// Its name.
        job: &'a str,
    },
    /// A step begins.
    StepStarted {
        /// The name of its job.
        job: &'a str,
        /// Its name.
        step: &'a str,
        /// What it runs: `definition.method`.
        task: &'a str,
    },
    /// A method says something.
    Log {
        /// The name of its job.
        job: &'a str,
        /// The name of its step.
        step: &'a str,
        /// What it says.
        line: &'a LogLine,
    },
    /// A step ended, or was skipped.
    StepFinished {
        /// The name of its job.
        job: &'a str,
        /// The step as it is recorded.
        step: &'a StepRecord,
    },
    /// A job ended, or was skipped.
    JobFinished {
        /// Its name.
        job: &'a str,
        /// How it ended.
        status: RunStatus,
    },
    /// The run ended and is recorded.
    RunFinished(&'a RunRecord),
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: &Event<'_>) {}
}
