//! A bundler, packages and an inspector that do what a test tells them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::Bundle,
    failure::{Failure, Fault},
    fingerprint::{Line, Part},
    inspection::Inspection,
    json::{Json, Number},
    outage::Outages,
    package::{PackageRequest, PreparedPackages},
    ports::{BuildFailure, BundleRequest, Bundler, ExportInspector, InspectRequest, Packages},
    problem::Code,
    route::{Resolver, Route},
    shape::Shape,
};
use tokio::sync::Notify;

/// Joins the texts of a module graph. A file with a line `broken` is a syntax error; a test can add faults. Entries
/// with `jsr:` imports are built by a program that a test can take away, and resolve their packages themselves.
#[derive(Debug, Default)]
pub struct ScriptedBundler {
    version: Mutex<u32>,
    lacks_program: Mutex<bool>,
    faults: Mutex<BTreeMap<String, Fault>>,
    held: Mutex<BTreeMap<String, Held>>,
    calls: Mutex<Vec<String>>,
}

/// A build that waits for a test; see [`ScriptedBundler::hold_next`].
#[derive(Clone, Debug, Default)]
pub struct Held {
    fault: Option<Fault>,
    arrived: Arc<Notify>,
    released: Arc<Notify>,
}

impl Held {
    /// Waits until the build has begun.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Lets the build go on.
    pub fn release(&self) {
        self.released.notify_one();
    }
}

impl ScriptedBundler {
    /// A bundler that builds everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every build of this entry fail until [`heal`](Self::heal).
    pub fn fail(&self, entry: &str, fault: Fault) {
        lock(&self.faults).insert(entry.to_owned(), fault);
    }

    /// Takes back every [`fail`](Self::fail).
    pub fn heal(&self) {
        lock(&self.faults).clear();
    }

    /// Makes the next build of this entry, and no other, wait until it is released, and then fail if a fault is given.
    pub fn hold_next(&self, entry: &str, fault: Option<Fault>) -> Held {
        let held = Held { fault, ..Held::default() };
        lock(&self.held).insert(entry.to_owned(), held.clone());
        held
    }

    /// Takes away the program that builds entries with `jsr:` imports, or gives it back.
    pub fn take_program(&self, taken: bool) {
        *lock(&self.lacks_program) = taken;
    }

    /// Becomes another version: its identity changes.
    pub fn upgrade(&self) {
        *lock(&self.version) += 1;
    }

    /// The entries of all builds since the last call, sorted.
    pub fn take_calls(&self) -> Vec<String> {
        let mut calls = std::mem::take(&mut *lock(&self.calls));
        calls.sort();
        calls
    }
}

#[async_trait]
impl Bundler for ScriptedBundler {
    async fn route(&self, request: &PackageRequest) -> Route {
        let specifiers = &request.specifiers;
        let identity = Part::of([Line::new("version", lock(&self.version).to_string())]);
        if !specifiers.iter().any(|specifier| specifier.starts_with("jsr:")) {
            return Route::prepared(identity);
        }
        let locked = specifiers.iter().map(|specifier| Line::new(specifier, "by the bundler"));
        Route {
            identity: (!*lock(&self.lacks_program)).then_some(identity),
            resolver: Resolver::Bundler(Part::of(locked)),
        }
    }

    async fn fails_again(&self, request: &PackageRequest, earlier: &Failure) -> Option<Fault> {
        let needs_program = request.specifiers.iter().any(|specifier| specifier.starts_with("jsr:"));
        let is_missing = needs_program && *lock(&self.lacks_program) && earlier.code == Code::RUNTIME_MISSING;
        is_missing.then(missing_program)
    }

    async fn bundle(&self, request: BundleRequest, _outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        let entry = request.graph.entry.to_string();
        lock(&self.calls).push(entry.clone());
        // Others get their turn, as they do while a real bundler works.
        tokio::task::yield_now().await;
        let held = lock(&self.held).remove(&entry);
        if let Some(held) = held {
            held.arrived.notify_one();
            held.released.notified().await;
            if let Some(fault) = held.fault {
                return Err(fault.into());
            }
        }
        if let Some(import) = request.graph.externals().into_iter().find(|import| import.starts_with("jsr:"))
            && *lock(&self.lacks_program)
        {
            let fault = missing_program();
            let message = format!("the import {import:?} needs a program: {}", fault.message);
            let position = request.graph.place_of(import);
            return Err(Fault { message, position, ..fault }.into());
        }
        if let Some(fault) = lock(&self.faults).get(&entry) {
            return Err(fault.clone().into());
        }
        let mut code = String::new();
        for file in &request.graph.files {
            code.push_str(&String::from_utf8_lossy(&file.bytes));
            code.push('\n');
        }
        if code.lines().any(|line| line == "broken") {
            let fault = Fault::deterministic(Code::SYNTAX, format!("source:{entry}"), "does not parse");
            return Err(fault.into());
        }
        code.push_str(&format!("// built by version {}\n", lock(&self.version)));
        Ok(Bundle { code, requirements: Vec::new(), remarks: Vec::new() })
    }
}

fn missing_program() -> Fault {
    Fault::environment(Code::RUNTIME_MISSING, "program:fake", "is missing")
}

/// Resolves every package to version 1 unless told otherwise.
#[derive(Debug, Default)]
pub struct ScriptedPackages {
    locked: Mutex<BTreeMap<String, String>>,
    fault: Mutex<Option<Fault>>,
    broken: Mutex<BTreeMap<String, Fault>>,
}

impl ScriptedPackages {
    /// A registry that answers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what is locked.
    pub fn unlock(&self) {
        lock(&self.locked).clear();
    }

    /// Makes the preparation of one package fail from now on.
    pub fn break_package(&self, specifier: &str, fault: Fault) {
        lock(&self.broken).insert(specifier.to_owned(), fault);
    }

    /// Takes back a [`break_package`](Self::break_package).
    pub fn mend_package(&self, specifier: &str) {
        lock(&self.broken).remove(specifier);
    }

    /// Makes every preparation of a package fail, or no longer.
    pub fn fail(&self, fault: Option<Fault>) {
        *lock(&self.fault) = fault;
    }
}

#[async_trait]
impl Packages for ScriptedPackages {
    async fn closure(&self, request: &PackageRequest) -> Result<Part, Fault> {
        let locked = lock(&self.locked);
        Ok(Part::of(
            request
                .specifiers
                .iter()
                .map(|specifier| Line::new(specifier, locked.get(specifier).map_or("unlocked", String::as_str))),
        ))
    }

    async fn prepare(&self, request: &PackageRequest, _outages: &Arc<Outages>) -> Result<PreparedPackages, Fault> {
        if !request.specifiers.is_empty()
            && let Some(fault) = lock(&self.fault).clone()
        {
            return Err(fault);
        }
        let broken = request.specifiers.iter().find_map(|specifier| lock(&self.broken).get(specifier).cloned());
        if let Some(fault) = broken {
            return Err(fault);
        }
        for specifier in &request.specifiers {
            lock(&self.locked).entry(specifier.clone()).or_insert_with(|| "1.0.0".to_owned());
        }
        Ok(PreparedPackages {
            imports: request.specifiers.iter().map(|specifier| (specifier.clone(), specifier.clone())).collect(),
            offers: BTreeMap::new(),
            vendors: Vec::new(),
            packages: self.closure(request).await?,
        })
    }
}

/// Reads the code of a [`ScriptedBundler`] as a model or add-on with a method for each line `method NAME`; a model
/// without such lines has the method `run`. A line `reject` gives a type that is no string, a line
/// `throw` a module that throws.
#[derive(Debug, Default)]
pub struct ScriptedInspector {
    calls: Mutex<Vec<String>>,
}

impl ScriptedInspector {
    /// An inspector.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The subjects of all inspections since the last call, sorted.
    pub fn take_calls(&self) -> Vec<String> {
        let mut calls = std::mem::take(&mut *lock(&self.calls));
        calls.sort();
        calls
    }
}

#[async_trait]
impl ExportInspector for ScriptedInspector {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        lock(&self.calls).push(request.subject.clone());
        tokio::task::yield_now().await;
        let code = &request.bundle.code;
        let has = |wanted: &str| code.lines().any(|line| line == wanted);
        if has("throw") {
            let cause = format!("source:{}", request.subject);
            return Err(Fault::deterministic(Code::THREW_WHILE_LOADING, cause, "throws"));
        }
        let name = request.export_names.iter().find(|name| has(&format!("export {name}")));
        let Some(name) = name else {
            return Ok(Inspection { export: None, touched: Vec::new(), notes: Vec::new() });
        };
        let type_name = code.lines().find_map(|line| line.strip_prefix("type ")).unwrap_or("@test/unnamed");
        let type_shape = if has("reject") { Shape::Bool(true) } else { Shape::String(type_name.to_owned()) };
        let method = Shape::Object(vec![
            ("description".into(), Shape::String("runs".into())),
            ("arguments".into(), Shape::Schema { json_schema: Json::object::<&str>([]) }),
            ("execute".into(), Shape::Function),
        ]);
        let is_add_on = name.as_ref() == "extension";
        let mut names: Vec<&str> = code.lines().filter_map(|line| line.strip_prefix("method ")).collect();
        if names.is_empty() && !is_add_on {
            names.push("run");
        }
        let record = |name: &str| (name.to_owned(), method.clone());
        let methods = if is_add_on {
            Shape::Array(names.iter().map(|name| Shape::Object(vec![record(name)])).collect())
        } else {
            Shape::Object(names.iter().map(|name| record(name)).collect())
        };
        let mut members: Vec<(String, Shape)> = vec![
            ("type".into(), type_shape),
            ("version".into(), Shape::String("2026.01.01.1".into())),
            ("methods".into(), methods),
        ];
        let schema = ("schema", Shape::Schema { json_schema: Json::object::<&str>([]) });
        members.extend(declared(code, "resource ", &schema).map(|resources| ("resources".to_owned(), resources)));
        let content_type = ("contentType", Shape::String("text/markdown".into()));
        members.extend(declared(code, "file ", &content_type).map(|files| ("files".to_owned(), files)));
        let shape = Shape::Object(members);
        Ok(Inspection { export: Some((Arc::clone(name), shape)), touched: Vec::new(), notes: Vec::new() })
    }
}

/// What lines with this beginning name: resources or files, each with this member; `None` if there is no such line.
fn declared(code: &str, beginning: &str, member: &(&str, Shape)) -> Option<Shape> {
    let one = |name: &str| {
        let members = vec![
            (member.0.to_owned(), member.1.clone()),
            ("description".into(), Shape::String("what is written".into())),
            ("lifetime".into(), Shape::String("infinite".into())),
            ("garbageCollection".into(), Shape::Number(Number::Integer(10))),
        ];
        (name.to_owned(), Shape::Object(members))
    };
    let all: Vec<(String, Shape)> = code.lines().filter_map(|line| line.strip_prefix(beginning)).map(one).collect();
    (!all.is_empty()).then_some(Shape::Object(all))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
