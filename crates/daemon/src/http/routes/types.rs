//! `types`: the list, and one of them.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use mangrove_app::catalogue::Lookup;
use mangrove_documents::{DescribeDocument, ErrorReport, TypesDocument};
use mangrove_domain::{row::Row, source::Kind};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::{
    answers::Answer,
    error::ApiError,
    listing::{contains, kind_of, page},
    request::{InPath, Parameters, flag, flag_schema},
    state::ApiState,
};

/// Which types are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// Only types whose name or path contains this.
    query: Option<String>,
    /// Only this kind.
    kind: Option<String>,
    /// Also shadowed, degraded and failed sources.
    #[serde(deserialize_with = "flag")]
    #[param(schema_with = flag_schema)]
    all: bool,
    /// At most this many, from 1 to 1000; all of them if it is not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The cursor of the page.
    cursor: Option<String>,
}

/// The types that can be used.
#[utoipa::path(
    get,
    path = "/api/v1/types",
    tag = "types",
    params(ListParameters),
    responses((status = 200, description = "The types, sorted by source", body = TypesDocument), ApiError)
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<TypesDocument>, ApiError> {
    let ListParameters { query, kind, all, limit, cursor } = parameters;
    let kind = kind.map(|name| kind_of(&state, &name)).transpose()?;
    let with_built_in =
        |document: TypesDocument| document.with_built_in(kind.as_ref().map(Kind::as_str), query.as_deref());
    let is_listed = |row: &Row| {
        (all || row.is_resolvable())
            && kind.as_ref().is_none_or(|kind| row.kind == *kind)
            && query.as_deref().is_none_or(|query| contains(row, query))
    };
    let snapshot = state.service().published();
    let rows = snapshot.rows().map(AsRef::as_ref).filter(|row| is_listed(row));
    if limit.is_none() && cursor.is_none() {
        return Ok(Json(with_built_in(TypesDocument::new(rows))));
    }
    let (rows, next) = page(rows, limit, cursor.as_deref())?;
    let document = TypesDocument::new(rows).page(next);
    Ok(Json(if cursor.is_none() { with_built_in(document) } else { document }))
}

/// Which of several types of one name.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ShowParameters {
    /// Its kind; needed where several kinds have a type of this name.
    kind: Option<String>,
}

/// What one type offers.
#[utoipa::path(
    get,
    path = "/api/v1/types/{type}",
    tag = "types",
    params(("type" = String, Path, description = "The type, such as `@acme/dns`; the slash may stand as it is"), ShowParameters),
    responses(
        (status = 200, description = "What it offers", body = DescribeDocument),
        (status = 304, description = "The client has it already"),
        ApiError,
    )
)]
pub(super) async fn show(
    State(state): State<ApiState>,
    InPath(name): InPath<String>,
    Parameters(parameters): Parameters<ShowParameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let snapshot = state.service().published();
    let question = format!("{} {name}", parameters.kind.as_deref().unwrap_or_default());
    if let Some(answer) = state.answers().get(&snapshot, &question) {
        return Ok(answer.to_response(&headers));
    }
    let kind = parameters.kind.map(|name| kind_of(&state, &name)).transpose()?;
    let service = state.service();
    // What nobody knows is looked for on the disk.
    let found = state.look(service.describe_published(&name, kind.as_ref())).await?;
    let report = match found {
        Lookup::Found(composed) => {
            let document = serde_json::to_vec(&DescribeDocument::from(composed.as_ref()));
            let Ok(bytes) = document else { return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()) };
            let answer = Answer::new(bytes);
            state.answers().put(&snapshot, &question, &answer);
            return Ok(answer.to_response(&headers));
        }
        Lookup::BuiltIn(description) => return Ok(Json(DescribeDocument::built_in(description)).into_response()),
        Lookup::Unknown(not_ready) => return Err(ApiError::not_ready(&not_ready)),
        Lookup::Ambiguous(kinds) => {
            return Err(ApiError::new(StatusCode::CONFLICT, ErrorReport::ambiguous_type(&name, &kinds)));
        }
        Lookup::NoName(nearest) => ErrorReport::no_type_name(&name, &nearest),
    };
    Err(ApiError::new(StatusCode::NOT_FOUND, report))
}
