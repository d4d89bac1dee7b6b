//! The conversation with one process.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    json::Json,
    permission::Permission,
    ports::{Call, Checked, HostCall, MethodHost, OpenRequest, RunError, Session},
    problem::Code,
};
use mangrove_engine::outcome;
use mangrove_fs::json_text;
use tokio::sync::OwnedSemaphorePermit;
use url::Url;

use super::{
    denials::normalised,
    loaded::Loaded,
    pool::Pool,
    process::{Output, Process, confused, text},
    start::Start,
};
use crate::worker::{cancellation::Cancellation, child_failure::ChildFailure, session::answer};

/// A process of which nobody else has a session. Dropping it gives the process back if nothing went wrong, and else kills it
/// with all that it started.
pub(super) struct DenoSession {
    /// `None` while a call is under way and after one that the process did not survive.
    loaded: Option<Loaded>,
    pool: Arc<Pool>,
    request: OpenRequest,
    /// Ours, absolute: nobody is granted to write there.
    state_directory: PathBuf,
    call_limit: Duration,
    /// What was logged while the module loaded, for the host of the first call.
    early: Vec<HostCall>,
    /// Free again when the session ends.
    _place: Option<OwnedSemaphorePermit>,
}

impl DenoSession {
    /// A session in a process that has loaded what the request asks for. `early` is what it logged meanwhile.
    pub(super) fn new(
        loaded: Loaded,
        pool: Arc<Pool>,
        request: OpenRequest,
        call_limit: Duration,
        early: Vec<HostCall>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let state_directory = loaded.start().state_directory.clone();
        Self { loaded: Some(loaded), pool, request, state_directory, call_limit, early, _place: place }
    }

    /// What the code was refused and went on without, as lines of the log; what `error` tells is not told again.
    fn caught_refusals(&self, frame: &Json, error: Option<&RunError>) -> Vec<HostCall> {
        let refusals = frame.get("refusals").and_then(Json::as_array).unwrap_or_default();
        let faults =
            refusals.iter().filter_map(|refusal| denied(refusal.as_str()?, &self.request, &self.state_directory));
        // Variables are asked for by many packages that do without them.
        let noted: Vec<Fault> = faults.filter(|fault| !fault.cause.0.starts_with("permission:env:")).collect();
        outcome::caught_refusals(&noted, error)
    }

    /// What the last frame of a call means.
    fn outcome(&self, location: &str, frame: &Json) -> Result<Json, RunError> {
        let subject = &self.request.subject;
        match text(frame, "kind") {
            "returned" => outcome::value(subject, location, text(frame, "text")),
            "rejected" => {
                let is_global = text(frame, "checked") == "globalArguments";
                let checked = if is_global { Checked::GlobalArguments } else { Checked::Arguments };
                Err(outcome::rejected(checked, text(frame, "issues")))
            }
            "absent" => Err(outcome::no_such_function(subject, location, text(frame, "found"))),
            "stuck" => Err(outcome::stuck(location)),
            "threw" => Err(denial(frame, &self.request, &self.state_directory).map_or_else(
                || RunError::Threw {
                    message: text(frame, "message").to_owned(),
                    stack: frame.get("place").and_then(Json::as_str).map(str::to_owned),
                },
                RunError::Fault,
            )),
            kind => Err(RunError::Fault(confused(kind).fault(&format!("running {location} of {subject} in Deno")))),
        }
    }
}

#[async_trait]
impl Session for DenoSession {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, RunError> {
        let location = outcome::location_of(&self.request.export_name, &call);
        let task = format!("running {location} of {} in Deno", self.request.subject);
        let fail = |failure: ChildFailure| RunError::Fault(failure.fault(&task));
        // If this call is cancelled, the process goes with it: nobody could tell where it stands.
        let mut loaded =
            self.loaded.take().ok_or_else(|| fail(ChildFailure::Confused("the session has ended".to_owned())))?;
        let strings = |path: &[String]| Json::Array(path.iter().map(|segment| Json::from(segment.as_str())).collect());
        let mut message = Some(Json::object([
            ("path", strings(&call.path)),
            ("args", Json::from(call.arguments.to_string())),
            ("context", Json::from(call.context.to_string())),
            ("schema", strings(&call.schema)),
            ("globalSchema", strings(&call.global_schema)),
            ("takes", Json::from(outcome::takes(&call.takes).to_string())),
        ]));
        for line in std::mem::take(&mut self.early) {
            let _ = answer(host.as_ref(), line).await;
        }
        let mut budget = self.call_limit;
        let mut cancellation = Cancellation::of(host.as_ref());
        loop {
            let output = loaded.process.exchange(message.take().as_ref(), &mut budget, &mut cancellation).await;
            let output = output.map_err(fail)?;
            let frame = match output {
                Output::Frame(frame) => frame,
                Output::Line(line) => {
                    // A line that cannot be logged is no reason to fail.
                    let _ = answer(host.as_ref(), printed(line)).await;
                    continue;
                }
            };
            if text(&frame, "kind") != "request" {
                for line in loaded.process.last_errors().await {
                    let _ = answer(host.as_ref(), printed(line)).await;
                }
                let outcome = self.outcome(&location, &frame);
                let confined = host.told_secrets(&self.request.grantee.variables).then_some(&*self.request.run);
                loaded.called(outcome.is_ok() && !cancellation.was_requested(), confined);
                self.loaded = Some(loaded);
                for line in self.caught_refusals(&frame, outcome.as_ref().err()) {
                    let _ = answer(host.as_ref(), line).await;
                }
                return outcome;
            }
            let answered = match host_call(&frame) {
                Ok(call) => loaded.files.answer(host.as_ref(), call).await,
                Err(message) => Err(message),
            };
            let id = frame.get("id").and_then(Json::as_integer).unwrap_or_default();
            if id != 0 {
                let (succeeded, text) = match answered {
                    Ok(value) => (true, value.to_string()),
                    Err(message) => (false, message),
                };
                message = Some(Json::object([
                    ("id", Json::from(id)),
                    ("succeeded", Json::Bool(succeeded)),
                    ("text", Json::from(text)),
                ]));
            }
        }
    }
}

/// Lets a new process load the bundle. Gives what was logged meanwhile, for the host of the first call.
///
/// # Errors
/// [`RunError::Fault`] if the module throws, waits for ever, lacks the export or takes too long.
pub(super) async fn load(
    process: &mut Process,
    start: &Start,
    request: &OpenRequest,
    limit: Duration,
) -> Result<Vec<HostCall>, RunError> {
    let mut early = Vec::new();
    let subject = &request.subject;
    let task = format!("loading {subject} in Deno");
    let variables =
        start.variables().map_or(Json::Null, |names| Json::Array(names.into_iter().map(Json::from).collect()));
    let root = start.root.as_deref().and_then(|directory| Url::from_directory_path(directory).ok());
    let mut message = Some(Json::object([
        ("marker", Json::from(process.marker())),
        ("exportName", Json::from(request.export_name.as_str())),
        ("variables", variables),
        ("root", Json::from(root.as_ref().map_or("file:///", Url::as_str))),
    ]));
    let mut budget = limit;
    loop {
        let output = process.exchange(message.take().as_ref(), &mut budget, &mut Cancellation::never()).await;
        let frame = match output.map_err(|failure| RunError::Fault(failure.fault(&task)))? {
            Output::Frame(frame) => frame,
            Output::Line(line) => {
                early.push(printed(line));
                continue;
            }
        };
        return match text(&frame, "kind") {
            "opened" => Ok(early),
            "absent" => Err(outcome::no_such_export(subject, &request.export_name)),
            "stuck" => Err(RunError::Fault(outcome::stuck_while_loading(subject))),
            "threw" => Err(RunError::Fault(denial(&frame, request, &start.state_directory).unwrap_or_else(|| {
                let place = frame.get("place").and_then(Json::as_str);
                let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
                let message = format!("{subject} throws while it loads: {}{place}", text(&frame, "message"));
                Fault::deterministic(Code::THREW_WHILE_LOADING, "module", message)
            }))),
            "request" if frame.get("id").and_then(Json::as_integer) == Some(0) => {
                early.extend(host_call(&frame));
                continue;
            }
            kind => Err(RunError::Fault(confused(kind).fault(&task))),
        };
    }
}

impl Drop for DenoSession {
    fn drop(&mut self) {
        if let Some(loaded) = self.loaded.take().filter(Loaded::is_well) {
            self.pool.release(loaded);
        }
    }
}

/// A line on standard output is for the log.
fn printed(line: String) -> HostCall {
    outcome::logged("info", line)
}

/// What a frame asks of the host.
fn host_call(frame: &Json) -> Result<HostCall, String> {
    match json_text::parse(text(frame, "text")) {
        Ok(Json::Array(arguments)) => Ok(HostCall { function: text(frame, "name").to_owned(), arguments }),
        Ok(_) => Err("the arguments are not a list".to_owned()),
        Err(error) => Err(format!("the arguments cannot be used: {error}")),
    }
}

fn denial(frame: &Json, request: &OpenRequest, state_directory: &Path) -> Option<Fault> {
    denied(frame.get("denial")?.as_str()?, request, state_directory)
}

/// The failure behind Deno's own error for what is not granted: `Requires env access to "HOME", run again with …`.
fn denied(message: &str, request: &OpenRequest, state_directory: &Path) -> Option<Fault> {
    let rest = message.strip_prefix("Requires ")?;
    let (permission, rest) = rest.split_once(" access")?;
    let permission = Permission::parse(permission)?;
    let name = rest.strip_prefix(" to \"").and_then(|rest| Some(rest.split_once("\", ")?.0));
    match name {
        Some(name) if permission == Permission::Write && normalised(Path::new(name)).starts_with(state_directory) => {
            let message = format!(
                "{} asks to write to {name:?}, where this program keeps its own files; no entry grants that: \
                 ctx.writeResource and ctx.createFileWriter keep data",
                request.subject
            );
            Some(Fault::environment(Code::PERMISSION_DENIED, format!("state-directory:{name}"), message))
        }
        _ => Some(request.grantee.denied(&request.subject, permission, name)),
    }
}
