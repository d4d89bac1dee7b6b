//! What popular packages do, held against a real Deno: one call of each that does something, in the embedded engine, where
//! there is no Deno, and in Deno itself. The values are the same, or what is missing is named.

use std::{collections::BTreeMap, path::Path, process::Command, thread};

use mangrove_testkit::registry::{FakePackage, FakeRegistry};
use serde_json::{Value, json};

use crate::{
    deno,
    packages::{command, output_of, registry},
    sandbox::Sandbox,
};

/// A package that is imported as `m`, an expression of it, and what the embedded engine names if it cannot do it.
type Case = (&'static str, &'static str, Option<&'static str>);

const CASES: &[Case] = &[
    // CommonJS that is not strict, or that a compiler wrote.
    (
        "lodash@4.17.21",
        "[m.default.camelCase('Foo bar'), m.default.cloneDeep({ a: [new Date(0), new Map([[1, 2]])] }), m.default.chunk([1, 2, 3], 2), m.default.template('<%= a %>!')({ a: 1 })]",
        None,
    ),
    ("moment@2.30.1", "m.default.utc('2026-02-03T04:05:06Z').add(1, 'month').format('YYYY-MM-DD dddd HH:mm')", None),
    ("moment@2.30.1/moment.js", "m.default.locale('de') + m.default.utc(0).format('dddd')", None),
    (
        "handlebars@4.7.8",
        "m.default.compile('{{#each list}}<{{this}}>{{/each}} {{{raw}}}')({ list: [1, 2], raw: '&' })",
        None,
    ),
    ("ms@2.1.3", "[m.default('2 days'), m.default(60000)]", None),
    ("minimist@1.2.8", "m.default(['--a=1', '-b', 'c'])", None),
    ("dayjs@1.11.13", "m.default('2026-02-03').add(3, 'day').format('YYYY/MM/DD')", None),
    ("mustache@4.2.0", "m.default.render('{{a}} {{#b}}x{{/b}}', { a: '<', b: [1, 2] })", None),
    ("deepmerge@4.3.1", "m.default({ a: [1] }, { a: [2], b: 1 })", None),
    ("fast-json-patch@3.1.1", "m.default.compare({ a: 1 }, { a: 2, b: 3 })", None),
    (
        "semver@7.6.3",
        "[m.default.satisfies('1.2.3', '^1.0.0'), m.default.inc('1.2.3', 'minor'), m.default.sort(['2.0.0', '1.0.0'])]",
        None,
    ),
    (
        "debug@4.4.0",
        "(() => { const log = m.default('a'); return [log.enabled, m.default.enabled('a')]; })()",
        Some("node:"),
    ),
    ("mime-types@2.1.35", "[m.default.lookup('a.json'), m.default.extension('text/html')]", Some("node:path")),
    (
        "ajv@8.17.1",
        "(() => { const Ajv = m.default.default; const check = new Ajv().compile({ type: 'object', required: ['a'] }); return [check({}), check({ a: 1 }), check.errors]; })()",
        None,
    ),
    ("bluebird@3.7.2", "m.default.map([1, 2, 3], (n) => n * 2)", Some("process.version")),
    ("async@3.2.6", "m.default.mapSeries([1, 2], async (n) => n + 1)", None),
    ("underscore@1.13.7", "m.default.groupBy([1, 2, 3], (n) => n % 2)", None),
    ("immutable@4.3.7", "m.default.Map({ a: 1 }).set('b', 2).toJS()", None),
    ("bignumber.js@9.1.2", "new m.default('0.1').plus('0.2').toString()", None),
    ("decimal.js@10.4.3", "new m.default('0.1').plus('0.2').toString()", None),
    ("big.js@6.2.2", "new m.default('0.1').plus('0.2').toString()", None),
    ("qs@6.13.1", "[m.default.parse('a[b]=1&c[]=2'), m.default.stringify({ a: { b: [1, 2] } })]", None),
    ("validator@13.12.0", "[m.default.isEmail('a@b.example'), m.default.isURL('nothing')]", None),
    ("escape-html@1.0.3", "m.default('<a>')", None),
    ("he@1.2.0", "[m.default.encode('ä<'), m.default.decode('&auml;')]", None),
    ("js-beautify@1.15.1", "m.default.js('a(){b}')", None),
    ("esprima@4.0.1", "m.default.parseScript('a = 1').body.length", None),
    ("acorn@8.14.0", "m.parse('a = 1', { ecmaVersion: 2020 }).body[0].type", None),
    ("sprintf-js@1.1.3", "m.default.sprintf('%05.2f %s', 3.14159, 'x')", None),
    ("crypto-js@4.2.0", "m.default.SHA256('a').toString()", None),
    (
        "bcryptjs@2.4.3",
        "m.default.compareSync('a', '$2a$04$1234567890123456789012u2sFOwJqJTzYVKcJZiMYyWmM1ZqDCYm')",
        None,
    ),
    ("js-md5@0.8.3", "m.default('a')", None),
    ("color@4.2.3", "m.default('#ff0000').hsl().string()", None),
    ("graphql@16.10.0", "m.parse('{ a }').definitions[0].kind", None),
    ("xml2js@0.6.2", "m.default.parseStringPromise('<a b=\"1\">x</a>')", Some("node:")),
    ("fast-xml-parser@4.5.1", "new m.XMLParser({ ignoreAttributes: false }).parse('<a b=\"1\">x</a>')", None),
    ("papaparse@5.4.1", "m.default.parse('a,b\\n1,2', { header: true }).data", None),
    ("ejs@3.1.10", "m.default.render('<%= a %>', { a: 1 })", None),
    ("pluralize@8.0.0", "[m.default('mouse', 2), m.default.singular('cats')]", None),
    ("clone@2.1.2", "m.default({ a: [1, { b: 2 }] })", None),
    ("object-hash@3.0.0", "m.default({ a: 1 })", Some("node:crypto")),
    ("regenerator-runtime@0.14.1", "typeof m.default.wrap", None),
    // ES modules, or both forms.
    ("nanoid@5.0.9", "m.nanoid(8).length", Some("Buffer")),
    ("chalk@5.3.0", "m.default.red('a')", Some("node:")),
    ("marked@15.0.6", "m.marked.parse('# a *b*')", None),
    ("uuid@9.0.1", "[m.v5('a', m.v5.URL), m.validate(m.v4())]", Some("node:crypto")),
    ("js-yaml@4.1.0", "[m.load('a: [1, b]'), m.dump({ a: [1, { b: null }] })]", None),
    ("yaml@2.6.1", "[m.parse('a: [1, b]'), m.stringify({ a: 1 })]", None),
    ("zod@3.24.1", "m.z.object({ a: m.z.string() }).safeParse({ a: 1 }).success", None),
    ("commander@12.1.0", "typeof m.Command", Some("node:events")),
    ("tslib@2.8.1", "m.__rest({ a: 1, b: 2 }, ['a'])", None),
    ("rxjs@7.8.1", "m.lastValueFrom(m.of(1, 2, 3).pipe(m.map((n) => n * 2), m.toArray()))", None),
    ("p-limit@5.0.0", "Promise.all([1, 2].map((n) => m.default(1)(async () => n)))", Some("node:async_hooks")),
    ("date-fns@4.1.0", "m.format(new Date(2026, 1, 3), 'yyyy-MM-dd EEEE')", None),
    (
        "luxon@3.5.0",
        "m.DateTime.fromISO('2026-02-03T00:00:00Z', { zone: 'utc' }).plus({ days: 1 }).toISO()",
        Some("Intl"),
    ),
    ("ramda@0.30.1", "m.pipe(m.filter((n) => n > 1), m.sum)([1, 2, 3])", None),
    ("ini@5.0.0", "[m.parse('[a]\\nb=1'), m.stringify({ a: { b: 1 } })]", None),
    ("diff@7.0.0", "m.diffWords('a b', 'a c').length", None),
    ("liquidjs@10.20.0", "new m.Liquid().parseAndRender('{{ a | upcase }}', { a: 'x' })", Some("node:")),
    ("jsonpath-plus@10.2.0", "m.JSONPath({ path: '$.a[*]', json: { a: [1, 2] } })", None),
    ("picomatch@4.0.2", "m.default('*.js')('a.js')", None),
    ("minimatch@10.0.1", "m.minimatch('a/b.js', '**/*.js')", None),
    ("smol-toml@1.3.1", "m.parse('a = [1, 2]')", None),
    ("@iarna/toml@2.2.5", "m.default.parse('a = [1, 2]').a", None),
];

const SHOW: &str = r#"
const show = (value, depth = 0) => {
  if (depth > 6) return "…";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (value instanceof Map) return `Map(${show([...value], depth + 1)})`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (Array.isArray(value)) return `[${value.map((item) => show(item, depth + 1)).join()}]`;
  return `{${Object.keys(value).map((key) => `${key}:${show(value[key], depth + 1)}`)}}`;
};
"#;

fn model(index: usize, (specifier, expression, _): &Case) -> String {
    format!(
        "import * as m from 'npm:{specifier}';
{SHOW}
const anything = {{ _def: {{}}, parse: (given: unknown) => given, safeParse: (data: unknown) => ({{ success: true, data }}), toJSONSchema: () => ({{ type: 'object' }}) }};
export const model = {{
  type: '@calls/p{index}',
  version: '2026.05.23.1',
  methods: {{
    look: {{
      description: 'Does something',
      arguments: anything,
      execute: async (_arguments, context) => {{
        context.logger.info('gave <<' + encodeURIComponent(show(await ({expression}))) + '>>');
        return {{ dataHandles: [] }};
      }},
    }},
  }},
}};
"
    )
}

/// What stands between the marks, or the whole text.
fn told(text: &str) -> String {
    text.split_once("<<")
        .and_then(|(_, rest)| rest.split_once(">>"))
        .map_or_else(|| text.to_owned(), |(told, _)| told.to_owned())
}

fn in_deno(deno: &Path, registry: &str, sandbox: &Sandbox, cases: &[Case]) -> BTreeMap<String, String> {
    let mut script = format!("{SHOW}\nconst all = {{}};\n");
    for (specifier, expression, _) in cases {
        script.push_str(&format!(
            "try {{ const m = await import('npm:{specifier}'); all['{specifier}'] = encodeURIComponent(show(await ({expression}))); }} \
             catch (error) {{ all['{specifier}'] = `threw ${{error}}`; }}\n"
        ));
    }
    script.push_str("Deno.writeTextFileSync('calls.json', JSON.stringify(all));\nDeno.exit(0);\n");
    sandbox.write("calls.mjs", &script);
    let output = Command::new(deno)
        .args(["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--node-modules-dir=none", "--allow-all"])
        .arg("calls.mjs")
        .current_dir(sandbox.tree.root())
        .env("NPM_CONFIG_REGISTRY", registry)
        .env("DENO_DIR", sandbox.tree.path("deno-cache"))
        .env("NO_COLOR", "1")
        .output()
        .expect("Deno starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&sandbox.tree.read("calls.json").expect("it was written")).expect("JSON")
}

#[test]
fn popular_packages_do_what_they_do_in_deno_or_name_what_they_need() {
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    let (Some(registry), Some(deno)) = (registry(), deno::real()) else {
        assert!(!is_ci, "the gate compares packages with Deno: it needs a registry");
        return;
    };
    assert!(CASES.len() >= 40, "{}", CASES.len());
    compare(&deno, &registry, CASES);
}

/// What the text of a `CommonJS` module may do, and does differently where it is strict.
#[test]
fn common_js_runs_as_node_runs_it() {
    let Some(deno) = deno::real() else { return };
    let registry = FakeRegistry::start().expect("a free port");
    let common_js = |name: &str, text: &str| {
        FakePackage::new(name, "1.0.0").metadata("type", json!("commonjs")).file("index.js", text)
    };
    registry.publish(common_js(
        "sloppy",
        "#!/usr/bin/env node
// Not strict: what follows is an error elsewhere.
var told = exports.told = {};
told.top = this === module.exports;
told.count = arguments.length;
told.octal = [010, '\\101'];
madeHere = 7;
told.global = globalThis.madeHere;
told.of = (function () { return this === globalThis; })();
told.boxed = typeof (function () { return this; }).call('a');
told.callee = (function (n) { return n < 2 ? 1 : n * arguments.callee(n - 1); })(5);
told.shared = (function (a) { arguments[0] = 2; return a; })(1);
function twice(a, a) { return a; }
told.twice = twice(1, 2);
with ({ inside: 3 }) told.inside = inside;
var frozen = Object.freeze({ a: 1 });
frozen.a = 2;
told.frozen = frozen.a;
told.removed = delete Object.prototype;
undefined = 1;
told.undefined = typeof undefined;
{ function inner() { return 'inner'; } }
told.inner = typeof inner;
eval('var evaluated = 9');
told.evaluated = evaluated;
told.module = [typeof module.id, module.loaded, Array.isArray(module.children), typeof require, typeof require.resolve, require.main === module];
told.names = [typeof __filename, typeof __dirname];
told.json = require('./data.json');
told.read = ['de', 'fr'].map(function (name) { return require('./locale/' + name).name; });
told.template = require(`./locale/${'de'}.js`).name;
var kept = require;
told.kept = kept('./other/' + 'one').one;
try { require('./locale/' + 'none'); } catch (error) { told.missing = error.code; }
told.later = import('./later.mjs').then(function (later) { return [later.asked, later.default]; });
if (told.top) return;
told.end = 'not reached';
",
    )
    .file("data.json", "\u{feff}{\"a\": [1]}")
    .file("locale/de.js", "exports.name = 'Deutsch'")
    .file("locale/fr.js", "'use strict'; exports.name = 'francais'")
    .file("other/one.js", "exports.one = 1")
    .file("later.mjs", "export const asked = typeof require; export default 'later';"));
    registry.publish(common_js(
        "strict",
        "'use strict'; exports.of = (function () { return typeof this; })(); try { madeThere = 1; } catch (error) { exports.told = error.name; }
         exports.all = ['a', 'b'].map((name) => require('./parts/' + name));",
    )
    .file("parts/a.js", "module.exports = 'A'; value = 1;")
    .file("parts/b.json", "{\"b\": 2}"));
    registry.publish(common_js("empty", "// Nothing at all."));
    let cases: &[Case] = &[
        ("sloppy@1.0.0", "(async ({ later, ...told }) => ({ ...told, later: await later }))(m.default.told)", None),
        ("strict@1.0.0", "m.default", None),
        ("empty@1.0.0", "m.default", None),
    ];
    compare(&deno, &registry.url(), cases);
}

fn compare(deno: &Path, registry: &str, cases: &[Case]) {
    let sandbox = Sandbox::new("");
    // They look for variables that they are configured by.
    let marker = "repoId: 00000000-0000-4000-8000-000000000001\npermissions: { \"*\": { env: true } }\n";
    sandbox.write("mangrove.yaml", marker);
    for (index, case) in cases.iter().enumerate() {
        sandbox.write(&format!("extensions/models/p{index}.ts"), &model(index, case));
        let id = format!("id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a{index:02}\nname: p{index}\nversion: 1\n");
        sandbox.write(&format!("models/@calls/p{index}/p{index}.yaml"), &id);
    }
    let scanned = output_of(command(&sandbox, registry).args(["scan", "--json"]));
    let document: Value = scanned.document();
    let failed: Vec<String> = document["sources"]
        .as_array()
        .expect("sources")
        .iter()
        .filter(|source| source["state"] != "Indexed")
        .map(|source| format!("{} {}", source["path"], source["failure"]))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let expected = in_deno(deno, registry, &sandbox, cases);
    let embedded = &|index: usize| {
        let mut command = command(&sandbox, registry);
        command.env("PATH", "/nowhere").args(["--offline", "model", "run", &format!("p{index}"), "look"]);
        let output = output_of(&mut command);
        told(&format!("{}{}", output.stdout, output.stderr))
    };
    let mut differences = Vec::new();
    let indices: Vec<usize> = (0..cases.len()).collect();
    thread::scope(|scope| {
        let halves = indices.chunks(indices.len().div_ceil(2));
        let workers: Vec<_> = halves
            .map(|half| scope.spawn(move || half.iter().map(|index| (*index, embedded(*index))).collect::<Vec<_>>()))
            .collect();
        for (index, found) in workers.into_iter().flat_map(|worker| worker.join().expect("it ends")) {
            let (specifier, _, needs) = cases[index];
            let is_right = match needs {
                Some(name) => found.contains("MG0225") && found.contains(name),
                None => found == expected[specifier],
            };
            if !is_right {
                differences.push(format!("{specifier}\n    embedded: {found}\n    Deno:     {}", expected[specifier]));
            }
        }
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
