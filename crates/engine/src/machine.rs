//! One runtime with one bundle in it: set up, load, run jobs, and tell why something stopped.

use std::sync::{Arc, Mutex};

use mangrove_domain::{
    bundle::LoadedBundle,
    failure::Fault,
    permission::{Grantee, Permission},
    problem::Code,
};
use rquickjs::{
    CatchResultExt, Context, Ctx, Error, Function, Object, Promise, Result, Runtime, Value, promise::PromiseState,
};

use super::{
    callees::Callees,
    inbox::Inbox,
    limits::{Limits, Watch},
    modules::{ENTRY, Lookup, Modules, Vendors, declare},
    natives::{Ledger, Mode, Request, host_object, locked, now_millis},
    positions::Positions,
    web_natives,
};

/// How much of a thrown message is kept, in characters.
const MESSAGE_CHARACTERS: usize = 2000;
/// An inspection looks for garbage from this share of its memory on.
const COLLECT_FROM_SHARE: u64 = 8;
/// From this share of its memory on, in eighths, a failed module is taken to have failed for want of memory.
const FULL_EIGHTHS: u64 = 7;

/// A runtime for one bundle. Dropped with everything in it.
pub(super) struct Machine {
    pub(super) context: Context,
    runtime: Runtime,
    pub(super) watch: Arc<Watch>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) modules: Arc<Modules>,
    pub(super) limits: Limits,
    pub(super) mode: Mode,
    /// What arrives from outside while a call is under way.
    pub(super) inbox: Inbox,
}

/// Why code stopped without a value.
#[derive(Debug)]
pub(super) enum Stop {
    /// It used up its processor time.
    Cpu,
    /// It ran too many jobs.
    Jobs,
    /// It waits for something that cannot come.
    Stuck,
    /// What it exports is more than is looked at.
    TooLarge(String),
    /// It threw.
    Threw(Thrown),
    /// The engine could not be asked.
    Engine(String),
}

/// What was thrown, read within the limits.
#[derive(Debug)]
pub(super) struct Thrown {
    /// Name and message.
    pub(super) message: String,
    /// The first line of the stack.
    pub(super) place: Option<String>,
    /// What it really is.
    pub(super) nature: Nature,
}

/// What a thrown value really is.
#[derive(Debug)]
pub(super) enum Nature {
    /// The extension's own error.
    Own,
    /// The engine ran out of memory.
    Memory,
    /// `null`: the engine ran out of memory and could not even make an error of it, or the extension threw `null`.
    Null,
    /// The engine ran out of stack.
    Stack,
    /// Something that this engine lacks was used.
    Requirement(String),
    /// Something of this permission was reached for that is not granted; all of it if there is no name.
    Denied(Permission, Option<String>),
}

impl Machine {
    /// A runtime with the prelude in it; nothing of the bundle has run.
    pub(super) fn new(
        bundle: &LoadedBundle,
        vendors: Vendors,
        mode: Mode,
        limits: &Limits,
    ) -> std::result::Result<Self, Fault> {
        let broken = |error: &Error| {
            Fault::environment(
                Code::MEMORY_LIMIT,
                "engine",
                format!("the JavaScript engine cannot be started: {error}"),
            )
        };
        let runtime = Runtime::new().map_err(|error| broken(&error))?;
        runtime.set_memory_limit(usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX));
        runtime.set_max_stack_size(limits.stack_bytes);
        if mode == Mode::Inspect {
            // What an inspection makes is dropped as a whole soon: looking for cycles early is lost time.
            let threshold = limits.memory_bytes / COLLECT_FROM_SHARE;
            runtime.set_gc_threshold(usize::try_from(threshold).unwrap_or(usize::MAX));
        }
        let watch = Arc::new(Watch::new());
        watch.begin(limits.cpu);
        let handler = watch.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || handler.check())));
        let modules = Arc::new(Modules::new(bundle, vendors));
        runtime.set_loader(Lookup(modules.clone()), Lookup(modules.clone()));
        let context = Context::full(&runtime).map_err(|error| broken(&error))?;
        runtime.set_host_promise_rejection_tracker(Some(Box::new(note_rejection)));
        let ledger = Ledger::new();
        context
            .with(|context| {
                install(&context, &mode, &ledger, &modules).catch(&context).map_err(|error| error.to_string())
            })
            .map_err(|error| {
                Fault::environment(
                    Code::MEMORY_LIMIT,
                    "engine",
                    format!("the JavaScript engine cannot be prepared: {error}"),
                )
            })?;
        Ok(Self { context, runtime, watch, ledger, modules, limits: limits.clone(), mode, inbox: Inbox::default() })
    }

    /// On whose behalf it runs.
    pub(super) fn grantee(&self) -> Option<&Grantee> {
        self.mode.grantee().map(Arc::as_ref)
    }

    /// Keeps a value until the machine is dropped.
    #[expect(clippy::unused_self, reason = "it is this machine's context")]
    pub(super) fn keep<'js>(&self, context: &Ctx<'js>, value: Value<'js>) -> Result<()> {
        context.store_userdata(value).map(|_| ()).map_err(|_| Error::Unknown)
    }

    /// The value that was kept.
    #[expect(clippy::unused_self, reason = "it is this machine's context")]
    pub(super) fn kept<'js>(&self, context: &Ctx<'js>) -> Result<Value<'js>> {
        context.userdata::<Value>().map(|value| value.clone()).ok_or(Error::Unknown)
    }

    /// True if its memory is about used up. Not inside the engine: it takes the engine's lock.
    pub(super) fn is_full(&self) -> bool {
        let used = u64::try_from(self.runtime.memory_usage().malloc_size).unwrap_or_default();
        used >= self.limits.memory_bytes / 8 * FULL_EIGHTHS
    }

    /// True if no job, no tick, no timer and no request waits for anything. Not inside the engine: it takes the engine's lock.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_idle = |context: Ctx<'_>| -> Result<bool> {
            let kit = kit(&context)?;
            let due: Option<f64> = kit.get::<_, Function>("nextTimer")?.call(())?;
            let has_ticks: bool = kit.get::<_, Function>("hasTicks")?.call(())?;
            Ok(due.is_none() && !has_ticks)
        };
        !self.runtime.is_job_pending()
            && locked(&self.ledger).requests.is_empty()
            && self.context.with(is_idle).is_ok_and(|is_idle| is_idle)
    }

    /// Forgets what was made for calls, such as providers. False if the engine does not. Not inside the engine.
    pub(super) fn forget(&self) -> bool {
        let forget = |context: Ctx<'_>| -> Result<()> { kit(&context)?.get::<_, Function>("forget")?.call(()) };
        self.context.with(forget).is_ok()
    }

    /// Evaluates the bundle, once, and gives its exports.
    pub(super) fn load<'js>(&self, context: &Ctx<'js>) -> std::result::Result<Object<'js>, Stop> {
        let kit = kit(context).map_err(|error| self.stop(context, error))?;
        let module = declare(context, ENTRY, self.modules.entry_code()).map_err(|error| self.stop(context, error))?;
        let (module, promise) = module.eval().map_err(|error| self.stop(context, error))?;
        self.drive(context, &kit, &promise, &mut |_| Ok(false))?;
        match promise.result::<Value>() {
            Some(Ok(_)) | None => {
                // What follows at once from what it began belongs to it.
                self.run_ready(context, &kit, &mut 0)?;
                self.fail_by_uncaught(context, &kit)?;
                module.namespace().map_err(|error| self.stop(context, error))
            }
            Some(Err(error)) => Err(self.stop(context, error)),
        }
    }

    /// Runs jobs until a promise is settled. `answer` serves what waits for the host and says whether it did
    /// anything. Timers run when nothing else is left: in a run after sleeping, in an inspection at once, by moving
    /// its clock. What arrives for requests is passed on before that.
    pub(super) fn drive<'js>(
        &self,
        context: &Ctx<'js>,
        kit: &Object<'js>,
        promise: &Promise<'js>,
        answer: &mut dyn FnMut(Vec<Request>) -> std::result::Result<bool, Stop>,
    ) -> std::result::Result<(), Stop> {
        let expect: Result<()> = kit.get::<_, Function>("expected").and_then(|expect| expect.call((promise.clone(),)));
        expect.map_err(|error| self.stop(context, error))?;
        let mut jobs = 0;
        while promise.state() == PromiseState::Pending {
            self.tell_cancelled(context, kit)?;
            if self.run_jobs(context, &mut jobs, Some(promise))? {
                continue;
            }
            // A tick may handle what was rejected before it.
            if self.run_ticks(context, kit, &mut jobs)? {
                continue;
            }
            self.fail_by_uncaught(context, kit)?;
            let requests = locked(&self.ledger).take_requests();
            if answer(requests)? || self.pass_event(context, kit)? {
                continue;
            }
            if !self.wait(context, kit, &mut jobs)? {
                return Err(Stop::Stuck);
            }
        }
        if self.watch.is_spent() { Err(Stop::Cpu) } else { Ok(()) }
    }

    /// Tells the code that its call is to end, if somebody said so. True if it did.
    fn tell_cancelled<'js>(&self, context: &Ctx<'js>, kit: &Object<'js>) -> std::result::Result<bool, Stop> {
        if !self.inbox.take_end() {
            return Ok(false);
        }
        let abort: Function = kit.get("abort").map_err(|error| self.stop(context, error))?;
        abort.call::<_, ()>(()).map_err(|error| self.stop(context, error))?;
        if self.watch.is_spent() { Err(Stop::Cpu) } else { Ok(true) }
    }

    /// Runs what code left for the next tick. True if there was anything.
    fn run_ticks<'js>(&self, context: &Ctx<'js>, kit: &Object<'js>, jobs: &mut u32) -> std::result::Result<bool, Stop> {
        self.count_job(jobs)?;
        let ran: Result<bool> = kit.get::<_, Function>("runTicks").and_then(|run| run.call(()));
        ran.map_err(|error| self.stop(context, error))
    }

    /// Fails if there is an error that nobody caught: in Deno it ends the process. An inspection that met stand-ins may owe
    /// it to them, and goes on.
    pub(super) fn fail_by_uncaught<'js>(&self, context: &Ctx<'js>, kit: &Object<'js>) -> std::result::Result<(), Stop> {
        let take: Result<Option<Object>> = kit.get::<_, Function>("takeUncaught").and_then(|take| take.call(()));
        let Some(uncaught) = take.map_err(|error| self.stop(context, error))? else { return Ok(()) };
        let ledger = locked(&self.ledger);
        if self.mode == Mode::Inspect && (ledger.engine_was_opaque || ledger.package_was_used) {
            return Ok(());
        }
        drop(ledger);
        let member = |name: &str| uncaught.get::<_, Value>(name).map_err(|error| self.stop(context, error));
        let told = text(kit, &member("told")?).unwrap_or_default();
        Err(match self.describe(context, &member("error")?) {
            Stop::Threw(thrown) => Stop::Threw(Thrown { message: format!("{told}: {}", thrown.message), ..thrown }),
            other => other,
        })
    }

    /// Runs what is ready. True if anything was.
    fn run_jobs<'js>(
        &self,
        context: &Ctx<'js>,
        jobs: &mut u32,
        until: Option<&Promise<'js>>,
    ) -> std::result::Result<bool, Stop> {
        let mut ran = false;
        while until.is_none_or(|promise| promise.state() == PromiseState::Pending) && context.execute_pending_job() {
            ran = true;
            self.count_job(jobs)?;
        }
        Ok(ran)
    }

    /// Runs what is ready and what was left for the next tick, until there is neither. True if there was anything.
    pub(super) fn run_ready<'js>(
        &self,
        context: &Ctx<'js>,
        kit: &Object<'js>,
        jobs: &mut u32,
    ) -> std::result::Result<bool, Stop> {
        let mut ran = false;
        while self.run_jobs(context, jobs, None)? || self.run_ticks(context, kit, jobs)? {
            ran = true;
        }
        Ok(ran)
    }

    fn count_job(&self, jobs: &mut u32) -> std::result::Result<(), Stop> {
        *jobs += 1;
        if self.watch.is_spent() || (jobs.is_multiple_of(64) && self.watch.check()) {
            return Err(Stop::Cpu);
        }
        if *jobs > self.limits.pending_jobs { Err(Stop::Jobs) } else { Ok(()) }
    }

    /// Passes on what became of a request. True if there was anything.
    fn pass_event<'js>(&self, context: &Ctx<'js>, kit: &Object<'js>) -> std::result::Result<bool, Stop> {
        let Some((number, event)) = self.inbox.take_event() else { return Ok(false) };
        web_natives::tell(context, kit, &self.ledger, number, event).map_err(|error| self.stop(context, error))?;
        Ok(true)
    }

    /// Gives up the requests that are under way.
    pub(super) fn end_requests<'js>(&self, context: &Ctx<'js>, kit: &Object<'js>) -> std::result::Result<(), Stop> {
        let ended: Result<()> = kit.get::<_, Function>("endWeb").and_then(|end| end.call(()));
        ended.map_err(|error| self.stop(context, error))
    }

    /// Waits for the earliest timer and runs it, unless something arrives before. False if nothing is to come.
    fn wait<'js>(&self, context: &Ctx<'js>, kit: &Object<'js>, jobs: &mut u32) -> std::result::Result<bool, Stop> {
        let ask = |name: &str| kit.get::<_, Function>(name).map_err(|error| self.stop(context, error));
        let due: Option<f64> = ask("nextTimer")?.call(()).map_err(|error| self.stop(context, error))?;
        let is_awaited = !locked(&self.ledger).awaited_requests.is_empty();
        match (&self.mode, due) {
            (Mode::Run { .. }, None) if is_awaited => {
                self.inbox.wait(None);
                return Ok(true);
            }
            (_, None) => return Ok(false),
            (Mode::Inspect, Some(due)) => locked(&self.ledger).advance_clock(due),
            (Mode::Run { .. }, Some(due)) => {
                let wait = (due - now_millis()).clamp(0.0, f64::from(u32::MAX));
                if self.inbox.wait(Some(std::time::Duration::from_secs_f64(wait / 1000.0))) {
                    return Ok(true);
                }
            }
        }
        self.count_job(jobs)?;
        ask("runTimer")?.call::<_, ()>(()).map_err(|error| self.stop(context, error))?;
        if self.watch.is_spent() { Err(Stop::Cpu) } else { Ok(true) }
    }

    /// Why an engine operation failed.
    pub(super) fn stop(&self, context: &Ctx<'_>, error: Error) -> Stop {
        if self.watch.is_spent() {
            context.catch();
            return Stop::Cpu;
        }
        match error {
            Error::Exception => {
                let thrown = context.catch();
                self.describe(context, &thrown)
            }
            Error::Allocation => {
                Stop::Threw(Thrown { message: "out of memory".to_owned(), place: None, nature: Nature::Memory })
            }
            other => Stop::Engine(other.to_string()),
        }
    }

    /// Reads a thrown value. Its members may be getters that throw or never end: they run within the limits.
    pub(super) fn describe<'js>(&self, context: &Ctx<'js>, thrown: &Value<'js>) -> Stop {
        let kit = match kit(context) {
            Ok(kit) => kit,
            Err(error) => return Stop::Engine(error.to_string()),
        };
        let member = |name: &str| -> Option<String> {
            let Ok(value) = thrown.as_object()?.get::<_, Value>(name) else {
                context.catch();
                return None;
            };
            text(&kit, &value)
        };
        let ask = |question: &str| -> Option<String> {
            let answer =
                kit.get::<_, Function>(question).and_then(|ask| ask.call::<_, Option<String>>((thrown.clone(),)));
            answer.unwrap_or_else(|_| {
                context.catch();
                None
            })
        };
        let message = if thrown.is_object() {
            match (member("name"), member("message")) {
                (Some(name), Some(message)) if !message.is_empty() => format!("{name}: {message}"),
                (_, Some(message)) if !message.is_empty() => message,
                (Some(name), _) => name,
                (None, _) => "a value that is not an error".to_owned(),
            }
        } else if let Some(text) = text(&kit, thrown) {
            text
        } else if let Some(number) = thrown.as_number() {
            number.to_string()
        } else if let Some(value) = thrown.as_bool() {
            value.to_string()
        } else {
            thrown.type_name().to_owned()
        };
        let message = format!("{message}{}", ask("ledTo").unwrap_or_default());
        let place = member("stack").and_then(|stack| {
            // Frames of the prelude say nothing to an author.
            let is_theirs = |line: &&str| line.starts_with("at ") && !line.contains("mangrove:");
            let line = stack.lines().map(str::trim).find(is_theirs)?;
            Some(shortened(line))
        });
        let nature = match ask("limitBehind").as_deref() {
            Some("memory") => Nature::Memory,
            Some(_) => Nature::Stack,
            None if thrown.is_null() => Nature::Null,
            None => match (ask("requirementOf"), ask("denialOf")) {
                (Some(label), _) => Nature::Requirement(label),
                (None, Some(denial)) => denied(&denial),
                (None, None) => Nature::Own,
            },
        };
        if self.watch.is_spent() {
            return Stop::Cpu;
        }
        Stop::Threw(Thrown { message: shortened(&message), place, nature })
    }
}

/// Notes that a promise was rejected without a handler, or got one afterwards.
#[expect(clippy::needless_pass_by_value, reason = "the engine passes them so")]
fn note_rejection<'js>(context: Ctx<'js>, promise: Value<'js>, reason: Value<'js>, is_handled: bool) {
    let noted: Result<()> =
        kit(&context).and_then(|kit| kit.get::<_, Function>("rejected")?.call((promise, reason, is_handled)));
    if noted.is_err() {
        // Before the kit is there nothing is rejected; beyond a limit, the limit is what ends the call.
        context.catch();
    }
}

/// What `denialOf` of the kit says: a permission, a colon, and the name or nothing.
fn denied(denial: &str) -> Nature {
    let named = denial.split_once(':').and_then(|(permission, name)| Some((Permission::parse(permission)?, name)));
    named.map_or(Nature::Own, |(permission, name)| {
        Nature::Denied(permission, Some(name.to_owned()).filter(|name| !name.is_empty()))
    })
}

/// Evaluates the prelude and keeps its kit where only the host finds it.
fn install(context: &Ctx<'_>, mode: &Mode, ledger: &Arc<Mutex<Ledger>>, modules: &Arc<Modules>) -> Result<()> {
    let host = host_object(context, mode, ledger)?;
    let positions = Positions::of(modules.entry_code().clone());
    let source =
        move |file: String, line: u32, column: u32| (file == ENTRY).then(|| positions.source(line, column)).flatten();
    host.set("sourcePlace", Function::new(context.clone(), source)?)?;
    let (callees, modules) = (Callees::default(), Arc::clone(modules));
    let callee =
        move |file: String, line: u32, column: u32| callees.at(&file, line, column, || modules.text_of_author(&file));
    host.set("calleeAt", Function::new(context.clone(), callee)?)?;
    web_natives::add(context, &host, ledger)?;
    context.globals().set("__mangroveHost", host)?;
    let (module, promise) = Lookup::kit(context)?.eval()?;
    promise.finish::<()>()?;
    let namespace = module.namespace()?;
    context.store_userdata(namespace).map_err(|_| Error::Unknown)?;
    Ok(())
}

/// The kit of this context.
pub(super) fn kit<'js>(context: &Ctx<'js>) -> Result<Object<'js>> {
    context.userdata::<Object>().map(|kit| kit.clone()).ok_or(Error::Unknown)
}

/// A string of the engine's as text; lone surrogates are replaced. `None` for other values.
pub(super) fn text<'js>(kit: &Object<'js>, value: &Value<'js>) -> Option<String> {
    let string = value.as_string()?;
    string.to_string().ok().or_else(|| {
        let repaired = kit.get::<_, Function>("wellFormed").and_then(|repair| repair.call((string.clone(),)));
        repaired.ok()
    })
}

/// At most [`MESSAGE_CHARACTERS`] of a text.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
