//! What is told of bundles that do not do what Deno does with the files, and what is refused as Deno refuses it.

use std::collections::BTreeMap;

use mangrove_domain::{
    bundle::{Bundle, UNLIKE_DENO},
    failure::FailureClass,
    json::Json,
    module_graph::EdgeTarget,
    ports::{BuildFailure, BundleRequest},
    problem::Code,
};
use mangrove_testkit::graphs::{module_graph, path};

use super::bundle_in_process;

/// The request for files of which each may import every other one by `./name`; the first is the entry.
fn request(files: &[(&str, &str)]) -> BundleRequest {
    let names: Vec<(String, EdgeTarget)> =
        files.iter().map(|(name, _)| (format!("./{name}"), EdgeTarget::File(path(name)))).collect();
    let edges: Vec<(&str, &str, EdgeTarget)> = files
        .iter()
        .flat_map(|(importer, text)| {
            let used = names.iter().filter(|(specifier, _)| text.contains(&format!("\"{specifier}\"")));
            used.map(|(specifier, target)| (*importer, specifier.as_str(), target.clone()))
        })
        .collect();
    let graph = module_graph(files, &edges);
    BundleRequest { graph, imports: BTreeMap::new(), offers: BTreeMap::new(), inlined: Vec::new() }
}

fn bundled(files: &[(&str, &str)]) -> Result<Bundle, BuildFailure> {
    bundle_in_process(&request(files))
}

fn remarks(files: &[(&str, &str)]) -> Vec<String> {
    let remarks = bundled(files).expect("a bundle").remarks;
    let begin = |remark: String| remark.strip_prefix(UNLIKE_DENO).expect("the usual beginning").to_owned();
    remarks.into_iter().map(begin).collect()
}

fn refused(files: &[(&str, &str)]) -> String {
    let failure = bundled(files).expect_err("it is refused");
    assert_eq!(failure.fault.code, Code::UNSUPPORTED_SPECIFIER, "{}", failure.fault);
    assert_eq!(failure.fault.class, FailureClass::Deterministic);
    failure.fault.to_string()
}

const JSON: (&str, &str) = ("data.json", "{\"a\": 1}");
const TEXT: (&str, &str) = ("note.txt", "a note");

#[test]
fn json_and_text_without_an_attribute_are_taken_and_told() {
    let with = "import a from \"./data.json\" with { type: \"json\" };\nimport b from \"./note.txt\" with { type: \"text\" };\nexport default [a, b];\n";
    assert!(remarks(&[("entry.ts", with), JSON, TEXT]).is_empty());
    let without = "import a from \"./data.json\";\nimport b from \"./note.txt\";\nexport default [a, b];\n";
    let told = remarks(&[("entry.ts", without), JSON, TEXT]);
    let [json, text] = told.as_slice() else { panic!("{told:?}") };
    assert!(json.contains("type: \"json\"") && json.contains("`./data.json` in entry.ts:1"), "{json}");
    assert!(text.contains("type: \"text\"") && text.contains("`./note.txt` in entry.ts:2"), "{text}");
    let lazily = "export const lazy = async () => (await import(\"./data.json\")).default;\n";
    assert_eq!(remarks(&[("entry.ts", lazily), JSON]).len(), 1);
    let lazily = "export const lazy = () => import(\"./data.json\", { with: { type: \"json\" } });\n";
    assert!(remarks(&[("entry.ts", lazily), JSON]).is_empty());
}

#[test]
fn files_of_other_kinds_are_refused_unless_they_are_wanted_as_a_text() {
    for name in ["page.html", "list.yaml", "settings.jsonc", "README"] {
        let file = (name, "x");
        let entry = |clause: &str| format!("import a from \"./{name}\"{clause};\nexport default a;\n");
        let without = refused(&[("entry.ts", &entry("")), file]);
        assert!(without.contains(&format!("`./{name}`")) && without.contains("type: \"text\""), "{without}");
        assert!(without.contains("entry.ts:1"), "{without}");
        let as_json = refused(&[("entry.ts", &entry(" with { type: \"json\" }")), file]);
        assert!(as_json.contains("`.json`"), "{as_json}");
        let as_text = bundled(&[("entry.ts", &entry(" with { type: \"text\" }")), file]).expect("a bundle");
        assert!(as_text.remarks.is_empty() && as_text.code.contains("\"x\""), "{}", as_text.code);
        let lazily = format!("export const lazy = () => import(\"./{name}\", {{ with: {{ type: \"text\" }} }});\n");
        assert!(bundled(&[("entry.ts", &lazily), file]).expect("a bundle").remarks.is_empty());
    }
    let types_only = "import { T } from \"./types.html\";\nexport const a: T = 1;\n";
    assert!(bundled(&[("entry.ts", types_only), ("types.html", "x")]).is_ok(), "what only types mention is not loaded");
}

const WAITS: &str = "await 0;\nexport const a = 1;\n";

#[test]
fn waits_at_the_top_that_hold_up_others_are_told() {
    let entry = "import \"./one.ts\";\nimport \"./two.ts\";\nexport default 1;\n";
    let one = ("one.ts", WAITS);
    let told = remarks(&[("entry.ts", entry), one, ("two.ts", WAITS)]);
    assert!(told.len() == 1 && told[0].contains("`two.ts` after `one.ts`"), "{told:?}");
    let told = remarks(&[("entry.ts", entry), one, ("two.ts", "console.log(1);\nexport {};\n")]);
    assert!(told.len() == 1 && told[0].contains("`two.ts` after `one.ts`"), "{told:?}");
    for two in [
        "import \"./one.ts\";\nawait 0;\n",
        "export const b = 1;\nexport function c() {}\n",
        "export const b = async () => { await 0; for await (const c of []) {} };\n",
    ] {
        assert!(remarks(&[("entry.ts", entry), one, ("two.ts", two)]).is_empty(), "{two}");
    }
    let alone = "import \"./one.ts\";\nawait 0;\nconsole.log(1);\nexport default 1;\n";
    assert!(remarks(&[("entry.ts", alone), one]).is_empty());
    let behind = "console.log(1);\nexport {};\n";
    let before = "import \"./two.ts\";\nimport \"./one.ts\";\nexport default 1;\n";
    assert!(remarks(&[("entry.ts", before), one, ("two.ts", behind)]).is_empty(), "what runs before waits for nothing");
}

#[test]
fn jsx_that_deno_makes_templates_of_is_refused_with_the_name_of_the_setting() {
    let bundled = |text: &str, setting: &str| {
        let mut request = request(&[("entry.tsx", text)]);
        request.graph.compiler_options = Json::object([("jsx", Json::from(setting))]);
        let target = EdgeTarget::External("node:path".to_owned());
        let edge = |name: &str| mangrove_domain::module_graph::Edge {
            importer: path("entry.tsx"),
            specifier: name.to_owned(),
            target: target.clone(),
        };
        request.graph.edges.push(edge("react/jsx-runtime"));
        bundle_in_process(&request)
    };
    let failure = bundled("export default <a>b</a>;\n", "precompile").expect_err("it is refused");
    assert_eq!((failure.fault.code, failure.fault.class), (Code::BUNDLE_FAILED, FailureClass::Environment));
    let told = failure.fault.to_string();
    assert!(told.contains("\"jsx\": \"precompile\"") && told.contains("bundler: deno"), "{told}");
    assert!(told.contains("entry.tsx:1"), "{told}");
    assert!(bundled("export default 1;\n", "precompile").is_ok());
    assert!(
        bundled(
            "/** @jsxRuntime classic */\nconst React = { createElement() {} };\nexport default <a/>;\n",
            "precompile"
        )
        .is_ok()
    );
}

#[test]
fn local_files_of_common_js_are_told_where_they_are_something_else() {
    let entry = |name: &str| format!("import a from \"./{name}\";\nexport default a;\n");
    let strict = "\"use strict\";\nmodule.exports = { a: 1 };\n";
    assert!(remarks(&[("entry.ts", &entry("a.cjs")), ("a.cjs", strict)]).is_empty());
    let told = remarks(&[("entry.ts", &entry("a.cjs")), ("a.cjs", "module.exports = { a: 1 };\n")]);
    assert!(told.len() == 1 && told[0].contains("`a.cjs` is CommonJS that is not strict"), "{told:?}");
    let told = remarks(&[("entry.ts", &entry("a.js")), ("a.js", strict)]);
    assert!(told.len() == 1 && told[0].contains("`a.js` is CommonJS by its text"), "{told:?}");
    for module in ["export default exports.a;\n", "const text = 1; export default text;\n"] {
        assert!(remarks(&[("entry.ts", &entry("a.js")), ("a.js", module)]).is_empty(), "{module}");
    }
    let script = "// module.exports = 1;\nglobalThis.a = \"exports.a\";\n";
    assert!(remarks(&[("entry.ts", "import \"./a.js\";\nexport default 1;\n"), ("a.js", script)]).is_empty());
    let requires = "\"use strict\";\nconst fs = require(\"fs\");\nmodule.exports = fs.constants;\n";
    let bundle = bundled(&[("entry.ts", &entry("a.cjs")), ("a.cjs", requires)]).expect("a bundle");
    assert!(bundle.code.contains("from \"node:fs\""), "{}", bundle.code);
    assert_eq!(bundle.requirements, ["node:fs"]);
    for specifier in ["./other.cjs", "left-pad"] {
        let requires = format!("\"use strict\";\nmodule.exports = require(\"{specifier}\");\n");
        let told = refused(&[("entry.ts", &entry("a.cjs")), ("a.cjs", &requires)]);
        assert!(told.contains(&format!("`require(\"{specifier}\")`")) && told.contains("write `import`"), "{told}");
    }
}
