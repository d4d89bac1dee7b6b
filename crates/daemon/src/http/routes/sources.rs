//! Sources: their states, their history, why they are in them, and trying them again.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use mangrove_app::{retry::Retried, service::Query};
use mangrove_documents::{
    AcceptedDocument, ErrorReport, ScanDocument, SourceDocument, SourcesDocument, TransitionsDocument, WhyDocument,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    event::ScanOptions,
    http::{
        access::Identity,
        error::ApiError,
        listing::{SourceFilter, SourceWords, page},
        paging,
        request::{Body, Parameters, flag, flag_schema, preferred_wait},
        state::ApiState,
        work,
    },
};

/// Which sources are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// Only sources in this state: `Indexed`, `BundleBuildFailed`, ….
    state: Option<String>,
    /// Only this kind.
    kind: Option<String>,
    /// Only sources whose type or path contains this.
    query: Option<String>,
    /// Only what is not healthy: failed, rejected, degraded, ….
    #[serde(deserialize_with = "flag")]
    #[param(schema_with = flag_schema)]
    unhealthy: bool,
    /// Only failures of this class: `Transient`, `Environment` or `Deterministic`.
    class: Option<String>,
    /// Only failures of this code, such as `MG0301`.
    code: Option<String>,
    /// At most this many, from 1 to 1000; 100 if it is not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The cursor of the page.
    cursor: Option<String>,
}

/// Sources as the catalog has them.
#[utoipa::path(
    get,
    path = "/api/v1/sources",
    tag = "sources",
    params(ListParameters),
    responses((status = 200, description = "A page of sources, sorted by root and path", body = SourcesDocument), ApiError)
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<SourcesDocument>, ApiError> {
    let ListParameters { state: name, kind, query, unhealthy, class, code, limit, cursor } = parameters;
    let words = SourceWords { state: name, kind, query, unhealthy, class, code };
    let filter = SourceFilter::new(&state, words)?;
    let snapshot = state.service().published();
    let rows = snapshot.rows().map(AsRef::as_ref).filter(|row| filter.includes(row));
    let (rows, next) = page(rows, limit, cursor.as_deref())?;
    Ok(Json(SourcesDocument::new(rows.into_iter().map(SourceDocument::of_row).collect(), next)))
}

/// Which transitions are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParameters {
    /// At most this many, from 1 to 1000; 100 if it is not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The cursor of the page.
    cursor: Option<String>,
}

/// The transitions of all sources, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/transitions",
    tag = "sources",
    params(HistoryParameters),
    responses((status = 200, description = "A page of transitions, newest first", body = TransitionsDocument), ApiError)
)]
pub(super) async fn transitions(
    State(state): State<ApiState>,
    Parameters(parameters): Parameters<HistoryParameters>,
) -> Result<Json<TransitionsDocument>, ApiError> {
    let limit = paging::limit(parameters.limit)?;
    let before = parameters.cursor.as_deref().map(paging::parts::<1>).transpose()?;
    let before = before.map(|[number]| number.parse().map_err(|_| paging::unknown())).transpose()?;
    let lines = state.service().history(before, limit).await?;
    let is_last = lines.len() < limit as usize;
    let last = lines.last().filter(|_| !is_last);
    let next = last.map(|line| paging::cursor([line.number.to_string().as_str()]));
    Ok(Json(TransitionsDocument::new(&lines, next)))
}

/// What is to be explained.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhyParameters {
    /// A type, or a path relative to the repository.
    query: String,
}

/// Why sources are in the state they are in, with their history. Looks at the disk.
#[utoipa::path(
    get,
    path = "/api/v1/why",
    tag = "sources",
    params(WhyParameters),
    responses((status = 200, description = "The sources that are meant", body = WhyDocument), ApiError)
)]
pub(super) async fn why(
    State(state): State<ApiState>,
    Parameters(WhyParameters { query }): Parameters<WhyParameters>,
) -> Result<Json<WhyDocument>, ApiError> {
    let asked = Query { text: &query, current_directory: None };
    let answer = state.look(state.service().why(asked)).await?;
    if answer.is_empty() {
        let report = ErrorReport::unknown_source(&query, answer.nearest, &answer.unobservable);
        return Err(ApiError::new(StatusCode::NOT_FOUND, report));
    }
    Ok(Json(WhyDocument::new(&query, &answer)))
}

/// What a scan shall do.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ScanBody {
    /// Read every file, whatever its times say.
    rehash: bool,
    /// Accept that most sources of a root are gone. Needs the scope `admin`.
    allow_mass_removal: bool,
}

/// Brings the catalog up to date.
#[utoipa::path(
    post,
    path = "/api/v1/scan",
    tag = "sources",
    request_body(content = Option<ScanBody>),
    params(("Prefer" = Option<String>, Header, description = "`respond-async`, or `wait=` and a number of seconds, at most 10")),
    responses(
        (status = 200, description = "What it did, with the sources that it changed or found unhealthy", body = ScanDocument),
        (status = 202, description = "It goes on", body = AcceptedDocument),
        ApiError,
    )
)]
pub(super) async fn scan(
    State(state): State<ApiState>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    Body { value: body, .. }: Body<ScanBody>,
) -> Result<Response, ApiError> {
    let options = ScanOptions { rehash: body.rehash, allow_mass_removal: body.allow_mass_removal };
    Ok(match work::scan(&state, &identity, options, preferred_wait(&headers)).await? {
        Some(report) => Json(ScanDocument::of_report(&report, None)).into_response(),
        None => accepted("the scan goes on; `transitions` and `events` tell what it does"),
    })
}

/// What is to be tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RetryBody {
    /// A type, or a path relative to the repository; everything that failed or is degraded if it is not given.
    query: Option<String>,
}

/// Tries failed and degraded sources now, whatever their timers say.
#[utoipa::path(
    post,
    path = "/api/v1/retry",
    tag = "sources",
    request_body(content = Option<RetryBody>),
    params(("Prefer" = Option<String>, Header, description = "`respond-async`, or `wait=` and a number of seconds, at most 10")),
    responses(
        (status = 200, description = "What became of the sources that were tried", body = ScanDocument),
        (status = 202, description = "It goes on", body = AcceptedDocument),
        ApiError,
    )
)]
pub(super) async fn retry(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Body { value: RetryBody { query }, .. }: Body<RetryBody>,
) -> Result<Response, ApiError> {
    let retried = work::retry(&state, query, preferred_wait(&headers)).await?;
    let Some(Retried { report, sources, .. }) = retried else {
        return Ok(accepted("it goes on; `transitions` and `events` tell what becomes of the sources"));
    };
    let document = ScanDocument::of_report(&report, Some(&sources)).named("mangrove.retry/1", None);
    Ok(Json(document).into_response())
}

fn accepted(message: &str) -> Response {
    (StatusCode::ACCEPTED, Json(AcceptedDocument::new(message))).into_response()
}
