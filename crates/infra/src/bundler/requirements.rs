//! What a bundle needs from its engine, by its text.

use std::collections::BTreeSet;

use mangrove_engine::language_calls::{self, LANGUAGE_METHODS, Literal};
use oxc_allocator::Allocator;
use oxc_ast::{
    AstKind,
    ast::{Argument, Expression, ObjectPropertyKind},
};
use oxc_parser::Parser;
use oxc_semantic::{AstNode, AstNodes, SemanticBuilder};
use oxc_span::{GetSpan as _, SourceType};

/// Names that every engine of ours offers: ECMAScript's own, and the light web globals of `design/bundling.md`.
const UNIVERSAL: &[&str] = &[
    "AbortController",
    "AbortSignal",
    "AggregateError",
    "Array",
    "ArrayBuffer",
    "AsyncDisposableStack",
    "AsyncIterator",
    "Atomics",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Boolean",
    "DataView",
    "Date",
    "DisposableStack",
    "Error",
    "EvalError",
    "FinalizationRegistry",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "Function",
    "Infinity",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "ReferenceError",
    "Reflect",
    "RegExp",
    "Set",
    "SharedArrayBuffer",
    "String",
    "SuppressedError",
    "Symbol",
    "SyntaxError",
    "TextDecoder",
    "TextEncoder",
    "TypeError",
    "URIError",
    "URL",
    "URLSearchParams",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "WeakMap",
    "WeakRef",
    "WeakSet",
    "arguments",
    "atob",
    "btoa",
    "clearInterval",
    "clearTimeout",
    "console",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "eval",
    "globalThis",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "performance",
    "queueMicrotask",
    "setInterval",
    "setTimeout",
    "structuredClone",
    "undefined",
    "unescape",
];

/// The free globals of `code` that not every engine has, `node:` imports, and `import.meta.url`; sorted. A
/// non-literal `import()` is reported as `import()`.
///
/// `code` is the finished bundle: it holds the extension's own modules only, without what was shaken off.
/// `typeof name` asks whether a global is there and does not need it.
pub(crate) fn of(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    add(code, SourceType::mjs(), &mut found);
    found
}

/// The names that a `CommonJS` module is given.
const OF_COMMON_JS: &[&str] = &["__dirname", "__filename", "exports", "module", "require"];

fn add(code: &str, source_type: SourceType, found: &mut BTreeSet<String>) {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, source_type).parse();
    let built_in = parsed
        .module_record
        .requested_modules
        .keys()
        .map(ToString::to_string)
        .filter(|specifier| specifier.starts_with("node:"));
    found.extend(built_in);
    for import in &parsed.module_record.dynamic_imports {
        let text = import.module_request.source_text(code);
        match literal(text) {
            Some(specifier) if specifier.starts_with("node:") => found.insert(specifier.to_owned()),
            Some(_) => false,
            None => found.insert("import()".to_owned()),
        };
    }
    let semantic = SemanticBuilder::new().with_build_nodes(true).build(&parsed.program).semantic;
    let nodes = semantic.nodes();
    // Behind `??` it is what the bundler itself asks for, where nobody tells a file where it lies (`lowering/import_meta.rs`).
    let is_own = |node: &AstNode<'_>| matches!(nodes.parent_kind(node.id()), AstKind::LogicalExpression(_));
    if nodes.iter().any(|node| matches!(node.kind(), AstKind::ImportMeta(_)) && !is_own(node)) {
        found.insert("import.meta".to_owned());
    }
    found.extend(nodes.iter().filter_map(|node| language_use(nodes, node)).map(str::to_owned));
    for script in nodes.iter().filter_map(|node| script(node.kind())) {
        add(script, SourceType::cjs(), found);
    }
    for (name, references) in semantic.scoping().root_unresolved_references() {
        if source_type.is_commonjs() && OF_COMMON_JS.contains(&name.as_str()) {
            continue;
        }
        for reference in references {
            let node = semantic.scoping().get_reference(*reference).node_id();
            match nodes.parent_kind(node) {
                AstKind::UnaryExpression(unary) if unary.operator.is_typeof() => {}
                AstKind::StaticMemberExpression(member)
                    if name.as_str() == "globalThis" && !UNIVERSAL.contains(&member.property.name.as_str()) =>
                {
                    found.insert(member.property.name.to_string());
                }
                _ if !UNIVERSAL.contains(&name.as_str()) => {
                    found.insert(name.to_string());
                }
                _ => {}
            }
        }
    }
}

/// The text of a `CommonJS` module that is run as a script, if this is the call that does so (`vendor/scripts.rs`).
fn script(kind: AstKind<'_>) -> Option<&str> {
    let AstKind::CallExpression(call) = kind else { return None };
    let argument = |index: usize| call.arguments.get(index).and_then(Argument::as_expression);
    match (argument(0), argument(1)) {
        (Some(Expression::StringLiteral(text)), Some(Expression::Identifier(module))) => {
            (module.name == "module" && call.arguments.len() > 4).then(|| text.value.as_str())
        }
        _ => None,
    }
}

/// The method that depends on a language, if this is a use of one that the embedded engine does not answer as Deno does, or that
/// may be one: its arguments are not written out.
fn language_use<'a>(nodes: &AstNodes<'a>, node: &AstNode<'a>) -> Option<&'static str> {
    let name = match node.kind() {
        AstKind::StaticMemberExpression(member) => member.property.name.as_str(),
        AstKind::ComputedMemberExpression(member) => member.static_property_name()?.as_str(),
        _ => return None,
    };
    let method = LANGUAGE_METHODS.into_iter().find(|method| *method == name)?;
    let is_known = match nodes.parent_kind(node.id()) {
        AstKind::CallExpression(call) if call.callee.span() == node.kind().span() => {
            let languages = if method == "localeCompare" { call.arguments.get(1..) } else { Some(&call.arguments[..]) };
            is_known_call(method, languages.unwrap_or_default())
        }
        // Whoever asks whether it is there does not use it.
        AstKind::UnaryExpression(unary) => unary.operator.is_typeof(),
        _ => false,
    };
    (!is_known).then_some(method)
}

/// `arguments` are the locale and the options.
fn is_known_call(method: &str, arguments: &[Argument<'_>]) -> bool {
    let locale = match arguments.first().map(Argument::as_expression) {
        None => None,
        Some(Some(Expression::StringLiteral(text))) => Some(text.value.as_str()),
        Some(Some(Expression::Identifier(name))) if name.name == "undefined" => None,
        // As the bundler writes it.
        Some(Some(Expression::UnaryExpression(unary))) if unary.operator.is_void() => None,
        Some(Some(Expression::ArrayExpression(list))) if list.elements.is_empty() => None,
        Some(_) => return false,
    };
    let options = match arguments.get(1).map(Argument::as_expression) {
        None => Some(Vec::new()),
        Some(Some(Expression::ObjectExpression(object))) => object.properties.iter().map(written_out).collect(),
        Some(_) => None,
    };
    options.is_some_and(|options| language_calls::is_known(method, locale, &options))
}

fn written_out(property: &ObjectPropertyKind<'_>) -> Option<(String, Literal)> {
    let ObjectPropertyKind::ObjectProperty(property) = property else { return None };
    let value = match &property.value {
        Expression::StringLiteral(text) => Literal::Text(text.value.to_string()),
        Expression::NumericLiteral(number) => Literal::Number(number.value),
        Expression::BooleanLiteral(answer) => Literal::Bool(answer.value),
        _ => return None,
    };
    Some((property.key.static_name()?.into_owned(), value))
}

/// The text of a plain string literal.
fn literal(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\'' | '`'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\', '$'])).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::of;

    fn list(code: &str) -> String {
        of(code).into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn free_globals_and_node_imports_are_named() {
        let code = r#"import fs from "node:fs"; import { z } from "../vendor/a/zod.js";
            const local = { fetch() {} }; local.fetch(); Deno.env.get("A"); console.log(z, fs, Math.max(1));
            export const f = (process) => process.argv; export const g = () => fetch("x");"#;
        assert_eq!(list(code), "Deno fetch node:fs");
    }

    #[test]
    fn a_member_of_global_this_counts_and_a_typeof_does_not() {
        assert_eq!(list("export const a = globalThis.Bun; export const b = typeof window;"), "Bun");
    }

    #[test]
    fn comments_and_strings_are_no_globals() {
        assert_eq!(list("// Deno\nexport const a = \"process\"; export const b = `fetch`;"), "");
    }

    #[test]
    fn what_depends_on_a_language_is_named_where_it_may_differ() {
        for known in [
            "names.sort((a, b) => a.localeCompare(b))",
            "a.localeCompare(b, undefined, { numeric: true, sensitivity: 'base' })",
            "a?.localeCompare(b, 'de')",
            "a.localeCompare(b, void 0, { numeric: true })",
            "n.toLocaleString()",
            "n.toLocaleString('en-US', { style: 'currency', currency: 'USD', maximumFractionDigits: 0 })",
            "new Date().toLocaleDateString('en-GB')",
            "d.toLocaleString(undefined, { dateStyle: 'medium', timeZone: 'Europe/Berlin' })",
            "a.toLocaleLowerCase()",
            "typeof a.toLocaleString === 'function' ? 1 : 2",
        ] {
            assert_eq!(list(&format!("export const f = (names, a, b, n, d) => {known};")), "", "{known}");
        }
        for (unknown, method) in [
            ("a.localeCompare(b, 'sv')", "localeCompare"),
            ("a.localeCompare(b, locale)", "localeCompare"),
            ("a.localeCompare(b, undefined, options)", "localeCompare"),
            ("a.localeCompare(b, 'de-u-co-phonebk')", "localeCompare"),
            ("a.localeCompare(b, undefined, { ...options })", "localeCompare"),
            ("names.map(String.prototype.localeCompare, a)", "localeCompare"),
            ("n.toLocaleString('hi-IN')", "toLocaleString"),
            ("n.toLocaleString('en-US', { notation: 'compact' })", "toLocaleString"),
            ("n['toLocaleString']('de-DE', { style: 'percent' })", "toLocaleString"),
            ("d.toLocaleDateString('de-DE', { month: 'long' })", "toLocaleDateString"),
            ("d.toLocaleTimeString('en-US', { timeZone: zone })", "toLocaleTimeString"),
            ("a.toLocaleUpperCase('tr')", "toLocaleUpperCase"),
        ] {
            let code = format!("export const f = (names, a, b, n, d, locale, options, zone) => {unknown};");
            assert_eq!(list(&code), method, "{unknown}");
        }
    }

    #[test]
    fn dynamic_parts_are_named() {
        let code = "export const a = (n) => import(n); export const b = () => import('node:os'); export const c = import.meta.url;";
        assert_eq!(list(code), "import() import.meta node:os");
    }
}
