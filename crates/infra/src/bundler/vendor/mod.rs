//! Vendor bundles: one package, built once, shared by every extension that imports it.

pub(super) mod common_js;
mod inner;
pub(super) mod made_up;
mod names;
mod plugin;
mod runtime_module;
mod scripts;
mod seen;

use std::{
    collections::{BTreeMap, BTreeSet},
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
        AttachDebugInfo, CodeSplittingMode, ExperimentalOptions, InlineConstOption, LogLevel, OptimizationOption,
        OutputFormat, Platform, PreserveEntrySignatures, TsConfig,
    },
};
use serde::Serialize;

use super::{diagnostics, fence::Fence, runtime};
use made_up::{Form, Forms, MEMBERS_ENTRY, NAMED_ENTRY};
use plugin::PackagePlugin;
use seen::Seen;

/// Moves when our use of the bundler changes what vendor bundles look like.
pub(super) const FORMAT: &str = "9";

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
/// Node and Deno offer of it: `module.exports` as default, and the names that its text shows. If it has other members,
/// as far as running it in the inspector's engine shows, a second file exports these as well.
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
    let plain = Build::run(request, &fence, Forms::default())?;
    let forms = plain.forms(request, &fence)?;
    if forms.is_empty() {
        return plain.output(request);
    }
    Build::run(request, &fence, forms)?.output(request)
}

/// One run of the bundler over a package.
struct Build {
    chunks: Vec<Arc<OutputChunk>>,
    seen: Seen,
    forms: Forms,
}

impl Build {
    fn run(request: &VendorRequest, fence: &Fence, forms: Forms) -> Result<Self, Fault> {
        let directory = fence.directory();
        let mut input = Vec::with_capacity(request.entries.len());
        for (specifier, file) in &request.entries {
            let name =
                file.strip_suffix(".js").filter(|name| !name.is_empty() && !name.contains('/')).ok_or_else(|| {
                    let message = format!("`{file}` is not a file name for the entry `{specifier}`");
                    fault(request, FailureClass::Deterministic, Code::PACKAGE_UNSUPPORTED, &message)
                })?;
            let item = |name: &str, import| InputItem { name: Some(name.to_owned()), import };
            match forms.named.get(specifier).map(|named| &named.form) {
                Some(form) => {
                    input.push(item(name, format!("{NAMED_ENTRY}{specifier}")));
                    if matches!(form, Form::CommonJs { members, .. } if !members.is_empty()) {
                        input.push(item(&wide(name), format!("{MEMBERS_ENTRY}{specifier}")));
                    }
                }
                None => input.push(item(name, specifier.clone())),
            }
        }
        let plugin = Arc::new(PackagePlugin::new(fence.clone(), &request.shared, forms.clone()));
        let plugins: Vec<Arc<dyn rolldown_plugin::Pluginable>> = vec![plugin.clone()];
        let options = options(directory, input);
        let output = runtime::shared()?.block_on(async {
            let mut bundler = rolldown::Bundler::with_plugins(options, plugins)?;
            bundler.generate().await
        });
        let mut seen = std::mem::take(&mut *plugin.seen());
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
        if let Some((importer, specifier)) = seen.missing() {
            let place = Path::new(importer).strip_prefix(directory).unwrap_or(Path::new(importer)).display();
            let package = &request.package;
            let message =
                format!("cannot bundle the package {package}: `{specifier}` is not installed, and {place} imports it");
            return Err(fault(request, FailureClass::Deterministic, Code::PACKAGE_UNSUPPORTED, &message));
        }
        let chunks = output
            .assets
            .into_iter()
            .filter_map(|asset| if let Output::Chunk(chunk) = asset { Some(chunk) } else { None })
            .collect();
        Ok(Self { chunks, seen, forms })
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
        self.hide_made_up_names(request, &mut files);
        let (names, shared_names) = names::offered(request, &self.forms.named, &files)?;
        let mut shared_imports = self.seen.shared_imports;
        // What was imported and then shaken off is not needed.
        shared_imports.retain(|specifier| {
            let placeholder = format!("\"{PLACEHOLDER}{specifier}\"");
            files.values().any(|code| code.contains(&placeholder))
        });
        let files = files.into_iter().map(|(path, code)| BundleFile { path, code }).collect();
        Ok(VendorOutput { files, shared_imports, names, shared_names })
    }
}

/// The name of the second file of an entry, the one with all members. No other file has such a name: a specifier has
/// no `~` when it becomes one.
fn wide(name: &str) -> String {
    format!("{name}~members")
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
            condition_names: Some(["deno", "node", "module-sync"].map(str::to_owned).to_vec()),
            // What Node reads: it knows neither `module` nor `browser`, and no other extensions.
            main_fields: Some(vec!["main".to_owned()]),
            extensions: Some([".js", ".json", ".node"].map(str::to_owned).to_vec()),
            ..rolldown::ResolveOptions::default()
        }),
        code_splitting: Some(CodeSplittingMode::Bool(true)),
        // Whoever imports an entry as a whole sees everything that its file exports.
        preserve_entry_signatures: Some(PreserveEntrySignatures::Strict),
        tsconfig: Some(TsConfig::Auto(false)),
        // Code tells errors apart by the names of their classes.
        keep_names: Some(true),
        // It would evaluate constant expressions of other modules, with other results than the engines in places.
        optimization: Some(OptimizationOption {
            inline_const: Some(InlineConstOption::Bool(false)),
            ..OptimizationOption::default()
        }),
        // What Node gives each `CommonJS` module; here it is where the file of the bundle lies.
        define: Some(
            [("__dirname", "import.meta.dirname"), ("__filename", "import.meta.filename")]
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        ),
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

#[cfg(test)]
mod names_tests;
