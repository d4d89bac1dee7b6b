//! A process in which a bundle is loaded, and whether it may be used once more.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::json::Json;

use super::{
    bounds::{Counted, PoolLimits},
    handover::HandedFiles,
    process::Process,
    start::Start,
    traces::{self, Traces},
};
use crate::worker::child_failure::ChildFailure;

/// How long what a call began and did not wait for may take to end by itself, before its process is given up.
const REST_LIMIT: Duration = Duration::from_millis(200);
/// How long a process that waits may take to say that it is there.
const BEGIN_LIMIT: Duration = Duration::from_secs(2);

/// A process in which a bundle is loaded. Dropping it kills the process with all that it started.
pub(super) struct Loaded {
    pub(super) process: Process,
    pub(super) files: HandedFiles,
    start: Arc<Start>,
    /// How many calls it has answered.
    calls: u32,
    /// Whether all of them gave a value, and none was told to end.
    is_well: bool,
    /// The run that alone may find what the code remembers; `None` if any may.
    confined_to: Option<String>,
    /// As they were before the first call.
    traces: Option<Traces>,
    /// Deno's own.
    cache: PathBuf,
    _counted: Counted,
}

impl Loaded {
    /// A process that has just loaded what its start says.
    pub(super) fn new(process: Process, start: Arc<Start>, files: HandedFiles, cache: &Path, counted: Counted) -> Self {
        let traces = process.number().and_then(|number| Traces::of(number, cache));
        let cache = cache.to_owned();
        Self { process, files, start, calls: 0, is_well: true, confined_to: None, traces, cache, _counted: counted }
    }

    /// What it was started with.
    pub(super) const fn start(&self) -> &Arc<Start> {
        &self.start
    }

    /// The run that alone may have it; `None` if any may.
    pub(super) fn confined_to(&self) -> Option<&str> {
        self.confined_to.as_deref()
    }

    /// True if a session of this run that would start a process like this can have it.
    pub(super) fn may_serve(&self, start: &Start, run: &str) -> bool {
        *self.start == *start && self.confined_to().is_none_or(|confined| confined == run)
    }

    /// True if it has not ended.
    pub(super) fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }

    /// Notes that a call is over. `confined` is the run that alone may find what the code was told, if there is one.
    pub(super) fn called(&mut self, is_well: bool, confined: Option<&str>) {
        self.calls = self.calls.saturating_add(1);
        self.is_well &= is_well;
        if let Some(run) = confined {
            self.confined_to = Some(run.to_owned());
        }
    }

    /// True if nothing that was seen of its calls speaks against another session.
    pub(super) const fn is_well(&self) -> bool {
        self.is_well
    }

    /// Begins another session. After an error the process is dead, and nothing was asked of it that somebody could miss.
    pub(super) async fn begin(&mut self) -> Result<(), ChildFailure> {
        self.process.forget_last_words();
        self.process.ask(kind("begin"), "ready", BEGIN_LIMIT).await.map(|_| ())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Why the process cannot serve another one; it is killed.
    pub(super) async fn rest(mut self, limits: &PoolLimits) -> Result<Self, String> {
        if self.calls >= limits.calls {
            return Err(format!("it has made {} calls", self.calls));
        }
        let rested = self.process.ask(kind("rest"), "rested", REST_LIMIT).await;
        let rested = rested.map_err(|failure| match failure {
            ChildFailure::TimedOut(_) => "something that a call began is still going on".to_owned(),
            other => format!("{other:?}"),
        })?;
        match rested.get("left").and_then(Json::as_array) {
            Some([]) => {}
            Some(left) => return Err(format!("a call left behind {}", Json::Array(left.to_vec()))),
            None => return Err("it cannot be known what a call left behind".to_owned()),
        }
        if let Some(bytes) = self.process.resident_bytes().filter(|bytes| *bytes > limits.memory_bytes) {
            return Err(format!("it keeps {} MB", bytes >> 20));
        }
        let looked = mangrove_fs::blocking(move || {
            let outcome = self.look();
            (self, outcome)
        });
        let (loaded, outcome) = looked.await.map_err(|error| error.to_string())?;
        outcome.map(|()| loaded)
    }

    /// Looks at what the system sees of it. Waits for the disk.
    fn look(&mut self) -> Result<(), String> {
        self.files.clear().map_err(|error| format!("its files cannot be removed: {error}"))?;
        let number = self.process.number().ok_or("it has ended")?;
        let unknown = "the system does not say what a call left behind";
        let before = self.traces.as_ref().ok_or(unknown)?;
        if let Some(left) = Traces::of(number, &self.cache).ok_or(unknown)?.left_since(before, number) {
            return Err(format!("a call left behind {left}"));
        }
        if self.start.may_start_programs() && traces::companions(number) != Some(0) {
            return Err("a program that a call started is still running".to_owned());
        }
        Ok(())
    }
}

fn kind(kind: &str) -> Json {
    Json::object([("kind", Json::from(kind))])
}
