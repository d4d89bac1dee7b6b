//! What keeps a repository in order: doctor, rebuild, backup, retry, runs that end and signals.

use std::{
    fs,
    process::{Child, Command},
    time::{Duration, Instant},
};

use mangrove_infra::catalog::LAYOUT_VERSION;
use serde_json::Value;

use crate::{
    fixtures::{broken, model, model_with},
    pressure::runnable,
    sandbox::{Output, Sandbox},
};

const A: &str = "extensions/models/a.ts";
const B: &str = "extensions/models/b.ts";
const CATALOG: &str = ".mangrove/catalog.db";

/// A healthy and a broken model, scanned.
fn scanned() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(A, &model("@acme/a"));
    sandbox.write(B, &broken("@acme/b"));
    sandbox.scan(&[]);
    sandbox
}

/// Folds the log of the catalog into its file, so that what is done to the file is seen.
fn fold(sandbox: &Sandbox) {
    assert_eq!(sandbox.run(&["catalog", "backup", "folded.db"]).code, 0);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(sandbox.tree.path(format!("{CATALOG}{suffix}")));
    }
    fs::rename(sandbox.tree.path("folded.db"), sandbox.tree.path(CATALOG)).expect("put in its place");
}

/// Replaces bytes of a database where they stand; both are equally long.
fn patch(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(sandbox.tree.path(file)).expect("a database");
    let mut found = false;
    for start in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[start..].starts_with(from.as_bytes()) {
            bytes[start..start + to.len()].copy_from_slice(to.as_bytes());
            found = true;
        }
    }
    assert!(found, "{from:?} is not in {file}");
    fs::write(sandbox.tree.path(file), bytes).expect("written");
}

fn garbage(sandbox: &Sandbox) {
    fold(sandbox);
    fs::write(sandbox.tree.path(CATALOG), vec![7; 8_192]).expect("written");
}

fn newer(sandbox: &Sandbox) {
    fold(sandbox);
    patch(sandbox, CATALOG, &format!("layout{LAYOUT_VERSION}"), "layout9");
}

fn without_a_table(sandbox: &Sandbox) {
    fold(sandbox);
    patch(sandbox, CATALOG, "parts", "partz");
}

type Damage = fn(&Sandbox);

const DAMAGES: [(Damage, &str); 3] = [(garbage, "MG0502"), (newer, "MG0503"), (without_a_table, "MG0502")];

fn problems(output: &Output) -> Vec<Value> {
    let document = output.document();
    assert_eq!(document["healthy"], false, "{output}");
    document["problems"].as_array().unwrap_or_else(|| panic!("no problems: {output}")).clone()
}

#[test]
fn fault_40_doctor_reports_a_catalog_that_cannot_be_used_and_leaves_it_alone() {
    for (damage, code) in DAMAGES {
        let sandbox = scanned();
        damage(&sandbox);
        let before = fs::read(sandbox.tree.path(CATALOG)).expect("the catalog");
        let doctor = sandbox.run(&["doctor", "--json"]);
        assert_eq!(doctor.code, 1, "{doctor}");
        let told = problems(&doctor);
        let found = told.iter().find(|problem| problem["path"] == "catalog.db").unwrap_or_else(|| panic!("{doctor}"));
        assert_eq!(found["code"], code, "{doctor}");
        assert!(found["hint"].as_str().is_some_and(|hint| hint.contains("mangrove catalog rebuild")), "{doctor}");
        assert!(before == fs::read(sandbox.tree.path(CATALOG)).expect("the catalog"), "doctor has changed it");
    }
}

#[test]
fn fault_19_doctor_reports_a_damaged_history_and_an_unreadable_state_directory() {
    let sandbox = scanned();
    fs::write(sandbox.tree.path(".mangrove/runs.db"), vec![7; 8_192]).expect("written");
    let doctor = sandbox.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1, "{doctor}");
    assert!(problems(&doctor).iter().any(|found| found["path"] == "runs.db" && found["code"] == "MG0502"), "{doctor}");
    assert!(problems(&doctor).iter().any(|found| found["type"] == "@acme/b"), "the type is told: {doctor}");

    let sandbox = Sandbox::new("");
    sandbox.write(".mangrove", "not a directory");
    let doctor = sandbox.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1, "{doctor}");
    assert!(problems(&doctor).iter().any(|found| found["code"] == "MG0401"), "{doctor}");
}

#[test]
fn fault_49_a_rebuild_mends_every_catalog() {
    for damage in [garbage, newer, without_a_table, |_: &Sandbox| ()] {
        let sandbox = scanned();
        let before = sandbox.scan(&[]).states();
        damage(&sandbox);
        let rebuilt = sandbox.json(&["catalog", "rebuild"]);
        assert_eq!(rebuilt["schema"], "mangrove.catalog-rebuild/1");
        let aside = rebuilt["setAside"].as_str().unwrap_or_else(|| panic!("{rebuilt:#}"));
        assert!(fs::metadata(aside).is_ok(), "{aside} is there");
        assert_eq!(sandbox.scan(&[]).states(), before);
    }
    let fresh = Sandbox::new("");
    assert_eq!(fresh.json(&["catalog", "rebuild"])["setAside"], Value::Null, "there need not be one");
}

/// One byte of a description is another one: the catalog is whole for all that `SQLite` can tell.
#[test]
fn fault_49_a_damaged_description_is_named_and_made_again_from_the_bundle() {
    for heals in [
        ["model", "run", "a", "greet"].as_slice(),
        &["scan", "--rehash"],
        &["doctor", "--repair", "--apply"],
        &["catalog", "rebuild"],
    ] {
        let sandbox = runnable(&model_with("", "@acme/a", ""));
        sandbox.scan(&[]);
        let before = sandbox.json(&["describe", "@acme/a"]);
        let bundles = sandbox.bundles();
        fold(&sandbox);
        patch(&sandbox, CATALOG, "\"type\":\"@acme/a\"", "\"type\":\"@acme/z\"");
        for looks in [["doctor"].as_slice(), &["describe", "@acme/a"], &["why", "@acme/a"]] {
            let told = sandbox.run(looks);
            let text = format!("{}{}", told.stdout, told.stderr);
            assert!(text.contains("description of extensions/models/a.ts in the catalog is gone or damaged"), "{told}");
            assert!(text.contains("mangrove doctor --repair --apply"), "{looks:?} names a remedy: {told}");
        }
        let healed = sandbox.run(heals);
        assert_eq!(healed.code, 0, "{heals:?}: {healed}");
        assert_eq!(sandbox.json(&["describe", "@acme/a"]), before, "{heals:?}");
        assert_eq!(sandbox.bundles(), bundles);
        assert_eq!(sandbox.run(&["doctor"]).code, 0, "{heals:?}");
        assert_eq!(sandbox.run(&["model", "run", "a", "greet"]).code, 0, "{heals:?}");
    }
}

#[test]
fn fault_49_a_scan_mends_a_lost_table() {
    let sandbox = scanned();
    let before = sandbox.scan(&[]).states();
    without_a_table(&sandbox);
    let types = sandbox.run(&["types"]);
    assert!(types.stderr.contains("catalog rebuild"), "a command that only looks names the remedy: {types}");
    assert_eq!(sandbox.scan(&[]).states(), before);
}

#[test]
fn a_backup_can_be_put_in_place_of_the_catalog() {
    let sandbox = scanned();
    let copied = sandbox.json(&["catalog", "backup", "copy.db"]);
    assert_eq!(copied["file"], "copy.db");
    let types = sandbox.json(&["types", "--all"]);
    let again = sandbox.run(&["catalog", "backup", "copy.db"]);
    assert_eq!(again.code, 2, "{again}");
    garbage(&sandbox);
    fs::rename(sandbox.tree.path("copy.db"), sandbox.tree.path(CATALOG)).expect("put back");
    assert_eq!(sandbox.json(&["types", "--all"]), types);
}

#[test]
fn a_retry_tries_what_failed_and_explains_an_unknown_name() {
    let sandbox = scanned();
    let still = sandbox.run(&["retry", "--json"]);
    assert_eq!(still.code, 1, "{still}");
    let document = still.document();
    assert_eq!(document["schema"], "mangrove.retry/1");
    let sources = document["sources"].as_array().expect("sources");
    assert_eq!((sources.len(), &sources[0]["path"]), (1, &Value::from(B)), "{still}");
    assert_eq!(sources[0]["failure"]["attempts"], 2, "{still}");

    sandbox.write(B, &model("@acme/b"));
    assert_eq!(sandbox.run(&["retry", "@acme/b"]).code, 0);
    let nothing = sandbox.run(&["retry"]);
    assert_eq!(nothing.code, 0, "{nothing}");
    assert!(nothing.stderr.contains("nothing has failed"), "{nothing}");
    let unknown = sandbox.run(&["retry", "@acme/bb"]);
    assert_eq!(unknown.code, 1, "{unknown}");
    assert!(unknown.stderr.contains("MG0103") && unknown.stderr.contains("`@acme/b`"), "{unknown}");
}

/// A workflow whose first step works until its processor time is used up, and whose second one never begins.
fn busy() -> Sandbox {
    let step = |name: &str| {
        format!("      - name: {name}\n        task: {{ type: model_method, modelIdOrName: busy, methodName: work }}\n")
    };
    let workflow = format!(
        "id: 22222222-2222-4222-8222-222222222222\nname: long\njobs:\n  - name: only\n    concurrency: 1\n    steps:\n{}{}",
        step("first"),
        step("second"),
    );
    let sandbox = Sandbox::new("");
    sandbox.write(
        "models/@acme/busy/11111111-1111-4111-8111-111111111111.yaml",
        "id: 11111111-1111-4111-8111-111111111111\nname: busy\nversion: 1\n",
    );
    sandbox.write("workflows/long.yaml", &workflow);
    let work = "methods: { work: { description: \"Work\", arguments: schema(), execute: async (args, context) => { \
                context.logger.info(\"at work\"); while (true) {} } } } }; const unused = {";
    sandbox.write(A, &model_with("", "@acme/busy", work));
    sandbox.scan(&["--strict"]);
    sandbox
}

/// The only run of the history, once there is one.
fn wait_for_the_run(sandbox: &Sandbox) -> Value {
    let deadline = Instant::now() + Duration::from_mins(2);
    while Instant::now() < deadline {
        let list = sandbox.json(&["run", "list"]);
        if let Some(run) = list["runs"].as_array().and_then(|runs| runs.first()) {
            return run.clone();
        }
    }
    panic!("no run began");
}

fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("`kill` starts");
    assert!(status.success());
}

#[test]
fn fault_39_a_killed_run_is_interrupted_and_a_live_one_is_left_alone() {
    let sandbox = busy();
    let mut child = sandbox.start(&["workflow", "run", "long"]);
    let run = wait_for_the_run(&sandbox);
    assert_eq!(run["status"], "running", "{run:#}");
    child.kill().expect("a run to kill");
    child.wait().expect("it is gone");
    let id = run["runId"].as_str().expect("an identifier");
    let shown = sandbox.json(&["run", "show", id]);
    assert_eq!(shown["status"], "interrupted", "{shown:#}");
    assert!(shown.to_string().contains("MG0710"), "{shown:#}");
}

#[test]
fn a_signal_cancels_a_run_and_the_record_says_so() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let sandbox = busy();
        let child = sandbox.start(&["workflow", "run", "long"]);
        let run = wait_for_the_run(&sandbox);
        send(&child, signal);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        let id = run["runId"].as_str().expect("an identifier");
        let shown = sandbox.json(&["run", "show", id]);
        assert_eq!(shown["status"], "cancelled", "{shown:#}");
        assert!(shown.to_string().contains("MG0711"), "{shown:#}");
        assert!(!shown.to_string().contains("\"running\""), "nothing is left running: {shown:#}");
    }
}

#[test]
fn a_signal_ends_a_scan_and_the_next_one_goes_on() {
    let sandbox = Sandbox::new("");
    for index in 0..60 {
        sandbox.write(&format!("extensions/models/m{index}.ts"), &model(&format!("@acme/m{index}")));
    }
    let child = sandbox.start(&["scan", "--json", "--jobs", "1"]);
    let deadline = Instant::now() + Duration::from_mins(2);
    while sandbox.bundles().is_empty() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    send(&child, "-INT");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["cancelled"], true);
    let kept = document["summary"]["states"]["Indexed"].as_u64().unwrap_or(0);
    let next = sandbox.scan(&[]);
    assert_eq!(next.built() + kept, 60, "what was settled is not built again");
    assert_eq!(sandbox.run(&["doctor"]).code, 0);
}

#[test]
fn fault_18_scans_and_runs_at_the_same_time_do_not_meet_a_lock() {
    let sandbox = Sandbox::copy_of("examples/quickstart");
    let scans = (0..4).map(|_| sandbox.start(&["scan", "--strict"]));
    let runs = (0..2).map(|_| sandbox.start(&["workflow", "run", "hello"]));
    let started: Vec<Child> = scans.chain(runs).collect();
    for child in started {
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !told.contains("locked"), "{told}");
    }
    assert_eq!(sandbox.run(&["doctor"]).code, 0);
}

#[test]
fn a_rebuild_keeps_what_runs_on_its_earlier_bundle() {
    let sandbox = Sandbox::new("");
    let file = "extensions/models/a.ts";
    sandbox.write(file, &model("@acme/a"));
    sandbox.write("extensions/models/b.ts", &model("@acme/b"));
    sandbox.scan(&[]);
    sandbox.write(file, &broken("@acme/a"));
    sandbox.run(&["scan"]);
    let rebuilt = sandbox.run(&["catalog", "rebuild"]);
    assert!(rebuilt.stderr.contains("the earlier bundle of 1 source"), "{rebuilt}");
    let types = sandbox.json(&["types"]);
    let listed: Vec<(&str, bool)> = types["types"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| Some((entry["type"].as_str()?, entry["degraded"].as_bool()?)))
        .collect();
    assert_eq!(listed, [("@acme/a", true), ("@acme/b", false)]);
    // Damaged, it says nothing that one could rely on.
    let catalog = sandbox.tree.path(".mangrove/catalog.db");
    for file in ["catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(sandbox.tree.path(format!(".mangrove/{file}")));
    }
    std::fs::write(&catalog, vec![7_u8; 8192]).expect("written");
    let rebuilt = sandbox.run(&["catalog", "rebuild"]);
    assert!(!rebuilt.stderr.contains("earlier bundle") && rebuilt.stderr.contains("1 failed to build"), "{rebuilt}");
}
