//! The HTTP side: the API under `/api/v1`, and the pages of problem codes (`design/http-api.md`).
//!
//! [`router`] puts it together over an [`ApiState`]; [`serve`] answers on a listener. The rest of the daemon is known here by
//! what [`Backend`] asks of it.

mod access;
mod answers;
mod backend;
mod error;
mod event_log;
mod follow;
mod guard;
mod hosts;
mod idempotency;
mod measure;
mod paging;
mod request;
mod routes;
mod server;
mod state;

use axum::{Router, extract::DefaultBodyLimit, middleware};

pub use self::{
    access::{Access, Identity, Scope, Token},
    backend::{Backend, Figures},
    event_log::EventLog,
    hosts::Hosts,
    routes::openapi_document,
    server::{Limits, serve},
    state::{ApiParts, ApiState},
};

/// The longest body that a request may have, in bytes, unless its route says otherwise.
const LONGEST_BODY: usize = 1 << 20;

/// Routes beside those of the API.
#[derive(Debug, Default)]
pub struct Further {
    /// What needs a token, if tokens are needed: looking `read`, everything else `run`.
    pub protected: Router<ApiState>,
    /// What anybody may ask, and proves by itself that it may.
    pub open: Router<ApiState>,
}

/// All routes. Each request passes the same guard, whatever it asks for.
pub fn router(state: &ApiState, further: Further) -> Router {
    let authorize = middleware::from_fn_with_state(state.clone(), guard::authorize);
    let measure = middleware::from_fn_with_state(state.clone(), measure::measure);
    let check = middleware::from_fn_with_state(state.clone(), guard::check);
    routes::protected()
        .merge(further.protected)
        .route_layer(authorize)
        .merge(routes::open())
        .merge(further.open)
        .fallback(routes::nothing_here)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(check)
        .layer(measure)
        .with_state(state.clone())
}
