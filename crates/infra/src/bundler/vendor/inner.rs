//! Files of entries that export more than their entries do.
//!
//! Where a package loads a `CommonJS` module of its own with `import()`, the bundler hands that over through an export of
//! the chunk in which it lies, under a name that it makes up. If that is the chunk of an entry, whoever imports the entry
//! as a whole would see it: so the chunk gets another name, and the entry becomes a file that gives out its own names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use serde_json::Value;

use super::{
    super::links::{self, Links},
    Build,
    made_up::Form,
};
use mangrove_npm::vendor::VendorRequest;

/// Names that the bundler makes up are no longer than this.
const LONGEST: usize = 2;

impl Build {
    /// Moves the chunks of entries that export made-up names.
    pub(super) fn hide_made_up_names(&self, request: &VendorRequest, files: &mut BTreeMap<String, Arc<str>>) {
        let mut moved: BTreeMap<String, String> = BTreeMap::new();
        for (specifier, file) in &request.entries {
            let (Some(code), Some(stem)) = (files.get(file), file.strip_suffix(".js")) else { continue };
            let links = links::of(code);
            let short = |name: &&String| name.chars().count() <= LONGEST;
            if !links.exports.iter().any(|name| short(&name)) {
                continue;
            }
            let own = self.own_names(specifier, file);
            let made_up: BTreeSet<&String> = links.exports.difference(&own).filter(short).collect();
            if !made_up.is_empty() {
                let inner = format!("{stem}~inner.js");
                let facade = facade(&links, &made_up, &inner);
                if let Some(code) = files.insert(file.clone(), facade.into()) {
                    files.insert(inner.clone(), code);
                }
                moved.insert(format!("./{file}"), format!("./{inner}"));
            }
        }
        if moved.is_empty() {
            return;
        }
        let facades: Vec<String> = moved.keys().map(|path| path.trim_start_matches("./").to_owned()).collect();
        for (_, code) in files.iter_mut().filter(|(name, _)| !facades.contains(name)) {
            if moved.keys().any(|path| code.contains(path)) {
                *code = links::retargeted(code, &moved).into();
            }
        }
    }

    /// The names that an entry exports by its own text.
    fn own_names(&self, specifier: &str, file: &str) -> BTreeSet<String> {
        match self.forms.named.get(specifier).map(|named| &named.form) {
            Some(Form::CommonJs { names, .. }) => {
                let fixed = ["default", "module.exports"].map(str::to_owned);
                names.iter().cloned().chain(fixed).collect()
            }
            Some(Form::Json) => BTreeSet::from(["default".to_owned()]),
            None => {
                let chunk = self.chunks.iter().find(|chunk| chunk.is_entry && chunk.filename.as_str() == file);
                let id = chunk.and_then(|chunk| chunk.facade_module_id.as_ref()).map(ToString::to_string);
                let mut names = BTreeSet::new();
                self.collect_own(&id.unwrap_or_default(), &mut names, &mut BTreeSet::new());
                names
            }
        }
    }

    fn collect_own(&self, id: &str, names: &mut BTreeSet<String>, reached: &mut BTreeSet<String>) {
        if !reached.insert(id.to_owned()) {
            return;
        }
        names.extend(self.seen.exports.get(id).into_iter().flatten().cloned());
        for star in self.seen.stars.get(id).into_iter().flatten() {
            if let Some(target) = self.seen.imports.get(id).and_then(|imports| imports.get(star)) {
                self.collect_own(target, names, reached);
            }
        }
    }
}

/// The text of an entry whose chunk is `inner`.
fn facade(links: &Links, made_up: &BTreeSet<&String>, inner: &str) -> String {
    let mut text = String::new();
    let inner = Value::from(format!("./{inner}"));
    for name in links.exports.iter().filter(|name| !made_up.contains(name)) {
        let name = Value::from(name.as_str());
        // Writing into a string cannot fail.
        let _ = writeln!(text, "export {{ {name} }} from {inner};");
    }
    for specifier in &links.handed_on {
        let _ = writeln!(text, "export * from {};", Value::from(specifier.as_str()));
    }
    if text.is_empty() {
        let _ = writeln!(text, "import {inner};");
    }
    text
}
