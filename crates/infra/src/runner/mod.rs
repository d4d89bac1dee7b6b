//! Where a method runs: in the embedded engine where it can, else in a Deno with the permissions that are granted. The
//! why is in `design/running.md`.

pub mod deno;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    inspection::beyond_embedded,
    json::Json,
    permission_use::{self, MissingGrants},
    ports::PermissionUses as _,
    ports::{Call, HostCall, MethodHost, MethodRunner, OpenRequest, RunError, Session},
    problem::Code,
};

use mangrove_engine::outcome;

use self::deno::DenoRunner;
use crate::bundler::permission_uses::UsesByText;

/// Context functions that change nothing outside of the run: a call that used no other one can be made again.
const READ_ONLY_CALLS: &[&str] = &[
    "data.contentPath",
    "data.findAllForModel",
    "data.findAllForType",
    "data.findAllGlobal",
    "data.findById",
    "data.findByName",
    "data.findByTaggedName",
    "data.getContent",
    "data.listVersions",
    "definition.findAll",
    "definition.findAllGlobal",
    "definition.findById",
    "definition.findByName",
    "definition.findByNameGlobal",
    "definition.path",
    "expression.evaluate",
    "expression.parse",
    "extensionFile",
    "hasSecrets",
    "log",
    "onEvent",
    "queryData",
    "readModelData",
    "readResource",
    "redact",
    "vault.default",
    "vault.get",
    "vault.list",
    "vault.names",
];

/// How many lines of a log are remembered, to be told once where a call is made again.
const MOST_LINES: usize = 10_000;
/// What they may take together, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// Both engines behind one port.
///
/// Code that requires what only Deno has goes to Deno. Other code runs in the embedded engine; if it turns out to need
/// more, its first call is made again in Deno, provided that nothing was done for it yet. Without a Deno, the embedded
/// engine runs what it can, and what it cannot names the missing program.
pub struct ChosenRunner {
    embedded: Arc<dyn MethodRunner>,
    deno: Arc<DenoRunner>,
}

impl ChosenRunner {
    /// Chooses between the two.
    #[must_use]
    pub fn new(embedded: Arc<dyn MethodRunner>, deno: DenoRunner) -> Self {
        Self { embedded, deno: Arc::new(deno) }
    }
}

/// Opens in Deno what the embedded engine could not run for this reason.
async fn move_to_deno(deno: &DenoRunner, request: OpenRequest, fault: Fault) -> Result<Box<dyn Session>, RunError> {
    tracing::info!(subject = request.subject, cause = %fault.message, "moving to Deno");
    let bundle = request.bundle.clone();
    let session = deno.open(request).await.map_err(|error| without_deno(fault, error))?;
    deno.remember(&bundle);
    Ok(session)
}

#[async_trait]
impl MethodRunner for ChosenRunner {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        let mut request = request;
        if request.root_directory.is_none() {
            request.root_directory = self.deno.root_directory(&request.grantee.root).await;
        }
        let asked = Arc::new(request);
        match self.open_unexplained(OpenRequest::clone(&asked)).await {
            Ok(session) => Ok(Box::new(ExplainedSession { session, request: asked })),
            Err(error) => Err(with_all_missing(error, &asked)),
        }
    }
}

/// Adds to the failure of code that was refused something what else its text asks for and is not granted: whoever writes
/// the entry writes it once.
fn with_all_missing(error: RunError, request: &OpenRequest) -> RunError {
    match error {
        RunError::Fault(mut fault) if fault.code == Code::PERMISSION_DENIED => {
            let uses = UsesByText.of(&request.bundle.code);
            let asked = permission_use::refused(&fault.cause.0);
            let missing = MissingGrants::of(&request.grantee, &uses);
            if let Some(more) = missing.sentence(&request.grantee, asked.as_ref()) {
                fault.message.push_str("; ");
                fault.message.push_str(&more);
            }
            RunError::Fault(fault)
        }
        other => other,
    }
}

/// A session whose refusals say all that is missing.
struct ExplainedSession {
    session: Box<dyn Session>,
    request: Arc<OpenRequest>,
}

#[async_trait]
impl Session for ExplainedSession {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, RunError> {
        let outcome = self.session.call(call, host).await;
        outcome.map_err(|error| with_all_missing(error, &self.request))
    }
}

impl ChosenRunner {
    async fn open_unexplained(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        let needs_deno =
            beyond_embedded(&request.requirements).next().is_some() || self.deno.remembers(&request.bundle);
        if needs_deno && self.deno.is_there() {
            return self.deno.open(request).await;
        }
        match self.embedded.open(request.clone()).await {
            Ok(session) => {
                let state = State::Embedded { session, request: Box::new(request) };
                let (embedded, deno) = (Arc::clone(&self.embedded), Arc::clone(&self.deno));
                Ok(Box::new(ChosenSession { state, embedded, deno }))
            }
            Err(RunError::Fault(fault)) if fault.code == Code::REQUIREMENT_MISSING => {
                move_to_deno(&self.deno, request, fault).await
            }
            Err(error) => Err(error),
        }
    }
}

/// What is missing, and why the program that has it did not help.
fn without_deno(fault: Fault, error: RunError) -> RunError {
    match error {
        RunError::Fault(deno) if deno.code == Code::RUNTIME_MISSING => {
            let message = format!("{}; {}", fault.message, deno.message);
            RunError::Fault(Fault { message, ..fault })
        }
        other => other,
    }
}

struct ChosenSession {
    state: State,
    embedded: Arc<dyn MethodRunner>,
    deno: Arc<DenoRunner>,
}

enum State {
    /// Nothing was called yet.
    Embedded { session: Box<dyn Session>, request: Box<OpenRequest> },
    /// What the embedded engine had loaded was given up for a Deno that did not start.
    GivenUp(Box<OpenRequest>),
    /// Whatever the module remembers is in this engine.
    Settled(Box<dyn Session>),
    /// A call is under way, or was given up.
    Busy,
}

#[async_trait]
impl Session for ChosenSession {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, RunError> {
        let recorder = Arc::new(EffectRecorder::new(Arc::clone(&host)));
        match std::mem::replace(&mut self.state, State::Busy) {
            State::Settled(session) => self.call_settled(session, call, recorder).await,
            State::GivenUp(request) => match self.embedded.open(OpenRequest::clone(&request)).await {
                Ok(session) => self.call_settled(session, call, recorder).await,
                Err(error) => {
                    self.state = State::GivenUp(request);
                    Err(error)
                }
            },
            State::Embedded { mut session, request } => {
                let mut outcome = session.call(call.clone(), Arc::clone(&recorder) as _).await;
                if let Some(fault) = failed_without(&request.subject, &outcome, recorder.lacked()) {
                    outcome = Err(RunError::Fault(fault));
                }
                // Code may go on without what was missing, and then do something else than it does in Deno.
                let fault = match &outcome {
                    Err(RunError::Fault(fault)) if fault.code == Code::REQUIREMENT_MISSING => Some(fault.clone()),
                    _ => recorder.lacked().map(|names| went_on_without(&request.subject, &names)),
                };
                let Some(mut fault) = fault else {
                    self.state = State::Settled(session);
                    return outcome;
                };
                if !recorder.was_used() && (is_missing(&outcome) || self.deno.is_there()) {
                    // It holds a place that somebody else may wait for.
                    drop(session);
                    return match move_to_deno(&self.deno, OpenRequest::clone(&request), fault).await {
                        Ok(mut session) => {
                            let outcome = session.call(call, Arc::new(OtherLines::new(host, recorder.lines()))).await;
                            self.state = State::Settled(session);
                            outcome
                        }
                        Err(error) if is_missing(&outcome) => Err(error),
                        Err(error) => {
                            recorder.tell_lacked(&format!("; it was not run again there: {error}")).await;
                            self.state = State::GivenUp(request);
                            outcome
                        }
                    };
                }
                self.state = State::Settled(session);
                // To make the call again would do twice what it did.
                let next = if self.deno.is_there() {
                    self.deno.remember(&request.bundle);
                    "; it had written or sent something already, and was not run again; its next run is in Deno"
                } else {
                    ""
                };
                if is_missing(&outcome) {
                    fault.message.push_str(next);
                    return Err(RunError::Fault(fault));
                }
                recorder.tell_lacked(next).await;
                outcome
            }
            State::Busy => Err(RunError::Threw { message: "the session has ended".to_owned(), stack: None }),
        }
    }
}

impl ChosenSession {
    async fn call_settled(
        &mut self,
        mut session: Box<dyn Session>,
        call: Call,
        recorder: Arc<EffectRecorder>,
    ) -> Result<Json, RunError> {
        let outcome = session.call(call, Arc::clone(&recorder) as _).await;
        self.state = State::Settled(session);
        if !is_missing(&outcome) {
            recorder.tell_lacked("").await;
        }
        outcome
    }
}

/// True if a call failed for want of something that the embedded engine lacks.
fn is_missing(outcome: &Result<Json, RunError>) -> bool {
    matches!(outcome, Err(RunError::Fault(fault)) if fault.code == Code::REQUIREMENT_MISSING)
}

/// What failed in its own words, after something was missing.
fn failed_without(subject: &str, outcome: &Result<Json, RunError>, lacked: Option<String>) -> Option<Fault> {
    let (Err(RunError::Threw { message, .. }), Some(names)) = (outcome, lacked) else { return None };
    let mut fault = went_on_without(subject, &names);
    fault.message = format!("{}, and failed: {message}", fault.message);
    Some(fault)
}

fn went_on_without(subject: &str, names: &str) -> Fault {
    let message = format!("{subject} went on without {names}, which the embedded engine lacks");
    Fault::environment(Code::REQUIREMENT_MISSING, format!("engine:{names}"), message)
}

/// A host that notes whether anything was done, and what was missing.
struct EffectRecorder {
    host: Arc<dyn MethodHost>,
    was_used: AtomicBool,
    lacked: OnceLock<String>,
    lines: Mutex<Lines>,
}

/// The first lines of a log.
#[derive(Default)]
struct Lines {
    told: VecDeque<Vec<Json>>,
    /// What they take together, in bytes.
    bytes: usize,
    is_full: bool,
}

impl Lines {
    fn add(&mut self, line: &[Json]) {
        let bytes: usize = line.iter().map(bytes_of).sum();
        // After one that is left out, no other is kept: they are compared one after the other.
        self.is_full |= self.told.len() == MOST_LINES || self.bytes.saturating_add(bytes) > MOST_BYTES;
        if !self.is_full {
            self.bytes += bytes;
            self.told.push_back(line.to_vec());
        }
    }
}

/// About how many bytes of memory a value takes.
fn bytes_of(value: &Json) -> usize {
    let inside = match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(bytes_of).sum(),
        Json::Object(members) => members.iter().map(|(name, member)| name.len() + bytes_of(member)).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    };
    inside + size_of::<Json>()
}

impl EffectRecorder {
    fn new(host: Arc<dyn MethodHost>) -> Self {
        Self { host, was_used: AtomicBool::new(false), lacked: OnceLock::new(), lines: Mutex::default() }
    }

    /// What was missing during the call, with commas between.
    fn lacked(&self) -> Option<String> {
        self.lacked.get().cloned()
    }

    /// The first lines of the log, as they were told.
    fn lines(&self) -> VecDeque<Vec<Json>> {
        std::mem::take(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner).told)
    }

    /// Tells whoever reads the log that the code went on without something.
    async fn tell_lacked(&self, more: &str) {
        let Some(names) = self.lacked.get() else { return };
        let line = format!(
            "the code went on without {names}, which the embedded engine lacks: in Deno it may do something else{more}"
        );
        // A line that cannot be logged is no reason to fail.
        let _ = self.host.call(outcome::logged("warn", line)).await;
    }

    fn was_used(&self) -> bool {
        self.was_used.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl MethodHost for EffectRecorder {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        if call.function == outcome::LACKED {
            let names: Vec<&str> = call.arguments.iter().filter_map(Json::as_str).collect();
            // A session tells it once in a call.
            let _ = self.lacked.set(names.join(", "));
            return Ok(Json::Null);
        }
        if call.function == outcome::LOG {
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).add(&call.arguments);
        }
        if !READ_ONLY_CALLS.contains(&call.function.as_str()) {
            self.was_used.store(true, Ordering::Relaxed);
        }
        self.host.call(call).await
    }

    fn sends_request(&self) {
        self.was_used.store(true, Ordering::Relaxed);
        self.host.sends_request();
    }

    async fn cancelled(&self) {
        self.host.cancelled().await;
    }

    fn told_secrets(&self, granted: &BTreeMap<String, String>) -> bool {
        self.host.told_secrets(granted)
    }
}

/// A host of a call that is made again: lines that the first attempt has told already are not told a second time, as long as the
/// second one says the same.
struct OtherLines {
    host: Arc<dyn MethodHost>,
    told: Mutex<VecDeque<Vec<Json>>>,
}

impl OtherLines {
    fn new(host: Arc<dyn MethodHost>, told: VecDeque<Vec<Json>>) -> Self {
        Self { host, told: Mutex::new(told) }
    }

    /// True if this line was told already. The first one that was not ends the comparison.
    fn was_told(&self, line: &[Json]) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = told.pop_front().is_some_and(|first| first == line);
        if !is_same {
            told.clear();
        }
        is_same
    }
}

#[async_trait]
impl MethodHost for OtherLines {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        if call.function == outcome::LOG && self.was_told(&call.arguments) {
            return Ok(Json::Null);
        }
        self.host.call(call).await
    }

    fn sends_request(&self) {
        self.host.sends_request();
    }

    async fn cancelled(&self) {
        self.host.cancelled().await;
    }

    fn told_secrets(&self, granted: &BTreeMap<String, String>) -> bool {
        self.host.told_secrets(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_within_a_number_and_a_size() {
        let mut lines = Lines::default();
        for _ in 0..=MOST_LINES {
            lines.add(&[Json::from("info"), Json::from("short")]);
        }
        assert_eq!(lines.told.len(), MOST_LINES);
        let mut lines = Lines::default();
        let long = Json::from("x".repeat(MOST_BYTES / 2));
        for line in ["first", "second", "third"] {
            lines.add(&[
                Json::from(line),
                if line == "second" { Json::object([("a", long.clone()), ("b", long.clone())]) } else { Json::Null },
            ]);
        }
        assert_eq!(lines.told, [[Json::from("first"), Json::Null]], "none is kept after one that was too long");
    }
}
