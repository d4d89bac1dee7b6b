//! Runs that start without a person: schedules and requests from outside start them in the same way.

use std::sync::Arc;

use mangrove_app::service::{RunError, RunOutcome, Service, StartTriggered, StartedRun};
use mangrove_domain::run::{RunRecord, RunStatus};

/// Starts a run, tells its identifier to `begun`, and waits for its end. It goes on if this is dropped.
///
/// # Errors
/// [`RunError`]; nothing ran.
pub(crate) async fn run(
    service: &Service,
    start: StartTriggered,
    begun: impl AsyncFnOnce(&str),
) -> Result<RunStatus, RunError> {
    Ok(follow(service.start_triggered(start).await?, begun).await)
}

/// Tells the identifier of a run that was started to `begun`, and waits for its end. It goes on if this is dropped.
pub(crate) async fn follow(started: StartedRun, begun: impl AsyncFnOnce(&str)) -> RunStatus {
    if let Some(problem) = &started.file_problem {
        let place = problem.position.as_ref().map(ToString::to_string);
        tracing::warn!(
            run = started.run.id(),
            file = problem.subject,
            place,
            code = %problem.code,
            "a workflow runs as it was last in order, because its file cannot be used: {}",
            problem.message
        );
    }
    begun(started.run.id()).await;
    // Nobody reads them here, and they must not be kept.
    drop(started.events);
    let outcome = started.run.wait().await;
    tell(&outcome);
    match &outcome {
        Ok(record) => record.status,
        Err(not_recorded) => not_recorded.record.status,
    }
}

fn tell(outcome: &RunOutcome) {
    match outcome.as_ref().map(Arc::as_ref) {
        Ok(RunRecord { id, name, trigger, status: RunStatus::Succeeded, .. }) => {
            tracing::info!(workflow = name, run = id, trigger, "a run succeeded");
        }
        Ok(RunRecord { id, name, trigger, status, error, .. }) => {
            let error = error.as_ref().map(|problem| problem.message.as_str()).unwrap_or_default();
            let status = status.as_str();
            tracing::error!(workflow = name, run = id, trigger, status, error, "a run did not succeed");
        }
        Err(not_recorded) => {
            let RunRecord { id, name, trigger, .. } = &*not_recorded.record;
            tracing::error!(workflow = name, run = id, trigger, error = %not_recorded, "the end of a run cannot be recorded");
        }
    }
}
