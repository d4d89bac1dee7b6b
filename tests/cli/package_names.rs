//! What popular packages export, held against a real Deno: the same names, and the same kinds of values behind them.
//!
//! Each package is imported twice in one Deno: as `npm:…`, which is what its authors tried, and as the vendor bundle that
//! a scan made of it. Versions are pinned, so that a difference is one of ours.

use mangrove_testkit::registry::{FakePackage, FakeRegistry};
use serde_json::{Value, json};

use crate::{
    deno,
    fixtures::model_with,
    packages::{command, output_of, registry},
    sandbox::Sandbox,
};

/// What is imported, by the shape for which it is here.
const PACKAGES: [(&str, &[&str]); 8] = [
    (
        "ES modules only",
        &[
            "nanoid@5.0.9",
            "chalk@5.3.0",
            "is-plain-obj@4.1.0",
            "yocto-queue@1.1.1",
            "marked@15.0.6",
            "node-fetch@3.3.2",
        ],
    ),
    (
        "CommonJS with a function or a class, or written by a compiler",
        &[
            "ms@2.1.3",
            "chalk@4.1.2",
            "minimist@1.2.8",
            "lodash@4.17.21",
            "dayjs@1.11.13",
            "mustache@4.2.0",
            "bcryptjs@2.4.3",
            "fast-json-patch@3.1.1",
            "jsonwebtoken@9.0.2",
            "deepmerge@4.3.1",
        ],
    ),
    (
        "CommonJS in many files that hand names on",
        &[
            "semver@7.6.3",
            "debug@4.4.0",
            "fs-extra@11.2.0",
            "mime-types@2.1.35",
            "iconv-lite@0.6.3",
            "express@4.21.2",
            "node-fetch@2.7.0",
            "react@18.3.1",
        ],
    ),
    (
        "CommonJS that asks where it runs while it loads",
        &["undici@6.21.0", "ioredis@5.4.2", "winston@3.17.0", "pino@9.6.0", "@slack/web-api@7.8.0", "dotenv@16.4.7"],
    ),
    (
        "both forms, by `exports` or by `module`",
        &[
            "uuid@9.0.1",
            "js-yaml@4.1.0",
            "yaml@2.6.1",
            "zod@3.24.1",
            "commander@12.1.0",
            "tslib@2.8.1",
            "axios@1.7.9",
            "@smithy/shared-ini-file-loader@4.0.0",
        ],
    ),
    ("native code that is optional", &["ws@8.18.0", "pg@8.13.1", "ssh2@1.16.0", "chokidar@3.6.0"]),
    ("`imports` of its own, and JSON", &["p-limit@5.0.0", "mime-db@1.53.0", "mime-db@1.53.0/db.json"]),
    (
        "deep paths",
        &["dayjs@1.11.13/plugin/utc.js", "ajv@8.17.1/dist/2020.js", "rxjs@7.8.1/operators", "react@18.3.1/jsx-runtime"],
    ),
];

/// Compares each specifier with the file that stands beside it, and prints what differs as JSON.
const COMPARE: &str = r#"
const pairs = JSON.parse(Deno.readTextFileSync("pairs.json"));
const kind = (read) => {
  try {
    const value = read();
    return value === null ? "null" : typeof value;
  } catch (error) {
    return `throws ${error}`;
  }
};
const kinds = (module) => Object.fromEntries(Object.keys(module).sort().map((name) => [name, kind(() => module[name])]));
const look = (specifier, options) =>
  import(specifier, options).then(kinds, (error) => ({ "cannot be imported": String(error).split("\n")[0] }));
const differences = {};
for (const [specifier, file] of pairs) {
  const attributes = specifier.endsWith(".json") ? { with: { type: "json" } } : undefined;
  const theirs = await look(specifier, attributes);
  const ours = await look(new URL(file, import.meta.url).href);
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
    if (theirs[name] === ours[name]) continue;
    (differences[specifier] ??= {})[name] = [theirs[name] ?? "absent", ours[name] ?? "absent"];
  }
}
Deno.writeTextFileSync("differences.json", JSON.stringify(differences));
Deno.exit(0);
"#;

fn model(index: usize, specifier: &str) -> String {
    let (form, attributes) =
        if specifier.ends_with(".json") { ("all", " with { type: 'json' }") } else { ("* as all", "") };
    format!(
        "import {form} from '{specifier}'{attributes};
export const model = {{
  type: '@names/p{index}',
  version: '2026.05.23.1',
  methods: {{
    look: {{
      description: 'Names what it imports',
      arguments: {{ _def: {{}}, parse: (given: unknown) => given, safeParse: (data: unknown) => ({{ success: true, data }}), toJSONSchema: () => ({{ type: 'object' }}) }},
      execute: async () => ({{ names: Object.keys(all) }}),
    }},
  }},
}};
"
    )
}

/// The file of a vendor bundle below the root for a specifier such as `npm:a@1.2.3/b`.
fn vendor_file(sandbox: &Sandbox, specifier: &str) -> String {
    let bare = specifier.trim_start_matches("npm:");
    let at = 1 + bare[1..].find('@').expect("a version");
    let (name, rest) = bare.split_at(at);
    let (version, path) =
        rest[1..].split_once('/').map_or((&rest[1..], String::new()), |(version, path)| (version, format!("/{path}")));
    let store = sandbox.tree.path(".mangrove/bundles/vendor");
    for directory in std::fs::read_dir(&store).expect("the store") {
        let directory = directory.expect("an entry").path();
        let Ok(unit) = std::fs::read_to_string(directory.join("unit.json")) else { continue };
        let unit: Value = serde_json::from_str(&unit).expect("JSON");
        let file = unit["entries"][format!("{name}{path}")].as_str();
        if let Some(file) = file.filter(|_| unit["package"] == format!("{name}@{version}")) {
            let digest = directory.file_name().and_then(|name| name.to_str()).expect("a digest");
            return format!("./.mangrove/bundles/vendor/{digest}/{file}");
        }
    }
    panic!("no vendor bundle of {specifier}");
}

#[test]
fn popular_packages_export_what_deno_finds_in_them() {
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    let (Some(registry), Some(deno)) = (registry(), deno::real()) else {
        assert!(!is_ci, "the gate compares packages with Deno: it needs a registry");
        return;
    };
    let sandbox = Sandbox::new("");
    let specifiers: Vec<String> =
        PACKAGES.iter().flat_map(|(_, specifiers)| *specifiers).map(|specifier| format!("npm:{specifier}")).collect();
    assert!(specifiers.len() >= 40, "{}", specifiers.len());
    for (index, specifier) in specifiers.iter().enumerate() {
        sandbox.write(&format!("extensions/models/p{index}.ts"), &model(index, specifier));
    }
    let scanned = output_of(command(&sandbox, &registry).args(["scan", "--strict"]));
    assert_eq!(scanned.code, 0, "{scanned}");
    let pairs: Vec<[String; 2]> =
        specifiers.iter().map(|specifier| [specifier.clone(), vendor_file(&sandbox, specifier)]).collect();
    sandbox.write("pairs.json", &serde_json::to_string(&pairs).expect("JSON"));
    sandbox.write("compare.mjs", COMPARE);
    let compared = std::process::Command::new(&deno)
        .args(["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--node-modules-dir=none", "--allow-all"])
        .arg("compare.mjs")
        .current_dir(sandbox.tree.root())
        .env("NPM_CONFIG_REGISTRY", &registry)
        .env("DENO_DIR", sandbox.tree.path("deno-cache"))
        .output()
        .expect("Deno starts");
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
    let differences = sandbox.tree.read("differences.json").expect("it was written");
    let differences: Value = serde_json::from_str(&differences).expect("JSON");
    assert_eq!(differences, serde_json::json!({}), "specifier, then name: [Deno's, ours]\n{differences:#}");
}

/// What is written of built-in modules (`crates/infra/src/bundler/builtin_names.txt`): a name that a real Deno has and
/// that is not there would be refused.
#[test]
fn every_name_of_a_built_in_module_is_known() {
    let Some(deno) = deno::real() else { return };
    let sandbox = Sandbox::new("");
    let script = "
        import { builtinModules } from 'node:module';
        for (const module of new Set([...builtinModules, 'test', 'sqlite'])) {
          const name = module.replace('node:', '');
          const names = await import(`node:${name}`).then(Object.keys, () => []);
          console.log(`${name}: ${names.sort().join(' ')}`);
        }";
    sandbox.write("names.mjs", script);
    let listed = std::process::Command::new(&deno)
        .args(["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--allow-all", "names.mjs"])
        .current_dir(sandbox.tree.root())
        .env("DENO_DIR", sandbox.tree.path("deno-cache"))
        .output()
        .expect("Deno starts");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let written = include_str!("../../crates/infra/src/bundler/builtin_names.txt");
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let unknown = |line: &&str| {
        let Some((module, names)) = line.split_once(": ") else { return false };
        let known = written.lines().find_map(|line| line.strip_prefix(&format!("{module}: "))).unwrap_or_default();
        !names.split(' ').filter(|name| !name.is_empty()).all(|name| known.split(' ').any(|known| known == name))
    };
    let unknown: Vec<&str> = listed.lines().filter(unknown).collect();
    assert!(listed.lines().count() > 50 && unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn fault_52_what_cannot_be_linked_is_not_ready() {
    let registry = FakeRegistry::start().expect("a free port");
    let common_js = |name: &str, text: &str| {
        FakePackage::new(name, "1.2.3").metadata("type", json!("commonjs")).file("index.js", text)
    };
    registry.publish(FakePackage::new("esm", "1.2.3").file("index.js", "export const found = 'found';"));
    registry.publish(common_js("cjs", "exports.found = 'found'; for (const name of ['made']) exports[name] = name;"));
    registry.publish(
        FakePackage::new("misfit", "1.2.3")
            .dependency("esm", "1.2.3")
            .peer("esm", "1.2.3")
            .file("index.js", "import { gone } from 'esm'; export const found = gone;"),
    );
    let sandbox = Sandbox::new("");
    sandbox.write(".npmrc", &format!("registry={}\n", registry.url()));
    for (name, import, told) in [
        (
            "esm",
            "import { fuond } from 'npm:esm@1'; export const kept = fuond;",
            "`npm:esm@1` exports no `fuond` (esm@1.2.3); it exports `found`",
        ),
        (
            "default",
            "import esm from 'npm:esm@1'; export const kept = esm;",
            "`npm:esm@1` exports no `default` (esm@1.2.3)",
        ),
        (
            "cjs",
            "import cjs, { WebClient } from 'npm:cjs@1'; export const kept = [cjs, WebClient];",
            "`npm:cjs@1` exports no `WebClient` (cjs@1.2.3)",
        ),
        (
            "between",
            "import { found } from 'npm:misfit@1'; export const kept = found;",
            "the package misfit@1.2.3 imports `gone` from `esm`, and esm@1.2.3 exports no such name",
        ),
        ("built-in", "import { jion } from 'node:path'; export const kept = jion;", "imports `jion` from `node:path`"),
    ] {
        let source = format!("extensions/models/{name}.ts");
        sandbox.write(&source, &model_with(import, &format!("@links/{name}"), ""));
        let scan = sandbox.scan(&[]);
        let failure = &scan.source(&source)["failure"];
        assert_eq!(failure["code"], "MG0208", "{name}: {failure:#}");
        let message = failure["message"].as_str().unwrap_or_default();
        assert!(message.contains(told), "{name}: {message}");
        let strict = sandbox.run(&["scan", "--strict"]);
        assert_eq!(strict.code, 1, "{name}: {strict}");
        assert!(!strict.stderr.contains("vendor/"), "in the words of the package: {strict}");
        // The name is corrected, and all is well.
        let corrected =
            import.replace("fuond", "found").replace("import esm", "import * as esm").replace("WebClient", "made");
        let corrected = corrected.replace("jion", "join").replace("npm:misfit", "npm:esm");
        sandbox.write(&source, &model_with(&corrected, &format!("@links/{name}"), ""));
        let strict = sandbox.run(&["scan", "--strict"]);
        assert_eq!(strict.code, 0, "{name}: {strict}");
    }
}

/// A member that only running the package shows is imported by name, in the embedded engine, and by whoever takes the
/// whole it is not seen.
#[test]
fn names_that_only_running_shows_can_be_imported() {
    let registry = FakeRegistry::start().expect("a free port");
    registry.publish(
        FakePackage::new("made", "1.0.0")
            .metadata("type", json!("commonjs"))
            .file("index.js", "exports.written = 'written'; for (const name of ['made']) exports[name] = name;"),
    );
    let sandbox = Sandbox::new("");
    sandbox.write(".npmrc", &format!("registry={}\n", registry.url()));
    sandbox.write(
        "lib/whole.ts",
        "import * as whole from 'npm:made@1';\nexport const names = Object.keys(whole).join(' ');\n",
    );
    let text = "import { made, written } from 'npm:made@1'; import { names } from '../../lib/whole.ts';\nexport const said = [made, written, names].join(', ');";
    sandbox.write("extensions/models/a.ts", &format!("{}\n", model_with(text, "@links/made", "description: said,")));
    assert_eq!(sandbox.run(&["scan", "--strict"]).code, 0);
    sandbox.write("models/@links/made/a.yaml", "id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a01\nname: a\nversion: 1\n");
    sandbox.edit(
        "extensions/models/a.ts",
        "context.logger.info(`hello ${args.name}`)",
        "context.logger.info(`said ${said}`)",
    );
    let run = sandbox.run(&["model", "run", "a", "greet"]);
    assert!(
        format!("{}{}", run.stdout, run.stderr).contains("said made, written, default module.exports written"),
        "{run}"
    );
    for form in [&["--self-contained"][..], &[]] {
        let bundled = sandbox.run(&[&["bundle", "extensions/models/a.ts", "-o", "out.js"], form].concat());
        assert_eq!(bundled.code, 0, "{form:?}: {bundled}");
    }
}
