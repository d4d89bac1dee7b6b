//! Runs: the list, one of them, its logs, and cancelling it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use mangrove_app::service::RunHandle;
use mangrove_documents::{ErrorReport, RunDocument, RunEventDocument, RunListDocument, RunLogsDocument};
use mangrove_domain::{
    ports::{RunFilter, RunPlace},
    run::{RunLookup, RunRecord, RunStatus},
    time::Timestamp,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::sources::word;
use crate::http::{
    error::ApiError,
    follow, paging,
    request::{InPath, Parameters, flag, flag_schema},
    state::ApiState,
};

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

/// How many runs are looked at for one page of those with one status.
const LOOKED_AT: usize = 10_000;

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
    let limit = paging::limit(limit)?;
    let status = word("status", status.as_deref(), RunStatus::ALL.map(RunStatus::as_str))?;
    let mut before = cursor.as_deref().map(place).transpose()?;
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let next = loop {
        let filter = RunFilter { name: name.clone(), limit: Some(paging::LARGEST_LIMIT), before: before.clone() };
        // Without a status one look is enough, and it need not be larger than the page.
        let filter = if status.is_none() { RunFilter { limit: Some(limit), ..filter } } else { filter };
        let runs = state.service().runs(&filter).await?;
        let (is_last, wanted) = (runs.len() < filter.limit.unwrap_or(limit) as usize, limit as usize);
        looked_at += runs.len();
        for run in runs {
            before = Some(RunPlace { started_at: run.started_at, id: run.id.clone() });
            if status.is_none_or(|status| run.status.as_str() == status) {
                found.push(run);
            }
            if found.len() == wanted {
                break;
            }
        }
        if found.len() == wanted || looked_at >= LOOKED_AT {
            break before;
        }
        if is_last {
            break None;
        }
    };
    let next = next.map(|place| paging::cursor([place.started_at.as_millis().to_string().as_str(), place.id.as_str()]));
    Ok(Json(RunListDocument::from(found.as_slice()).page(next)))
}

fn place(cursor: &str) -> Result<RunPlace, ApiError> {
    let [millis, id] = paging::parts::<2>(cursor)?;
    let millis = millis.parse().map_err(|_| paging::unknown())?;
    Ok(RunPlace { started_at: Timestamp::from_millis(millis), id })
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
    Ok(Json(RunDocument::from(&find(&state, &id).await?)))
}

async fn find(state: &ApiState, id: &str) -> Result<RunRecord, ApiError> {
    match state.service().run(id).await? {
        RunLookup::Found(record) => Ok(*record),
        RunLookup::Unknown => Err(ApiError::new(StatusCode::NOT_FOUND, ErrorReport::unknown_run(id))),
        RunLookup::Ambiguous => Err(ApiError::new(StatusCode::CONFLICT, ErrorReport::ambiguous_run(id))),
    }
}

/// Asks a run to end.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/cancel",
    tag = "runs",
    params(("id" = String, Path, description = "The identifier of the run, or the beginning of it")),
    responses(
        (status = 200, description = "The run, which was cancelled already", body = RunDocument),
        (status = 202, description = "The run, which will end", body = RunDocument),
        ApiError,
    )
)]
pub(super) async fn cancel(State(state): State<ApiState>, InPath(id): InPath<String>) -> Result<Response, ApiError> {
    let record = find(&state, &id).await?;
    let document = Json(RunDocument::from(&record));
    if state.service().cancel_run(&record.id) {
        return Ok((StatusCode::ACCEPTED, document).into_response());
    }
    // It may have ended between the look at it and now.
    let record = if record.is_open() { find(&state, &record.id).await? } else { record };
    if record.status == RunStatus::Cancelled {
        return Ok(Json(RunDocument::from(&record)).into_response());
    }
    let message = if record.is_open() {
        format!("the run {} goes on in another process, which alone can end it", record.id)
    } else {
        format!("the run {} has ended already: {}", record.id, record.status.as_str())
    };
    Err(ApiError::plain(StatusCode::CONFLICT, message))
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
    let record = find(&state, &id).await?;
    if !follow {
        return Ok(Json(RunLogsDocument::from(&record)).into_response());
    }
    let permit = state.stream()?;
    let run: Option<RunHandle> = state.service().active_run(&record.id);
    let events = match run {
        Some(run) => follow::Source::Live(run.events()),
        None => follow::Source::Recorded { service: state.service().clone(), record: Arc::new(record) },
    };
    Ok(follow::run(events, state.stopping().clone(), permit))
}
