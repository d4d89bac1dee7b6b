//! Which module a specifier means inside the engine: the bundle, a real vendor file, or a stand-in.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use mangrove_domain::{bundle::LoadedBundle, digest::Digest, package::SCHEMA_LIBRARIES};
use rquickjs::{
    Ctx, Error, Module, Result,
    loader::{ImportAttributes, Loader, Resolver},
    module::Declared,
};
use serde::Deserialize;

use super::{
    compiled::{self, Demand},
    imported_names::{self, ImportedNames},
    nul,
};
use crate::builtin_modules::is_built_in;

/// What the bundle's own module is called inside the engine.
pub(super) const ENTRY: &str = "bundle.js";
/// The host's own modules.
pub(super) const KIT: &str = "mangrove:kit";
const KIT_SOURCE: &str = include_str!("prelude/kit.js");
/// What every engine runs around calls.
pub const CALLS_SOURCE: &str = include_str!("prelude/calls.js");
/// What every engine makes the context of a method with.
pub const CONTEXT_SOURCE: &str = include_str!("prelude/context.js");
/// What every engine runs around drivers.
pub const DRIVER_SOURCE: &str = include_str!("prelude/driver.js");
/// What every engine tells modules of their source files with.
pub const SOURCES_SOURCE: &str = include_str!("prelude/sources.js");
/// Every module of the prelude, by its name.
const PRELUDE: [(&str, &str); 22] = [
    (KIT, KIT_SOURCE),
    ("mangrove:absent", include_str!("prelude/absent.js")),
    ("mangrove:bodies", include_str!("prelude/bodies.js")),
    ("mangrove:calls", CALLS_SOURCE),
    ("mangrove:cloning", include_str!("prelude/cloning.js")),
    ("mangrove:context", CONTEXT_SOURCE),
    ("mangrove:driver", DRIVER_SOURCE),
    ("mangrove:dates", include_str!("prelude/dates.js")),
    ("mangrove:errors", include_str!("prelude/errors.js")),
    ("mangrove:events", include_str!("prelude/events.js")),
    ("mangrove:fetch", include_str!("prelude/fetch.js")),
    ("mangrove:headers", include_str!("prelude/headers.js")),
    ("mangrove:instants", include_str!("prelude/instants.js")),
    ("mangrove:locale", include_str!("prelude/locale.js")),
    ("mangrove:numbers", include_str!("prelude/numbers.js")),
    ("mangrove:refusals", include_str!("prelude/refusals.js")),
    ("mangrove:sorting", include_str!("prelude/sorting.js")),
    ("mangrove:sources", SOURCES_SOURCE),
    ("mangrove:streams", include_str!("prelude/streams.js")),
    ("mangrove:timers", include_str!("prelude/timers.js")),
    ("mangrove:uncaught", include_str!("prelude/uncaught.js")),
    ("mangrove:web", include_str!("prelude/web.js")),
];
static PRELUDE_TEXTS: OnceLock<HashMap<&'static str, Arc<str>>> = OnceLock::new();
const STAND_IN: &str = "stand-in:";

/// Which vendor files are real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendors {
    /// Schema libraries only; every other package is a stand-in.
    SchemaLibraries,
    /// All of them.
    All,
}

/// The modules of one bundle.
#[derive(Debug)]
pub(super) struct Modules {
    entry: Arc<str>,
    files: HashMap<String, File>,
    /// By the name of the importing module.
    imported_names: Mutex<HashMap<String, Arc<ImportedNames>>>,
    vendors: Vendors,
}

#[derive(Debug)]
struct File {
    code: Arc<str>,
    is_schema_library: bool,
    is_entry: bool,
}

/// `unit.json` of a vendor directory.
#[derive(Deserialize)]
struct Unit {
    package: String,
    #[serde(default)]
    entries: BTreeMap<String, String>,
}

impl Modules {
    pub(super) fn new(bundle: &LoadedBundle, vendors: Vendors) -> Self {
        let key = |path: &str| path.strip_prefix("../").unwrap_or(path).to_owned();
        let directory = |path: &str| path.rsplit_once('/').map_or(String::new(), |(directory, _)| directory.to_owned());
        let mut units: HashMap<String, Unit> = HashMap::new();
        for file in &bundle.vendor_files {
            if let Some(folder) = file.path.strip_suffix("/unit.json")
                && let Ok(unit) = serde_json::from_str::<Unit>(&file.code)
            {
                units.insert(key(folder), unit);
            }
        }
        let files = bundle.vendor_files.iter().filter(|file| !file.path.ends_with("/unit.json")).map(|file| {
            let path = key(&file.path);
            let unit = units.get(&directory(&path));
            let name = path.rsplit('/').next().unwrap_or_default();
            let described = File {
                code: file.code.clone(),
                is_schema_library: unit.is_some_and(|unit| SCHEMA_LIBRARIES.contains(&package_name(&unit.package))),
                is_entry: unit.is_some_and(|unit| unit.entries.values().any(|entry| entry == name)),
            };
            (path, described)
        });
        Self { entry: bundle.code.clone(), files: files.collect(), imported_names: Mutex::default(), vendors }
    }

    /// True if the stand-ins of [`Vendors::SchemaLibraries`] leave out something that is there.
    pub(super) fn leaves_out_packages(&self) -> bool {
        self.vendors == Vendors::SchemaLibraries && self.files.values().any(|file| !file.is_schema_library)
    }

    pub(super) fn entry_code(&self) -> &Arc<str> {
        &self.entry
    }

    /// The text of a module that is not the host's.
    pub(super) fn text_of_author(&self, name: &str) -> Option<Arc<str>> {
        if name == ENTRY { Some(self.entry.clone()) } else { self.files.get(name).map(|file| file.code.clone()) }
    }

    /// The specifiers by which the bundle reaches entries of schema libraries, sorted.
    pub(super) fn schema_entries(&self) -> Vec<String> {
        let mut entries: Vec<String> = self
            .files
            .iter()
            .filter(|(_, file)| file.is_schema_library && file.is_entry)
            .map(|(path, _)| path.clone())
            .filter(|path| self.entry.contains(path.as_str()))
            .collect();
        entries.sort();
        entries
    }

    fn is_real(&self, file: &File) -> bool {
        self.vendors == Vendors::All || file.is_schema_library
    }

    /// The name of the module that `specifier` means in the module `base`; `None` if there is none.
    pub(super) fn resolve(&self, base: &str, specifier: &str) -> Option<String> {
        if specifier.starts_with("mangrove:") {
            let is_ours = base.starts_with("mangrove:") || base.starts_with(STAND_IN);
            return (is_ours && prelude(specifier).is_some()).then(|| specifier.to_owned());
        }
        if specifier.starts_with("vendor/") && base.is_empty() {
            return self.files.contains_key(specifier).then(|| specifier.to_owned());
        }
        if specifier.starts_with('.') {
            let path = if let Some(vendor) = specifier.strip_prefix("../vendor/") {
                format!("vendor/{vendor}")
            } else {
                join(base, specifier)
            };
            let file = self.files.get(&path)?;
            return Some(if self.is_real(file) { path } else { format!("{STAND_IN}{specifier}@{base}") });
        }
        is_built_in(specifier).then(|| format!("{STAND_IN}{specifier}@{base}"))
    }

    /// The text of a module that [`resolve`](Self::resolve) named.
    fn source(&self, name: &str) -> Option<Arc<str>> {
        if let Some(text) = prelude(name) {
            return Some(text);
        }
        if let Some((specifier, base)) = name.strip_prefix(STAND_IN).and_then(|rest| rest.rsplit_once('@')) {
            return Some(self.stand_in_source(specifier, base).into());
        }
        self.files.get(name).map(|file| file.code.clone())
    }

    /// How many runtimes of this process will want a module.
    fn demand(&self, name: &str) -> Demand {
        match self.files.get(name) {
            _ if prelude(name).is_some() => Demand::Many,
            Some(file) if file.is_schema_library => Demand::Many,
            Some(_) if is_named_by_content(name) => Demand::Unknown,
            Some(_) | None => Demand::One,
        }
    }

    fn stand_in_source(&self, specifier: &str, base: &str) -> String {
        use std::fmt::Write as _;
        let (label, kind) = if specifier.starts_with('.') {
            (specifier.to_owned(), "package")
        } else {
            (format!("node:{}", specifier.strip_prefix("node:").unwrap_or(specifier)), "engine")
        };
        let label = serde_json::Value::from(label);
        let mut source = format!(
            "import {{ standInModule, standInMember }} from \"{KIT}\";\n\
             const module = standInModule({label}, \"{kind}\");\nexport default module.whole;\n"
        );
        for (index, name) in self.names(base, specifier).iter().enumerate() {
            // Writing into a string cannot fail.
            let _ = writeln!(
                source,
                "const e{index} = standInMember(module, \"{name}\");\nexport {{ e{index} as {name} }};"
            );
        }
        source
    }

    /// The names that the module `base` imports from `specifier`.
    fn names(&self, base: &str, specifier: &str) -> BTreeSet<String> {
        let mut cache = self.imported_names.lock().unwrap_or_else(PoisonError::into_inner);
        let by_specifier = cache.entry(base.to_owned()).or_insert_with(|| {
            if base == ENTRY {
                return Arc::new(imported_names::in_text(&self.entry));
            }
            self.files.get(base).map(|file| imported_names::in_shared(&file.code)).unwrap_or_default()
        });
        by_specifier.get(specifier).cloned().unwrap_or_default()
    }
}

/// True for a file of a vendor bundle that is stored, and not of one that is being made: its directory has the name of a
/// digest, so another text has another name.
fn is_named_by_content(name: &str) -> bool {
    let directory = name.strip_prefix("vendor/").and_then(|rest| rest.split_once('/'));
    directory.is_some_and(|(directory, _)| directory.parse::<Digest>().is_ok())
}

/// `zod` of `zod@4.3.6`, `@a/b` of `@a/b@1`.
fn package_name(package: &str) -> &str {
    match package.rsplit_once('@') {
        Some((name, _)) if !name.is_empty() => name,
        _ => package,
    }
}

/// `./` and `../` relative to the module `base`.
fn join(base: &str, specifier: &str) -> String {
    let mut segments: Vec<&str> = base.split('/').collect();
    segments.pop();
    for segment in specifier.split('/') {
        match segment {
            "." | "" => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    segments.join("/")
}

/// The text of a module of the prelude.
fn prelude(name: &str) -> Option<Arc<str>> {
    let texts = PRELUDE_TEXTS.get_or_init(|| PRELUDE.iter().map(|(name, text)| (*name, Arc::from(*text))).collect());
    texts.get(name).cloned()
}

/// The engine's view of [`Modules`].
#[derive(Clone, Debug)]
pub(super) struct Lookup(pub(super) Arc<Modules>);

impl Lookup {
    /// Declares the kit, which the host evaluates itself.
    pub(super) fn kit<'js>(context: &Ctx<'js>) -> Result<Module<'js, Declared>> {
        prelude(KIT)
            .and_then(|text| compiled::declare(context, KIT, &text, Demand::Many))
            .unwrap_or_else(|| Module::declare(context.clone(), KIT, KIT_SOURCE))
    }
}

impl Resolver for Lookup {
    fn resolve<'js>(
        &mut self,
        _context: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        self.0.resolve(base, name).ok_or_else(|| Error::new_resolving(base, name))
    }
}

impl Loader for Lookup {
    fn load<'js>(
        &mut self,
        context: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        let source = self.0.source(name).ok_or_else(|| Error::new_loading(name))?;
        let module = match compiled::declare(context, name, &source, self.0.demand(name)) {
            Some(module) => module?,
            None => Module::declare(context.clone(), name, &*nul::escaped(&source))?,
        };
        addressed(module, name)
    }
}

/// Compiles a module and gives it an address.
pub(super) fn declare<'js>(context: &Ctx<'js>, name: &str, source: &str) -> Result<Module<'js, Declared>> {
    addressed(Module::declare(context.clone(), name, &*nul::escaped(source))?, name)
}

fn addressed<'js>(module: Module<'js, Declared>, name: &str) -> Result<Module<'js, Declared>> {
    let meta = module.meta()?;
    meta.set("url", format!("file:///{name}"))?;
    meta.set("filename", format!("/{name}"))?;
    meta.set("dirname", format!("/{}", name.rsplit_once('/').map_or("", |(directory, _)| directory)))?;
    meta.set("main", false)?;
    Ok(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_modules_are_out_of_reach() {
        let bundle = LoadedBundle { code: "".into(), vendor_files: Vec::new() };
        let modules = Modules::new(&bundle, Vendors::All);
        for base in ["", ENTRY, "vendor/aa/x.js", "<input>", "<evalScript>", "eval_script"] {
            assert_eq!(modules.resolve(base, KIT), None, "from {base:?}");
        }
    }

    #[test]
    fn only_what_is_named_by_its_content_may_be_wanted_again() {
        let digest = "ab".repeat(32);
        assert!(is_named_by_content(&format!("vendor/{digest}/zod.js")));
        for name in ["vendor/unit/zod.js", "bundle.js", "vendor/zod.js"] {
            assert!(!is_named_by_content(name), "{name}");
        }
    }
}
