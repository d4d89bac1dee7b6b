//! `metrics`: what the daemon counts and measures.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use mangrove_domain::source::Kind;

use crate::{
    http::{error::ApiError, state::ApiState},
    metrics::{self, Sample},
    status::Status,
};

/// What the daemon counts and measures, in the text format of Prometheus (version 0.0.4).
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (status = 200, description = "All series", body = String, content_type = "text/plain"),
        ApiError,
    )
)]
pub(super) async fn show(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let service = state.service();
    let scanner = service.scanner();
    let kinds: Vec<Kind> = scanner.loaders().layouts().iter().map(|layout| layout.kind.clone()).collect();
    let checks = state.backend().readiness().await;
    let Status { started_at, in_progress, coverage, scheduled, .. } = state.backend().status();
    let unwatched = coverage.map_or(0, |coverage| coverage.unwatched.len());
    let sample = Sample {
        now: service.clock().now(),
        started_at,
        is_ready: checks.iter().all(|check| check.ok),
        index: &scanner.index(),
        kinds: &kinds,
        runs: &service.active_runs(),
        queues: &[("schedule", scheduled), ("webhook", state.webhooks().load())],
        in_progress: in_progress as u64,
        unwatched: unwatched as u64,
        streams: state.open_streams() as u64,
        usage: service.process_usage(),
    };
    let text = state.metrics().text(&sample).map_err(|error| {
        let message = format!("the metrics cannot be written: {error}");
        ApiError::plain(StatusCode::INTERNAL_SERVER_ERROR, message)
    })?;
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
