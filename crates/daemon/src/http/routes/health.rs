//! Whether the daemon lives, and whether it can do its work.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use mangrove_documents::ReadinessDocument;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::{
    access::Scope,
    error::ApiError,
    guard,
    request::{Parameters, flag, flag_schema},
    state::ApiState,
};

/// The process lives and answers; nothing else is checked. `/healthz` is its earlier name.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "health",
    security(()),
    responses((status = 200, description = "It lives", body = String, content_type = "text/plain"))
)]
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// What is to be told of the readiness.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadinessParameters {
    /// Also what was checked. Needs the scope `read`.
    #[serde(deserialize_with = "flag")]
    #[param(schema_with = flag_schema)]
    verbose: bool,
}

/// Whether the daemon can do its work: the first scan is done, the catalog can be written. Extensions that fail do not count.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    security(()),
    params(ReadinessParameters),
    responses(
        (status = 200, description = "It is ready", body = ReadinessDocument),
        (status = 503, description = "It is not ready", body = ReadinessDocument),
        ApiError,
    )
)]
pub(super) async fn ready(
    State(state): State<ApiState>,
    Parameters(ReadinessParameters { verbose }): Parameters<ReadinessParameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if verbose {
        guard::identify(&state, &headers)?.require(Scope::Read)?;
    }
    let checks = state.backend().readiness().await;
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = if verbose { checks } else { Vec::new() };
    let document = ReadinessDocument { schema: "mangrove.readiness/1".to_owned(), ready, checks };
    Ok((status, Json(document)).into_response())
}
