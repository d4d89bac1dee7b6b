//! Where imports lead inside a package that is being built.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::read::{self, FileKind, Within};
use mangrove_npm::vendor::VendorRequest;
use rolldown_common::{ImportKind, ModuleInfo, NormalModule, ResolvedExternal};
use rolldown_plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookNoopReturn, HookResolveIdArgs, HookResolveIdOutput,
    HookResolveIdReturn, HookUsage, Plugin, PluginContext, PluginContextResolveOptions, SharedLoadPluginContext,
};
use rolldown_resolver::ResolveError;
use serde_json::Value;

use super::{
    super::fence::{Fence, names_a_place},
    PLACEHOLDER,
};
use mangrove_engine::builtin_modules;

/// Imports the entry of this specifier in its own form and gives it out in ours.
pub(super) const NAMED_ENTRY: &str = "mangrove-entry:";
/// What the module of [`NAMED_ENTRY`] requires: the entry itself.
const ORIGINAL: &str = "mangrove-original:";
/// Ids of modules that exist in no file.
const NAMED_ID: &str = "\0mangrove-entry:";
const REQUIRE_ID: &str = "\0mangrove-require:";

/// A `CommonJS` entry: the module that it is, and what it exports by name.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) names: BTreeSet<String>,
}

/// Keeps shared packages and the engine's own modules outside, and gives `CommonJS` entries their names.
#[derive(Debug)]
pub(super) struct PackagePlugin {
    fence: Fence,
    shared: BTreeSet<String>,
    named: BTreeMap<String, Named>,
    seen: Mutex<Seen>,
}

/// What a build showed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Ids of modules that are no ES modules.
    pub(super) common_js: HashSet<String>,
    /// Bare specifiers of shared packages that were imported.
    pub(super) shared_imports: BTreeSet<String>,
    /// Imports of files outside of the fence. The build goes on with an external in the place of each, so that
    /// which one is told first does not depend on threads.
    pub(super) refusals: BTreeSet<Refusal>,
    /// Files `package.json` that are no JSON, with what the parser says.
    pub(super) malformed: BTreeSet<(PathBuf, String)>,
    /// Entries that cannot be found for a reason of which the bundler would say that it is its own fault, with it.
    pub(super) unresolvable: BTreeSet<(String, String)>,
}

/// An import that leads outside of the package's own files.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    /// The id of the module that it stands in; `None` for an entry of the unit.
    importer: Option<String>,
    /// As it is written; the id of a module where no import is to blame.
    specifier: String,
    /// What a `package.json` makes of it, and the path of that file, where the import itself names nothing outside.
    target: Option<(String, PathBuf)>,
}

impl Refusal {
    /// What is reported of it. `directory` is what paths are told relative to.
    pub(super) fn fault(&self, request: &VendorRequest, directory: &Path) -> Fault {
        let package = &request.package;
        let specifier = &self.specifier;
        let place = self.importer.as_ref().map(|importer| {
            let path = Path::new(importer).strip_prefix(directory).unwrap_or_else(|_| Path::new(importer));
            format!(" in {}", path.display())
        });
        let target = self.target.as_ref().map(|(target, manifest)| {
            let path = manifest.strip_prefix(directory).unwrap_or(manifest);
            format!("{} sends to `{target}` and so ", path.display())
        });
        let message = format!(
            "the package {package} imports `{specifier}`{}, which {}leads outside of the package's own files; \
             nothing of it was read",
            place.unwrap_or_default(),
            target.unwrap_or_default()
        );
        Fault::environment(Code::PACKAGE_IMPORT_OUTSIDE, format!("package:{package}"), message)
    }
}

impl PackagePlugin {
    pub(super) fn new(fence: Fence, shared: &BTreeSet<String>, named: BTreeMap<String, Named>) -> Self {
        Self { fence, shared: shared.clone(), named, seen: Mutex::default() }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory that `name` means in the file `importer`: the nearest one, as Node looks for it.
    fn package_directory(&self, importer: &str, name: &str) -> Option<PathBuf> {
        let directory = self.fence.directory();
        let inside = Path::new(importer).ancestors().skip(1).take_while(|parent| parent.starts_with(directory));
        let mut candidates = inside.map(|parent| parent.join("node_modules").join(name));
        candidates.find(|candidate| candidate.is_dir() && self.fence.is_inside(candidate))
    }

    /// What is imported instead of a shared package; `None` if this import does not mean it.
    fn shared(&self, arguments: &HookResolveIdArgs<'_>) -> Option<String> {
        let (name, _) = split(arguments.specifier)?;
        if !self.shared.contains(name) || arguments.specifier.ends_with(".json") {
            return None;
        }
        let found = self.package_directory(arguments.importer?, name)?;
        if found != self.fence.directory().join("node_modules").join(name) {
            return None;
        }
        // A package that comes in two forms is two instances in Node, too: one for `import`, one for `require`.
        if arguments.kind == ImportKind::Require && is_dual(&manifest(&found)?) {
            return None;
        }
        self.seen().shared_imports.insert(arguments.specifier.to_owned());
        Some(format!("{PLACEHOLDER}{}", arguments.specifier))
    }

    /// The built-in behind a name of the package's own, `#name`: its manifest may send one there, as Node has it.
    fn own_name_of_builtin(&self, arguments: &HookResolveIdArgs<'_>) -> Option<String> {
        if !arguments.specifier.starts_with('#') {
            return None;
        }
        let inside = Path::new(arguments.importer?).ancestors().skip(1);
        let mut inside = inside.take_while(|parent| parent.starts_with(self.fence.directory()));
        let manifest = inside.find_map(manifest)?;
        let by_kind = if arguments.kind == ImportKind::Require { "require" } else { "import" };
        let conditions = ["deno", "node", by_kind, "default"];
        builtin(target(manifest.get("imports")?.get(arguments.specifier)?, &conditions)?)
    }

    /// For a `require` of a package that names an ES module for bundlers: the path of what Node would load.
    fn required_main(&self, arguments: &HookResolveIdArgs<'_>) -> Option<String> {
        let (name, None) = split(arguments.specifier)? else { return None };
        let manifest = manifest(&self.package_directory(arguments.importer?, name)?)?;
        if manifest.get("exports").is_some() || manifest.get("module").is_none() {
            return None;
        }
        let main = manifest.get("main").and_then(Value::as_str).unwrap_or("index.js");
        Some(format!("{name}/{}", main.trim_start_matches("./")))
    }

    /// Lets the bundler resolve an import as it does, unless that leads outside of the fence.
    async fn fenced(&self, context: &PluginContext, arguments: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        let specifier = arguments.specifier;
        if !names_a_place(specifier) {
            let options = PluginContextResolveOptions {
                import_kind: arguments.kind,
                is_entry: arguments.is_entry,
                skip_self: true,
                custom: Arc::clone(&arguments.custom),
            };
            let resolved = match context.resolve(specifier, arguments.importer, Some(options)).await? {
                Ok(resolved) if !resolved.external.is_external() => resolved.id,
                Err(ResolveError::Json(error)) => {
                    let place = format!("{} (line {}, column {})", error.message, error.line, error.column);
                    self.seen().malformed.insert((error.path, place));
                    return Ok(None);
                }
                Err(ResolveError::InvalidPackageTarget(target, _, manifest)) if leads_out(&target) => {
                    return Ok(Some(self.refuse(arguments, Some((target, manifest)))));
                }
                Err(error)
                    if arguments.is_entry
                        && !matches!(
                            error,
                            ResolveError::NotFound(_) | ResolveError::PackagePathNotExported { .. }
                        ) =>
                {
                    self.seen().unresolvable.insert((specifier.to_owned(), error.to_string()));
                    return Ok(None);
                }
                // What leads nowhere is reported by the bundler itself; an external is no file.
                Ok(_) | Err(_) => return Ok(None),
            };
            if resolved.starts_with('\0') || self.fence.admits(&resolved) {
                return Ok(None);
            }
            if self.is_absent(arguments.importer, specifier) {
                return Ok(Some(external(specifier.to_owned())));
            }
        }
        Ok(Some(self.refuse(arguments, None)))
    }

    fn refuse(&self, arguments: &HookResolveIdArgs<'_>, target: Option<(String, PathBuf)>) -> HookResolveIdOutput {
        let specifier = arguments.specifier.to_owned();
        let importer = arguments.importer.map(str::to_owned);
        self.seen().refusals.insert(Refusal { importer, specifier: specifier.clone(), target });
        external(specifier)
    }

    /// True for the name of a package that does not lie in the tree: a bundler goes on to look for it in every
    /// directory around the tree, and may find one there that has nothing to do with this package.
    fn is_absent(&self, importer: Option<&str>, specifier: &str) -> bool {
        let climbs = specifier.split('/').any(|segment| segment == "..");
        let from = importer.map_or_else(|| self.fence.directory().join("entry").display().to_string(), str::to_owned);
        split(specifier).is_some_and(|(name, _)| !climbs && self.package_directory(&from, name).is_none())
    }

    fn named_source(&self, specifier: &str) -> Option<String> {
        let named = self.named.get(specifier)?;
        let original = Value::from(format!("{ORIGINAL}{specifier}"));
        let mut source = format!(
            "const whole = require({original});\nexport default whole;\nexport {{ whole as \"module.exports\" }};\n"
        );
        for (index, name) in named.names.iter().enumerate() {
            // Writing into a string cannot fail.
            let _ = writeln!(source, "const e{index} = whole.{name};\nexport {{ e{index} as {name} }};");
        }
        Some(source)
    }
}

impl Plugin for PackagePlugin {
    fn name(&self) -> Cow<'static, str> {
        "mangrove:package".into()
    }

    async fn resolve_id(&self, context: &PluginContext, arguments: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        let specifier = arguments.specifier;
        if arguments.is_entry {
            return match specifier.strip_prefix(NAMED_ENTRY) {
                Some(entry) => Ok(Some(HookResolveIdOutput::from_id(format!("{NAMED_ID}{entry}")))),
                None => self.fenced(context, arguments).await,
            };
        }
        if let Some(entry) = specifier.strip_prefix(ORIGINAL) {
            return Ok(self.named.get(entry).map(|named| HookResolveIdOutput::from_id(named.id.clone())));
        }
        if specifier.starts_with(PLACEHOLDER) {
            return Ok(Some(external(specifier.to_owned())));
        }
        if let Some(target) =
            self.shared(arguments).or_else(|| builtin(specifier)).or_else(|| self.own_name_of_builtin(arguments))
        {
            return Ok(Some(if arguments.kind == ImportKind::Require {
                HookResolveIdOutput::from_id(format!("{REQUIRE_ID}{target}"))
            } else {
                external(target)
            }));
        }
        if arguments.kind == ImportKind::Require
            && let Some(main) = self.required_main(arguments)
        {
            let options = PluginContextResolveOptions { import_kind: ImportKind::Require, ..Default::default() };
            if let Ok(resolved) = context.resolve(&main, arguments.importer, Some(options)).await? {
                let id = resolved.id.to_string();
                return Ok(Some(if self.fence.admits(&id) {
                    HookResolveIdOutput::from_id(id)
                } else {
                    self.refuse(arguments, None)
                }));
            }
        }
        self.fenced(context, arguments).await
    }

    async fn load(&self, _context: SharedLoadPluginContext, arguments: &HookLoadArgs<'_>) -> HookLoadReturn {
        let code = if let Some(entry) = arguments.id.strip_prefix(NAMED_ID) {
            self.named_source(entry)
        } else if arguments.id.starts_with('\0') {
            arguments.id.strip_prefix(REQUIRE_ID).map(required_source)
        } else if self.fence.admits(arguments.id) {
            None
        } else {
            // Whatever made it a module: what is outside is not read.
            let refusal = Refusal { importer: None, specifier: arguments.id.to_owned(), target: None };
            self.seen().refusals.insert(refusal);
            return Err(std::io::Error::other("outside of the package").into());
        };
        Ok(code.map(|code| HookLoadOutput { code: code.into(), ..HookLoadOutput::default() }))
    }

    async fn module_parsed(
        &self,
        _context: &PluginContext,
        info: Arc<ModuleInfo>,
        _module: &NormalModule,
    ) -> HookNoopReturn {
        if !info.input_format.is_esm() {
            self.seen().common_js.insert(info.id.to_string());
        }
        Ok(())
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId | HookUsage::Load | HookUsage::ModuleParsed
    }
}

/// A module that a `require` gets in the place of something external, which can only be imported.
fn required_source(target: &str) -> String {
    let quoted = Value::from(target);
    if target.starts_with(PLACEHOLDER) {
        format!(
            "import * as whole from {quoted};\n\
             module.exports = \"module.exports\" in whole ? whole[\"module.exports\"] : whole;\n"
        )
    } else {
        format!("import whole from {quoted};\nmodule.exports = whole;\n")
    }
}

/// True for what a `package.json` names that can be no file of its package, whatever is there.
fn leads_out(target: &str) -> bool {
    names_a_place(target) || target.split(['/', '\\']).any(|segment| segment == "..")
}

fn external(target: String) -> HookResolveIdOutput {
    HookResolveIdOutput {
        id: target.into(),
        external: Some(ResolvedExternal::Bool(true)),
        normalize_external_id: Some(false),
        ..HookResolveIdOutput::default()
    }
}

/// Package name and sub-path of a bare specifier.
fn split(specifier: &str) -> Option<(&str, Option<&str>)> {
    if specifier.starts_with(['.', '/', '#', '\0']) || specifier.contains(':') {
        return None;
    }
    let scope = if specifier.starts_with('@') { specifier.find('/')? + 1 } else { 0 };
    Some(match specifier[scope..].find('/') {
        Some(slash) => (&specifier[..scope + slash], Some(&specifier[scope + slash + 1..])),
        None => (specifier, None),
    })
}

fn manifest(directory: &Path) -> Option<Value> {
    let path = directory.join("package.json");
    serde_json::from_slice(&read::bytes(path, Within::Root(directory), FileKind::Document).ok()?).ok()
}

/// True if a package offers one form to `import` and another one to `require`.
fn is_dual(manifest: &Value) -> bool {
    match manifest.get("exports") {
        Some(exports) => has_key(exports, "require"),
        None => manifest.get("module").is_some(),
    }
}

fn has_key(value: &Value, wanted: &str) -> bool {
    value.as_object().is_some_and(|object| object.iter().any(|(key, inner)| key == wanted || has_key(inner, wanted)))
}

/// What a member of `imports` leads to under these conditions: the first that is met, in the order of the manifest.
fn target<'v>(value: &'v Value, conditions: &[&str]) -> Option<&'v str> {
    match value {
        Value::String(target) => Some(target),
        Value::Array(choices) => choices.iter().find_map(|choice| target(choice, conditions)),
        Value::Object(members) => members
            .iter()
            .filter(|(condition, _)| conditions.contains(&condition.as_str()))
            .find_map(|(_, choice)| target(choice, conditions)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The built-in that a specifier names, with its `node:`. A package of the same name is reached as `name/`.
pub(super) fn builtin(specifier: &str) -> Option<String> {
    if specifier.starts_with("node:") {
        return Some(specifier.to_owned());
    }
    builtin_modules::is_bare(specifier).then(|| format!("node:{specifier}"))
}
