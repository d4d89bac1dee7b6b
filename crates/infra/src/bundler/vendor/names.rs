//! What can be imported by name from the entries of a package.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use mangrove_domain::{bundle::BundleFile, failure::Fault};
use mangrove_fs::read::{self, FileKind, Within};
use mangrove_npm::vendor::{EntryNames, PLACEHOLDER, VendorRequest};
use oxc_syntax::identifier::is_identifier_name;
use serde_json::Value;

use super::{
    super::{
        builtin_names,
        fence::Fence,
        links::{self, Links},
    },
    Build, common_js,
    common_js::Names,
    made_up::{Form, Forms, Named},
    wide,
};

impl Build {
    /// The entries that need another form than the bundler's, and the ES modules that hand on what the bundler does not
    /// know.
    pub(super) fn forms(&self, request: &VendorRequest, fence: &Fence) -> Result<Forms, Fault> {
        let mut ids: BTreeMap<&String, String> = BTreeMap::new();
        for (specifier, file) in &request.entries {
            let chunk = self.chunks.iter().find(|chunk| chunk.is_entry && chunk.filename.as_str() == file);
            let id = chunk.and_then(|chunk| chunk.facade_module_id.as_ref()).map(ToString::to_string);
            ids.extend(id.filter(|id| self.has_other_form(id)).map(|id| (specifier, id)));
        }
        let handed_on = self.handed_on(fence);
        if ids.values().all(|id| is_json(id)) {
            let named = ids.into_iter().map(|(name, id)| (name.clone(), Named { id, form: Form::Json }));
            return Ok(Forms { named: named.collect(), handed_on });
        }
        // What stays outside has no place yet, and cannot be evaluated: for the names it goes in.
        let whole = if self.seen.shared_imports.is_empty() {
            None
        } else {
            let request = VendorRequest { shared: BTreeSet::new(), ..request.clone() };
            Some(Build::run(&request, fence, Forms::default())?)
        };
        let whole = whole.as_ref().unwrap_or(self);
        let named = ids.into_iter().map(|(specifier, id)| {
            let form = if is_json(&id) {
                Form::Json
            } else {
                whole.common_js(request, fence, &id, &request.entries[specifier])
            };
            (specifier.clone(), Named { id, form })
        });
        Ok(Forms { named: named.collect(), handed_on })
    }

    /// The exports that `export *` from a `CommonJS` module stands for, written out: the bundler finds them only when the
    /// code runs. A name that two of them have is nobody's, as everywhere.
    fn handed_on(&self, fence: &Fence) -> BTreeMap<String, String> {
        let mut written = BTreeMap::new();
        for (id, stars) in &self.seen.stars {
            let leads = |specifier: &String| self.seen.imports.get(id)?.get(specifier);
            let mut by_name: BTreeMap<String, Vec<&String>> = BTreeMap::new();
            for specifier in stars {
                let target =
                    leads(specifier).filter(|target| self.seen.common_js.contains(*target) && !is_json(target));
                for name in target.map(|target| self.written(fence, target, false)).unwrap_or_default() {
                    by_name.entry(name).or_default().push(specifier);
                }
            }
            let own = self.seen.exports.get(id).map(Vec::as_slice).unwrap_or_default();
            // The bundler writes a member access for each, so it has to be a word.
            by_name.retain(|name, specifiers| specifiers.len() == 1 && !own.contains(name) && is_identifier_name(name));
            let lines = by_name.iter().map(|(name, specifiers)| {
                let (name, specifier) = (Value::from(name.as_str()), Value::from(specifiers[0].as_str()));
                format!("export {{ {name} }} from {specifier};\n")
            });
            let text: String = lines.collect();
            if !text.is_empty() {
                written.insert(id.clone(), text);
            }
        }
        written
    }

    fn has_other_form(&self, id: &str) -> bool {
        is_json(id) || self.seen.common_js.contains(id)
    }

    /// The names of an entry that is a `CommonJS` module.
    fn common_js(&self, request: &VendorRequest, fence: &Fence, id: &str, file: &str) -> Form {
        let names = self.written(fence, id, false);
        let mut members = self.written(fence, id, true);
        members.extend(self.evaluated(request, file));
        members.retain(|name| !names.contains(name));
        Form::CommonJs { names, members }
    }

    /// The names that the texts of a module and of those whose names it hands on show; with `is_wide` also those that
    /// are copied onto its exports.
    fn written(&self, fence: &Fence, id: &str, is_wide: bool) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut reached = BTreeSet::new();
        let mut open = vec![id.to_owned()];
        while let Some(id) = open.pop() {
            if is_json(&id) || !reached.insert(id.clone()) {
                continue;
            }
            if let Some(exports) = self.seen.exports.get(&id) {
                names.extend(exports.iter().cloned());
                continue;
            }
            let directory = fence.directory();
            let Ok(text) = read::text(Path::new(&id), Within::Root(directory), FileKind::Source) else {
                continue;
            };
            let exports = common_js::exports(&text);
            let mut take = |found: Names| {
                names.extend(found.own);
                let leads = found.of_modules.into_iter().filter_map(|to| self.seen.requires.get(&(id.clone(), to)));
                open.extend(leads.cloned());
            };
            take(exports.found);
            if is_wide {
                take(exports.copied);
            }
        }
        // The default is `module.exports`, whatever is called so.
        names.remove("default");
        names
    }

    /// The members that the entry of this file has once it ran in the inspector's engine.
    fn evaluated(&self, request: &VendorRequest, file: &str) -> BTreeSet<String> {
        let path = |file: &str| format!("../vendor/unit/{file}");
        let vendor_files = self
            .chunks
            .iter()
            .map(|chunk| BundleFile { path: path(&chunk.filename), code: chunk.code.as_str().into() })
            .collect();
        let limits = mangrove_engine::Limits::default();
        let names = mangrove_engine::member_names(vendor_files, &path(file), &request.package, &limits);
        names.unwrap_or_else(|fault| {
            tracing::debug!(package = request.package, %fault, "it cannot be run here; its text alone says its names");
            BTreeSet::new()
        })
    }
}

fn is_json(id: &str) -> bool {
    Path::new(id).extension().is_some_and(|extension| extension == "json")
}

/// What each entry offers, and the names that are imported of each shared package.
type Offered = (BTreeMap<String, EntryNames>, BTreeMap<String, BTreeSet<String>>);

/// What the entries offer, and what is imported of shared packages whenever an entry is loaded.
///
/// # Errors
/// If a name is imported of a built-in module that is known to lack it.
pub(super) fn offered(
    request: &VendorRequest,
    named: &BTreeMap<String, Named>,
    files: &BTreeMap<String, Arc<str>>,
) -> Result<Offered, Fault> {
    let mut read: BTreeMap<String, Links> = BTreeMap::new();
    let mut open: Vec<String> = request.entries.values().cloned().collect();
    while let Some(file) = open.pop() {
        if let Some(code) = files.get(&file).filter(|_| !read.contains_key(&file)) {
            let links = links::of(code);
            open.extend(links.imports.keys().filter_map(|specifier| specifier.strip_prefix("./")).map(str::to_owned));
            read.insert(file, links);
        }
    }
    let mut entries = BTreeMap::new();
    for (specifier, file) in &request.entries {
        let mut entry = EntryNames::default();
        collect(&read, file, &mut entry, &mut BTreeSet::new());
        if let Some(Form::CommonJs { members, .. }) = named.get(specifier).map(|named| &named.form)
            && !members.is_empty()
            && let Some(stem) = file.strip_suffix(".js")
        {
            let all = entry.exports.iter().chain(members).cloned().collect();
            entry.wide = Some((format!("{}.js", wide(stem)), all));
        }
        entries.insert(specifier.clone(), entry);
    }
    let mut shared: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (specifier, imported) in read.values().flat_map(|links| &links.imports) {
        if let Some(specifier) = specifier.strip_prefix(PLACEHOLDER) {
            shared.entry(specifier.to_owned()).or_default().extend(imported.iter().cloned());
        }
        let who = format!("the package {}", request.package);
        if let Some(fault) = imported.iter().find_map(|name| builtin_names::missing(&who, specifier, name)) {
            return Err(fault);
        }
    }
    Ok((entries, shared))
}

/// Adds what a file exports. What it hands on of other files has no `default`.
fn collect(read: &BTreeMap<String, Links>, file: &str, entry: &mut EntryNames, reached: &mut BTreeSet<String>) {
    let Some(links) = read.get(file) else { return };
    let is_first = reached.is_empty();
    if !reached.insert(file.to_owned()) {
        return;
    }
    entry.exports.extend(links.exports.iter().filter(|name| is_first || *name != "default").cloned());
    for specifier in &links.handed_on {
        if let Some(file) = specifier.strip_prefix("./") {
            collect(read, file, entry, reached);
        } else if let Some(shared) = specifier.strip_prefix(PLACEHOLDER) {
            entry.handed_on.insert(shared.to_owned());
        } else {
            entry.is_open = true;
        }
    }
}
