//! The configuration in force for an entry, and what it does to specifiers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use mangrove_domain::{
    document::{Document, Node},
    fingerprint::{Line, Part, UNREADABLE},
    json::Json,
    module_graph::{ConfigFile, ConfigKind},
    ports::Documents,
    problem::{Code, Problem},
    source::{PathError, RelativePath},
};

use super::{
    package_imports::{PackageImports, UNSERVED, dependencies},
    parser::JsxRuntime,
    path::{join, parent},
    view::{Listing, Node as PathNode, ReadFailure, View},
    workspace,
};

/// Settings of `compilerOptions` that the bundler applies.
const APPLIED_OPTIONS: [&str; 6] =
    ["emitDecoratorMetadata", "experimentalDecorators", "jsx", "jsxFactory", "jsxFragmentFactory", "jsxImportSource"];

/// What the configuration of Deno may be called.
const DENO_FILES: [&str; 2] = ["deno.json", "deno.jsonc"];

/// What governs the entries of a directory.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// Of deno.json or deno.jsonc.
    pub(super) imports: ImportMap,
    lines: Vec<Line>,
    /// Of the nearest package.json: counts only for graphs with bare specifiers.
    pub(super) packages: ImportMap,
    package_lines: Vec<Line>,
    /// The settings that the bundler applies, sorted; an object.
    pub(super) compiler_options: Json,
    /// The deno.lock that governs, as a path below the root.
    pub(super) lock: Option<String>,
    /// The files behind it, reduced to the settings above; without the lock.
    pub(super) files: Vec<ConfigFile>,
    /// Directories of members of the workspace that could not be listed: what these offer is not known.
    pub(super) unlisted: Vec<(String, ReadFailure)>,
}

/// An import map whose local addresses are paths below the root with a leading slash.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ImportMap {
    imports: BTreeMap<String, String>,
    scopes: BTreeMap<String, BTreeMap<String, String>>,
}

impl Config {
    fn none() -> Self {
        Self { compiler_options: Json::object::<&str>([]), ..Self::default() }
    }

    /// The module that the JSX of a source calls, unless it calls functions that the source has by itself.
    pub(super) fn jsx_module(&self, jsx: &JsxRuntime) -> Option<String> {
        let setting = |name: &str| self.compiler_options.get(name).and_then(Json::as_str);
        let (module, is_automatic) = match setting("jsx") {
            Some("react-jsxdev") => ("jsx-dev-runtime", true),
            Some("react-jsx" | "precompile" | "preserve") => ("jsx-runtime", true),
            _ if *jsx == JsxRuntime::Configured => return None,
            _ => ("jsx-runtime", false),
        };
        let source = match jsx {
            JsxRuntime::Below(source) => source.as_str(),
            JsxRuntime::Configured | JsxRuntime::Automatic => {
                setting("jsxImportSource").filter(|_| is_automatic).unwrap_or("react")
            }
        };
        Some(format!("{source}/{module}"))
    }

    /// The config part of an entry.
    pub(super) fn part(&self, has_bare_specifiers: bool) -> Part {
        let packages: &[Line] = if has_bare_specifiers { &self.package_lines } else { &[] };
        Part::of(self.lines.iter().chain(packages).cloned())
    }
}

impl ImportMap {
    /// What `specifier` stands for in `importer` (a path below the root), if the map says so. Scopes come
    /// before imports, longer keys before shorter ones.
    pub(super) fn apply(&self, importer: &str, specifier: &str) -> Option<String> {
        let address = format!("/{importer}");
        let applies = |scope: &str| scope == address || (scope.ends_with('/') && address.starts_with(scope));
        let mut scopes: Vec<_> = self.scopes.iter().filter(|(scope, _)| applies(scope)).collect();
        scopes.sort_by_key(|(scope, _)| std::cmp::Reverse(scope.len()));
        scopes.into_iter().map(|(_, imports)| imports).chain([&self.imports]).find_map(|map| look_up(map, specifier))
    }

    /// Takes over what another map says of keys of which this one says nothing.
    fn add_missing(&mut self, other: Self) {
        for (key, target) in other.imports {
            self.imports.entry(key).or_insert(target);
        }
        for (scope, imports) in other.scopes {
            let own = self.scopes.entry(scope).or_default();
            for (key, target) in imports {
                own.entry(key).or_insert(target);
            }
        }
    }

    fn lines(&self, lines: &mut Vec<Line>) {
        lines.extend(self.imports.iter().map(|(key, target)| Line::new(format!("imports {key}"), target)));
        for (scope, imports) in &self.scopes {
            lines.push(Line::new(format!("scopes {scope}"), ""));
            lines.extend(imports.iter().map(|(key, target)| Line::new(format!("scopes {scope} {key}"), target)));
        }
    }
}

fn look_up(map: &BTreeMap<String, String>, specifier: &str) -> Option<String> {
    if let Some(target) = map.get(specifier) {
        return Some(target.clone());
    }
    let longest = map
        .iter()
        .filter(|(key, _)| key.ends_with('/') && specifier.starts_with(key.as_str()))
        .max_by_key(|(key, _)| key.len());
    if let Some((key, target)) = longest {
        return Some(format!("{target}{}", &specifier[key.len()..]));
    }
    // `"chalk": "npm:chalk@5"` also serves `chalk/sub`, as Deno expands it.
    map.iter().find_map(|(key, target)| {
        let rest = specifier.strip_prefix(key.as_str())?.strip_prefix('/')?;
        if target.starts_with(UNSERVED) {
            return Some(target.clone());
        }
        (target.starts_with("npm:") || target.starts_with("jsr:")).then(|| format!("{target}/{rest}"))
    })
}

/// The configurations of one survey, each read once.
pub(super) struct Configs {
    documents: Arc<dyn Documents>,
    /// Distinct configurations; their index names them.
    pub(super) all: Vec<Config>,
    by_directory: HashMap<String, usize>,
    by_file: HashMap<String, usize>,
    package_imports: HashMap<String, Arc<PackageImports>>,
    pub(super) problems: Vec<Problem>,
}

impl Configs {
    pub(super) fn new(documents: Arc<dyn Documents>) -> Self {
        let none = Config::none();
        let by_file = HashMap::from([(String::new(), 0)]);
        Self {
            documents,
            all: vec![none],
            by_directory: HashMap::new(),
            by_file,
            package_imports: HashMap::new(),
            problems: Vec::new(),
        }
    }

    /// The index of the configuration that governs `directory`: the nearest deno.json or deno.jsonc up to and
    /// including the root, else the nearest package.json.
    pub(super) fn in_force(&mut self, view: &mut View, directory: &str) -> usize {
        if let Some(known) = self.by_directory.get(directory) {
            return *known;
        }
        let file = nearest(view, directory, &DENO_FILES)
            .or_else(|| nearest(view, directory, &["package.json"]))
            .unwrap_or_default();
        let index = if let Some(known) = self.by_file.get(&file) {
            *known
        } else {
            let config = self.read(view, &file);
            self.all.push(config);
            self.by_file.insert(file, self.all.len() - 1);
            self.all.len() - 1
        };
        self.by_directory.insert(directory.to_owned(), index);
        index
    }

    /// What the nearest package.json above sources of a directory says of names that begin with `#`.
    pub(super) fn package_imports(&mut self, view: &mut View, directory: &str) -> Option<Arc<PackageImports>> {
        let file = nearest(view, directory, &["package.json"])?;
        if let Some(known) = self.package_imports.get(&file) {
            return Some(Arc::clone(known));
        }
        // What cannot be read says nothing: the import then leads nowhere.
        let document = self.document(view, &file, &mut Vec::new());
        let read = document.map(|document| PackageImports::of(&document.root, parent(&file))).unwrap_or_default();
        let read = Arc::new(read);
        self.package_imports.insert(file, Arc::clone(&read));
        Some(read)
    }

    /// What a package.json asks for, for names that the imports do not explain.
    fn read_package(&mut self, view: &mut View, file: &str, config: &mut Config) {
        let Some(document) = self.document(view, file, &mut config.package_lines) else { return };
        config.packages.imports = dependencies(&document.root);
        config.packages.imports.retain(|name, _| !config.imports.imports.contains_key(name));
        config.packages.lines(&mut config.package_lines);
    }

    fn read(&mut self, view: &mut View, file: &str) -> Config {
        let mut config = Config::none();
        if !file.is_empty() {
            config.lock = nearest(view, parent(file), &["deno.lock"]);
        }
        let Some(document) = self.document(view, file, &mut config.lines) else {
            return config;
        };
        if file.ends_with("package.json") {
            config.packages.imports = dependencies(&document.root);
            config.packages.lines(&mut config.package_lines);
            if let Some(imports) = document.root.get("imports") {
                config.package_lines.push(Line::new("package imports", canonical(&imports.to_json()).to_string()));
            }
            config.files.extend(reduced(file, ConfigKind::Package, &document.root));
            return config;
        }
        let directory = parent(file);
        config.lock = lock_file(view, &document.root, directory, config.lock.take());
        config.files.extend(reduced(&join(directory, "deno.json"), ConfigKind::Deno, &document.root));
        let external = document.root.get("importMap").and_then(Node::as_str).map(str::to_owned);
        match external.as_deref() {
            None => config.imports = import_map(&document.root, directory),
            Some(address) if address.contains("://") => config.lines.push(Line::new("importMap", address)),
            Some(address) => match RelativePath::parse(&join(directory, address)) {
                Ok(path) => {
                    if let Some(map) = self.document(view, path.as_str(), &mut config.lines) {
                        config.imports = import_map(&map.root, parent(path.as_str()));
                        config.files.extend(reduced(path.as_str(), ConfigKind::ImportMap, &map.root));
                    } else {
                        config.lines.push(Line::new(format!("importMap {path}"), "missing"));
                    }
                }
                Err(_) => config.lines.push(Line::new(format!("importMap {address}"), "outside")),
            },
        }
        let mut options = BTreeMap::new();
        if let Some((root, workspace)) = self.workspace(view, directory, &document, &mut config.lines) {
            let named = workspace.root.get("importMap").and_then(Node::as_str).filter(|at| !at.contains("://"));
            let named = named.and_then(|at| RelativePath::parse(&join(&root, at)).ok());
            match named.filter(|_| root != directory) {
                Some(path) => {
                    if let Some(map) = self.document(view, path.as_str(), &mut config.lines) {
                        config.imports.add_missing(import_map(&map.root, parent(path.as_str())));
                    }
                }
                None => config.imports.add_missing(import_map(&workspace.root, &root)),
            }
            let offers = self.offers(view, &root, &workspace, &mut config);
            config.imports.add_missing(ImportMap { imports: offers, scopes: BTreeMap::new() });
            options.extend(workspace::compiler_options(&workspace.root));
        }
        config.imports.lines(&mut config.lines);
        if let Some(package) = nearest(view, directory, &["package.json"]) {
            self.read_package(view, &package, &mut config);
        }
        // A member's own come before those of its workspace.
        options.extend(workspace::compiler_options(&document.root));
        for (key, value) in &options {
            config.lines.push(Line::new(format!("compilerOptions {key}"), canonical(value).to_string()));
        }
        let applied = options.into_iter().filter(|(key, _)| APPLIED_OPTIONS.contains(&key.as_str()));
        config.compiler_options = Json::Object(applied.collect());
        if let Some(value) = document.root.get("nodeModulesDir") {
            config.lines.push(Line::new("nodeModulesDir", value.to_json().to_string()));
        }
        config
    }

    /// The workspace that a deno.json in `directory` belongs to, and where that lies: its own, or the nearest one above if that
    /// lists it.
    fn workspace(
        &mut self,
        view: &mut View,
        directory: &str,
        own: &Document,
        lines: &mut Vec<Line>,
    ) -> Option<(String, Document)> {
        if workspace::members(&own.root).is_some() {
            return Some((directory.to_owned(), own.clone()));
        }
        let mut above = directory;
        while !above.is_empty() {
            above = parent(above);
            for name in DENO_FILES {
                let file = join(above, name);
                if view.node(&file) != PathNode::File {
                    continue;
                }
                let Some(document) = self.document(view, &file, lines) else { continue };
                if let Some(members) = workspace::members(&document.root) {
                    let is_member = workspace::has_member(above, &members, directory);
                    return is_member.then(|| (above.to_owned(), document));
                }
            }
        }
        None
    }

    /// What the members of a workspace offer to each other.
    fn offers(
        &mut self,
        view: &mut View,
        root: &str,
        workspace: &Document,
        config: &mut Config,
    ) -> BTreeMap<String, String> {
        let mut directories = Vec::new();
        for member in workspace::members(&workspace.root).unwrap_or_default() {
            match workspace::place(root, &member) {
                Some(workspace::Place::At(directory)) => directories.push(directory),
                Some(workspace::Place::Below(above)) => match &view.directory(&above).listing {
                    Listing::Names { names, .. } => {
                        directories.extend(names.iter().map(|entry| join(&above, &entry.name)));
                    }
                    Listing::Failed(failure) => {
                        config.lines.push(Line::new(format!("unlisted {above}"), UNREADABLE));
                        config.unlisted.push((above, failure.clone()));
                    }
                    Listing::Absent | Listing::Outside => {}
                },
                None => {}
            }
        }
        let mut offers = BTreeMap::new();
        for directory in directories {
            let file = DENO_FILES
                .map(|name| join(&directory, name))
                .into_iter()
                .find(|file| view.node(file) == PathNode::File);
            if let Some(document) = file.and_then(|file| self.document(view, &file, &mut config.lines)) {
                offers.extend(workspace::offers(&document.root, &directory));
            }
        }
        offers
    }

    /// A parsed configuration file; one that cannot be used is reported, and its bytes count instead.
    fn document(&mut self, view: &mut View, file: &str, lines: &mut Vec<Line>) -> Option<Document> {
        if file.is_empty() {
            return None;
        }
        let record = view.document(file)?;
        let problem = match record.text() {
            Ok(text) => match self.parse(file, text) {
                Ok(document) => return Some(document),
                Err(problem) => problem,
            },
            Err(failure) => problem(failure.code(), file, format!("the file cannot be read: {}", failure.message)),
        };
        let value = record.digest().map_or_else(|| "unreadable".to_owned(), |digest| digest.to_string());
        lines.push(Line::new(format!("malformed {file}"), value));
        self.problems.push(problem);
        None
    }

    fn parse(&self, file: &str, text: &str) -> Result<Document, Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        self.documents
            .parse(file, text)
            .map_err(|error| problem(Code::MALFORMED_DOCUMENT, file, error.message).at(error.position))
    }
}

fn problem(code: Code, file: &str, message: String) -> Problem {
    Problem::error(code, file, message).advise("its settings are ignored until it can be read")
}

/// The nearest file of one of these names, first name first; listings on the way are watched.
fn nearest(view: &mut View, directory: &str, names: &[&str]) -> Option<String> {
    let mut directory = directory;
    loop {
        for name in names {
            let path = join(directory, name);
            // A link that leads out is what governs, and is told: what lies above is not what was meant.
            if matches!(view.node(&path), PathNode::File | PathNode::Outside) {
                return Some(path);
            }
        }
        if directory.is_empty() {
            return None;
        }
        directory = parent(directory);
    }
}

fn import_map(root: &Node, directory: &str) -> ImportMap {
    let read = |node: Option<&Node>| -> BTreeMap<String, String> {
        let members = node.and_then(Node::as_map).unwrap_or_default();
        members
            .iter()
            .filter_map(|(key, value)| Some((address(directory, key.as_str()?), address(directory, value.as_str()?))))
            .collect()
    };
    let scopes = root.get("scopes").and_then(Node::as_map).unwrap_or_default();
    ImportMap {
        imports: read(root.get("imports")),
        scopes: scopes
            .iter()
            .filter_map(|(scope, imports)| {
                let scope = scope.as_str()?;
                let is_path = is_local(scope);
                let scope = if is_path { scope.to_owned() } else { format!("./{scope}") };
                Some((address(directory, &scope), read(Some(imports))))
            })
            .collect(),
    }
}

/// True for `./x`, `../x`, `.`, `..` and `/x`.
pub(super) fn is_local(specifier: &str) -> bool {
    specifier.starts_with("./")
        || specifier.starts_with("../")
        || specifier.starts_with('/')
        || matches!(specifier, "." | "..")
}

/// A key or target of an import map: paths below the root get a leading slash (and a trailing one if written
/// so), paths of the file system become `file:`, others stay. What leads outside stays recognisable as such.
fn address(directory: &str, text: &str) -> String {
    if text.starts_with('/') {
        return format!("file:{text}");
    }
    if !is_local(text) {
        return text.to_owned();
    }
    match RelativePath::parse(&join(directory, text)) {
        Ok(path) => format!("/{path}{}", if text.ends_with('/') { "/" } else { "" }),
        Err(PathError::Empty) => "/".to_owned(),
        Err(PathError::Outside(_) | PathError::Absolute(_)) => format!("/../{text}"),
    }
}

/// The deno.lock that a configuration names; the `nearest` one if it names none, none if it wants none.
fn lock_file(view: &mut View, root: &Node, directory: &str, nearest: Option<String>) -> Option<String> {
    let Some(setting) = root.get("lock") else { return nearest };
    if setting.to_json() == Json::Bool(false) {
        return None;
    }
    let named = setting.as_str().or_else(|| setting.get("path").and_then(Node::as_str));
    let Some(named) = named else { return nearest };
    let path = RelativePath::parse(&join(directory, named)).ok()?;
    (view.node(path.as_str()) == PathNode::File).then(|| path.as_str().to_owned())
}

/// The file with only those of its settings that the config part knows.
fn reduced(path: &str, kind: ConfigKind, root: &Node) -> Option<ConfigFile> {
    let keys: &[&str] = match kind {
        ConfigKind::Deno => &["imports", "scopes", "importMap", "compilerOptions"],
        ConfigKind::ImportMap => &["imports", "scopes"],
        ConfigKind::Package => &["dependencies", "devDependencies", "imports"],
        ConfigKind::Lock => &[],
    };
    let members = keys.iter().filter_map(|key| Some(((*key).to_owned(), root.get(key)?.to_json())));
    let text = Json::Object(members.collect()).to_string();
    Some(ConfigFile { path: RelativePath::parse(path).ok()?, kind, text })
}

/// The same value with sorted keys.
fn canonical(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(key, value)| (key.clone(), canonical(value))).collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            Json::Object(members)
        }
        Json::Array(items) => Json::Array(items.iter().map(canonical).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}
