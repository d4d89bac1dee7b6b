//! Extension bundles: one module from the bytes that were hashed.

mod imports;
mod offers;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::Bundle,
    failure::Fault,
    fingerprint::{Line, Part},
    module_graph::EdgeTarget,
    outage::Outages,
    package::{Offer, PackageRequest},
    ports::{BuildFailure, BundleRequest, Bundler},
    position::Position,
    problem::Code,
    route::Route,
};
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;
use rolldown::{BundlerOptions, InputItem};
use rolldown_common::{
    ModuleType, Output, ResolvedExternal,
    bundler_options::{
        AttachDebugInfo, ChecksOptions, CodeSplittingMode, ExperimentalOptions, LogLevel, OutputFormat, Platform,
        RawMinifyOptions, SourceMapType, TsConfig,
    },
};
use rolldown_plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookResolveIdArgs, HookResolveIdOutput, HookResolveIdReturn,
    HookUsage, Plugin, PluginContext, SharedLoadPluginContext,
};
use tokio::runtime::Runtime;

use super::{
    diagnostics::{self, Finding},
    fence::{names_a_place, normalized},
    options, requirements, runtime,
};

/// Moves when our use of the bundler changes what comes out of it.
const FORMAT: &str = "2";

/// The bundler and its version.
pub const VERSION: &str = "rolldown 1.2.5";

/// The made-up directory in which the bundler sees the files. Nothing of it gets into the output.
const ROOT: &str = "/repository";

/// The made-up directory above those of the vendor files that go into a bundle.
const VENDOR: &str = "/vendor";

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
    let options = BundlerOptions {
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
        transform: Some(options::transform(&request.graph.compiler_options)?),
        experimental: Some(ExperimentalOptions {
            attach_debug_info: Some(AttachDebugInfo::None),
            ..ExperimentalOptions::default()
        }),
        checks: Some(ChecksOptions::default()),
        log_level: Some(LogLevel::Silent),
        ..BundlerOptions::default()
    };
    let plugin = Arc::new(SourcePlugin { sources: Arc::clone(&sources), refusals: Mutex::default() });
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
        Ok(_) => return Err(diagnostics::failure(findings)),
        Err(batch) => {
            findings.extend(diagnostics::findings(batch, Path::new(ROOT), &|file| sources.text(file)));
            diagnostics::sort(&mut findings);
            return Err(diagnostics::failure(findings));
        }
    };
    let chunk = output.assets.into_iter().find_map(|asset| match asset {
        Output::Chunk(chunk) if chunk.is_entry => Some(chunk),
        Output::Chunk(_) | Output::Asset(_) => None,
    });
    let chunk =
        chunk.ok_or_else(|| Fault::environment(Code::BUNDLE_FAILED, "bundler", "the bundler gave no entry chunk"))?;
    let missing = offers::missing(request, &chunk.code);
    if !missing.is_empty() {
        return Err(diagnostics::failure(missing));
    }
    Ok(Bundle {
        requirements: requirements::of(&chunk.code).into_iter().collect(),
        code: chunk.code.clone(),
        source_map: chunk.map.as_ref().map(rolldown_sourcemap::SourceMap::to_json_string),
    })
}

/// What the bundler may see, by module id.
#[derive(Debug)]
struct Sources {
    entry: String,
    /// Text by id.
    files: HashMap<String, Arc<str>>,
    /// Where a specifier of an importer's id leads.
    edges: HashMap<(String, String), EdgeTarget>,
    imports: BTreeMap<String, String>,
    /// Importer's id and specifier of imports `with { type: "text" }`, which the bundler does not know.
    texts: HashSet<(String, String)>,
    /// Importer's id and specifier of imports of packages that want more names than Node finds.
    wide: HashSet<(String, String)>,
    offers: BTreeMap<String, Arc<Offer>>,
}

impl Sources {
    fn of(request: &BundleRequest) -> Result<Self, BuildFailure> {
        let mut files = HashMap::with_capacity(request.graph.files.len());
        for file in &request.graph.files {
            let text = match std::str::from_utf8(&file.bytes) {
                Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
                Err(error) => {
                    let before = String::from_utf8_lossy(&file.bytes[..error.valid_up_to()]);
                    let fault =
                        Fault::deterministic(Code::SYNTAX, format!("source:{}", file.path), "the file is not UTF-8");
                    let place = diagnostics::position(file.path.as_str(), &before, before.len());
                    return Err(diagnostics::failure(vec![diagnostics::at(fault, place, &before)]));
                }
            };
            files.insert(id(file.path.as_str()), Arc::from(text));
        }
        let edges: HashMap<(String, String), EdgeTarget> = request
            .graph
            .edges
            .iter()
            .map(|edge| ((id(edge.importer.as_str()), edge.specifier.clone()), edge.target.clone()))
            .collect();
        let mut packages: HashMap<&str, BTreeMap<&str, &str>> = HashMap::new();
        for ((importer, specifier), target) in &edges {
            if let EdgeTarget::External(mapped) = target
                && let Some(import) = request.imports.get(mapped)
                && import.starts_with("../")
            {
                packages.entry(importer).or_default().insert(specifier, import);
            }
        }
        let (mut texts, mut wide) = (HashSet::new(), HashSet::new());
        for (importer, text) in &mut files {
            let of_file = packages.get(importer.as_str());
            let specifiers: Vec<&str> = of_file.into_iter().flatten().map(|(specifier, _)| *specifier).collect();
            let offer = |specifier: &str| request.offers.get(*of_file?.get(specifier)?).map(|offer| &**offer);
            let said = imports::said(importer, text, &specifiers, offer);
            texts.extend(said.texts.into_iter().map(|specifier| (importer.clone(), specifier)));
            wide.extend(said.wide.into_iter().map(|specifier| (importer.clone(), specifier)));
            if let Some(without) = said.text {
                *text = without.into();
            }
        }
        for file in &request.inlined {
            if let Some(id) = vendor_id(&file.path) {
                files.insert(id, Arc::clone(&file.code));
            }
        }
        Ok(Self {
            texts,
            wide,
            offers: request.offers.clone(),
            entry: id(request.graph.entry.as_str()),
            files,
            edges,
            imports: request.imports.clone(),
        })
    }

    /// The text of a file by its path below the root.
    fn text(&self, path: &str) -> Option<String> {
        self.files.get(&id(path)).map(|text| (**text).to_owned())
    }

    /// The vendor file that a path of the request, or a relative import of another vendor file, means.
    fn inlined(&self, importer: &str, path: &str) -> Option<String> {
        let id = match importer.strip_prefix(VENDOR) {
            Some(_) => utf8(normalized(&Path::new(importer).parent()?.join(path)))?,
            None => vendor_id(path)?,
        };
        self.files.contains_key(&id).then_some(id)
    }

    /// The file of a package that has the names that an import wants.
    fn widened(&self, importer: &str, specifier: &str, target: String) -> String {
        let is_wide = self.wide.contains(&(importer.to_owned(), specifier.to_owned()));
        let wide = self.offers.get(&target).filter(|_| is_wide).and_then(|offer| offer.wide.as_ref());
        wide.map_or(target, |wide| wide.import.clone())
    }

    /// What a bundle imports for an external specifier. Built-ins of the engine stay what they are.
    fn external(&self, specifier: &str) -> Option<String> {
        self.imports.get(specifier).cloned().or_else(|| specifier.starts_with("node:").then(|| specifier.to_owned()))
    }
}

/// The id of a file that lies at `../vendor/…` of a bundle.
fn vendor_id(path: &str) -> Option<String> {
    utf8(normalized(&Path::new(VENDOR).join(path.strip_prefix("../vendor/")?)))
}

fn utf8(path: PathBuf) -> Option<String> {
    path.into_os_string().into_string().ok()
}

fn id(path: &str) -> String {
    format!("{ROOT}/{path}")
}

/// Why an import is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    Missing,
    OutsideRoot,
    Unsupported,
}

/// Answers every question of the bundler from the request.
#[derive(Debug)]
struct SourcePlugin {
    sources: Arc<Sources>,
    /// Importer's id and specifier of what was refused. The build goes on with an external in its place, so
    /// that all of them are found at once.
    refusals: Mutex<BTreeSet<(String, String, Refusal)>>,
}

impl SourcePlugin {
    fn resolve(&self, importer: Option<&str>, specifier: &str) -> HookResolveIdOutput {
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
        let edge = self.sources.edges.get(&(importer.to_owned(), specifier.to_owned()));
        let refusal = match edge {
            Some(EdgeTarget::File(path)) => {
                let target = id(path.as_str());
                if self.sources.files.contains_key(&target) {
                    let is_text = self.sources.texts.contains(&(importer.to_owned(), specifier.to_owned()));
                    return HookResolveIdOutput::from_id(if is_text { target + AS_TEXT } else { target });
                }
                Refusal::Missing
            }
            // Also for Deno, which would read it: each import that leads outside passes through here first.
            Some(EdgeTarget::External(target)) if names_a_place(target) => Refusal::OutsideRoot,
            Some(EdgeTarget::External(mapped)) => match self.sources.external(mapped) {
                Some(target) => return self.outside(self.sources.widened(importer, specifier, target)),
                None => Refusal::Unsupported,
            },
            Some(EdgeTarget::Missing) => Refusal::Missing,
            Some(EdgeTarget::OutsideRoot) => Refusal::OutsideRoot,
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
        Ok(Some(self.resolve(arguments.importer, arguments.specifier)))
    }

    async fn load(&self, _context: SharedLoadPluginContext, arguments: &HookLoadArgs<'_>) -> HookLoadReturn {
        if arguments.id.starts_with('\0') {
            return Ok(None);
        }
        let as_text = arguments.id.strip_suffix(AS_TEXT).filter(|file| self.sources.files.contains_key(*file));
        let Some(text) = self.sources.files.get(as_text.unwrap_or(arguments.id)) else {
            // Never a look at the disk: what the request does not hold does not exist.
            return Err(plugin_error(format!("{} is not part of the request", arguments.id)));
        };
        Ok(Some(HookLoadOutput {
            code: text.as_ref().into(),
            module_type: Some(if as_text.is_some() { ModuleType::Text } else { module_type(arguments.id) }),
            ..HookLoadOutput::default()
        }))
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId | HookUsage::Load
    }
}

fn plugin_error<E: From<std::io::Error>>(message: String) -> E {
    std::io::Error::other(message).into()
}

/// How a file is read; what has no known extension is text.
fn module_type(id: &str) -> ModuleType {
    match Path::new(id).extension().and_then(|extension| extension.to_str()) {
        Some("ts" | "mts" | "cts") => ModuleType::Ts,
        Some("tsx") => ModuleType::Tsx,
        Some("js" | "mjs" | "cjs") => ModuleType::Js,
        Some("jsx") => ModuleType::Jsx,
        Some("json" | "jsonc") => ModuleType::Json,
        Some(_) | None => ModuleType::Text,
    }
}

/// Where `specifier` stands in `text`; its first line if it cannot be found.
fn locate(path: &str, text: &str, specifier: &str) -> Position {
    let allocator = Allocator::default();
    let source_type = SourceType::from_path(path).unwrap_or_else(|_| SourceType::ts());
    let record = Parser::new(&allocator, text, source_type).parse().module_record;
    let requested = record.requested_modules.iter().filter(|(name, _)| name.as_str() == specifier);
    let fixed = requested.flat_map(|(_, places)| places.iter()).map(|place| place.span);
    let dynamic = record
        .dynamic_imports
        .iter()
        .map(|import| import.module_request)
        .filter(|span| span.source_text(text).trim_matches(['"', '\'', '`']) == specifier);
    let offset = fixed.chain(dynamic).map(|span| span.start as usize).min().unwrap_or(0);
    diagnostics::position(path, text, offset)
}

#[cfg(test)]
mod offers_tests;

#[cfg(test)]
mod tests;
