//! The conversation with one process.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use mangrove_domain::{
    failure::{FailureClass, Fault},
    json::Json,
    permission::Permission,
    ports::{Call, Checked, HostCall, MethodHost, OpenRequest, RunError, Session},
    problem::Code,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{ChildStdin, ChildStdout},
    sync::OwnedSemaphorePermit,
};

use crate::{
    engine::outcome,
    json_text,
    worker::{
        death::Death,
        guarded::{Ending, Guarded},
        session::answer,
        wire::{self, MAX_FRAME_BYTES},
    },
};

/// The longest line that an extension prints and that is kept whole, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// A bundle that is loaded in a process of its own. Dropping it kills the process with all that it started.
pub(super) struct DenoSession {
    /// `None` while a call is under way and after one that the process did not survive.
    process: Option<Process>,
    request: OpenRequest,
    call_limit: Duration,
    /// Free again when the session ends.
    _place: Option<OwnedSemaphorePermit>,
}

struct Process {
    child: Guarded,
    /// By which its frames are known.
    word: String,
}

/// What a process said.
enum Said {
    Frame(Json),
    /// A line that the extension printed.
    Line(String),
}

impl DenoSession {
    pub(super) async fn open(
        child: Guarded,
        word: String,
        request: OpenRequest,
        open_limit: Duration,
        call_limit: Duration,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, RunError> {
        let mut process = Process { child, word };
        let task = format!("loading {} in Deno", request.subject);
        let hello = Json::object([
            ("word", Json::from(process.word.as_str())),
            ("exportName", Json::from(request.export_name.as_str())),
        ]);
        let mut budget = open_limit;
        let mut message = Some(hello);
        loop {
            let said = process.exchange(message.take().as_ref(), &mut budget).await;
            let Said::Frame(frame) = said.map_err(|death| RunError::Fault(death.fault(&task)))? else {
                // Nobody listens yet to what a module prints while it loads, nor to what it logs.
                continue;
            };
            let subject = &request.subject;
            return match text(&frame, "kind") {
                "opened" => Ok(Self { process: Some(process), request, call_limit, _place: place }),
                "absent" => Err(outcome::no_such_export(subject, &request.export_name)),
                "stuck" => Err(RunError::Fault(outcome::stuck_while_loading(subject))),
                "threw" => Err(RunError::Fault(denial(&frame, &request).unwrap_or_else(|| {
                    let place = frame.get("place").and_then(Json::as_str);
                    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
                    let message = format!("{subject} throws while it loads: {}{place}", text(&frame, "message"));
                    Fault::new(FailureClass::Deterministic, Code::THREW_WHILE_LOADING, "module", message)
                }))),
                "request" if frame.get("id").and_then(Json::as_integer) == Some(0) => continue,
                kind => Err(RunError::Fault(confused(kind).fault(&task))),
            };
        }
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
        let location = outcome::location(&self.request.export_name, &call.path);
        let task = format!("running {location} of {} in Deno", self.request.subject);
        let fail = |death: Death| RunError::Fault(death.fault(&task));
        // If this call is cancelled, the process goes with it: nobody could tell where it stands.
        let mut process =
            self.process.take().ok_or_else(|| fail(Death::Confused("the session has ended".to_owned())))?;
        let strings = |path: &[String]| Json::Array(path.iter().map(|segment| Json::from(segment.as_str())).collect());
        let mut message = Some(Json::object([
            ("path", strings(&call.path)),
            ("args", Json::from(call.arguments.to_string())),
            ("context", Json::from(call.context.to_string())),
            ("schema", strings(&call.schema)),
            ("globalSchema", strings(&call.global_schema)),
        ]));
        let mut budget = self.call_limit;
        loop {
            let said = process.exchange(message.take().as_ref(), &mut budget).await.map_err(fail)?;
            let frame = match said {
                Said::Frame(frame) => frame,
                Said::Line(line) => {
                    let arguments = vec![Json::from("info"), Json::from(line)];
                    // A line that cannot be logged is no reason to fail.
                    let _ = answer(host.as_ref(), HostCall { function: "log".to_owned(), arguments }).await;
                    continue;
                }
            };
            if text(&frame, "kind") != "request" {
                self.process = Some(process);
                return self.outcome(&location, &frame);
            }
            let answered = match json_text::parse(text(&frame, "text")) {
                Ok(Json::Array(arguments)) => {
                    let function = text(&frame, "name").to_owned();
                    answer(host.as_ref(), HostCall { function, arguments }).await
                }
                Ok(_) => Err("the arguments are no list".to_owned()),
                Err(error) => Err(format!("the arguments cannot be used: {error}")),
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
    /// Says something, or nothing, and waits for what is said next.
    async fn exchange(&mut self, message: Option<&Json>, budget: &mut Duration) -> Result<Said, Death> {
        let (input, output, watcher) = self.child.parts();
        let word = &self.word;
        let talk = async {
            if let Some(message) = message {
                write(input, message).await?;
            }
            read(output, word).await
        };
        match watcher.guard(budget, talk).await {
            Ok(said) => Ok(said),
            Err(ending) => Err(self.death(ending).await),
        }
    }

    async fn death(&mut self, ending: Ending) -> Death {
        self.child.death(ending, true).await
    }
}

fn confused(kind: &str) -> Death {
    Death::Confused(format!("a frame of the kind {kind:?}"))
}

fn text<'a>(frame: &'a Json, name: &str) -> &'a str {
    frame.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// The failure behind Deno's own error for what is not granted: `Requires env access to "HOME", run again with …`.
fn denial(frame: &Json, request: &OpenRequest) -> Option<Fault> {
    let rest = frame.get("denial")?.as_str()?.strip_prefix("Requires ")?;
    let (permission, rest) = rest.split_once(" access")?;
    let name = rest.strip_prefix(" to \"").and_then(|rest| Some(rest.split_once("\", ")?.0));
    Some(request.grantee.denied(&request.subject, Permission::parse(permission)?, name))
}

async fn write(input: &mut ChildStdin, message: &Json) -> io::Result<()> {
    let body = message.to_string();
    let length = u32::try_from(body.len()).map_err(|_| io::Error::other("too much for one frame"))?;
    input.write_all(&[&length.to_le_bytes(), body.as_bytes()].concat()).await
}

async fn read(output: &mut BufReader<ChildStdout>, word: &str) -> io::Result<Said> {
    loop {
        let mut line = Vec::new();
        if (&mut *output).take(LONGEST_LINE).read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.is_empty() {
            continue;
        }
        let Some(length) = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')) else {
            return Ok(Said::Line(line));
        };
        let nonsense = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
        let length: usize = length.parse().map_err(|_| nonsense(format!("a frame of {length:?} bytes")))?;
        if length > MAX_FRAME_BYTES {
            return Err(nonsense(format!("a frame of {length} bytes")));
        }
        let body = wire::read_body(output, length).await?;
        let text = String::from_utf8(body).map_err(|_| nonsense("a frame that is no text".to_owned()))?;
        return json_text::parse(&text).map(Said::Frame).map_err(|error| nonsense(error.to_string()));
    }
}
