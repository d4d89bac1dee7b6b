//! The package cache and the locks, from the command line.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use mangrove_testkit::registry::{FakePackage, FakeRegistry, integrity};
use serde_json::{Value, json};

use crate::{fixtures::model_with, sandbox::Sandbox};

const A: &str = "extensions/models/a.ts";
const B: &str = "extensions/models/b.ts";

fn shout(version: &str) -> FakePackage {
    FakePackage::new("shout", version).file("index.js", &format!("export const shout = () => \"{version}\";\n"))
}

/// Two models that import one package, and one that needs nothing.
fn world() -> (Sandbox, FakeRegistry) {
    let registry = FakeRegistry::start().expect("a free port");
    registry.publish(shout("1.0.0"));
    let sandbox = Sandbox::new("");
    sandbox.write(".npmrc", &format!("registry={}\n", registry.url()));
    sandbox.write(A, &model_with("import { shout } from \"npm:shout@1\";\nexport const s = shout();", "@acme/a", ""));
    sandbox.write(B, &model_with("", "@acme/b", ""));
    (sandbox, registry)
}

fn lock(entries: &[(&str, &FakePackage)]) -> String {
    let mut document = json!({ "version": "5", "specifiers": {}, "npm": {} });
    for (version, package) in entries {
        document["specifiers"]["npm:shout@1"] = Value::from(*version);
        document["npm"][format!("shout@{version}")] = json!({ "integrity": integrity(&package.archive()) });
    }
    document.to_string()
}

#[test]
fn warming_fetches_everything_and_says_no_if_something_failed() {
    let (sandbox, registry) = world();
    let warmed = sandbox.run(&["cache", "warm"]);
    assert_eq!(warmed.code, 0, "{warmed}");
    registry.go_down();
    let scan = sandbox.scan(&["--offline"]);
    assert_eq!(scan.built(), 0);
    sandbox.write(A, &model_with("import \"npm:missing@1\";", "@acme/a", ""));
    let warmed = sandbox.run(&["cache", "warm"]);
    assert_eq!(warmed.code, 1, "{warmed}");
    assert!(warmed.stderr.contains("MG0301"), "{warmed}");
}

#[test]
fn the_cache_is_told_updated_and_pruned() {
    let (sandbox, registry) = world();
    sandbox.scan(&[]);
    let info = sandbox.json(&["cache", "info"]);
    assert_eq!(info["packages"]["archives"]["files"], 1, "{info:#}");
    assert_eq!((&info["bundles"]["entries"]["files"], &info["bundles"]["vendors"]["files"]), (&json!(2), &json!(1)));
    let told = sandbox.run(&["cache", "info"]);
    assert!(told.stdout.contains("1 archive") && told.stdout.contains("1 vendor bundle"), "{told}");

    registry.publish(shout("1.5.0"));
    assert_eq!(sandbox.scan(&[]).built(), 0, "a scan moves no lock");
    let locked = sandbox.run(&["--locked", "cache", "update"]);
    assert_ne!(locked.code, 0);
    assert!(locked.stderr.contains("MG0309"), "{locked}");
    let unknown = sandbox.run(&["cache", "update", "left-pad"]);
    assert_eq!(unknown.code, 2, "{unknown}");
    let update = sandbox.json(&["cache", "update", "shout", "--lock"]);
    let moved = &update["requirements"][0];
    assert_eq!((&moved["before"], &moved["after"]), (&json!("shout@1.0.0"), &json!("shout@1.5.0")), "{update:#}");
    assert!(sandbox.tree.read("mangrove.lock").expect("the committed lock").contains("shout@1.5.0"));
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.built(), 1, "only what depends on it");
    assert_eq!(scan.source(A)["verdict"], "PackagesChanged", "{}", scan.source(A));

    let pruned = sandbox.json(&["cache", "prune"]);
    assert_eq!(pruned["packages"]["files"], 0, "what was just fetched stays: {pruned:#}");
}

#[test]
fn a_locked_scan_fails_where_the_lock_would_have_to_change() {
    let (sandbox, registry) = world();
    let scan = sandbox.scan(&["--locked"]);
    assert_eq!(scan.source(A)["failure"]["code"], "MG0309", "{}", scan.source(A));
    assert_eq!(scan.source(B)["state"], "Indexed");
    assert!(registry.requests().is_empty());
    sandbox.scan(&[]);
    let scan = sandbox.scan(&["--locked"]);
    assert_eq!(scan.source(A)["state"], "Indexed", "{}", scan.source(A));
}

#[test]
fn fault_07_a_moved_deno_lock_rebuilds_what_it_governs() {
    let (sandbox, registry) = world();
    registry.publish(shout("1.5.0"));
    sandbox.write("deno.json", "{}");
    sandbox.write("deno.lock", &lock(&[("1.0.0", &shout("1.0.0"))]));
    sandbox.scan(&[]);
    let packages = |sandbox: &Sandbox| sandbox.run(&["cache", "info", "--json"]).document()["packages"].clone();
    assert_eq!(packages(&sandbox)["archives"]["files"], 1);
    assert!(!sandbox.tree.path(".mangrove/npm.lock").exists(), "Deno has locked it");

    let mut other: Value = serde_json::from_str(&lock(&[("1.0.0", &shout("1.0.0"))])).expect("JSON");
    other["npm"]["unrelated@2.0.0"] = json!({ "integrity": "sha512-AAAA" });
    sandbox.write("deno.lock", &other.to_string());
    assert_eq!(sandbox.scan(&[]).built(), 0, "nothing that anybody uses has moved");

    sandbox.write("deno.lock", &lock(&[("1.5.0", &shout("1.5.0"))]));
    let scan = sandbox.scan(&[]);
    assert_eq!((scan.built(), &scan.source(A)["verdict"]), (1, &json!("PackagesChanged")));

    sandbox.write("deno.lock", "{ oops");
    let scan = sandbox.scan(&[]);
    let damaged = scan.source(A);
    assert_eq!((&damaged["failure"]["code"], &damaged["degraded"]), (&json!("MG0602"), &json!(true)), "{damaged:#}");
    assert_eq!(scan.source(B)["state"], "Indexed");
    fs::remove_file(sandbox.tree.path("deno.lock")).expect("it was there");
    assert_eq!(sandbox.scan(&[]).source(A)["state"], "Indexed");
}

#[test]
fn a_name_that_nothing_maps_is_explained_and_heals_with_its_mapping() {
    let (sandbox, _registry) = world();
    sandbox.write(A, &model_with("import { shout } from \"shout\";\nexport const s = shout();", "@acme/a", ""));
    let scan = sandbox.scan(&[]);
    let failure = &scan.source(A)["failure"];
    assert_eq!((&failure["code"], &failure["class"]), (&json!("MG0207"), &json!("Deterministic")), "{failure:#}");
    assert!(failure["message"].as_str().is_some_and(|text| text.contains("npm:shout@VERSION")), "{failure:#}");
    for mapping in [
        ("package.json", r#"{ "dependencies": { "shout": "workspace:*" } }"#, "BundleBuildFailed"),
        ("package.json", r#"{ "dependencies": { "shout": "^1.0.0" } }"#, "Indexed"),
        ("deno.json", r#"{ "imports": { "other": "npm:shout@1" } }"#, "Indexed"),
        ("deno.json", r#"{ "imports": { "shout": "npm:shout@1" } }"#, "Indexed"),
    ] {
        sandbox.write(mapping.0, mapping.1);
        let scan = sandbox.scan(&[]);
        assert_eq!(scan.source(A)["state"], mapping.2, "{mapping:?}: {:#}", scan.source(A));
    }
}

/// Makes everything in the bundle store older than a sweep's grace.
fn age_bundles(sandbox: &Sandbox) {
    let long_ago = SystemTime::now() - Duration::from_hours(25);
    let mut pending = vec![sandbox.tree.path(".mangrove/bundles")];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).expect("a listing").map(|entry| entry.expect("an entry").path()));
        }
        fs::File::open(&path).expect("it is there").set_modified(long_ago).expect("made old");
    }
}

/// Leaves the bundle of B as it is now to nobody.
fn edit(sandbox: &Sandbox, text: &str) {
    sandbox.write(B, &model_with(&format!("export const b = {text:?};"), "@acme/b", ""));
    sandbox.scan(&[]);
    age_bundles(sandbox);
}

#[test]
fn bundles_that_no_source_needs_are_pruned() {
    let (sandbox, _registry) = world();
    sandbox.scan(&[]);
    edit(&sandbox, "second");
    let told = sandbox.json(&["cache", "prune", "--dry-run"]);
    assert_eq!((&told["bundles"]["files"], &told["dryRun"]), (&json!(1), &json!(true)), "{told:#}");
    let pruned = sandbox.json(&["cache", "prune"]);
    assert_eq!(pruned["bundles"], told["bundles"], "{pruned:#}");
    let again = sandbox.run(&["cache", "prune"]);
    assert!(again.code == 0 && again.stderr.contains("0 bundles that no source needs"), "{again}");
    assert_eq!(sandbox.scan(&["--offline"]).built(), 0, "what is needed stayed");
}

#[test]
fn fault_49_a_store_whose_catalog_was_lost_is_pruned_again_with_commands_alone() {
    let (sandbox, _registry) = world();
    sandbox.scan(&[]);
    edit(&sandbox, "second");
    assert_eq!(sandbox.json(&["cache", "prune"])["bundles"]["files"], 1);

    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = fs::remove_file(sandbox.tree.path(format!(".mangrove/{name}")));
    }
    let unknown = sandbox.run(&["cache", "prune"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("MG0415"), "{unknown}");
    edit(&sandbox, "third");
    let foreign = sandbox.run(&["cache", "prune"]);
    assert!(foreign.code != 0 && foreign.stderr.contains("MG0412"), "{foreign}");
    assert!(foreign.stderr.contains("mangrove catalog rebuild"), "{foreign}");
    let rebuilt = sandbox.run(&["catalog", "rebuild"]);
    assert_eq!(rebuilt.code, 0, "{rebuilt}");
    age_bundles(&sandbox);
    assert_eq!(sandbox.json(&["cache", "prune"])["bundles"]["files"], 1, "the second bundle");

    for name in ["catalog.db-wal", "catalog.db-shm"] {
        let _ = fs::remove_file(sandbox.tree.path(format!(".mangrove/{name}")));
    }
    sandbox.write(".mangrove/catalog.db", &"this is no database\n".repeat(500));
    edit(&sandbox, "fourth");
    assert_eq!(sandbox.json(&["cache", "prune"])["bundles"]["files"], 1, "a catalog set aside leaves its store");
}

/// A power cut left it empty, say. Nobody has to remove a file, and what was seen names the command.
#[test]
fn fault_49_a_damaged_lock_names_the_command_that_mends_it() {
    for (lock, command) in [(".mangrove/npm.lock", "cache update"), ("mangrove.lock", "cache update --lock")] {
        for damage in ["", "{\"version\": 1,", "[]"] {
            let (sandbox, _registry) = world();
            assert_eq!(sandbox.run(&["scan", "--strict"]).code, 0);
            sandbox.write(lock, damage);
            let told = sandbox.run(&["scan"]);
            assert!(told.stderr.contains(lock.trim_start_matches(".mangrove/")), "{lock}: {told}");
            assert!(told.stderr.contains(&format!("`mangrove {command}`")), "{lock}: {told}");
            let words: Vec<&str> = command.split(' ').collect();
            let mended = sandbox.run(&words);
            assert_eq!(mended.code, 0, "{lock}: {mended}");
            let strict = sandbox.run(&["scan", "--strict"]);
            assert_eq!(strict.code, 0, "{lock}: {strict}");
        }
    }
}
