//! What the prelude asks of the host: text, URLs, randomness, time, and a place to note things down.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use mangrove_domain::{
    digest::Digest,
    json::Json,
    permission::{CHOOSING_VARIABLES, Grantee, Permission},
    ports::HostCall,
};
use mangrove_fs::json_text;
use rquickjs::{Ctx, Exception, Function, Object, Result, TypedArray};
use url::{Url, form_urlencoded, quirks};

use super::{builtin_modules, encodings, languages, web::WebOrders};

/// Whether modules are looked at or run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Stand-ins are inert; clock and randomness are fixed; no environment variable is set.
    Inspect,
    /// Stand-ins throw; clock and randomness are real; environment variables are those of the grantee.
    Run {
        /// On whose behalf.
        grantee: Arc<Grantee>,
        /// The address of the directory that its root is, with a slash at its end.
        root: String,
    },
}

/// Where sources lie for whoever is not told.
pub(super) const NOWHERE: &str = "file:///";

impl Mode {
    /// On whose behalf code runs.
    pub(super) fn grantee(&self) -> Option<&Arc<Grantee>> {
        match self {
            Self::Inspect => None,
            Self::Run { grantee, .. } => Some(grantee),
        }
    }

    /// Where the paths of its sources begin.
    fn root(&self) -> &str {
        match self {
            // What is found out of a bundle counts wherever its sources lie.
            Self::Inspect => NOWHERE,
            Self::Run { root, .. } => root,
        }
    }
}

/// What extension code may queue before the host looks at it, in bytes.
const REQUEST_BYTES: usize = 64 * 1024 * 1024;
/// The first instant of the inspector's clock: 2026-01-01T00:00:00Z.
const INSPECTION_START_MILLIS: u32 = 1_767_225_600;

/// What the engine noted down while code ran.
#[derive(Debug)]
pub(super) struct Ledger {
    /// What only a richer engine has and was used.
    pub(super) touched: BTreeSet<String>,
    /// A stand-in of the engine gave a value that the real thing would not have given.
    pub(super) engine_was_opaque: bool,
    /// What gave something else than in a richer engine while the module loaded.
    pub(super) approximated: BTreeSet<String>,
    /// A package's stand-in was used at all.
    pub(super) package_was_used: bool,
    /// A package's stand-in was turned into text, spread or enumerated: it may have left traces in the export.
    pub(super) package_leaked: bool,
    /// Calls of context functions that wait for the host, oldest first.
    pub(super) requests: Vec<Request>,
    request_bytes: usize,
    /// Answers calls that do not wait for a job to end.
    pub(super) at_once: Option<HostFunction>,
    /// Takes the orders of `fetch`; nobody does while a module loads.
    pub(super) web: Option<WebOrders>,
    /// The numbers of the requests of which something is to arrive.
    pub(super) awaited_requests: BTreeSet<u32>,
    /// The hosts with their ports that were refused since the call began.
    pub(super) refused_hosts: Vec<String>,
    randomness: u64,
    clock_millis: f64,
}

/// A call of a context function.
#[derive(Debug)]
pub(super) struct Request {
    /// What to settle with the answer; 0 if nobody waits for one.
    pub(super) id: u32,
    /// The function.
    pub(super) function: String,
    /// Its arguments, a JSON array.
    pub(super) arguments: String,
}

/// Answers calls of context functions from inside of one.
#[derive(Clone)]
pub struct HostFunction(Arc<dyn Fn(HostCall) -> std::result::Result<Json, String> + Send + Sync>);

impl HostFunction {
    /// A host that answers by this.
    pub fn new(answer: impl Fn(HostCall) -> std::result::Result<Json, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }

    /// The answer to a call whose arguments are JSON text.
    fn answer(&self, function: String, arguments: &str) -> std::result::Result<Json, String> {
        match json_text::parse(arguments) {
            Ok(Json::Array(arguments)) => (self.0)(HostCall { function, arguments }),
            Ok(_) => Err("the arguments are not a list".to_owned()),
            Err(error) => Err(format!("the arguments cannot be used: {error}")),
        }
    }
}

impl std::fmt::Debug for HostFunction {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("HostFunction")
    }
}

impl Ledger {
    pub(super) fn new() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            touched: BTreeSet::new(),
            engine_was_opaque: false,
            approximated: BTreeSet::new(),
            package_was_used: false,
            package_leaked: false,
            requests: Vec::new(),
            request_bytes: 0,
            at_once: None,
            web: None,
            awaited_requests: BTreeSet::new(),
            refused_hosts: Vec::new(),
            randomness: 0x9E37_79B9_7F4A_7C15,
            clock_millis: f64::from(INSPECTION_START_MILLIS) * 1000.0,
        }))
    }

    /// Takes what waits for the host.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        self.request_bytes = 0;
        std::mem::take(&mut self.requests)
    }

    /// Takes the calls that nobody waits for, if nothing that somebody waits for was queued before them.
    fn take_unawaited(&mut self) -> Vec<Request> {
        let awaited = self.requests.iter().position(|request| request.id != 0).unwrap_or(self.requests.len());
        self.requests.drain(..awaited).collect()
    }

    /// Another call begins.
    pub(super) fn begin_call(&mut self) {
        self.awaited_requests.clear();
        self.refused_hosts.clear();
    }

    /// Moves the inspector's clock on to an instant.
    pub(super) fn advance_clock(&mut self, millis: f64) {
        self.clock_millis = self.clock_millis.max(millis);
    }
}

/// The ledger, also after a panic elsewhere: it holds plain data.
pub(super) fn locked(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the clock of the code that runs")]
pub(super) fn now_millis() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64() * 1000.0)
}

/// The object that the prelude finds as `__mangroveHost` and removes.
pub(super) fn host_object<'js>(context: &Ctx<'js>, mode: &Mode, ledger: &Arc<Mutex<Ledger>>) -> Result<Object<'js>> {
    let host = Object::new(context.clone())?;
    let is_inspection = *mode == Mode::Inspect;
    if let Some(grantee) = mode.grantee() {
        add_variables(context, &host, grantee)?;
    }
    host.set("inspecting", is_inspection)?;
    host.set("root", mode.root())?;
    let is_built_in = |name: String| builtin_modules::is_built_in(&name);
    host.set("isBuiltIn", Function::new(context.clone(), is_built_in)?)?;
    add_notes(context, &host, ledger)?;
    add_text(context, &host)?;
    languages::add(context, &host, mode.grantee().map(Arc::as_ref))?;
    add_urls(context, &host)?;

    let clock = ledger.clone();
    let now = move || {
        if !is_inspection {
            return now_millis();
        }
        let mut ledger = locked(&clock);
        ledger.clock_millis += 1.0;
        ledger.clock_millis
    };
    host.set("start", now())?;
    host.set("now", Function::new(context.clone(), now)?)?;

    let random = ledger.clone();
    let random_bytes = move |context: Ctx<'js>, count: u32| -> Result<TypedArray<'js, u8>> {
        let count = usize::try_from(count.min(65_536)).unwrap_or_default();
        let bytes =
            if is_inspection { fixed_bytes(&mut locked(&random).randomness, count) } else { random_bytes(count) };
        TypedArray::new(context, bytes)
    };
    host.set("randomBytes", Function::new(context.clone(), random_bytes)?)?;
    let chooses = |name: String| CHOOSING_VARIABLES.contains(&name.as_str());
    host.set("isChoosingVariable", Function::new(context.clone(), chooses)?)?;
    let has_function = |owner: String, name: String| builtin_modules::has_function(&owner, &name);
    host.set("hasFunction", Function::new(context.clone(), has_function)?)?;
    Ok(host)
}

fn add_variables<'js>(context: &Ctx<'js>, host: &Object<'js>, grantee: &Grantee) -> Result<()> {
    let grant = grantee.grants.get(&Permission::Env).cloned();
    let may_read = move |name: String| grant.as_ref().is_some_and(|grant| grant.names(&name));
    host.set("mayReadVariable", Function::new(context.clone(), may_read)?)?;
    let names: Vec<String> = grantee.variables.keys().cloned().collect();
    host.set("variableNames", Function::new(context.clone(), move || names.clone())?)?;
    let variables = grantee.variables.clone();
    host.set("variable", Function::new(context.clone(), move |name: String| variables.get(&name).cloned())?)
}

fn add_notes<'js>(context: &Ctx<'js>, host: &Object<'js>, ledger: &Arc<Mutex<Ledger>>) -> Result<()> {
    let notes = ledger.clone();
    host.set(
        "touched",
        Function::new(context.clone(), move |label: String| {
            let mut ledger = locked(&notes);
            if ledger.touched.len() < 1000 {
                ledger.touched.insert(label);
            }
        })?,
    )?;
    let notes = ledger.clone();
    let approximated = move |label: String| {
        let mut ledger = locked(&notes);
        ledger.touched.insert(label.clone());
        ledger.approximated.insert(label);
    };
    host.set("approximated", Function::new(context.clone(), approximated)?)?;
    let notes = ledger.clone();
    let opaque = move |of_package: bool| {
        let mut ledger = locked(&notes);
        if of_package {
            ledger.package_was_used = true;
        } else {
            ledger.engine_was_opaque = true;
        }
    };
    host.set("opaque", Function::new(context.clone(), opaque)?)?;
    let notes = ledger.clone();
    let leaked = move |of_package: bool| {
        let mut ledger = locked(&notes);
        if of_package {
            ledger.package_was_used = true;
            ledger.package_leaked = true;
        } else {
            ledger.engine_was_opaque = true;
        }
    };
    host.set("leaked", Function::new(context.clone(), leaked)?)?;
    let notes = ledger.clone();
    host.set("usedPackage", Function::new(context.clone(), move || locked(&notes).package_was_used = true)?)?;
    let notes = ledger.clone();
    let request = move |context: Ctx<'js>, id: u32, function: String, arguments: String| -> Result<()> {
        let mut ledger = locked(&notes);
        let bytes = function.len() + arguments.len() + 64;
        if ledger.request_bytes + bytes > REQUEST_BYTES {
            drop(ledger);
            return Err(Exception::throw_message(&context, "too much is sent to the host without waiting for it"));
        }
        ledger.request_bytes += bytes;
        ledger.requests.push(Request { id, function, arguments });
        Ok(())
    };
    host.set("request", Function::new(context.clone(), request)?)?;
    let notes = ledger.clone();
    let request_now = move |context: Ctx<'js>, function: String, arguments: String| -> Result<Object<'js>> {
        let (host, earlier) = {
            let mut ledger = locked(&notes);
            (ledger.at_once.clone(), ledger.take_unawaited())
        };
        let answer = match host {
            Some(host) => {
                for request in earlier {
                    // As for all calls that nobody waits for.
                    let _ = host.answer(request.function, &request.arguments);
                }
                host.answer(function, &arguments)
            }
            None => Err(format!("`{function}` is not answered at once here")),
        };
        let told = Object::new(context)?;
        told.set("succeeded", answer.is_ok())?;
        told.set("text", answer.map_or_else(|message| message, |value| value.to_string()))?;
        Ok(told)
    };
    host.set("requestNow", Function::new(context.clone(), request_now)?)
}

fn add_text<'js>(context: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let encode = |context: Ctx<'js>, text: String| TypedArray::<u8>::new(context, text.into_bytes());
    host.set("utf8Encode", Function::new(context.clone(), encode)?)?;
    encodings::add(context, host)
}

fn add_urls<'js>(context: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let parse = |text: String, base: Option<String>| {
        let base = match base.map(|base| Url::parse(&base)) {
            Some(Ok(base)) => Some(base),
            Some(Err(_)) => return None,
            None => None,
        };
        Url::options().base_url(base.as_ref()).parse(&text).ok().map(String::from)
    };
    host.set("urlParse", Function::new(context.clone(), parse)?)?;
    let get = |href: String, part: String| {
        let url = Url::parse(&href).ok()?;
        Some(match part.as_str() {
            "protocol" => quirks::protocol(&url).to_owned(),
            "username" => quirks::username(&url).to_owned(),
            "password" => quirks::password(&url).to_owned(),
            "host" => quirks::host(&url).to_owned(),
            "hostname" => quirks::hostname(&url).to_owned(),
            "port" => quirks::port(&url).to_owned(),
            "pathname" => quirks::pathname(&url).to_owned(),
            "search" => quirks::search(&url).to_owned(),
            "hash" => quirks::hash(&url).to_owned(),
            _ => quirks::origin(&url),
        })
    };
    host.set("urlGet", Function::new(context.clone(), get)?)?;
    // A part that cannot be set stays as it was, as the standard wants it.
    let set = |href: String, part: String, value: String| {
        let Ok(mut url) = Url::parse(&href) else { return href };
        let outcome = match part.as_str() {
            "protocol" => quirks::set_protocol(&mut url, &value),
            "username" => quirks::set_username(&mut url, &value),
            "password" => quirks::set_password(&mut url, &value),
            "host" => quirks::set_host(&mut url, &value),
            "hostname" => quirks::set_hostname(&mut url, &value),
            "port" => quirks::set_port(&mut url, &value),
            "pathname" => {
                quirks::set_pathname(&mut url, &value);
                Ok(())
            }
            "search" => {
                quirks::set_search(&mut url, &value);
                Ok(())
            }
            _ => {
                quirks::set_hash(&mut url, &value);
                Ok(())
            }
        };
        if outcome.is_ok() { String::from(url) } else { href }
    };
    host.set("urlSet", Function::new(context.clone(), set)?)?;
    let form_parse = |text: String| -> Vec<Vec<String>> {
        form_urlencoded::parse(text.as_bytes())
            .map(|(name, value)| vec![name.into_owned(), value.into_owned()])
            .collect()
    };
    host.set("formParse", Function::new(context.clone(), form_parse)?)?;
    let form_serialize = |flat: Vec<String>| {
        let pairs = flat.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    };
    host.set("formSerialize", Function::new(context.clone(), form_serialize)?)
}

/// The inspector's randomness: the same in every inspection (xorshift64).
fn fixed_bytes(state: &mut u64, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// Real randomness. A random UUID has six fixed bits; hashing two of them leaves none.
fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count + 32);
    while bytes.len() < count {
        let seed =
            [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()];
        bytes.extend_from_slice(Digest::of(&seed.concat()).as_bytes());
    }
    bytes.truncate(count);
    bytes
}
