//! The pages that a daemon shows people: rendered on the server from the templates in `templates/`, usable without JavaScript,
//! live with it (`design/dashboard.md`).
//!
//! [`further`] gives the routes for [`mangrove_daemon::http::router`]. What a page shows comes from the same service and
//! documents as what the HTTP API answers, and what a form has done is done by the same functions.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod actions;
mod assets;
mod content;
mod failures;
mod form;
mod frame;
mod graph;
mod markdown;
mod pages;
mod parts;
mod presenter;
mod problem_text;
mod runs;

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
        .route("/workflows", get(pages::workflows::show))
        .route("/workflows/{name}", get(pages::workflow::show))
        .route("/workflows/{name}/runs", get(pages::workflow::lead_to_form).post(pages::workflow::start))
        .route("/runs", get(pages::runs::show))
        .route("/runs/{id}", get(pages::run::show))
        .route("/runs/{id}/log", get(pages::run::log))
        .route("/runs/{id}/cancel", post(pages::run::cancel))
        .route("/schedules", get(pages::schedules::show))
        .route("/data", get(pages::data::list))
        .route("/data/item", get(pages::data::item))
        .route("/data/content", get(pages::data::content))
        .route("/scan", post(actions::scan))
        .route("/retry", post(actions::retry))
}
