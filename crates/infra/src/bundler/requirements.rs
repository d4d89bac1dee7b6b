//! What a bundle needs from its engine, by its text.

use std::collections::BTreeSet;

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;

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
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    let mut found: BTreeSet<String> = parsed
        .module_record
        .requested_modules
        .keys()
        .map(ToString::to_string)
        .filter(|specifier| specifier.starts_with("node:"))
        .collect();
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
    if nodes.iter().any(|node| matches!(node.kind(), AstKind::ImportMeta(_))) {
        found.insert("import.meta".to_owned());
    }
    for (name, references) in semantic.scoping().root_unresolved_references() {
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
    found
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
    fn dynamic_parts_are_named() {
        let code = "export const a = (n) => import(n); export const b = () => import('node:os'); export const c = import.meta.url;";
        assert_eq!(list(code), "import() import.meta node:os");
    }
}
