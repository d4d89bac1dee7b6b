//! When workflows run by themselves.

use axum::{Json, extract::State};
use mangrove_documents::SchedulesDocument;

use crate::http::{error::ApiError, state::ApiState};

/// The schedules, with their next instants, what runs and what waits.
#[utoipa::path(
    get,
    path = "/api/v1/schedules",
    tag = "workflows",
    responses((status = 200, description = "The schedules", body = SchedulesDocument), ApiError)
)]
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<SchedulesDocument>, ApiError> {
    let schedules = state.backend().schedules().await;
    schedules.map(Json).ok_or_else(|| ApiError::busy("the daemon is stopping"))
}
