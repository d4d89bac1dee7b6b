//! Classes and namespaces in the form that every engine understands: what TypeScript and later editions of the language add,
//! done as Deno does it before it runs a file (`design/bundling.md`, "Classes and namespaces").

mod constants;
mod decorated;
mod edits;
pub(super) mod import_meta;
mod namespaces;
mod parameters;
mod place;

use mangrove_sources::{parse::parse_module, parser::JsxRuntime};
use oxc_allocator::Allocator;
use oxc_ast::ast::{
    AssignmentExpression, AssignmentOperator, AssignmentPattern, AssignmentTarget, Class, ClassElement, Declaration,
    ExportDeclaration, ExportDefaultDeclaration, ExportDefaultDeclarationKind, Expression, FormalParameter,
    ObjectProperty, PropertyDefinition, TSEnumMember, TSExternalModuleDeclaration, TSGlobalDeclaration,
    TSNamespaceDeclaration, UnaryExpression, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};
use oxc_syntax::operator::UnaryOperator;
use rolldown_sourcemap::{SourceMap, collapse_sourcemaps};

use edits::Edits;
use place::Place;

/// The module of [`HELPER_SOURCE`], as changed files import it.
const HELPER: &str = "mangrove:decorators";
/// What classes with decorators call.
const HELPER_SOURCE: &str = include_str!("decorators.js");

/// The text of a module that changed files import.
pub(super) fn helper(id: &str) -> Option<&'static str> {
    match id {
        HELPER => Some(HELPER_SOURCE),
        import_meta::HELPER => Some(import_meta::HELPER_SOURCE),
        constants::HELPER => Some(constants::HELPER_SOURCE),
        _ => None,
    }
}

/// Begins every name that is added to a file, unless the file has such a name itself.
const PREFIX: &str = "__lowered";

/// What is to be changed in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The path below its root.
    pub(super) path: &'a str,
    /// The part of its address that stands behind that of its root, with the query and the fragment of its import; the whole of
    /// one that begins with `data:`.
    pub(super) address: &'a str,
    /// Its text.
    pub(super) text: &'a str,
    /// Whether an assignment to a constant is made an error of its own. Few files have one, and to look costs a parse.
    pub(super) has_wrong_assignments: bool,
    /// Whether decorators are those of before the standard, which are left to whoever knows them.
    pub(super) has_legacy_decorators: bool,
}

/// The file in the form in which it is bundled, and where its parts stood; `None` if there is nothing to change, or if the file does
/// not parse, which the bundler says better.
pub(super) fn lower(source: Source<'_>) -> Option<(String, SourceMap)> {
    let steps = [constants::lower, import_meta::lower, lower_declarations, lower_jsx];
    steps.into_iter().fold(None, |before: Option<(String, SourceMap)>, step| match before {
        None => step(source),
        Some((text, map)) => match step(Source { text: &text, ..source }) {
            Some((text, later)) => Some((text, collapse_sourcemaps(&[&map, &later]))),
            None => Some((text, map)),
        },
    })
}

/// A comment that says where JSX comes from says as well that it comes from somewhere, which the bundler wants to be told.
fn lower_jsx(source: Source<'_>) -> Option<(String, SourceMap)> {
    let text = source.text;
    let is_jsx = SourceType::from_path(source.path).is_ok_and(oxc_span::SourceType::is_jsx);
    if !is_jsx || !text.contains("@jsxImportSource") {
        return None;
    }
    if !matches!(parse_module(source.path, text.as_bytes()).jsx, Some(JsxRuntime::Below(_))) {
        return None;
    }
    let mut edits = Edits::default();
    edits.insert(start_of_code(text), "/** @jsxRuntime automatic */ ");
    edits.apply(text)
}

fn lower_declarations(source: Source<'_>) -> Option<(String, SourceMap)> {
    let text = source.text;
    let source_type = SourceType::from_path(source.path).ok()?.with_module(true);
    // Most files have none of it, and parsing each twice would be half the cost of a bundle.
    let has_parameters =
        ["private", "public", "protected", "readonly", "override"].iter().any(|word| text.contains(word))
            && text.contains("constructor");
    let has_classes = text.contains("class") && (has_parameters || text.contains('@') || text.contains("accessor"));
    let has_any = has_classes || text.contains("namespace") || text.contains("enum");
    if !source_type.is_typescript() || !has_any {
        return None;
    }
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, source_type).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() {
        return None;
    }
    let mut lowering = Lowering::new(source);
    lowering.visit_program(&parsed.program);
    if lowering.edits.is_empty() {
        return None;
    }
    if lowering.needs_helper {
        let import = format!("import {{ applyDecorators as {} }} from \"{HELPER}\"; ", lowering.prefix);
        lowering.edits.insert(start_of_code(text), import);
    }
    if !lowering.hoisted.is_empty() {
        let end = u32::try_from(text.len()).ok()?;
        lowering.edits.insert(end, format!("\n;var {};", lowering.hoisted.join(", ")));
    }
    lowering.edits.apply(text)
}

/// Where the code of a file begins: behind the line that names a program to run it.
fn start_of_code(text: &str) -> u32 {
    let first = text.starts_with("#!").then(|| text.find('\n')).flatten();
    first.and_then(|end| u32::try_from(end + 1).ok()).unwrap_or(0)
}

/// `wanted`, or a longer name that the text does not have.
fn free_name(text: &str, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while text.contains(&name) {
        name.push('_');
    }
    name
}

/// Walks over a file and collects what is to be changed.
struct Lowering<'t> {
    text: &'t str,
    /// Begins every name that is added.
    prefix: String,
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
    fn new(source: Source<'t>) -> Self {
        let edits = Edits::default();
        Self {
            text: source.text,
            prefix: free_name(source.text, PREFIX),
            legacy: source.has_legacy_decorators,
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
        format!("{}_{what}{}", self.prefix, self.names)
    }

    /// Notes the name that a value takes, if it is an anonymous class.
    fn note_name(&mut self, name: &str, value: Option<&Expression<'_>>) {
        if let Some(Expression::ClassExpression(class)) = value
            && class.id.is_none()
        {
            self.next_place = Some(Place::named(name));
        }
    }

    fn text_of(&self, span: Span) -> &'t str {
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
        if let Some(name) = declarator.id.get_identifier_name() {
            self.note_name(name.as_str(), declarator.init.as_ref());
        }
        walk::walk_variable_declarator(self, declarator);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        let names = assignment.operator == AssignmentOperator::Assign || assignment.operator.is_logical();
        if let AssignmentTarget::AssignmentTargetIdentifier(target) = &assignment.left
            && names
        {
            self.note_name(target.name.as_str(), Some(&assignment.right));
        }
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_assignment_pattern(&mut self, pattern: &AssignmentPattern<'a>) {
        if let Some(name) = pattern.left.get_identifier_name() {
            self.note_name(name.as_str(), Some(&pattern.right));
        }
        walk::walk_assignment_pattern(self, pattern);
    }

    fn visit_formal_parameter(&mut self, parameter: &FormalParameter<'a>) {
        if let Some(name) = parameter.pattern.get_identifier_name() {
            self.note_name(name.as_str(), parameter.initializer.as_deref());
        }
        walk::walk_formal_parameter(self, parameter);
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        let name = property.key.static_name().filter(|name| !property.computed && *name != "__proto__");
        if let Some(name) = name {
            self.note_name(&name, Some(&property.value));
        }
        walk::walk_object_property(self, property);
    }

    fn visit_property_definition(&mut self, field: &PropertyDefinition<'a>) {
        let name = field.key.static_name().filter(|_| !field.computed && field.decorators.is_empty());
        if let Some(name) = name {
            self.note_name(&name, field.value.as_ref());
        }
        walk::walk_property_definition(self, field);
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
