//! The embedded engine beside a real Deno: the same value, or a requirement that is named.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::sandbox::Sandbox;

const EXPRESSIONS: &str = include_str!("differential/expressions.txt");

/// A value as text that tells apart what JSON does not.
const SHOW: &str = r#"
const show = (value, depth = 0) => {
  if (depth > 6) return "…";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "symbol") return value.toString();
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value !== "object" || value === null) return String(value);
  const each = (list) => Array.from(list, (item) => show(item, depth + 1)).join();
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name}(${each(value)})`;
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (value instanceof RegExp) return String(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${each(value)})`;
  if (Array.isArray(value)) return `[${Array.from(value.keys(), (at) => (at in value ? show(value[at], depth + 1) : "hole"))}]`;
  return `{${Object.keys(value).map((key) => `${key}:${show(value[key], depth + 1)}`)}}`;
};
const outcome = async (work) => {
  try {
    return show(await work());
  } catch (error) {
    return error?.name === "RequirementMissing" ? `needs ${error.message}` : `threw ${show(error)}`;
  }
};
const tell = async (log) => {
  const outcomes = [];
  for (const work of all) outcomes.push(await outcome(work));
  const text = encodeURIComponent(JSON.stringify(outcomes));
  for (let at = 0; at < text.length; at += 1000) log(`<<${text.slice(at, at + 1000)}>>`);
};
"#;

/// `code` must declare `all`, a list of functions; gives what `show` makes of what each gives.
fn in_deno(deno: &Path, code: &str) -> Vec<String> {
    let sandbox = Sandbox::new("");
    sandbox.write("compare.js", &format!("{SHOW}\n{code}\nawait tell((line) => console.log(line));\n"));
    let mut command = std::process::Command::new(deno);
    command.env_clear().env("DENO_DIR", sandbox.tree.path("cache")).args(["run", "--no-config", "--no-lock"]);
    let output = command.arg(sandbox.tree.path("compare.js")).output().expect("Deno starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    told(&String::from_utf8_lossy(&output.stdout))
}

/// The same in a method of the embedded engine, where there is no Deno.
fn embedded(code: &str) -> Vec<String> {
    let sandbox = Sandbox::new("");
    let model = format!(
        "{SHOW}\n{code}\nconst anything = () => ({{ _def: {{}}, parse: (value) => value, \
         safeParse: (value) => ({{ success: true, data: value }}), toJSONSchema: () => ({{ type: \"object\" }}) }});\n\
         export const model = {{ type: \"@acme/compare\", version: \"2026.05.23.1\", methods: {{ all: {{ \
         description: \"All\", arguments: anything(), execute: async (_args, context) => {{ \
         await tell((line) => context.logger.info(line)); return {{ dataHandles: [] }}; }} }} }} }};\n"
    );
    sandbox.write("extensions/models/compare.ts", &model);
    sandbox.write(
        "models/@acme/compare/11111111-1111-4111-8111-111111111111.yaml",
        "id: 11111111-1111-4111-8111-111111111111\ntype: \"@acme/compare\"\nname: compare\nversion: 1\n\
         globalArguments: {}\nmethods: {}\n",
    );
    let mut command = sandbox.command();
    command.env("PATH", "/nowhere").args(["model", "run", "compare", "all"]);
    let output = command.output().expect("the program starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    told(&text)
}

/// The outcomes, from the lines that `tell` wrote.
fn told(text: &str) -> Vec<String> {
    let parts = text.split("<<").skip(1).filter_map(|part| part.split_once(">>"));
    let encoded: String = parts.map(|(part, _)| part).collect();
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_str();
    while let Some(first) = rest.chars().next() {
        let (byte, length) = match first {
            '%' => (u8::from_str_radix(&rest[1..3], 16).expect("two digits"), 3),
            other => (u8::try_from(other).expect("a letter of ASCII"), 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn functions<'a>(expressions: impl IntoIterator<Item = &'a str>) -> String {
    let list: Vec<String> =
        expressions.into_iter().map(|expression| format!("  async () => ({expression}),\n")).collect();
    format!("const all = [\n{}];", list.concat())
}

#[test]
fn expressions_give_what_they_give_in_deno_or_name_what_they_need() {
    let Some(deno) = crate::deno::real() else { return };
    let lines = EXPRESSIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let table: Vec<(Option<&str>, &str)> = lines
        .map(|line| match line.strip_prefix("needs ").and_then(|rest| rest.split_once(": ")) {
            Some((name, expression)) => (Some(name), expression),
            None => (None, line),
        })
        .collect();
    assert!(table.len() > 120, "{}", table.len());
    let code = functions(table.iter().map(|(_, expression)| *expression));
    let (here, there) = (embedded(&code), in_deno(&deno, &code));
    assert_eq!((here.len(), there.len()), (table.len(), table.len()));
    let mut differences = Vec::new();
    for (((need, expression), here), there) in table.iter().zip(&here).zip(&there) {
        let is_right = match need {
            Some(name) => here.strip_prefix("needs ").is_some_and(|message| message.starts_with(name)),
            None => here == there,
        };
        if !is_right {
            differences.push(format!("{expression}\n    embedded: {here}\n    Deno:     {there}"));
        }
    }
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), table.len(), differences.join("\n"));
}

/// Members of real globals that the embedded engine neither has nor refuses.
const WITHOUT: &[&str] = &[
    "Blob#textStream",
    "Event#initialized",
    "EventTarget#getParent",
    "Request#cache",
    "Request#credentials",
    "Request#integrity",
    "Request#keepalive",
    "Request#mode",
    "Request#referrer",
    "Request#referrerPolicy",
    "Request#textStream",
    "Response#textStream",
];

#[test]
fn every_global_of_deno_is_real_or_refused_and_none_is_missing() {
    let Some(deno) = crate::deno::real() else { return };
    // Names and types of all; names of the members of those that are classes.
    let look = "
        const names = () => Object.getOwnPropertyNames(globalThis).sort();
        const isRefused = (value) => { try { void value.anything; return false; } catch { return true; } };
        const members = (name) => {
          const value = globalThis[name];
          if (typeof value !== 'function' || isRefused(value) || name === 'console') return [];
          const own = (object, sign) => Object.getOwnPropertyNames(object ?? {}).filter((member) => member !== 'prototype').map((member) => `${name}${sign}${member}`);
          return [...own(value, '.'), ...own(value.prototype, '#')];
        };";
    let all = |list: &str| format!("{look}\nconst all = [async () => JSON.stringify({list})];");
    let parse = |outcomes: Vec<String>| -> Value {
        let text: String = serde_json::from_str(&outcomes[0]).unwrap_or_else(|error| panic!("{error}: {outcomes:?}"));
        serde_json::from_str(&text).expect("JSON")
    };
    let types = "Object.fromEntries(names().map((name) => [name, typeof globalThis[name]]))";
    let (here, there) = (parse(embedded(&all(types))), parse(in_deno(&deno, &all(types))));
    let as_map = |value: &Value| -> BTreeMap<String, String> { serde_json::from_value(value.clone()).expect("a map") };
    assert_eq!(as_map(&here), as_map(&there));

    // What a class has there is there here, or is inherited, or is refused with the class.
    let listed = parse(in_deno(&deno, &all("names().flatMap(members)")));
    let absent = format!(
        "{listed}.filter((path) => {{
           const [, name, sign, member] = /^([^.#]+)([.#])(.*)$/s.exec(path);
           const value = globalThis[name];
           if (isRefused(value)) return false;
           return !(member in (sign === '.' ? value : value.prototype ?? {{}}));
         }})"
    );
    let absent: Vec<String> = serde_json::from_value(parse(embedded(&all(&absent)))).expect("a list");
    assert_eq!(absent, WITHOUT);
}

#[test]
fn modules_that_use_globals_of_deno_while_they_load_are_indexed() {
    let uses = [
        "new URLPattern({ pathname: '/v1/:id' })",
        "new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' })",
        "new Worker('data:text/javascript,')",
        "new WebSocket('ws://127.0.0.1/')",
        "new BroadcastChannel('news')",
        "new CompressionStream('gzip')",
        "new ImageData(2, 2)",
        "localStorage.getItem('a')",
        "WebAssembly.compile(new Uint8Array(0))",
        "Temporal.Now.instant()",
        "new MessageChannel().port1",
        "new EventSource('http://127.0.0.1/')",
        "new OffscreenCanvas(1, 1).getContext('2d')",
        "caches.open('v1')",
        "navigator.gpu",
        "performance.mark('start')",
        "new (class Quiet extends DOMException {})()",
        "new (class Bus extends EventTarget {})()",
        "new (class Socket extends WebSocket {})('ws://127.0.0.1/')",
        "new Headers({ accept: 'application/json' })",
        "process.hrtime()",
        "setTimeout(() => {}, 10).unref()",
        "RegExp.$1",
    ];
    let sandbox = Sandbox::new("");
    for (index, used) in uses.iter().enumerate() {
        let head = format!("export const used = {used};");
        let model = crate::fixtures::model_with(&head, &format!("@acme/uses-{index}"), "");
        sandbox.write(&format!("extensions/models/uses_{index}.ts"), &model);
    }
    let scan = sandbox.scan(&[]);
    for (index, used) in uses.iter().enumerate() {
        let source = scan.source(&format!("extensions/models/uses_{index}.ts"));
        assert_eq!(source["state"], "Indexed", "{used}: {source:#}");
    }
}
