//! The child's side: the main loop of `mangrove worker`.

use std::{
    any::Any,
    collections::HashMap,
    io::{self, Write as _},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
};

use mangrove_domain::{
    bundle::Bundle,
    failure::Fault,
    inspection::Inspection,
    json::Json,
    ports::{BuildFailure, BundleRequest, Call, HostCall, InspectRequest, OpenRequest, RunError},
};
use mangrove_engine::{EngineSession, HostFunction, Inbox, Limits, WebOrders};
use mangrove_npm::vendor::{VendorOutput, VendorRequest};
use mangrove_sources::{parse::parse_module, parser::ParsedModule};
use rustix::process::{Resource, Rlimit, setrlimit};
use url::Url;

use super::wire::{
    self, Reply, Request, Value, WireCall, WireError, WireFault, WireInspection, WireRunError, WireVendorOutput,
    to_limits,
};
use crate::bundler::{embedded::bundle_in_process, requirements, vendor::build_vendor_in_process};

/// Parser and engine recurse on this stack; the engine's own limit must lie well below it.
const STACK_BYTES: usize = 32 << 20;

/// The name of the thread whose panics cost a job; a panic on any other one ends the process.
const JOB_THREAD: &str = "job";

/// What a child can do. [`Jobs::default`] is what the product does; tests put other functions in.
#[derive(Clone, Copy)]
pub struct Jobs {
    /// Reads one module.
    pub parse: fn(&str, &[u8]) -> ParsedModule,
    /// Builds one bundle.
    pub bundle: fn(&BundleRequest) -> Result<Bundle, BuildFailure>,
    /// Builds one vendor directory.
    pub vendor: fn(&VendorRequest) -> Result<VendorOutput, Fault>,
    /// Looks at one bundle.
    pub inspect: fn(&InspectRequest, &Limits) -> Result<Inspection, Fault>,
    /// Loads one bundle for calls.
    pub open: Open,
}

/// A function that loads a bundle for calls.
pub type Open = fn(&OpenRequest, &Limits) -> Result<Box<dyn Callable>, RunError>;

impl Default for Jobs {
    fn default() -> Self {
        Self {
            parse: parse_module,
            bundle: bundle_in_process,
            vendor: build_vendor_in_process,
            inspect,
            open: |request, limits| Ok(Box::new(EngineSession::open(request, limits)?)),
        }
    }
}

/// Looks at a bundle, and adds what the text of its own modules needs to what was touched while they loaded.
fn inspect(request: &InspectRequest, limits: &Limits) -> Result<Inspection, Fault> {
    let mut inspection = mangrove_engine::inspect(request, limits)?;
    inspection.touched.extend(requirements::of(&request.bundle.code));
    inspection.touched.sort();
    inspection.touched.dedup();
    Ok(inspection)
}

/// A loaded bundle in the child.
pub trait Callable {
    /// Calls one function of the export; `host` answers what it asks meanwhile.
    fn call(&mut self, call: &Call, host: &mut dyn FnMut(HostCall) -> Result<Json, String>) -> Result<Json, RunError>;

    /// From now on, this answers what a call asks for without waiting.
    fn answer_at_once(&mut self, host: HostFunction);

    /// From now on, what calls want of the network goes to `orders`, and they find in `inbox` what becomes of it, and that
    /// they are to end.
    fn connect(&mut self, orders: Option<WebOrders>, inbox: Inbox);

    /// True if nothing is left of the calls so far that could go on beside further ones.
    fn is_at_rest(&self) -> bool {
        false
    }

    /// Begins another session with what the module remembers; false if that is not possible.
    fn begin(&mut self) -> bool {
        false
    }
}

impl Callable for EngineSession {
    fn call(&mut self, call: &Call, host: &mut dyn FnMut(HostCall) -> Result<Json, String>) -> Result<Json, RunError> {
        EngineSession::call(self, call, host)
    }

    fn answer_at_once(&mut self, host: HostFunction) {
        EngineSession::answer_at_once(self, host);
    }

    fn connect(&mut self, orders: Option<WebOrders>, inbox: Inbox) {
        EngineSession::connect(self, orders, inbox);
    }

    fn is_at_rest(&self) -> bool {
        EngineSession::is_at_rest(self)
    }

    fn begin(&mut self) -> bool {
        EngineSession::begin(self)
    }
}

/// Serves jobs from standard input until it closes. Needs neither environment nor home nor working directory.
#[must_use]
pub fn run() -> ExitCode {
    run_with(Jobs::default())
}

/// Serves jobs with these functions.
#[must_use]
pub fn run_with(jobs: Jobs) -> ExitCode {
    install_panic_hook();
    let (sender, receiver) = mpsc::channel();
    let inbox = Inbox::default();
    let frames = Frames { arrived: Arc::new(Mutex::new(receiver)), inbox: inbox.clone() };
    let thread = thread::Builder::new().name(JOB_THREAD.to_owned()).stack_size(STACK_BYTES);
    if let Err(error) = thread.spawn(move || serve(jobs, &frames)) {
        report(&format!("cannot start the job thread: {error}"));
        return ExitCode::FAILURE;
    }
    let mut input = io::stdin().lock();
    while let Ok(frame) = wire::read_frame_blocking(&mut input) {
        if wire::is_call(&frame) {
            inbox.clear();
        }
        // The job thread is in the call that is meant, and reads nothing.
        if wire::is_cancel(&frame) {
            inbox.end();
            continue;
        }
        if wire::is_web_event(&frame)
            && let Ok(Request::WebEvent(number, event)) = wire::message(&frame)
        {
            inbox.deliver(number, event);
            continue;
        }
        if sender.send(frame).is_err() {
            return ExitCode::FAILURE;
        }
    }
    // The parent is gone or wants no more: leave, even if a job never ends. Returning from `main` ends the process
    // whatever its other threads do.
    ExitCode::SUCCESS
}

fn report(line: &str) {
    // Nobody reads this but the parent; if it is gone there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A panic on the job thread is caught and costs its job. One on a thread of the bundler would leave the job
/// waiting for ever, so it ends the process.
fn install_panic_hook() {
    panic::set_hook(Box::new(|info| {
        report(&info.to_string());
        if thread::current().name() != Some(JOB_THREAD) {
            std::process::abort();
        }
    }));
}

/// What arrives from the parent. Only the job thread takes from it.
#[derive(Clone)]
struct Frames {
    arrived: Arc<Mutex<Receiver<Vec<u8>>>>,
    /// What the parent has to say to the call under way.
    inbox: Inbox,
}

impl Frames {
    fn next(&self) -> Option<Vec<u8>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    /// Asks the parent on behalf of the call under way.
    fn ask(&self, call: HostCall) -> Result<Json, String> {
        let arguments = call.arguments.iter().map(Value::from).collect();
        send(&Reply::HostCall { function: call.function, arguments });
        let frame = self.next().ok_or("the host is gone")?;
        match wire::message::<Request<'_>>(&frame) {
            Ok(Request::HostAnswer(answer)) => {
                answer.and_then(|value| value.into_json().map_err(|error: WireError| error.to_string()))
            }
            Ok(_) => Err("the host did not answer".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Vendor files by their paths, as bundles name them.
type HeldFiles = HashMap<String, Arc<str>>;

fn serve(jobs: Jobs, frames: &Frames) {
    let mut session: Option<Box<dyn Callable>> = None;
    let mut held = HeldFiles::new();
    while let Some(frame) = frames.next() {
        let request = match wire::message::<Request<'_>>(&frame) {
            Ok(Request::Configure { memory_limit_bytes }) => {
                limit_memory(memory_limit_bytes);
                continue;
            }
            Ok(Request::Hold { path, code }) => {
                held.insert(path.to_owned(), code.into());
                continue;
            }
            Ok(Request::LetGo) => {
                held.clear();
                continue;
            }
            Ok(request) => request,
            Err(error) => {
                send(&Reply::Refused(error.to_string()));
                continue;
            }
        };
        send(&Reply::Accepted);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| answer(jobs, &mut session, &held, frames, request)));
        send(&outcome.unwrap_or_else(|payload| Reply::Panicked(panic_text(payload.as_ref()))));
    }
}

fn send(reply: &Reply) {
    if let Err(error) = wire::write_blocking(&mut io::stdout().lock(), reply) {
        report(&format!("cannot answer: {error}"));
        // The parent waits for this answer or is gone; either way this process is of no more use.
        std::process::abort();
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without text").to_owned()
}

fn answer(
    jobs: Jobs,
    session: &mut Option<Box<dyn Callable>>,
    held: &HeldFiles,
    frames: &Frames,
    request: Request<'_>,
) -> Reply {
    if !matches!(request, Request::Call(_) | Request::Begin) {
        // Whoever has something else to do needs the memory.
        *session = None;
    }
    match request {
        Request::Parse { path, bytes } => Reply::Parsed((jobs.parse)(path, bytes)),
        Request::Bundle(request) => match BundleRequest::try_from(&request) {
            Ok(request) => Reply::Bundled((jobs.bundle)(&request).map(Into::into).map_err(Into::into)),
            Err(error) => Reply::Refused(error.to_string()),
        },
        Request::Vendor(request) => {
            let output = (jobs.vendor)(&request).map_err(|fault| WireFault::from(&fault));
            let mirror = |output: VendorOutput| WireVendorOutput {
                files: output.files.into_iter().map(|file| (file.path, file.code.to_string())).collect(),
                shared_imports: output.shared_imports,
                names: output.names,
                shared_names: output.shared_names,
            };
            Reply::Vendored(output.map(mirror))
        }
        Request::Inspect { bundle, export_names, subject, limits } => {
            let bundle = match bundle.with(held) {
                Ok(bundle) => bundle,
                Err(error) => return Reply::Refused(error.to_string()),
            };
            let request = wire::inspect_request(bundle, &export_names, subject);
            let outcome = (jobs.inspect)(&request, &to_limits(limits));
            Reply::Inspected(
                outcome.map(|inspection| WireInspection::from(&inspection)).map_err(|fault| WireFault::from(&fault)),
            )
        }
        Request::Open { bundle, export_name, subject, grantee, root_address, has_network, limits } => {
            let bundle = match bundle.with(held) {
                Ok(bundle) => bundle,
                Err(error) => return Reply::Refused(error.to_string()),
            };
            let request = OpenRequest {
                bundle,
                export_name: export_name.to_owned(),
                subject: subject.to_owned(),
                // The choice of an engine is made.
                requirements: Vec::new(),
                grantee: grantee.into(),
                root_directory: root_address.and_then(|it| Url::parse(&it).ok()?.to_file_path().ok()),
                run: String::new(),
            };
            match (jobs.open)(&request, &to_limits(limits)) {
                Ok(mut opened) => {
                    let orders = has_network.then(|| WebOrders::new(|order| send(&Reply::Web(order))));
                    opened.connect(orders, frames.inbox.clone());
                    let frames = frames.clone();
                    opened.answer_at_once(HostFunction::new(move |call| frames.ask(call)));
                    *session = Some(opened);
                    Reply::Opened(Ok(()))
                }
                Err(error) => Reply::Opened(Err(error.into())),
            }
        }
        Request::Call(request) => match session {
            Some(session) => call(session.as_mut(), frames, request),
            None => Reply::Refused("a call without a session".to_owned()),
        },
        Request::Begin => Reply::Begun(session.as_mut().is_some_and(|session| session.begin())),
        Request::Close => {
            *session = None;
            Reply::Closed
        }
        Request::HostAnswer(_)
        | Request::Cancel
        | Request::WebEvent(..)
        | Request::Configure { .. }
        | Request::Hold { .. }
        | Request::LetGo => Reply::Refused("an answer to no question".to_owned()),
    }
}

fn call(session: &mut dyn Callable, frames: &Frames, request: WireCall) -> Reply {
    let request = match Call::try_from(request) {
        Ok(request) => request,
        Err(error) => return Reply::Refused(error.to_string()),
    };
    let outcome = session.call(&request, &mut |call| frames.ask(call));
    let is_at_rest = session.is_at_rest();
    Reply::Returned { outcome: outcome.map(|value| Value::from(&value)).map_err(WireRunError::from), is_at_rest }
}

/// A backstop behind the parent's watcher, for an allocation that is too large to be watched: twice the ceiling,
/// because it counts what is reserved (stacks of idle threads, say), not what is used. Best effort: where the
/// system refuses, the watcher remains.
fn limit_memory(ceiling_bytes: u64) {
    let limit = Some(ceiling_bytes.saturating_mul(2));
    let _ = setrlimit(Resource::Data, Rlimit { current: limit, maximum: limit });
    // A crash of the child is expected business; its memory is of no interest to anyone.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
