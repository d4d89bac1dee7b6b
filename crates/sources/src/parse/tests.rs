use super::*;

fn imports(text: &str) -> Vec<String> {
    let module = parse_module("a.ts", text.as_bytes());
    assert_eq!(module.syntax_error, None, "{text}");
    module.imports.into_iter().map(|import| import.specifier).collect()
}

fn exports(text: &str) -> Vec<String> {
    parse_module("a.ts", text.as_bytes()).exports
}

fn claimed(text: &str) -> Vec<(String, String, u32)> {
    let module = parse_module("a.ts", text.as_bytes());
    module.literals.into_iter().map(|literal| (literal.export, literal.value, literal.line)).collect()
}

#[test]
fn fault_06_every_form_of_import_is_seen() {
    let text = r#"
import"./side.ts";
import{x}from"./tight.ts";
import data from "./data.json" with { type: "json" };
export { y } from './named.ts';
export * from "./star.tsx";
export * as z from "./namespace.mts";
async function load() { return (await import(`./lazy.ts`)).default ?? import("./deep.json", { with: { type: "json" } }); }
import {} from "./empty.ts";
import def, { type T } from "./mixed.ts";
import old = require("./old.js");
"#;
    let expected = [
        "./side.ts",
        "./tight.ts",
        "./data.json",
        "./named.ts",
        "./star.tsx",
        "./namespace.mts",
        "./lazy.ts",
        "./deep.json",
        "./empty.ts",
        "./mixed.ts",
        "./old.js",
    ];
    assert_eq!(imports(text), expected);
    let module = parse_module("a.ts", text.as_bytes());
    let json: Vec<_> = module.imports.iter().filter(|import| import.attribute.as_deref() == Some("json")).collect();
    assert_eq!(json.len(), 2);
    assert_eq!(module.imports.iter().filter(|import| import.is_dynamic).count(), 2);
}

#[test]
fn fault_06_imports_that_are_not_there_are_not_seen() {
    let text = r#"
// import "./comment.ts";
/* export * from "./block.ts"; */
const s = 'import "./string.ts"', t = `import "./template.ts"`;
import type { A } from "./type.ts";
import { type B, type C } from "./types.ts";
export type { D } from "./type-export.ts";
export type * from "./type-star.ts";
export { type E } from "./type-specifier.ts";
type F = import("./type-query.ts").F;
const name = "./x.ts"; import(name); import(`./${name}`);
"#;
    assert_eq!(imports(text), [""; 0]);
}

#[test]
fn exports_are_values_with_names() {
    assert_eq!(exports("export const model = 1, other = 2;"), ["model", "other"]);
    assert_eq!(exports("const x = 1; export { x as model };"), ["model"]);
    assert_eq!(exports("export { model } from './a.ts'; export * from './b.ts';"), ["model"]);
    assert_eq!(exports("export function vault() {} export class driver {}"), ["driver", "vault"]);
    assert_eq!(exports("export default { type: 'x' }; const y = 1; export { y as default };"), [""; 0]);
    assert_eq!(
        exports("export type model = string; export interface vault {} export declare const driver: 1;"),
        [""; 0]
    );
    assert_eq!(exports("const model = 1; // export const model\n"), [""; 0]);
}

#[test]
fn fault_25_literals_come_from_the_export_alone() {
    let text = r#"
// export const model = { type: "@a/comment" };
const decoy = { type: "@a/decoy" };
export const model = { nested: { type: "@a/nested" }, type: "@a/real", version: "1" } satisfies Model;
"#;
    assert_eq!(claimed(text), [("model".into(), "@a/real".into(), 4)]);
    assert_eq!(
        claimed("const m = { type: `@a/b` } as const;\nexport { m as model };"),
        [("model".into(), "@a/b".into(), 2)]
    );
    assert_eq!(claimed("export const model = ({ 'type': '@a/b' as const })!;"), [("model".into(), "@a/b".into(), 1)]);
    assert_eq!(claimed("export const model = { type: T, [`type`]: 'x', name: `a${b}` };"), []);
    assert_eq!(claimed("export const report = { name: '@a/r' };"), [("report".into(), "@a/r".into(), 1)]);
    let far = format!("/*{}*/ export const model = {{ type: '@a/far' }};", "x".repeat(100_000));
    assert_eq!(claimed(&far), [("model".into(), "@a/far".into(), 1)]);
}

#[test]
fn a_file_that_does_not_parse_still_names_its_exports() {
    let text = r#"
// export const vault = 1
const s = "export const driver = 1", t = `export const report = ${ { a: `}` } } export const extension`;
const r = /["'`]/;
export const model: Model = {
  nested: { type: "@a/nested" },
  type: "@a/broken",
  methods: {{,
};
export { s as other, type T, r };
"#;
    let module = parse_module("a.ts", text.as_bytes());
    let error = module.syntax_error.expect("does not parse");
    assert_eq!(error.line, 8, "{error:?}");
    assert_eq!(module.exports, ["model", "other", "r"]);
    assert_eq!(module.imports, []);
    assert_eq!(module.literals.len(), 1);
    assert_eq!(module.literals[0].value, "@a/broken");
    assert_eq!(module.literals[0].line, 5);
}

#[test]
fn strange_bytes_are_answered() {
    let bytes = b"export const model = { type: '@a/b' };\n\xff\xfe";
    let module = parse_module("a.ts", bytes);
    assert_eq!(module.syntax_error.as_ref().map(|error| (error.line, error.column)), Some((2, 1)));
    assert_eq!(module.exports, ["model"]);
    let large = vec![b' '; MAXIMUM_MODULE_BYTES + 1];
    assert!(parse_module("a.ts", &large).syntax_error.is_some());
    assert_eq!(parse_module("a.ts", "\u{feff}import './b.ts';".as_bytes()).imports.len(), 1);
    for text in ["`${", "`", "'", "\"\\", "/*", "/", "export", "export {", "export const", "}`", "`${`${", "\\", "`\\"]
    {
        let module = tokens::scan(text.as_bytes());
        assert_eq!(module.syntax_error, None);
    }
}

proptest::proptest! {
    #[test]
    fn the_token_scan_never_panics(text in r#"[ a-z{}()\[\]`'"$/\\=:,;\n*é]{0,80}"#) {
        let _ = tokens::scan(text.as_bytes());
        let _ = tokens::scan(format!("export const model = {{{text}").as_bytes());
    }
}

#[test]
fn fault_09_a_file_that_is_too_large_to_parse_is_no_helper() {
    let text = format!("export const model = {{ type: \"@acme/large\" }};\n// {}", "x".repeat(MAXIMUM_MODULE_BYTES));
    let module = parse_module("a.ts", text.as_bytes());
    assert!(module.syntax_error.is_some());
    assert_eq!(module.exports, ["model"]);
    assert_eq!(module.literals[0].value, "@acme/large");
}

#[test]
fn every_form_of_an_export_has_its_line() {
    let text = "const model = build();\nexport {\n  model,\n};\nexport function vault() {}\nexport const\n  driver = 1;\n\
                export { report } from './r.ts';\nexport * as all from './all.ts';\nexport enum Kind { A }\nexport class C {}\n";
    for text in [text.to_owned(), format!("{text}const broken = [;\n")] {
        let module = parse_module("a.ts", text.as_bytes());
        let lines: Vec<(&str, Option<u32>)> = ["model", "vault", "driver", "report", "C", "nothing"]
            .map(|name| (name, module.export_line(name)))
            .to_vec();
        let expected = [
            ("model", Some(3)),
            ("vault", Some(5)),
            ("driver", Some(7)),
            ("report", Some(8)),
            ("C", Some(11)),
            ("nothing", None),
        ];
        assert_eq!(lines, expected, "{text}");
        assert_eq!(module.exports.len(), module.export_lines.len());
    }
}

#[test]
fn jsx_is_found_with_what_it_calls() {
    use crate::parser::JsxRuntime::{Automatic, Below, Configured};
    for (path, text, expected) in [
        ("a.tsx", "export const a = <b/>;", Some(Configured)),
        (
            "a.jsx",
            "/** @jsxImportSource npm:preact@10 */ const a = () => <></>;",
            Some(Below("npm:preact@10".to_owned())),
        ),
        ("a.tsx", "/* @jsxRuntime classic @jsx h */ const a = <b/>;", None),
        ("a.tsx", "// says `@jsxImportSource x`\nconst a = <b/>;", Some(Configured)),
        ("a.tsx", "/** @jsxImportSource npm:preact */ const a = 1;", None),
        ("a.ts", "const a = <b>c;", None),
        ("a.tsx", "/** @jsxRuntime automatic */ const a = <b/>;", Some(Automatic)),
        ("a.tsx", "const text = '@jsxImportSource x'; /** @jsxImportSource y */ const a = <b/>;", Some(Configured)),
    ] {
        assert_eq!(parse_module(path, text.as_bytes()).jsx, expected, "{text}");
    }
}

#[test]
fn places_of_import_meta_are_those_in_the_file() {
    let text = "\u{feff}export const a = `${import.meta.url}`; // import.meta\n";
    let [(start, end)] = parse_module("a.ts", text.as_bytes()).import_metas[..] else { panic!("one place") };
    assert_eq!(text.get(start as usize..end as usize), Some("import.meta"));
}

/// Found by damaged input (`crates/fuzz`): the list of exports ends in the middle of one.
#[test]
fn a_file_that_ends_in_its_exports_is_read() {
    for text in [
        "export { a as",
        "export { a as ",
        "export { type",
        "export { a",
        "export {",
        "export",
        "export const",
        "export { type a as",
    ] {
        let module = parse_module("a.ts", text.as_bytes());
        assert!(module.syntax_error.is_some(), "{text}");
    }
}
