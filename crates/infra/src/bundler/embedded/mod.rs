//! Extension bundles: one module from the bytes that were hashed.

mod data_modules;
mod imports;
mod offers;
mod package_imports;
mod sources;

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
use rolldown::{BundlerOptions, InputItem};
use rolldown_common::{
    ImportKind, ModuleType, Output, OutputChunk, ResolvedExternal,
    bundler_options::{
        AttachDebugInfo, ChecksOptions, CodeSplittingMode, ExperimentalOptions, InlineConstOption, LogLevel,
        OptimizationOption, OutputFormat, Platform, RawMinifyOptions, SourceMapType, TreeshakeOptions, TsConfig,
    },
};
use rolldown_plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookResolveIdArgs, HookResolveIdOutput, HookResolveIdReturn,
    HookTransformArgs, HookTransformAstArgs, HookTransformAstReturn, HookTransformOutput, HookTransformOutputMap,
    HookTransformReturn, HookUsage, Plugin, PluginContext, SharedLoadPluginContext, SharedTransformPluginContext,
};
use tokio::runtime::Runtime;

use self::{
    imports::{json_module, locate, module_type},
    sources::{ADDRESS, ROOT, Sources, VENDOR, id},
};
use super::{
    diagnostics::{self, Finding},
    fence::names_a_place,
    lowering,
    prune::prune,
    requirements, runtime, source_map, spreads,
};

/// Moves when our use of the bundler changes what comes out of it.
const FORMAT: &str = "4";

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
    let chunk = match generated(runtime, request, &sources, false) {
        Err(failed) if failed.is_of_assignments => generated(runtime, request, &sources, true),
        first => first,
    };
    let chunk = chunk.map_err(|failed| failed.failure)?;
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
    Ok(Bundle { code, requirements })
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

fn options(request: &BundleRequest, sources: &Sources) -> Result<BundlerOptions, BuildFailure> {
    Ok(BundlerOptions {
        input: Some(vec![InputItem { name: Some("bundle".to_owned()), import: sources.entry.clone() }]),
        cwd: Some(ROOT.into()),
        // What stands behind an unconditional `throw` is unreachable, and its exports are exports all the same.
        minify: Some(RawMinifyOptions::Bool(false)),
        // Source map paths are relative to the output directory.
        dir: Some(ROOT.to_owned()),
        entry_filenames: Some("bundle.js".to_owned().into()),
        format: Some(OutputFormat::Esm),
        platform: Some(Platform::Neutral),
        code_splitting: Some(CodeSplittingMode::Bool(false)),
        sourcemap: Some(SourceMapType::Hidden),
        tsconfig: Some(TsConfig::Auto(false)),
        transform: Some(super::options::transform(&request.graph.compiler_options)?),
        // Code tells errors apart by the names of their classes.
        keep_names: Some(true),
        // Both would evaluate constant expressions, with other results than the engines in places.
        treeshake: TreeshakeOptions::Boolean(false),
        optimization: Some(OptimizationOption {
            inline_const: Some(InlineConstOption::Bool(false)),
            ..OptimizationOption::default()
        }),
        experimental: Some(ExperimentalOptions {
            attach_debug_info: Some(AttachDebugInfo::None),
            ..ExperimentalOptions::default()
        }),
        checks: Some(ChecksOptions::default()),
        log_level: Some(LogLevel::Silent),
        ..BundlerOptions::default()
    })
}

/// What the bundler makes of a request.
fn generated(
    runtime: &Runtime,
    request: &BundleRequest,
    sources: &Arc<Sources>,
    has_wrong_assignments: bool,
) -> Result<Arc<OutputChunk>, Failed> {
    let options = options(request, sources)?;
    let plugin =
        Arc::new(SourcePlugin { sources: Arc::clone(sources), has_wrong_assignments, refusals: Mutex::default() });
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
    chunk.ok_or_else(|| {
        let fault = Fault::environment(Code::BUNDLE_FAILED, "bundler", "the bundler gave no entry chunk");
        BuildFailure::from(fault).into()
    })
}

/// Why an import is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    InData,
    Missing,
    OutsideRoot,
    Unreadable,
    Unsupported,
    Unserved,
}

/// Answers every question of the bundler from the request.
#[derive(Debug)]
struct SourcePlugin {
    sources: Arc<Sources>,
    /// Whether assignments to constants are changed.
    has_wrong_assignments: bool,
    /// Importer's id and specifier of what was refused. The build goes on with an external in its place, so
    /// that all of them are found at once.
    refusals: Mutex<BTreeSet<(String, String, Refusal)>>,
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
        let importer = importer.split_once(ADDRESS).map_or(importer, |(file, _)| file);
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
                    return HookResolveIdOutput::from_id(if is_text { target + AS_TEXT } else { target });
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
                diagnostics::at(self.fault(importer, specifier, *refusal), position, &text)
            })
            .collect();
        diagnostics::sort(&mut findings);
        findings
    }

    fn fault(&self, importer: &str, specifier: &str, refusal: Refusal) -> Fault {
        let edge = self.sources.edges.get(&(importer.to_owned(), specifier.to_owned()));
        match refusal {
            Refusal::InData => Fault::deterministic(
                Code::UNSUPPORTED_SPECIFIER,
                format!("import:{specifier}"),
                format!("a module that stands in a `data:` address cannot import `{specifier}`, only what is built in"),
            ),
            Refusal::Unreadable => Fault::deterministic(
                Code::UNSUPPORTED_SPECIFIER,
                "import:data:",
                format!("the address `{}…` holds no text", specifier.chars().take(40).collect::<String>()),
            ),
            Refusal::Missing => Fault::deterministic(
                Code::UNRESOLVED_IMPORT,
                format!("import:{specifier}"),
                format!("cannot find `{specifier}`"),
            ),
            Refusal::OutsideRoot => Fault::deterministic(
                Code::IMPORT_OUTSIDE_ROOT,
                format!("import:{specifier}"),
                format!("`{specifier}` leads outside the root"),
            ),
            Refusal::Unserved => {
                let what = self.sources.unserved.get(&(importer.to_owned(), specifier.to_owned()));
                Fault::deterministic(
                    Code::UNSUPPORTED_SPECIFIER,
                    format!("import:{specifier}"),
                    format!("`{specifier}`: {} cannot be bundled", what.copied().unwrap_or("a module of WebAssembly")),
                )
            }
            Refusal::Unsupported => {
                let mapped = match edge {
                    Some(EdgeTarget::External(mapped)) if mapped != specifier => format!(" (mapped to `{mapped}`)"),
                    Some(_) | None => String::new(),
                };
                Fault::environment(
                    Code::UNSUPPORTED_SPECIFIER,
                    format!("import:{specifier}"),
                    format!("the embedded bundler cannot serve `{specifier}`{mapped}"),
                )
            }
        }
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
        // The bundler's own helpers have ids that start with NUL.
        if arguments.specifier.starts_with('\0') || arguments.importer.is_some_and(|id| id.starts_with('\0')) {
            return Ok(None);
        }
        Ok(Some(self.resolve(arguments.importer, arguments.specifier, arguments.kind)))
    }

    async fn load(&self, _context: SharedLoadPluginContext, arguments: &HookLoadArgs<'_>) -> HookLoadReturn {
        if arguments.id.starts_with('\0') {
            return Ok(None);
        }
        if let Some(code) = lowering::helper(arguments.id) {
            return Ok(Some(HookLoadOutput {
                code: code.into(),
                module_type: Some(ModuleType::Js),
                ..HookLoadOutput::default()
            }));
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

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId | HookUsage::Load | HookUsage::Transform | HookUsage::TransformAst
    }
}

fn plugin_error<E: From<std::io::Error>>(message: String) -> E {
    std::io::Error::other(message).into()
}

#[cfg(test)]
mod offers_tests;

#[cfg(test)]
mod tests;
