use std::{fs, path::Path};

use mangrove_domain::{bundle::LoadedBundle, ports::InspectRequest};

use super::{plugin::builtin, *};

/// Writes `files` below a new directory.
pub(super) fn packages(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join("node_modules").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

pub(super) fn request(directory: &Path, entries: &[(&str, &str)]) -> VendorRequest {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    VendorRequest {
        package: "pkg@1.0.0".to_owned(),
        directory: directory.to_owned(),
        entries: entries.iter().map(owned).collect(),
        shared: BTreeSet::new(),
    }
}

pub(super) fn file<'a>(output: &'a VendorOutput, name: &str) -> &'a str {
    &output.files.iter().find(|file| file.path == name).unwrap().code
}

const DUAL: &[(&str, &str)] = &[
    (
        "pkg/package.json",
        r#"{"name":"pkg","version":"1.0.0","type":"module","exports":{".":{"import":"./a.js"},"./b":"./b.js"}}"#,
    ),
    (
        "pkg/a.js",
        "import { shared } from './shared.js'; import fs from 'fs'; import o from 'other'; export const a = [shared, fs, o]; export default a;",
    ),
    ("pkg/b.js", "import { shared } from './shared.js'; export const b = () => shared;"),
    ("pkg/shared.js", "export const shared = { deep: import.meta.url };"),
    ("other/package.json", r#"{"name":"other","version":"1.0.0","type":"module","main":"index.js"}"#),
    ("other/index.js", "export default 'the text of another package';"),
];

/// What the embedded engine finds as `export const model` of a bundle that imports the output.
pub(super) fn look(output: &VendorOutput, code: &str) -> String {
    let vendor_files = output
        .files
        .iter()
        .map(|file| BundleFile { path: format!("../vendor/unit/{}", file.path), code: Arc::clone(&file.code) })
        .collect();
    let request = InspectRequest {
        bundle: LoadedBundle { code: code.into(), vendor_files },
        code_digest: None,
        export_names: vec!["model".into()],
        subject: "a.ts".to_owned(),
    };
    let inspection = mangrove_engine::inspect(&request, &mangrove_engine::Limits::default()).expect("it loads");
    inspection.export.expect("a model").1.to_json().expect("plain data").to_string()
}

#[test]
fn entries_share_chunks_and_externals_stay() {
    let directory = packages(DUAL);
    let mut request = request(directory.path(), &[("pkg", "pkg.js"), ("pkg/b", "pkg_b.js")]);
    request.shared.insert("other".to_owned());
    let output = build_vendor_in_process(&request).unwrap();
    let names: Vec<&str> = output.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names[0].starts_with("chunk-") && names[1..] == ["pkg.js", "pkg_b.js", "unit.json"], "{names:?}");
    let entry = file(&output, "pkg.js");
    assert!(entry.contains("from \"node:fs\"") && entry.contains("from \"mangrove-unit:other\""), "{entry}");
    assert!(entry.contains(&format!("from \"./{}\"", names[0])), "{entry}");
    assert_eq!(file(&output, "unit.json"), r#"{"package":"pkg@1.0.0","entries":{"pkg":"pkg.js","pkg/b":"pkg_b.js"}}"#);
}

#[test]
fn the_same_package_gives_the_same_bytes_anywhere() {
    let outcomes: Vec<VendorOutput> = (0..3)
        .map(|_| {
            let directory = packages(DUAL);
            let mut request = request(directory.path(), &[("pkg", "pkg.js"), ("pkg/b", "pkg_b.js")]);
            request.shared.insert("other".to_owned());
            let output = build_vendor_in_process(&request).unwrap();
            let place = directory.path().file_name().unwrap().to_str().unwrap().to_owned();
            assert!(output.files.iter().all(|file| !file.code.contains(&place)));
            output
        })
        .collect();
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
}

#[test]
fn a_function_as_module_exports_keeps_its_members() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
        ("pkg/index.js", "module.exports = function pkg() { return 'called'; }; module.exports.sub = 'member';"),
    ]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = "import call, { sub } from '../vendor/unit/pkg.js'; export const model = { call: call(), sub };";
    assert_eq!(look(&output, code), r#"{"call":"called","sub":"member"}"#);
}

#[test]
fn a_stack_in_a_script_has_the_lines_of_its_file() {
    let script = "// not strict\nconst line = (error) => /:(\\d+)/.exec(error.stack.split('\\n').find((at) => /:\\d+/.test(at)))[1];\n\n\
                  exports.line = line(new Error('told'));\nexports.outer = (function () { return this === globalThis; })();\n";
    let directory = packages(&[("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#), ("pkg/index.js", script)]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = "import pkg from '../vendor/unit/pkg.js'; export const model = { line: pkg.line, outer: pkg.outer };";
    assert_eq!(look(&output, code), r#"{"line":"4","outer":true}"#);
}

#[test]
fn exports_that_are_no_object_are_a_default() {
    for (exports, seen) in [("null", "null"), ("'text'", "\"text\""), ("[1]", "[1]")] {
        let directory = packages(&[
            ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
            ("pkg/index.js", &format!("module.exports = {exports};")),
        ]);
        let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
        let code = "import whole from '../vendor/unit/pkg.js'; export const model = { whole };";
        assert_eq!(look(&output, code), format!("{{\"whole\":{seen}}}"));
    }
}

#[test]
fn es_modules_import_names_of_common_js_dependencies() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","main":"index.js"}"#),
        (
            "pkg/index.js",
            "import dep, { helper } from 'dep'; import * as all from 'dep'; export const facts = { same: dep.helper === helper, helped: helper(), names: Object.keys(all).includes('helper') };",
        ),
        ("dep/package.json", r#"{"name":"dep","version":"1.0.0"}"#),
        ("dep/index.js", "exports.helper = () => 'helped';"),
    ]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = "import { facts } from '../vendor/unit/pkg.js'; export const model = { facts };";
    assert_eq!(look(&output, code), r#"{"facts":{"same":true,"helped":"helped","names":true}}"#);
}

#[test]
fn a_strict_common_js_module_has_a_require() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
        ("pkg/index.js", "'use strict'; exports.kind = typeof require; exports.inner = require('inner').kind;"),
        ("inner/package.json", r#"{"name":"inner","version":"1.0.0","exports":"./index.mjs"}"#),
        ("inner/index.mjs", "export const kind = typeof require;"),
    ]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = "import { kind, inner } from '../vendor/unit/pkg.js'; export const model = { kind, inner };";
    assert_eq!(look(&output, code), r#"{"kind":"function","inner":"undefined"}"#);
}

#[test]
fn a_required_built_in_is_imported() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
        (
            "pkg/index.js",
            "const { inherits } = require('util'); const E = require('node:events'); module.exports = class Pkg extends E {}; module.exports.inherits = inherits;",
        ),
    ]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = file(&output, "pkg.js");
    assert!(code.contains("from \"node:util\"") && code.contains("from \"node:events\""), "{code}");
    assert!(!code.contains("createRequire"), "{code}");
}

#[test]
fn a_name_of_the_package_s_own_leads_to_a_built_in() {
    let directory = packages(&[
        (
            "pkg/package.json",
            r##"{"name":"pkg","version":"1.0.0","type":"module","imports":{
                "#hooks":{"node":"async_hooks","default":"./stub.js"},
                "#util":[{"browser":"./stub.js"},"node:util"],
                "#own":{"browser":"./stub.js","default":"./own.js"}}}"##,
        ),
        (
            "pkg/index.js",
            "export { AsyncResource } from '#hooks'; export { inherits } from '#util'; export { own } from '#own';",
        ),
        ("pkg/own.js", "export const own = 1;"),
        ("pkg/stub.js", "export class AsyncResource {} export const inherits = 0; export const own = 0;"),
    ]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = file(&output, "pkg.js");
    assert!(code.contains("from \"node:async_hooks\"") && code.contains("from \"node:util\""), "{code}");
    assert!(code.contains("own = 1") && !code.contains("own = 0"), "{code}");
}

#[test]
fn conditions_follow_the_form_of_the_import() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
        ("pkg/index.js", "module.exports = { dual: require('dual')(), old: require('old')() };"),
        (
            "dual/package.json",
            r#"{"name":"dual","version":"1.0.0","exports":{"import":"./a.mjs","require":"./a.cjs"}}"#,
        ),
        ("dual/a.mjs", "export default () => 'module';"),
        ("dual/a.cjs", "module.exports = () => 'required';"),
        ("old/package.json", r#"{"name":"old","version":"1.0.0","main":"./lib/a.js","module":"./es/a.js"}"#),
        ("old/lib/a.js", "module.exports = () => 'required';"),
        ("old/es/a.js", "export default () => 'module';"),
    ]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = "import { dual, old } from '../vendor/unit/pkg.js'; export const model = { dual, old };";
    assert_eq!(look(&output, code), r#"{"dual":"required","old":"required"}"#);
}

#[test]
fn shared_packages_stay_outside_and_are_linked() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","main":"index.js"}"#),
        (
            "pkg/index.js",
            "export { deep } from 'inner'; export { one } from 'one/sub'; import 'two'; export { default as three } from 'three'; import data from 'one/data.json'; export { data }; export const later = () => import('one');",
        ),
        ("inner/package.json", r#"{"name":"inner","version":"1.0.0"}"#),
        ("inner/index.js", "exports.deep = [require('one/sub').one, require('three').form];"),
        ("inner/node_modules/one/package.json", r#"{"name":"one","version":"2.0.0"}"#),
        ("inner/node_modules/one/sub.js", "exports.one = 'its own copy';"),
        ("one/package.json", r#"{"name":"one","version":"1.0.0","type":"module"}"#),
        ("one/index.js", "export const one = 'inlined by mistake';"),
        ("one/sub.js", "export const one = 'inlined by mistake';"),
        ("one/data.json", r#"{"is":"data"}"#),
        ("two/package.json", r#"{"name":"two","version":"1.0.0","type":"module"}"#),
        ("two/index.js", "console.log('two')"),
        (
            "three/package.json",
            r#"{"name":"three","version":"1.0.0","exports":{"import":"./a.mjs","require":"./a.cjs"}}"#,
        ),
        ("three/a.mjs", "export default 'inlined by mistake';"),
        ("three/a.cjs", "exports.form = 'the form that is required';"),
    ]);
    let mut request = request(directory.path(), &[("pkg", "pkg.js")]);
    request.shared = ["one", "two", "three", "absent"].map(str::to_owned).into();
    let output = build_vendor_in_process(&request).unwrap();
    let imports: Vec<&str> = output.shared_imports.iter().map(String::as_str).collect();
    assert_eq!(imports, ["one", "one/sub", "three", "two"]);
    let text: String = output.files.iter().map(|file| &*file.code).collect();
    assert!(!text.contains("inlined by mistake") && text.contains("its own copy"), "{text}");
    assert!(text.contains("the form that is required") && text.contains("is: \"data\""), "{text}");
    let targets =
        output.shared_imports.iter().map(|name| (name.clone(), format!("../D/{}.js", name.replace('/', "."))));
    let linked = output.link(&targets.collect());
    let text: String = linked.iter().map(|file| &*file.code).collect();
    assert!(!text.contains(PLACEHOLDER), "{text}");
    for target in ["../D/one.js", "../D/one.sub.js", "../D/two.js", "../D/three.js"] {
        assert!(text.contains(&format!("\"{target}\"")), "{target}: {text}");
    }
}

#[test]
fn a_shared_common_js_package_is_required_as_what_it_exports() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
        ("pkg/index.js", "module.exports = { called: require('peer')() };"),
        ("peer/package.json", r#"{"name":"peer","version":"1.0.0"}"#),
        ("peer/index.js", "module.exports = () => 'called';"),
    ]);
    let peer = build_vendor_in_process(&request(directory.path(), &[("peer", "peer.js")])).unwrap();
    let mut request = request(directory.path(), &[("pkg", "pkg.js")]);
    request.shared = ["peer".to_owned()].into();
    let pkg = build_vendor_in_process(&request).unwrap();
    assert_eq!(pkg.shared_imports, ["peer".to_owned()].into());
    let mut files = pkg.link(&[("peer".to_owned(), "./peer.js".to_owned())].into());
    files.retain(|file| file.path != "unit.json");
    files.extend(peer.files);
    let both = VendorOutput { files, ..VendorOutput::default() };
    let code = "import whole, { called } from '../vendor/unit/pkg.js'; export const model = { whole, called };";
    assert_eq!(look(&both, code), r#"{"whole":{"called":"called"},"called":"called"}"#);
}

#[test]
fn a_package_that_is_not_there_is_named() {
    let directory = packages(&[]);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::PACKAGE_UNSUPPORTED));
    assert!(fault.message.contains("pkg@1.0.0"), "{fault}");
}

#[test]
fn a_dependency_that_is_not_installed_is_named() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","main":"index.js"}"#),
        ("pkg/index.js", "import x from 'absent'; export const y = x;"),
    ]);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
    assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED);
    assert!(fault.message.contains("absent"), "{fault}");
}

#[test]
fn a_package_with_a_syntax_error_says_where() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","main":"index.js"}"#),
        ("pkg/index.js", "export const = 1;"),
    ]);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
    assert!(fault.message.contains("node_modules/pkg/index.js:1"), "{fault}");
}

#[test]
fn entry_file_names_cannot_leave_the_directory() {
    let directory = packages(DUAL);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "../pkg.js")])).unwrap_err();
    assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED);
}

#[test]
fn built_ins_are_known_with_and_without_their_scheme() {
    assert_eq!(builtin("fs/promises").as_deref(), Some("node:fs/promises"));
    assert_eq!(builtin("node:test").as_deref(), Some("node:test"));
    assert_eq!(builtin("process/"), None);
    assert_eq!(builtin("process/browser"), None);
    assert_eq!(builtin("fsevents"), None);
}

#[test]
fn f28_a_manifest_that_is_no_json_is_named() {
    for (manifest, main) in [
        ("pkg/package.json", "import 'dep';"),
        ("dep/package.json", "import 'dep';"),
        ("dep/package.json", "module.exports = require('dep');"),
        ("dep/sub/package.json", "import 'dep/sub';"),
    ] {
        let broken = "{\"name\":\"x\",\n  \"main\": oops }";
        let directory = packages(&[
            ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
            ("pkg/index.js", main),
            ("dep/index.js", "exports.x = 1;"),
            ("dep/sub/index.js", "exports.x = 1;"),
            (manifest, broken),
        ]);
        let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::PACKAGE_MALFORMED), "{fault}");
        let named = format!("the package pkg@1.0.0: node_modules/{manifest} is no JSON");
        assert!(fault.message.contains(&named) && fault.message.contains("line 2"), "{fault}");
    }
}

#[test]
fn classes_of_one_name_in_two_modules_keep_it() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module"}"#),
        (
            "pkg/index.js",
            "import { make } from './other.js'; class Timeout extends Error {} export const names = [Timeout.name, make().name];",
        ),
        ("pkg/other.js", "class Timeout extends Error {} export const make = () => Timeout;"),
    ]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = "import { names } from '../vendor/unit/pkg.js'; export const model = { names };";
    assert_eq!(look(&output, code), r#"{"names":["Timeout","Timeout"]}"#);
}
