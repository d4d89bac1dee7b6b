//! What a finished module imports and exports by name.

use std::collections::{BTreeMap, BTreeSet};

use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;
use oxc_syntax::module_record::{ExportExportName, ExportImportName, ImportImportName, ModuleRecord};

/// The names that a module binds before any of its code runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    /// What it exports itself.
    pub(super) exports: BTreeSet<String>,
    /// Specifiers of modules whose exports it hands on.
    pub(super) handed_on: BTreeSet<String>,
    /// What it imports, by specifier; no name of one that is only loaded, or taken as a whole.
    pub(super) imports: BTreeMap<String, BTreeSet<String>>,
}

/// The links of an ES module that the bundler wrote.
pub(super) fn of(code: &str) -> Links {
    let allocator = Allocator::default();
    let record = Parser::new(&allocator, code, SourceType::mjs()).parse().module_record;
    let mut links = Links::default();
    for specifier in record.requested_modules.keys() {
        links.imports.entry(specifier.to_string()).or_default();
    }
    each_imported(&record, |specifier, name, _| {
        links.imports.entry(specifier.to_owned()).or_default().insert(name.to_owned());
    });
    for entry in record.local_export_entries.iter().chain(&record.indirect_export_entries) {
        match &entry.export_name {
            ExportExportName::Name(name) => {
                links.exports.insert(name.name.to_string());
            }
            ExportExportName::Default(_) => {
                links.exports.insert("default".to_owned());
            }
            ExportExportName::Null => {}
        }
    }
    let stars = record.star_export_entries.iter().filter_map(|entry| entry.module_request.as_ref());
    links.handed_on.extend(stars.map(|request| request.name.to_string()));
    links
}

/// The specifiers of modules whose exports a module hands on.
pub(super) fn stars(code: &str) -> BTreeSet<String> {
    let allocator = Allocator::default();
    let record = Parser::new(&allocator, code, SourceType::mjs()).parse().module_record;
    let stars = record.star_export_entries.iter().filter_map(|entry| entry.module_request.as_ref());
    stars.map(|request| request.name.to_string()).collect()
}

/// The code of a module whose imports of these specifiers lead to others; nothing but imports is changed.
pub(super) fn retargeted(code: &str, targets: &BTreeMap<String, String>) -> String {
    let allocator = Allocator::default();
    let record = Parser::new(&allocator, code, SourceType::mjs()).parse().module_record;
    let requested = record.requested_modules.values().flatten().map(|request| request.span);
    let places = requested.chain(record.dynamic_imports.iter().map(|import| import.module_request));
    let mut edits: Vec<(usize, &str, &str)> = Vec::new();
    for place in places {
        let (start, text) = (place.start as usize, place.source_text(code));
        let quoted = targets.iter().find(|(from, _)| text.trim_matches(['"', '\'', '`']) == from.as_str());
        edits.extend(quoted.map(|(from, to)| (start + 1, from.as_str(), to.as_str())));
    }
    edits.sort_unstable();
    edits.dedup();
    let mut changed = code.to_owned();
    for (start, from, to) in edits.into_iter().rev() {
        changed.replace_range(start..start + from.len(), to);
    }
    changed
}

/// Calls `found` with the specifier, the name and the place in bytes of every name that a module imports or hands on.
pub(super) fn each_imported(record: &ModuleRecord<'_>, mut found: impl FnMut(&str, &str, u32)) {
    for entry in &record.import_entries {
        let specifier = entry.module_request.name.as_str();
        match &entry.import_name {
            ImportImportName::Name(name) => found(specifier, name.name.as_str(), name.span.start),
            ImportImportName::Default(span) => found(specifier, "default", span.start),
            ImportImportName::NamespaceObject => {}
        }
    }
    for entry in &record.indirect_export_entries {
        let (Some(request), ExportImportName::Name(name)) = (&entry.module_request, &entry.import_name) else {
            continue;
        };
        // What was imported by a statement of its own stands here once more, the default by its local name.
        let mut requests = record.requested_modules.get(&request.name).into_iter().flatten();
        if requests.any(|requested| !requested.is_import && requested.statement_span == entry.statement_span) {
            found(request.name.as_str(), name.name.as_str(), name.span.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_imports_are_retargeted() {
        let code = "import { a } from \"./x.js\"; export * from './x.js'; const t = \"./x.js\";\nconst é = import(\"./x.js\"); import './y.js';";
        let targets = BTreeMap::from([("./x.js".to_owned(), "./x~inner.js".to_owned())]);
        assert_eq!(
            retargeted(code, &targets),
            "import { a } from \"./x~inner.js\"; export * from './x~inner.js'; const t = \"./x.js\";\nconst é = import(\"./x~inner.js\"); import './y.js';"
        );
    }

    fn list<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
        names.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_form_of_import_and_export_is_read() {
        let links = of("import a, { b, default as c, \"module.exports\" as d } from './x.js'; import * as e from './y.js'; export { a as p };
             import './z.js'; export { f, g as h, default } from './x.js'; export { c as o }; export * from './w.js'; export * as i from './v.js';
             const j = a + b + c + d + e; export { j as k, j as \"l-m\" }; export default j; export function n() {}
             export const later = () => import('./u.js');");
        assert_eq!(list(&links.imports["./x.js"]), "b default f g module.exports");
        for whole in ["./y.js", "./z.js", "./v.js", "./w.js"] {
            assert_eq!(list(&links.imports[whole]), "", "{whole}");
        }
        assert!(!links.imports.contains_key("./u.js"));
        assert_eq!(list(&links.exports), "default f h i k l-m later n o p");
        assert_eq!(list(&links.handed_on), "./w.js");
    }
}
