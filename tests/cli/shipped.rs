//! Bundles that pulled extensions ship, from the command line: a source with an import that nothing maps.

use std::fs;

use mangrove_testkit::registry::{FakePackage, FakeRegistry};
use serde_json::{Value, json};

use crate::{
    fixtures::{model, model_with},
    sandbox::{Output, Sandbox, Scan},
};

const ROOT: &str = ".swamp/pulled-extensions/@acme/tools";
const SOURCE: &str = "models/shouter.ts";
pub(crate) const LOCKFILE: &str = "extensions/models/upstream_extensions.json";
pub(crate) const BUNDLE: &str = ".swamp/pulled-extensions/@acme/tools/.swamp/models-bundles/shouter.js";

const DEFINITION: &str = "//- /models/@acme/shouter/11111111-1111-4111-8111-111111111111.yaml
id: 11111111-1111-4111-8111-111111111111
name: shouter
version: 1
";

const WORKFLOW: &str = "//- /workflows/hello.yaml
id: 22222222-2222-4222-8222-222222222222
name: hello
jobs:
  - name: only
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: shouter, methodName: greet, inputs: { name: world } }
";

/// A repository with one pulled extension that cannot be built here, and the bundle that it ships.
pub(crate) fn world() -> Sandbox {
    let sandbox = Sandbox::new(&[DEFINITION, WORKFLOW].concat());
    pull(&sandbox, "2026-01-01T00:00:00Z", "shipped");
    sandbox
}

/// The extension as a pull at this time leaves it: its source, and a bundle whose method logs this word.
fn pull(sandbox: &Sandbox, at: &str, word: &str) {
    let entry = json!({ "@acme/tools": { "version": "2026.01.01.1", "pulledAt": at, "files": [SOURCE] } });
    sandbox.write(LOCKFILE, &entry.to_string());
    sandbox.write(&format!("{ROOT}/{SOURCE}"), &source("built"));
    sandbox.write(BUNDLE, &bundle(word));
}

/// Imports a package by a bare name, and logs what it says.
fn source(word: &str) -> String {
    let head = "import { shout } from \"shout\";\nexport const said = shout();";
    model_with(head, "@acme/shouter", "").replace("hello ${", &format!("{word} ${{"))
}

fn bundle(word: &str) -> String {
    model("@acme/shouter").replace("hello ${", &format!("{word} ${{"))
}

fn row(scan: &Scan) -> (String, Value, Value, Value) {
    let source = scan.source(SOURCE);
    let text = source["state"].as_str().unwrap_or_default().to_owned();
    (text, source["degraded"].clone(), source["failure"]["code"].clone(), source["shipped"]["digest"].clone())
}

fn told(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

/// What the workflow's method logged.
fn ran(sandbox: &Sandbox) -> String {
    let output = sandbox.run(&["workflow", "run", "hello"]);
    assert_eq!(output.code, 0, "{output}");
    let text = told(&output);
    let word =
        ["shipped world", "built world", "evil world", "second world"].into_iter().find(|word| text.contains(word));
    word.unwrap_or_else(|| panic!("nothing was logged: {text}")).to_owned()
}

fn sha256(text: &str) -> Value {
    Value::from(mangrove_domain::digest::Digest::of(text.as_bytes()).to_string())
}

#[test]
fn a_shipped_bundle_is_used_where_nothing_can_be_built_and_this_is_said_everywhere() {
    let sandbox = world();
    let scan = sandbox.scan(&["--strict"]);
    let digest = sha256(&bundle("shipped"));
    assert_eq!(row(&scan), ("Indexed".to_owned(), json!(false), Value::Null, digest.clone()));
    let shipped = &scan.source(SOURCE)["shipped"];
    assert_eq!(shipped["unmapped"], json!(["shout"]));
    assert_eq!(shipped["pull"], "2026.01.01.1 pulled 2026-01-01T00:00:00Z");
    assert_eq!(sandbox.scan(&[]).built(), 0);
    let described = sandbox.json(&["describe", "@acme/shouter"]);
    assert_eq!((&described["shipped"]["digest"], &described["methods"][0]["name"]), (&digest, &json!("greet")));
    assert_eq!(sandbox.json(&["types"])["types"][0]["shipped"]["digest"], digest);
    assert_eq!(ran(&sandbox), "shipped world");
    let short = &digest.as_str().unwrap_or_default()[..12];
    for command in [&["why", "@acme/shouter"][..], &["describe", "@acme/shouter"], &["doctor"]] {
        let output = sandbox.run(command);
        assert_eq!(output.code, 0, "{command:?}: {output}");
        let text = told(&output);
        assert!(text.contains(short) && text.contains("`shout`"), "{command:?}: {text}");
    }
    let problems = sandbox.json(&["doctor"])["problems"].clone();
    assert_eq!((&problems[0]["code"], &problems[0]["severity"]), (&json!("MG0420"), &json!("info")), "{problems:#}");
    assert_eq!(sandbox.run(&["explain", "MG0420"]).code, 0);
    // The bytes are in the store, as they are.
    let stored = sandbox.bundles();
    assert_eq!(stored.len(), 1);
    assert_eq!(fs::read_to_string(&stored[0]).expect("a bundle"), bundle("shipped"));
}

#[test]
fn fault_05_a_tampered_bundle_never_runs() {
    let sandbox = world();
    sandbox.scan(&[]);
    sandbox.write(BUNDLE, &bundle("evil"));
    let accepted = sha256(&bundle("shipped"));
    for _ in 0..2 {
        let scan = sandbox.scan(&[]);
        assert_eq!(row(&scan), ("Indexed".to_owned(), json!(true), json!("MG0421"), accepted.clone()));
        assert_eq!(ran(&sandbox), "shipped world");
    }
    let text = told(&sandbox.run(&["scan"]));
    assert!(text.contains("MG0421") && text.contains("pull the extension again"), "{text}");
    // The bundle that was accepted is lost as well.
    fs::remove_dir_all(sandbox.tree.path(".mangrove/bundles")).expect("the store");
    let output = sandbox.run(&["workflow", "run", "hello"]);
    assert_ne!(output.code, 0, "{output}");
    assert!(told(&output).contains("is not the one that was accepted"), "{output}");
    let scan = sandbox.scan(&[]);
    assert_eq!(row(&scan), ("BundleBuildFailed".to_owned(), json!(false), json!("MG0421"), Value::Null));
    // The old file is put back.
    sandbox.write(BUNDLE, &bundle("shipped"));
    assert_eq!(row(&sandbox.scan(&[])), ("Indexed".to_owned(), json!(false), Value::Null, accepted));
}

#[test]
fn fault_05_changed_sources_are_not_hidden_by_the_old_bundle() {
    let sandbox = world();
    sandbox.scan(&[]);
    sandbox.write(&format!("{ROOT}/{SOURCE}"), &source("changed"));
    for _ in 0..2 {
        let scan = sandbox.scan(&[]);
        assert_eq!(row(&scan), ("BundleBuildFailed".to_owned(), json!(false), json!("MG0207"), Value::Null));
    }
    let output = sandbox.run(&["workflow", "run", "hello"]);
    assert_ne!(output.code, 0, "{output}");
    assert!(told(&output).contains("nothing says which package"), "{output}");
    assert!(told(&sandbox.run(&["why", SOURCE])).contains("was accepted for other sources"), "it says why");
    // A new process, and a lockfile that says that somebody pulled: the file is still the old one.
    let entry = json!({ "@acme/tools": { "version": "2026.02.01.1", "pulledAt": "2026-02-01T00:00:00Z" } });
    sandbox.write(LOCKFILE, &entry.to_string());
    assert_eq!(row(&sandbox.scan(&[])).0, "BundleBuildFailed");
    // With the sources comes back what was accepted for them.
    sandbox.write(&format!("{ROOT}/{SOURCE}"), &source("built"));
    assert_eq!(row(&sandbox.scan(&[])).0, "Indexed");
    assert_eq!(ran(&sandbox), "shipped world");
}

#[test]
fn a_new_pull_is_a_new_acceptance() {
    let sandbox = world();
    sandbox.scan(&[]);
    pull(&sandbox, "2026-03-01T00:00:00Z", "second");
    let expected = sha256(&bundle("second"));
    assert_eq!(row(&sandbox.scan(&[])), ("Indexed".to_owned(), json!(false), Value::Null, expected));
    assert_eq!(ran(&sandbox), "second world");
}

#[test]
fn a_configuration_that_appears_has_it_built_and_a_registry_that_is_down_changes_nothing() {
    let registry = FakeRegistry::start().expect("a free port");
    registry.publish(FakePackage::new("shout", "1.0.0").file("index.js", "export const shout = () => 1;\n"));
    let sandbox = world();
    sandbox.write(".npmrc", &format!("registry={}\n", registry.url()));
    sandbox.scan(&[]);
    registry.go_down();
    let config = format!("{ROOT}/deno.json");
    sandbox.write(&config, r#"{ "imports": { "shout": "npm:shout@1" } }"#);
    let scan = sandbox.scan(&[]);
    let accepted = sha256(&bundle("shipped"));
    assert_eq!(row(&scan), ("Indexed".to_owned(), json!(true), json!("MG0301"), accepted), "a working type works on");
    assert_eq!(ran(&sandbox), "shipped world");
    registry.come_up().expect("the port is still free");
    assert_eq!(row(&sandbox.scan(&[])), ("Indexed".to_owned(), json!(false), Value::Null, Value::Null));
    assert_eq!(ran(&sandbox), "built world");
    assert_eq!(sandbox.scan(&[]).built(), 0);
    // The configuration goes again: the sources are those that the bundle was accepted for.
    fs::remove_file(sandbox.tree.path(&config)).expect("it is there");
    assert_eq!(row(&sandbox.scan(&[])).0, "Indexed");
    assert_eq!(ran(&sandbox), "shipped world");
}

/// The network fails where a package is named: no bundle stands in for that, however many are shipped.
#[test]
fn a_network_failure_never_uses_a_shipped_bundle() {
    let registry = FakeRegistry::start().expect("a free port");
    registry.go_down();
    let sandbox = world();
    sandbox.write(".npmrc", &format!("registry={}\n", registry.url()));
    sandbox.edit(&format!("{ROOT}/{SOURCE}"), "\"shout\"", "\"npm:shout@1\"");
    let scan = sandbox.scan(&[]);
    assert_eq!(row(&scan), ("BundleBuildFailed".to_owned(), json!(false), json!("MG0301"), Value::Null));
    sandbox.write(&format!("{ROOT}/{SOURCE}"), &source("built").replace("shout();", "shout(;"));
    assert_ne!(row(&sandbox.scan(&[])).0, "Indexed", "nor does a syntax error");
}

#[test]
fn only_pulled_extensions_may_ship() {
    let sandbox = Sandbox::new("");
    sandbox.write(".swamp-sources.yaml", "sources: [mounted]\n");
    for root in ["", "mounted/"] {
        let place = format!("{root}extensions/models/shouter.ts");
        sandbox.write(&place, &source("built").replace("@acme/shouter", &format!("@acme/x{}", root.len())));
        for directory in [".swamp", "extensions/.swamp"] {
            for kind in ["model", "models"] {
                sandbox.write(&format!("{root}{directory}/{kind}-bundles/shouter.js"), &bundle("shipped"));
            }
        }
    }
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.states().values().collect::<Vec<_>>(), ["BundleBuildFailed"], "{:#}", scan.0);
    assert_eq!(sandbox.json(&["types"])["types"], json!([]));
}

#[test]
fn a_bundle_that_cannot_be_used_is_told_with_the_failure() {
    let sandbox = world();
    for (text, why) in [
        ("export const model = {", "does not parse"),
        ("import \"other\"; export const model = {};", "is not complete: it imports \"other\""),
    ] {
        sandbox.write(BUNDLE, text);
        let scan = sandbox.scan(&[]);
        assert_eq!(row(&scan).2, "MG0207", "{:#}", scan.0);
        let told = told(&sandbox.run(&["scan"]));
        assert!(told.contains(why), "{told}");
    }
    sandbox.write(BUNDLE, "throw new Error('no'); export const model = {};");
    assert_eq!(row(&sandbox.scan(&[])).2, "MG0220", "it is looked at like every bundle");
    sandbox.write(BUNDLE, "export const model = { type: \"@acme/shouter\" };");
    let scan = sandbox.scan(&[]);
    assert_eq!(row(&scan).0, "BundleBuildFailed", "the first that came with the pull was another: {:#}", scan.0);
    assert_eq!(row(&scan).2, "MG0421");
}
