//! Workflows: the list, and starting them.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use mangrove_app::workflow::RunOptions;
use mangrove_documents::{StartedRunDocument, WorkflowListDocument};
use mangrove_domain::{report::ReportOptions, run::AssertSeverity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{
    access::Identity,
    error::ApiError,
    request::{Body, InPath, preferred_wait},
    state::ApiState,
    work::{self, RunAnswer, RunKey, RunRequest},
};

/// The workflows of the repository, of mounts and of pulled extensions.
#[utoipa::path(
    get,
    path = "/api/v1/workflows",
    tag = "workflows",
    responses((status = 200, description = "The workflows", body = WorkflowListDocument), ApiError)
)]
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<WorkflowListDocument>, ApiError> {
    let service = state.service();
    let library = state.look(service.library()).await?;
    let schedules = service.schedules(&library)?;
    Ok(Json(WorkflowListDocument::new(&library, &schedules, service.clock().now())))
}

/// What a run is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct StartBody {
    /// The inputs of the workflow, by name. Texts become what its schema expects.
    inputs: serde_json::Map<String, serde_json::Value>,
    /// Labels of the run, over those of the workflow.
    tags: BTreeMap<String, String>,
    /// From which severity on an assertion that does not hold fails its job: `low`, `medium` or `high`.
    fail_on: Option<String>,
    /// The driver that runs the methods; one that `drivers:` of the configuration speaks of.
    driver: Option<String>,
    /// Which reports are made.
    reports: WantedReports,
}

/// Which reports are made of a run. Those that a file requires cannot be skipped.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct WantedReports {
    /// None at all.
    skip_all: bool,
    /// Not these.
    skip: Vec<String>,
    /// None with one of these labels.
    skip_labels: Vec<String>,
    /// Only these, and those with one of `onlyLabels`; if both are empty, all.
    only: Vec<String>,
    /// See `only`.
    only_labels: Vec<String>,
}

impl From<WantedReports> for ReportOptions {
    fn from(wanted: WantedReports) -> Self {
        let WantedReports { skip_all, skip, skip_labels, only, only_labels } = wanted;
        Self { skip_all, skip, skip_labels, only, only_labels }
    }
}

/// Starts a run. The answer comes when the run has ended, or after 10 seconds if it goes on: for instance because a type
/// that it needs is being built.
#[utoipa::path(
    post,
    path = "/api/v1/workflows/{name}/runs",
    tag = "workflows",
    params(
        ("name" = String, Path, description = "The workflow, by name or identifier"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, description = "Requests with one key start one run, for a day"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`, or `wait=` and a number of seconds, at most 10"),
    ),
    request_body(content = Option<StartBody>),
    responses(
        (status = 201, description = "The run, which has ended", body = StartedRunDocument, headers(("Location" = String))),
        (status = 202, description = "The run, which goes on", body = StartedRunDocument, headers(("Location" = String))),
        ApiError,
    )
)]
pub(super) async fn start(
    State(state): State<ApiState>,
    Extension(identity): Extension<Identity>,
    InPath(name): InPath<String>,
    headers: HeaderMap,
    Body { value: StartBody { inputs, tags, fail_on, driver, reports }, bytes }: Body<StartBody>,
) -> Result<Response, ApiError> {
    let key = key(&headers, &identity, &name, &bytes)?;
    let options = RunOptions {
        tags: tags.into_iter().collect(),
        fail_on: severity(fail_on)?,
        driver: known_driver(&state, driver)?,
        reports: reports.into(),
        ..RunOptions::default()
    };
    let request = RunRequest { workflow: name, inputs, trigger: "http".to_owned(), options, key };
    let RunAnswer { record, problems, broken_files } = work::start(&state, request, preferred_wait(&headers)).await?;
    let status = if record.is_open() { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    let place = format!("/api/v1/runs/{}", record.id);
    let document = StartedRunDocument { run: (&record).into(), problems, broken_files };
    Ok((status, [(header::LOCATION, place)], Json(document)).into_response())
}

/// The driver, if the configuration speaks of it. Where a method runs is for whoever writes that to say: nobody who may start runs can
/// have one run here, or by code that was never meant for it.
fn known_driver(state: &ApiState, driver: Option<String>) -> Result<Option<String>, ApiError> {
    match driver {
        Some(driver) if !state.service().names_driver(&driver) => {
            let message = format!("`driver`: `drivers:` of the configuration does not speak of `{driver}`");
            Err(ApiError::plain(StatusCode::BAD_REQUEST, message))
        }
        driver => Ok(driver),
    }
}

fn severity(word: Option<String>) -> Result<Option<AssertSeverity>, ApiError> {
    let read = |word: String| {
        let unknown = || ApiError::plain(StatusCode::BAD_REQUEST, format!("`failOn`: unknown severity `{word}`"));
        AssertSeverity::parse(&word).ok_or_else(unknown)
    };
    word.map(read).transpose()
}

/// The key of the request, of this sender.
fn key(headers: &HeaderMap, sender: &Identity, workflow: &str, body: &[u8]) -> Result<Option<RunKey>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().map_err(|_| RunKey::unusable())?;
    RunKey::new(sender, key, workflow, body).map(Some)
}
