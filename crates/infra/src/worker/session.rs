//! A child that is reserved for the calls of one loaded bundle.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    json::Json,
    ports::{Call, HostCall, MethodHost, RunError, Session},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    cancellation::Cancellation,
    child_failure::ChildFailure,
    children::{Children, Kept, TURN_LIMIT},
    process::Process,
    wire::{self, Reply, Request, Value, WireCall, WireError},
};
use crate::web::requests::Requests;

tokio::task_local! {
    static NESTED: ();
}

/// True inside of a host's answer to a session of ours.
pub(crate) fn is_nested() -> bool {
    NESTED.try_with(|()| ()).is_ok()
}

/// A host's answer to a session.
pub(crate) async fn answer(host: &dyn MethodHost, call: HostCall) -> Result<Json, String> {
    NESTED.scope((), host.call(call)).await
}

pub(super) struct PooledSession {
    children: Arc<Children>,
    /// `None` while a call is under way and after one that the child did not survive.
    process: Option<Process>,
    place: Option<OwnedSemaphorePermit>,
    /// What is loaded.
    kept: Kept,
    /// What its code sends by itself.
    requests: Requests,
    /// Whether every call so far, at least one, gave a value, was not told to end, and left nothing behind.
    is_well: Option<bool>,
}

impl PooledSession {
    pub(super) fn new(
        children: Arc<Children>,
        process: Process,
        place: Option<OwnedSemaphorePermit>,
        kept: Kept,
    ) -> Self {
        let requests = Requests::new(children.options.web.clone(), kept.request.grantee.clone());
        Self { children, process: Some(process), place, kept, requests, is_well: None }
    }
}

#[async_trait]
impl Session for PooledSession {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, RunError> {
        let task = format!("running {} of {}", call.path.join("."), self.kept.request.subject);
        let fail = |failure: ChildFailure| RunError::Fault(failure.fault(&task));
        let nonsense = |error: WireError| fail(ChildFailure::Confused(error.to_string()));
        // If this call is cancelled, the process goes with it: nobody could tell where it stands.
        let mut process =
            self.process.take().ok_or_else(|| fail(ChildFailure::Confused("the session has ended".to_owned())))?;
        let mut budget = self.children.options.time_limits.call;
        let mut cancellation = Cancellation::of(host.as_ref());
        let frame = wire::frame(&Request::Call(WireCall::from(&call))).map_err(nonsense)?;
        let mut reply =
            process.begin_call(&frame, &mut budget, &mut cancellation, &mut self.requests).await.map_err(fail)?;
        loop {
            if self.requests.take_sent() {
                host.sends_request();
            }
            match reply {
                Reply::HostCall { function, arguments } => {
                    let arguments: Result<Vec<Json>, WireError> = arguments.into_iter().map(Value::into_json).collect();
                    let answer = match arguments {
                        Ok(arguments) => self::answer(host.as_ref(), HostCall { function, arguments }).await,
                        Err(error) => Err(error.to_string()),
                    };
                    let answer = answer.map(|value| Value::from(&value));
                    let frame = wire::frame(&Request::HostAnswer(answer)).map_err(nonsense)?;
                    reply = process
                        .resume(&frame, &mut budget, &mut cancellation, &mut self.requests)
                        .await
                        .map_err(fail)?;
                }
                Reply::Returned { outcome, is_at_rest } => {
                    let is_well =
                        outcome.is_ok() && is_at_rest && self.requests.is_empty() && !cancellation.was_requested();
                    self.requests.end().await;
                    if self.requests.take_sent() {
                        host.sends_request();
                    }
                    self.is_well = Some(self.is_well.unwrap_or(true) && is_well);
                    if host.told_secrets(&self.kept.request.grantee.variables) {
                        self.kept.confine();
                    }
                    self.process = Some(process);
                    return match outcome {
                        Ok(value) => value.into_json().map_err(|error| RunError::Threw {
                            message: format!("what the method returned cannot be passed on: {error}"),
                            stack: None,
                        }),
                        Err(error) => Err(error.try_into().unwrap_or_else(nonsense)),
                    };
                }
                Reply::Accepted
                | Reply::Parsed(_)
                | Reply::Bundled(_)
                | Reply::Vendored(_)
                | Reply::Inspected(_)
                | Reply::Opened(_)
                | Reply::Web(_)
                | Reply::Begun(_)
                | Reply::Closed
                | Reply::Panicked(_)
                | Reply::Refused(_) => {
                    return Err(fail(ChildFailure::Confused("an answer to another question".to_owned())));
                }
            }
        }
    }
}

impl Drop for PooledSession {
    fn drop(&mut self) {
        let (Some(mut process), place) = (self.process.take(), self.place.take()) else { return };
        // Outside of a runtime the process is killed instead of cleaned.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let children = Arc::clone(&self.children);
        if self.is_well == Some(true) {
            children.give_back_with(process, Some(self.kept.clone()));
            return;
        }
        runtime.spawn(async move {
            let Ok(frame) = wire::frame(&Request::Close) else { return };
            let mut budget = TURN_LIMIT;
            if let Ok(Reply::Closed) = process.exchange(&frame, &mut budget).await {
                children.give_back(process);
            }
            drop(place);
        });
    }
}
