//! What a scan makes of a repository, and what a further scan does after each kind of change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
};

use mangrove_domain::state::StateName;
use mangrove_testkit::corpus::{Corpus, Expected, library_path};

use crate::{
    fixtures::{broken, model},
    sandbox::{Sandbox, Scan},
    trace::opened_sources,
};

const LARGE: Corpus = Corpus { entries: 400, services: 60, broken: 5, invalid: 5 };
const SMALL: Corpus = Corpus { entries: 24, services: 6, broken: 2, invalid: 2 };

fn states(expected: &[Expected]) -> BTreeMap<String, String> {
    expected.iter().map(|entry| (entry.path.clone(), entry.state.as_str().to_owned())).collect()
}

fn paths(expected: &[Expected], holds: impl Fn(&Expected) -> bool) -> BTreeSet<String> {
    expected.iter().filter(|entry| holds(entry)).map(|entry| entry.path.clone()).collect()
}

fn is_broken(entry: &Expected) -> bool {
    entry.state == StateName::BundleBuildFailed
}

/// A small corpus that was scanned until nothing is new.
fn settled() -> (Sandbox, Vec<Expected>) {
    let (sandbox, expected) = Sandbox::corpus(SMALL);
    assert_eq!(sandbox.scan(&[]).states(), states(&expected));
    (sandbox, expected)
}

/// The last entry is healthy, and so is its whole service.
fn healthy(expected: &[Expected]) -> &Expected {
    expected.last().expect("entries")
}

/// Checks a scan after a change: the broken ones are tried as always, `also` others are built, all states are as before.
fn assert_built(scan: &Scan, expected: &[Expected], also: usize) {
    assert_eq!(scan.states(), states(expected));
    let attempts = u64::try_from(SMALL.broken + also).expect("a small number");
    assert_eq!(scan.built(), attempts, "{:#}", scan.0);
}

#[test]
fn a_corpus_reaches_its_states_and_then_only_failed_builds_are_tried() {
    let (sandbox, expected) = Sandbox::corpus(LARGE);
    let first = sandbox.scan(&[]);
    assert_eq!(first.states(), states(&expected));
    assert_eq!(first.built(), 400);

    let second = sandbox.scan(&[]);
    assert_eq!(second.states(), states(&expected));
    assert_eq!(second.built(), 5, "exactly the failed builds are attempted");
    assert_eq!(second.with_verdict("RetryFailedBuild"), paths(&expected, is_broken));
    for path in paths(&expected, is_broken) {
        assert_eq!(second.source(&path)["failure"]["attempts"], 2, "{path}");
    }

    if let Some(opened) = opened_sources(&sandbox, &["scan"]) {
        let allowed = paths(&expected, is_broken);
        let surplus: Vec<_> = opened.difference(&allowed).collect();
        assert!(surplus.is_empty(), "a warm scan opened sources that did not change: {surplus:?}");
    }
}

#[test]
fn the_types_do_not_depend_on_the_number_of_jobs() {
    let types = |jobs: &str| {
        let (sandbox, _) = Sandbox::corpus(Corpus { entries: 60, services: 12, broken: 3, invalid: 3 });
        sandbox.scan(&["--jobs", jobs]);
        sandbox.run(&["types", "--json", "--all"]).stdout
    };
    let (one, four) = (types("1"), types("4"));
    assert!(one.contains("@corpus/"), "{one}");
    assert_eq!(one, four);
}

#[test]
fn editing_a_shared_file_builds_exactly_its_dependents() {
    let (sandbox, expected) = settled();
    let service = &healthy(&expected).service;
    sandbox.edit(&library_path(service), "revision = \"1\"", "revision = \"2\"");
    let dependents = paths(&expected, |entry| entry.service == *service);
    let scan = sandbox.scan(&[]);
    assert_built(&scan, &expected, dependents.len());
    assert_eq!(scan.with_verdict("SourceChanged"), dependents);
}

#[test]
fn touching_a_file_builds_nothing() {
    let (sandbox, expected) = settled();
    let entry = File::options().write(true).open(sandbox.tree.path(&healthy(&expected).path)).expect("the entry");
    entry.set_modified(std::time::SystemTime::now()).expect("a new time");
    drop(entry);
    assert_built(&sandbox.scan(&[]), &expected, 0);
}

#[test]
fn an_edit_that_keeps_size_and_time_is_caught() {
    let (sandbox, expected) = settled();
    let path = sandbox.tree.path(&healthy(&expected).path);
    let before = fs::metadata(&path).expect("the entry");
    sandbox.edit(&healthy(&expected).path, "update the", "change the");
    let entry = File::options().write(true).open(&path).expect("the entry");
    entry.set_modified(before.modified().expect("a time")).expect("the old time");
    drop(entry);
    let after = fs::metadata(&path).expect("the entry");
    assert_eq!((before.len(), before.modified().ok()), (after.len(), after.modified().ok()), "the test is right");
    let scan = sandbox.scan(&[]);
    assert_built(&scan, &expected, 1);
    assert!(scan.with_verdict("SourceChanged").contains(&healthy(&expected).path));
}

#[test]
fn a_save_by_rename_is_caught() {
    let (sandbox, expected) = settled();
    let path = &healthy(&expected).path;
    let text = sandbox.tree.read(path).expect("the entry").replace("update the", "change the");
    sandbox.write("extensions/models/.swap", &text);
    fs::rename(sandbox.tree.path("extensions/models/.swap"), sandbox.tree.path(path)).expect("a rename");
    assert_built(&sandbox.scan(&[]), &expected, 1);
}

#[test]
fn a_deleted_bundle_comes_back() {
    let (sandbox, expected) = settled();
    let bundles = sandbox.bundles();
    fs::remove_file(bundles.last().expect("bundles")).expect("a bundle to delete");
    let scan = sandbox.scan(&[]);
    assert_built(&scan, &expected, 1);
    assert_eq!(scan.with_verdict("BundleMissing").len(), 1);
    assert_eq!(sandbox.bundles(), bundles);
}

#[test]
fn fault_10_a_truncated_bundle_heals() {
    for length in [0, 10] {
        let (sandbox, expected) = settled();
        let bundles = sandbox.bundles();
        let bundle = bundles.last().expect("bundles");
        let whole = fs::read(bundle).expect("a bundle");
        File::options().write(true).open(bundle).and_then(|file| file.set_len(length)).expect("a bundle to cut");
        let scan = sandbox.scan(&[]);
        assert_built(&scan, &expected, 1);
        assert_eq!(scan.with_verdict("BundleCorrupt").len(), 1);
        assert_eq!(fs::read(bundle).expect("a bundle"), whole);
    }
}

#[test]
fn fault_07_a_changed_configuration_builds_what_it_governs() {
    let (sandbox, expected) = settled();
    sandbox.write("deno.json", "{ \"imports\": { \"unused\": \"./unused.ts\" } }\n");
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.states(), states(&expected));
    assert!(scan.with_verdict("ConfigChanged").contains(&healthy(&expected).path), "{:#}", scan.0);
    // What does not change output is not part of the fingerprint.
    sandbox.write("deno.json", "{ \"imports\": { \"unused\": \"./unused.ts\" }, \"tasks\": { \"x\": \"y\" } }\n");
    assert_built(&sandbox.scan(&[]), &expected, 0);
}

#[test]
fn a_deleted_catalog_leads_back_to_the_same_state() {
    let (sandbox, expected) = settled();
    let types = sandbox.run(&["types", "--json", "--all"]).stdout;
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = fs::remove_file(sandbox.tree.path(format!(".mangrove/{name}")));
    }
    assert_eq!(sandbox.scan(&[]).states(), states(&expected));
    assert_eq!(sandbox.run(&["types", "--json", "--all"]).stdout, types);
}

#[test]
fn a_damaged_catalog_is_set_aside_and_made_again() {
    let (sandbox, expected) = settled();
    for name in ["catalog.db-wal", "catalog.db-shm"] {
        let _ = fs::remove_file(sandbox.tree.path(format!(".mangrove/{name}")));
    }
    sandbox.write(".mangrove/catalog.db", &"this is no database\n".repeat(500));
    let output = sandbox.run(&["scan", "--json", "--all"]);
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(Scan(output.document()).states(), states(&expected));
    assert!(output.stdout.contains("MG0502") || output.stderr.contains("MG0502"), "nobody is told: {output}");
}

#[test]
fn a_state_directory_elsewhere_leaves_the_repository_alone() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let state = tempfile::tempdir().expect("a directory");
    sandbox.scan(&["--state-dir", state.path().to_str().expect("a path in UTF-8")]);
    assert!(!sandbox.tree.path(".mangrove").exists());
    assert!(state.path().join("catalog.db").exists());
}

#[test]
fn a_strict_scan_says_no_if_anything_is_unhealthy() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    assert_eq!(sandbox.run(&["scan", "--strict"]).code, 0);
    sandbox.write("extensions/models/b.ts", &broken("@acme/b"));
    let strict = sandbox.run(&["scan", "--strict"]);
    assert_eq!(strict.code, 1, "{strict}");
    assert_eq!(sandbox.run(&["scan"]).code, 0, "an ordinary scan has done its work");
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.scan(&[]);
    sandbox.edit("extensions/models/a.ts", "Greet somebody", "Greet anybody");
    let catalog = fs::read(sandbox.tree.path(".mangrove/catalog.db")).expect("the catalog");
    let dry = sandbox.scan(&["--dry-run"]);
    assert_eq!(dry.built(), 0);
    assert_eq!(dry.with_verdict("SourceChanged").len(), 1, "{:#}", dry.0);
    assert_eq!(fs::read(sandbox.tree.path(".mangrove/catalog.db")).expect("the catalog"), catalog);
    assert_eq!(sandbox.scan(&[]).built(), 1, "the edit is still to be built");
}

#[test]
fn removing_most_sources_at_once_needs_to_be_said() {
    let (sandbox, _) = Sandbox::corpus(Corpus { entries: 12, services: 12, broken: 0, invalid: 0 });
    sandbox.scan(&[]);
    for number in 0..8 {
        sandbox.tree.remove(&format!("extensions/models/s{number:03}/thing0000.ts")).expect("an entry");
    }
    let withheld = sandbox.run(&["scan", "--json", "--all"]);
    assert!(withheld.stdout.contains("MG0407"), "{withheld}");
    assert_eq!(sandbox.json(&["types"])["types"].as_array().map(Vec::len), Some(12));
    sandbox.scan(&["--allow-mass-removal"]);
    assert_eq!(sandbox.json(&["types"])["types"].as_array().map(Vec::len), Some(4));
}
