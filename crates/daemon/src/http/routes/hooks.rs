//! Requests from outside that start workflows. They need no token: each proves by its signature that it may.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use mangrove_app::service::{Service, StartTriggered};
use mangrove_documents::{WebhookDocument, json};
use tokio::sync::oneshot;

use crate::{
    http::{error::ApiError, request::InPath, state::ApiState},
    triggered_runs,
    webhook::{self, Accepted, Entered, Repeated, Request, Webhooks},
};

/// How long a request waits for its run to begin before it is answered without one.
const WAIT: Duration = Duration::from_secs(5);

/// Starts the workflow of a route.
#[utoipa::path(
    post,
    path = "/hooks/{route}",
    tag = "hooks",
    security(()),
    params(("route" = String, Path, description = "The route of the webhook in the workflow file")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 202, description = "The run has begun, or waits for its turn", body = WebhookDocument),
        ApiError,
    )
)]
pub(super) async fn receive(
    State(state): State<ApiState>,
    InPath(route): InPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    state.takes_work()?;
    let webhooks = state.webhooks();
    let routes = webhooks.routes();
    let Some((workflow, webhook)) = routes.get(&route) else {
        return Err(ApiError::plain(StatusCode::NOT_FOUND, "no workflow has this route"));
    };
    let secret = webhooks.secrets().find(&webhook.secret).await.map_err(|reason| {
        tracing::error!(route, workflow = workflow.name.value, reason, "the secret of a webhook cannot be had");
        ApiError::busy("the secret of this route cannot be had; the log of the daemon says why")
    })?;
    let headers: Vec<(String, Vec<u8>)> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    let request = Request { headers: &headers, body: &body };
    let now = state.service().clock().now();
    let accepted = webhook::verify(webhook, &secret, request, now).map_err(|refused| {
        tracing::warn!(route, %refused, "a request to a webhook was refused");
        ApiError::plain(StatusCode::FORBIDDEN, "the request is not signed with the secret of this route, or not now")
    })?;
    let remembered = webhook.replay_window.map(|window| webhooks.guard().take(&route, accepted, window, now));
    match remembered {
        Some(Err(Repeated::Seen)) => return Err(ApiError::plain(StatusCode::CONFLICT, "the request came before")),
        Some(Err(full @ Repeated::Full)) => return Err(ApiError::busy(full.to_string())),
        Some(Ok(())) | None => {}
    }
    let Some(waiting) = webhooks.wait() else {
        webhooks.guard().forget(&route, accepted);
        return Err(ApiError::busy("too many runs of webhooks wait already"));
    };
    let parse = |text: &str| serde_json::from_str(text).ok().map(|value| json::from_value(&value));
    let payload = webhook::payload(request, &route, webhook.scheme.signature_header(), parse);
    let start = StartTriggered {
        workflow: workflow.id.clone(),
        trigger: "webhook".to_owned(),
        webhook: Some(payload),
        last_good: Some(Arc::clone(workflow)),
        run: None,
    };
    let (sender, begun) = oneshot::channel();
    let entered = webhooks.enter(&route);
    let received =
        Received { service: state.service().clone(), webhooks: Arc::clone(webhooks), entered, route, accepted };
    tokio::spawn(async move {
        let turn = received.webhooks.turn().await;
        drop(waiting);
        received.entered.has_turn();
        received.run(start, sender).await;
        drop(turn);
    });
    let run_id = match tokio::time::timeout(WAIT, begun).await {
        Ok(Ok(begun)) => Some(begun?),
        Ok(Err(_)) | Err(_) => None,
    };
    let document = WebhookDocument { schema: "mangrove.webhook/1".to_owned(), run_id };
    Ok((StatusCode::ACCEPTED, Json(document)).into_response())
}

/// A request whose run is to begin.
struct Received {
    service: Service,
    webhooks: Arc<Webhooks>,
    entered: Entered,
    route: String,
    accepted: Accepted,
}

impl Received {
    async fn run(self, start: StartTriggered, begun: oneshot::Sender<Result<String, ApiError>>) {
        let mut begun = Some(begun);
        let entered = &self.entered;
        let tell = async |run: &str| {
            entered.started(run);
            // Whoever sent the request may have gone.
            let _ = begun.take().map(|begun| begun.send(Ok(run.to_owned())));
        };
        if let Err(error) = triggered_runs::run(&self.service, start, tell).await {
            tracing::error!(route = self.route, %error, "a webhook started no run");
            // As no run came of it, it may come again.
            self.webhooks.guard().forget(&self.route, self.accepted);
            let _ = begun.map(|begun| begun.send(Err(error.into())));
        }
    }
}
