//! The doctor: what it finds, what it proposes, what it repairs, and what it leaves alone.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use mangrove_domain::digest::Digest;
use serde_json::{Value, json};

use crate::{
    fixtures::{broken, model, model_with},
    sandbox::{Output, Sandbox},
};

const A: &str = "extensions/models/a.ts";
const B: &str = "extensions/models/b.ts";
const SOURCES: &str = ".swamp-sources.yaml";
const LOCKFILE: &str = "extensions/models/upstream_extensions.json";
const CATALOG: &str = ".mangrove/catalog.db";

fn with(files: &[(&str, String)]) -> Sandbox {
    let sandbox = Sandbox::new("");
    for (path, text) in files {
        sandbox.write(path, text);
    }
    sandbox
}

fn rejected(type_name: &str) -> String {
    model_with("", type_name, "upgrades: [{ toVersion: \"2020.01.01.1\", description: \"x\" }],")
}

fn pulled(path: &str) -> String {
    format!(".swamp/pulled-extensions/@acme/tools/{path}")
}

fn report(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.run(&[&["doctor", "--json"], arguments].concat());
    assert!([0, 1].contains(&output.code), "{output}");
    let document = output.document();
    assert_eq!(document["healthy"], output.code == 0, "{output}");
    assert_valid(&document);
    document
}

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../design/schemas/doctor.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the published schema")).expect("JSON")
}

fn violations(document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn assert_valid(document: &Value) {
    assert_eq!(violations(document), [""; 0], "{document:#}");
}

/// `action subject` of a repair, sorted.
fn actions(document: &Value) -> Vec<String> {
    let text = |action: &Value, key: &str| action[key].as_str().expect("a string").to_owned();
    let list = document["repair"]["actions"].as_array().unwrap_or_else(|| panic!("no repair: {document:#}"));
    let mut actions: Vec<String> =
        list.iter().map(|action| format!("{} {}", text(action, "action"), text(action, "subject"))).collect();
    actions.sort();
    actions
}

fn codes(document: &Value) -> Vec<(String, String)> {
    let text = |problem: &Value, key: &str| problem[key].as_str().expect("a string").to_owned();
    let problems = document["problems"].as_array().expect("problems");
    problems.iter().map(|problem| (text(problem, "code"), text(problem, "path"))).collect()
}

/// The state directory without what comes and goes with connections.
fn state(sandbox: &Sandbox) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut state = sandbox.state();
    state.retain(|path, bytes| !path.ends_with("catalog.db-shm") && !bytes.is_empty());
    state
}

/// Everything that the catalog holds, and every file of the store.
fn content(sandbox: &Sandbox) -> (Vec<u8>, BTreeMap<PathBuf, Vec<u8>>) {
    let output = sandbox.run(&["catalog", "backup", "copy.db"]);
    assert_eq!(output.code, 0, "{output}");
    let copy = fs::read(sandbox.tree.path("copy.db")).expect("a copy");
    fs::remove_file(sandbox.tree.path("copy.db")).expect("a copy to remove");
    let mut store = sandbox.state();
    store.retain(|path, _| path.components().any(|part| part.as_os_str() == "bundles"));
    (copy, store)
}

/// A second repair finds nothing and changes neither a row nor a bundle.
fn assert_settled(sandbox: &Sandbox) {
    let before = content(sandbox);
    let again = report(sandbox, &["--repair", "--apply"]);
    assert_eq!(actions(&again), [""; 0], "{again:#}");
    assert!(before == content(sandbox), "a second repair has changed something");
}

fn flip(bundle: &Path) {
    let mut bytes = fs::read(bundle).expect("a bundle");
    bytes[10] ^= 1;
    fs::write(bundle, bytes).expect("damaged");
}

/// Makes every object of the store two days old.
fn age(sandbox: &Sandbox) {
    let then = SystemTime::now() - Duration::from_hours(48);
    for bundle in sandbox.bundles() {
        let file = fs::File::options().append(true).open(bundle).expect("a bundle");
        file.set_modified(then).expect("a new time");
    }
}

/// Replaces the format byte of the record of the failed row of this type, so that the row cannot be read.
fn damage_row(sandbox: &Sandbox, type_name: &str) {
    let copied = sandbox.run(&["catalog", "backup", "folded.db"]);
    assert_eq!(copied.code, 0, "{copied}");
    let mut bytes = fs::read(sandbox.tree.path("folded.db")).expect("a copy");
    fs::remove_file(sandbox.tree.path("folded.db")).expect("a copy to remove");
    let columns = format!("modelBundleBuildFailed{type_name}");
    let found: Vec<usize> =
        (0..bytes.len() - columns.len()).filter(|start| bytes[*start..].starts_with(columns.as_bytes())).collect();
    assert_eq!(found.len(), 1, "the row is there once");
    bytes[found[0] + columns.len()] = 0xFF;
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(sandbox.tree.path(format!("{CATALOG}{suffix}")));
    }
    fs::write(sandbox.tree.path(CATALOG), bytes).expect("written");
}

/// A mount with a rejected model that is away: only a bundle is left of it.
fn orphaned() -> Sandbox {
    let sandbox = with(&[(A, model("@acme/a")), (SOURCES, "sources: [mounts/shared]\n".to_owned())]);
    sandbox.write("mounts/shared/extensions/models/m.ts", &rejected("@acme/mounted"));
    sandbox.scan(&[]);
    fs::rename(sandbox.tree.path("mounts"), sandbox.tree.path("away")).expect("moves");
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.states()["extensions/models/m.ts"], "OrphanedBundleOnly", "{:#}", scan.0);
    sandbox
}

/// Twelve models, of which most are gone.
fn thinned() -> Sandbox {
    let path = |index: usize| format!("extensions/models/m{index}.ts");
    let sandbox = Sandbox::new("");
    (0..12).for_each(|index| sandbox.write(&path(index), &model(&format!("@acme/m{index}"))));
    sandbox.scan(&[]);
    (3..12).for_each(|index| sandbox.tree.remove(&path(index)).expect("a model"));
    sandbox
}

#[test]
fn the_published_schema_is_printed_and_refuses_other_documents() {
    let sandbox = with(&[(A, model("@acme/a"))]);
    let printed: Value = sandbox.run(&["doctor", "--schema"]).document();
    assert_eq!(printed, schema());
    sandbox.scan(&[]);
    let healthy = report(&sandbox, &[]);
    assert_eq!(healthy["healthy"], true);
    for key in healthy.as_object().expect("an object").keys() {
        let mut without = healthy.clone();
        without.as_object_mut().expect("an object").remove(key);
        assert_ne!(violations(&without), [""; 0], "`{key}` is not required");
    }
    fs::write(sandbox.tree.path(CATALOG), vec![7; 8_192]).expect("written");
    let unhealthy = report(&sandbox, &["--repair"]);
    assert_eq!(actions(&unhealthy), [""; 0], "nothing is known, so nothing is proposed");
    assert_eq!(unhealthy["store"]["unreferencedObjects"], 0, "nor called unneeded: {unhealthy:#}");
}

#[test]
fn apply_without_repair_is_a_mistake() {
    let output = Sandbox::new("").run(&["doctor", "--apply"]);
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains("--repair"), "{output}");
}

#[test]
fn duplicates_say_who_wins_and_why() {
    let sandbox = with(&[
        (A, model("@acme/two")),
        (B, model("@acme/two")),
        ("extensions/models/over.ts", model("@acme/over")),
        ("extensions/models/failed.ts", broken("@acme/fallback")),
        ("extensions/models/rejected.ts", rejected("@acme/blocked")),
        (SOURCES, "sources: [mounts/shared]\n".to_owned()),
        ("mounts/shared/extensions/models/over.ts", model("@acme/over")),
        ("mounts/shared/extensions/models/fallback.ts", model("@acme/fallback")),
        ("mounts/shared/extensions/models/blocked.ts", model("@acme/blocked")),
    ]);
    sandbox.scan(&[]);
    let document = report(&sandbox, &[]);
    let duplicates = document["duplicates"].as_array().expect("duplicates");
    let told: Vec<String> = duplicates
        .iter()
        .map(|found| {
            let flag = |key: &str| if found[key] == true { format!(" {key}") } else { String::new() };
            let paths: Vec<&str> = found["claimants"]
                .as_array()
                .expect("claimants")
                .iter()
                .filter_map(|claimant| claimant["path"].as_str())
                .collect();
            format!(
                "{}: {} blocked by {}{}{} of {}",
                found["type"].as_str().expect("a type"),
                found["resolvedBy"],
                found["blockedBy"],
                flag("conflict"),
                flag("shadowFallback"),
                paths.join(" ")
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    @acme/blocked: null blocked by "extensions/models/rejected.ts" of extensions/models/rejected.ts mount:mounts/shared/extensions/models/blocked.ts
    @acme/fallback: "mount:mounts/shared/extensions/models/fallback.ts" blocked by null shadowFallback of extensions/models/failed.ts mount:mounts/shared/extensions/models/fallback.ts
    @acme/over: "extensions/models/over.ts" blocked by null of extensions/models/over.ts mount:mounts/shared/extensions/models/over.ts
    @acme/two: "extensions/models/a.ts" blocked by null conflict of extensions/models/a.ts extensions/models/b.ts
    "#);
    assert_eq!(document["kinds"]["model"]["shadowed"], 3);
    let told = sandbox.run(&["doctor"]);
    assert!(told.stdout.contains("model @acme/two: extensions/models/a.ts resolves it; also claimed by"), "{told}");
}

#[test]
fn pulled_extensions_are_compared_with_the_lockfile() {
    let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
    let (p, helper) = (model("@acme/pulled"), "export const one = 1;\n".to_owned());
    let sandbox = with(&[
        (&pulled("models/p.ts"), p.clone()),
        (&pulled("_lib/helper.ts"), helper.clone()),
        (&pulled("README.md"), "Not code.\n".to_owned()),
        (".swamp/pulled-extensions/@acme/stray/models/s.ts", model("@acme/stray")),
    ]);
    let lock = |entry: Value| sandbox.write(LOCKFILE, &json!({ "@acme/tools": entry }).to_string());
    let drift = || -> Vec<String> {
        let document = report(&sandbox, &[]);
        assert_eq!(document["lockfile"]["notLocked"], json!([".swamp/pulled-extensions/@acme/stray"]));
        let list = document["lockfile"]["drift"].as_array().expect("a list").clone();
        let told = codes(&document).into_iter().filter(|(code, _)| code == "MG0416").count();
        assert_eq!(told, list.iter().filter(|drift| drift["difference"] != "missing").count(), "{document:#}");
        list.iter().map(|drift| format!("{} {}", drift["difference"], drift["path"]).replace('"', "")).collect()
    };
    let files = json!(["models/p.ts", pulled("_lib/helper.ts")]);
    lock(json!({ "version": "2026.01.01.1", "files": files }));
    sandbox.scan(&[]);
    assert_eq!(drift(), [""; 0]);

    let each = json!({ "models/p.ts": digest(&p), "_lib/helper.ts": format!("sha256:{}", digest(&helper)) });
    lock(json!({ "version": "2026.01.01.1", "files": files, "filesChecksum": each }));
    assert_eq!(drift(), [""; 0]);
    sandbox.write(&pulled("_lib/helper.ts"), "export const one = 2;\n");
    sandbox.write(&pulled("models/extra.ts"), "export const more = 1;\n");
    assert_eq!(drift(), ["changed _lib/helper.ts", "extra models/extra.ts"]);
    sandbox.tree.remove(&pulled("_lib/helper.ts")).expect("the helper");
    assert_eq!(drift(), ["missing _lib/helper.ts", "extra models/extra.ts"]);

    sandbox.tree.remove(&pulled("models/extra.ts")).expect("the extra file");
    sandbox.write(&pulled("_lib/helper.ts"), &helper);
    // What `sha256sum` prints of the locked files, sorted.
    let all = digest(&format!("{}  _lib/helper.ts\n{}  models/p.ts\n", digest(&helper), digest(&p)));
    lock(json!({ "version": "2026.01.01.1", "files": files, "filesChecksum": all }));
    assert_eq!(drift(), [""; 0]);
    sandbox.write(&pulled("_lib/helper.ts"), "export const one = 2;\n");
    assert_eq!(drift(), ["unconfirmed null"]);
    fs::remove_dir_all(sandbox.tree.path(pulled(""))).expect("the extension");
    assert_eq!(drift(), ["missing null"]);
}

#[test]
fn what_types_need_is_set_against_what_is_granted() {
    let uses = "import * as fs from \"node:fs\";\nconst load = () => fs.existsSync(\"x\");\nvoid load;";
    let sandbox = with(&[(A, model_with(uses, "@acme/a", "")), (B, model("@acme/b"))]);
    let grant = |text: &str| sandbox.write("mangrove.yaml", &format!("repoId: one\n{text}"));
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.states()[A], "Indexed", "{:#}", scan.0);
    let need = || {
        let document = report(&sandbox, &[]);
        let needs = document["permissions"].as_array().expect("a list").clone();
        assert_eq!(needs.len(), 1, "{document:#}");
        (needs[0]["granted"].clone(), needs[0]["missing"].clone())
    };
    assert_eq!(need(), (Value::Null, json!(["read", "write"])));
    grant("permissions: { \"*\": { net: true } }\n");
    assert_eq!(need(), (json!({ "net": true }), json!(["read", "write"])));
    grant("permissions:\n  \"*\": { net: true }\n  \"@acme/a\": { read: [data], write: [], net: false }\n");
    assert_eq!(need(), (json!({ "net": [], "read": ["data"], "write": [] }), json!(["write"])));
    grant("permissions: { \"@acme/a\": { nett: true, read: 1 } }\n");
    let wrong = report(&sandbox, &[]);
    let told: Vec<&Value> = wrong["problems"].as_array().expect("problems").iter().collect();
    assert_eq!(codes(&wrong), vec![("MG0603".to_owned(), "mangrove.yaml".to_owned()); 2], "{wrong:#}");
    assert!(told.iter().any(|problem| problem.to_string().contains("net")), "{wrong:#}");
}

#[test]
fn fault_40_a_proposal_changes_nothing() {
    let sandbox = orphaned();
    sandbox.edit(A, "Greet somebody", "Greet anybody");
    sandbox.scan(&[]);
    age(&sandbox);
    flip(&sandbox.bundles()[0]);
    let before = state(&sandbox);
    let proposed = report(&sandbox, &["--repair"]);
    assert!(!actions(&proposed).is_empty(), "{proposed:#}");
    assert_eq!(proposed["repair"]["applied"], false);
    assert!(before == state(&sandbox), "a proposal has changed the state directory");
    let told = sandbox.run(&["doctor", "--repair"]);
    assert!(told.stderr.contains("--apply"), "{told}");
}

#[test]
fn fault_22_orphans_are_told_and_pruned() {
    let sandbox = orphaned();
    let found = report(&sandbox, &[]);
    let orphan = "mount:mounts/shared/extensions/models/m.ts";
    assert_eq!(found["orphans"], json!([orphan]));
    let expected = [format!("remove-row {orphan}")];
    assert_eq!(actions(&report(&sandbox, &["--repair"])), expected);
    let applied = report(&sandbox, &["--repair", "--apply"]);
    assert_eq!(actions(&applied), expected);
    assert_eq!((&applied["repair"]["applied"], &applied["orphans"]), (&json!(true), &json!([])), "{applied:#}");
    assert_settled(&sandbox);
    fs::rename(sandbox.tree.path("away"), sandbox.tree.path("mounts")).expect("moves back");
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.states()["extensions/models/m.ts"], "ValidationFailed", "it is new again: {:#}", scan.0);
}

#[test]
fn fault_20_withheld_removals_pass_when_somebody_says_so() {
    let sandbox = thinned();
    sandbox.scan(&[]);
    let found = report(&sandbox, &[]);
    assert_eq!(found["withheldRemovals"].as_array().map(Vec::len), Some(9), "{found:#}");
    assert!(codes(&found).iter().any(|(code, _)| code == "MG0407"), "{found:#}");
    assert_eq!(found["healthy"], false);
    let proposed = actions(&report(&sandbox, &["--repair"]));
    assert_eq!(proposed.len(), 9);
    let applied = report(&sandbox, &["--repair", "--apply"]);
    assert_eq!(actions(&applied), proposed);
    assert_eq!((&applied["healthy"], &applied["withheldRemovals"]), (&json!(true), &json!([])), "{applied:#}");
    assert_settled(&sandbox);
    assert_eq!(sandbox.scan(&[]).states().len(), 3);
}

#[test]
fn fault_10_lost_and_damaged_bundles_are_made_again_and_others_left_alone() {
    let sandbox = with(&[(A, model("@acme/a")), (B, model("@acme/b")), ("extensions/models/c.ts", model("@acme/c"))]);
    sandbox.scan(&[]);
    let intact = state(&sandbox);
    let bundles = sandbox.bundles();
    flip(&bundles[0]);
    fs::remove_file(&bundles[1]).expect("a bundle");
    // Work for a scan, not for a repair.
    sandbox.write("extensions/models/new.ts", &model("@acme/new"));
    let found = report(&sandbox, &[]);
    assert_eq!((&found["store"]["damagedObjects"], &found["pendingSources"]), (&json!(2), &json!(2)), "{found:#}");
    let proposed = actions(&report(&sandbox, &["--repair"]));
    assert_eq!(proposed.len(), 2, "{proposed:?}");
    assert!(proposed.iter().all(|action| action.starts_with("rebuild-bundle extensions/models/")), "{proposed:?}");
    let applied = report(&sandbox, &["--repair", "--apply"]);
    assert_eq!(actions(&applied), proposed);
    assert_eq!((&applied["healthy"], &applied["pendingSources"]), (&json!(true), &json!(1)), "{applied:#}");
    for bundle in bundles {
        assert!(intact[&bundle] == fs::read(&bundle).expect("it is back"), "{} is another one", bundle.display());
    }
    assert_settled(&sandbox);
}

#[test]
fn bundles_that_nothing_needs_go_when_they_are_old() {
    let sandbox = with(&[(A, model("@acme/a"))]);
    sandbox.scan(&[]);
    let old = sandbox.bundles();
    sandbox.edit(A, "Greet somebody", "Greet anybody");
    sandbox.scan(&[]);
    let found = report(&sandbox, &["--repair"]);
    assert_eq!(found["store"]["unreferencedObjects"], 1, "{found:#}");
    assert_eq!(actions(&found), [""; 0], "it is young, a build may be about to name it");
    age(&sandbox);
    let applied = report(&sandbox, &["--repair", "--apply"]);
    assert_eq!(actions(&applied).len(), 1, "{applied:#}");
    assert!(!old[0].exists() && sandbox.bundles().len() == 1);
    assert_settled(&sandbox);
    assert_eq!(sandbox.scan(&[]).built(), 0);
}

#[test]
fn fault_49_a_row_that_nobody_can_read_leaves_with_its_source_or_is_made_again() {
    for is_there in [true, false] {
        let sandbox = with(&[(A, model("@acme/a")), (B, broken("@acme/b"))]);
        sandbox.scan(&[]);
        damage_row(&sandbox, "@acme/b");
        if is_there {
            sandbox.write(B, &model("@acme/b"));
        } else {
            sandbox.tree.remove(B).expect("the broken source");
        }
        assert!(codes(&report(&sandbox, &[])).contains(&("MG0504".to_owned(), B.to_owned())));
        let expected = format!("{} {B}", if is_there { "rebuild-bundle" } else { "remove-row" });
        assert_eq!(actions(&report(&sandbox, &["--repair"])), [expected.as_str()]);
        let applied = report(&sandbox, &["--repair", "--apply"]);
        assert_eq!(actions(&applied), [expected.as_str()]);
        assert_eq!((&applied["healthy"], codes(&applied)), (&json!(true), Vec::new()), "{applied:#}");
        assert_settled(&sandbox);
    }
}

#[test]
fn fault_49_every_finding_names_its_remedy() {
    for sandbox in [orphaned(), thinned()] {
        flip(&sandbox.bundles()[0]);
        let output: Output = sandbox.run(&["doctor"]);
        assert_eq!(output.code, 1, "{output}");
        let document = report(&sandbox, &[]);
        for problem in document["problems"].as_array().expect("problems") {
            let is_away = problem["code"] == "MG0406" && problem["path"] == "mount:mounts/shared";
            assert!(problem["hint"].is_string() || is_away, "{problem:#}");
        }
        assert!(document.to_string().contains("mangrove doctor --repair --apply"), "{document:#}");
    }
}

const DEFINITION: &str = "models/@acme/a/one.yaml";
const WORKFLOW: &str = "workflows/hello.yaml";

/// A model, a definition of it, and a workflow that runs this method of it.
fn with_workflow(method: &str) -> Sandbox {
    let sandbox = with(&[(A, model("@acme/a"))]);
    let id = "00000000-0000-4000-8000-00000000000a";
    sandbox.write(DEFINITION, &format!("id: {id}\nname: one\ntype: '@acme/a'\n"));
    let step = format!("{{ name: greet, task: {{ type: model_method, modelIdOrName: one, methodName: {method} }} }}");
    let jobs = format!("jobs:\n  - name: only\n    steps:\n      - {step}\n");
    sandbox.write(WORKFLOW, &format!("id: 00000000-0000-4000-8000-00000000000b\nname: hello\n{jobs}"));
    sandbox
}

/// What is said of workflows and definitions: code, severity and file.
fn of_documents(report: &Value) -> Vec<String> {
    let problems = report["problems"].as_array().expect("a list").iter();
    let text = |problem: &Value, key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let line = |problem: &Value| [text(problem, "code"), text(problem, "severity"), text(problem, "path")].join(" ");
    problems.map(line).filter(|line| line.contains(".yaml")).collect()
}

#[test]
fn the_doctor_says_of_workflows_what_their_validation_says() {
    let sandbox = with_workflow("greet");
    sandbox.scan(&[]);
    let healthy = report(&sandbox, &[]);
    assert_eq!(healthy["healthy"], true, "{healthy:#}");
    assert_eq!(healthy["documents"], json!({ "definitions": 1, "workflows": 1, "broken": [] }));

    sandbox.edit(WORKFLOW, "methodName: greet", "methodName: great");
    let sick = report(&sandbox, &[]);
    assert_eq!(sick["healthy"], false, "{sick:#}");
    assert_eq!(sick["documents"], json!({ "definitions": 1, "workflows": 1, "broken": [WORKFLOW] }));
    let validated = sandbox.run(&["workflow", "validate", "--json"]).document();
    assert_eq!(of_documents(&sick), of_documents(&validated));
    assert_eq!(of_documents(&sick), [format!("MG0102 error {WORKFLOW}")]);
    let told = sandbox.run(&["doctor"]);
    assert!(told.stdout.contains("1 definition, 1 workflow; 1 file with errors"), "{told}");
    assert!(told.stderr.contains("MG0102"), "{told}");
}

#[test]
fn a_type_that_nobody_scanned_yet_is_no_error_of_its_workflow() {
    let sandbox = with_workflow("greet");
    let before = report(&sandbox, &[]);
    assert_eq!(before["healthy"], true, "{before:#}");
    assert!(of_documents(&before).iter().all(|line| line.starts_with("MG0101 warning")), "{before:#}");
    assert_ne!(of_documents(&before), [""; 0], "it says that the type was not scanned");
    sandbox.write(DEFINITION, "id: 00000000-0000-4000-8000-00000000000a\nname: one\ntype: '@acme/nowhere'\n");
    let lost = report(&sandbox, &[]);
    assert_eq!(lost["healthy"], false, "{lost:#}");
    assert!(of_documents(&lost).iter().any(|line| line.starts_with("MG0101 error")), "{lost:#}");
}
