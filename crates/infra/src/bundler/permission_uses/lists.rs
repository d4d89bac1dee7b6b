//! Names that code takes out of lists.

use oxc_ast::{
    AstKind,
    ast::{Argument, ArrayExpressionElement, Expression},
};
use oxc_semantic::{NodeId, SymbolId};

use super::{Known, Text};

/// Functions of lists that call another one with each element.
const OVER_ELEMENTS: [&str; 9] =
    ["every", "filter", "find", "findIndex", "findLast", "flatMap", "forEach", "map", "some"];

impl<'s, 'a> Text<'s, 'a> {
    /// What the elements of a list may be that is written down.
    pub(super) fn elements(&self, list: &Expression<'a>, left: usize, values: &mut Vec<Known>) {
        let Some(left) = left.checked_sub(1) else { return values.push(Known::Nothing) };
        match list.get_inner_expression() {
            Expression::ArrayExpression(list) => {
                for element in &list.elements {
                    match element {
                        ArrayExpressionElement::SpreadElement(spread) => self.elements(&spread.argument, left, values),
                        ArrayExpressionElement::Elision(_) => {}
                        element => match element.as_expression() {
                            Some(element) => self.values(element, left, values),
                            None => values.push(Known::Nothing),
                        },
                    }
                }
            }
            // `new Set(list)`
            Expression::NewExpression(made) if self.path(&made.callee, 0).is_some_and(|path| path == ["Set"]) => {
                match made.arguments.first().and_then(Argument::as_expression) {
                    Some(list) => self.elements(list, left, values),
                    None if made.arguments.is_empty() => {}
                    None => values.push(Known::Nothing),
                }
            }
            Expression::Identifier(name) => match self.symbol(name.reference_id()).and_then(|it| self.constant(it)) {
                Some(list) => self.elements(list, left, values),
                None => values.push(Known::Nothing),
            },
            _ => values.push(Known::Nothing),
        }
    }

    /// What a name stands for that nothing changes.
    fn constant(&self, symbol: SymbolId) -> Option<&'s Expression<'a>> {
        let scoping = self.semantic.scoping();
        match self.semantic.nodes().kind(scoping.symbol_declaration(symbol)) {
            AstKind::VariableDeclarator(declarator) if !scoping.symbol_is_mutated(symbol) => {
                declarator.id.get_binding_identifier().and(declarator.init.as_ref())
            }
            _ => None,
        }
    }

    /// The list whose elements a function is called with that is written where it is passed: `list.map((element) => …)`.
    pub(super) fn list_of(&self, parameter: NodeId) -> Option<&'s Expression<'a>> {
        let nodes = self.semantic.nodes();
        let list = nodes.parent_id(parameter);
        let AstKind::FormalParameters(parameters) = nodes.kind(list) else { return None };
        let AstKind::FormalParameter(wanted) = nodes.kind(parameter) else { return None };
        let is_first = parameters.items.first().is_some_and(|first| first.span == wanted.span);
        let AstKind::CallExpression(call) = nodes.parent_kind(nodes.parent_id(list)) else { return None };
        let Expression::StaticMemberExpression(callee) = &call.callee else { return None };
        let is_each = OVER_ELEMENTS.contains(&callee.property.name.as_str());
        (is_first && is_each).then_some(&callee.object)
    }
}
