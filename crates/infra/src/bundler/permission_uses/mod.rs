//! What a bundle asks the machine for, by its text: the programs, hosts, variables and paths that it names.
//!
//! A name is followed through constants, through the arguments that a function is called with, and through the
//! alternatives of a condition, and through lists that are written down. What is put together while the code runs is reported as computed.

mod functions;
mod lists;

use std::collections::BTreeSet;

use mangrove_domain::{permission::Permission, permission_use::PermissionUse, ports::PermissionUses};
use oxc_allocator::Allocator;
use oxc_ast::{
    AstKind,
    ast::{Argument, BinaryOperator, BindingPattern, ChainElement, Expression, ObjectPropertyKind, TemplateLiteral},
};
use oxc_parser::Parser;
use oxc_semantic::{NodeId, Semantic, SemanticBuilder, SymbolId};
use oxc_span::SourceType;

use self::functions::{SYSTEM, host, of_files};

/// How far a name is followed.
const LONGEST_WAY: usize = 8;
/// How many values of one name are told; of more it is said that it is computed as well.
const MOST_VALUES: usize = 64;

/// Finds out by parsing the text; nothing is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct UsesByText;

impl PermissionUses for UsesByText {
    fn of(&self, code: &str) -> BTreeSet<PermissionUse> {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
        let semantic = SemanticBuilder::new().with_build_nodes(true).build(&parsed.program).semantic;
        let text = Text { semantic: &semantic };
        let mut found = BTreeSet::new();
        for node in semantic.nodes().iter() {
            match node.kind() {
                AstKind::CallExpression(call) => text.of_call(&call.callee, &call.arguments, &mut found),
                AstKind::NewExpression(made) => text.of_call(&made.callee, &made.arguments, &mut found),
                AstKind::StaticMemberExpression(member) => {
                    let is_variable = text.path(&member.object, 0).is_some_and(|path| path == ["process", "env"]);
                    if is_variable {
                        found.insert(PermissionUse::of(Permission::Env, member.property.name.as_str()));
                    }
                }
                AstKind::ComputedMemberExpression(member)
                    if text.path(&member.object, 0).is_some_and(|path| path == ["process", "env"]) =>
                {
                    text.add(Permission::Env, Some(&member.expression), &mut found);
                }
                _ => {}
            }
        }
        found
    }
}

/// What is known of a text before the code runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Whole(String),
    /// It begins so.
    Begins(String),
    Nothing,
}

impl Known {
    /// What is known of this text followed by another one.
    fn then(self, next: impl FnOnce() -> Self) -> Self {
        match self {
            Known::Whole(first) => match next() {
                Known::Whole(second) => Known::Whole(first + &second),
                Known::Begins(second) => Known::Begins(first + &second),
                Known::Nothing if first.is_empty() => Known::Nothing,
                Known::Nothing => Known::Begins(first),
            },
            Known::Begins(_) | Known::Nothing => self,
        }
    }
}

struct Text<'s, 'a> {
    semantic: &'s Semantic<'a>,
}

impl<'a> Text<'_, 'a> {
    fn of_call(&self, callee: &Expression<'a>, arguments: &[Argument<'a>], found: &mut BTreeSet<PermissionUse>) {
        let Some(path) = self.path(callee, 0) else { return };
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let argument = |index: usize| arguments.get(index).and_then(Argument::as_expression);
        match names.as_slice() {
            ["fetch" | "WebSocket" | "EventSource"] => self.add(Permission::Net, argument(0), found),
            ["Deno", "Command"] | ["node:child_process", "spawn" | "spawnSync" | "execFile" | "execFileSync"] => {
                self.add(Permission::Run, argument(0), found);
            }
            ["node:child_process", _] => drop(found.insert(PermissionUse::computed(Permission::Run))),
            ["Deno", "env", "toObject"] => drop(found.insert(PermissionUse::computed(Permission::Env))),
            ["Deno", "env", _] => self.add(Permission::Env, argument(0), found),
            ["Deno", "dlopen"] => self.add(Permission::Ffi, argument(0), found),
            ["Deno", "connect" | "connectTls" | "listen" | "listenTls" | "resolveDns" | "listenDatagram"] => {
                found.insert(PermissionUse::computed(Permission::Net));
            }
            ["Deno" | "node:os", function] if SYSTEM.contains(function) => {
                found.insert(PermissionUse::of(Permission::Sys, *function));
            }
            ["Deno" | "node:fs" | "node:fs/promises", function] | ["node:fs", "promises", function] => {
                let (reads, writes) = of_files(function.trim_end_matches("Sync"));
                for (permission, arguments) in [(Permission::Read, reads), (Permission::Write, writes)] {
                    for index in arguments {
                        self.add(permission, argument(*index), found);
                    }
                }
            }
            _ => {}
        }
    }

    /// Adds a use for each value that an argument may have.
    fn add(&self, permission: Permission, argument: Option<&Expression<'a>>, found: &mut BTreeSet<PermissionUse>) {
        let mut values = Vec::new();
        match argument {
            Some(argument) => self.values(argument, LONGEST_WAY, &mut values),
            None => values.push(Known::Nothing),
        }
        if values.len() > MOST_VALUES {
            values.truncate(MOST_VALUES);
            values.push(Known::Nothing);
        }
        for value in values {
            let name = match (permission, value) {
                (Permission::Net, value) => host(&value),
                (_, Known::Whole(name)) => Some(name),
                (_, Known::Begins(_) | Known::Nothing) => None,
            };
            found.insert(PermissionUse { permission, name });
        }
    }

    /// The names that lead to a value from a global or a module of Node: `["Deno", "env", "get"]`.
    fn path(&self, expression: &Expression<'a>, depth: usize) -> Option<Vec<String>> {
        if depth > LONGEST_WAY {
            return None;
        }
        match expression.get_inner_expression() {
            Expression::StaticMemberExpression(member) => {
                let mut path = self.path(&member.object, depth + 1)?;
                if path == ["globalThis"] {
                    path.clear();
                }
                path.push(member.property.name.to_string());
                Some(path)
            }
            Expression::ChainExpression(chain) => match &chain.expression {
                ChainElement::StaticMemberExpression(member) => {
                    let mut path = self.path(&member.object, depth + 1)?;
                    path.push(member.property.name.to_string());
                    Some(path)
                }
                _ => None,
            },
            Expression::Identifier(name) => {
                let Some(symbol) = self.symbol(name.reference_id()) else { return Some(vec![name.name.to_string()]) };
                let nodes = self.semantic.nodes();
                let declared = self.semantic.scoping().symbol_declaration(symbol);
                match nodes.kind(declared) {
                    AstKind::VariableDeclarator(declarator) => {
                        let BindingPattern::BindingIdentifier(_) = &declarator.id else { return None };
                        self.path(declarator.init.as_ref()?, depth + 1)
                    }
                    AstKind::ImportSpecifier(specifier) => {
                        Some(vec![self.module(declared)?, specifier.imported.name().to_string()])
                    }
                    AstKind::ImportDefaultSpecifier(_) | AstKind::ImportNamespaceSpecifier(_) => {
                        Some(vec![self.module(declared)?])
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The module of Node that an import names.
    fn module(&self, specifier: NodeId) -> Option<String> {
        match self.semantic.nodes().parent_kind(specifier) {
            AstKind::ImportDeclaration(import) => {
                let name = import.source.value.as_str();
                name.starts_with("node:").then(|| name.to_owned())
            }
            _ => None,
        }
    }

    fn symbol(&self, reference: oxc_semantic::ReferenceId) -> Option<SymbolId> {
        self.semantic.scoping().get_reference(reference).symbol_id()
    }

    /// Everything that an expression may be, as a text.
    fn values(&self, expression: &Expression<'a>, left: usize, values: &mut Vec<Known>) {
        let Some(left) = left.checked_sub(1).filter(|_| values.len() <= MOST_VALUES) else {
            return values.push(Known::Nothing);
        };
        match expression.get_inner_expression() {
            Expression::StringLiteral(text) => values.push(Known::Whole(text.value.to_string())),
            Expression::TemplateLiteral(template) => values.push(self.template(template, left)),
            Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => {
                values.push(self.single(&sum.left, left).then(|| self.single(&sum.right, left)));
            }
            Expression::ConditionalExpression(choice) => {
                self.values(&choice.consequent, left, values);
                self.values(&choice.alternate, left, values);
            }
            Expression::LogicalExpression(choice) => {
                self.values(&choice.left, left, values);
                self.values(&choice.right, left, values);
            }
            Expression::NewExpression(made) if self.path(&made.callee, 0).is_some_and(|path| path == ["URL"]) => {
                let base = made.arguments.get(1).or(made.arguments.first());
                match base.and_then(Argument::as_expression) {
                    Some(base) => self.values(base, left, values),
                    None => values.push(Known::Nothing),
                }
            }
            Expression::StaticMemberExpression(member) => {
                self.member(&member.object, &member.property.name, left, values);
            }
            Expression::Identifier(name) => match self.symbol(name.reference_id()) {
                Some(symbol) => self.variable(symbol, left, values),
                None => values.push(Known::Nothing),
            },
            _ => values.push(Known::Nothing),
        }
    }

    /// The one value that an expression has.
    fn single(&self, expression: &Expression<'a>, left: usize) -> Known {
        let mut values = Vec::new();
        self.values(expression, left, &mut values);
        match <[Known; 1]>::try_from(values) {
            Ok([value]) => value,
            Err(_) => Known::Nothing,
        }
    }

    fn template(&self, template: &TemplateLiteral<'a>, left: usize) -> Known {
        let mut whole = Known::Whole(String::new());
        for (index, part) in template.quasis.iter().enumerate() {
            let text = part.value.cooked.as_ref().map(ToString::to_string).unwrap_or_default();
            whole = whole.then(|| Known::Whole(text));
            if let Some(expression) = template.expressions.get(index) {
                whole = whole.then(|| self.single(expression, left));
            }
        }
        whole
    }

    /// A member of an object that is written down where it is declared.
    fn member(&self, object: &Expression<'a>, name: &str, left: usize, values: &mut Vec<Known>) {
        let declared = object
            .get_identifier_reference()
            .and_then(|object| self.symbol(object.reference_id()))
            .map(|symbol| self.semantic.nodes().kind(self.semantic.scoping().symbol_declaration(symbol)));
        let value = match declared {
            Some(AstKind::VariableDeclarator(declarator)) => declarator.init.as_ref(),
            Some(_) => None,
            // The bundler puts a constant that is used once where it is used.
            None => Some(object),
        };
        let written = value.and_then(|value| match value.get_inner_expression() {
            Expression::ObjectExpression(object) => Some(object),
            _ => None,
        });
        let member = written.and_then(|object| {
            object.properties.iter().find_map(|property| match property {
                ObjectPropertyKind::ObjectProperty(property) if property.key.static_name().as_deref() == Some(name) => {
                    Some(&property.value)
                }
                _ => None,
            })
        });
        match member {
            Some(value) => self.values(value, left, values),
            None => values.push(Known::Nothing),
        }
    }

    fn variable(&self, symbol: SymbolId, left: usize, values: &mut Vec<Known>) {
        let nodes = self.semantic.nodes();
        let declared = self.semantic.scoping().symbol_declaration(symbol);
        match nodes.kind(declared) {
            AstKind::VariableDeclarator(declarator) if !self.semantic.scoping().symbol_is_mutated(symbol) => {
                match (&declarator.id, &declarator.init) {
                    (BindingPattern::BindingIdentifier(_), Some(value)) => self.values(value, left, values),
                    (BindingPattern::BindingIdentifier(_), None) => {
                        match nodes.parent_kind(nodes.parent_id(declared)) {
                            AstKind::ForOfStatement(each) => self.elements(&each.right, left, values),
                            _ => values.push(Known::Nothing),
                        }
                    }
                    _ => values.push(Known::Nothing),
                }
            }
            AstKind::FormalParameter(parameter)
                if matches!(parameter.pattern, BindingPattern::BindingIdentifier(_)) =>
            {
                self.arguments(declared, left, values);
            }
            _ => values.push(Known::Nothing),
        }
    }

    /// What a parameter may be: what the function is called with, wherever its name is called.
    fn arguments(&self, parameter: NodeId, left: usize, values: &mut Vec<Known>) {
        if let Some(list) = self.list_of(parameter) {
            return self.elements(list, left, values);
        }
        let found = self.function_of(parameter).map(|(function, index)| {
            let references = self.semantic.scoping().get_resolved_reference_ids(function);
            let calls = references.iter().map(|reference| {
                let at = self.semantic.scoping().get_reference(*reference).node_id();
                match self.semantic.nodes().parent_kind(at) {
                    AstKind::CallExpression(call) if call.callee.get_identifier_reference().is_some() => {
                        call.arguments.get(index).and_then(Argument::as_expression)
                    }
                    _ => None,
                }
            });
            calls.collect::<Vec<_>>()
        });
        let calls = found.unwrap_or_default();
        if calls.is_empty() {
            values.push(Known::Nothing);
        }
        for call in calls {
            match call {
                Some(argument) => self.values(argument, left, values),
                None => values.push(Known::Nothing),
            }
        }
    }

    /// The name of the function that a parameter belongs to, and the place of the parameter.
    fn function_of(&self, parameter: NodeId) -> Option<(SymbolId, usize)> {
        let nodes = self.semantic.nodes();
        let list = nodes.parent_id(parameter);
        let AstKind::FormalParameters(parameters) = nodes.kind(list) else { return None };
        let AstKind::FormalParameter(wanted) = nodes.kind(parameter) else { return None };
        let index = parameters.items.iter().position(|item| item.span == wanted.span)?;
        let function = nodes.parent_id(list);
        let named = match nodes.kind(function) {
            AstKind::Function(function) if function.id.is_some() => function.id.as_ref()?.symbol_id(),
            AstKind::Function(_) | AstKind::ArrowFunctionExpression(_) => match nodes.parent_kind(function) {
                AstKind::VariableDeclarator(declarator) => declarator.id.get_binding_identifier()?.symbol_id(),
                _ => return None,
            },
            _ => return None,
        };
        Some((named, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(code: &str) -> Vec<String> {
        let uses = UsesByText.of(code);
        uses.iter()
            .map(|wanted| format!("{}:{}", wanted.permission.as_str(), wanted.name.as_deref().unwrap_or("?")))
            .collect()
    }

    #[test]
    fn names_are_found_where_they_are_written() {
        let code = r#"
            const child = new Deno.Command("ssh", { args: ["x"] });
            await fetch("https://api.example.org/v1"); await fetch("http://localhost:8080");
            Deno.env.get("TOKEN"); process.env.HOME; process.env["USER"];
            await Deno.readTextFile("data/list.json"); Deno.writeTextFileSync("/tmp/x", "");
            Deno.hostname();
        "#;
        assert_eq!(
            list(code),
            [
                "net:api.example.org:443",
                "net:localhost:8080",
                "env:HOME",
                "env:TOKEN",
                "env:USER",
                "read:data/list.json",
                "write:/tmp/x",
                "run:ssh",
                "sys:hostname"
            ]
        );
    }

    #[test]
    fn names_are_followed_through_constants_calls_and_choices() {
        let code = r#"
            const API = "https://api.example.org";
            const PROGRAMS = { copy: "scp" };
            const run = async (program, ...rest) => new Deno.Command(program, { args: rest }).output();
            function get(path) { return fetch(`${API}/v1/${path}`); }
            const env = Deno.env;
            export const f = async (fast) => {
              await run("ssh"); await run(PROGRAMS.copy); await run(fast ? "rsync" : "tar");
              await get("zones"); env.get("REGION");
            };
        "#;
        assert_eq!(list(code), ["net:api.example.org:443", "env:REGION", "run:rsync", "run:scp", "run:ssh", "run:tar"]);
        let slash = r#"const API = "https://api.example.org/v1"; fetch(`${API}/zones`); fetch(new URL("x", API));"#;
        assert_eq!(list(slash), ["net:api.example.org:443"]);
        let open = r#"export const f = (rest) => fetch("https://api." + rest);"#;
        assert_eq!(list(open), ["net:?"], "an address whose host goes on in the next part is not known");
    }

    #[test]
    fn names_are_taken_out_of_lists() {
        let code = r#"
            const FIRST = ["A1", "B2"];
            for (const name of [...FIRST, "C3"]) Deno.env.get(name);
            const DEFAULTS = ["D4"];
            const found = DEFAULTS.concat("x").map((name) => Deno.env.get(name));
            ["E5", "F6"].forEach((name, index) => process.env[name]);
            const read = (name) => Deno.env.get(name);
            for (const name of DEFAULTS) read(name);
            let other = ["G7"]; other = []; for (const name of other) Deno.env.get(name);
        "#;
        let expected = ["env:?", "env:A1", "env:B2", "env:C3", "env:D4", "env:E5", "env:F6"];
        assert_eq!(list(code), expected, "what changes, or comes out of a function, is computed");
    }

    #[test]
    fn what_is_spread_beside_something_unknown_is_found() {
        let code = r#"
            var ALLOWED = ["A1", "B2"];
            function build(store, extra) {
              const made = {};
              for (const name of [...ALLOWED, ...extra]) { const value = Deno.env.get(name); if (value) made[name] = value; }
              for (const name of new Set([...ALLOWED, "C3"])) Deno.env.get(name);
              return made;
            }
            export const f = (options) => build(options.store, options.extra ?? []);
        "#;
        assert_eq!(list(code), ["env:?", "env:A1", "env:B2", "env:C3"]);
    }

    #[test]
    fn more_values_than_are_followed_are_told_as_far_as_they_are() {
        let names: Vec<String> = (0..=MOST_VALUES).map(|number| format!("\"N{number:02}\"")).collect();
        let found = list(&format!("const ALL = [{}]; for (const name of ALL) Deno.env.get(name);", names.join(",")));
        assert_eq!(found.len(), MOST_VALUES + 1, "{found:?}");
        assert_eq!(found[..2], ["env:?", "env:N00"]);
    }

    #[test]
    fn what_is_computed_is_said_to_be() {
        let code = r#"
            import { spawn } from "node:child_process"; import fs from "node:fs/promises";
            export const f = async (args) => {
              new Deno.Command(args.program); fetch(args.url); spawn("git", []); await fs.readFile(args.path);
            };
        "#;
        assert_eq!(list(code), ["net:?", "read:?", "run:?", "run:git"]);
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        let code = r#"const Deno = { env: { get() {} } }; Deno.env.get("A"); const o = { fetch() {} }; o.fetch("https://x/");"#;
        assert_eq!(list(code), [""; 0]);
        assert_eq!(list("((("), [""; 0]);
    }
}
