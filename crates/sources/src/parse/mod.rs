//! Reading a module's imports, exports and literals with the bundler's own parser.

mod jsx;

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::failure::Fault;
use oxc_allocator::Allocator;
use oxc_ast::ast::{
    BindingPattern, Declaration, Expression, ImportAttributeKey, ImportDeclaration, ImportDeclarationSpecifier,
    ImportExpression, ImportMeta, ImportOrExportKind, ModuleExportName, ObjectPropertyKind, Program, Statement,
    StringLiteral, TSModuleReference, VariableDeclaration, WithClause,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::SourceType;

use crate::{
    literals::{LITERAL_KEYS, place},
    parser::{ExportLiteral, Import, ModuleParser, ParsedModule, SyntaxError},
    tokens,
};

/// Larger modules are not parsed: 8 MiB is far above anything that people write.
pub const MAXIMUM_MODULE_BYTES: usize = 8 * 1024 * 1024;

/// Changes whenever the same bytes may be read differently; remembered answers of another version are dropped.
pub(super) const VERSION: u32 = 3;

/// Reads one module, whose file is called `path`.
///
/// Pure, and not safe against hostile nesting: the parser recurses, so this belongs in a worker process.
#[must_use]
#[expect(clippy::module_name_repetitions, reason = "it is called from afar, where `parse` alone says little")]
pub fn parse_module(path: &str, bytes: &[u8]) -> ParsedModule {
    if bytes.len() > MAXIMUM_MODULE_BYTES {
        let message = format!("the file has {} bytes, at most {MAXIMUM_MODULE_BYTES} are read", bytes.len());
        return broken(bytes, "", 0, message);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            return broken(bytes, &valid, valid.len(), "the file is not UTF-8".to_owned());
        }
    };
    let Ok(source_type) = SourceType::from_path(path) else {
        return ParsedModule::default();
    };
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, source_type.with_module(true)).parse();
    if parsed.panicked || parsed.diagnostics.has_errors() {
        let first = parsed.diagnostics.errors().next();
        let offset = first.and_then(|error| error.labels.first()).map_or(0, |label| label.offset() as usize);
        let message = first.map_or_else(|| "the parser failed".to_owned(), |error| error.message.to_string());
        return broken(bytes, text, offset, message);
    }
    let mut module = ModuleVisitor { text, module: Found::default() }.read(&parsed.program);
    if source_type.is_jsx() {
        module.jsx = jsx::runtime(text, &parsed.program);
    }
    // The text that was parsed has no mark at its beginning.
    let mark = u32::try_from(bytes.len() - text.len()).unwrap_or_default();
    for (start, end) in &mut module.import_metas {
        (*start, *end) = (*start + mark, *end + mark);
    }
    module
}

fn broken(bytes: &[u8], text: &str, offset: usize, message: String) -> ParsedModule {
    let (line, column) = place(text, offset);
    ParsedModule { syntax_error: Some(SyntaxError { line, column, message }), ..tokens::scan(bytes) }
}

#[derive(Default)]
struct Found {
    imports: Vec<(u32, Import)>,
    /// By where they stand.
    exports: Vec<(usize, String)>,
    literals: Vec<ExportLiteral>,
    import_metas: Vec<(u32, u32)>,
}

struct ModuleVisitor<'text> {
    text: &'text str,
    module: Found,
}

impl ModuleVisitor<'_> {
    fn read(mut self, program: &Program<'_>) -> ParsedModule {
        for statement in &program.body {
            self.statement(statement, program);
        }
        self.visit_program(program);
        let Found { mut imports, exports, literals, import_metas } = self.module;
        imports.sort_by_key(|(start, _)| *start);
        let imports = imports.into_iter().map(|(_, import)| import).collect();
        let mut module = ParsedModule { imports, import_metas, literals, ..ParsedModule::default() };
        module.set_exports(self.text, exports);
        module
    }

    fn statement(&mut self, statement: &Statement<'_>, program: &Program<'_>) {
        match statement {
            Statement::ImportDeclaration(import) if !is_type_only(import) => {
                self.import(&import.source, import.with_clause.as_deref());
            }
            Statement::ExportAllDeclaration(export) if export.export_kind == ImportOrExportKind::Value => {
                self.import(&export.source, export.with_clause.as_deref());
                if let Some(name) = &export.exported {
                    self.export(name_of(name), export.span.start);
                }
            }
            Statement::ExportFromDeclaration(export) if export.export_kind == ImportOrExportKind::Value => {
                let mut values = export
                    .specifiers
                    .iter()
                    .filter(|specifier| specifier.export_kind == ImportOrExportKind::Value)
                    .peekable();
                if export.specifiers.is_empty() || values.peek().is_some() {
                    self.import(&export.source, export.with_clause.as_deref());
                }
                for specifier in values {
                    self.export(name_of(&specifier.exported), specifier.span.start);
                }
            }
            Statement::ExportNamedDeclaration(export) if export.export_kind == ImportOrExportKind::Value => {
                for specifier in &export.specifiers {
                    if specifier.export_kind == ImportOrExportKind::Value {
                        let name = name_of(&specifier.exported);
                        if let Some(value) = local_value(program, name_of(&specifier.local)) {
                            self.literals(name, value, specifier.span.start);
                        }
                        self.export(name, specifier.span.start);
                    }
                }
            }
            Statement::ExportDeclaration(export) => self.declaration(&export.declaration),
            Statement::TSImportEqualsDeclaration(import) if import.import_kind == ImportOrExportKind::Value => {
                if let TSModuleReference::ExternalModuleReference(reference) = &import.module_reference {
                    self.import(&reference.expression, None);
                }
            }
            _ => {}
        }
    }

    fn declaration(&mut self, declaration: &Declaration<'_>) {
        match declaration {
            Declaration::VariableDeclaration(variables) if !variables.declare => {
                for declarator in &variables.declarations {
                    for identifier in declarator.id.get_binding_identifiers() {
                        self.export(identifier.name.as_str(), identifier.span.start);
                    }
                    if let (BindingPattern::BindingIdentifier(identifier), Some(value)) =
                        (&declarator.id, &declarator.init)
                    {
                        self.literals(identifier.name.as_str(), value, declarator.span.start);
                    }
                }
            }
            Declaration::FunctionDeclaration(function) if !function.declare => {
                if let Some(identifier) = &function.id {
                    self.export(identifier.name.as_str(), identifier.span.start);
                }
            }
            Declaration::ClassDeclaration(class) if !class.declare => {
                if let Some(identifier) = &class.id {
                    self.export(identifier.name.as_str(), identifier.span.start);
                }
            }
            Declaration::TSEnumDeclaration(declaration) if !declaration.declare => {
                self.export(declaration.id.name.as_str(), declaration.id.span.start);
            }
            _ => {}
        }
    }

    fn export(&mut self, name: &str, start: u32) {
        if name != "default" {
            self.module.exports.push((start as usize, name.to_owned()));
        }
    }

    fn import(&mut self, source: &StringLiteral<'_>, with: Option<&WithClause<'_>>) {
        let attribute = with.and_then(|clause| {
            clause.with_entries.iter().find_map(|entry| {
                let key = match &entry.key {
                    ImportAttributeKey::Identifier(name) => name.name.as_str(),
                    ImportAttributeKey::StringLiteral(text) => text.value.as_str(),
                };
                (key == "type").then(|| entry.value.value.to_string())
            })
        });
        let import = Import { specifier: source.value.to_string(), is_dynamic: false, attribute };
        self.module.imports.push((source.span.start, import));
    }

    fn literals(&mut self, export: &str, value: &Expression<'_>, start: u32) {
        let Expression::ObjectExpression(object) = value.get_inner_expression() else {
            return;
        };
        let line = place(self.text, start as usize).0;
        for property in &object.properties {
            let ObjectPropertyKind::ObjectProperty(property) = property else {
                continue;
            };
            let Some(key) = property.key.static_name().filter(|_| !property.computed) else {
                continue;
            };
            if let (true, Some(value)) = (LITERAL_KEYS.contains(&key.as_ref()), literal(&property.value)) {
                let key = key.into_owned();
                self.module.literals.push(ExportLiteral { export: export.to_owned(), key, value, line });
            }
        }
    }
}

impl<'a> Visit<'a> for ModuleVisitor<'_> {
    fn visit_import_meta(&mut self, meta: &ImportMeta) {
        self.module.import_metas.push((meta.span.start, meta.span.end));
    }

    fn visit_import_expression(&mut self, expression: &ImportExpression<'a>) {
        if let Some(specifier) = literal(&expression.source) {
            let attribute = expression.options.as_ref().and_then(dynamic_attribute);
            let import = Import { specifier, is_dynamic: true, attribute };
            self.module.imports.push((expression.span.start, import));
        }
        walk::walk_import_expression(self, expression);
    }
}

/// `import type …` and `import { type A, type B } …`; a bare `import "x"` and `import {} from "x"` run the module.
fn is_type_only(import: &ImportDeclaration<'_>) -> bool {
    if import.import_kind == ImportOrExportKind::Type {
        return true;
    }
    import.specifiers.as_ref().is_some_and(|specifiers| {
        !specifiers.is_empty()
            && specifiers.iter().all(|specifier| match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => named.import_kind == ImportOrExportKind::Type,
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_)
                | ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => false,
            })
    })
}

fn name_of<'a>(name: &'a ModuleExportName<'_>) -> &'a str {
    match name {
        ModuleExportName::IdentifierName(identifier) => identifier.name.as_str(),
        ModuleExportName::IdentifierReference(identifier) => identifier.name.as_str(),
        ModuleExportName::StringLiteral(text) => text.value.as_str(),
    }
}

/// What a variable of the module's top level is initialised with.
fn local_value<'a, 'p>(program: &'p Program<'a>, name: &str) -> Option<&'p Expression<'a>> {
    let declared = |variables: &'p VariableDeclaration<'a>| {
        variables.declarations.iter().find_map(|declarator| match &declarator.id {
            BindingPattern::BindingIdentifier(identifier) if identifier.name.as_str() == name => {
                declarator.init.as_ref()
            }
            _ => None,
        })
    };
    program.body.iter().find_map(|statement| match statement {
        Statement::VariableDeclaration(variables) => declared(variables),
        Statement::ExportDeclaration(export) => match &export.declaration {
            Declaration::VariableDeclaration(variables) => declared(variables),
            _ => None,
        },
        _ => None,
    })
}

fn literal(expression: &Expression<'_>) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::StringLiteral(text) => Some(text.value.to_string()),
        Expression::TemplateLiteral(template) => template.single_quasi().map(|text| text.to_string()),
        _ => None,
    }
}

/// The `type` of `import("./x.json", { with: { type: "json" } })`.
fn dynamic_attribute(options: &Expression<'_>) -> Option<String> {
    literal(member(member(options, "with")?, "type")?)
}

fn member<'a, 'p>(object: &'p Expression<'a>, key: &str) -> Option<&'p Expression<'a>> {
    let Expression::ObjectExpression(object) = object.get_inner_expression() else {
        return None;
    };
    object.properties.iter().find_map(|property| match property {
        ObjectPropertyKind::ObjectProperty(property) if property.key.static_name().as_deref() == Some(key) => {
            Some(&property.value)
        }
        ObjectPropertyKind::ObjectProperty(_) | ObjectPropertyKind::SpreadProperty(_) => None,
    })
}

/// Parses in this very process, for tests and for trusted input: hostile nesting ends the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct InProcessParser;

#[async_trait]
impl ModuleParser for InProcessParser {
    async fn parse(&self, path: &str, bytes: Arc<[u8]>) -> Result<ParsedModule, Fault> {
        Ok(parse_module(path, &bytes))
    }
}

#[cfg(test)]
mod tests;
