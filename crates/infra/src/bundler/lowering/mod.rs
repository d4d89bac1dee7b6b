//! Classes and namespaces in the form that every engine understands: what TypeScript and later editions of the language add,
//! done as Deno does it before it runs a file (`design/bundling.md`, "Classes and namespaces").

mod decorated;
mod edits;
mod namespaces;
mod parameters;
mod place;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Class, ClassElement, Declaration, ExportDeclaration, ExportDefaultDeclaration, ExportDefaultDeclarationKind,
    Expression, TSEnumMember, TSExternalModuleDeclaration, TSGlobalDeclaration, TSNamespaceDeclaration,
    UnaryExpression, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};
use oxc_syntax::operator::UnaryOperator;
use rolldown_sourcemap::SourceMap;

use edits::Edits;
use place::Place;

/// The module of [`HELPER_SOURCE`], as changed files import it.
pub(super) const HELPER: &str = "mangrove:decorators";
/// What classes with decorators call.
pub(super) const HELPER_SOURCE: &str = include_str!("decorators.js");

/// Begins every name that is added to a file.
const PREFIX: &str = "__lowered";

/// The file with its classes and namespaces changed, and where its parts stood; `None` if there is nothing to change, or if the file does
/// not parse, which the bundler says better. With `legacy`, decorators are left to whoever knows the older form.
pub(super) fn lower(id: &str, text: &str, legacy: bool) -> Option<(String, SourceMap)> {
    let id = id.split_once('?').map_or(id, |(file, _)| file);
    // Most files have none of it, and parsing each twice would be half the cost of a bundle.
    let has_parameters =
        ["private", "public", "protected", "readonly", "override"].iter().any(|word| text.contains(word))
            && text.contains("constructor");
    let has_classes = text.contains("class") && (has_parameters || text.contains('@') || text.contains("accessor"));
    if !has_classes && !text.contains("namespace") && !text.contains("enum") {
        return None;
    }
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::from_path(id).ok()?.with_module(true)).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() || text.contains(PREFIX) {
        return None;
    }
    let mut lowering = Lowering::new(text, legacy);
    lowering.visit_program(&parsed.program);
    if lowering.edits.is_empty() {
        return None;
    }
    if lowering.needs_helper {
        let start = if text.starts_with("#!") { lowering.next(0, '\n') + 1 } else { 0 };
        lowering.edits.insert(start, format!("import {{ applyDecorators as {PREFIX} }} from \"{HELPER}\"; "));
    }
    if !lowering.hoisted.is_empty() {
        let end = u32::try_from(text.len()).ok()?;
        lowering.edits.insert(end, format!("\n;var {};", lowering.hoisted.join(", ")));
    }
    lowering.edits.apply(text)
}

/// Walks over a file and collects what is to be changed.
struct Lowering<'t> {
    text: &'t str,
    legacy: bool,
    edits: Edits,
    needs_helper: bool,
    names: usize,
    /// Names that the file needs at its top.
    hoisted: Vec<String>,
    /// Whether the walk is inside of the initial value of a member of an enum.
    is_in_enum: bool,
    /// Where the next class that is met stands.
    next_place: Option<Place>,
}

impl<'t> Lowering<'t> {
    fn new(text: &'t str, legacy: bool) -> Self {
        let edits = Edits::default();
        Self {
            text,
            legacy,
            edits,
            needs_helper: false,
            names: 0,
            hoisted: Vec::new(),
            is_in_enum: false,
            next_place: None,
        }
    }

    /// A name that nothing in the file has.
    fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{PREFIX}_{what}{}", self.names)
    }

    fn source(&self, span: Span) -> &'t str {
        span.source_text(self.text)
    }

    /// Where `character` stands next, from `from` on.
    fn next(&self, from: u32, character: char) -> u32 {
        let rest = self.text.get(from as usize..).unwrap_or_default();
        rest.find(character).and_then(|offset| u32::try_from(offset).ok()).map_or(from, |offset| from + offset)
    }

    /// The end of a member's key, with its closing bracket.
    fn end_of_key(&self, key: Span, computed: bool) -> u32 {
        if computed { self.next(key.end, ']') + 1 } else { key.end }
    }
}

impl<'a> Visit<'a> for Lowering<'_> {
    fn visit_export_declaration(&mut self, declaration: &ExportDeclaration<'a>) {
        if let Declaration::ClassDeclaration(class) = &declaration.declaration {
            self.next_place = Some(Place::exported(declaration.span, class, false));
        }
        walk::walk_export_declaration(self, declaration);
    }

    fn visit_export_default_declaration(&mut self, declaration: &ExportDefaultDeclaration<'a>) {
        if let ExportDefaultDeclarationKind::ClassDeclaration(class) = &declaration.declaration {
            self.next_place = Some(Place::exported(declaration.span, class, true));
        }
        walk::walk_export_default_declaration(self, declaration);
    }

    fn visit_ts_namespace_declaration(&mut self, namespace: &TSNamespaceDeclaration<'a>) {
        // What is only declared has no code.
        if !namespace.declare {
            self.lower_namespace(namespace);
            walk::walk_ts_namespace_declaration(self, namespace);
        }
    }

    fn visit_ts_global_declaration(&mut self, _: &TSGlobalDeclaration<'a>) {}

    fn visit_ts_external_module_declaration(&mut self, _: &TSExternalModuleDeclaration<'a>) {}

    fn visit_ts_enum_member(&mut self, member: &TSEnumMember<'a>) {
        let before = std::mem::replace(&mut self.is_in_enum, true);
        walk::walk_ts_enum_member(self, member);
        self.is_in_enum = before;
    }

    fn visit_unary_expression(&mut self, expression: &UnaryExpression<'a>) {
        walk::walk_unary_expression(self, expression);
        let is_text = matches!(expression.argument, Expression::StringLiteral(_) | Expression::TemplateLiteral(_));
        if self.is_in_enum && is_text && expression.operator == UnaryOperator::UnaryPlus {
            // Who evaluates members beforehand takes the text for its own number.
            let argument = expression.argument.span();
            self.edits.replace(expression.span.start, argument.start, "Number(");
            self.edits.insert(argument.end, ")");
        }
    }

    fn visit_variable_declarator(&mut self, declarator: &VariableDeclarator<'a>) {
        if let Some(Expression::ClassExpression(class)) = &declarator.init
            && class.id.is_none()
        {
            self.next_place = declarator.id.get_identifier_name().map(|name| Place::named(name.as_str()));
        }
        walk::walk_variable_declarator(self, declarator);
    }

    fn visit_class(&mut self, class: &Class<'a>) {
        let place = self.next_place.take().unwrap_or_default();
        // From the inside out: what is put at one place lies around what was put there before.
        walk::walk_class(self, class);
        let has_accessors = class.body.body.iter().any(|element| matches!(element, ClassElement::AccessorProperty(_)));
        let has_decorators = !class.decorators.is_empty() || class.body.body.iter().any(ClassElement::has_decorator);
        let parameters = parameters::Parameters::of(class);
        if !class.declare {
            let assignments = if !self.legacy && (has_decorators || has_accessors) {
                self.lower_decorated(class, &place, parameters.is_some())
            } else if parameters.is_some() {
                self.defer_fields(class)
            } else {
                Vec::new()
            };
            if let Some(parameters) = &parameters {
                self.lower_constructor(class, parameters, assignments);
            }
        }
    }
}

/// From the first decorator or modifier of a class to its end.
fn whole(class: &Class<'_>) -> Span {
    let start = class.decorators.iter().map(|decorator| decorator.span.start).fold(class.span().start, u32::min);
    Span::new(start, class.span().end)
}

#[cfg(test)]
mod tests;
