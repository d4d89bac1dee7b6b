//! Where imports lead inside a package that is being built.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mangrove_engine::builtin_modules;
use mangrove_fs::read::{self, FileKind, Within};
use rolldown_common::{
    ImportKind, ModuleInfo, ModuleType, NormalModule, RUNTIME_MODULE_KEY, ResolvedExternal,
    side_effects::HookSideEffects,
};
use rolldown_plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookNoopReturn, HookResolveIdArgs, HookResolveIdOutput,
    HookResolveIdReturn, HookTransformArgs, HookTransformAstArgs, HookTransformAstReturn, HookTransformOutput,
    HookTransformOutputMap, HookTransformReturn, HookUsage, Plugin, PluginContext, PluginContextResolveOptions,
    SharedLoadPluginContext, SharedTransformPluginContext,
};
use rolldown_resolver::ResolveError;
use serde_json::Value;

use super::{
    super::{
        fence::{Fence, names_a_place},
        links, spreads,
    },
    PLACEHOLDER,
    made_up::{self, ABSENT_ID, Forms, MEMBERS_ENTRY, NAMED_ENTRY, NATIVE, ORIGINAL, REQUIRE_ID},
    runtime_module, scripts,
    seen::{Refusal, Seen},
};

/// Keeps shared packages and the engine's own modules outside, and gives `CommonJS` entries their names.
#[derive(Debug)]
pub(super) struct PackagePlugin {
    fence: Fence,
    shared: BTreeSet<String>,
    forms: Forms,
    seen: Mutex<Seen>,
}

impl PackagePlugin {
    pub(super) fn new(fence: Fence, shared: &BTreeSet<String>, forms: Forms) -> Self {
        Self { fence, shared: shared.clone(), forms, seen: Mutex::default() }
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
        let conditions = ["deno", "node", "module-sync", by_kind, "default"];
        builtin(target(manifest.get("imports")?.get(arguments.specifier)?, &conditions)?)
    }

    /// Lets the bundler resolve an import as it does, unless that leads outside of the fence or nowhere.
    async fn fenced(&self, context: &PluginContext, arguments: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        let specifier = arguments.specifier;
        if names_a_place(specifier) {
            return Ok(Some(self.refuse(arguments, None)));
        }
        let options = PluginContextResolveOptions {
            import_kind: arguments.kind,
            is_entry: arguments.is_entry,
            skip_self: true,
            custom: Arc::clone(&arguments.custom),
        };
        match context.resolve(specifier, arguments.importer, Some(options)).await? {
            Ok(resolved) if resolved.external.is_external() => Ok(None),
            Ok(resolved) if resolved.id.starts_with('\0') => Ok(None),
            Ok(resolved) if self.fence.admits(&resolved.id) => {
                self.note(arguments, &resolved.id);
                Ok(None)
            }
            Ok(_) if self.is_absent(arguments.importer, specifier) => Ok(Some(self.absent(arguments))),
            Ok(_) => Ok(Some(self.refuse(arguments, None))),
            Err(ResolveError::Builtin { resolved, .. }) => Ok(Some(outside(arguments.kind, resolved))),
            Err(ResolveError::Json(error)) => {
                let place = format!("{} (line {}, column {})", error.message, error.line, error.column);
                self.seen().malformed.insert((error.path, place));
                Ok(None)
            }
            Err(ResolveError::InvalidPackageTarget(target, _, manifest)) if leads_out(&target) => {
                Ok(Some(self.refuse(arguments, Some((target, manifest)))))
            }
            Err(ResolveError::NotFound(_) | ResolveError::PackagePathNotExported { .. }) if arguments.is_entry => {
                Ok(None)
            }
            Err(error) if arguments.is_entry => {
                self.seen().unresolvable.insert((specifier.to_owned(), error.to_string()));
                Ok(None)
            }
            Err(error) => match arguments.kind {
                // Node finds out when the code gets there, and packages rely on that.
                ImportKind::Require | ImportKind::DynamicImport => Ok(Some(self.absent(arguments))),
                ImportKind::Import if matches!(error, ResolveError::NotFound(_)) && !specifier.starts_with('.') => {
                    Ok(Some(self.absent(arguments)))
                }
                // What leads nowhere is reported by the bundler itself.
                _ => Ok(None),
            },
        }
    }

    /// Remembers where an import leads.
    fn note(&self, arguments: &HookResolveIdArgs<'_>, id: &str) {
        let mut seen = self.seen();
        match (arguments.importer, arguments.kind) {
            _ if arguments.is_entry => {
                seen.entries.insert(id.to_owned());
            }
            (Some(importer), ImportKind::Require) => {
                seen.requires.insert((importer.to_owned(), arguments.specifier.to_owned()), id.to_owned());
            }
            (Some(importer), ImportKind::Import) => {
                let imports = seen.imports.entry(importer.to_owned()).or_default();
                imports.insert(arguments.specifier.to_owned(), id.to_owned());
            }
            _ => {}
        }
    }

    /// What stands in the place of what is not installed: a module that throws when it is asked for.
    fn absent(&self, arguments: &HookResolveIdArgs<'_>) -> HookResolveIdOutput {
        let specifier = arguments.specifier;
        if let (Some(importer), ImportKind::Import) = (arguments.importer, arguments.kind) {
            self.seen().absent.insert((importer.to_owned(), specifier.to_owned()));
        }
        let kind = if arguments.kind == ImportKind::Require { "require" } else { "import" };
        HookResolveIdOutput::from_id(format!("{ABSENT_ID}{kind}:{specifier}"))
    }

    fn refuse(&self, arguments: &HookResolveIdArgs<'_>, target: Option<(String, PathBuf)>) -> HookResolveIdOutput {
        let specifier = arguments.specifier.to_owned();
        let importer = arguments.importer.map(str::to_owned);
        self.seen().refusals.insert(Refusal { importer, specifier: specifier.clone(), target });
        external(specifier)
    }

    /// The text of a module that does what Node would make of it, if the bundler would make something else.
    fn as_in_node(&self, arguments: &HookTransformArgs<'_>) -> Option<String> {
        let path = Path::new(arguments.id);
        if *arguments.module_type != ModuleType::Js || !self.fence.is_inside(path) {
            return None;
        }
        if is_common_js(path, self.fence.directory()) {
            let directory = path.parent()?;
            let files = |below: &str| {
                let is_inside = self.fence.is_inside(&directory.join(below));
                if is_inside { scripts::modules_below(path, below) } else { Vec::new() }
            };
            let name = path.strip_prefix(self.fence.directory()).unwrap_or(path).display().to_string();
            let script = scripts::adapted(arguments.code, name.trim_start_matches("node_modules/"), files);
            if script.is_some() {
                return script;
            }
        }
        if !arguments.code.contains("typeof require") {
            return None;
        }
        scripts::without_require(arguments.code, is_module(path, self.fence.directory()))
    }

    /// True for the name of a package that does not lie in the tree: a bundler goes on to look for it in every
    /// directory around the tree, and may find one there that has nothing to do with this package.
    fn is_absent(&self, importer: Option<&str>, specifier: &str) -> bool {
        let climbs = specifier.split('/').any(|segment| segment == "..");
        let from = importer.map_or_else(|| self.fence.directory().join("entry").display().to_string(), str::to_owned);
        split(specifier).is_some_and(|(name, _)| !climbs && self.package_directory(&from, name).is_none())
    }
}

impl Plugin for PackagePlugin {
    fn name(&self) -> Cow<'static, str> {
        "mangrove:package".into()
    }

    async fn resolve_id(&self, context: &PluginContext, arguments: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        let specifier = arguments.specifier;
        if arguments.is_entry {
            let is_made_up = [NAMED_ENTRY, MEMBERS_ENTRY].iter().any(|prefix| specifier.starts_with(prefix));
            if is_made_up {
                return Ok(Some(HookResolveIdOutput::from_id(format!("\0{specifier}"))));
            }
            return self.fenced(context, arguments).await;
        }
        if specifier == scripts::RUNNER {
            return Ok(Some(HookResolveIdOutput::from_id(scripts::RUNNER_ID)));
        }
        if let Some(entry) = specifier.strip_prefix(ORIGINAL) {
            return Ok(self.forms.named.get(entry).map(|named| HookResolveIdOutput::from_id(named.id.clone())));
        }
        if specifier.starts_with(PLACEHOLDER) {
            return Ok(Some(external(specifier.to_owned())));
        }
        let target = self.shared(arguments).or_else(|| builtin(specifier));
        match target.or_else(|| self.own_name_of_builtin(arguments)) {
            Some(target) => Ok(Some(outside(arguments.kind, target))),
            None => self.fenced(context, arguments).await,
        }
    }

    async fn load(&self, _context: SharedLoadPluginContext, arguments: &HookLoadArgs<'_>) -> HookLoadReturn {
        let code = if arguments.id == scripts::RUNNER_ID {
            Some(scripts::RUNNER_SOURCE.to_owned())
        } else if let Some(made_up) = arguments.id.strip_prefix('\0') {
            let entry =
                |prefix: &str| made_up.strip_prefix(prefix).and_then(|entry| self.forms.named.get_key_value(entry));
            if let Some((entry, named)) = entry(NAMED_ENTRY) {
                Some(made_up::entry(entry, &named.form, false))
            } else if let Some((entry, named)) = entry(MEMBERS_ENTRY) {
                Some(made_up::entry(entry, &named.form, true))
            } else if let Some(target) = arguments.id.strip_prefix(REQUIRE_ID) {
                Some(made_up::required(target))
            } else {
                arguments.id.strip_prefix(ABSENT_ID).map(made_up::absent)
            }
        } else if !self.fence.admits(arguments.id) {
            // Whatever made it a module: what is outside is not read.
            let refusal = Refusal { importer: None, specifier: arguments.id.to_owned(), target: None };
            self.seen().refusals.insert(refusal);
            return Err(std::io::Error::other("outside of the package").into());
        } else if arguments.id.ends_with(NATIVE) {
            let path = Path::new(arguments.id);
            Some(made_up::native(&path.strip_prefix(self.fence.directory()).unwrap_or(path).display().to_string()))
        } else if arguments.id.ends_with(".json") {
            // Node reads JSON with a byte order mark; the bundler does not.
            let text = read::text(Path::new(arguments.id), Within::Root(self.fence.directory()), FileKind::Source).ok();
            let text = text.as_deref().and_then(|text| text.strip_prefix('\u{feff}'));
            let module_type = Some(ModuleType::Json);
            return Ok(text.map(|text| HookLoadOutput {
                code: text.to_owned().into(),
                module_type,
                ..HookLoadOutput::default()
            }));
        } else {
            None
        };
        let module_type = Some(ModuleType::Js);
        Ok(code.map(|code| HookLoadOutput { code: code.into(), module_type, ..HookLoadOutput::default() }))
    }

    async fn transform(
        &self,
        _context: SharedTransformPluginContext,
        arguments: &HookTransformArgs<'_>,
    ) -> HookTransformReturn {
        let may_hand_on = *arguments.module_type == ModuleType::Js
            && ["export *", "export*"].iter().any(|star| arguments.code.contains(star));
        if may_hand_on {
            self.seen().stars.insert(arguments.id.to_owned(), links::stars(arguments.code));
        }
        let code = if arguments.id == RUNTIME_MODULE_KEY {
            Some(runtime_module::adapted(arguments.code).map_err(std::io::Error::other)?)
        } else {
            let as_in_node = self.as_in_node(arguments);
            let handed_on = self.forms.handed_on.get(arguments.id);
            let handed_on =
                handed_on.map(|handed_on| format!("{}\n{handed_on}", as_in_node.as_deref().unwrap_or(arguments.code)));
            handed_on.or(as_in_node)
        };
        Ok(Some(HookTransformOutput {
            code,
            map: HookTransformOutputMap::Null,
            // What a module does while it loads counts, whatever `sideEffects` of its package says: only bundlers ask that.
            side_effects: (arguments.id != RUNTIME_MODULE_KEY).then_some(HookSideEffects::True),
            ..HookTransformOutput::default()
        }))
    }

    async fn module_parsed(
        &self,
        _context: &PluginContext,
        info: Arc<ModuleInfo>,
        _module: &NormalModule,
    ) -> HookNoopReturn {
        if info.input_format.is_esm() {
            let names = info.exports.iter().map(ToString::to_string).collect();
            self.seen().exports.insert(info.id.to_string(), names);
        } else {
            self.seen().common_js.insert(info.id.to_string());
        }
        Ok(())
    }

    async fn transform_ast(
        &self,
        _context: &PluginContext,
        mut arguments: HookTransformAstArgs<'_>,
    ) -> HookTransformAstReturn {
        arguments.ast.program.with_mut(|fields| spreads::lower(fields.program, fields.allocator));
        Ok(arguments.ast)
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId
            | HookUsage::Load
            | HookUsage::Transform
            | HookUsage::TransformAst
            | HookUsage::ModuleParsed
    }
}

/// True if a file may be a `CommonJS` module, by its name and the `type` of the manifest above it.
fn is_common_js(path: &Path, root: &Path) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("cjs") => true,
        Some("js") => !has_type_module(path, root),
        _ => false,
    }
}

/// True if a file is an ES module, whatever it says, by its name and the `type` of the manifest above it.
fn is_module(path: &Path, root: &Path) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("mjs") => true,
        Some("js") => has_type_module(path, root),
        _ => false,
    }
}

/// True if the manifest above a file makes it an ES module.
fn has_type_module(path: &Path, root: &Path) -> bool {
    let mut above = path.ancestors().skip(1).take_while(|parent| parent.starts_with(root));
    let manifest = above.find_map(manifest);
    manifest.is_some_and(|manifest| manifest.get("type").and_then(Value::as_str) == Some("module"))
}

/// What an import of something outside becomes; a `require` cannot have it as it is.
fn outside(kind: ImportKind, target: String) -> HookResolveIdOutput {
    if kind == ImportKind::Require {
        HookResolveIdOutput::from_id(format!("{REQUIRE_ID}{target}"))
    } else {
        external(target)
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
    manifest.get("exports").is_some_and(|exports| has_key(exports, "require"))
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
