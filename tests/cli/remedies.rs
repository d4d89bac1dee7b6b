//! Every state has a command that mends it (fault 49): damaged catalogs, failed builds, lost descriptions.

use std::{fs, process::Command};

use crate::{
    fixtures::{broken, model},
    sandbox::{Sandbox, has_program},
};

const A: &str = "extensions/models/a.ts";
const B: &str = "extensions/models/b.ts";
const CATALOG: &str = ".mangrove/catalog.db";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(A, &model("@acme/a"));
    sandbox.write(B, &broken("@acme/b"));
    sandbox.scan(&[]);
    sandbox
}

/// Runs SQL on the catalog as somebody might by hand.
fn by_hand(sandbox: &Sandbox, sql: &'static str) {
    let status = Command::new("sqlite3").arg(sandbox.tree.path(CATALOG)).arg(sql).status().expect("sqlite3 starts");
    assert!(status.success(), "{sql}");
}

fn has_sqlite() -> bool {
    has_program("sqlite3", "what a damaged catalog is worth")
}

fn damage(sandbox: &Sandbox) {
    for name in ["-wal", "-shm"] {
        let _ = fs::remove_file(sandbox.tree.path(format!("{CATALOG}{name}")));
    }
    fs::write(sandbox.tree.path(CATALOG), vec![0x55; 20_000]).expect("a damaged file");
}

fn healthy_states(sandbox: &Sandbox) {
    let states = sandbox.scan(&[]).states();
    assert_eq!(states[A], "Indexed");
    assert_eq!(states[B], "BundleBuildFailed");
}

type Damage = fn(&Sandbox);

#[test]
fn fault_19_the_doctor_reports_a_catalog_that_cannot_be_used() {
    if !has_sqlite() {
        return;
    }
    let damages: [(&str, Damage); 4] = [
        ("MG0502", damage),
        ("MG0502", |sandbox| by_hand(sandbox, "DROP TABLE parts")),
        ("MG0503", |sandbox| by_hand(sandbox, "UPDATE meta SET value = '999' WHERE name = 'layout'")),
        ("MG0502", |sandbox| by_hand(sandbox, "DELETE FROM meta WHERE name = 'layout'")),
    ];
    for (code, damage) in damages {
        let sandbox = sandbox();
        damage(&sandbox);
        let before = sandbox.state();
        let output = sandbox.run(&["doctor", "--json"]);
        assert_eq!(output.code, 1, "{output}");
        let document = output.document();
        assert_eq!((&document["schema"], &document["healthy"]), (&"mangrove.doctor/1".into(), &false.into()));
        assert_eq!(document["problems"][0]["code"], code, "{document:#}");
        assert!(document["problems"][0]["hint"].is_string(), "{document:#}");
        let after = sandbox.state();
        assert_eq!(before.get(&sandbox.tree.path(CATALOG)), after.get(&sandbox.tree.path(CATALOG)), "it only looks");

        let rebuilt = sandbox.run(&["catalog", "rebuild"]);
        assert_eq!(rebuilt.code, 0, "{rebuilt}");
        healthy_states(&sandbox);
    }
}

#[test]
fn fault_49_a_table_that_was_dropped_comes_back_with_a_scan() {
    if !has_sqlite() {
        return;
    }
    let sandbox = sandbox();
    by_hand(&sandbox, "DROP TABLE parts");
    let output = sandbox.run(&["scan"]);
    assert!(output.code == 0 && output.stderr.contains("MG0502"), "{output}");
    healthy_states(&sandbox);
}

#[test]
fn fault_49_a_lost_description_comes_back_with_a_scan_or_when_it_is_asked_for() {
    if !has_sqlite() {
        return;
    }
    let sandbox = sandbox();
    by_hand(&sandbox, "DELETE FROM descriptions");
    let scan = sandbox.scan(&[]);
    assert_eq!((scan.source(A)["verdict"].as_str(), scan.count("inspected")), (Some("RulesChanged"), 1));
    assert_eq!(scan.built(), 1, "only what failed is built");
    assert_eq!(sandbox.run(&["describe", "@acme/a"]).code, 0);
    assert_eq!(sandbox.scan(&[]).source(A)["verdict"], "Unchanged");
}

#[test]
fn retry_tries_what_failed_and_nothing_else() {
    let sandbox = sandbox();
    let all = sandbox.json(&["retry"]);
    assert_eq!(all["summary"]["built"], 1);
    let one = sandbox.json(&["retry", "@acme/b"]);
    assert_eq!((&one["sources"][0]["path"], &one["sources"][0]["failure"]["attempts"]), (&B.into(), &3.into()));
    assert_eq!(sandbox.json(&["retry", A])["summary"]["built"], 0, "it did not fail");
    let unknown = sandbox.run(&["retry", "@acme/none"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("MG0103"), "{unknown}");
    sandbox.write(B, &model("@acme/b"));
    assert_eq!(sandbox.json(&["retry", B])["sources"][0]["state"], "Indexed");
    assert_eq!(sandbox.json(&["retry"])["summary"]["built"], 0);
}

#[test]
fn a_backup_is_whole_and_never_replaces_anything() {
    let sandbox = sandbox();
    let target = sandbox.tree.path("copy.db");
    let target = target.to_str().expect("a name in UTF-8");
    sandbox.json(&["catalog", "backup", target]);
    let again = sandbox.run(&["catalog", "backup", target]);
    assert_eq!(again.code, 3, "{again}");
    fs::copy(target, sandbox.tree.path(CATALOG)).expect("the copy is put in place");
    for name in ["-wal", "-shm"] {
        let _ = fs::remove_file(sandbox.tree.path(format!("{CATALOG}{name}")));
    }
    assert_eq!(sandbox.scan(&[]).built(), 1, "all that was known is in it");
}
