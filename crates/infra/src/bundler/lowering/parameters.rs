//! Parameter properties, and the fields that may read them.

use oxc_ast::ast::{
    BindingPattern, CallExpression, Class, ClassElement, Expression, ExpressionStatement, FormalParameter, Function,
    MethodDefinition, MethodDefinitionKind, PropertyDefinition, PropertyDefinitionType, PropertyKey,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use super::Lowering;

/// A constructor with parameters that are properties as well.
pub(super) struct Parameters<'b, 'a> {
    constructor: &'b MethodDefinition<'a>,
}

impl<'b, 'a> Parameters<'b, 'a> {
    pub(super) fn of(class: &'b Class<'a>) -> Option<Self> {
        class.body.body.iter().find_map(|element| match element {
            ClassElement::MethodDefinition(method)
                if method.kind == MethodDefinitionKind::Constructor
                    && method.value.body.is_some()
                    && method.value.params.items.iter().any(is_property) =>
            {
                Some(Self { constructor: &**method })
            }
            _ => None,
        })
    }

    fn properties(&self) -> impl Iterator<Item = (&'b FormalParameter<'a>, &'b str)> {
        self.constructor.value.params.items.iter().filter(|parameter| is_property(parameter)).filter_map(|parameter| {
            match &parameter.pattern {
                BindingPattern::BindingIdentifier(name) => Some((parameter, name.name.as_str())),
                _ => None,
            }
        })
    }
}

fn is_property(parameter: &FormalParameter<'_>) -> bool {
    parameter.accessibility.is_some() || parameter.readonly || parameter.r#override
}

impl Lowering<'_> {
    /// Fields that are initialized when the constructor has set its parameter properties; gives the assignments.
    pub(super) fn defer_fields(&mut self, class: &Class<'_>) -> Vec<String> {
        let fields = class.body.body.iter().filter_map(|element| match element {
            ClassElement::PropertyDefinition(field) if is_instance_field(field) => Some(&**field),
            _ => None,
        });
        fields.filter_map(|field| self.lower_field(field, None, None, true)).collect()
    }

    /// The constructor sets its parameter properties and then does `assignments`, at its beginning or once `super()` has
    /// returned.
    pub(super) fn lower_constructor(
        &mut self,
        class: &Class<'_>,
        parameters: &Parameters<'_, '_>,
        assignments: Vec<String>,
    ) {
        let mut declared = String::new();
        let mut all = Vec::new();
        for (parameter, name) in parameters.properties() {
            let start = parameter.decorators.last().map_or(parameter.span.start, |decorator| decorator.span.end);
            self.edits.replace(
                start,
                parameter.pattern.span().start,
                if parameter.decorators.is_empty() { "" } else { " " },
            );
            declared.push_str(&format!(" {name};"));
            all.push(format!("this.{name} = {name}"));
        }
        all.extend(assignments);
        self.edits.insert(class.body.span.start + 1, declared);
        let Some(body) = &parameters.constructor.value.body else { return };
        if class.heritage.is_none() {
            self.edits.insert(body.span.start + 1, format!(" {};", all.join("; ")));
            return;
        }
        let mut calls = SuperCalls::default();
        calls.visit_function_body(body);
        let all = all.join(", ");
        for (call, is_statement) in calls.found {
            if is_statement {
                self.edits.insert(call.end, format!(", {all}"));
            } else {
                self.edits.open(call.start, "(");
                self.edits.insert(call.end, format!(", {all}, this)"));
            }
        }
    }

    /// A field whose initial value passes through `init`, if there is one. With `deferred`, the value is made by a method
    /// of its own, in which the names of the constructor mean nothing; gives the assignment that the constructor has to do.
    pub(super) fn lower_field(
        &mut self,
        field: &PropertyDefinition<'_>,
        init: Option<&str>,
        key: Option<String>,
        deferred: bool,
    ) -> Option<String> {
        let after_key = self.end_of_key(field.key.span(), field.computed);
        let (before, after, target) = match (deferred, init) {
            (false, None) => return None,
            (false, Some(init)) => (format!(" = {init}(this"), ")".to_owned(), None),
            (true, None) if field.value.is_none() => return None,
            (true, _) => {
                let target = self.target(field, key);
                let method = self.name("field");
                let call = init.map_or_else(|| "(".to_owned(), |init| format!("{init}(this"));
                let assignment = format!("{target} = this.#{method}()");
                (format!("; #{method}() {{ return {call}"), "); }".to_owned(), Some(assignment))
            }
        };
        match &field.value {
            Some(value) => {
                let comma = if init.is_some() { ", " } else { "" };
                self.edits.replace(after_key, value.span().start, format!("{before}{comma}"));
                self.edits.insert(value.span().end, after);
            }
            None => self.edits.replace(after_key, field.span.end, format!("{before}{after};")),
        }
        target
    }

    /// The field as a constructor assigns it.
    fn target(&mut self, field: &PropertyDefinition<'_>, key: Option<String>) -> String {
        if let Some(key) = key {
            return format!("this[{key}]");
        }
        let text = self.text_of(field.key.span());
        match &field.key {
            PropertyKey::StaticIdentifier(_) | PropertyKey::PrivateIdentifier(_) => format!("this.{text}"),
            key if !field.computed || key.as_expression().is_some_and(Expression::is_literal) => {
                format!("this[{text}]")
            }
            key => {
                let name = self.name("key");
                self.edits.open(key.span().start, format!("{name} = "));
                self.hoisted.push(name.clone());
                format!("this[{name}]")
            }
        }
    }
}

/// True for a field that each instance gets.
pub(super) fn is_instance_field(field: &PropertyDefinition<'_>) -> bool {
    !field.r#static && !field.declare && field.r#type == PropertyDefinitionType::PropertyDefinition
}

/// The calls of `super` that a constructor makes itself, with whether each is a statement of its own.
#[derive(Default)]
struct SuperCalls {
    found: Vec<(Span, bool)>,
    statement: Option<Span>,
}

impl<'a> Visit<'a> for SuperCalls {
    fn visit_expression_statement(&mut self, statement: &ExpressionStatement<'a>) {
        self.statement = Some(statement.expression.span());
        walk::walk_expression_statement(self, statement);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if matches!(call.callee, Expression::Super(_)) {
            self.found.push((call.span, self.statement == Some(call.span)));
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_function(&mut self, _function: &Function<'a>, _flags: ScopeFlags) {}

    fn visit_class(&mut self, _class: &Class<'a>) {}
}
