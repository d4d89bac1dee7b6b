//! Workflows: the list, and starting them.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use mangrove_app::service::{Runnable, Service, StartRun, StartedRun};
use mangrove_documents::{ErrorReport, ProblemDocument, StartedRunDocument, WorkflowListDocument, json, problems};
use mangrove_domain::run::RunLookup;
use serde::Deserialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::sources::broken;
use crate::http::{
    access::{Identity, sha256},
    error::ApiError,
    idempotency::{Key, LONGEST_KEY, Refused},
    request::{Body, InPath, preferred_wait},
    state::ApiState,
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
#[serde(default, deny_unknown_fields)]
pub(super) struct StartBody {
    /// The inputs of the workflow, by name. Texts become what its schema expects.
    inputs: serde_json::Map<String, serde_json::Value>,
}

/// What is known of a run from its start.
#[derive(Debug, Default)]
struct Remarks {
    problems: Vec<ProblemDocument>,
    broken_files: Vec<String>,
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
    Body { value: StartBody { inputs }, bytes }: Body<StartBody>,
) -> Result<Response, ApiError> {
    state.takes_work()?;
    let key = key(&headers, identity.name)?;
    let request = sha256(&[name.as_bytes(), b"\0", &bytes].concat());
    let inputs = json::from_value(&serde_json::Value::Object(inputs));
    let start = StartRun { what: Runnable::Workflow(name), inputs, trigger: "http".to_owned() };
    let (remarks, remarked) = oneshot::channel();
    let (service, started) = (state.service().clone(), state.started().clone());
    let now = service.clock().now();
    // In a task of its own: a client that goes away must not leave a run behind that its key does not know.
    let id = tokio::spawn(async move {
        let begin = async move || begin(&service, start, remarks).await;
        match key {
            None => begin().await,
            Some(key) => started.run(key, request, now, begin).await.map_err(refused),
        }
    });
    let id = id.await.map_err(|error| broken(&error))??;
    let Remarks { problems, broken_files } = remarked.await.unwrap_or_default();
    if let Some(run) = state.service().active_run(&id) {
        // Whether it has ended, the record says.
        let _ = tokio::time::timeout(preferred_wait(&headers), run.wait()).await;
    }
    let RunLookup::Found(record) = state.service().run(&id).await? else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, ErrorReport::unknown_run(&id)));
    };
    let status = if record.is_open() { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    let document = StartedRunDocument { run: record.as_ref().into(), problems, broken_files };
    Ok((status, [(header::LOCATION, format!("/api/v1/runs/{id}"))], Json(document)).into_response())
}

async fn begin(service: &Service, start: StartRun, remarks: oneshot::Sender<Remarks>) -> Result<String, ApiError> {
    let StartedRun { run, problems: found, broken_files, .. } = service.start_run(start).await?;
    // The client may have gone away.
    let _ = remarks.send(Remarks { problems: problems(&found), broken_files });
    Ok(run.id().to_owned())
}

/// The key of the request, of this sender.
fn key(headers: &HeaderMap, sender: String) -> Result<Option<Key>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    match key.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(Key { sender, key: key.to_owned() })),
        Ok(_) | Err(_) => {
            let message = format!("`Idempotency-Key` must have 1 to {LONGEST_KEY} visible characters");
            Err(ApiError::plain(StatusCode::BAD_REQUEST, message))
        }
    }
}

fn refused(refused: Refused<ApiError>) -> ApiError {
    match refused {
        Refused::NotStarted(error) => error,
        Refused::OtherRequest => ApiError::plain(
            StatusCode::UNPROCESSABLE_ENTITY,
            "this `Idempotency-Key` belongs to another request; nothing was started",
        ),
        Refused::Full => ApiError::busy("too many values of `Idempotency-Key` are remembered; nothing was started"),
    }
}
