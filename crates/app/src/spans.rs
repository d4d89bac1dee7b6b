//! Spans of what runs: run, job, step, method. Whoever wants traces subscribes to them; without a subscriber they cost nothing.
//!
//! Fields are names and outcomes, never inputs, data or what was logged: none of them can hold a secret.

use mangrove_domain::{
    definition::Definition,
    run::{RunRecord, RunStatus},
};
use tracing::{Span, field::Empty, info_span};

/// What is found out about a workflow before it begins; what it needs is built in it.
pub(crate) fn validation(workflow: &str) -> Span {
    info_span!("validate", workflow)
}

/// A run, below whatever called it.
pub(crate) fn run(record: &RunRecord) -> Span {
    let RunRecord { id, name, trigger, .. } = record;
    info_span!("run", id, name, trigger, status = Empty, otel.status_code = Empty)
}

/// A job of the run in whose span this is called.
pub(crate) fn job(name: &str) -> Span {
    info_span!("job", name, status = Empty, otel.status_code = Empty)
}

/// A step of a job.
pub(crate) fn step(job: &Span, name: &str, task: &str) -> Span {
    info_span!(parent: job, "step", name, task, status = Empty, otel.status_code = Empty)
}

/// A call of a method.
pub(crate) fn method(definition: &Definition, method: &str) -> Span {
    let (type_name, definition) = (&definition.type_name.value, definition.name.value.as_str());
    info_span!("method", definition, method, model = %type_name, status = Empty, otel.status_code = Empty)
}

/// Says how it ended.
pub(crate) fn end(span: &Span, status: RunStatus) {
    span.record("status", status.as_str());
    match status {
        RunStatus::Failed | RunStatus::Blocked | RunStatus::Cancelled | RunStatus::Interrupted => {
            span.record("otel.status_code", "ERROR");
        }
        RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Succeeded
        | RunStatus::Skipped
        | RunStatus::WaitingApproval
        | RunStatus::Suspended => {}
    }
}
