//! Vendor bundles: one package, built once, shared by every extension that imports it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::BundleFile,
    problem::Code,
};
use rolldown::{BundlerOptions, InputItem};
use rolldown_common::{
    Output, OutputChunk, ResolvedExternal,
    bundler_options::{
        AttachDebugInfo, CodeSplittingMode, ExperimentalOptions, LogLevel, OutputFormat, Platform, TsConfig,
    },
};
use rolldown_plugin::{HookResolveIdArgs, HookResolveIdOutput, HookResolveIdReturn, HookUsage, Plugin, PluginContext};
use serde::{Deserialize, Serialize};

use super::{diagnostics, runtime};
use crate::builtin_modules;

/// Moves when our use of the bundler changes what vendor bundles look like.
pub(super) const FORMAT: &str = "1";

/// Builds vendor directories; implemented in process and by the worker pool.
#[expect(clippy::module_name_repetitions, reason = "named beside `Bundler` in other modules")]
#[async_trait]
pub trait VendorBundler: Send + Sync {
    /// Builds the entries of one package into a directory of chunks.
    async fn build_vendor(&self, request: VendorRequest) -> Result<VendorOutput, Fault>;
}

/// What to build.
#[expect(clippy::module_name_repetitions, reason = "named beside `BundleRequest` in other modules")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorRequest {
    /// `name@version`, for messages and the unit's own record.
    pub package: String,
    /// A directory whose `node_modules/<name>` holds the package.
    pub directory: PathBuf,
    /// What is imported of it: the specifier (`zod`, `zod/v4`) and the file name of its entry chunk (`zod.js`).
    pub entries: BTreeMap<String, String>,
    /// Bare specifiers that stay external, and what is imported instead.
    pub externals: BTreeMap<String, String>,
}

/// What came out. One of the files is `unit.json`: `{"package": "name@version", "entries": {specifier: file}}`.
#[expect(clippy::module_name_repetitions, reason = "named with `VendorRequest`")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorOutput {
    /// The chunks and `unit.json`, sorted by path. Only the chunks import each other, as `./<file>`.
    pub files: Vec<BundleFile>,
}

/// The unit's own record, as it is written into `unit.json`.
#[derive(Serialize)]
struct Unit<'a> {
    package: &'a str,
    entries: &'a BTreeMap<String, String>,
}

/// What changes the output of vendor builds: another text means that units are built anew.
#[must_use]
pub fn identity() -> String {
    format!("rolldown 1.2.5, format {FORMAT}")
}

/// Builds one vendor directory in this process, blocking. Reads the package's files below the directory.
///
/// The same files give the same bytes wherever the directory lies. An entry that is a `CommonJS` module exports its
/// `module.exports` as default and nothing else.
///
/// # Errors
/// A [`Fault`] that names the package, if it cannot be resolved, read or parsed, or imports what is not there.
pub fn build_vendor_in_process(request: &VendorRequest) -> Result<VendorOutput, Fault> {
    // Resolution follows links; module ids must lie below the working directory to be named relative to it.
    let directory = request.directory.canonicalize().map_err(|error| {
        fault(
            request,
            FailureClass::Environment,
            Code::UNREADABLE,
            &format!("cannot open {}: {error}", request.directory.display()),
        )
    })?;
    let mut input = Vec::with_capacity(request.entries.len());
    for (specifier, file) in &request.entries {
        let name =
            file.strip_suffix(".js").filter(|name| !name.is_empty() && !name.contains('/')).ok_or_else(|| {
                let message = format!("`{file}` is no file name for the entry `{specifier}`");
                fault(request, FailureClass::Deterministic, Code::PACKAGE_UNSUPPORTED, &message)
            })?;
        input.push(InputItem { name: Some(name.to_owned()), import: specifier.clone() });
    }
    let options = BundlerOptions {
        input: Some(input),
        cwd: Some(directory.clone()),
        dir: Some("vendor".to_owned()),
        entry_filenames: Some("[name].js".to_owned().into()),
        chunk_filenames: Some("chunk-[hash].js".to_owned().into()),
        format: Some(OutputFormat::Esm),
        platform: Some(Platform::Node),
        resolve: Some(rolldown::ResolveOptions {
            condition_names: Some(["deno", "node", "import", "module"].map(str::to_owned).to_vec()),
            main_fields: Some(["module", "main"].map(str::to_owned).to_vec()),
            ..rolldown::ResolveOptions::default()
        }),
        code_splitting: Some(CodeSplittingMode::Bool(true)),
        tsconfig: Some(TsConfig::Auto(false)),
        experimental: Some(ExperimentalOptions {
            attach_debug_info: Some(AttachDebugInfo::None),
            ..ExperimentalOptions::default()
        }),
        log_level: Some(LogLevel::Silent),
        ..BundlerOptions::default()
    };
    let plugins: Vec<Arc<dyn rolldown_plugin::Pluginable>> =
        vec![Arc::new(ExternalsPlugin { externals: request.externals.clone() })];
    let output = runtime::shared()?.block_on(async {
        let mut bundler = rolldown::Bundler::with_plugins(options, plugins)?;
        bundler.generate().await
    });
    let output = output.map_err(|batch| {
        let read = |file: &str| std::fs::read_to_string(directory.join(file)).ok();
        let found = diagnostics::failure(diagnostics::findings(batch, &directory, &read)).fault;
        let message = format!("cannot bundle the package {}: {found}", request.package);
        Fault::new(found.class, Code::PACKAGE_UNSUPPORTED, format!("package:{}", request.package), message)
    })?;

    let mut files = BTreeMap::new();
    let chunks: Vec<Arc<OutputChunk>> = output
        .assets
        .into_iter()
        .filter_map(|asset| if let Output::Chunk(chunk) = asset { Some(chunk) } else { None })
        .collect();
    let names: BTreeSet<&str> = chunks.iter().map(|chunk| chunk.filename.as_str()).collect();
    for (specifier, file) in &request.entries {
        if !names.contains(file.as_str()) {
            let message = format!("the bundler gave no `{file}` for the entry `{specifier}`");
            return Err(fault(request, FailureClass::Environment, Code::BUNDLE_FAILED, &message));
        }
    }
    for chunk in &chunks {
        let stray = chunk.imports.iter().find(|import| !is_known(import, &names, &request.externals));
        if let Some(import) = stray {
            let message = format!("cannot bundle the package {}: `{import}` is not installed", request.package);
            return Err(fault(request, FailureClass::Deterministic, Code::PACKAGE_UNSUPPORTED, &message));
        }
        files.insert(chunk.filename.to_string(), Arc::from(chunk.code.as_str()));
    }
    let unit = Unit { package: &request.package, entries: &request.entries };
    let unit = serde_json::to_string(&unit).map_err(|error| {
        fault(request, FailureClass::Environment, Code::BUNDLE_FAILED, &format!("cannot write unit.json: {error}"))
    })?;
    files.insert("unit.json".to_owned(), Arc::from(unit));
    Ok(VendorOutput { files: files.into_iter().map(|(path, code)| BundleFile { path, code }).collect() })
}

fn fault(request: &VendorRequest, class: FailureClass, code: Code, message: &str) -> Fault {
    Fault::new(class, code, format!("package:{}", request.package), message)
}

fn is_known(import: &str, chunks: &BTreeSet<&str>, externals: &BTreeMap<String, String>) -> bool {
    import.starts_with("node:")
        || chunks.contains(import.trim_start_matches("./"))
        || externals.values().any(|target| target == import)
}

/// Keeps other units and the engine's own modules outside.
#[derive(Debug)]
struct ExternalsPlugin {
    externals: BTreeMap<String, String>,
}

impl Plugin for ExternalsPlugin {
    fn name(&self) -> Cow<'static, str> {
        "mangrove:externals".into()
    }

    async fn resolve_id(&self, _context: &PluginContext, arguments: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        if arguments.is_entry {
            return Ok(None);
        }
        let specifier = arguments.specifier;
        let target = self.externals.get(specifier).cloned().or_else(|| builtin(specifier));
        Ok(target.map(|target| HookResolveIdOutput {
            id: target.into(),
            external: Some(ResolvedExternal::Bool(true)),
            normalize_external_id: Some(false),
            ..HookResolveIdOutput::default()
        }))
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId
    }
}

/// The built-in that a specifier names, with its `node:`. A package of the same name is reached as `name/`.
fn builtin(specifier: &str) -> Option<String> {
    if specifier.starts_with("node:") {
        return Some(specifier.to_owned());
    }
    builtin_modules::is_bare(specifier).then(|| format!("node:{specifier}"))
}

#[cfg(test)]
mod tests;
