//! Steps that somebody has to approve, and runs that go on.

use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use mangrove_app::{
    service::{DecideRun, ResumeRun},
    workflow::RunOptions,
};
use mangrove_documents::{ApprovalListDocument, RunDocument, json};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::{
    access::Identity,
    error::ApiError,
    request::{Body, InPath},
    state::ApiState,
    work::find_run,
};

/// The steps that wait for an approval.
#[utoipa::path(
    get,
    path = "/api/v1/approvals",
    tag = "runs",
    responses((status = 200, description = "The steps that wait", body = ApprovalListDocument), ApiError)
)]
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<ApprovalListDocument>, ApiError> {
    let waiting = state.service().approvals().await?;
    Ok(Json(ApprovalListDocument::from(waiting.as_slice())))
}

/// What is decided.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DecisionBody {
    /// The step, as the run calls it.
    step: String,
    /// Why.
    reason: Option<String>,
}

/// Approves a step that waits. The run goes on when it is resumed.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/approve",
    tag = "runs",
    params(("id" = String, Path, description = "The identifier of the run, or the beginning of it")),
    request_body(content = DecisionBody),
    responses((status = 200, description = "The run", body = RunDocument), ApiError)
)]
pub(super) async fn approve(
    State(state): State<ApiState>,
    Extension(identity): Extension<Identity>,
    InPath(id): InPath<String>,
    Body { value, .. }: Body<DecisionBody>,
) -> Result<Json<RunDocument>, ApiError> {
    decide(&state, &id, identity, value, true).await
}

/// Rejects a step that waits, which ends the run.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/reject",
    tag = "runs",
    params(("id" = String, Path, description = "The identifier of the run, or the beginning of it")),
    request_body(content = DecisionBody),
    responses((status = 200, description = "The run, which has failed", body = RunDocument), ApiError)
)]
pub(super) async fn reject(
    State(state): State<ApiState>,
    Extension(identity): Extension<Identity>,
    InPath(id): InPath<String>,
    Body { value, .. }: Body<DecisionBody>,
) -> Result<Json<RunDocument>, ApiError> {
    decide(&state, &id, identity, value, false).await
}

async fn decide(
    state: &ApiState,
    id: &str,
    identity: Identity,
    DecisionBody { step, reason }: DecisionBody,
    approved: bool,
) -> Result<Json<RunDocument>, ApiError> {
    let record = find_run(state, id).await?;
    let decide =
        DecideRun { workflow: record.name, step, run: Some(record.id), approved, reason, decided_by: identity.name };
    Ok(Json(RunDocument::from(&state.service().decide(decide).await?)))
}

/// How a run goes on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ResumeBody {
    /// The step of the workflow that is done again, with everything that depends on it. Needed for a run that did not end
    /// well.
    from: Option<String>,
    /// Inputs over those that the run had, by name.
    inputs: serde_json::Map<String, serde_json::Value>,
}

/// Lets a run go on: one whose steps were approved, or one that did not end well.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/resume",
    tag = "runs",
    params(("id" = String, Path, description = "The identifier of the run, or the beginning of it")),
    request_body(content = Option<ResumeBody>),
    responses(
        (status = 202, description = "The run, which goes on", body = RunDocument, headers(("Location" = String))),
        ApiError,
    )
)]
pub(super) async fn resume(
    State(state): State<ApiState>,
    InPath(id): InPath<String>,
    Body { value: ResumeBody { from, inputs }, .. }: Body<ResumeBody>,
) -> Result<Response, ApiError> {
    state.takes_work()?;
    let record = find_run(&state, &id).await?;
    let resume = ResumeRun {
        workflow: record.name,
        run: Some(record.id),
        from,
        inputs: json::from_value(&serde_json::Value::Object(inputs)),
        inputs_written: None,
        options: RunOptions::default(),
    };
    let started = state.service().resume_run(resume).await?;
    let record = find_run(&state, started.run.id()).await?;
    let place = format!("/api/v1/runs/{}", record.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(RunDocument::from(&record))).into_response())
}
