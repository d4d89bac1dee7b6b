//! `import.meta` of a source file, which is not that of the bundle in which it lies.

use std::path::Path;

use oxc_allocator::Allocator;
use oxc_ast::ast::ImportMeta;
use oxc_ast_visit::Visit;
use oxc_parser::Parser;
use oxc_span::{SourceType, Span};
use rolldown_sourcemap::SourceMap;
use url::Url;

use super::{Source, edits::Edits, free_name, start_of_code};

/// The module of [`HELPER_SOURCE`], as changed files import it.
pub(super) const HELPER: &str = "mangrove:import-meta";
/// What files ask for their `import.meta`: an engine of ours says where their root lies (`engine/prelude/sources.js`). Elsewhere nothing
/// is known but where the bundle itself lies.
pub(super) const HELPER_SOURCE: &str = "const asked = Symbol.for(\"mangrove.importMeta\");\n\
     export function importMeta(path) {\n\treturn globalThis[asked]?.(path) ?? import.meta;\n}\n";

/// What stands in a file for its own `import.meta` where it can import no module of ours.
#[cfg(feature = "deno")]
pub(in crate::bundler) fn asked(address: &str) -> String {
    let address = serde_json::Value::from(address);
    format!("Object(globalThis[Symbol.for(\"mangrove.importMeta\")]?.({address}) ?? import.meta)")
}

/// A call in the place of `import.meta` at this offset. It begins with a name, since a parenthesis would go on with a line before
/// that has no semicolon; behind `new` it is not what is constructed.
pub(in crate::bundler) fn fitting(text: &str, start: usize, call: &str) -> String {
    let is_constructed = text.get(..start).is_some_and(|before| before.trim_end().ends_with("new"));
    if is_constructed { format!("({call})") } else { call.to_owned() }
}

/// The file with its own `import.meta` in the place of the bundle's; `None` if it uses none, or does not parse.
pub(super) fn lower(source: Source<'_>) -> Option<(String, SourceMap)> {
    if !is_mentioned(source.text) {
        return None;
    }
    let source_type = SourceType::from_path(source.path).ok()?.with_module(true);
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source.text, source_type).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() {
        return None;
    }
    let mut uses = Uses::default();
    uses.visit_program(&parsed.program);
    let Uses(places) = uses;
    let address = serde_json::Value::from(source.address);
    let name = free_name(source.text, "__import_meta");
    let mut edits = Edits::default();
    for place in &places {
        let asked = format!("{name}({address})");
        edits.replace(place.start, place.end, fitting(source.text, place.start as usize, &asked));
    }
    if !places.is_empty() {
        edits.insert(start_of_code(source.text), format!("import {{ importMeta as {name} }} from \"{HELPER}\"; "));
    }
    if edits.is_empty() { None } else { edits.apply(source.text) }
}

/// Where a file says `import.meta`.
#[derive(Default)]
struct Uses(Vec<Span>);

impl Visit<'_> for Uses {
    fn visit_import_meta(&mut self, meta: &ImportMeta) {
        self.0.push(meta.span);
    }
}

/// True if a text may use `import.meta`.
pub(in crate::bundler) fn is_mentioned(text: &str) -> bool {
    let behind = |at: usize| text.get(at + "import".len()..).unwrap_or_default().trim_start();
    text.match_indices("import")
        .any(|(at, _)| behind(at).strip_prefix('.').is_some_and(|rest| rest.trim_start().starts_with("meta")))
}

/// The part of a file's address that stands behind that of its root, with the query and the fragment of its import.
pub(in crate::bundler) fn address(path: &str, behind: &str) -> Option<String> {
    let address = Url::from_file_path(Path::new("/").join(path)).ok()?;
    Some(format!("{}{behind}", address.path().trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::{address, is_mentioned};

    #[test]
    fn a_mention_may_have_spaces() {
        assert!(is_mentioned("import x from 'y'; const here = import\n  . meta.url"));
        assert!(!is_mentioned("import meta from './meta.ts'; const metadata = { import: meta };"));
    }

    #[test]
    fn an_address_is_escaped_as_those_of_files_are() {
        assert_eq!(address("models/a b#c%.ts", "?x=1").as_deref(), Some("models/a%20b%23c%25.ts?x=1"));
    }
}
