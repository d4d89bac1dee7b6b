//! What sources import of packages: names, and attributes that mean nothing there.

use std::collections::BTreeSet;

use mangrove_domain::package::Offer;
use oxc_allocator::Allocator;
use oxc_ast::ast::{ImportExpression, Program, Statement, WithClause};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};
use rolldown_common::ModuleType;

use super::{super::links, imports::module_type};

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The specifiers of packages of which it imports names that only their wide offer has.
    pub(super) wide: BTreeSet<String>,
    /// Its text without the attributes of imports of packages, whose files are all modules here; every other
    /// character stays in its place. `None` if there are none.
    pub(super) text: Option<String>,
}

/// Reads a file. `offer` gives what a package offers by name, for a specifier as the file writes it; `is_outside` is
/// true for the specifiers of packages.
pub(super) fn said<'o>(id: &str, text: &str, specifiers: &[&str], offer: impl Fn(&str) -> Option<&'o Offer>) -> Said {
    let is_script = matches!(module_type(id), ModuleType::Ts | ModuleType::Tsx | ModuleType::Js | ModuleType::Jsx);
    // Parsing every file twice for what is rare would be half the cost of a bundle.
    let has = |word: &str| [format!("\"{word}\""), format!("'{word}'")].iter().any(|quoted| text.contains(quoted));
    let may_need_more = specifiers.iter().any(|specifier| offer(specifier).is_some_and(|offer| offer.wide.is_some()));
    let has_attributes = !specifiers.is_empty() && has("json");
    if !is_script || !(has_attributes || may_need_more) {
        return Said::default();
    }
    let allocator = Allocator::default();
    let source_type = SourceType::from_path(id).unwrap_or_else(|_| SourceType::ts());
    let parsed = Parser::new(&allocator, text, source_type).parse();
    let mut said = Said::default();
    links::each_imported(&parsed.module_record, |specifier, name, _| {
        let is_wide = specifiers.contains(&specifier)
            && offer(specifier).is_some_and(|offer| {
                !offer.names.contains(name) && offer.wide.as_ref().is_some_and(|wide| wide.names.contains(name))
            });
        if is_wide {
            said.wide.insert(specifier.to_owned());
        }
    });
    let mut attributes = Attributes { specifiers, places: Vec::new() };
    attributes.visit_program(&parsed.program);
    if !attributes.places.is_empty() {
        said.text = Some(blanked(text, &attributes.places));
    }
    said
}

/// Each import with an attribute: its specifier and the clause.
fn clauses<'p, 'a>(program: &'p Program<'a>) -> impl Iterator<Item = (&'p str, Span, &'p WithClause<'a>)> {
    program.body.iter().filter_map(|statement| match statement {
        Statement::ImportDeclaration(import) => {
            Some((import.source.value.as_str(), import.source.span, &**import.with_clause.as_ref()?))
        }
        Statement::ExportFromDeclaration(export) => {
            Some((export.source.value.as_str(), export.source.span, &**export.with_clause.as_ref()?))
        }
        _ => None,
    })
}

/// Finds the attributes of imports of packages.
struct Attributes<'s> {
    specifiers: &'s [&'s str],
    places: Vec<Span>,
}

impl<'a> Visit<'a> for Attributes<'_> {
    fn visit_program(&mut self, program: &Program<'a>) {
        for (specifier, source, clause) in clauses(program) {
            if self.specifiers.contains(&specifier) {
                self.places.push(Span::new(source.end, clause.span.end));
            }
        }
        walk::walk_program(self, program);
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        if let oxc_ast::ast::Expression::StringLiteral(source) = &import.source
            && self.specifiers.contains(&source.value.as_str())
            && let Some(options) = &import.options
        {
            self.places.push(Span::new(source.span.end, options.span().end));
        }
        walk::walk_import_expression(self, import);
    }
}

/// The text with spaces in these places; line ends stay.
fn blanked(text: &str, places: &[Span]) -> String {
    let mut blanked = String::with_capacity(text.len());
    let is_inside = |at: usize| places.iter().any(|span| (span.start as usize..span.end as usize).contains(&at));
    for (at, character) in text.char_indices() {
        if is_inside(at) && !matches!(character, '\n' | '\r') {
            blanked.extend(std::iter::repeat_n(' ', character.len_utf8()));
        } else {
            blanked.push(character);
        }
    }
    blanked
}
