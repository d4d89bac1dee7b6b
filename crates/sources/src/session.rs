//! Loading and joining module graphs: the same code for a survey and for one graph.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use futures::{StreamExt as _, stream};
use mangrove_domain::{
    failure::{FailureClass, Fault},
    fingerprint::{Line, Part, UNREADABLE},
    module_graph::{ConfigFile, ConfigKind, Edge, EdgeTarget},
    ports::ObserveError,
    problem::Code,
    source::RelativePath,
};

use super::{
    config::Configs,
    package_imports::is_own_name,
    parser::{ModuleParser, ParsedModule, SyntaxError},
    path::parent,
    resolve, tokens,
    view::{Content, ReadFile, ReadJob, View},
};

/// How many files are read and parsed at once; bounds memory, not speed.
const FILES_IN_FLIGHT: usize = 8;
const SCRIPT_EXTENSIONS: [&str; 8] = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];

/// The state of one survey of one root.
pub(super) struct Session {
    pub(super) view: View,
    pub(super) configs: Configs,
    /// By configuration and file: its imports, resolved.
    resolved: HashMap<(usize, String), Arc<Resolved>>,
    /// The bytes that were hashed; only where they are asked for.
    pub(super) bytes: Option<BTreeMap<String, Arc<[u8]>>>,
}

#[derive(Debug, Default)]
struct Resolved {
    edges: Vec<Edge>,
    /// Of names that a package.json explains, which is none of the graph's files: where they lead.
    own_names: Vec<(String, String)>,
    has_bare_specifiers: bool,
}

/// The files of an entry joined together.
pub(super) struct Assembled {
    pub(super) files: BTreeSet<String>,
    pub(super) edges: Vec<Edge>,
    pub(super) specifiers: BTreeSet<String>,
    pub(super) source: Part,
    pub(super) config: Part,
}

/// A file to load: the configuration that governs its entry, and its path.
pub(super) type Governed = (usize, String);

impl Session {
    pub(super) fn new(view: View, configs: Configs, keep_bytes: bool) -> Self {
        Self { view, configs, resolved: HashMap::new(), bytes: keep_bytes.then(BTreeMap::new) }
    }

    /// Reads and parses what is not known, in parallel.
    pub(super) async fn load(
        mut self,
        paths: Vec<String>,
        parser: &Arc<dyn ModuleParser>,
    ) -> Result<Self, ObserveError> {
        let (session, jobs) = blocking(move || {
            let mut jobs = Vec::new();
            for path in paths {
                let is_held = self.bytes.as_ref().is_some_and(|bytes| bytes.contains_key(&path));
                let always_read = self.bytes.is_some() && !is_held;
                jobs.extend(self.view.begin(&path, false, always_read));
            }
            (self, jobs)
        })
        .await?;
        self = session;
        let mut loaded = stream::iter(jobs.into_iter().map(|job| load_file(job, Arc::clone(parser))))
            .buffer_unordered(FILES_IN_FLIGHT);
        while let Some(result) = loaded.next().await {
            let (path, read) = result?;
            if let (Some(kept), Some(bytes)) = (&mut self.bytes, &read.bytes) {
                kept.insert(path.clone(), Arc::clone(bytes));
            }
            self.view.finish(path, read);
        }
        drop(loaded);
        Ok(self)
    }

    /// Loads everything that the entries reach.
    pub(super) async fn close(
        mut self,
        entries: Vec<Governed>,
        parser: &Arc<dyn ModuleParser>,
    ) -> Result<Self, ObserveError> {
        let mut frontier = entries;
        while !frontier.is_empty() {
            let paths: BTreeSet<String> = frontier.iter().map(|(_, path)| path.clone()).collect();
            self = self.load(paths.into_iter().collect(), parser).await?;
            (self, frontier) = blocking(move || {
                let next = self.expand(frontier);
                (self, next)
            })
            .await?;
        }
        Ok(self)
    }

    /// Resolves the imports of loaded files; what they lead to and is not resolved yet comes back.
    fn expand(&mut self, frontier: Vec<Governed>) -> Vec<Governed> {
        let mut next = BTreeSet::new();
        for (config, path) in frontier {
            if self.resolved.contains_key(&(config, path.clone())) {
                continue;
            }
            let resolved = self.resolve_imports(config, &path);
            next.extend(resolved.edges.iter().filter_map(|edge| match &edge.target {
                EdgeTarget::File(target) => Some((config, target.as_str().to_owned())),
                EdgeTarget::External(_) | EdgeTarget::Missing | EdgeTarget::OutsideRoot => None,
            }));
            self.resolved.insert((config, path), Arc::new(resolved));
        }
        next.into_iter().filter(|key| !self.resolved.contains_key(key)).collect()
    }

    fn resolve_imports(&mut self, config: usize, path: &str) -> Resolved {
        let mut resolved = Resolved::default();
        let Some(record) = self.view.files.get(path).cloned() else {
            return resolved;
        };
        let (Some(_), Some(module), Ok(importer)) = (record.digest(), &record.module, RelativePath::parse(path)) else {
            return resolved;
        };
        let of_jsx = module.jsx.as_ref().and_then(|jsx| self.configs.all[config].jsx_module(jsx));
        let specifiers = module.imports.iter().map(|import| &import.specifier).chain(&of_jsx);
        for specifier in specifiers {
            let own_names =
                if is_own_name(specifier) { self.configs.package_imports(&mut self.view, parent(path)) } else { None };
            let config = &self.configs.all[config];
            let target = resolve::resolve(&mut self.view, config, own_names.as_deref(), path, specifier);
            resolved.has_bare_specifiers |= resolve::is_bare(specifier);
            if own_names.is_some() && config.imports.apply(path, specifier).is_none() {
                match &target {
                    EdgeTarget::File(path) => resolved.own_names.push((specifier.clone(), path.to_string())),
                    EdgeTarget::External(other) => resolved.own_names.push((specifier.clone(), other.clone())),
                    EdgeTarget::Missing | EdgeTarget::OutsideRoot => {}
                }
            }
            resolved.edges.push(Edge { importer: importer.clone(), specifier: specifier.clone(), target });
        }
        resolved
    }

    /// The deno.lock that governs the entries of a configuration, as an absolute path without links.
    pub(super) fn lock(&self, config: usize) -> Option<PathBuf> {
        let path = self.configs.all[config].lock.as_deref()?;
        let real = self.view.root.canonical(path).ok().flatten();
        Some(self.view.root.absolute(real.as_deref().unwrap_or(path)))
    }

    /// The same as a file, for a bundler that reads it itself.
    pub(super) fn lock_file(&mut self, config: usize) -> Option<ConfigFile> {
        let path = RelativePath::parse(self.configs.all[config].lock.as_deref()?).ok()?;
        let text = self.view.document(path.as_str())?.text().ok()?.to_owned();
        Some(ConfigFile { path, kind: ConfigKind::Lock, text })
    }

    /// Joins what was loaded. Pure: nothing is looked at any more.
    pub(super) fn assemble(&self, config: usize, entry: &str) -> Assembled {
        let mut lines = Vec::new();
        let mut edges = Vec::new();
        let mut specifiers = BTreeSet::new();
        let mut has_bare_specifiers = false;
        let mut files = BTreeSet::new();
        let mut met: HashSet<&str> = HashSet::from([entry]);
        let mut pending = vec![entry];
        while let Some(path) = pending.pop() {
            let content = self.view.files.get(path).map(|record| &record.content);
            lines.push(Line::new(
                path,
                match content {
                    Some(Content::Read { digest, .. }) => {
                        mangrove_domain::digest::Digest::from_bytes(*digest).to_string()
                    }
                    Some(Content::Unreadable(_)) => UNREADABLE.to_owned(),
                    Some(Content::Outside) => "outside".to_owned(),
                    Some(Content::Absent) | None => "missing".to_owned(),
                },
            ));
            files.insert(path.to_owned());
            let Some(resolved) = self.resolved.get(&(config, path.to_owned())) else {
                continue;
            };
            has_bare_specifiers |= resolved.has_bare_specifiers;
            for edge in &resolved.edges {
                let unresolved = |value| Line::new(format!("{path} -> {}", edge.specifier), value);
                match &edge.target {
                    EdgeTarget::File(target) => {
                        if met.insert(target.as_str()) {
                            pending.push(target.as_str());
                        }
                    }
                    EdgeTarget::External(specifier) => {
                        specifiers.insert(specifier.clone());
                    }
                    EdgeTarget::Missing => lines.push(unresolved("missing")),
                    EdgeTarget::OutsideRoot => lines.push(unresolved("outside")),
                }
            }
            let own_names = resolved.own_names.iter();
            lines.extend(own_names.map(|(name, target)| Line::new(format!("{path} -> {name}"), target)));
            edges.extend(resolved.edges.iter().cloned());
        }
        edges.sort();
        edges.dedup();
        let config = self.configs.all[config].part(has_bare_specifiers);
        Assembled { files, edges, specifiers, source: Part::of(lines), config }
    }
}

async fn load_file(job: ReadJob, parser: Arc<dyn ModuleParser>) -> Result<(String, ReadFile), ObserveError> {
    let (job, mut read) = blocking(move || {
        let read = job.read();
        (job, read)
    })
    .await?;
    let (Some(bytes), Some(digest)) = (&read.bytes, read.record.digest()) else {
        return Ok((job.path, read));
    };
    if !SCRIPT_EXTENSIONS.iter().any(|extension| job.path.ends_with(extension)) {
        read.record.module = None;
        return Ok((job.path, read));
    }
    let is_known = read.record.module.is_some() && job.old.as_ref().is_some_and(|old| old.digest() == Some(digest));
    if !is_known {
        let (module, is_certain) = parse(&parser, &job.path, Arc::clone(bytes)).await?;
        read.record.module = Some(module);
        read.record.is_racy |= !is_certain;
    }
    Ok((job.path, read))
}

/// Parses in the worker. If it dies of the input, the tokens say what can be said, as for a file that does not
/// parse; the flag is false where the next survey should try again.
async fn parse(
    parser: &Arc<dyn ModuleParser>,
    path: &str,
    bytes: Arc<[u8]>,
) -> Result<(ParsedModule, bool), ObserveError> {
    match parser.parse(path, Arc::clone(&bytes)).await {
        Ok(module) => Ok((module, true)),
        Err(fault) if fault.code == Code::WORKER_UNAVAILABLE => Err(ObserveError::Repository { fault }),
        Err(fault) => {
            let is_certain = fault.class == FailureClass::Deterministic;
            let error = SyntaxError { line: 1, column: 1, message: fault.message };
            Ok((ParsedModule { syntax_error: Some(error), ..tokens::scan(&bytes) }, is_certain))
        }
    }
}

/// Runs work that waits for the disk where it may wait.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ObserveError> {
    mangrove_fs::blocking(work).await.map_err(|error| ObserveError::Repository {
        fault: Fault::transient(Code::UNREADABLE, "sources:task", error.to_string()),
    })
}
