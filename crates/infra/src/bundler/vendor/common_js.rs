//! What a `CommonJS` module exports by name, as its text says it.
//!
//! Node and Deno do not run a module to find out what can be imported from it: they look for the forms in which people
//! and compilers write exports. What is found here is what they find, neither more nor less, so that a name that links
//! here links there. What is copied onto the exports at run time (`Object.assign`) they do not see; it is told apart.

use std::collections::{BTreeMap, BTreeSet};

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, ArrowFunctionBody, AssignmentExpression, AssignmentTarget, CallExpression, Expression, FunctionBody,
    MemberExpression, ObjectExpression, ObjectProperty, ObjectPropertyKind, PropertyKey, PropertyKind, Statement,
    VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::SourceType;

/// What one module exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::bundler) struct Exports {
    /// What Node and Deno find.
    pub(in crate::bundler) found: Names,
    /// What else the module copies onto its exports, as far as the text says it.
    pub(super) copied: Names,
}

/// Names, and the specifiers of modules whose names are among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::bundler) struct Names {
    pub(in crate::bundler) own: BTreeSet<String>,
    pub(super) of_modules: BTreeSet<String>,
}

/// What the module with this text exports; nothing if it cannot be parsed.
pub(in crate::bundler) fn exports(text: &str) -> Exports {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::cjs()).parse();
    let mut reader = Reader::default();
    reader.visit_program(&parsed.program);
    let Reader { mut exports, uncertain, .. } = reader;
    // A getter that does something may throw, so its name is not offered, wherever else it stands.
    exports.found.own.retain(|name| !uncertain.contains(name));
    exports
}

#[derive(Default)]
struct Reader {
    exports: Exports,
    uncertain: BTreeSet<String>,
    /// Variables that hold what `require` gave, with its specifier.
    required: BTreeMap<String, String>,
}

impl Reader {
    /// `module.exports = …` or `exports = …`.
    fn replaced(&mut self, value: &Expression<'_>) {
        match value.without_parentheses() {
            Expression::ObjectExpression(object) => self.members(object),
            Expression::AssignmentExpression(inner) if inner.operator.is_assign() => self.replaced(&inner.right),
            other => {
                if let Some(specifier) = required(other) {
                    self.exports.found.of_modules = BTreeSet::from([specifier.to_owned()]);
                } else if let Expression::CallExpression(call) = other
                    && is_object_function(call, "assign")
                {
                    self.copied(&call.arguments);
                }
            }
        }
    }

    fn members(&mut self, object: &ObjectExpression<'_>) {
        for member in &object.properties {
            match member {
                ObjectPropertyKind::ObjectProperty(property) => {
                    let Some(name) = written_name(&property.key) else { continue };
                    let names = if is_harmless(property) { &mut self.exports.found.own } else { &mut self.uncertain };
                    names.insert(name.to_owned());
                }
                ObjectPropertyKind::SpreadProperty(spread) => {
                    self.exports.found.of_modules.extend(required(&spread.argument).map(str::to_owned));
                }
            }
        }
    }

    /// The arguments of an `Object.assign` onto the exports.
    fn copied(&mut self, sources: &[Argument<'_>]) {
        for source in sources.iter().filter_map(Argument::as_expression).map(Expression::without_parentheses) {
            match source {
                Expression::ObjectExpression(object) => {
                    let names = object.properties.iter().filter_map(|member| match member {
                        ObjectPropertyKind::ObjectProperty(property) => written_name(&property.key),
                        ObjectPropertyKind::SpreadProperty(_) => None,
                    });
                    self.exports.copied.own.extend(names.map(str::to_owned));
                }
                Expression::Identifier(name) => {
                    self.exports.copied.of_modules.extend(self.required.get(name.name.as_str()).cloned());
                }
                other => self.exports.copied.of_modules.extend(required(other).map(str::to_owned)),
            }
        }
    }

    /// `Object.defineProperty(exports, name, how)`.
    fn defined(&mut self, name: &Expression<'_>, how: &Expression<'_>) {
        let descriptor =
            if let Expression::ObjectExpression(object) = how.without_parentheses() { Some(object) } else { None };
        match name.without_parentheses() {
            Expression::StringLiteral(name) => {
                let is_harmless = descriptor.is_some_and(|object| getter(object).is_none_or(is_plain_getter));
                let names = if is_harmless { &mut self.exports.found.own } else { &mut self.uncertain };
                names.insert(name.value.to_string());
            }
            // In a loop over the keys of another module.
            Expression::Identifier(key) => {
                let read = descriptor.and_then(|object| getter(object)).and_then(given_by);
                let module = read
                    .and_then(Expression::as_member_expression)
                    .and_then(|member| self.member_of_module(member, key.name.as_str()));
                self.exports.found.of_modules.extend(module);
            }
            _ => {}
        }
    }

    /// The module of which `variable[key]` is a member.
    fn member_of_module(&self, member: &MemberExpression<'_>, key: &str) -> Option<String> {
        let MemberExpression::ComputedMemberExpression(computed) = member else { return None };
        let module = identifier(&computed.object).and_then(|variable| self.required.get(variable))?;
        (identifier(&computed.expression)? == key).then(|| module.clone())
    }

    /// `__exportStar(require("x"), exports)` and its like.
    fn star(&self, call: &CallExpression<'_>) -> Option<String> {
        let is_star = |name: &str| matches!(name, "__export" | "__exportStar");
        let is_called = match call.callee.without_parentheses() {
            Expression::Identifier(name) => is_star(&name.name),
            Expression::StaticMemberExpression(member) => is_helper(&member.object, &member.property.name, is_star),
            // `(0, tslib.__exportStar)`
            Expression::SequenceExpression(sequence) => match sequence.expressions.as_slice() {
                [Expression::NumericLiteral(zero), Expression::StaticMemberExpression(member)] => {
                    zero.value == 0.0 && is_helper(&member.object, &member.property.name, is_star)
                }
                _ => false,
            },
            _ => false,
        };
        let source = match call.arguments.as_slice() {
            [source] => source,
            [source, target] if is_identifier(target.as_expression()?, "exports") => source,
            _ => return None,
        };
        let source = source.as_expression()?;
        let variable = || self.required.get(identifier(source)?).cloned();
        is_called.then(|| required(source).map(str::to_owned).or_else(variable)).flatten()
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_variable_declarator(&mut self, variable: &VariableDeclarator<'a>) {
        if let Some(name) = variable.id.get_binding_identifier()
            && let Some(specifier) = variable.init.as_ref().and_then(|value| required(value))
        {
            self.required.insert(name.name.to_string(), specifier.to_owned());
        }
        walk::walk_variable_declarator(self, variable);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let [target, rest @ ..] = call.arguments.as_slice()
            && target.as_expression().is_some_and(is_exports)
        {
            if is_object_function(call, "defineProperty")
                && let [name, how, ..] = rest
                && let (Some(name), Some(how)) = (name.as_expression(), how.as_expression())
            {
                self.defined(name, how);
            } else if is_object_function(call, "assign") {
                self.copied(rest);
            }
        }
        let star = self.star(call);
        self.exports.found.of_modules.extend(star);
        walk::walk_call_expression(self, call);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        if !assignment.operator.is_assign() {
            return;
        }
        match &assignment.left {
            AssignmentTarget::AssignmentTargetIdentifier(name) if name.name == "exports" => {
                self.replaced(&assignment.right);
            }
            target => {
                if let Some(member) = target.as_member_expression() {
                    if is_module_exports(member) {
                        self.replaced(&assignment.right);
                    } else if is_exports(member.object()) {
                        if let Some(name) = member_name(member) {
                            self.exports.found.own.insert(name.to_owned());
                        } else if let MemberExpression::ComputedMemberExpression(computed) = member
                            && let Some(key) = identifier(&computed.expression)
                            && let Some(read) = assignment.right.without_parentheses().as_member_expression()
                        {
                            let module = self.member_of_module(read, key);
                            self.exports.found.of_modules.extend(module);
                        }
                    }
                }
            }
        }
        walk::walk_assignment_expression(self, assignment);
    }
}

fn identifier<'e>(expression: &'e Expression<'_>) -> Option<&'e str> {
    match expression.without_parentheses() {
        Expression::Identifier(name) => Some(name.name.as_str()),
        _ => None,
    }
}

fn is_identifier(expression: &Expression<'_>, name: &str) -> bool {
    identifier(expression) == Some(name)
}

/// `exports` or `module.exports`.
fn is_exports(expression: &Expression<'_>) -> bool {
    let expression = expression.without_parentheses();
    is_identifier(expression, "exports") || expression.as_member_expression().is_some_and(is_module_exports)
}

fn is_module_exports(member: &MemberExpression<'_>) -> bool {
    is_identifier(member.object(), "module") && member_name(member) == Some("exports")
}

/// `name` of `x.name` and `x["name"]`.
fn member_name<'e>(member: &'e MemberExpression<'_>) -> Option<&'e str> {
    match member {
        MemberExpression::StaticMemberExpression(member) => Some(member.property.name.as_str()),
        MemberExpression::ComputedMemberExpression(member) => match &member.expression {
            Expression::StringLiteral(name) => Some(name.value.as_str()),
            _ => None,
        },
        MemberExpression::PrivateFieldExpression(_) => None,
    }
}

/// The name of a member that is written as a word or a text.
fn written_name<'e>(key: &'e PropertyKey<'_>) -> Option<&'e str> {
    match key {
        PropertyKey::StaticIdentifier(name) => Some(name.name.as_str()),
        PropertyKey::StringLiteral(name) => Some(name.value.as_str()),
        _ => None,
    }
}

fn is_helper(object: &Expression<'_>, name: &str, is_wanted: impl Fn(&str) -> bool) -> bool {
    identifier(object).is_some() && is_wanted(name)
}

/// True for a call of `Object.name`.
fn is_object_function(call: &CallExpression<'_>, name: &str) -> bool {
    matches!(&call.callee, Expression::StaticMemberExpression(member)
        if is_identifier(&member.object, "Object") && member.property.name == name)
}

/// `x` of `require("x")`, and of that within the helper of a well-known compiler.
fn required<'e>(expression: &'e Expression<'_>) -> Option<&'e str> {
    let Expression::CallExpression(call) = expression.without_parentheses() else { return None };
    let first = call.arguments.first()?.as_expression()?;
    match identifier(&call.callee)? {
        "require" => match first {
            Expression::StringLiteral(specifier) => Some(specifier.value.as_str()),
            _ => None,
        },
        "_interopRequireWildcard" => required(first),
        _ => None,
    }
}

/// True for a member of an object literal that can be read without a side effect.
fn is_harmless(property: &ObjectProperty<'_>) -> bool {
    match property.kind {
        PropertyKind::Init => true,
        PropertyKind::Get => given_by(property).is_some_and(is_plain),
        PropertyKind::Set => false,
    }
}

/// The member `get` of a descriptor.
fn getter<'e, 'a>(descriptor: &'e ObjectExpression<'a>) -> Option<&'e ObjectProperty<'a>> {
    descriptor.properties.iter().find_map(|member| match member {
        ObjectPropertyKind::ObjectProperty(property) if written_name(&property.key) == Some("get") => Some(&**property),
        ObjectPropertyKind::ObjectProperty(_) | ObjectPropertyKind::SpreadProperty(_) => None,
    })
}

fn is_plain_getter(property: &ObjectProperty<'_>) -> bool {
    given_by(property).is_some_and(is_plain)
}

/// What the function that is the value of a member gives, if it does nothing else.
fn given_by<'e, 'a>(property: &'e ObjectProperty<'a>) -> Option<&'e Expression<'a>> {
    match &property.value {
        Expression::FunctionExpression(function) => given_by_body(function.body.as_ref()?),
        Expression::ArrowFunctionExpression(arrow) => match &arrow.body {
            ArrowFunctionBody::FunctionBody(body) => given_by_body(body),
            body => body.as_expression(),
        },
        _ => None,
    }
}

fn given_by_body<'e, 'a>(body: &'e FunctionBody<'a>) -> Option<&'e Expression<'a>> {
    match body.statements.as_slice() {
        [Statement::ReturnStatement(statement)] => statement.argument.as_ref(),
        _ => None,
    }
}

/// True for what can be evaluated without a call: names, literals, and members of these.
fn is_plain(expression: &Expression<'_>) -> bool {
    let expression = expression.without_parentheses();
    if let Some(member) = expression.as_member_expression() {
        let is_key_plain = match member {
            MemberExpression::ComputedMemberExpression(computed) => is_plain(&computed.expression),
            MemberExpression::StaticMemberExpression(_) | MemberExpression::PrivateFieldExpression(_) => true,
        };
        return is_key_plain && is_plain(member.object());
    }
    expression.is_literal() || matches!(expression, Expression::Identifier(_) | Expression::ObjectExpression(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &Names) -> String {
        let own = names.own.iter().map(String::as_str);
        let modules = names.of_modules.iter().map(|specifier| format!("*{specifier}"));
        own.map(str::to_owned).chain(modules).collect::<Vec<_>>().join(" ")
    }

    fn found(text: &str) -> String {
        list(&exports(text).found)
    }

    #[test]
    fn names_are_found_in_every_form_that_is_looked_for() {
        for (text, names) in [
            ("exports.a = 1; module.exports.b = 2; exports['c-d'] = 3; module['exports'].e = 4;", "a b c-d e"),
            ("exports.a = exports.b = void 0; function f() { if (x) { exports.c = 1; } }", "a b c"),
            ("module.exports = { a, 'b': 1, c() {}, d: e.f, get g() { return h; }, ...i };", "a b c d g"),
            ("exports = module.exports = { a };", "a"),
            ("module.exports = exports = f; exports.a = 1;", "a"),
            ("0 && (module.exports = { a, b });", "a b"),
            ("Object.defineProperty(exports, '__esModule', { value: true });", "__esModule"),
            ("Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return b.c; } });", "a"),
            ("Object.defineProperty(module.exports, 'a', { get: () => b['c'] });", "a"),
            ("Object.defineProperty(exports, 'a', { get() { return b; } });", "a"),
            ("return; exports.a = 1;", "a"),
            ("(function (e) { 'object' == typeof exports ? module.exports = e() : 0 })(function () {})", ""),
            ("const local = {}; local.exports.a = 1; this.b = 2; other.module.exports = { c };", ""),
            ("exports.a += 1; exports[b] = 2; exports[`c`] = 3;", ""),
            ("// exports.a = 1\n'exports.b = 2';", ""),
        ] {
            assert_eq!(found(text), names, "{text}");
        }
    }

    #[test]
    fn a_getter_that_does_something_offers_no_name() {
        for text in [
            "Object.defineProperty(exports, 'a', { get: function () { return b(); } });",
            "Object.defineProperty(exports, 'a', { get: function () { c(); return b; } });",
            "Object.defineProperty(exports, 'a', how);",
            "exports.a = 1; Object.defineProperty(exports, 'a', { get: () => b() });",
            "module.exports = { get a() { return b(); } };",
            "module.exports = { set a(value) {} };",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }

    #[test]
    fn modules_whose_names_are_handed_on_are_found() {
        for (text, names) in [
            ("module.exports = require('./a');", "*./a"),
            ("if (x) module.exports = require('./a'); else module.exports = require('./b');", "*./b"),
            ("module.exports = { ...require('./a'), b, ...require('./c') };", "b *./a *./c"),
            ("__exportStar(require('./a'), exports); tslib_1.__exportStar(require('./b'), exports);", "*./a *./b"),
            ("(0, tslib_1.__exportStar)(require('./a'), exports); __export(require('./b'));", "*./a *./b"),
            ("const a = require('./a'); __export(a);", "*./a"),
            (
                "var a = _interopRequireWildcard(require('./a')); Object.keys(a).forEach(function (key) { \
                 if (key in exports) return; exports[key] = a[key]; });",
                "*./a",
            ),
            (
                "var a = require('./a'); Object.keys(a).forEach(function (key) { \
                 Object.defineProperty(exports, key, { enumerable: true, get: function () { return a[key]; } }); });",
                "*./a",
            ),
            ("var a = require('./a'); Object.keys(a).forEach((key) => { exports[key] = a[other]; });", ""),
            ("module.exports = require(name);", ""),
        ] {
            assert_eq!(found(text), names, "{text}");
        }
    }

    #[test]
    fn what_is_copied_onto_the_exports_is_told_apart() {
        for (text, names) in [
            ("Object.assign(exports, require('./a')); exports.own = 1;", "*./a"),
            ("Object.assign(module.exports, { a, 'b': 1 }, other);", "a b"),
            ("const a = require('./a'); module.exports = Object.assign({}, a, require('./b'), { c });", "c *./a *./b"),
            ("Object.assign(local, require('./a'));", ""),
        ] {
            assert_eq!(list(&exports(text).copied), names, "{text}");
            assert!(!found(text).contains("./a"), "{text}");
        }
    }
}
