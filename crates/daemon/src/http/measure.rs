//! Counting requests and how long they take.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use super::state::ApiState;

/// Counts a request by the template of its route, so that no path and no name becomes a label.
pub(super) async fn measure(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let start = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    state.metrics().requests.add(route, response.status().as_u16(), start.elapsed());
    response
}
