//! Calling what a bundle exports.

use std::sync::Arc;

use mangrove_domain::{
    failure::Fault,
    json::Json,
    permission::Permission,
    ports::{Call, Checked, HostCall, OpenRequest, RunError},
    problem::Code,
};
use mangrove_fs::json_text;
use rquickjs::{Ctx, Function, Object, Promise, Value, promise::PromiseState};
use url::Url;

use super::{
    inbox::Inbox,
    limits::Limits,
    machine::{Machine, Nature, Stop, Thrown, kit, text},
    modules::Vendors,
    natives::{HostFunction, Mode, NOWHERE, Request, locked},
    outcome,
    web::WebOrders,
};

/// A bundle loaded for calls. It keeps its engine, and whatever the module remembers, until it is dropped.
///
/// Calls need a thread with [`Limits::stack_bytes`] and about 1 MiB more of stack. Sleeping (`setTimeout`) blocks the
/// thread; whoever needs a limit of wall time ends the process that runs the session.
pub struct EngineSession {
    machine: Machine,
    subject: String,
    export_name: String,
    /// The limit that ended this session.
    ended_by: Option<Fault>,
}

/// The result of a call inside the engine.
enum Ended {
    Value(String),
    NoSuchFunction(String),
    /// What was checked, and the objections as JSON text.
    Rejected(Checked, String),
}

impl EngineSession {
    /// Evaluates a bundle with its real packages. What the engine lacks throws when it is used.
    ///
    /// # Errors
    /// [`RunError::Fault`] if the module throws while it loads, hits a limit, lacks the export, or needs a richer
    /// engine.
    pub fn open(request: &OpenRequest, limits: &Limits) -> Result<Self, RunError> {
        let root = request.root_directory.as_deref().and_then(|directory| Url::from_directory_path(directory).ok());
        let root = root.map_or_else(|| NOWHERE.to_owned(), String::from);
        let mode = Mode::Run { grantee: Arc::new(request.grantee.clone()), root };
        let machine = Machine::new(&request.bundle, Vendors::All, mode, limits).map_err(RunError::Fault)?;
        let has_export = machine.context.with(|context| -> Result<bool, Stop> {
            let namespace = machine.load(&context)?;
            let stop = |error| machine.stop(&context, error);
            if !namespace.contains_key(&*request.export_name).map_err(stop)? {
                return Ok(false);
            }
            let export: Value = namespace.get(&*request.export_name).map_err(stop)?;
            machine.keep(&context, export).map_err(stop)?;
            Ok(true)
        });
        match has_export {
            Ok(true) => Ok(Self {
                machine,
                subject: request.subject.clone(),
                export_name: request.export_name.clone(),
                ended_by: None,
            }),
            Ok(false) => Err(outcome::no_such_export(&request.subject, &request.export_name)),
            Err(stop) => Err(RunError::Fault(machine.fault(&request.subject, "while it loads", &stop))),
        }
    }

    /// From now on, this answers what code asks for without waiting, such as functions whose names end in `Sync`. It may be
    /// asked during a [`call`](Self::call), while its `host` is not.
    pub fn answer_at_once(&mut self, host: HostFunction) {
        locked(&self.machine.ledger).at_once = Some(host);
    }

    /// From now on, `fetch` gives its orders to `orders`, and calls find in `inbox` what became of them, and that they are to
    /// end. Without this, `fetch` is something that the engine lacks.
    pub fn connect(&mut self, orders: Option<WebOrders>, inbox: Inbox) {
        locked(&self.machine.ledger).web = orders;
        self.machine.inbox = inbox;
    }

    /// Calls a function below the export with what its schema makes of the arguments, and gives what it returns or
    /// resolves to. Functions keep their object as `this`. `host` answers the context's functions
    /// (`design/inspection.md` lists them); its errors reject the call of the context function.
    ///
    /// # Errors
    /// [`RunError::Rejected`] if a schema objects; [`RunError::Threw`] if the function throws or rejects; [`RunError::Fault`] if it is not there, hits a limit,
    /// or uses what this engine lacks. A limit of processor time, memory or jobs ends the session: what was going
    /// on cannot be taken out of the engine, and every later call gives the same fault.
    pub fn call(
        &mut self,
        request: &Call,
        host: &mut dyn FnMut(HostCall) -> Result<Json, String>,
    ) -> Result<Json, RunError> {
        if let Some(fault) = &self.ended_by {
            return Err(RunError::Fault(fault.clone()));
        }
        let machine = &self.machine;
        machine.watch.begin(machine.limits.cpu);
        locked(&machine.ledger).begin_call();
        let ended = machine.context.with(|engine| {
            let ended = call(machine, &engine, request, host);
            // What was said before a throw is heard, and what was written is kept.
            let _ = serve(machine, &engine, host, locked(&machine.ledger).take_requests());
            ended
        });
        let location = outcome::location_of(&self.export_name, request);
        let ended = self.outcome(&location, ended);
        for line in self.caught_refusals(ended.as_ref().err()) {
            // A line that cannot be logged is no reason to fail.
            let _ = host(line);
        }
        let lacked = self.take_lacked();
        if !lacked.is_empty() {
            // Whoever does not know the word has no other engine to choose.
            let _ = host(outcome::lacked(&lacked.lines().collect::<Vec<_>>()));
        }
        ended
    }

    /// What was missing during the call, one a line.
    fn take_lacked(&self) -> String {
        if self.ended_by.is_some() {
            return String::new();
        }
        let take = |context: Ctx<'_>| -> rquickjs::Result<String> {
            kit(&context)?.get::<_, Function>("takeLacked")?.call(())
        };
        self.machine.context.with(take).unwrap_or_default()
    }

    /// What the code was refused and went on without, as lines of the log.
    fn caught_refusals(&self, error: Option<&RunError>) -> Vec<HostCall> {
        let hosts = std::mem::take(&mut locked(&self.machine.ledger).refused_hosts);
        let grantee = self.machine.grantee();
        let denied = |host: &String| Some(grantee?.denied(&self.subject, Permission::Net, Some(host)));
        let faults: Vec<Fault> = hosts.iter().filter_map(denied).collect();
        outcome::caught_refusals(&faults, error)
    }

    fn outcome(&mut self, location: &str, ended: Result<Ended, Stop>) -> Result<Json, RunError> {
        match ended {
            Ok(Ended::Value(text)) => outcome::value(&self.subject, location, &text),
            Ok(Ended::NoSuchFunction(found)) => Err(outcome::no_such_function(&self.subject, location, &found)),
            Ok(Ended::Rejected(checked, issues)) => Err(outcome::rejected(checked, &issues)),
            Err(stop) => {
                let error = self.error(location, stop);
                if let RunError::Fault(fault) = &error
                    && [Code::CPU_LIMIT, Code::MEMORY_LIMIT, Code::JOB_LIMIT].contains(&fault.code)
                {
                    self.ended_by = Some(fault.clone());
                }
                Err(error)
            }
        }
    }

    /// True if nothing is left of the calls so far that could go on beside further ones: no timer, no continuation, nothing that
    /// was asked for.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.ended_by.is_none() && self.machine.is_at_rest()
    }

    /// Begins another session with what the module remembers: what was made for the calls of the one before is made anew. False
    /// if that is not possible.
    pub fn begin(&mut self) -> bool {
        self.machine.watch.begin(self.machine.limits.cpu);
        self.ended_by.is_none() && self.machine.forget()
    }

    fn error(&self, location: &str, stop: Stop) -> RunError {
        let doing = format!("in {location}");
        match stop {
            Stop::Stuck => outcome::stuck(location),
            Stop::Threw(Thrown { message, place, nature: Nature::Own }) if !self.machine.is_full() => {
                RunError::Threw { message, stack: place }
            }
            other => RunError::Fault(self.machine.fault(&self.subject, &doing, &other)),
        }
    }
}

fn call(
    machine: &Machine,
    context: &Ctx<'_>,
    request: &Call,
    host: &mut dyn FnMut(HostCall) -> Result<Json, String>,
) -> Result<Ended, Stop> {
    let stop = |error| machine.stop(context, error);
    let kit = kit(context).map_err(stop)?;
    let mut parent = Value::new_undefined(context.clone());
    let mut target: Value = machine.kept(context).map_err(stop)?;
    for segment in &request.path {
        let Some(object) = target.as_object() else {
            return Ok(Ended::NoSuchFunction(target.type_name().to_owned()));
        };
        let member = object.get::<_, Value>(segment.as_str()).map_err(stop)?;
        parent = std::mem::replace(&mut target, member);
    }
    let Some(function) = target.as_function() else {
        return Ok(Ended::NoSuchFunction(target.type_name().to_owned()));
    };
    let start: Function = kit.get("start").map_err(stop)?;
    let schema = below(machine, context, &request.schema)?;
    let global_schema = below(machine, context, &request.global_schema)?;
    let (arguments, data) = (request.arguments.to_string(), request.context.to_string());
    let takes = outcome::takes(&request.takes).to_string();
    let promise: Promise =
        start.call((function.clone(), parent, arguments, data, schema, global_schema, takes)).map_err(stop)?;
    machine.drive(context, &kit, &promise, &mut |requests| serve(machine, context, host, requests))?;
    // Work that the function began and did not wait for ends with it: as far as it gets without sleeping, and without what
    // others would answer.
    finish(machine, context, &kit, host)?;
    let is_rejected = promise.state() == PromiseState::Rejected;
    let uncaught = if is_rejected { Ok(()) } else { machine.fail_by_uncaught(context, &kit) };
    // What follows from giving up its requests is our doing: an error that nobody catches there fails no call.
    machine.end_requests(context, &kit)?;
    finish(machine, context, &kit, host)?;
    machine.end_requests(context, &kit)?;
    uncaught?;
    match promise.result::<Value>() {
        Some(Ok(value)) => match value.as_object().filter(|_| text(&kit, &value).is_none()) {
            Some(rejection) => rejected(&kit, rejection).map_err(stop),
            None => Ok(Ended::Value(text(&kit, &value).unwrap_or_else(|| "null".to_owned()))),
        },
        Some(Err(error)) => Err(stop(error)),
        None => Err(Stop::Stuck),
    }
}

/// Runs what is left and needs no sleep, and lets the host answer what it asks for.
fn finish<'js>(
    machine: &Machine,
    context: &Ctx<'js>,
    kit: &Object<'js>,
    host: &mut dyn FnMut(HostCall) -> Result<Json, String>,
) -> Result<(), Stop> {
    let mut jobs = 0;
    loop {
        let requests = locked(&machine.ledger).take_requests();
        let served = serve(machine, context, host, requests)?;
        if !machine.run_ready(context, kit, &mut jobs)? && !served {
            return Ok(());
        }
    }
}

/// The value at a path below the export; `undefined` if the path is empty or leads nowhere.
fn below<'js>(machine: &Machine, context: &Ctx<'js>, path: &[String]) -> Result<Value<'js>, Stop> {
    let stop = |error| machine.stop(context, error);
    let nothing = Value::new_undefined(context.clone());
    if path.is_empty() {
        return Ok(nothing);
    }
    let mut value: Value = machine.kept(context).map_err(stop)?;
    for segment in path {
        let Some(object) = value.as_object() else { return Ok(nothing) };
        value = object.get::<_, Value>(segment.as_str()).map_err(stop)?;
    }
    Ok(value)
}

/// What `start` of the kit gives if a schema objects.
fn rejected<'js>(kit: &Object<'js>, rejection: &Object<'js>) -> rquickjs::Result<Ended> {
    let member = |name: &str| rejection.get::<_, Value>(name).map(|value| text(kit, &value).unwrap_or_default());
    let absent = member("absent")?;
    if !absent.is_empty() {
        return Ok(Ended::NoSuchFunction(absent));
    }
    let checked = if member("checked")? == "globalArguments" { Checked::GlobalArguments } else { Checked::Arguments };
    Ok(Ended::Rejected(checked, member("issues")?))
}

/// Lets the host answer what waits for it. True if there was anything.
fn serve(
    machine: &Machine,
    context: &Ctx<'_>,
    host: &mut dyn FnMut(HostCall) -> Result<Json, String>,
    requests: Vec<Request>,
) -> Result<bool, Stop> {
    let stop = |error| machine.stop(context, error);
    let served = !requests.is_empty();
    for request in requests {
        let answer = match json_text::parse(&request.arguments) {
            Ok(Json::Array(arguments)) => host(HostCall { function: request.function, arguments }),
            Ok(_) => Err("the arguments are not a list".to_owned()),
            Err(error) => Err(format!("the arguments cannot be used: {error}")),
        };
        if request.id == 0 {
            continue;
        }
        let settle: Function = kit(context).and_then(|kit| kit.get("settle")).map_err(stop)?;
        let (succeeded, text) = match answer {
            Ok(value) => (true, value.to_string()),
            Err(message) => (false, message),
        };
        settle.call::<_, ()>((request.id, succeeded, text)).map_err(stop)?;
    }
    Ok(served)
}
