//! The conversation with one process.

use std::{io, sync::Arc, time::Duration};

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
use rustix::process::{Signal, kill_process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::ChildStdout,
    sync::OwnedSemaphorePermit,
};

use super::handover::HandedFiles;
use crate::worker::{
    cancellation::Cancellation, child_failure::ChildFailure, guarded::Guarded, session::answer, wire::MAX_FRAME_BYTES,
};

/// The longest line that an extension prints and that is kept whole, in bytes.
const LONGEST_LINE: usize = 64 << 10;

/// A bundle that is loaded in a process of its own. Dropping it kills the process with all that it started.
pub(super) struct DenoSession {
    /// `None` while a call is under way and after one that the process did not survive.
    process: Option<Process>,
    request: OpenRequest,
    call_limit: Duration,
    /// What was logged while the module loaded, for the host of the first call.
    early: Vec<HostCall>,
    files: HandedFiles,
    /// Free again when the session ends.
    _place: Option<OwnedSemaphorePermit>,
}

/// How long a session may take.
pub(super) struct Limits {
    /// To load.
    pub(super) open: Duration,
    /// For a call, without the time that the host takes.
    pub(super) call: Duration,
}

struct Process {
    child: Guarded,
    reader: FrameReader,
}

/// What arrived and was not taken apart yet. Reading may be given up at any moment without losing anything.
struct FrameReader {
    /// What the line before each frame begins with; only the host and the process know it.
    marker: String,
    bytes: Vec<u8>,
}

/// What a process wrote to its standard output.
enum Output {
    Frame(Json),
    /// A line that the extension printed.
    Line(String),
}

impl DenoSession {
    pub(super) async fn open(
        child: Guarded,
        marker: String,
        request: OpenRequest,
        limits: Limits,
        files: HandedFiles,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, RunError> {
        let mut early = Vec::new();
        let mut process = Process { child, reader: FrameReader { marker, bytes: Vec::new() } };
        let task = format!("loading {} in Deno", request.subject);
        let hello = Json::object([
            ("marker", Json::from(process.reader.marker.as_str())),
            ("exportName", Json::from(request.export_name.as_str())),
        ]);
        let mut budget = limits.open;
        let mut message = Some(hello);
        loop {
            let output = process.exchange(message.take().as_ref(), &mut budget, &mut Cancellation::never()).await;
            let frame = match output.map_err(|failure| RunError::Fault(failure.fault(&task)))? {
                Output::Frame(frame) => frame,
                Output::Line(line) => {
                    early.push(printed(line));
                    continue;
                }
            };
            let subject = &request.subject;
            return match text(&frame, "kind") {
                "opened" => {
                    let call_limit = limits.call;
                    Ok(Self { process: Some(process), request, call_limit, early, files, _place: place })
                }
                "absent" => Err(outcome::no_such_export(subject, &request.export_name)),
                "stuck" => Err(RunError::Fault(outcome::stuck_while_loading(subject))),
                "threw" => Err(RunError::Fault(denial(&frame, &request).unwrap_or_else(|| {
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

    /// What the code was refused and went on without, as lines of the log; what `error` tells is not told again.
    fn caught_refusals(&self, frame: &Json, error: Option<&RunError>) -> Vec<HostCall> {
        let told = match error {
            Some(RunError::Fault(fault)) => Some(&fault.cause),
            _ => None,
        };
        let refusals = frame.get("refusals").and_then(Json::as_array).unwrap_or_default();
        let faults = refusals.iter().filter_map(|refusal| denied(refusal.as_str()?, &self.request));
        let untold = faults.filter(|fault| Some(&fault.cause) != told && !fault.cause.0.starts_with("permission:env:"));
        untold.map(|fault| logged("warn", format!("refused, and the code went on: {}", fault.message))).collect()
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
            "threw" => Err(denial(frame, &self.request).map_or_else(
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
        let mut process =
            self.process.take().ok_or_else(|| fail(ChildFailure::Confused("the session has ended".to_owned())))?;
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
            let output =
                process.exchange(message.take().as_ref(), &mut budget, &mut cancellation).await.map_err(fail)?;
            let frame = match output {
                Output::Frame(frame) => frame,
                Output::Line(line) => {
                    // A line that cannot be logged is no reason to fail.
                    let _ = answer(host.as_ref(), printed(line)).await;
                    continue;
                }
            };
            if text(&frame, "kind") != "request" {
                self.process = Some(process);
                let outcome = self.outcome(&location, &frame);
                for line in self.caught_refusals(&frame, outcome.as_ref().err()) {
                    let _ = answer(host.as_ref(), line).await;
                }
                return outcome;
            }
            let answered = match host_call(&frame) {
                Ok(call) => self.files.answer(host.as_ref(), call).await,
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

impl Process {
    /// Sends a message, if there is one, and waits for the next output.
    async fn exchange(
        &mut self,
        message: Option<&Json>,
        budget: &mut Duration,
        cancellation: &mut Cancellation<'_>,
    ) -> Result<Output, ChildFailure> {
        let process = self.child.process();
        let (input, output, watcher) = self.child.parts();
        let reader = &mut self.reader;
        let talk = async {
            if let Some(message) = message {
                let frame = frame(message)?;
                let writing = input.write_all(&frame);
                tokio::pin!(writing);
                // It may be writing itself, and read nothing before that is taken from it.
                loop {
                    tokio::select! {
                        biased;
                        written = &mut writing => break written?,
                        filled = reader.fill(output) => filled?,
                    }
                }
            }
            loop {
                if let Some(output) = reader.next_output()? {
                    return Ok(output);
                }
                tokio::select! {
                    biased;
                    filled = reader.fill(output) => filled?,
                    // It reads nothing while it waits for no answer; this signal reaches it all the same.
                    () = cancellation.requested() => {
                        if let Some(process) = process {
                            let _ = kill_process(process, Signal::TERM);
                        }
                    }
                }
            }
        };
        match watcher.guard(budget, talk).await {
            Ok(output) => Ok(output),
            Err(ending) => Err(self.child.failure(ending, true).await),
        }
    }
}

impl FrameReader {
    /// Reads what there is.
    async fn fill(&mut self, output: &mut BufReader<ChildStdout>) -> io::Result<()> {
        if self.bytes.len() > MAX_FRAME_BYTES + LONGEST_LINE {
            return Err(malformed("more output than fits into a frame".to_owned()));
        }
        match output.read_buf(&mut self.bytes).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next frame or line, if all of it has arrived.
    fn next_output(&mut self) -> io::Result<Option<Output>> {
        loop {
            let line_end = self.bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n');
            let (line, after) = match line_end {
                Some(end) => (&self.bytes[..end], end + 1),
                None if self.bytes.len() >= LONGEST_LINE => (&self.bytes[..LONGEST_LINE], LONGEST_LINE),
                None => return Ok(None),
            };
            let line = String::from_utf8_lossy(line).into_owned();
            let Some(length) = line.strip_prefix(&*self.marker).and_then(|rest| rest.strip_prefix(' ')) else {
                self.bytes.drain(..after);
                if line.is_empty() {
                    continue;
                }
                return Ok(Some(Output::Line(line)));
            };
            let length: usize = length.parse().map_err(|_| malformed(format!("a frame of {length:?} bytes")))?;
            if length > MAX_FRAME_BYTES {
                return Err(malformed(format!("a frame of {length} bytes")));
            }
            let Some(body) = self.bytes.get(after..after + length) else { return Ok(None) };
            let frame = std::str::from_utf8(body).map_err(|_| malformed("a frame that is not UTF-8".to_owned()));
            let frame = frame.and_then(|text| json_text::parse(text).map_err(|error| malformed(error.to_string())));
            self.bytes.drain(..after + length);
            return frame.map(|frame| Some(Output::Frame(frame)));
        }
    }
}

fn malformed(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// A line on standard output is for the log.
fn printed(line: String) -> HostCall {
    logged("info", line)
}

fn logged(level: &str, line: String) -> HostCall {
    HostCall { function: "log".to_owned(), arguments: vec![Json::from(level), Json::from(line)] }
}

/// What a frame asks of the host.
fn host_call(frame: &Json) -> Result<HostCall, String> {
    match json_text::parse(text(frame, "text")) {
        Ok(Json::Array(arguments)) => Ok(HostCall { function: text(frame, "name").to_owned(), arguments }),
        Ok(_) => Err("the arguments are not a list".to_owned()),
        Err(error) => Err(format!("the arguments cannot be used: {error}")),
    }
}

fn confused(kind: &str) -> ChildFailure {
    ChildFailure::Confused(format!("a frame of the kind {kind:?}"))
}

fn text<'a>(frame: &'a Json, name: &str) -> &'a str {
    frame.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn denial(frame: &Json, request: &OpenRequest) -> Option<Fault> {
    denied(frame.get("denial")?.as_str()?, request)
}

/// The failure behind Deno's own error for what is not granted: `Requires env access to "HOME", run again with …`.
fn denied(message: &str, request: &OpenRequest) -> Option<Fault> {
    let rest = message.strip_prefix("Requires ")?;
    let (permission, rest) = rest.split_once(" access")?;
    let name = rest.strip_prefix(" to \"").and_then(|rest| Some(rest.split_once("\", ")?.0));
    Some(request.grantee.denied(&request.subject, Permission::parse(permission)?, name))
}

fn frame(message: &Json) -> io::Result<Vec<u8>> {
    let body = message.to_string();
    let length = u32::try_from(body.len()).map_err(|_| io::Error::other("too much for one frame"))?;
    Ok([&length.to_le_bytes(), body.as_bytes()].concat())
}
