//! The embedded engine against hostile, odd and ordinary bundles.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    bundle::{BundleFile, LoadedBundle},
    failure::{FailureClass, Fault},
    inspection::Inspection,
    json::{Json, Number},
    ports::{Call, HostCall, InspectRequest, OpenRequest, RunError, Takes},
    problem::Code,
    shape::Shape,
};
use mangrove_engine::{EngineSession, InProcess, Limits, inspect};
use mangrove_testkit::requests::{open_model, unchecked_call};

/// A schema library in a few lines: schemas are objects with `_def`, `parse` and `safeParse`.
const SCHEMA_LIBRARY: &str = r#"
    const make = (kind, json) => ({ _def: { kind, json }, parse: (value) => value, safeParse: () => ({ success: true }) });
    export const z = {
        string: () => make("string", { type: "string" }),
        broken: () => make("broken", null),
        object: (members) => make("object", { type: "object", members }),
    };
    export const toJSONSchema = (schema, options) => {
        if (schema._def.kind === "broken") throw new Error("no such JSON Schema");
        if (schema._def.kind !== "object") return { ...schema._def.json, io: options.io };
        const properties = {};
        for (const key of Object.keys(schema._def.json.members)) {
            properties[key] = toJSONSchema(schema._def.json.members[key], options);
        }
        return { type: "object", properties };
    };
"#;

fn vendor(digest: &str, package: &str, name: &str, code: &str) -> Vec<BundleFile> {
    let unit = format!(r#"{{"package":"{package}@1.0.0","entries":{{"{package}":"{name}"}}}}"#);
    let file = |name: &str, code: &str| BundleFile { path: format!("../vendor/{digest}/{name}"), code: code.into() };
    vec![file("unit.json", &unit), file(name, code)]
}

fn request(code: &str, vendor_files: Vec<BundleFile>) -> InspectRequest {
    InspectRequest {
        bundle: LoadedBundle { code: code.into(), vendor_files },
        code_digest: None,
        export_names: vec![Arc::from("model"), Arc::from("extension")],
        subject: "models/a.ts".to_owned(),
    }
}

fn small() -> Limits {
    Limits { cpu: Duration::from_millis(300), memory_bytes: 32 << 20, pending_jobs: 20_000, ..Limits::default() }
}

fn look(code: &str) -> Inspection {
    inspect(&request(code, Vec::new()), &Limits::default()).unwrap_or_else(|fault| panic!("{fault:?}"))
}

fn shape(code: &str) -> Shape {
    look(code).export.unwrap().1
}

fn json(code: &str) -> String {
    shape(code).to_json().unwrap().to_string()
}

fn fault(code: &str) -> Fault {
    inspect(&request(code, Vec::new()), &small()).unwrap_err()
}

#[track_caller]
fn assert_fault(fault: &Fault, class: FailureClass, code: Code, part: &str) {
    assert_eq!((fault.class, fault.code), (class, code), "{}", fault.message);
    assert!(fault.message.contains(part), "{}", fault.message);
    assert!(fault.message.contains("models/a.ts"), "{}", fault.message);
}

// ---------------------------------------------------------------------------------------------------------------
// Shapes

#[test]
fn an_export_is_seen_as_it_is() {
    let found = shape(
        "export const model = { type: '@a/b', n: 1, f: 1.5, neg: -0, big: 2 ** 40, nan: NaN, no: null, un: undefined,
           list: [1, 'two', [3]], run() {}, arrow: () => 1, klass: class {}, 7: 'first', text: 'a\\u0000\\ud83d\\ude00' };",
    );
    let members = found.as_object().unwrap();
    let keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["7", "type", "n", "f", "neg", "big", "nan", "no", "un", "list", "run", "arrow", "klass", "text"]);
    assert_eq!(found.get("run"), Some(&Shape::Function));
    assert_eq!(found.get("klass"), Some(&Shape::Function));
    assert_eq!(found.get("un"), None);
    assert_eq!(
        found.to_json().unwrap().to_string(),
        "{\"7\":\"first\",\"type\":\"@a/b\",\"n\":1,\"f\":1.5,\"neg\":0,\"big\":1099511627776,\"nan\":null,\
         \"no\":null,\"list\":[1,\"two\",[3]],\"text\":\"a\\u0000😀\"}"
    );
}

#[test]
fn the_first_named_export_wins_and_none_is_no_failure() {
    let both = look("export const extension = 1; export const model = 2; export const other = 3;");
    assert_eq!(both.export.unwrap().0.as_ref(), "model");
    let one = look("export const extension = 1;");
    assert_eq!(one.export.unwrap().0.as_ref(), "extension");
    assert_eq!(look("export const vault = 1;").export, None);
    assert_eq!(look("").export, None);
}

#[test]
fn fault_25_only_what_the_export_evaluates_to_counts() {
    let code = "// export const model = { type: '@comment/decoy' };
        const decoy = { type: '@decoy/a' };
        const name = '@real/' + ['c', 'd'].join('');
        const model = { ...decoy, type: name }; export { model };";
    assert_eq!(shape(code).get("type").and_then(Shape::as_str), Some("@real/cd"));
    let far = format!("const pad = '{}'; export const model = {{ type: '@far/away' }};", "x".repeat(100_000));
    assert_eq!(shape(&far).get("type").and_then(Shape::as_str), Some("@far/away"));
}

#[test]
fn lone_surrogates_do_not_break_the_walk() {
    assert_eq!(json("export const model = { 'k\\ud800': 'v\\udc00' };"), "{\"k\u{fffd}\":\"v\u{fffd}\"}");
}

// ---------------------------------------------------------------------------------------------------------------
// Hostile modules (fault 24: each costs its own row)

#[test]
fn fault_24_an_endless_loop_ends() {
    for code in ["for (;;);", "while (true) { try { for (;;); } catch {} }", "const f = () => f; for (;;) f();"] {
        assert_fault(&fault(code), FailureClass::Environment, Code::CPU_LIMIT, "processor time");
    }
}

#[test]
fn fault_24_a_memory_bomb_ends() {
    for code in [
        "const a = []; for (;;) a.push(new Array(1000).fill(1));",
        "(() => { const a = []; for (;;) a.push('x'.repeat(1000) + a.length); })()",
        "let s = 'x'; for (;;) s += s + 'y'.repeat(s.length);",
        "new Uint8Array(1 << 30);",
    ] {
        let limits = Limits { cpu: Duration::from_secs(10), ..small() };
        let fault = inspect(&request(code, Vec::new()), &limits).unwrap_err();
        assert_fault(&fault, FailureClass::Environment, Code::MEMORY_LIMIT, "32 MiB of memory");
    }
}

#[test]
fn fault_24_recursion_without_end_ends() {
    for code in [
        "const f = () => f() + 1; f();",
        "const o = { get a() { return this.a; } }; o.a;",
        "let x = []; for (let i = 0; i < 100000; i++) x = [x]; JSON.stringify(x);",
    ] {
        assert_fault(&fault(code), FailureClass::Deterministic, Code::STACK_LIMIT, "recurses too deep");
    }
}

#[test]
fn a_range_error_of_its_own_is_no_stack_overflow() {
    let fault = fault("throw new RangeError('too far')");
    assert_fault(&fault, FailureClass::Deterministic, Code::THREW_WHILE_LOADING, "RangeError: too far");
}

#[test]
fn fault_24_endless_promises_end() {
    for code in [
        "for (;;) await 0;",
        "const again = () => Promise.resolve().then(again); await again();",
        "const a = async () => { await 0; return a(); }; await Promise.all([a(), a()]);",
        "await new Promise(() => setInterval(() => {}, 1));",
    ] {
        let limits = Limits { cpu: Duration::from_secs(10), ..small() };
        let fault = inspect(&request(code, Vec::new()), &limits).unwrap_err();
        assert_fault(&fault, FailureClass::Deterministic, Code::JOB_LIMIT, "promise jobs");
    }
}

#[test]
fn a_module_that_waits_for_nothing_is_told_so() {
    let fault = fault("await new Promise(() => {});");
    assert_fault(&fault, FailureClass::Deterministic, Code::THREW_WHILE_LOADING, "nothing will settle");
}

#[test]
fn a_throw_is_told_with_its_place() {
    let fault = fault("\n\nfunction setUp() { throw new TypeError('no zone') }\nsetUp();");
    assert_fault(&fault, FailureClass::Deterministic, Code::THREW_WHILE_LOADING, "TypeError: no zone");
    assert!(fault.message.contains("bundle.js:3"), "{}", fault.message);
}

#[test]
fn whatever_is_thrown_can_be_told() {
    for (code, part) in [
        ("throw 'text'", "text"),
        ("throw 12", "12"),
        ("throw undefined", "undefined"),
        ("throw { message: 'like an error' }", "like an error"),
        ("throw { get message() { throw 1 }, name: 'Odd' }", "Odd"),
        ("throw new Proxy({}, { get() { throw new Error('trap') }, getPrototypeOf() { throw 2 } })", "not an error"),
        ("throw Object.assign(new Error('x'.repeat(100000)))", "x…"),
        ("await Promise.reject(new Error('later'))", "Error: later"),
        ("syntax error here", "SyntaxError"),
        ("import x from './nowhere.js'", "nowhere"),
        ("await import('npm:left-pad')", "left-pad"),
    ] {
        assert_fault(&fault(code), FailureClass::Deterministic, Code::THREW_WHILE_LOADING, part);
    }
}

#[test]
fn throwing_null_cannot_be_told_from_a_lack_of_memory() {
    assert_fault(&fault("throw null"), FailureClass::Environment, Code::MEMORY_LIMIT, "or throws null");
    let found = shape("export const model = { get bad() { throw null } };");
    assert_eq!(found.get("bad"), Some(&Shape::Threw { message: "null".to_owned() }));
}

#[test]
fn a_message_getter_that_loops_is_read_within_the_limit() {
    for code in [
        "throw { get message() { for (;;); } }",
        "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;); } }); throw e;",
        "throw new Proxy({}, { getPrototypeOf() { for (;;); } })",
    ] {
        assert_fault(&fault(code), FailureClass::Environment, Code::CPU_LIMIT, "processor time");
    }
}

#[test]
fn a_getter_that_throws_is_part_of_the_shape() {
    let found = shape("export const model = { ok: 1, get bad() { throw new Error('not now') }, after: 2 };");
    assert_eq!(found.get("bad"), Some(&Shape::Threw { message: "Error: not now".to_owned() }));
    assert!(found.get("ok").is_some() && found.get("after").is_some());
}

#[test]
fn a_getter_that_loops_ends_at_the_limit() {
    for code in [
        "export const model = { get bad() { for (;;); } };",
        "export const model = new Proxy({}, { ownKeys() { for (;;); } });",
        "export const model = { get parse() { for (;;); } };",
    ] {
        assert_fault(&fault(code), FailureClass::Environment, Code::CPU_LIMIT, "processor time");
    }
}

#[test]
fn prototype_pollution_changes_nothing_of_what_is_seen() {
    let victims = "Object.prototype.type = '@evil/type'; Object.prototype.parse = Object.prototype.safeParse = () => 1;
        Object.prototype.toJSON = () => 'evil'; Array.prototype.push = Array.prototype.map = () => { throw 1 };
        Array.prototype[Symbol.iterator] = () => { throw 2 }; String.prototype.toString = () => 'evil';
        Function.prototype.call = Function.prototype.apply = () => { throw 3 };
        Object.keys = Object.entries = Reflect.ownKeys = Object.getOwnPropertyNames = () => [];
        JSON.stringify = () => '\"evil\"'; WeakMap.prototype.get = () => 'evil'; globalThis.Proxy = null;
        Object.defineProperty(Object.prototype, 'set', { set() { throw 4 } });
        Promise.prototype.then = () => { throw 5 };";
    let code = format!("{victims} export const model = {{ name: 'n', list: [1, 2], run() {{}} }};");
    let found = shape(&code);
    assert_eq!(
        found,
        Shape::Object(vec![
            ("name".to_owned(), Shape::String("n".to_owned())),
            ("list".to_owned(), shape("export const model = [1, 2];")),
            ("run".to_owned(), Shape::Function),
        ])
    );
    let code = format!("{victims} Deno.env.get('X'); throw new Error('told');");
    assert!(fault(&code).message.contains("Error: told"));
}

#[test]
fn the_host_is_out_of_reach() {
    assert_eq!(
        json("export const model = [typeof __mangroveHost, typeof InternalError];"),
        r#"["undefined","undefined"]"#
    );
    assert!(fault("await import('mangrove:kit')").message.contains("mangrove:kit"));
    assert!(fault("await (0, eval)(\"import('mangrove:kit')\")").message.contains("mangrove:kit"));
    assert!(fault("await new Function(\"return import('mangrove:web')\")()").message.contains("mangrove:web"));
}

#[test]
fn a_proxy_is_walked_through_its_traps() {
    let found = shape(
        "export const model = new Proxy({}, { ownKeys: () => ['a', 'b'], get: (_t, k) => { if (k === 'b') throw new Error('b'); return k; },
            getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 0 }) });",
    );
    assert_eq!(found.get("a").and_then(Shape::as_str), Some("a"));
    assert_eq!(found.get("b"), Some(&Shape::Threw { message: "Error: b".to_owned() }));
    let revoked = shape("const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); export const model = { proxy };");
    assert!(matches!(revoked.get("proxy"), Some(Shape::Threw { .. })), "{revoked:?}");
}

#[test]
fn cycles_are_cut_off_and_depth_is_bounded() {
    let cyclic =
        shape("const model = { name: 'm', list: [] }; model.self = model; model.list.push(model); export { model };");
    assert_eq!(cyclic.get("self"), Some(&Shape::Truncated));
    assert_eq!(cyclic.get("list"), Some(&Shape::Array(vec![Shape::Truncated])));
    let shared = shape("const part = { a: 1 }; export const model = { one: part, two: part };");
    assert_eq!(shared.get("one"), shared.get("two"));
    let nested = look("let model = {}; for (let i = 0; i < 150; i++) model = { model }; export { model };");
    assert!(nested.notes.is_empty(), "{:?}", nested.notes);
    for endless in [
        "let model = {}; for (let i = 0; i < 1000; i++) model = { model }; export { model };",
        "const make = () => ({ get next() { return make(); } }); export const model = make();",
    ] {
        let fault = inspect(&request(endless, Vec::new()), &Limits::default()).unwrap_err();
        assert_fault(&fault, FailureClass::Environment, Code::MEMORY_LIMIT, "nested deeper than 200 levels");
    }
}

#[test]
fn a_large_export_is_looked_at_as_a_whole() {
    let code = "export const model = Object.fromEntries(Array.from({ length: 3e5 }, (_, i) => ['k' + i, i]));";
    let found = look(code);
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    assert_eq!(found.export.unwrap().1.get("k299999"), Some(&Shape::Number(Number::Integer(299_999))));
}

#[test]
fn an_export_without_end_is_no_fault_of_its_author() {
    for (code, limit) in [
        ("export const model = { list: new Array(2 ** 32 - 1) };", "3000000 values"),
        (
            "const text = 'x'.repeat(1 << 20); export const model = Array.from({ length: 100 }, () => text);",
            "96 MiB of text",
        ),
        (
            "const make = () => new Proxy([], { get: (_t, k) => (k === 'length' ? Infinity : 1) }); export const model = make();",
            "3000000 values",
        ),
    ] {
        let fault = inspect(&request(code, Vec::new()), &Limits { cpu: Duration::from_secs(100), ..Limits::default() })
            .unwrap_err();
        assert_fault(&fault, FailureClass::Environment, Code::MEMORY_LIMIT, limit);
    }
}

#[test]
fn siblings_of_a_hostile_module_load() {
    let _ = fault("for (;;);");
    let _ = fault("const a = []; for (;;) a.push(new Array(1000).fill(1));");
    assert_eq!(json("export const model = { a: 1 };"), r#"{"a":1}"#);
}

// ---------------------------------------------------------------------------------------------------------------
// Stand-ins

#[test]
fn built_ins_of_other_engines_are_inert_and_noted_when_touched() {
    let untouched = look(
        "import { readFile } from 'node:fs/promises'; import * as path from 'node:path';
        export const model = { async run() { await readFile(path.join('a')); await fetch('x'); Deno.exit(); } };",
    );
    assert_eq!(untouched.touched, [] as [String; 0]);
    let touched = look(
        "import { readFileSync } from 'node:fs'; import * as os from 'node:os'; import events from 'node:events';
        const region = Deno.env.get('REGION') ?? 'local'; const home = process.env.HOME ?? '/';
        readFileSync('x'); os.cpus(); class Emitter extends events {} ; new Emitter(); fetch('https://example.org');
        export const model = { region, home };",
    );
    assert_eq!(touched.touched, ["Deno.env", "fetch", "node:events", "node:fs", "node:os", "process.env"]);
    assert_eq!(
        touched.notes,
        [
            "it reads environment variables while it loads (Deno.env, process.env): what is described, such as defaults, was \
          computed as if none were set"
        ]
    );
    assert_eq!(touched.export.unwrap().1.to_json().unwrap().to_string(), r#"{"region":"local","home":"/"}"#);
}

#[test]
fn a_module_that_needs_another_engine_to_load_says_so() {
    let fault = fault("import { readFileSync } from 'node:fs'; JSON.parse(readFileSync('x', 'utf8'));");
    assert_fault(&fault, FailureClass::Environment, Code::REQUIREMENT_MISSING, "node:fs");
}

#[test]
fn other_packages_are_stand_ins_until_they_are_the_reason() {
    let sdk = || vendor("aa", "sdk", "sdk.js", "export class Client { send() {} } export const names = ['a', 'b'];");
    let run = |code: &str| inspect(&request(code, sdk()), &Limits::default()).unwrap();
    let inert = run("import { Client } from '../vendor/aa/sdk.js'; const client = new Client();
        export const model = { run: () => client.send() };");
    assert_eq!(inert.touched, [] as [String; 0]);
    let real =
        run("import { names } from '../vendor/aa/sdk.js'; export const model = { names: names.map((n) => n + '!') };");
    assert_eq!(real.export.unwrap().1.to_json().unwrap().to_string(), r#"{"names":["a!","b!"]}"#);
    let spread = run("import * as sdk from '../vendor/aa/sdk.js'; export const model = { names: [...sdk.names] };");
    assert_eq!(spread.export.unwrap().1.to_json().unwrap().to_string(), r#"{"names":["a","b"]}"#);
}

#[test]
fn the_same_bundle_looks_the_same_every_time() {
    let code = "export const model = { at: Date.now(), date: new Date().toISOString(), r: Math.random(),
        id: crypto.randomUUID(), p: performance.now(), bytes: Array.from(crypto.getRandomValues(new Uint8Array(4))) };";
    assert_eq!(look(code), look(code));
    look("const start = Date.now(); while (Date.now() - start < 1000); export const model = 1;");
}

#[test]
fn timers_run_on_a_moved_clock_while_a_module_waits() {
    let code = "const start = Date.now(); await new Promise((resolve) => setTimeout(resolve, 3600_000));
        export const model = { waited: Date.now() - start >= 3600_000 };";
    assert_eq!(json(code), r#"{"waited":true}"#);
    look("setInterval(() => {}, 1); setTimeout(() => { throw 1 }, 1); export const model = 1;");
}

// ---------------------------------------------------------------------------------------------------------------
// Schemas

#[test]
fn schemas_are_converted_by_the_library_that_made_them() {
    let code = "import { z } from '../vendor/aa/zod.js';
        export const model = { methods: { run: { arguments: z.object({ name: z.string() }) } }, odd: z.broken(),
            local: { _def: {}, parse() {}, safeParse() {} }, '~standard': { parse: 1 } };";
    let found = inspect(&request(code, vendor("aa", "zod", "zod.js", SCHEMA_LIBRARY)), &Limits::default()).unwrap();
    let model = found.export.unwrap().1;
    let schema =
        model.get("methods").and_then(|methods| methods.get("run")).and_then(|run| run.get("arguments")).unwrap();
    assert_eq!(
        schema.to_json().unwrap().to_string(),
        r#"{"type":"object","properties":{"name":{"type":"string","io":"input"}}}"#
    );
    let empty = Shape::Schema { json_schema: Json::Object(Vec::new()) };
    assert_eq!(model.get("odd"), Some(&empty));
    assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
    assert!(found.notes[0].contains("odd: ") && found.notes[0].contains("no such JSON Schema"));
}

#[test]
fn a_schema_without_any_converter_is_a_schema_with_a_note() {
    let found = look(
        "export const model = { a: { '~standard': {}, parse() {}, safeParse() {} }, b: { _def: 1, parse() {} } };",
    );
    let model = found.export.unwrap().1;
    assert_eq!(model.get("a"), Some(&Shape::Schema { json_schema: Json::Object(Vec::new()) }));
    assert!(matches!(model.get("b"), Some(Shape::Object(_))));
    assert_eq!(found.notes, ["a: the schema comes without a converter to JSON Schema"]);
}

#[test]
fn a_schema_may_bring_its_own_converter() {
    let code = "const own = { _def: {}, parse() {}, safeParse() {}, toJSONSchema({ io }) { return { io, own: this === own }; } };
        const standard = { parse() {}, safeParse() {}, '~standard': { jsonSchema: { input: ({ target }) => ({ target }) } } };
        export const model = { own, standard };";
    assert_eq!(json(code), r#"{"own":{"io":"input","own":true},"standard":{"target":"draft-2020-12"}}"#);
}

#[test]
fn a_converter_that_never_ends_ends_at_the_limit() {
    let code = "export const model = { a: { _def: {}, parse() {}, safeParse() {}, toJSONSchema() { for (;;); } } };";
    assert_fault(&fault(code), FailureClass::Environment, Code::CPU_LIMIT, "processor time");
}

// ---------------------------------------------------------------------------------------------------------------
// The web platform

#[test]
fn web_globals_work() {
    let checks = [
        ("new URL('../b?x=1#h', 'https://u:p@example.org:8080/a/c').href", "\"https://u:p@example.org:8080/b?x=1#h\""),
        (
            "(() => { const u = new URL('https://a.b/'); u.searchParams.append('k', 'v w'); u.pathname = '/p q'; return u.href; })()",
            "\"https://a.b/p%20q?k=v+w\"",
        ),
        (
            "(() => { const u = new URL('https://a.b/?a=1'); const p = u.searchParams; u.search = '?b=2'; return [...p]; })()",
            "[[\"b\",\"2\"]]",
        ),
        ("[URL.canParse('nonsense'), URL.canParse('a:b')]", "[false,true]"),
        ("new URLSearchParams({ a: '1', b: 'ü' }).toString()", "\"a=1&b=%C3%BC\""),
        ("Array.from(new TextEncoder().encode('é\\ud800'))", "[195,169,239,191,189]"),
        ("new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff]))", "\"a\u{fffd}\""),
        (
            "(() => { const d = new TextDecoder(); return d.decode(new Uint8Array([0xe2, 0x82]), { stream: true }) + d.decode(new Uint8Array([0xac])); })()",
            "\"€\"",
        ),
        (
            "(() => { try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])); } catch (e) { return e.name; } })()",
            "\"TypeError\"",
        ),
        ("atob(btoa('hello'))", "\"hello\""),
        (
            "(() => { const a = { d: new Date(5), m: new Map([[1, [2]]]) }; a.self = a; const b = structuredClone(a); return [b.d.getTime(), b.m.get(1), b.self === b, b.m !== a.m]; })()",
            "[5,[2],true,true]",
        ),
        ("(() => { try { structuredClone(() => 1); } catch (e) { return e.name; } })()", "\"DataCloneError\""),
        (
            "(() => { const c = new AbortController(); let n = 0; c.signal.addEventListener('abort', () => n++); c.abort(); c.abort(); return [n, c.signal.aborted, c.signal.reason.name]; })()",
            "[1,true,\"AbortError\"]",
        ),
        ("/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID())", "true"),
        ("await new Promise((resolve) => queueMicrotask(() => resolve('micro')))", "\"micro\""),
        ("typeof console.log('x')", "\"undefined\""),
        ("import.meta.url", "\"file:///bundle.js\""),
        ("({} instanceof Response)", "false"),
    ];
    for (expression, expected) in checks {
        assert_eq!(
            json(&format!("const value = {expression}; export const model = {{ value }};")),
            format!("{{\"value\":{expected}}}"),
            "{expression}"
        );
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Sessions

fn open(code: &str) -> Result<EngineSession, RunError> {
    let bundle = LoadedBundle {
        code: code.into(),
        vendor_files: vendor("aa", "sdk", "sdk.js", "export const twice = (n) => 2 * n;"),
    };
    let request = OpenRequest { subject: "models/a.ts".to_owned(), ..open_model(bundle) };
    EngineSession::open(&request, &small())
}

fn call_with(
    session: &mut EngineSession,
    path: &[&str],
    host: &mut dyn FnMut(HostCall) -> Result<Json, String>,
) -> Result<Json, RunError> {
    let path: Vec<String> = path.iter().map(|&segment| segment.to_owned()).collect();
    let args = Json::object([("n", Json::from(3))]);
    let context = Json::object([("modelId", Json::from("m-1")), ("signal", Json::Null)]);
    session.call(&unchecked_call(path, args, context), host)
}

/// The result of `run`, and the host calls it made.
fn run(code: &str) -> (Result<Json, RunError>, Vec<String>) {
    let mut session = open(code).unwrap();
    let mut calls = Vec::new();
    let result = call_with(&mut session, &["run"], &mut |call| {
        calls.push(format!("{}{}", call.function, Json::Array(call.arguments)));
        if call.function == "readResource" { Err("no such resource".to_owned()) } else { Ok(Json::from("answer")) }
    });
    (result, calls)
}

fn value(code: &str) -> String {
    run(code).0.unwrap_or_else(|error| panic!("{error:?}")).to_string()
}

#[test]
fn a_call_gets_arguments_and_context_and_gives_its_value() {
    assert_eq!(
        value("export const model = { run: async (args, ctx) => [args.n, ctx.modelId, ctx.signal.aborted] };"),
        r#"[3,"m-1",false]"#
    );
    assert_eq!(value("export const model = { run: () => undefined };"), "null");
    assert_eq!(
        value("export const model = { run: () => ({ f() {}, u: undefined, d: new Date(0) }) };"),
        r#"{"d":"1970-01-01T00:00:00.000Z"}"#
    );
    assert_eq!(value("export const model = { base: 4, run(args) { return this.base * args.n; } };"), "12");
    assert_eq!(
        value("import { twice } from '../vendor/aa/sdk.js'; export const model = { run: ({ n }) => twice(n) };"),
        "6"
    );
}

#[test]
fn a_path_leads_through_objects_and_lists_and_state_is_kept() {
    let mut session =
        open("let count = 0; export const model = { methods: [{ bump: { execute: () => ++count } }] };").unwrap();
    for expected in 1..=3 {
        let result = call_with(&mut session, &["methods", "0", "bump", "execute"], &mut |_| Ok(Json::Null));
        assert_eq!(result.unwrap(), Json::from(expected));
    }
    let missing = call_with(&mut session, &["methods", "1", "bump"], &mut |_| Ok(Json::Null)).unwrap_err();
    let RunError::Fault(fault) = missing else { panic!("{missing:?}") };
    assert_fault(&fault, FailureClass::Deterministic, Code::UNKNOWN_METHOD, "model.methods.1.bump");
}

#[test]
fn context_functions_reach_the_host_in_order() {
    let (result, calls) = run("export const model = { async run(args, ctx) {
        ctx.logger.info('made {count} of {what}', { count: 2, what: 'zones', where: 'here' });
        ctx.logger.error('bare', new Error('cause'));
        const handle = await ctx.writeResource('zone', 'main', { at: new Date(0) }, undefined);
        ctx.logger.debug('after');
        const lines = ctx.createFileWriter('log', 'today'); await lines.writeLine('a'); await lines.writeLine('b');
        const text = await ctx.createFileWriter('page', 'index', { contentType: 'text/html' }).writeText('<p>');
        await ctx.createFileWriter('raw', 'x').writeAll(new Uint8Array([255, 0]));
        const secret = await ctx.vaultService.get('main', 'token');
        const failed = await ctx.readResource('none').catch((error) => error.message);
        return { handle, text, last: await lines.finalize(), secret, failed };
    } };");
    assert_eq!(
        result.unwrap().to_string(),
        r#"{"handle":"answer","text":"answer","last":"answer","secret":"answer","failed":"no such resource"}"#
    );
    assert_eq!(
        calls,
        [
            r#"log["info","made 2 of zones {\"where\":\"here\"}"]"#,
            r#"log["error","bare Error: cause"]"#,
            r#"writeResource["zone","main",{"at":"1970-01-01T00:00:00.000Z"},null]"#,
            r#"log["debug","after"]"#,
            r#"writeFile["page","index","<p>",{"contentType":"text/html"}]"#,
            r#"writeFile["raw","x",{"base64":"/wA="},null]"#,
            r#"vault.get["main","token"]"#,
            r#"readResource["none"]"#,
            r#"writeFile["log","today","a\nb\n",null]"#,
        ]
    );
}

#[test]
fn what_was_written_and_said_before_a_throw_arrives() {
    let (result, calls) = run("export const model = { run(args, ctx) {
        ctx.writeResource('zone', 'main', {}); ctx.logger.warn('soon'); throw new Error('now'); } };");
    let Err(RunError::Threw { message, stack }) = result else { panic!("{result:?}") };
    assert_eq!(message, "Error: now");
    assert!(stack.unwrap().contains("bundle.js:2"));
    assert_eq!(calls, [r#"writeResource["zone","main",{}]"#, r#"log["warn","soon"]"#]);
}

#[test]
fn fault_31_an_error_that_nobody_catches_ends_its_call_and_nothing_else() {
    let wait = "await new Promise((resolve) => setTimeout(resolve, 20)); return 'fine';";
    for (body, told) in [
        ("Promise.reject(new Error('lost')); return 'fine';", "nobody handles the rejection of a promise: Error: lost"),
        ("(async () => { await 0; throw new Error('lost'); })(); return 'fine';", "of a promise: Error: lost"),
        ("Promise.reject(7); await new Promise(() => {});", "nobody handles the rejection of a promise: 7"),
        ("setTimeout(() => { throw new Error('lost') }, 1);", "a timer throws: Error: lost"),
        ("setTimeout(() => Promise.reject(new Error('lost')), 1);", "of a promise: Error: lost"),
        ("setTimeout(async () => { throw new Error('lost') }, 1);", "of a promise: Error: lost"),
        ("queueMicrotask(() => { throw new Error('lost') });", "a callback of queueMicrotask throws: Error: lost"),
        ("process.nextTick(() => { throw new Error('lost') });", "a callback of process.nextTick throws: Error: lost"),
        (
            "const t = new EventTarget(); t.addEventListener('x', () => { throw new Error('lost') }); t.dispatchEvent(new Event('x'));",
            "a listener for \"x\" throws: Error: lost",
        ),
    ] {
        let code = format!("export const model = {{ async run() {{ {body} {wait} }}, fine: () => 1 }};");
        let mut session = open(&code).unwrap();
        let error = call_with(&mut session, &["run"], &mut |_| Ok(Json::Null)).unwrap_err();
        let RunError::Threw { message, stack } = error else { panic!("{body}: {error:?}") };
        assert!(message.contains(told), "{body}: {message}");
        assert_eq!(stack.is_some(), !told.ends_with('7'), "{body}: where it was thrown is told");
        assert_eq!(call_with(&mut session, &["fine"], &mut |_| Ok(Json::Null)).unwrap(), Json::from(1), "{body}");
    }
}

#[test]
fn what_is_caught_before_the_work_at_hand_is_done_ends_nothing() {
    for body in [
        "const p = Promise.reject(new Error('kept')); await null; await null; p.catch(() => {}); return 'fine';",
        "try { await (async () => { throw new Error('kept'); })(); } catch { return 'fine'; }",
        "await Promise.allSettled([Promise.reject(1), Promise.reject(2)]); return 'fine';",
        "await Promise.any([Promise.reject(1), Promise.resolve(2)]); return 'fine';",
        "try { await Promise.all([Promise.reject(1), Promise.reject(2)]); } catch { return 'fine'; }",
        "await Promise.race([0, Promise.reject(1)]); return 'fine';",
        "const p = Promise.reject(new Error('kept')); process.nextTick(() => p.catch(() => {})); return 'fine';",
        "const p = Promise.reject(1); process.nextTick(() => p.catch(() => {})); await new Promise((go) => setTimeout(go, 5)); return 'fine';",
    ] {
        assert_eq!(value(&format!("export const model = {{ async run() {{ {body} }} }};")), "\"fine\"", "{body}");
    }
    let (result, _) =
        run("export const model = { async run() { Promise.reject(new Error('lost')); throw new Error('own'); } };");
    let Err(RunError::Threw { message, .. }) = result else { panic!("{result:?}") };
    assert_eq!(message, "Error: own", "what the call itself throws comes first");
}

#[test]
fn of_many_rejections_the_one_that_is_left_is_told() {
    let code =
        "export const model = { run() { const all = []; for (let n = 0; n < 2000; n += 1) all.push(Promise.reject(n));
        all[0].catch(() => {}); for (const one of all.slice(2)) one.catch(() => {}); return 'fine'; } };";
    let Err(RunError::Threw { message, .. }) = run(code).0 else { panic!("nothing is told") };
    assert_eq!(message, "nobody handles the rejection of a promise: 1", "the one that is left");
}

#[test]
fn what_tells_of_the_end_of_a_call_ends_no_other_call() {
    let code = "const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));
        export const model = {
            begin(args, ctx) { (async () => { await wait(1);
                try { await ctx.readResource('a'); } catch (cause) { throw new Error('own words', { cause }); } })(); return 1; },
            async next() { await wait(20); return 2; },
        };";
    let mut session = open(code).unwrap();
    for (name, expected) in [("begin", 1), ("next", 2)] {
        assert_eq!(call_with(&mut session, &[name], &mut |_| Ok(Json::Null)).unwrap(), Json::from(expected), "{name}");
    }
}

#[test]
fn ticks_belong_to_what_left_them() {
    let code = "let told = 'nothing'; process.nextTick(() => { told = 'loaded'; }); export const model = {
        told: () => told, run() { (async () => { await 0; process.nextTick(() => { told = 'called'; }); })(); return told; } };";
    let mut session = open(code).unwrap();
    for (name, expected) in [("run", "loaded"), ("told", "called")] {
        assert_eq!(call_with(&mut session, &[name], &mut |_| Ok(Json::Null)).unwrap(), Json::from(expected), "{name}");
        assert!(session.is_at_rest(), "{name}");
    }
}

#[test]
fn a_module_that_leaves_a_rejection_does_not_load() {
    let code = "Promise.reject(new Error('early')); export const model = { run: () => 1 };";
    let Err(RunError::Fault(found)) = open(code).map(|_| ()) else { panic!("it loads") };
    assert_fault(&found, FailureClass::Deterministic, Code::THREW_WHILE_LOADING, "of a promise: Error: early");
    assert_fault(&fault(code), FailureClass::Deterministic, Code::THREW_WHILE_LOADING, "of a promise: Error: early");
    // What an inspection has only a stand-in for may be why.
    look(
        "const start = async () => { (await fetch('https://a.example')).no.such; }; start(); export const model = {};",
    );
}

#[test]
fn ticks_come_after_promises_that_are_ready_and_before_timers() {
    assert_eq!(
        value(
            "export const model = { async run() { const told = []; const say = (what) => () => told.push(what);
            process.nextTick(say('tick')); Promise.resolve().then(say('promise'));
            process.nextTick(() => { told.push('second'); Promise.resolve().then(say('promise of a tick')); process.nextTick(say('tick of a tick')); });
            await null; told.push('went on'); await new Promise((resolve) => setTimeout(resolve, 5));
            setTimeout(() => { told.push('timer'); Promise.resolve().then(say('promise of a timer')); process.nextTick(say('tick of a timer')); }, 1);
            await new Promise((resolve) => setTimeout(resolve, 5)); return told.join(', '); } };"
        ),
        "\"promise, went on, tick, second, tick of a tick, promise of a tick, timer, tick of a timer, promise of a timer\""
    );
}

#[test]
fn to_read_a_function_that_is_missing_is_no_use_of_it() {
    let code = |body: &str| {
        format!(
            "import fs, {{ promises }} from 'node:fs'; import path from 'node:path'; import {{ EventEmitter }} from 'node:events';
            const keep = {{ from: Buffer.from, read: fs.readFileSync, later: promises.readFile, join: path.posix.join }};
            class Child extends EventEmitter {{}}
            function Old() {{ EventEmitter.call(this); }}
            export const model = {{ run: () => {{ {body} }} }};"
        )
    };
    assert_eq!(
        value(&code("return [typeof keep.read, Buffer.isBuffer('a'), Child.name];")),
        "[\"function\",false,\"Child\"]"
    );
    for (body, name) in [
        ("keep.from('a')", "Buffer"),
        ("keep.read('a')", "node:fs"),
        ("keep.later('a')", "node:fs"),
        ("keep.join('a')", "node:path"),
        ("new Child()", "node:events"),
        ("new Old()", "node:events"),
        ("`${keep.read}`", "node:fs"),
        ("path.sep", "node:path"),
        ("fs.constants", "node:fs"),
        ("Buffer.poolSize", "Buffer"),
    ] {
        let (result, _) = run(&code(body));
        let Err(RunError::Fault(found)) = result else { panic!("{body}: {result:?}") };
        assert_fault(&found, FailureClass::Environment, Code::REQUIREMENT_MISSING, name);
    }
}

#[test]
fn a_list_of_variables_holds_what_is_granted_and_nothing_where_nothing_is() {
    let code =
        "export const model = { run: () => [Object.keys(process.env), Deno.env.toObject(), { ...process.env }] };";
    assert_eq!(value(code), "[[],{},{}]");
}

#[test]
fn more_arguments_than_the_engine_takes_are_a_requirement() {
    let (result, _) = run("export const model = { run: () => Math.max(...Array(100_000).keys()) };");
    let Err(RunError::Fault(found)) = result else { panic!("{result:?}") };
    assert_fault(
        &found,
        FailureClass::Environment,
        Code::REQUIREMENT_MISSING,
        "a call with more than 65,535 arguments",
    );
    assert_eq!(value("export const model = { run: () => Math.max(...Array(60_000).keys()) };"), "59999");
}

#[test]
fn timers_work_in_a_run() {
    assert_eq!(
        value("export const model = { async run() { const order = []; setTimeout(() => order.push('b'), 4); setTimeout(() => order.push('a'), 1);
            const stopped = setTimeout(() => order.push('no'), 2); clearTimeout(stopped);
            const start = performance.now(); await new Promise((resolve) => setTimeout(resolve, 8)); return [order, performance.now() - start >= 7]; } };"),
        r#"[["a","b"],true]"#
    );
}

#[test]
fn a_call_that_can_never_end_is_told_so() {
    let (result, _) = run("export const model = { run: () => new Promise(() => {}) };");
    let Err(RunError::Threw { message, .. }) = result else { panic!("{result:?}") };
    assert!(message.contains("model.run waits for a promise that nothing will settle"), "{message}");
}

#[test]
fn limits_hold_in_calls_and_end_the_session() {
    for (body, code) in [
        ("for (;;);", Code::CPU_LIMIT),
        ("for (;;) await 0;", Code::JOB_LIMIT),
        ("const a = []; for (;;) a.push(new Array(1000).fill(1));", Code::MEMORY_LIMIT),
    ] {
        let mut session =
            open(&format!("export const model = {{ async run() {{ {body} }}, fine: () => 1 }};")).unwrap();
        for method in ["run", "fine"] {
            let error = call_with(&mut session, &[method], &mut |_| Ok(Json::Null)).unwrap_err();
            let RunError::Fault(fault) = error else { panic!("{body}: {error:?}") };
            assert_eq!(fault.code, code, "{body}: {}", fault.message);
        }
    }
    let mut session = open("export const model = { run() { return this.run() + 1; }, fine: () => 1 };").unwrap();
    let error = call_with(&mut session, &["run"], &mut |_| Ok(Json::Null)).unwrap_err();
    let RunError::Fault(fault) = error else { panic!("{error:?}") };
    assert_fault(&fault, FailureClass::Deterministic, Code::STACK_LIMIT, "model.run");
    assert_eq!(call_with(&mut session, &["fine"], &mut |_| Ok(Json::Null)).unwrap(), Json::from(1));
}

#[test]
fn what_the_engine_lacks_is_refused_by_name_and_never_pretended() {
    for (body, name) in [
        ("fetch('https://example.org')", "fetch"),
        ("readFileSync('x')", "node:fs"),
        ("os.cpus()", "node:os"),
        ("Buffer.from('x')", "Buffer"),
        ("new WebSocket('wss://example.org')", "WebSocket"),
        ("new Response('x').body.pipeThrough(null)", "ReadableStream.pipeThrough"),
        ("URL.createObjectURL(new Blob(['x']))", "URL.createObjectURL"),
        ("(() => { try { Deno.cwd(); } catch (cause) { throw new Error('wrapped', { cause }); } })()", "Deno.cwd"),
        ("import('node:net').then((net) => net.default.connect(1))", "node:net"),
    ] {
        let code = format!(
            "import {{ readFileSync }} from 'node:fs'; import * as os from 'node:os'; export const model = {{ async run() {{ return {body}; }} }};"
        );
        let error = run(&code).0.unwrap_err();
        let RunError::Fault(fault) = error else { panic!("{body}: {error:?}") };
        assert_fault(&fault, FailureClass::Environment, Code::REQUIREMENT_MISSING, name);
    }
    for body in
        ["Deno.env.get('X')", "process.env.X", "env.X", "'X' in process.env", "(await import('node:process')).env.X"]
    {
        let code = format!(
            "import {{ env }} from 'node:process'; export const model = {{ async run() {{ return {body}; }} }};"
        );
        let RunError::Fault(fault) = run(&code).0.unwrap_err() else { panic!("{body}") };
        assert_fault(&fault, FailureClass::Environment, Code::PERMISSION_DENIED, r#"env: ["X"]"#);
    }
    let Err(RunError::Fault(fault)) = open("Deno.exit(1); export const model = {};") else { panic!("opened") };
    assert_fault(&fault, FailureClass::Environment, Code::REQUIREMENT_MISSING, "Deno.exit");
}

/// Collects what the frames of a stack give: below a context function, a timer, a getter that the kit reads, a schema.
const STACKS: &str = "
    const found = [];
    const look = () => {
        const before = Error.prepareStackTrace;
        Error.prepareStackTrace = (_error, sites) => sites;
        const sites = new Error('look').stack;
        Error.prepareStackTrace = before;
        if (Array.isArray(sites)) for (const site of sites) {
            const names = Object.getOwnPropertyNames(Object.getPrototypeOf(site));
            for (const name of names) if (typeof site[name] === 'function' && name !== 'constructor') {
                const value = site[name]();
                if (typeof value === 'function' || (typeof value === 'object' && value !== null)) found.push(name);
            }
        }
        return sites.length;
    };
    const schema = { _def: {}, parse() {}, safeParse: (value) => { look(); return { success: true, data: value }; } };
    export const model = { schema, async run(args, ctx) {
        let seen = look();
        ctx.logger.info('{x}', { get x() { seen += look(); return 1; } });
        ctx.logger.info({ toJSON: () => { seen += look(); return 1; } });
        await new Promise((resolve) => setTimeout(() => { seen += look(); resolve(); }, 1));
        await ctx.createFileWriter('a', 'b').writeText({ toString: () => { seen += look(); return 't'; } });
        return { found, seen: seen > 5 };
    } };";

#[test]
fn f21_a_stack_gives_away_no_function() {
    let mut session = open(STACKS).unwrap();
    let call = Call {
        schema: vec!["schema".to_owned()],
        ..unchecked_call(vec!["run".to_owned()], Json::object([("n", Json::from(1))]), Json::Object(Vec::new()))
    };
    let value = session.call(&call, &mut |_| Ok(Json::Null)).unwrap();
    assert_eq!(value.to_string(), r#"{"found":[],"seen":true}"#);
}

#[test]
fn f21_packages_that_read_stacks_go_on_working() {
    let names = "
        function deep() {
            const before = Error.prepareStackTrace;
            Error.prepareStackTrace = (_error, sites) => sites;
            const holder = {};
            Error.captureStackTrace(holder);
            const site = holder.stack[0];
            Error.prepareStackTrace = before;
            return [site.getFunctionName(), typeof site.getFileName(), typeof site.getLineNumber(), site.getFunction() ?? null];
        }
        export const model = { run: () => deep() };";
    assert_eq!(value(names), r#"["deep","string","number",null]"#);
}

#[test]
fn f21_an_inspection_gives_away_no_function_either() {
    let code = "
        let found = 'none';
        Error.prepareStackTrace = (_error, sites) => {
            for (const site of sites) if (site.getFunction() !== undefined) found = 'a function';
            return '';
        };
        new Error('x');
        try { Deno.none.none(); fetch('x'); new URL('nonsense'); } catch {}
        export const model = { found };";
    assert_eq!(json(code), r#"{"found":"none"}"#);
}

#[test]
fn a_bundle_that_cannot_be_opened_says_why() {
    let Err(RunError::Fault(fault)) = open("throw new Error('at load')") else { panic!("opened") };
    assert_fault(&fault, FailureClass::Deterministic, Code::THREW_WHILE_LOADING, "at load");
    let Err(RunError::Fault(fault)) = open("export const vault = {}") else { panic!("opened") };
    assert_fault(&fault, FailureClass::Deterministic, Code::UNKNOWN_METHOD, "exports no model");
}

#[test]
fn a_value_that_is_no_json_is_an_error_of_the_call() {
    for (body, part) in [("const a = {}; a.a = a; return a;", "circular"), ("return 1n;", "BigInt")] {
        let (result, _) = run(&format!("export const model = {{ run() {{ {body} }} }};"));
        let Err(RunError::Threw { message, .. }) = result else { panic!("{result:?}") };
        assert!(message.to_lowercase().contains(&part.to_lowercase()), "{message}");
    }
    let nested = "let a = []; for (let i = 0; i < 1000; i++) a = [a]; return a;";
    assert!(matches!(run(&format!("export const model = {{ run() {{ {nested} }} }};")).0, Err(RunError::Threw { .. })));
}

// ---------------------------------------------------------------------------------------------------------------
// Contracts

#[tokio::test(flavor = "multi_thread")]
async fn export_inspector_contract() {
    mangrove_testkit::contract::export_inspector(&|| Box::new(InProcess::new(small()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn method_runner_contract() {
    mangrove_testkit::contract::method_runner(&|| Box::new(InProcess::new(small()))).await;
}

/// A schema as an extension may bring one: `accepts` decides, the issue names `n`.
const SCHEMAS: &str = "
    const issue = { path: ['n'], message: 'wrong' };
    const schema = (accepts, found = issue) => ({ _def: {}, parse: (value) => value, safeParse: (value) => accepts(value)
        ? { success: true, data: { ...value, seen: true } } : { success: false, error: { issues: [found] } } });
    const member = (accepts, made) => ({ _def: {}, parse() {}, safeParse: (value) => accepts(value)
        ? { success: true, data: made(value) } : { success: false, error: { issues: [{ path: [], message: 'wrong' }] } } });
    const members = {
        zone: member((value) => typeof value === 'string', (value) => value),
        port: member((value) => value === undefined || typeof value === 'number', (value) => value ?? 80),
    };
    const absent = { path: ['zone'], message: 'is required' };
    const standard = { parse() {}, safeParse: undefined, '~standard': { validate: async (value) =>
        value.n > 2 ? { value: { n: value.n * 2 } } : { issues: [{ path: [{ key: 'n' }], message: 'too small' }] } } };
    const throwing = { _def: {}, parse() {}, safeParse: () => ({ success: false, error: new Error('not at all') }) };
    export const model = {
        globalArguments: schema((value) => value.zone !== 'none', { path: ['zone'], message: 'wrong' }),
        partly: { ...schema((value) => value.zone !== undefined, absent), shape: members },
        number: schema((value) => typeof value.n === 'number'), text: schema((value) => typeof value.n === 'string'),
        standard, throwing, plain: { type: 'object' },
        run: (args, ctx) => ({ args, globals: ctx.globalArgs }),
    };";

fn checked(schema: &str, arguments: &str, globals: &str) -> String {
    checked_by(schema, arguments, "globalArguments", globals)
}

fn checked_by(schema: &str, arguments: &str, globals_schema: &str, globals: &str) -> String {
    let mut session = open(SCHEMAS).unwrap();
    let json = |text: &str| match text {
        "{}" => Json::Object(Vec::new()),
        text => {
            let (name, value) = text.split_once('=').unwrap();
            Json::object([(name, value.parse::<i64>().map_or_else(|_| Json::from(value), Json::from))])
        }
    };
    let call = Call {
        path: vec!["run".to_owned()],
        arguments: json(arguments),
        schema: vec![schema.to_owned()],
        context: Json::object([("globalArgs", json(globals))]),
        global_schema: vec![globals_schema.to_owned()],
        takes: Takes::ArgumentsAndContext,
    };
    match session.call(&call, &mut |_| Ok(Json::Null)) {
        Ok(value) => value.to_string(),
        Err(RunError::Rejected { checked, violations }) => {
            format!("{checked}: {}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn of_global_arguments_nothing_is_required_and_defaults_apply() {
    let globals = |globals: &str| checked_by("plain", "n=3", "partly", globals);
    assert_eq!(globals("zone=a"), r#"{"args":{"n":3},"globals":{"zone":"a","seen":true}}"#, "the whole fits");
    assert_eq!(globals("{}"), r#"{"args":{"n":3},"globals":{"port":80}}"#);
    assert_eq!(globals("port=8080"), r#"{"args":{"n":3},"globals":{"port":8080}}"#);
    assert_eq!(globals("port=x"), "the global arguments: port: wrong");
}

#[test]
fn a_check_gets_its_context_alone_and_nothing_that_writes() {
    let code = "export const model = { check: (...all) => [all.length, typeof all[0].writeResource, typeof all[0].readResource,
        typeof all[0].createFileWriter, all[0].methodName] };";
    let mut session = open(code).unwrap();
    let context = Json::object([("methodName", Json::from("run"))]);
    let call = Call { takes: Takes::ContextToRead, ..unchecked_call(vec!["check".to_owned()], Json::Null, context) };
    let value = session.call(&call, &mut |_| Ok(Json::Null)).unwrap();
    assert_eq!(value.to_string(), r#"[1,"undefined","function","undefined","run"]"#);
}

#[test]
fn a_function_receives_what_its_schema_makes_of_the_arguments() {
    assert_eq!(checked("number", "n=3", "{}"), r#"{"args":{"n":3,"seen":true},"globals":{"seen":true}}"#);
    assert_eq!(checked("standard", "n=3", "{}"), r#"{"args":{"n":6},"globals":{"seen":true}}"#);
    assert_eq!(checked("plain", "n=3", "{}"), r#"{"args":{"n":3},"globals":{"seen":true}}"#, "no schema, no check");
    assert_eq!(checked("none", "n=3", "{}"), r#"{"args":{"n":3},"globals":{"seen":true}}"#);
}

#[test]
fn a_schema_that_objects_prevents_the_call() {
    assert_eq!(checked("number", "n=x", "{}"), "the arguments: n: wrong");
    assert_eq!(checked("standard", "n=1", "{}"), "the arguments: n: too small");
    assert_eq!(checked("throwing", "n=1", "{}"), "the arguments: not at all");
    assert_eq!(checked("number", "n=3", "zone=none"), "the global arguments: zone: wrong");
}

#[test]
fn a_text_is_read_as_a_number_only_where_the_schema_objects_to_the_text() {
    let call = |schema: &str| checked(schema, "n=4.5", "{}");
    assert_eq!(call("number"), r#"{"args":{"n":4.5,"seen":true},"globals":{"seen":true}}"#);
    assert_eq!(call("text"), r#"{"args":{"n":"4.5","seen":true},"globals":{"seen":true}}"#);
}

#[test]
fn f13_nul_bytes_stand_in_templates_and_regular_expressions() {
    let code =
        "const nul = `a\0b`; export const model = { run: () => [nul.length, nul.charCodeAt(1), /^a\0+b$/.test(nul)] };";
    assert_eq!(value(code), "[3,0,true]");
}
