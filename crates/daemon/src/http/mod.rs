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
pub mod listing;
mod measure;
mod paging;
mod present;
mod presentable;
mod request;
mod routes;
mod server;
mod state;
pub mod work;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, middleware};

pub use self::{
    access::{Access, Identity, Scope, Token},
    backend::Backend,
    error::ApiError,
    event_log::EventLog,
    hosts::Hosts,
    present::{Asked, Presenter},
    presentable::Presentable,
    request::{InPath, Parameters},
    routes::{openapi_document, wrong_method},
    server::{Limits, serve},
    state::{ApiParts, ApiState},
};

/// The longest body that a request may have, in bytes, unless its route says otherwise.
const LONGEST_BODY: usize = 1 << 20;

/// Routes beside those of the API.
#[derive(Default)]
pub struct Further {
    /// What needs a token, if tokens are needed: looking `read`, everything else `run`.
    pub protected: Router<ApiState>,
    /// What anybody may ask, and proves by itself that it may.
    pub open: Router<ApiState>,
    /// Shows people what programs get as JSON; without it they get that as well.
    pub presenter: Option<Arc<dyn Presenter>>,
}

/// All routes. Each request passes the same guard, whatever it asks for.
pub fn router(state: &ApiState, further: Further) -> Router {
    let authorize = middleware::from_fn_with_state(state.clone(), guard::authorize);
    let measure = middleware::from_fn_with_state(state.clone(), measure::measure);
    let checks = guard::Checks { state: state.clone(), presenter: further.presenter };
    let check = middleware::from_fn_with_state(checks, guard::check);
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
