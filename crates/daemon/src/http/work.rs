//! What a request can have done, for the API and for pages: scans, retries, runs. Whoever asks may stop waiting; the work goes
//! on.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use mangrove_app::{
    retry::Retried,
    scan::Report,
    service::{Query, Runnable, Service, StartRun, StartedRun},
    workflow::RunOptions,
};
use mangrove_documents::{ErrorReport, ProblemDocument, json, problems};
use mangrove_domain::run::{RunLookup, RunRecord, RunStatus};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    access::{Identity, Scope, sha256},
    error::ApiError,
    idempotency::{Key, LONGEST_KEY, Refused},
    state::ApiState,
};
use crate::event::ScanOptions;

/// Scans everything. `None` if it goes on after this wait.
///
/// # Errors
/// It may not be asked for, or failed.
pub async fn scan(
    state: &ApiState,
    identity: &Identity,
    options: ScanOptions,
    wait: Duration,
) -> Result<Option<Arc<Report>>, ApiError> {
    state.takes_work()?;
    if options.allow_mass_removal {
        identity.require(Scope::Admin)?;
    }
    let backend = state.backend();
    let scan: JoinHandle<Result<Arc<Report>, ErrorReport>> = tokio::spawn(async move { backend.scan(options).await });
    let Ok(ended) = tokio::time::timeout(wait, scan).await else { return Ok(None) };
    match ended {
        Ok(Ok(report)) => Ok(Some(report)),
        Ok(Err(report)) => Err(ApiError::failed(report)),
        Err(error) => Err(broken(&error)),
    }
}

/// Tries what failed or is degraded now: the sources that the query means, or all. `None` if it goes on after this wait.
///
/// # Errors
/// It failed, or no source is meant.
pub async fn retry(state: &ApiState, query: Option<String>, wait: Duration) -> Result<Option<Retried>, ApiError> {
    state.takes_work()?;
    let service = state.service().clone();
    let request = service.scan_request(state.stopping().child_token());
    let asked = query.clone();
    let retry = tokio::spawn(async move {
        let query = asked.as_deref().map(|text| Query { text, current_directory: None });
        service.retry(query, &request).await
    });
    let Ok(ended) = tokio::time::timeout(wait, retry).await else { return Ok(None) };
    let retried = ended.map_err(|error| broken(&error))??;
    if let (Some(query), true, false) = (query, retried.sources.is_empty(), retried.report.is_cancelled) {
        let report = ErrorReport::unknown_source(&query, retried.nearest, &retried.unobservable);
        return Err(ApiError::new(StatusCode::NOT_FOUND, report));
    }
    Ok(Some(retried))
}

/// A run of a workflow that somebody asks for.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// The workflow, by name or identifier.
    pub workflow: String,
    /// Its inputs by name. Texts become what its schema expects.
    pub inputs: serde_json::Map<String, serde_json::Value>,
    /// Who or what asks: `http`, ….
    pub trigger: String,
    /// What else is wanted of it.
    pub options: RunOptions,
    /// Requests of one sender with one key start one run, for a day.
    pub key: Option<RunKey>,
}

/// A key of one sender, and the request that it belongs to.
#[derive(Clone, Debug)]
pub struct RunKey {
    key: Key,
    request: [u8; 32],
}

impl RunKey {
    /// The key of this sender. What it belongs to are the workflow and these bytes: inputs as they came.
    ///
    /// # Errors
    /// 400: it is empty or longer than 255 bytes.
    pub fn new(sender: &Identity, key: &str, workflow: &str, inputs: &[u8]) -> Result<Self, ApiError> {
        if !(1..=LONGEST_KEY).contains(&key.len()) {
            return Err(Self::unusable());
        }
        let key = Key { sender: sender.name.clone(), key: key.to_owned() };
        Ok(Self { key, request: sha256(&[workflow.as_bytes(), b"\0", inputs].concat()) })
    }

    /// The error about a key that is none.
    pub(super) fn unusable() -> ApiError {
        let message = format!("`Idempotency-Key` must have 1 to {LONGEST_KEY} visible characters");
        ApiError::plain(StatusCode::BAD_REQUEST, message)
    }
}

/// A run that was started, or found by its key.
#[derive(Clone, Debug)]
pub struct RunAnswer {
    /// The run as it is now.
    pub record: RunRecord,
    /// What was noticed at its start.
    pub problems: Vec<ProblemDocument>,
    /// Files that could not be read then, and may hold what was meant.
    pub broken_files: Vec<String>,
}

/// What is known of a run from its start.
#[derive(Debug, Default)]
struct Remarks {
    problems: Vec<ProblemDocument>,
    broken_files: Vec<String>,
}

/// Starts a run and waits this long for its end.
///
/// # Errors
/// It did not start.
pub async fn start(state: &ApiState, request: RunRequest, wait: Duration) -> Result<RunAnswer, ApiError> {
    state.takes_work()?;
    let RunRequest { workflow, inputs, trigger, options, key } = request;
    let inputs = json::from_value(&serde_json::Value::Object(inputs));
    let start = StartRun { what: Runnable::Workflow(workflow), inputs, inputs_written: None, trigger, options };
    let (remarks, remarked) = oneshot::channel();
    let (service, started) = (state.service().clone(), state.started().clone());
    let now = service.clock().now();
    // In a task of its own: a client that goes away must not leave a run behind that its key does not know.
    let id = tokio::spawn(async move {
        let begin = async move || begin(&service, start, remarks).await;
        match key {
            None => begin().await,
            Some(RunKey { key, request }) => started.run(key, request, now, begin).await.map_err(refused),
        }
    });
    let id = id.await.map_err(|error| broken(&error))??;
    let Remarks { problems, broken_files } = remarked.await.unwrap_or_default();
    if let Some(run) = state.service().active_run(&id) {
        // Whether it has ended, the record says.
        let _ = tokio::time::timeout(wait, run.wait()).await;
    }
    Ok(RunAnswer { record: find_run(state, &id).await?, problems, broken_files })
}

async fn begin(service: &Service, start: StartRun, remarks: oneshot::Sender<Remarks>) -> Result<String, ApiError> {
    let StartedRun { run, problems: found, broken_files, .. } = service.start_run(start).await?;
    // The client may have gone away.
    let _ = remarks.send(Remarks { problems: problems(&found), broken_files });
    Ok(run.id().to_owned())
}

fn refused(refused: Refused<ApiError>) -> ApiError {
    match refused {
        Refused::NotStarted(error) => error,
        Refused::OtherRequest => ApiError::plain(
            StatusCode::UNPROCESSABLE_ENTITY,
            "this `Idempotency-Key` belongs to another request; nothing was started",
        ),
        Refused::Full => ApiError::busy("too many values of `Idempotency-Key` are remembered; nothing was started"),
    }
}

/// The run of this identifier, or of the one that begins like this.
///
/// # Errors
/// 404 and 409: none or several begin like this.
pub async fn find_run(state: &ApiState, id: &str) -> Result<RunRecord, ApiError> {
    match state.service().run(id).await? {
        RunLookup::Found(record) => Ok(*record),
        RunLookup::Unknown => Err(ApiError::new(StatusCode::NOT_FOUND, ErrorReport::unknown_run(id))),
        RunLookup::Ambiguous => Err(ApiError::new(StatusCode::CONFLICT, ErrorReport::ambiguous_run(id))),
    }
}

/// Asks a run to end. Gives it as it was; open if it will end, cancelled if it was already.
///
/// # Errors
/// There is none, it has ended, or nobody has it.
pub async fn cancel(state: &ApiState, id: &str, reason: Option<&str>) -> Result<RunRecord, ApiError> {
    let record = find_run(state, id).await?;
    let service = state.service();
    let is_asked = match reason {
        Some(reason) => service.cancel_run_because(&record.id, reason),
        None => service.cancel_run(&record.id),
    };
    if is_asked {
        return Ok(record);
    }
    if let Some(whole) = record.part_of().filter(|_| record.is_open()) {
        let message = format!("the run {} is part of the run {whole}, and ends with that one", record.id);
        return Err(ApiError::plain(StatusCode::CONFLICT, message));
    }
    if record.is_open() && service.request_cancellation(&record.id, reason).await? {
        return Ok(record);
    }
    // It may have ended between the look at it and now.
    let record = if record.is_open() { find_run(state, &record.id).await? } else { record };
    if record.status == RunStatus::Cancelled {
        return Ok(record);
    }
    let message = if record.is_open() {
        format!("the run {} is on record as going on, and nobody has it; look at it again", record.id)
    } else {
        format!("the run {} has ended already: {}", record.id, record.status.as_str())
    };
    Err(ApiError::plain(StatusCode::CONFLICT, message))
}

/// The task panicked; what it said is in the log.
fn broken(error: &tokio::task::JoinError) -> ApiError {
    tracing::error!(%error, "the task of a request panicked");
    ApiError::plain(StatusCode::INTERNAL_SERVER_ERROR, "a fault in Mangrove itself; the log of the daemon says more")
}
