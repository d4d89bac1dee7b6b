//! What can be imported from a package, and what becomes of what it requires and does not have.

use super::{
    tests::{file, look, packages, request},
    *,
};

/// Builds the entry `pkg` of these files.
fn build(files: &[(&str, &str)]) -> VendorOutput {
    let directory = packages(files);
    build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap()
}

/// Builds a package whose only module is this `CommonJS` module.
fn common_js(text: &str) -> VendorOutput {
    build(&[("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","main":"index.js"}"#), ("pkg/index.js", text)])
}

/// This code after a use of what the entry is, without which the engine takes a stand-in for it.
fn real(code: &str) -> String {
    format!("import * as used from '../vendor/unit/pkg.js'; try {{ `${{used.default}}`; }} catch {{}}\n{code}")
}

/// The names that the entry exports, as the record says and as the engine finds them.
fn names(output: &VendorOutput) -> String {
    let recorded = output.names["pkg"].exports.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let code = real(
        "import * as all from '../vendor/unit/pkg.js'; export const model = { names: Object.keys(all).sort().join(' ') };",
    );
    assert_eq!(look(output, &code), format!(r#"{{"names":"{recorded}"}}"#));
    recorded
}

#[test]
fn a_common_js_entry_exports_what_node_finds() {
    let output = build(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","main":"index.js"}"#),
        (
            "pkg/index.js",
            "Object.defineProperty(exports, '__esModule', { value: true });
             for (const name of ['found', 'only-later', 'delete']) exports[name] = name;
             exports.parse = 'parse'; exports['not-a-name'] = 1; exports.default = 'default'; exports.absent;
             if (false) exports.never = 1;
             __exportStar(require('./more.cjs'), exports);
             function __exportStar(from, to) { for (const name in from) if (name !== 'default') to[name] = from[name]; }",
        ),
        (
            "pkg/more.cjs",
            "module.exports = { stringify, counter: 1, ...require('./most.cjs') }; function stringify() { return 'text'; }",
        ),
        ("pkg/most.cjs", "exports.most = 1; exports.default = 2;"),
    ]);
    assert_eq!(names(&output), "__esModule counter default module.exports most never not-a-name parse stringify");
    let code = "import whole, { parse, stringify, never } from '../vendor/unit/pkg.js';
         import * as all from '../vendor/unit/pkg.js';
         export const model = {
             parse, text: stringify(), never: typeof never,
             same: [all.default === whole, all['module.exports'] === whole, whole.parse === parse],
             default: whole.default,
         };";
    assert_eq!(
        look(&output, &real(code)),
        r#"{"parse":"parse","text":"text","never":"undefined","same":[true,true,true],"default":"default"}"#
    );
}

#[test]
fn members_that_node_does_not_find_have_a_file_of_their_own() {
    for (text, all) in [
        ("for (const name of ['a', 'b']) exports[name] = name; exports.c = 'c';", "a b c default module.exports"),
        ("const all = { a: 'a', c: 'c' }; module.exports = all;", "a c default module.exports"),
        // Does not run in the inspector; its text tells what it copies.
        (
            "Object.assign(exports, { a: 'a' }, require('./more.cjs')); exports.c = 'c'; throw new Error('here');",
            "a c default module.exports more",
        ),
    ] {
        let output = build(&[
            ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
            ("pkg/index.js", text),
            ("pkg/more.cjs", "exports.more = 1;"),
        ]);
        let (wide, names) = output.names["pkg"].wide.clone().expect(text);
        assert_eq!(wide, "pkg~members.js");
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>().join(" "), all, "{text}");
        if !text.contains("throw") {
            let code =
                "import { a, c } from '../vendor/unit/pkg~members.js'; import whole from '../vendor/unit/pkg.js';
                 export const model = { same: [whole.a === a, a, c] };";
            assert_eq!(look(&output, &real(code)), r#"{"same":[true,"a","c"]}"#, "{text}");
        }
    }
    assert_eq!(common_js("exports.a = 1;").names["pkg"].wide, None);
}

#[test]
fn a_common_js_entry_that_cannot_run_in_the_inspector_has_its_names() {
    for text in [
        "exports.a = 1; exports.b = 2; throw new Error('not here');",
        "const [major] = process.versions.node.split('.').map(Number); exports.a = major; exports.b = 1;",
        "const events = require('events'); class B extends events.EventEmitter {} module.exports = { a: 1, b: B };",
        "exports.a = require('buffer').constants.MAX_LENGTH / 2; exports.b = new (require('net').Socket)().on().x.y();",
    ] {
        let exports = common_js(text).names["pkg"].exports.clone();
        assert_eq!(exports.into_iter().collect::<Vec<_>>().join(" "), "a b default module.exports", "{text}");
    }
}

#[test]
fn the_field_module_counts_for_nothing() {
    let files = |main: &'static str| {
        [
            ("pkg/package.json", main),
            ("pkg/main.js", "exports.kind = 'main';"),
            ("pkg/index.js", "exports.kind = 'index';"),
            ("pkg/index.ts", "export const kind = 'source';"),
            ("pkg/es.js", "export const kind = 'module'; export const extra = 1;"),
        ]
    };
    for (manifest, kind) in [
        (r#"{"name":"pkg","version":"1.0.0","main":"main.js","module":"es.js"}"#, "main"),
        (r#"{"name":"pkg","version":"1.0.0","main":"./main","module":"es.js","browser":"es.js"}"#, "main"),
        (r#"{"name":"pkg","version":"1.0.0","module":"es.js"}"#, "index"),
        (r#"{"name":"pkg","version":"1.0.0","main":"absent.js","module":"es.js"}"#, "index"),
    ] {
        let output = build(&files(manifest));
        assert_eq!(names(&output), "default kind module.exports", "{manifest}");
        let code = "import { kind } from '../vendor/unit/pkg.js'; export const model = { kind };";
        assert_eq!(look(&output, &real(code)), format!(r#"{{"kind":"{kind}"}}"#), "{manifest}");
    }
}

#[test]
fn a_file_of_json_has_a_default_and_nothing_else() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
        ("pkg/db.json", r#"{"a":1,"b":[2]}"#),
        ("pkg/index.js", "module.exports = require('./db.json');"),
    ]);
    let entries = [("pkg/db.json", "pkg.db.json.js"), ("pkg/package.json", "pkg.package.json.js"), ("pkg", "pkg.js")];
    let output = build_vendor_in_process(&request(directory.path(), &entries)).unwrap();
    let code = "import * as db from '../vendor/unit/pkg.db.json.js'; import manifest from '../vendor/unit/pkg.package.json.js';
         import * as through from '../vendor/unit/pkg.js';
         export const model = { db: db.default, version: manifest.version, names: [Object.keys(db), Object.keys(through)], same: through.default === db.default };";
    assert_eq!(
        look(&output, &real(code)),
        r#"{"db":{"a":1,"b":[2]},"version":"1.0.0","names":[["default"],["default","module.exports"]],"same":true}"#
    );
}

#[test]
fn what_is_required_and_absent_throws_whenever_it_is_asked_for() {
    let output = common_js(
        "const attempt = (load) => { try { return load(); } catch (error) { return error.code; } };
         const native = () => require('native-thing');
         exports.codes = [
             attempt(native), attempt(native), attempt(() => require('./build/Release/binding.node')),
             attempt(() => require('./absent')), attempt(() => require('native-thing/sub.js')),
             attempt(() => require('./there.node')), attempt(() => require(['un', 'known'].join('-'))),
             attempt(() => require.resolve('native-thing')),
         ];
         try { require('fsevents'); } catch (error) { exports.message = error.message; }",
    );
    let text: String = output.files.iter().map(|file| file.code.to_string()).collect();
    assert!(!text.contains("createRequire") && !text.contains("node:module"), "{text}");
    let code = "import { codes, message } from '../vendor/unit/pkg.js'; export const model = { codes, message };";
    let missing = "\"MODULE_NOT_FOUND\"";
    let codes = [missing; 8].join(",");
    assert_eq!(
        look(&output, &real(code)),
        format!(r#"{{"codes":[{codes}],"message":"Cannot find module 'fsevents'"}}"#)
    );
}

#[test]
fn native_code_that_is_there_cannot_be_opened() {
    let output = build(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#),
        ("pkg/index.js", "try { exports.x = require('./there.node'); } catch (error) { exports.x = error.code; }"),
        ("pkg/there.node", "\u{0}not a script"),
    ]);
    let code = "import { x } from '../vendor/unit/pkg.js'; export const model = { x };";
    assert_eq!(look(&output, &real(code)), r#"{"x":"ERR_DLOPEN_FAILED"}"#);
}

#[test]
fn what_only_a_part_that_is_loaded_later_imports_may_be_absent() {
    for (entry, lazy) in [
        ("export const base = 'base'; export const cloud = () => import('cloud-thing');", ""),
        (
            "export const base = 'base'; export const cloud = () => import('./lazy.js');",
            "import x from 'cloud-thing'; export default x;",
        ),
        ("export const base = 'base'; export const cloud = () => import('cloud:sockets');", ""),
        ("export const base = 'base'; export const cloud = () => import('./gone.js');", ""),
    ] {
        let output = build(&[
            ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","exports":"./index.js"}"#),
            ("pkg/index.js", entry),
            ("pkg/lazy.js", lazy),
        ]);
        assert_eq!(names(&output), "base cloud", "{entry}");
        let code = "import { base, cloud } from '../vendor/unit/pkg.js';
             const code = await cloud().catch((error) => error.code); export const model = { base, code };";
        assert_eq!(look(&output, &real(code)), r#"{"base":"base","code":"ERR_MODULE_NOT_FOUND"}"#, "{entry}");
    }
    // At once, and through another module: no bundle.
    for entry in ["import x from 'cloud-thing'; export default x;", "export * from './lazy.js';"] {
        let directory = packages(&[
            ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","exports":"./index.js"}"#),
            ("pkg/index.js", entry),
            ("pkg/lazy.js", "import { x } from 'cloud-thing'; export { x };"),
        ]);
        let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
        assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED, "{entry}");
        assert!(fault.message.contains("`cloud-thing` is not installed, and node_modules/pkg/"), "{fault}");
    }
}

#[test]
fn entries_export_nothing_of_their_own_makings() {
    let directory = packages(&[
        (
            "pkg/package.json",
            r#"{"name":"pkg","version":"1.0.0","type":"module","exports":{".":"./a.js","./b":"./b.js"}}"#,
        ),
        (
            "pkg/a.js",
            "import { inner } from './shared.js'; export const a = inner; export const again = () => import('./a.js'); export const b = () => import('./b.js');",
        ),
        (
            "pkg/b.js",
            "import { inner, other } from './shared.js'; import { a } from './a.js'; export const b = [inner, other, a];",
        ),
        ("pkg/shared.js", "export const inner = { inner: 1 }; export const other = { other: 1 };"),
    ]);
    let entries = [("pkg", "pkg.js"), ("pkg/b", "pkg.b.js")];
    let output = build_vendor_in_process(&request(directory.path(), &entries)).unwrap();
    let code = "import * as a from '../vendor/unit/pkg.js'; import * as b from '../vendor/unit/pkg.b.js';
         export const model = { names: [Object.keys(a), Object.keys(b)] };";
    assert_eq!(look(&output, &real(code)), r#"{"names":[["a","again","b"],["b"]]}"#);

    // A part that is loaded later, and lies in the file of the entry.
    let output = build(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","exports":"./index.js"}"#),
        (
            "pkg/index.js",
            "import debug from 'debug'; export * from './more.js'; export { debug as default };
             export const later = async () => (await import('debug')).default === debug;",
        ),
        ("pkg/more.js", "export const more = 1; export const t = 'a short name of its own';"),
        ("debug/package.json", r#"{"name":"debug","version":"1.0.0"}"#),
        ("debug/index.js", "module.exports = function debug() {};"),
    ]);
    assert_eq!(names(&output), "default later more t");
    let code = "import { later, t } from '../vendor/unit/pkg.js'; const same = await later(); export const model = { same, t };";
    assert_eq!(look(&output, &real(code)), r#"{"same":true,"t":"a short name of its own"}"#);
}

#[test]
fn names_that_are_handed_on_are_recorded() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","main":"index.js"}"#),
        (
            "pkg/index.js",
            "export * from 'one'; export { two as renamed } from 'two'; import three from 'three'; export default three; export * as all from 'two';",
        ),
        ("one/package.json", r#"{"name":"one","version":"1.0.0","type":"module"}"#),
        ("one/index.js", "export const one = 1;"),
        ("two/package.json", r#"{"name":"two","version":"1.0.0","type":"module"}"#),
        ("two/index.js", "export const two = 2;"),
        ("three/package.json", r#"{"name":"three","version":"1.0.0","type":"module"}"#),
        ("three/index.js", "export default 3;"),
    ]);
    let mut request = request(directory.path(), &[("pkg", "pkg.js")]);
    request.shared = ["one", "two", "three"].map(str::to_owned).into();
    let output = build_vendor_in_process(&request).unwrap();
    let names = &output.names["pkg"];
    assert_eq!(names.exports.iter().map(String::as_str).collect::<Vec<_>>(), ["all", "default", "renamed"]);
    assert_eq!(names.handed_on.iter().map(String::as_str).collect::<Vec<_>>(), ["one"]);
    let imported = |name: &str| output.shared_names[name].iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!([imported("one"), imported("two"), imported("three")], ["", "two", "default"]);
    assert!(!names.is_open);
    assert!(
        build(&[
            ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","main":"index.js"}"#),
            ("pkg/index.js", "export * from 'node:path';"),
        ])
        .names["pkg"]
            .is_open
    );
}

#[test]
fn an_es_module_hands_on_the_names_of_a_common_js_module() {
    let output = build(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","exports":"./index.js"}"#),
        ("pkg/index.js", "export * from './through.js'; export const mine = 'mine'; export * from './two.cjs';"),
        ("pkg/through.js", "export * from './one.cjs'; export default 'not handed on';"),
        (
            "pkg/one.cjs",
            "exports.one = 'one'; exports.mine = 'theirs'; exports.default = 0; module.exports.more = require('./two.cjs').two;",
        ),
        ("pkg/two.cjs", "exports.two = 'two'; exports['not-a-name'] = 1;"),
    ]);
    assert_eq!(names(&output), "mine more one two");
    let code = "import { mine, more, one, two } from '../vendor/unit/pkg.js'; export const model = { all: [mine, more, one, two] };";
    assert_eq!(look(&output, &real(code)), r#"{"all":["mine","two","one","two"]}"#);
}

#[test]
fn the_place_of_a_module_is_that_of_its_bundle() {
    let output = common_js("exports.kinds = [typeof __dirname, typeof __filename];");
    assert!(file(&output, "pkg.js").contains("import.meta.dirname"), "{}", file(&output, "pkg.js"));
}

#[test]
fn a_name_that_a_built_in_module_lacks_is_told() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","exports":"./index.js"}"#),
        ("pkg/index.js", "import { join, neverThere } from 'path'; export const a = [join, neverThere];"),
    ]);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
    assert_eq!(fault.code, Code::MISSING_EXPORT, "{fault}");
    assert!(fault.message.contains("pkg@1.0.0 imports `neverThere` from `node:path`"), "{fault}");
}

#[test]
fn what_modules_do_while_they_load_counts() {
    let output = build(&[
        (
            "pkg/package.json",
            r#"{"name":"pkg","version":"1.0.0","type":"module","sideEffects":false,"exports":{"module-sync":"./index.js","import":"./other.js"}}"#,
        ),
        (
            "pkg/index.js",
            "import './register.js'; import { unused } from './names.js'; import { list } from './list.js'; export const names = list;",
        ),
        ("pkg/other.js", "export const names = ['other'];"),
        ("pkg/list.js", "export const list = [];"),
        ("pkg/register.js", "import { list } from './list.js'; list.push('registered');"),
        ("pkg/names.js", "import { list } from './list.js'; list.push('named'); export const unused = 1;"),
    ]);
    let code = real("import { names } from '../vendor/unit/pkg.js'; export const model = { names };");
    assert_eq!(look(&output, &code), r#"{"names":["registered","named"]}"#);
}
