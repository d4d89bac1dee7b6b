//! The routes, one file for each subject.

mod approvals;
mod events;
mod health;
mod hooks;
mod metrics;
mod permissions;
mod runs;
mod schedules;
mod sources;
mod types;
mod workflows;

use axum::{
    Router,
    body::Bytes,
    extract::DefaultBodyLimit,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{error::ApiError, state::ApiState};
use crate::webhook::LARGEST_BODY;

/// What needs a token, if tokens are needed.
pub(super) fn protected() -> Router<ApiState> {
    let api = Router::new()
        .route("/types", get(types::list))
        .route("/types/{*type}", get(types::show))
        .route("/sources", get(sources::list))
        .route("/transitions", get(sources::transitions))
        .route("/why", get(sources::why))
        .route("/scan", post(sources::scan))
        .route("/retry", post(sources::retry))
        .route("/workflows", get(workflows::list))
        .route("/workflows/{name}/runs", post(workflows::start))
        .route("/schedules", get(schedules::list))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/approve", post(approvals::approve))
        .route("/runs/{id}/reject", post(approvals::reject))
        .route("/runs/{id}/resume", post(approvals::resume))
        .route("/approvals", get(approvals::list))
        .route("/runs/{id}/logs", get(runs::logs))
        .route("/permissions", get(permissions::show))
        .route("/events", get(events::events))
        .route("/openapi.json", get(document))
        .method_not_allowed_fallback(wrong_method);
    Router::new().nest("/api/v1", api).route("/metrics", get(metrics::show))
}

/// What anybody may ask.
pub(super) fn open() -> Router<ApiState> {
    Router::new()
        .route("/livez", get(health::live))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/problems/{code}", get(permissions::page))
        .route("/hooks/{*route}", post(hooks::receive).layer(DefaultBodyLimit::max(LARGEST_BODY)))
        .method_not_allowed_fallback(wrong_method)
}

/// The answer where there is nothing.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    ApiError::plain(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path())).into_response()
}

/// The answer to a method that a path does not have.
pub async fn wrong_method(method: Method, uri: Uri) -> Response {
    let message = format!("{method} is not possible at {}", uri.path());
    ApiError::plain(StatusCode::METHOD_NOT_ALLOWED, message).into_response()
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "openapi",
    responses((status = 200, description = "The OpenAPI document", body = serde_json::Value), ApiError)
)]
async fn document() -> Result<Response, ApiError> {
    let text = openapi_document().map_err(|error| {
        let message = format!("the OpenAPI document cannot be written: {error}");
        ApiError::plain(StatusCode::INTERNAL_SERVER_ERROR, message)
    })?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], Bytes::from(text)).into_response())
}

/// The document of all routes in the form of `OpenAPI`, as JSON of many lines.
///
/// # Errors
/// It cannot be written, which would be a fault in Mangrove itself.
pub fn openapi_document() -> Result<String, serde_json::Error> {
    Api::openapi().to_pretty_json()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Mangrove",
        version = "1",
        description = "What a daemon of Mangrove answers. Bodies are the documents that the command line prints with `--json`. More keys \
                       may be added to them; those that they have stay. Everything that goes wrong is problem+json (RFC 9457).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        types::list,
        types::show,
        sources::list,
        sources::transitions,
        sources::why,
        sources::scan,
        sources::retry,
        workflows::list,
        workflows::start,
        schedules::list,
        runs::list,
        runs::show,
        runs::cancel,
        approvals::list,
        approvals::approve,
        approvals::reject,
        approvals::resume,
        runs::logs,
        permissions::show,
        permissions::page,
        events::events,
        document,
        metrics::show,
        health::live,
        health::ready,
        hooks::receive,
    ),
    components(schemas(mangrove_documents::ProblemDetails)),
    security(("token" = []), ("password" = [])),
    modifiers(&Schemes),
)]
struct Api;

/// How a token is presented.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The secret of a token. Looking needs the scope `read`, everything else `run`."))
            .build();
        let password = HttpBuilder::new()
            .scheme(HttpAuthScheme::Basic)
            .description(Some("The same secret as the password, with any name: for browsers."))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("password", SecurityScheme::Http(password));
    }
}
