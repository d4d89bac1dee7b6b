//! What the text of a module says of its imports.

use std::path::Path;

use mangrove_domain::position::Position;
use oxc_allocator::Allocator;
use oxc_ast::ast::{ImportPhase, Program, Statement, WithClause};
use oxc_parser::Parser;
use oxc_span::SourceType;
use rolldown_common::ModuleType;

use crate::bundler::diagnostics;

/// How a file is read; what has no known extension is text.
pub(super) fn module_type(id: &str) -> ModuleType {
    match Path::new(id).extension().and_then(|extension| extension.to_str()) {
        Some("ts" | "mts" | "cts") => ModuleType::Ts,
        Some("tsx") => ModuleType::Tsx,
        Some("js" | "mjs" | "cjs") => ModuleType::Js,
        Some("jsx") => ModuleType::Jsx,
        Some("json" | "jsonc") => ModuleType::Json,
        Some(_) | None => ModuleType::Text,
    }
}

/// A JSON file as a module with one export, as engines have it; `None` if it is no JSON, which the bundler says better.
pub(super) fn json_module(file: &str, text: &str) -> Option<String> {
    let is_json = Path::new(file).extension().is_some_and(|extension| extension == "json");
    if !is_json || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return None;
    }
    Some(format!("export default JSON.parse({});\n", serde_json::Value::from(text)))
}

/// What an import asks for that the bundler does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    /// The file as a text.
    Text,
    /// Something that is not made of it here, in words.
    Unserved(&'static str),
}

/// The specifiers that a module imports as something else than the bundler would make of them.
pub(super) fn attributes(id: &str, text: &str) -> Vec<(String, Attribute)> {
    let is_script = matches!(module_type(id), ModuleType::Ts | ModuleType::Tsx | ModuleType::Js | ModuleType::Jsx);
    // Parsing every file twice for a rare attribute would be half the cost of a bundle.
    let words = ["\"text\"", "'text'", "\"bytes\"", "'bytes'", "import defer", "import source"];
    if !is_script || !words.iter().any(|word| text.contains(word)) {
        return Vec::new();
    }
    let allocator = Allocator::default();
    let source_type = SourceType::from_path(id).unwrap_or_else(|_| SourceType::ts());
    let program = Parser::new(&allocator, text, source_type).parse().program;
    let of_clause = |clause: Option<&WithClause<'_>>| {
        let entries = clause.into_iter().flat_map(|clause| &clause.with_entries);
        entries.filter(|entry| entry.key.as_arena_str() == "type").find_map(|entry| match entry.value.value.as_str() {
            "text" => Some(Attribute::Text),
            "bytes" => Some(Attribute::Unserved("an import of bytes")),
            _ => None,
        })
    };
    let of_phase = |phase: Option<ImportPhase>| match phase? {
        ImportPhase::Defer => Some(Attribute::Unserved("a deferred import")),
        ImportPhase::Source => Some(Attribute::Unserved("an import of a source")),
    };
    let imports = program.body.iter().filter_map(|statement| match statement {
        Statement::ImportDeclaration(import) => {
            let attribute = of_phase(import.phase).or_else(|| of_clause(import.with_clause.as_deref()))?;
            Some((import.source.value.to_string(), attribute))
        }
        Statement::ExportFromDeclaration(export) => {
            Some((export.source.value.to_string(), of_clause(export.with_clause.as_deref())?))
        }
        _ => None,
    });
    let mut found: Vec<(String, Attribute)> = imports.collect();
    // The bundler is asked about a specifier, whatever the import of it says.
    for (specifier, attribute) in &mut found {
        if *attribute == Attribute::Text && imported(&program, specifier) > as_text(&program, specifier) {
            *attribute = Attribute::Unserved("a file that is imported as a text and as something else");
        }
    }
    found
}

/// How many imports of a module name this specifier.
fn imported(program: &Program<'_>, specifier: &str) -> usize {
    let named = |statement: &Statement<'_>| match statement {
        Statement::ImportDeclaration(import) => import.source.value == specifier,
        Statement::ExportFromDeclaration(export) => export.source.value == specifier,
        Statement::ExportAllDeclaration(export) => export.source.value == specifier,
        _ => false,
    };
    program.body.iter().filter(|statement| named(statement)).count()
}

/// How many of them want a text.
fn as_text(program: &Program<'_>, specifier: &str) -> usize {
    let wants = |clause: Option<&WithClause<'_>>| {
        clause.is_some_and(|clause| clause.with_entries.iter().any(|entry| entry.value.value == "text"))
    };
    let named = |statement: &Statement<'_>| match statement {
        Statement::ImportDeclaration(import) => {
            import.source.value == specifier && wants(import.with_clause.as_deref())
        }
        Statement::ExportFromDeclaration(export) => {
            export.source.value == specifier && wants(export.with_clause.as_deref())
        }
        _ => false,
    };
    program.body.iter().filter(|statement| named(statement)).count()
}

/// Where `specifier` stands in `text`; its first line if it cannot be found.
pub(super) fn locate(path: &str, text: &str, specifier: &str) -> Position {
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
