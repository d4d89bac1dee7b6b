//! What code is granted, and the pages of problem codes.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use mangrove_documents::PermissionsDocument;
use mangrove_domain::problem::Code;

use crate::http::{error::ApiError, presentable::Presentable, request::InPath, state::ApiState};

/// What the repository grants to code.
#[utoipa::path(
    get,
    path = "/api/v1/permissions",
    tag = "permissions",
    responses((status = 200, description = "The entries that are in force", body = PermissionsDocument), ApiError)
)]
pub(super) async fn show(State(state): State<ApiState>) -> Json<PermissionsDocument> {
    Json(PermissionsDocument::from(state.service().permissions().as_ref()))
}

/// The page of a problem code, in Markdown: where `type` of an error leads.
#[utoipa::path(
    get,
    path = "/problems/{code}",
    tag = "problems",
    security(()),
    params(("code" = String, Path, description = "The code, such as `MG0101`")),
    responses(
        (status = 200, description = "What happened, why, and what to do", body = String, content_type = "text/markdown"),
        ApiError,
    )
)]
pub(super) async fn page(State(state): State<ApiState>, InPath(code): InPath<String>) -> Result<Response, ApiError> {
    let page = Code::parse(&code).and_then(|code| Some((code, state.page(code)?)));
    let Some((code, page)) = page else {
        return Err(ApiError::plain(StatusCode::NOT_FOUND, format!("`{code}` is not a problem code")));
    };
    let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
    let presentable = Presentable::ProblemPage { code, markdown: page };
    Ok((Extension(presentable), [(header::CONTENT_TYPE, kind)], page).into_response())
}
