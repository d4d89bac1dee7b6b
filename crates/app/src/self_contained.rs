//! The code of a type as one module that imports nothing but what is built in: what drivers take elsewhere.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mangrove_domain::{
    bundle::{BundleFile, LoadedBundle},
    digest::Digest,
    failure::Fault,
    fingerprint::Part,
    json::Json,
    module_graph::{Edge, EdgeTarget, ModuleGraph, SourceFile},
    ports::{BundleRequest, Bundler},
    problem::Code,
    source::RelativePath,
};
use mangrove_single_flight::SingleFlight;

use crate::types::{ReadyAddOn, ReadyType};

/// How much of what was made is kept, in bytes of code.
const KEPT_BYTES: usize = 32 << 20;

/// Makes such modules from what the bundle store has, and keeps those that were asked for last. No source is read again: what
/// runs elsewhere is what would have run here.
pub struct SelfContained {
    bundler: Arc<dyn Bundler>,
    kept: Mutex<Kept>,
    attempts: SingleFlight<Digest, Result<Arc<str>, Fault>>,
}

/// What was made, the latest last.
#[derive(Default)]
struct Kept {
    modules: VecDeque<(Digest, Arc<str>)>,
    bytes: usize,
}

impl SelfContained {
    /// A maker over this bundler. Nothing is made yet.
    #[must_use]
    pub fn new(bundler: Arc<dyn Bundler>) -> Self {
        Self { bundler, kept: Mutex::default(), attempts: SingleFlight::new() }
    }

    /// The module of a type: its export `model` has the methods that add-ons brought as well.
    ///
    /// # Errors
    /// Why the bundler makes none.
    pub async fn of(&self, ready: &ReadyType) -> Result<Arc<str>, Fault> {
        let with_methods: Vec<&ReadyAddOn> = ready.add_ons.iter().filter(|it| !it.methods.is_empty()).collect();
        if ready.bundle.vendor_files.is_empty() && with_methods.is_empty() {
            return Ok(Arc::clone(&ready.bundle.code));
        }
        let request = request(&ready.bundle, &with_methods);
        let key = request.graph.source.digest();
        if let Some(known) = self.kept().get(key) {
            return Ok(known);
        }
        let bundler = Arc::clone(&self.bundler);
        let made = self.attempts.join(key, || async move {
            let bundle = bundler.bundle(request, &Arc::default()).await.map_err(|failure| failure.fault)?;
            Ok(Arc::from(bundle.code))
        });
        let module = made.await.map_err(|lost| {
            Fault::environment(Code::BUNDLE_FAILED, "self-contained", format!("the bundle cannot be made: {lost}"))
        })??;
        self.kept().put(key, Arc::clone(&module));
        Ok(module)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&self, key: Digest) -> Option<Arc<str>> {
        self.modules.iter().find(|(known, _)| *known == key).map(|(_, module)| Arc::clone(module))
    }

    fn put(&mut self, key: Digest, module: Arc<str>) {
        if self.get(key).is_some() {
            return;
        }
        self.bytes += module.len();
        self.modules.push_back((key, module));
        while self.bytes > KEPT_BYTES && self.modules.len() > 1 {
            if let Some((_, oldest)) = self.modules.pop_front() {
                self.bytes -= oldest.len();
            }
        }
    }
}

/// What makes one module of a bundle, its vendors and its add-ons.
fn request(bundle: &LoadedBundle, add_ons: &[&ReadyAddOn]) -> BundleRequest {
    let mut files = vec![source("type.js", &bundle.code)];
    let mut inlined: BTreeMap<&str, &BundleFile> = BTreeMap::new();
    let mut edges = Vec::new();
    let entry = if add_ons.is_empty() {
        path("type.js")
    } else {
        let mut text = "export * from \"./type.js\";\nimport { model as type } from \"./type.js\";\n".to_owned();
        let mut methods = String::new();
        edges.push(edge("entry.js", "type.js"));
        for (number, add_on) in add_ons.iter().enumerate() {
            let name = format!("add-on-{number}.js");
            let _ = writeln!(text, "import {{ extension as addOn{number} }} from \"./{name}\";");
            for (method, record) in &add_on.methods {
                let method = Json::from(method.as_str());
                let _ = write!(methods, ", {method}: addOn{number}.methods[{record}][{method}]");
            }
            files.push(source(&name, &add_on.bundle.code));
            edges.push(edge("entry.js", &name));
            inlined.extend(add_on.bundle.vendor_files.iter().map(|file| (file.path.as_str(), file)));
        }
        let _ = writeln!(text, "export const model = {{ ...type, methods: {{ ...type.methods{methods} }} }};");
        files.push(source("entry.js", &text));
        path("entry.js")
    };
    inlined.extend(bundle.vendor_files.iter().map(|file| (file.path.as_str(), file)));
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let graph = ModuleGraph {
        entry,
        source: Part::of(
            files
                .iter()
                .map(|file| mangrove_domain::fingerprint::Line::new(file.path.as_str(), file.digest.to_string())),
        ),
        files,
        edges,
        config: Part::of([]),
        compiler_options: Json::Object(Vec::new()),
        lock: None,
        config_files: Vec::new(),
    };
    BundleRequest {
        graph,
        imports: inlined.keys().map(|path| ((*path).to_owned(), (*path).to_owned())).collect(),
        // What they import was held against it when they were built.
        offers: BTreeMap::new(),
        inlined: inlined.into_values().cloned().collect(),
    }
}

fn path(name: &str) -> RelativePath {
    RelativePath::parse(name).expect("a name of ours is a path")
}

fn source(name: &str, text: &str) -> SourceFile {
    SourceFile { path: path(name), bytes: Arc::from(text.as_bytes()), digest: Digest::of(text.as_bytes()) }
}

fn edge(importer: &str, target: &str) -> Edge {
    Edge { importer: path(importer), specifier: format!("./{target}"), target: EdgeTarget::File(path(target)) }
}
