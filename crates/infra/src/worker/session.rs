//! A child that is reserved for the calls of one loaded bundle.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mangrove_domain::{
    json::Json,
    ports::{Call, HostCall, MethodHost, RunError, Session},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    cancellation::Cancellation,
    child_failure::ChildFailure,
    children::Children,
    process::Process,
    wire::{self, Reply, Request, Value, WireCall, WireError},
};

/// How long a child may take to let go of a session before it is killed instead.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

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
    subject: String,
}

impl PooledSession {
    pub(super) fn new(
        children: Arc<Children>,
        process: Process,
        place: Option<OwnedSemaphorePermit>,
        subject: String,
    ) -> Self {
        Self { children, process: Some(process), place, subject }
    }
}

#[async_trait]
impl Session for PooledSession {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, RunError> {
        let task = format!("running {} of {}", call.path.join("."), self.subject);
        let fail = |failure: ChildFailure| RunError::Fault(failure.fault(&task));
        let nonsense = |error: WireError| fail(ChildFailure::Confused(error.to_string()));
        // If this call is cancelled, the process goes with it: nobody could tell where it stands.
        let mut process =
            self.process.take().ok_or_else(|| fail(ChildFailure::Confused("the session has ended".to_owned())))?;
        let mut budget = self.children.options.time_limits.call;
        let mut cancellation = Cancellation::of(host.as_ref());
        let frame = wire::frame(&Request::Call(WireCall::from(&call))).map_err(nonsense)?;
        let mut reply = process.begin_call(&frame, &mut budget, &mut cancellation).await.map_err(fail)?;
        loop {
            match reply {
                Reply::HostCall { function, arguments } => {
                    let arguments: Result<Vec<Json>, WireError> = arguments.into_iter().map(Value::into_json).collect();
                    let answer = match arguments {
                        Ok(arguments) => self::answer(host.as_ref(), HostCall { function, arguments }).await,
                        Err(error) => Err(error.to_string()),
                    };
                    let answer = answer.map(|value| Value::from(&value));
                    let frame = wire::frame(&Request::HostAnswer(answer)).map_err(nonsense)?;
                    reply = process.resume(&frame, &mut budget, &mut cancellation).await.map_err(fail)?;
                }
                Reply::Returned(outcome) => {
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
        runtime.spawn(async move {
            let Ok(frame) = wire::frame(&Request::Close) else { return };
            let mut budget = CLOSE_LIMIT;
            if let Ok(Reply::Closed) = process.exchange(&frame, &mut budget).await {
                children.give_back(process);
            }
            drop(place);
        });
    }
}
