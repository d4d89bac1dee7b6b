//! What becomes of a run whose process is gone.

use mangrove_domain::{
    problem::Code,
    run::{JobRecord, RunProblem, RunRecord, RunStatus, StepRecord},
    time::Timestamp,
};

/// The record of a run whose process is gone: it and what was going on were interrupted, what had not begun is skipped.
pub(crate) fn interrupted(record: RunRecord) -> RunRecord {
    let at = last_known(&record);
    let message = "the process that ran it ended before the run did".to_owned();
    let error = RunProblem::new(Code::RUN_INTERRUPTED, message);
    record.broken_off(at, RunStatus::Interrupted, &error)
}

/// The latest time in the record; the process was alive then.
fn last_known(record: &RunRecord) -> Timestamp {
    let of_step = |step: &StepRecord| [step.started_at, step.finished_at, step.logs.last().map(|line| line.at)];
    let of_job = |job: &JobRecord| {
        let steps = job.steps.iter().flat_map(|step| of_step(step)).flatten();
        steps.chain(job.started_at).chain(job.finished_at).max()
    };
    record
        .jobs
        .iter()
        .filter_map(of_job)
        .chain(record.written_at)
        .chain([record.started_at])
        .max()
        .unwrap_or(record.started_at)
}
