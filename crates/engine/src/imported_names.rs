//! What modules import of each other by name.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use oxc_allocator::Allocator;
use oxc_ast::ast::{Expression, StaticMemberExpression};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::SourceType;
use oxc_syntax::module_record::{ExportImportName, ImportImportName};

/// For every specifier, the names that are imported of it.
pub(super) type ImportedNames = BTreeMap<String, BTreeSet<String>>;

/// How much text is remembered in one process with what it imports, in bytes.
const TEXT_BYTES: usize = 32 << 20;

/// Texts with what they import, by their addresses in memory: while a text stands here, no other one lies there.
#[derive(Default)]
struct Remembered {
    texts: HashMap<usize, (Arc<str>, Arc<ImportedNames>)>,
    bytes: usize,
}

/// The same as [`in_text`], for a text that many runtimes of this process load: it is parsed once.
pub(super) fn in_shared(code: &Arc<str>) -> Arc<ImportedNames> {
    static REMEMBERED: OnceLock<Mutex<Remembered>> = OnceLock::new();
    let address = Arc::as_ptr(code).cast::<u8>().addr();
    let mut remembered = REMEMBERED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, names)) = remembered.texts.get(&address) {
        return Arc::clone(names);
    }
    let names = Arc::new(in_text(code));
    if remembered.bytes + code.len() > TEXT_BYTES {
        *remembered = Remembered::default();
    }
    if code.len() <= TEXT_BYTES {
        remembered.bytes += code.len();
        remembered.texts.insert(address, (Arc::clone(code), Arc::clone(&names)));
    }
    names
}

/// For every specifier, the names that a module imports of it. Of a namespace import, the members that are read.
pub(super) fn in_text(code: &str) -> ImportedNames {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    let mut names = ImportedNames::new();
    let mut namespaces: HashMap<String, String> = HashMap::new();
    let mut add = |specifier: &str, name: &str| {
        if name != "default" && is_identifier(name) {
            names.entry(specifier.to_owned()).or_default().insert(name.to_owned());
        }
    };
    for entry in &parsed.module_record.import_entries {
        let specifier = entry.module_request.name.as_str();
        match &entry.import_name {
            ImportImportName::Name(name) => add(specifier, name.name.as_str()),
            ImportImportName::NamespaceObject => {
                namespaces.insert(entry.local_name.name.to_string(), specifier.to_owned());
            }
            ImportImportName::Default(_) => {}
        }
    }
    for entry in &parsed.module_record.indirect_export_entries {
        if let (Some(request), ExportImportName::Name(name)) = (&entry.module_request, &entry.import_name) {
            add(request.name.as_str(), name.name.as_str());
        }
    }
    if !namespaces.is_empty() {
        let mut members = NamespaceMembers { namespaces: &namespaces, found: Vec::new() };
        members.visit_program(&parsed.program);
        for (specifier, name) in members.found {
            add(&specifier, &name);
        }
    }
    names
}

struct NamespaceMembers<'n> {
    namespaces: &'n HashMap<String, String>,
    found: Vec<(String, String)>,
}

impl<'a> Visit<'a> for NamespaceMembers<'_> {
    fn visit_static_member_expression(&mut self, expression: &StaticMemberExpression<'a>) {
        if let Expression::Identifier(object) = &expression.object
            && let Some(specifier) = self.namespaces.get(object.name.as_str())
        {
            self.found.push((specifier.clone(), expression.property.name.to_string()));
        }
        walk::walk_static_member_expression(self, expression);
    }
}

/// True for a name that can be written without quotes.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_' || first == '$')
        && characters.all(|character| character.is_alphanumeric() || character == '_' || character == '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_imported_names_of_every_form() {
        let names = in_text(
            "import { a, b as c } from './x.js'; import d, * as e from \"node:fs\"; export { f } from './x.js';\n\
             e.readFile('p'); const t = \"import { no } from './x.js'\"; // import { never } from './x.js'",
        );
        let of = |specifier: &str| names[specifier].iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        assert_eq!(of("./x.js"), "a b f");
        assert_eq!(of("node:fs"), "readFile");
    }

    #[test]
    fn a_shared_text_is_parsed_once_and_another_one_for_itself() {
        let text: Arc<str> = "import { a } from './x.js';".into();
        let names = in_shared(&text);
        assert!(Arc::ptr_eq(&names, &in_shared(&Arc::clone(&text))));
        let other = in_shared(&"import { b } from './x.js';".into());
        assert_eq!(other["./x.js"].iter().map(String::as_str).collect::<Vec<_>>(), ["b"]);
    }
}
