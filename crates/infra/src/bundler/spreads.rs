//! What is spread into an object, in a form that every engine understands: the embedded one takes nothing of a text that is spread
//! as it is, and takes its characters, as it should, of the object around one.

use oxc_allocator::{Allocator, GetAllocator};
use oxc_ast::{
    ast::{Argument, BindingIdentifier, Expression, ObjectExpression, ObjectPropertyKind, Program},
    builder::{AstBuilder, GetAstBuilder},
};
use oxc_ast_visit::{Visit, VisitMut, walk_mut};
use oxc_span::SPAN;
use oxc_syntax::operator::LogicalOperator;

/// Puts an object around what is spread, where it may be a text.
pub(super) fn lower<'a>(program: &mut Program<'a>, allocator: &'a Allocator) {
    if !program.source_text.contains("...") {
        return;
    }
    let mut names = Names { has_object: false };
    names.visit_program(program);
    // A module whose `Object` is another one is left alone.
    if !names.has_object {
        Spreads { builder: AstBuilder::new(allocator) }.visit_program(program);
    }
}

struct Names {
    has_object: bool,
}

impl<'a> Visit<'a> for Names {
    fn visit_binding_identifier(&mut self, name: &BindingIdentifier<'a>) {
        self.has_object |= name.name == "Object";
    }
}

struct Spreads<'a> {
    builder: AstBuilder<'a>,
}

impl<'a> VisitMut<'a> for Spreads<'a> {
    fn visit_object_expression(&mut self, object: &mut ObjectExpression<'a>) {
        walk_mut::walk_object_expression(self, object);
        for property in &mut object.properties {
            if let ObjectPropertyKind::SpreadProperty(spread) = property
                && may_be_text(&spread.argument)
            {
                let argument = std::mem::replace(&mut spread.argument, Expression::new_null_literal(SPAN, self));
                spread.argument = Expression::new_call_expression(
                    SPAN,
                    Expression::new_identifier(SPAN, "Object", self),
                    None,
                    [Argument::from(argument)],
                    false,
                    self,
                );
            }
        }
    }
}

impl<'a> GetAstBuilder<'a> for Spreads<'a> {
    type Builder = AstBuilder<'a>;

    fn builder(&self) -> &AstBuilder<'a> {
        &self.builder
    }
}

impl<'a> GetAllocator<'a> for Spreads<'a> {
    fn allocator(&self) -> &'a Allocator {
        self.builder.allocator()
    }
}

/// True unless the form of an expression shows that it is no text with characters.
fn may_be_text(expression: &Expression<'_>) -> bool {
    match expression.get_inner_expression() {
        Expression::ObjectExpression(_)
        | Expression::ArrayExpression(_)
        | Expression::ArrowFunctionExpression(_)
        | Expression::FunctionExpression(_)
        | Expression::ClassExpression(_)
        | Expression::NewExpression(_)
        | Expression::NullLiteral(_)
        | Expression::BooleanLiteral(_)
        | Expression::NumericLiteral(_)
        | Expression::RegExpLiteral(_) => false,
        Expression::ConditionalExpression(choice) => may_be_text(&choice.consequent) || may_be_text(&choice.alternate),
        // On the left of `&&`, only an empty text is what is given.
        Expression::LogicalExpression(choice) => {
            may_be_text(&choice.right) || (choice.operator != LogicalOperator::And && may_be_text(&choice.left))
        }
        _ => true,
    }
}
