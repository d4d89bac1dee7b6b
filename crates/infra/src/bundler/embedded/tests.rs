use std::{collections::BTreeMap, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::failure::FailureClass;
use mangrove_fs::json_text;
use mangrove_testkit::graphs::{external, module_graph, path};

use super::*;

/// A request from files (the first is the entry) and edges `importer, specifier, target`: a path, `missing`,
/// `outside` or `external:specifier`.
fn request(files: &[(&str, &str)], edges: &[(&str, &str, &str)]) -> BundleRequest {
    let target = |target: &str| match target {
        "missing" => EdgeTarget::Missing,
        "outside" => EdgeTarget::OutsideRoot,
        other => other.strip_prefix("external:").map_or_else(|| EdgeTarget::File(path(other)), external),
    };
    let edges: Vec<_> = edges.iter().map(|(importer, specifier, to)| (*importer, *specifier, target(to))).collect();
    BundleRequest {
        graph: module_graph(files, &edges),
        imports: BTreeMap::from([("npm:zod@4".to_owned(), "../vendor/abc/zod.js".to_owned())]),
        offers: BTreeMap::new(),
        inlined: Vec::new(),
    }
}

fn bundle(files: &[(&str, &str)], edges: &[(&str, &str, &str)]) -> Bundle {
    bundle_in_process(&request(files, edges)).unwrap()
}

fn failure(files: &[(&str, &str)], edges: &[(&str, &str, &str)]) -> BuildFailure {
    bundle_in_process(&request(files, edges)).unwrap_err()
}

const MODEL: (&str, &str) = (
    "extensions/models/dns.ts",
    "import { z } from \"npm:zod@4\";\nimport { helper } from \"./_lib/util.ts\";\nimport data from \"./data.json\" with { type: \"json\" };\n\
     export const model: { type: string } = { type: helper(data.name), schema: z.object({}) } as never;\n",
);
const FILES: &[(&str, &str)] = &[
    MODEL,
    ("extensions/models/_lib/util.ts", "export const helper = (x: string): string => x.trim();\n"),
    ("extensions/models/data.json", "{\"name\": \"@acme/dns\"}"),
];
const EDGES: &[(&str, &str, &str)] = &[
    ("extensions/models/dns.ts", "npm:zod@4", "external:npm:zod@4"),
    ("extensions/models/dns.ts", "./_lib/util.ts", "extensions/models/_lib/util.ts"),
    ("extensions/models/dns.ts", "./data.json", "extensions/models/data.json"),
];

#[test]
fn local_files_and_json_become_one_module_and_packages_stay_imports() {
    let bundle = bundle(FILES, EDGES);
    assert!(bundle.code.contains("from \"../vendor/abc/zod.js\""), "{}", bundle.code);
    assert!(bundle.code.contains("@acme/dns") && bundle.code.contains(".trim()"), "{}", bundle.code);
    assert!(bundle.code.contains("export { model }"), "{}", bundle.code);
    assert!(!bundle.code.contains(ROOT), "{}", bundle.code);
    assert_eq!(bundle.requirements, Vec::<String>::new());
}

#[test]
fn the_source_map_names_files_below_the_root() {
    let code = bundle(FILES, EDGES).code;
    let url =
        code.trim_end().rsplit_once("//# sourceMappingURL=data:application/json;charset=utf-8;base64,").unwrap().1;
    let map = String::from_utf8(STANDARD.decode(url).unwrap()).unwrap();
    assert!(map.contains("\"extensions/models/dns.ts\"") && !map.contains(ROOT), "{map}");
    assert!(!map.contains("export const model"), "it carries no sources: {map}");
}

#[test]
fn the_same_request_gives_the_same_code_on_any_number_of_threads() {
    let mut files: Vec<(String, String)> = vec![(String::new(), String::new())];
    let mut entry = String::new();
    for index in 0..40 {
        files
            .push((format!("m/f{index}.ts"), format!("const local = {index}; export const v{index} = () => local;\n")));
        writeln!(entry, "export {{ v{index} }} from \"./f{index}.ts\";").unwrap();
    }
    files[0] = ("m/entry.ts".to_owned(), entry);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let specifiers: Vec<String> = (0..40).map(|index| format!("./f{index}.ts")).collect();
    let edges: Vec<(&str, &str, &str)> = specifiers
        .iter()
        .zip(&files[1..])
        .map(|(specifier, (target, _))| ("m/entry.ts", specifier.as_str(), *target))
        .collect();
    let request = request(&files, &edges);
    let outcomes: Vec<Bundle> = [1, 1, 2, 8]
        .into_iter()
        .map(|threads| bundle_on(&runtime::build(threads).unwrap(), &request).unwrap())
        .collect();
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    let shuffled = {
        let mut other = request.clone();
        other.graph.files.reverse();
        other.graph.edges.reverse();
        other
    };
    assert_eq!(bundle_in_process(&shuffled).unwrap(), outcomes[0]);
}

#[test]
fn a_file_of_types_only_is_an_empty_module() {
    let bundle = bundle(&[("a.ts", "export interface A { b: string }\nexport type C = A;\n")], &[]);
    assert!(!bundle.code.contains("interface") && !bundle.code.contains('A'), "{}", bundle.code);
}

#[test]
fn an_import_that_only_types_use_is_never_looked_for() {
    let code = "import { T } from \"./gone.ts\";\nexport const a = (x: T) => x;\n";
    let bundle = bundle(&[("a.ts", code)], &[("a.ts", "./gone.ts", "missing")]);
    assert!(!bundle.code.contains("gone"), "{}", bundle.code);
}

#[test]
fn a_type_that_is_re_exported_as_a_value_gets_a_hint() {
    let files = [("a.ts", "export { T } from \"./b.ts\"; export const x = 1;"), ("b.ts", "export interface T {}")];
    let failure = failure(&files, &[("a.ts", "./b.ts", "b.ts")]);
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Deterministic, Code::BUNDLE_FAILED));
    assert!(failure.diagnostics[0].contains("`type` modifier"), "{:?}", failure.diagnostics);
}

#[test]
fn tsx_calls_the_factory_in_force() {
    let files = [("a.tsx", "const h = (...a: unknown[]) => a; export const x = <b id=\"1\">t</b>;")];
    let mut request = request(&files, &[]);
    request.graph.compiler_options =
        json_text::parse("{\"jsx\": \"react\", \"jsxFactory\": \"h\", \"lib\": [\"dom\"]}").unwrap();
    let bundle = bundle_in_process(&request).unwrap();
    assert!(bundle.code.contains("h(\"b\""), "{}", bundle.code);
}

#[test]
fn the_automatic_jsx_runtime_is_imported_through_the_map() {
    let mut request = request(&[("a.tsx", "export const x = <b/>;")], &[]);
    request.graph.compiler_options =
        json_text::parse("{\"jsx\": \"react-jsx\", \"jsxImportSource\": \"preact\"}").unwrap();
    let failure = bundle_in_process(&request).unwrap_err();
    assert_eq!(failure.fault.code, Code::UNSUPPORTED_SPECIFIER);
    assert!(failure.fault.message.contains("preact/jsx-runtime"), "{}", failure.fault.message);
    request.imports.insert("npm:preact/jsx-runtime".to_owned(), "../vendor/p/jsx.js".to_owned());
    let bundle = bundle_in_process(&request).unwrap();
    assert!(bundle.code.contains("../vendor/p/jsx.js"), "{}", bundle.code);
}

#[test]
fn a_literal_dynamic_import_is_inlined_and_others_are_kept() {
    let files = [
        (
            "a.ts",
            "export const a = () => import(\"./b.ts\"); export const c = (n: string) => import(n); export const d = () => import(\"npm:zod@4\");",
        ),
        ("b.ts", "export const inside = 42;"),
    ];
    let bundle = bundle(&files, &[("a.ts", "./b.ts", "b.ts"), ("a.ts", "npm:zod@4", "external:npm:zod@4")]);
    assert!(bundle.code.contains("inside") && bundle.code.contains("import(n)"), "{}", bundle.code);
    assert!(bundle.code.contains("import(\"../vendor/abc/zod.js\")"), "{}", bundle.code);
    assert_eq!(bundle.requirements, ["import()"]);
}

#[test]
fn text_comes_in_by_attribute_or_by_extension() {
    let files = [
        (
            "a.ts",
            "import t from \"./t.txt\"; import m from \"./m.md\" with { type: \"text\" }; import u from \"./u.json\" with { type: \"text\" }; export const x = t + m + u;",
        ),
        ("t.txt", "# hello `${x}`"),
        ("m.md", "# marked"),
        ("u.json", "{\"not\": parsed}"),
    ];
    let bundle =
        bundle(&files, &[("a.ts", "./t.txt", "t.txt"), ("a.ts", "./m.md", "m.md"), ("a.ts", "./u.json", "u.json")]);
    for text in ["hello", "marked", "parsed"] {
        assert!(bundle.code.contains(text), "{}", bundle.code);
    }
}

#[test]
fn what_would_be_made_into_something_else_is_refused() {
    for (code, what) in [
        ("import b from \"./t.md\" with { type: \"bytes\" }; export const x = b;", "an import of bytes"),
        ("import defer * as d from \"./t.md\"; export const x = d;", "a deferred import"),
        ("import * as w from \"./a.wasm\"; export const x = w;", "a module of WebAssembly"),
        (
            "import t from \"./t.md\" with { type: \"text\" }; import u from \"./t.md\"; export const x = [t, u];",
            "as a text and as something else",
        ),
    ] {
        let files = [("a.ts", code), ("t.md", "text"), ("a.wasm", "")];
        let failure = failure(&files, &[("a.ts", "./t.md", "t.md"), ("a.ts", "./a.wasm", "a.wasm")]);
        assert_eq!(
            (failure.fault.class, failure.fault.code),
            (FailureClass::Deterministic, Code::UNSUPPORTED_SPECIFIER)
        );
        assert!(failure.fault.message.contains(what), "{}", failure.fault.message);
    }
}

#[test]
fn a_file_that_need_not_be_there_is_asked_for_when_it_is_needed() {
    let code = "export const x = async () => { try { return await import(\"./gone.ts\"); } catch { return 1; } };";
    let bundle = bundle(&[("a.ts", code)], &[("a.ts", "./gone.ts", "missing")]);
    assert!(bundle.code.contains("import(\"./gone.ts\")"), "{}", bundle.code);
}

#[test]
fn names_stay_where_two_modules_have_the_same_one() {
    let files = [
        (
            "a.ts",
            "import { B } from \"./b.ts\"; import d from \"./d.ts\"; class C extends Error {} function f() {} export const x = [B, C, f, d];",
        ),
        ("b.ts", "class C extends Error {} function f() {} export const B = [C, f];"),
        ("d.ts", "export default class { static s = 1; }"),
    ];
    let bundle = bundle(&files, &[("a.ts", "./b.ts", "b.ts"), ("a.ts", "./d.ts", "d.ts")]);
    for name in ["\"C\"", "\"f\"", "\"default\""] {
        assert!(bundle.code.contains(name), "{name}: {}", bundle.code);
    }
}

#[test]
fn older_decorators_are_called_as_the_configuration_says() {
    let code = "const log: unknown[] = []; const d = (t: object, k: string) => { log.push([typeof t, k]); };\n\
                class A { @d x = 1; @d m(@d a: number) { return a; } }\nexport const x = [A, log];";
    let mut request = request(&[("a.ts", code)], &[]);
    request.graph.compiler_options = json_text::parse("{\"experimentalDecorators\": true}").unwrap();
    let code = bundle_in_process(&request).unwrap().code;
    assert!(!code.contains("@d"), "{code}");
}

#[test]
fn side_effect_imports_are_kept() {
    let files =
        [("a.ts", "import \"./b.ts\"; import \"npm:zod@4\"; export const x = 1;"), ("b.ts", "globalThis.seen = 1;")];
    let bundle = bundle(&files, &[("a.ts", "./b.ts", "b.ts"), ("a.ts", "npm:zod@4", "external:npm:zod@4")]);
    assert!(bundle.code.contains("globalThis.seen") && bundle.code.contains("zod.js"), "{}", bundle.code);
}

#[test]
fn node_built_ins_stay_and_are_requirements() {
    let code = "import { readFileSync } from \"node:fs\"; export const x = () => [readFileSync, Deno.env, fetch];";
    let bundle = bundle(&[("a.ts", code)], &[("a.ts", "node:fs", "external:node:fs")]);
    assert!(bundle.code.contains("from \"node:fs\""), "{}", bundle.code);
    assert_eq!(bundle.requirements, ["Deno", "fetch", "node:fs"]);
}

#[test]
fn a_syntax_error_has_file_line_column_and_excerpt() {
    let files = [("a.ts", "import \"./sub/b.ts\";\n"), ("sub/b.ts", "// one\nexport const é = \"é\", = 2;\n")];
    let failure = failure(&files, &[("a.ts", "./sub/b.ts", "sub/b.ts")]);
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Deterministic, Code::SYNTAX));
    assert_eq!(failure.fault.position.as_ref().unwrap().to_string(), "sub/b.ts:2:23");
    assert!(failure.diagnostics[0].contains("export const"), "{:?}", failure.diagnostics);
    assert!(
        !failure.diagnostics[0].contains(ROOT) && !failure.diagnostics[0].contains('\u{1b}'),
        "{:?}",
        failure.diagnostics
    );
}

#[test]
fn a_query_and_a_fragment_make_a_module_of_their_own() {
    let files = [
        (
            "a.ts",
            "import { n } from \"./b.ts\"; import { n as o } from \"./b.ts?x=1\"; import t from \"./t.txt#part\"; export const x = [n, o, t];",
        ),
        ("b.ts", "import \"./c.ts\"; export const n = () => \"counted\";"),
        ("c.ts", "globalThis.loaded = 1;"),
        ("t.txt", "text"),
    ];
    let edges = [
        ("a.ts", "./b.ts", "b.ts"),
        ("a.ts", "./b.ts?x=1", "b.ts"),
        ("a.ts", "./t.txt#part", "t.txt"),
        ("b.ts", "./c.ts", "c.ts"),
    ];
    let code = bundle(&files, &edges).code;
    assert_eq!(code.matches("\"counted\"").count(), 2, "{code}");
    assert_eq!(code.matches("loaded = 1").count(), 1, "{code}");
}

#[test]
fn broken_json_is_a_syntax_error() {
    let failure = failure(
        &[("a.ts", "import d from \"./d.json\" with { type: \"json\" }; export const x = d;"), ("d.json", "{\"a\": }")],
        &[("a.ts", "./d.json", "d.json")],
    );
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Deterministic, Code::SYNTAX));
    assert!(failure.fault.to_string().contains("d.json"), "{failure:?}");
}

#[test]
fn bytes_that_are_no_text_are_a_syntax_error() {
    let mut request = request(&[("a.ts", "")], &[]);
    request.graph.files[0].bytes = Arc::from(&b"export const a = 1;\n\xff"[..]);
    let failure = bundle_in_process(&request).unwrap_err();
    assert_eq!(
        (failure.fault.code, failure.fault.to_string().as_str()),
        (Code::SYNTAX, "a.ts:2:1: the file is not UTF-8")
    );
}

#[test]
fn every_import_that_leads_nowhere_is_reported_at_its_line() {
    let files = [(
        "a.ts",
        "// import \"./no.ts\"\nimport \"./gone.ts\";\nimport \"../../up.ts\";\nimport \"jsr:@std/path\";\n",
    )];
    let edges = [
        ("a.ts", "./gone.ts", "missing"),
        ("a.ts", "../../up.ts", "outside"),
        ("a.ts", "jsr:@std/path", "external:jsr:@std/path"),
    ];
    let failure = failure(&files, &edges);
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Deterministic, Code::UNRESOLVED_IMPORT));
    assert_eq!(failure.fault.to_string(), "a.ts:2:8: cannot find `./gone.ts`");
    assert_eq!(failure.diagnostics.len(), 3);
    assert!(
        failure.diagnostics[1].contains("a.ts:3:8: `../../up.ts` leads outside the root"),
        "{:?}",
        failure.diagnostics
    );
    assert!(failure.diagnostics[2].contains("cannot serve `jsr:@std/path`"), "{:?}", failure.diagnostics);
}

#[test]
fn a_package_without_a_place_in_the_map_is_an_environment_fault() {
    let failure = failure(
        &[("a.ts", "import { x } from \"undici\"; export const y = x;")],
        &[("a.ts", "undici", "external:npm:undici@7")],
    );
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Environment, Code::UNSUPPORTED_SPECIFIER));
    assert_eq!(failure.fault.message, "the embedded bundler cannot serve `undici` (mapped to `npm:undici@7`)");
}

#[test]
fn a_missing_export_is_the_authors_fault() {
    let failure = failure(
        &[("a.js", "import { nope } from \"./b.js\"; export const x = nope;"), ("b.js", "export const y = 1;")],
        &[("a.js", "./b.js", "b.js")],
    );
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Deterministic, Code::BUNDLE_FAILED));
    assert_eq!(failure.fault.position.unwrap().line, 1);
}

#[test]
fn the_disk_is_never_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("real.ts");
    std::fs::write(&file, "export const leaked = 1;").unwrap();
    let specifier = file.to_str().unwrap();
    let code = format!("import {{ leaked }} from \"{specifier}\"; export const x = leaked;");
    let failure = failure(&[("a.ts", &code)], &[]);
    assert_eq!(failure.fault.code, Code::UNSUPPORTED_SPECIFIER);
}

#[test]
fn f01_a_file_of_the_machine_that_a_map_names_is_refused() {
    for target in ["FILE:///etc/hosts", "file:/etc/hosts", "/etc/hosts", "\\\\host\\share\\x.js", "C:/x.js"] {
        let mut request = request(
            &[("a.ts", "import x from \"x\"; export const y = x;")],
            &[("a.ts", "x", &format!("external:{target}"))],
        );
        request.imports.insert(target.to_owned(), target.to_owned());
        let failure = bundle_in_process(&request).unwrap_err();
        let Fault { class, code, .. } = failure.fault;
        assert_eq!((class, code), (FailureClass::Deterministic, Code::IMPORT_OUTSIDE_ROOT), "{target}");
        assert!(failure.fault.message.contains('x'), "{}", failure.fault);
    }
}

#[test]
fn the_identity_names_adapter_and_version() {
    let lines: Vec<String> =
        identity().lines().unwrap().into_iter().map(|line| format!("{}={}", line.key, line.value)).collect();
    assert_eq!(lines, ["adapter=embedded", "bundle-format=5", "vendor-format=9", "version=rolldown 1.2.5"]);
    let lock = include_str!("../../../../../Cargo.lock");
    assert!(
        lock.contains("name = \"rolldown\"\nversion = \"1.2.5\""),
        "the identity names another version than the lock"
    );
}

#[tokio::test]
async fn the_contract_holds() {
    mangrove_testkit::contract::bundler(&|| Box::new(InProcess)).await;
}
