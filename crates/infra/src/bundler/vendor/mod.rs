//! Vendor bundles: one package, built once, shared by every extension that imports it.

mod plugin;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
    sync::Arc,
};

use mangrove_domain::{
    bundle::BundleFile,
    failure::{FailureClass, Fault},
    problem::Code,
};
use mangrove_fs::read::{self, FileKind, Within};
use mangrove_npm::vendor::{PLACEHOLDER, VendorOutput, VendorRequest};
use rolldown::{BundlerOptions, InputItem};
use rolldown_common::{
    Output, OutputChunk,
    bundler_options::{
        AttachDebugInfo, CodeSplittingMode, ExperimentalOptions, LogLevel, OutputFormat, Platform, TsConfig,
    },
};
use serde::Serialize;

use super::{diagnostics, fence::Fence, runtime};
use plugin::{NAMED_ENTRY, Named, PackagePlugin};

/// Moves when our use of the bundler changes what vendor bundles look like.
pub(super) const FORMAT: &str = "4";

/// The unit's own record, as it is written into `unit.json`.
#[derive(Serialize)]
struct Unit<'a> {
    package: &'a str,
    entries: &'a BTreeMap<String, String>,
}

/// What changes the output of vendor builds: another text means that units are built again.
#[must_use]
pub fn identity() -> String {
    format!("rolldown 1.2.5, format {FORMAT}")
}

/// Builds one vendor directory in this process, blocking. Reads the package's files below the directory.
///
/// The same files give the same bytes wherever the directory lies. An entry that is a `CommonJS` module exports what
/// Node offers of it: `module.exports` as default and its enumerable members by name. The names are found by evaluating
/// the entry in the inspector's engine; if it cannot be evaluated there, only the default is exported.
///
/// No file outside of the directory becomes part of the output, whatever the package imports and by whatever name.
///
/// # Errors
/// A [`Fault`] that names the package, if it cannot be resolved, read or parsed, or imports what is not there;
/// `PACKAGE_IMPORT_OUTSIDE` if it imports a file outside of the directory.
pub fn build_vendor_in_process(request: &VendorRequest) -> Result<VendorOutput, Fault> {
    // Resolution follows links; module ids must lie below the working directory to be named relative to it.
    let fence = Fence::around(&request.directory).map_err(|error| {
        fault(
            request,
            FailureClass::Environment,
            Code::UNREADABLE,
            &format!("cannot open {}: {error}", request.directory.display()),
        )
    })?;
    let plain = Build::run(request, &fence, BTreeMap::new())?;
    let named = plain.named(request, &fence)?;
    if named.is_empty() {
        return plain.output(request);
    }
    Build::run(request, &fence, named)?.output(request)
}

/// One run of the bundler over a package.
struct Build {
    chunks: Vec<Arc<OutputChunk>>,
    common_js: HashSet<String>,
    shared_imports: BTreeSet<String>,
}

impl Build {
    fn run(request: &VendorRequest, fence: &Fence, named: BTreeMap<String, Named>) -> Result<Self, Fault> {
        let directory = fence.directory();
        let mut input = Vec::with_capacity(request.entries.len());
        for (specifier, file) in &request.entries {
            let name =
                file.strip_suffix(".js").filter(|name| !name.is_empty() && !name.contains('/')).ok_or_else(|| {
                    let message = format!("`{file}` is not a file name for the entry `{specifier}`");
                    fault(request, FailureClass::Deterministic, Code::PACKAGE_UNSUPPORTED, &message)
                })?;
            let import =
                if named.contains_key(specifier) { format!("{NAMED_ENTRY}{specifier}") } else { specifier.clone() };
            input.push(InputItem { name: Some(name.to_owned()), import });
        }
        let plugin = Arc::new(PackagePlugin::new(fence.clone(), &request.shared, named));
        let plugins: Vec<Arc<dyn rolldown_plugin::Pluginable>> = vec![plugin.clone()];
        let options = options(directory, input);
        let output = runtime::shared()?.block_on(async {
            let mut bundler = rolldown::Bundler::with_plugins(options, plugins)?;
            bundler.generate().await
        });
        let mut seen = plugin.seen();
        if let Some(refusal) = seen.refusals.first() {
            return Err(refusal.fault(request, directory));
        }
        let malformed = std::mem::take(&mut seen.malformed);
        let unresolvable = std::mem::take(&mut seen.unresolvable);
        let output = output.map_err(|batch| {
            if let Some((path, error)) = malformed.first() {
                let path = path.strip_prefix(directory).unwrap_or(path).display();
                let message = format!("cannot bundle the package {}: {path} is no JSON: {error}", request.package);
                return fault(request, FailureClass::Environment, Code::PACKAGE_MALFORMED, &message);
            }
            if let Some((specifier, because)) = unresolvable.first() {
                let because = because.replace(&format!("{}/", directory.display()), "");
                let message = format!("cannot bundle the package {}: `{specifier}`: {because}", request.package);
                return fault(request, FailureClass::Environment, Code::PACKAGE_UNSUPPORTED, &message);
            }
            let read = |file: &str| {
                let path = directory.join(file);
                let text = |path| read::text(path, Within::Root(directory), FileKind::Source).ok();
                fence.is_inside(&path).then(|| text(path)).flatten()
            };
            let found = diagnostics::failure(diagnostics::findings(batch, directory, &read)).fault;
            let message = format!("cannot bundle the package {}: {found}", request.package);
            Fault::new(found.class, Code::PACKAGE_UNSUPPORTED, format!("package:{}", request.package), message)
        })?;
        let chunks = output
            .assets
            .into_iter()
            .filter_map(|asset| if let Output::Chunk(chunk) = asset { Some(chunk) } else { None })
            .collect();
        Ok(Self {
            chunks,
            common_js: std::mem::take(&mut seen.common_js),
            shared_imports: std::mem::take(&mut seen.shared_imports),
        })
    }

    /// The entries that are `CommonJS` modules, with the names that they export.
    fn named(&self, request: &VendorRequest, fence: &Fence) -> Result<BTreeMap<String, Named>, Fault> {
        let mut ids: BTreeMap<&String, String> = BTreeMap::new();
        for (specifier, file) in &request.entries {
            let chunk = self.chunks.iter().find(|chunk| chunk.is_entry && chunk.filename.as_str() == file);
            let id = chunk.and_then(|chunk| chunk.facade_module_id.as_ref()).map(ToString::to_string);
            ids.extend(id.filter(|id| self.common_js.contains(id)).map(|id| (specifier, id)));
        }
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        // What stays outside has no place yet, and cannot be evaluated: for the names it goes in.
        let whole = if self.shared_imports.is_empty() {
            None
        } else {
            let request = VendorRequest { shared: BTreeSet::new(), ..request.clone() };
            Some(Build::run(&request, fence, BTreeMap::new())?)
        };
        let named = ids.into_iter().map(|(specifier, id)| {
            let names = whole.as_ref().unwrap_or(self).names(request, &request.entries[specifier]);
            (specifier.clone(), Named { id, names })
        });
        Ok(named.collect())
    }

    fn names(&self, request: &VendorRequest, file: &str) -> BTreeSet<String> {
        let path = |file: &str| format!("../vendor/unit/{file}");
        let vendor_files = self
            .chunks
            .iter()
            .map(|chunk| BundleFile { path: path(&chunk.filename), code: chunk.code.as_str().into() })
            .collect();
        let names = mangrove_engine::member_names(
            vendor_files,
            &path(file),
            &request.package,
            &mangrove_engine::Limits::default(),
        );
        names.unwrap_or_else(|fault| {
            tracing::debug!(package = request.package, %fault, "its names cannot be found; it has a default only");
            BTreeSet::new()
        })
    }

    fn output(self, request: &VendorRequest) -> Result<VendorOutput, Fault> {
        let names: BTreeSet<&str> = self.chunks.iter().map(|chunk| chunk.filename.as_str()).collect();
        for (specifier, file) in &request.entries {
            if !names.contains(file.as_str()) {
                let message = format!("the bundler gave no `{file}` for the entry `{specifier}`");
                return Err(fault(request, FailureClass::Environment, Code::BUNDLE_FAILED, &message));
            }
        }
        let mut files: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for chunk in &self.chunks {
            let stray = chunk.imports.iter().find(|import| !is_known(import, &names));
            if let Some(import) = stray {
                let message = format!("cannot bundle the package {}: `{import}` is not installed", request.package);
                return Err(fault(request, FailureClass::Deterministic, Code::PACKAGE_UNSUPPORTED, &message));
            }
            files.insert(chunk.filename.to_string(), Arc::from(chunk.code.as_str()));
        }
        let unit = Unit { package: &request.package, entries: &request.entries };
        let unit = serde_json::to_string(&unit).map_err(|error| {
            let message = format!("cannot write unit.json: {error}");
            fault(request, FailureClass::Environment, Code::BUNDLE_FAILED, &message)
        })?;
        files.insert("unit.json".to_owned(), Arc::from(unit));
        let mut shared_imports = self.shared_imports;
        // What was imported and then shaken off is not needed.
        shared_imports.retain(|specifier| {
            let placeholder = format!("\"{PLACEHOLDER}{specifier}\"");
            files.values().any(|code| code.contains(&placeholder))
        });
        let files = files.into_iter().map(|(path, code)| BundleFile { path, code }).collect();
        Ok(VendorOutput { files, shared_imports })
    }
}

fn options(directory: &Path, input: Vec<InputItem>) -> BundlerOptions {
    BundlerOptions {
        input: Some(input),
        cwd: Some(directory.to_owned()),
        dir: Some("vendor".to_owned()),
        entry_filenames: Some("[name].js".to_owned().into()),
        chunk_filenames: Some("chunk-[hash].js".to_owned().into()),
        format: Some(OutputFormat::Esm),
        platform: Some(Platform::Node),
        resolve: Some(rolldown::ResolveOptions {
            // `import` or `require` is added by the form of each import.
            condition_names: Some(["deno", "node"].map(str::to_owned).to_vec()),
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
    }
}

fn fault(request: &VendorRequest, class: FailureClass, code: Code, message: &str) -> Fault {
    Fault::new(class, code, format!("package:{}", request.package), message)
}

fn is_known(import: &str, chunks: &BTreeSet<&str>) -> bool {
    import.starts_with("node:") || import.starts_with(PLACEHOLDER) || chunks.contains(import.trim_start_matches("./"))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fence_tests;
