//! Runs: the list, one of them, its logs, and cancelling it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use mangrove_app::service::RunHandle;
use mangrove_documents::{RunDocument, RunEventDocument, RunListDocument, RunLogsDocument};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::{
    error::ApiError,
    follow,
    listing::{self, RunsAsked},
    request::{Body, InPath, Parameters, flag, flag_schema},
    state::ApiState,
    work::{self, find_run},
};

/// How long a reason may be, in characters.
const LONGEST_REASON: usize = 200;

/// Which runs are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// Only runs of this workflow or definition.
    name: Option<String>,
    /// Only runs with this status: `running`, `succeeded`, `failed`, ….
    status: Option<String>,
    /// At most this many, from 1 to 1000; 100 if it is not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The cursor of the page.
    cursor: Option<String>,
}

/// Runs, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/runs",
    tag = "runs",
    params(ListParameters),
    responses((status = 200, description = "A page of runs, newest first", body = RunListDocument), ApiError)
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<RunListDocument>, ApiError> {
    let ListParameters { name, status, limit, cursor } = parameters;
    let (found, next) = listing::runs(&state, &RunsAsked { name, status, limit, cursor }).await?;
    let sees_all = state.service().sees_all_runs();
    Ok(Json(RunListDocument::from(found.as_slice()).page(next).seeing_all(sees_all)))
}

/// One run.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}",
    tag = "runs",
    params(("id" = String, Path, description = "The identifier of the run, or the beginning of it")),
    responses((status = 200, description = "The run", body = RunDocument), ApiError)
)]
pub(super) async fn show(
    State(state): State<ApiState>,
    InPath(id): InPath<String>,
) -> Result<Json<RunDocument>, ApiError> {
    Ok(Json(RunDocument::from(&find_run(&state, &id).await?)))
}

/// Why a run is asked to end.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CancelBody {
    /// One sentence without a full stop, at most 200 characters; the record of the run has it.
    reason: Option<String>,
}

/// Asks a run to end.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/cancel",
    tag = "runs",
    params(("id" = String, Path, description = "The identifier of the run, or the beginning of it")),
    request_body(content = Option<CancelBody>),
    responses(
        (status = 200, description = "The run, which was cancelled already", body = RunDocument),
        (status = 202, description = "The run, which will end", body = RunDocument),
        ApiError,
    )
)]
pub(super) async fn cancel(
    State(state): State<ApiState>,
    InPath(id): InPath<String>,
    Body { value: CancelBody { reason }, .. }: Body<CancelBody>,
) -> Result<Response, ApiError> {
    if reason.as_ref().is_some_and(|reason| reason.is_empty() || reason.chars().count() > LONGEST_REASON) {
        let message = format!("`reason`: expected 1 to {LONGEST_REASON} characters");
        return Err(ApiError::plain(StatusCode::BAD_REQUEST, message));
    }
    let record = work::cancel(&state, &id, reason.as_deref()).await?;
    let status = if record.is_open() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(RunDocument::from(&record))).into_response())
}

/// How the logs of a run are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogParameters {
    /// Everything that happens in the run, from its beginning to its end, as server-sent events.
    #[serde(deserialize_with = "flag")]
    #[param(schema_with = flag_schema)]
    follow: bool,
}

/// What the methods of a run have logged; with `follow`, everything that happens in it.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/logs",
    tag = "runs",
    params(("id" = String, Path, description = "The identifier of the run, or the beginning of it"), LogParameters),
    responses(
        (status = 200, description = "The lines; with `follow`, events whose data are what `workflow run --json` prints", content(
            (RunLogsDocument = "application/json"),
            (RunEventDocument = "text/event-stream"),
        )),
        ApiError,
    )
)]
pub(super) async fn logs(
    State(state): State<ApiState>,
    InPath(id): InPath<String>,
    Parameters(LogParameters { follow }): Parameters<LogParameters>,
) -> Result<Response, ApiError> {
    let record = find_run(&state, &id).await?;
    if !follow {
        return Ok(Json(RunLogsDocument::from(&record)).into_response());
    }
    let permit = state.stream()?;
    let run: Option<RunHandle> = state.service().active_run(&record.id);
    let events = match run {
        Some(run) => follow::Source::Live(Box::new(run.events())),
        None => follow::Source::Recorded { service: Box::new(state.service().clone()), record: Arc::new(record) },
    };
    Ok(follow::run(events, state.stopping().clone(), permit))
}
