//! Extension bundles: one module from the bytes that were hashed.

mod common_js;
mod data_modules;
mod ids;
mod imports;
mod offers;
mod package_imports;
mod refusal;
mod settings;
mod sources;
mod unlike_deno;

use std::{
    borrow::Cow,
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::Bundle,
    failure::Fault,
    fingerprint::{Line, Part},
    module_graph::EdgeTarget,
    outage::Outages,
    package::PackageRequest,
    ports::{BuildFailure, BundleRequest, Bundler},
    problem::Code,
    route::Route,
};
use mangrove_engine::builtin_modules;
use rolldown_common::{
    EcmaModuleAstUsage, ImportKind, ModuleInfo, ModuleType, NormalModule, Output, OutputChunk, ResolvedExternal,
};
use rolldown_plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookNoopReturn, HookResolveIdArgs, HookResolveIdOutput,
    HookResolveIdReturn, HookTransformArgs, HookTransformAstArgs, HookTransformAstReturn, HookTransformOutput,
    HookTransformOutputMap, HookTransformReturn, HookUsage, Plugin, PluginContext, SharedLoadPluginContext,
    SharedTransformPluginContext,
};
use tokio::runtime::Runtime;

use self::{
    ids::{ADDRESS, ROOT, VENDOR, id},
    imports::{json_module, locate, module_type},
    refusal::Refusal,
    sources::Sources,
};
use super::{
    diagnostics::{self, Finding},
    fence::names_a_place,
    lowering,
    prune::prune,
    requirements, runtime, source_map, spreads,
    vendor::made_up::{self, REQUIRE_ID},
};

/// Moves when our use of the bundler changes what comes out of it.
const FORMAT: &str = "5";

/// The bundler and its version.
pub const VERSION: &str = "rolldown 1.2.5";

/// Ends the id of a file that is read as text whatever its extension says.
const AS_TEXT: &str = "?text";

/// The bundler part of a fingerprint.
#[must_use]
pub fn identity() -> Part {
    Part::of([
        Line::new("adapter", "embedded"),
        Line::new("version", VERSION),
        Line::new("bundle-format", FORMAT),
        Line::new("vendor-format", super::vendor::FORMAT),
    ])
}

/// Builds one bundle in this process, blocking. Hostile input can end the process: see `crate::worker`.
///
/// # Errors
/// [`BuildFailure`] with every error that was found, sorted by place.
///
/// # Panics
/// If it is called from async code; [`InProcess`] may be.
pub fn bundle_in_process(request: &BundleRequest) -> Result<Bundle, BuildFailure> {
    bundle_on(runtime::shared()?, request)
}

/// The bundler without a process around it; for tests and for input that is trusted.
#[derive(Clone, Copy, Debug, Default)]
pub struct InProcess;

#[async_trait]
impl Bundler for InProcess {
    async fn route(&self, _request: &PackageRequest) -> Route {
        Route::prepared(identity())
    }

    async fn bundle(&self, request: BundleRequest, _outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        mangrove_fs::blocking(move || bundle_in_process(&request)).await.unwrap_or_else(|error| {
            let message = format!("the bundler panicked: {error}");
            Err(Fault::deterministic(Code::WORKER_CRASHED, "worker", message).into())
        })
    }
}

fn bundle_on(runtime: &Runtime, request: &BundleRequest) -> Result<Bundle, BuildFailure> {
    let sources = Arc::new(Sources::of(request)?);
    let generated = match generated(runtime, request, &sources, false) {
        Err(failed) if failed.is_of_assignments => generated(runtime, request, &sources, true),
        first => first,
    };
    let Generated { chunk, waiting } = generated.map_err(|failed| failed.failure)?;
    let missing = offers::missing(request, &chunk.code);
    if !missing.is_empty() {
        return Err(diagnostics::failure(missing));
    }
    let (mut code, kept_lines) = prune(&chunk.code);
    let requirements = requirements::of(&code).into_iter().collect();
    if let Some(map) = &chunk.map {
        if !code.ends_with('\n') {
            code.push('\n');
        }
        code.push_str(&source_map::comment(map, &kept_lines));
    }
    let remarks =
        sources.remarks.iter().cloned().chain(unlike_deno::waits(request, &sources.files, &waiting)).collect();
    Ok(Bundle { code, requirements, remarks })
}

/// What came out.
struct Generated {
    chunk: Arc<OutputChunk>,
    /// The ids of modules with an `await` at their top.
    waiting: BTreeSet<String>,
}

/// No chunk came out.
struct Failed {
    failure: BuildFailure,
    /// Assignments to constants are among the reasons: the language says so only when they are made.
    is_of_assignments: bool,
}

impl From<BuildFailure> for Failed {
    fn from(failure: BuildFailure) -> Self {
        Self { failure, is_of_assignments: false }
    }
}

/// What the bundler makes of a request.
fn generated(
    runtime: &Runtime,
    request: &BundleRequest,
    sources: &Arc<Sources>,
    has_wrong_assignments: bool,
) -> Result<Generated, Failed> {
    let options = settings::options(request, &sources.entry)?;
    let plugin =
        Arc::new(SourcePlugin { sources: Arc::clone(sources), has_wrong_assignments, ..SourcePlugin::default() });
    let plugins: Vec<Arc<dyn rolldown_plugin::Pluginable>> = vec![plugin.clone()];
    let outcome = runtime.block_on(async {
        let mut bundler = rolldown::Bundler::with_plugins(options, plugins)?;
        let output = bundler.generate().await;
        // What holds the request's bytes is let go here, not when the bundler's caches are.
        let closed = bundler.close().await;
        output.and_then(|output| closed.map(|()| output))
    });
    let mut findings = plugin.findings();
    let output = match outcome {
        Ok(output) if findings.is_empty() => output,
        Ok(_) => return Err(diagnostics::failure(findings).into()),
        Err(batch) => {
            let is_of_assignments = batch.iter().any(|diagnostic| diagnostics::is_of_assignment(diagnostic.kind()));
            findings.extend(diagnostics::findings(batch, Path::new(ROOT), &|file| sources.text(file)));
            diagnostics::sort(&mut findings);
            return Err(Failed { failure: diagnostics::failure(findings), is_of_assignments });
        }
    };
    let chunk = output.assets.into_iter().find_map(|asset| match asset {
        Output::Chunk(chunk) if chunk.is_entry => Some(chunk),
        Output::Chunk(_) | Output::Asset(_) => None,
    });
    let waiting = std::mem::take(&mut *plugin.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    chunk.map(|chunk| Generated { chunk, waiting }).ok_or_else(|| {
        let fault = Fault::environment(Code::BUNDLE_FAILED, "bundler", "the bundler gave no entry chunk");
        BuildFailure::from(fault).into()
    })
}

/// Answers every question of the bundler from the request.
#[derive(Debug, Default)]
struct SourcePlugin {
    sources: Arc<Sources>,
    /// Whether assignments to constants are changed.
    has_wrong_assignments: bool,
    /// Importer's id and specifier of what was refused. The build goes on with an external in its place, so
    /// that all of them are found at once.
    refusals: Mutex<BTreeSet<(String, String, Refusal)>>,
    /// The ids of modules with an `await` at their top.
    waiting: Mutex<BTreeSet<String>>,
}

impl SourcePlugin {
    fn resolve(&self, importer: Option<&str>, specifier: &str, kind: ImportKind) -> HookResolveIdOutput {
        let Some(importer) = importer else {
            return HookResolveIdOutput::from_id(specifier);
        };
        if importer.starts_with(VENDOR) {
            return match self.sources.inlined(importer, specifier) {
                Some(id) => HookResolveIdOutput::from_id(id),
                // Vendor files were linked when they were made: what is left is built in.
                None => external(specifier.to_owned()),
            };
        }
        if let (Some(_), Some(file)) = (common_js::file_of(importer), common_js::original(specifier)) {
            return HookResolveIdOutput::from_id(file);
        }
        let importer = importer.split_once(ADDRESS).map_or(importer, |(file, _)| file);
        if kind == ImportKind::Require
            && self.sources.common_js.contains_key(importer)
            && builtin_modules::is_built_in(specifier)
        {
            let name = specifier.trim_start_matches("node:");
            return HookResolveIdOutput::from_id(format!("{REQUIRE_ID}node:{name}"));
        }
        if data_modules::is_data(importer) {
            return self.resolve_in_data(importer, specifier);
        }
        let edge = self.sources.edges.get(&(importer.to_owned(), specifier.to_owned()));
        let is_unserved = self.sources.unserved.contains_key(&(importer.to_owned(), specifier.to_owned()));
        let refusal = match edge {
            _ if is_unserved => Refusal::Unserved,
            Some(EdgeTarget::File(path)) if path.as_str().ends_with(".wasm") => Refusal::Unserved,
            Some(EdgeTarget::File(path)) => {
                let mut target = id(path.as_str());
                if self.sources.files.contains_key(&target) {
                    if let Some(at) = specifier.find(['?', '#']) {
                        target = format!("{target}{ADDRESS}{}", &specifier[at..]);
                    }
                    let is_text = self.sources.texts.contains(&(importer.to_owned(), specifier.to_owned()));
                    let is_common_js = self.sources.common_js.contains_key(&id(path.as_str()));
                    return HookResolveIdOutput::from_id(match kind {
                        _ if is_text => target + AS_TEXT,
                        ImportKind::Import | ImportKind::DynamicImport if is_common_js => common_js::entry_of(&target),
                        _ => target,
                    });
                }
                Refusal::Missing
            }
            Some(EdgeTarget::External(address)) if data_modules::is_data(address) => {
                let is_text = self.sources.texts.contains(&(importer.to_owned(), specifier.to_owned()));
                if data_modules::read(address).is_some() {
                    let suffix = if is_text { AS_TEXT } else { "" };
                    return HookResolveIdOutput::from_id(format!("{address}{suffix}"));
                }
                Refusal::Unreadable
            }
            // Also for Deno, which would read it: each import that leads outside passes through here first.
            Some(EdgeTarget::External(target)) if names_a_place(target) => Refusal::OutsideRoot,
            Some(EdgeTarget::External(mapped)) => match self.sources.external(mapped) {
                Some(target) => return self.outside(self.sources.widened(importer, specifier, target)),
                None => Refusal::Unsupported,
            },
            // Code may ask for a file that need not be there; whoever waits for it is told.
            Some(EdgeTarget::Missing) if kind == ImportKind::DynamicImport => return external(specifier.to_owned()),
            Some(EdgeTarget::Missing) => Refusal::Missing,
            Some(EdgeTarget::OutsideRoot) => Refusal::OutsideRoot,
            None if lowering::helper(specifier).is_some() => return HookResolveIdOutput::from_id(specifier),
            // Not written in the file: the runtime that a JSX transform imports, or a call of `require`.
            None => {
                match self.sources.external(specifier).or_else(|| self.sources.external(&format!("npm:{specifier}"))) {
                    Some(target) => return self.outside(target),
                    None if kind == ImportKind::Require => Refusal::Required,
                    None => Refusal::Unsupported,
                }
            }
        };
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.insert((importer.to_owned(), specifier.to_owned(), refusal));
        external(specifier.to_owned())
    }

    /// What a module imports that stands in its own address: others like it, and what is built in.
    fn resolve_in_data(&self, importer: &str, specifier: &str) -> HookResolveIdOutput {
        if lowering::helper(specifier).is_some() || data_modules::is_data(specifier) {
            return HookResolveIdOutput::from_id(specifier);
        }
        if builtin_modules::is_built_in(specifier) {
            return external(format!("node:{}", specifier.trim_start_matches("node:")));
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.insert((importer.to_owned(), specifier.to_owned(), Refusal::InData));
        external(specifier.to_owned())
    }

    /// What is imported from outside: a file that goes in, or something that stays there.
    fn outside(&self, target: String) -> HookResolveIdOutput {
        match self.sources.inlined("", &target) {
            Some(id) => HookResolveIdOutput::from_id(id),
            None => external(target),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut findings: Vec<Finding> = refusals
            .iter()
            .map(|(importer, specifier, refusal)| {
                let path = importer.strip_prefix(ROOT).unwrap_or(importer).trim_start_matches('/');
                let text = self.sources.text(path).unwrap_or_default();
                let position = locate(path, &text, specifier);
                diagnostics::at(refusal.fault(&self.sources, importer, specifier), position, &text)
            })
            .collect();
        diagnostics::sort(&mut findings);
        findings
    }
}

fn external(target: String) -> HookResolveIdOutput {
    HookResolveIdOutput {
        id: target.into(),
        external: Some(ResolvedExternal::Bool(true)),
        normalize_external_id: Some(false),
        ..HookResolveIdOutput::default()
    }
}

impl Plugin for SourcePlugin {
    fn name(&self) -> Cow<'static, str> {
        "mangrove:sources".into()
    }

    async fn resolve_id(&self, _context: &PluginContext, arguments: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        // What stands in the place of a `require` of something built in imports that.
        if arguments.importer.is_some_and(|id| id.starts_with(REQUIRE_ID)) {
            return Ok(Some(external(arguments.specifier.to_owned())));
        }
        // The bundler's own helpers have ids that start with NUL.
        if arguments.specifier.starts_with('\0') || arguments.importer.is_some_and(|id| id.starts_with('\0')) {
            return Ok(None);
        }
        Ok(Some(self.resolve(arguments.importer, arguments.specifier, arguments.kind)))
    }

    async fn load(&self, _context: SharedLoadPluginContext, arguments: &HookLoadArgs<'_>) -> HookLoadReturn {
        let of_common_js = common_js::file_of(arguments.id).and_then(|target| {
            let (file, _) = self.sources.file(target)?;
            Some(common_js::entry(target, self.sources.common_js.get(file)?))
        });
        let made_up = of_common_js
            .or_else(|| arguments.id.strip_prefix(REQUIRE_ID).map(made_up::required))
            .or_else(|| lowering::helper(arguments.id).map(str::to_owned));
        if let Some(code) = made_up {
            return Ok(Some(HookLoadOutput {
                code: code.into(),
                module_type: Some(ModuleType::Js),
                ..HookLoadOutput::default()
            }));
        }
        if arguments.id.starts_with('\0') {
            return Ok(None);
        }
        if data_modules::is_data(arguments.id) {
            let (address, is_text) = arguments.id.strip_suffix(AS_TEXT).map_or((arguments.id, false), |it| (it, true));
            let Some(module) = data_modules::read(address) else {
                return Err(plugin_error(format!("{address} holds no text")));
            };
            let (code, kind) = module.loaded(is_text);
            return Ok(Some(HookLoadOutput {
                code: code.into(),
                module_type: Some(kind),
                ..HookLoadOutput::default()
            }));
        }
        let as_text = arguments.id.strip_suffix(AS_TEXT).filter(|file| self.sources.file(file).is_some());
        let Some((file, text)) = self.sources.file(as_text.unwrap_or(arguments.id)) else {
            // Never a look at the disk: what the request does not hold does not exist.
            return Err(plugin_error(format!("{} is not part of the request", arguments.id)));
        };
        if as_text.is_none()
            && let Some(code) = json_module(file, text)
        {
            return Ok(Some(HookLoadOutput {
                code: code.as_str().into(),
                module_type: Some(ModuleType::Js),
                ..HookLoadOutput::default()
            }));
        }
        Ok(Some(HookLoadOutput {
            code: text.as_ref().into(),
            module_type: Some(if as_text.is_some() { ModuleType::Text } else { module_type(file) }),
            ..HookLoadOutput::default()
        }))
    }

    async fn transform(
        &self,
        _context: SharedTransformPluginContext,
        arguments: &HookTransformArgs<'_>,
    ) -> HookTransformReturn {
        let is_script =
            matches!(arguments.module_type, ModuleType::Ts | ModuleType::Tsx | ModuleType::Js | ModuleType::Jsx);
        if !is_script {
            return Ok(None);
        }
        let (file, behind) = arguments.id.split_once(ADDRESS).unwrap_or((arguments.id, ""));
        let (path, address) = if let Some(path) = file.strip_prefix(ROOT).and_then(|path| path.strip_prefix('/')) {
            (path, lowering::import_meta::address(path, behind))
        } else if data_modules::is_data(arguments.id) {
            let module = data_modules::read(arguments.id);
            module.map_or(("", None), |module| (module.file_name, Some(module.address)))
        } else {
            ("", None)
        };
        let Some(address) = address else { return Ok(None) };
        let has_legacy_decorators = self.sources.has_legacy_decorators;
        let source = lowering::Source {
            path,
            address: &address,
            text: arguments.code,
            has_wrong_assignments: self.has_wrong_assignments,
            has_legacy_decorators,
        };
        let lowered = lowering::lower(source);
        Ok(lowered.map(|(code, map)| HookTransformOutput {
            code: Some(code),
            map: HookTransformOutputMap::Sourcemap(Box::new(map)),
            ..HookTransformOutput::default()
        }))
    }

    async fn transform_ast(
        &self,
        _context: &PluginContext,
        mut arguments: HookTransformAstArgs<'_>,
    ) -> HookTransformAstReturn {
        arguments.ast.program.with_mut(|fields| spreads::lower(fields.program, fields.allocator));
        Ok(arguments.ast)
    }

    async fn module_parsed(
        &self,
        _context: &PluginContext,
        info: Arc<ModuleInfo>,
        module: &NormalModule,
    ) -> HookNoopReturn {
        if module.ast_usage.contains(EcmaModuleAstUsage::TopLevelAwait) {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(info.id.to_string());
        }
        Ok(())
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId
            | HookUsage::Load
            | HookUsage::Transform
            | HookUsage::TransformAst
            | HookUsage::ModuleParsed
    }
}

fn plugin_error<E: From<std::io::Error>>(message: String) -> E {
    std::io::Error::other(message).into()
}

#[cfg(test)]
mod offers_tests;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod unlike_deno_tests;
