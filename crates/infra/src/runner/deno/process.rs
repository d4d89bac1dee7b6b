//! One process, seen from here: what is said to it, and what comes out of it.

use std::{collections::VecDeque, io, time::Duration};

use mangrove_domain::json::Json;
use mangrove_fs::json_text;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::ChildStdout,
    sync::mpsc,
};

use crate::worker::{cancellation::Cancellation, child_failure::ChildFailure, guarded::Guarded, wire::MAX_FRAME_BYTES};

/// The longest line that an extension prints and that is kept whole, in bytes.
const LONGEST_LINE: usize = 64 << 10;

/// How long the last lines of standard error are waited for. The process ends them with its marker before it says how a call
/// ended; something else may have taken its standard error away.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(1);

/// How many lines of standard error are kept that come while something is sent.
const MOST_EARLY_ERRORS: usize = 1_000;

/// Dropping it kills the process with all that it started.
pub(super) struct Process {
    child: Guarded,
    reader: FrameReader,
    /// Lines of standard error.
    errors: mpsc::Receiver<String>,
    /// Those that came while something was sent.
    early_errors: VecDeque<String>,
    /// True if the marker came that ends them.
    has_last_errors: bool,
}

/// What arrived and was not taken apart yet. Reading may be given up at any moment without losing anything.
struct FrameReader {
    /// What the line before each frame begins with; only the host and the process know it.
    marker: String,
    bytes: Vec<u8>,
}

/// What a process wrote to its standard output.
pub(super) enum Output {
    Frame(Json),
    /// A line that the extension printed, or that it or a program that it started wrote to standard error.
    Line(String),
}

impl Process {
    /// A process that was just started. `marker` is told to it by the first message.
    pub(super) fn new((child, errors): (Guarded, mpsc::Receiver<String>), marker: String) -> Self {
        let reader = FrameReader { marker, bytes: Vec::new() };
        Self { child, reader, errors, early_errors: VecDeque::new(), has_last_errors: false }
    }

    /// What the line before each of its frames begins with.
    pub(super) fn marker(&self) -> &str {
        &self.reader.marker
    }

    /// Its number; `None` if it has ended.
    pub(super) fn number(&self) -> Option<Pid> {
        self.child.process()
    }

    /// True if it has not ended.
    pub(super) fn is_alive(&mut self) -> bool {
        self.child.is_alive()
    }

    /// Bytes that it keeps in memory; `None` where the system does not say.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        self.child.resident_bytes()
    }

    /// Forgets what it wrote to standard error: that belongs to the calls that were made so far.
    pub(super) fn forget_last_words(&mut self) {
        self.child.forget_last_words();
        self.early_errors.clear();
        self.has_last_errors = false;
        while self.errors.try_recv().is_ok() {}
    }

    /// The lines of standard error that were written before a call ended, when it has ended.
    pub(super) async fn last_errors(&mut self) -> Vec<String> {
        let mut lines: Vec<String> = self.early_errors.drain(..).collect();
        let until_marker = async {
            while !self.has_last_errors {
                let Some(line) = self.errors.recv().await else { break };
                lines.extend(without_marker(line, &self.reader.marker, &mut self.has_last_errors));
            }
        };
        if tokio::time::timeout(LAST_LINES_LIMIT, until_marker).await.is_err() {
            tracing::debug!("the end of standard error did not arrive");
        }
        self.has_last_errors = false;
        lines
    }

    /// Sends a message and waits for the answer, a frame of this kind. What is printed or logged meanwhile belongs to no call:
    /// nobody could say whose secrets are in it.
    pub(super) async fn ask(&mut self, message: Json, kind: &str, mut budget: Duration) -> Result<Json, ChildFailure> {
        let mut message = Some(message);
        loop {
            match self.exchange(message.take().as_ref(), &mut budget, &mut Cancellation::never()).await? {
                Output::Frame(frame) if text(&frame, "kind") == kind => return Ok(frame),
                Output::Frame(frame) if text(&frame, "kind") != "request" => {
                    return Err(confused(text(&frame, "kind")));
                }
                Output::Frame(_) | Output::Line(_) => tracing::debug!("something was printed between two calls"),
            }
        }
    }

    /// Sends a message, if there is one, and waits for the next output.
    pub(super) async fn exchange(
        &mut self,
        message: Option<&Json>,
        budget: &mut Duration,
        cancellation: &mut Cancellation<'_>,
    ) -> Result<Output, ChildFailure> {
        let process = self.child.process();
        let (input, output, watcher) = self.child.parts();
        let (reader, errors, early_errors) = (&mut self.reader, &mut self.errors, &mut self.early_errors);
        let has_last_errors = &mut self.has_last_errors;
        if message.is_none()
            && let Some(line) = early_errors.pop_front()
        {
            return Ok(Output::Line(line));
        }
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
                        // It may write without end and read nothing: what is too much is dropped.
                        Some(line) = errors.recv() => if early_errors.len() < MOST_EARLY_ERRORS {
                            early_errors.extend(without_marker(line, &reader.marker, has_last_errors));
                        },
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
                    Some(line) = errors.recv() => {
                        if let Some(line) = without_marker(line, &reader.marker, has_last_errors) {
                            return Ok(Output::Line(line));
                        }
                    }
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

/// A line of standard error, if there is one beside the marker that ends what belongs to a call: the last one may have had no
/// line feed.
fn without_marker(line: String, marker: &str, has_last_errors: &mut bool) -> Option<String> {
    match line.strip_suffix(marker) {
        None => Some(line),
        Some(rest) => {
            *has_last_errors = true;
            Some(rest.to_owned()).filter(|rest| !rest.is_empty())
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

fn frame(message: &Json) -> io::Result<Vec<u8>> {
    let body = message.to_string();
    let length = u32::try_from(body.len()).map_err(|_| io::Error::other("too much for one frame"))?;
    Ok([&length.to_le_bytes(), body.as_bytes()].concat())
}

/// A member of a frame that is text; empty if it is not there.
pub(super) fn text<'a>(frame: &'a Json, name: &str) -> &'a str {
    frame.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// A frame that nobody asked for.
pub(super) fn confused(kind: &str) -> ChildFailure {
    ChildFailure::Confused(format!("a frame of the kind {kind:?}"))
}
