//! What nobody uses is taken out of a finished bundle.
//!
//! The bundler could do it too. But it does not come without its evaluation of constant expressions, which is another
//! engine than the one that runs the code and gives other values in places.

use std::collections::HashMap;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    ArrowFunctionExpression, BinaryExpression, BindingPattern, Class, ClassElement, Expression, Function,
    IdentifierReference, Program, PropertyKey, Statement, TemplateLiteral, UnaryExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_ecmascript::{
    GlobalContext,
    side_effects::{MayHaveSideEffects, MayHaveSideEffectsContext, PropertyReadSideEffects},
};
use oxc_parser::Parser;
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::{GetSpan, SourceType, Span};
use oxc_syntax::{
    operator::{BinaryOperator, UnaryOperator},
    scope::ScopeFlags,
    symbol::SymbolId,
};

/// A bundle without the declarations at its top that have no effect and that nothing uses, and without built-in modules of
/// which nothing is used; and which of its lines are still there. Text that does not parse stays as it is.
pub(super) fn prune(code: &str) -> (String, Vec<bool>) {
    let dead = dead_statements(code);
    let mut left = String::with_capacity(code.len());
    let mut kept_lines = Vec::new();
    let mut dead = dead.into_iter().peekable();
    let mut start = 0;
    for line in code.split_inclusive('\n') {
        let end = start + line.len();
        let mut text = String::with_capacity(line.len());
        let mut at = start;
        let mut was_cut = false;
        while let Some(span) = dead.peek().copied() {
            let (from, to) = (span.start as usize, span.end as usize);
            if from >= end {
                break;
            }
            was_cut = true;
            let from = from.max(at);
            text.push_str(&code[at..from]);
            // The columns of what stands behind it stay what they were.
            text.extend(code[from..to.min(end)].chars().filter(|character| *character != '\n').map(|_| ' '));
            at = to.min(end);
            if to > end {
                break;
            }
            dead.next();
        }
        text.push_str(&code[at..end]);
        let is_gone = was_cut && text.trim().is_empty();
        if !is_gone {
            left.push_str(if was_cut { text.trim_end_matches(' ') } else { &text });
        }
        kept_lines.push(!is_gone);
        start = end;
    }
    (left, kept_lines)
}

/// One statement at the top.
struct Unit {
    span: Span,
    /// It goes if nothing that stays uses it.
    is_removable: bool,
}

fn dead_statements(code: &str) -> Vec<Span> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() {
        return Vec::new();
    }
    let semantic = SemanticBuilder::new().with_build_nodes(true).build(&parsed.program).semantic;
    let scoping = semantic.scoping();
    let program: &Program<'_> = &parsed.program;
    let judge = Judge { scoping };
    let units: Vec<Unit> = program
        .body
        .iter()
        .map(|statement| Unit { span: statement.span(), is_removable: judge.is_removable(statement) })
        .collect();
    let unit_at = |at: u32| units.partition_point(|unit| unit.span.start <= at).checked_sub(1);
    // A `var` may be declared more than once.
    let mut declared: HashMap<SymbolId, Vec<usize>> = HashMap::new();
    let mut uses: HashMap<usize, Vec<SymbolId>> = HashMap::new();
    for symbol in scoping.symbol_ids() {
        if scoping.symbol_scope_id(symbol) != scoping.root_scope_id() {
            continue;
        }
        let again = scoping.symbol_redeclarations(symbol).iter().map(|again| again.span);
        let places = again.chain([scoping.symbol_span(symbol)]).filter_map(|span| unit_at(span.start));
        declared.entry(symbol).or_default().extend(places);
        for reference in scoping.get_resolved_references(symbol) {
            let span = semantic.nodes().get_node(reference.node_id()).kind().span();
            if let Some(unit) = unit_at(span.start) {
                uses.entry(unit).or_default().push(symbol);
            }
        }
    }
    let mut is_live: Vec<bool> = units.iter().map(|unit| !unit.is_removable).collect();
    let mut queue: Vec<usize> = (0..units.len()).filter(|unit| is_live[*unit]).collect();
    while let Some(unit) = queue.pop() {
        for symbol in uses.get(&unit).into_iter().flatten() {
            for target in declared.get(symbol).into_iter().flatten().copied() {
                if !is_live[target] {
                    is_live[target] = true;
                    queue.push(target);
                }
            }
        }
    }
    units.iter().zip(is_live).filter(|(_, is_live)| !is_live).map(|(unit, _)| unit.span).collect()
}

/// Finds what happens when a declaration is evaluated although the library that is asked takes it for nothing: a value is
/// turned into a text or a number by its own methods, a name is read before it has a value, a class extends what is none.
struct Noticed<'s> {
    scoping: &'s Scoping,
    /// Where the declaration begins: what begins there or later has no value yet.
    start: u32,
    is_found: bool,
}

impl Noticed<'_> {
    /// True for a name of the top that has its value when the declaration is evaluated, or of a scope inside of it.
    fn is_there(&self, reference: &IdentifierReference<'_>) -> bool {
        let Some(symbol) = self.scoping.get_reference(reference.reference_id()).symbol_id() else { return true };
        let flags = self.scoping.symbol_flags(symbol);
        self.scoping.symbol_scope_id(symbol) != self.scoping.root_scope_id()
            || flags.is_function()
            || flags.is_import()
            || flags.is_function_scoped_declaration()
            || self.scoping.symbol_span(symbol).start < self.start
    }

    /// True for a class that is known to be one.
    fn is_class(&self, expression: &Expression<'_>) -> bool {
        let Expression::Identifier(name) = expression else { return false };
        match self.scoping.get_reference(name.reference_id()).symbol_id() {
            Some(symbol) => self.scoping.symbol_flags(symbol).is_class() && self.is_there(name),
            None => BASES.contains(&name.name.as_str()),
        }
    }
}

/// Classes of the language that others extend.
const BASES: [&str; 12] = [
    "AggregateError",
    "Array",
    "Error",
    "EvalError",
    "Map",
    "Object",
    "Promise",
    "RangeError",
    "ReferenceError",
    "Set",
    "SyntaxError",
    "TypeError",
];

/// True for what has no methods of its own by which it becomes another kind of value.
fn is_primitive(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::TemplateLiteral(template) => template.expressions.iter().all(is_primitive),
        Expression::UnaryExpression(unary) => unary.operator.is_typeof() || is_primitive(&unary.argument),
        Expression::BinaryExpression(binary) => is_primitive(&binary.left) && is_primitive(&binary.right),
        Expression::ParenthesizedExpression(inner) => is_primitive(&inner.expression),
        // A regular expression is an object, and a symbol or a bigint would throw.
        other => matches!(
            other,
            Expression::StringLiteral(_)
                | Expression::NumericLiteral(_)
                | Expression::BooleanLiteral(_)
                | Expression::NullLiteral(_)
        ),
    }
}

impl<'a> Visit<'a> for Noticed<'_> {
    fn visit_function(&mut self, _: &Function<'a>, _: ScopeFlags) {}

    fn visit_arrow_function_expression(&mut self, _: &ArrowFunctionExpression<'a>) {}

    fn visit_identifier_reference(&mut self, reference: &IdentifierReference<'a>) {
        self.is_found |= !self.is_there(reference);
    }

    fn visit_binary_expression(&mut self, binary: &BinaryExpression<'a>) {
        let compares_only =
            matches!(binary.operator, BinaryOperator::StrictEquality | BinaryOperator::StrictInequality);
        self.is_found |= !(compares_only || is_primitive(&binary.left) && is_primitive(&binary.right));
        walk::walk_binary_expression(self, binary);
    }

    fn visit_unary_expression(&mut self, unary: &UnaryExpression<'a>) {
        let converts =
            !(unary.operator.is_typeof() || unary.operator.is_void() || unary.operator == UnaryOperator::LogicalNot);
        self.is_found |= converts && !is_primitive(&unary.argument);
        walk::walk_unary_expression(self, unary);
    }

    fn visit_template_literal(&mut self, template: &TemplateLiteral<'a>) {
        self.is_found |= !template.expressions.iter().all(is_primitive);
        walk::walk_template_literal(self, template);
    }

    fn visit_property_key(&mut self, key: &PropertyKey<'a>) {
        self.is_found |= key.as_expression().is_some_and(|key| !is_primitive(key));
        walk::walk_property_key(self, key);
    }

    fn visit_class(&mut self, class: &Class<'a>) {
        if let Some(heritage) = &class.heritage {
            let parent = &heritage.expression;
            self.is_found |= !self.is_class(parent) && !matches!(parent, Expression::NullLiteral(_));
        }
        for element in &class.body.body {
            match element {
                // The value of an instance's field is made when there is an instance.
                ClassElement::PropertyDefinition(field) if !field.r#static => self.visit_property_key(&field.key),
                other => self.visit_class_element(other),
            }
        }
    }
}

/// Says what has an effect.
struct Judge<'s> {
    scoping: &'s Scoping,
}

impl Judge<'_> {
    /// True if something else happens when a statement is evaluated.
    fn is_noticed(&self, statement: &Statement<'_>, visit: impl FnOnce(&mut Noticed<'_>)) -> bool {
        let mut noticed = Noticed { scoping: self.scoping, start: statement.span().start, is_found: false };
        visit(&mut noticed);
        noticed.is_found
    }

    fn is_removable(&self, statement: &Statement<'_>) -> bool {
        match statement {
            Statement::FunctionDeclaration(_) => true,
            Statement::ClassDeclaration(class) => {
                !class.may_have_side_effects(self) && !self.is_noticed(statement, |noticed| noticed.visit_class(class))
            }
            Statement::VariableDeclaration(declaration) => {
                !declaration.kind.is_using()
                    && declaration.declarations.iter().all(|declarator| {
                        matches!(declarator.id, BindingPattern::BindingIdentifier(_))
                            && !declarator.init.may_have_side_effects(self)
                    })
                    && !self.is_noticed(statement, |noticed| noticed.visit_variable_declaration(declaration))
            }
            Statement::ImportDeclaration(import) => {
                let has_names = import.specifiers.as_ref().is_some_and(|names| !names.is_empty());
                has_names && import.source.value.starts_with("node:")
            }
            _ => false,
        }
    }
}

impl<'a> GlobalContext<'a> for Judge<'_> {
    fn is_global_reference(&self, reference: &IdentifierReference<'a>) -> bool {
        self.scoping.get_reference(reference.reference_id()).symbol_id().is_none()
    }
}

impl MayHaveSideEffectsContext<'_> for Judge<'_> {
    fn annotations(&self) -> bool {
        true
    }

    fn manual_pure_functions(&self, _callee: &Expression<'_>) -> bool {
        false
    }

    fn property_read_side_effects(&self) -> PropertyReadSideEffects {
        PropertyReadSideEffects::All
    }

    fn unknown_global_side_effects(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::prune;

    fn left(code: &str) -> String {
        prune(code).0
    }

    #[test]
    fn what_nothing_uses_and_nothing_notices_goes() {
        let code = "import fs, { existsSync } from \"node:fs\";\nimport os from \"node:os\";\nimport \"node:path\";\n\
                    import { z } from \"../vendor/a/zod.js\";\nfunction unused() {\n\treturn fs.readFileSync(existsSync);\n}\n\
                    const list = [unused, () => Deno.pid];\nclass Alone { static n = 1; }\nconst used = () => os;\n\
                    const pure = /* @__PURE__ */ make(list);\nexport { used };\n";
        assert_eq!(
            left(code),
            "import os from \"node:os\";\nimport \"node:path\";\nimport { z } from \"../vendor/a/zod.js\";\n\
             const used = () => os;\nexport { used };\n"
        );
    }

    #[test]
    fn what_may_be_noticed_stays() {
        for code in [
            "const a = make();\n",
            "const a = b.c;\nconst b = {};\n",
            "const a = missing;\n",
            "class A { static n = make(); }\n",
            "class A { static { make(); } }\n",
            "const { a } = make;\n",
            "using a = make;\n",
            "let a = 1;\na = make();\n",
            "var a = {};\nvar a = { b: 1 };\nexport const c = a;\n",
        ] {
            assert_eq!(left(code), code);
        }
    }

    #[test]
    fn what_a_value_or_a_name_notices_stays() {
        for code in [
            "const a = {};\nconst b = a + 1;\n",
            "const a = {};\nconst b = -a;\n",
            "const a = {};\nconst b = `${a}`;\n",
            "const a = {};\nconst b = { [a]: 1 };\n",
            "const a = {};\nclass B { [a]() {} }\n",
            "const a = b;\nconst b = 1;\n",
            "const a = a;\n",
            "class A extends B {}\nclass B {}\n",
            "const nothing = void 0;\nclass A extends nothing {}\n",
            "class A { static a = [b]; }\nlet b;\n",
        ] {
            assert_eq!(left(code), code);
        }
        for code in [
            "const a = 1 + 2 + `x${3}`;\n",
            "const a = () => b + c;\nconst b = 1;\nlet c;\n",
            "class A extends Error { b = c; constructor() { super(`${c}`); } }\nlet c;\n",
            "class A {}\nclass B extends A {}\n",
            "const a = typeof b === 'x' && !c;\nvar b, c;\n",
        ] {
            assert_eq!(left(code), "", "{code}");
        }
    }

    #[test]
    fn functions_that_use_only_each_other_go() {
        assert_eq!(
            left("function a() { b(); }\nfunction b() { a(); }\nexport const c = 1;\n"),
            "export const c = 1;\n"
        );
    }

    #[test]
    fn text_that_does_not_parse_stays() {
        assert_eq!(left("function a( {"), "function a( {");
    }
}
