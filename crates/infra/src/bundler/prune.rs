//! What nobody uses is taken out of a finished bundle.
//!
//! The bundler could do it too. But it does not come without its evaluation of constant expressions, which is another
//! engine than the one that runs the code and gives other values in places.

use std::collections::HashMap;

use oxc_allocator::Allocator;
use oxc_ast::ast::{BindingPattern, Expression, IdentifierReference, Program, Statement};
use oxc_ecmascript::{
    GlobalContext,
    side_effects::{MayHaveSideEffects, MayHaveSideEffectsContext, PropertyReadSideEffects},
};
use oxc_parser::Parser;
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::{GetSpan, SourceType, Span};
use oxc_syntax::symbol::SymbolId;

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

/// Says what has an effect.
struct Judge<'s> {
    scoping: &'s Scoping,
}

impl Judge<'_> {
    fn is_removable(&self, statement: &Statement<'_>) -> bool {
        match statement {
            Statement::FunctionDeclaration(_) => true,
            Statement::ClassDeclaration(class) => !class.may_have_side_effects(self),
            Statement::VariableDeclaration(declaration) => {
                !declaration.kind.is_using()
                    && declaration.declarations.iter().all(|declarator| {
                        matches!(declarator.id, BindingPattern::BindingIdentifier(_))
                            && !declarator.init.may_have_side_effects(self)
                    })
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
