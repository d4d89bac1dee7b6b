//! `events`: everything that happens, as it happens.

use axum::{extract::State, http::HeaderMap, response::Response};
use mangrove_documents::EventDocument;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::{error::ApiError, follow, listing::word, request::Parameters, state::ApiState};

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct EventParameters {
    /// Only these, with commas between them: `transition`, `run-started`, `run-finished`, `schedule`. A `gap` always comes.
    only: Option<String>,
    /// As the header `Last-Event-ID`, for clients that cannot set it.
    last_event_id: Option<String>,
}

/// Transitions, runs and schedules as they happen. With `Last-Event-ID` the stream goes on after that event; what is gone by
/// then is told as a `gap`.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(
        EventParameters,
        ("Last-Event-ID" = Option<String>, Header, description = "The identifier of the event after which to go on"),
    ),
    responses(
        (status = 200, description = "Server-sent events", body = EventDocument, content_type = "text/event-stream"),
        ApiError,
    )
)]
pub(super) async fn events(
    State(state): State<ApiState>,
    Parameters(EventParameters { only, last_event_id }): Parameters<EventParameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut names = Vec::new();
    for name in only.iter().flat_map(|only| only.split(',')).map(str::trim).filter(|name| !name.is_empty()) {
        let known = ["transition", "run-started", "run-finished", "schedule"];
        names.extend(word("only", Some(name), known)?.map(str::to_owned));
    }
    let permit = state.stream()?;
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default().to_owned());
    let last = header.or(last_event_id);
    Ok(follow::all(state.events(), last.as_deref(), names, state.stopping().clone(), permit))
}
