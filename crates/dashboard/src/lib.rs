//! The pages that a daemon shows people: rendered on the server from the templates in `templates/`, usable without JavaScript,
//! live with it (`design/dashboard.md`).
//!
//! [`further`] gives the routes for [`mangrove_daemon::http::router`]. What a page shows comes from the same service and
//! documents as what the HTTP API answers, and what a form has done is done by the same functions.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod actions;
mod assets;
mod failures;
mod frame;
mod pages;
mod parts;
mod presenter;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use mangrove_daemon::http::{ApiState, Further, wrong_method};

/// The routes of the pages, and of what they need.
#[must_use]
pub fn further() -> Further {
    Further {
        protected: protected().method_not_allowed_fallback(wrong_method),
        open: Router::new().route("/assets/{name}", get(assets::serve)).method_not_allowed_fallback(wrong_method),
        presenter: Some(Arc::new(presenter::Pages)),
    }
}

fn protected() -> Router<ApiState> {
    Router::new()
        .route("/", get(pages::overview::show))
        .route("/types", get(pages::types::show))
        .route("/types/{*type}", get(pages::type_page::show))
        .route("/source", get(pages::source::show))
        .route("/problems", get(pages::problems::show))
        .route("/scan", post(actions::scan))
        .route("/retry", post(actions::retry))
}
