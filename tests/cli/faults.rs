//! Faults that systems of this kind have had, by their numbers, as far as a command line can show them.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    fixtures::{broken, model, model_with},
    sandbox::{Output, Sandbox},
};

const A: &str = "extensions/models/a.ts";
const B: &str = "extensions/models/b.ts";

fn with(sources: &[(&str, String)]) -> Sandbox {
    let sandbox = Sandbox::new("");
    for (path, text) in sources {
        sandbox.write(path, text);
    }
    sandbox
}

#[test]
fn fault_01_a_failed_build_is_tried_at_every_scan() {
    let sandbox = with(&[(A, broken("@acme/a"))]);
    for attempts in 1..=3 {
        let scan = sandbox.scan(&[]);
        assert_eq!(scan.built(), 1);
        assert_eq!(scan.source(A)["failure"]["attempts"], attempts);
    }
}

#[test]
fn fault_03_a_rejected_export_is_accepted_once_it_is_right() {
    let sandbox = with(&[(A, "export const model = { type: \"@acme/a\", version: \"1\" };\n".to_owned())]);
    let rejected = sandbox.scan(&[]);
    assert_eq!(rejected.source(A)["state"], "ValidationFailed");
    let violations = rejected.source(A)["violations"].to_string();
    assert!(violations.contains("version") && violations.contains("methods"), "all at once: {violations}");
    assert_eq!(sandbox.scan(&[]).built(), 0, "the same bytes would be rejected again");
    sandbox.write(A, &model("@acme/a"));
    assert_eq!(sandbox.scan(&[]).source(A)["state"], "Indexed");
}

#[test]
fn fault_04_a_failed_rebuild_keeps_the_old_inputs() {
    let sandbox = with(&[(A, model("@acme/a"))]);
    sandbox.scan(&[]);
    sandbox.write(A, &broken("@acme/a"));
    let failed = sandbox.scan(&[]);
    assert_eq!(failed.source(A)["state"], "Indexed");
    assert_eq!(failed.source(A)["degraded"], true);
    let again = sandbox.scan(&[]);
    assert_eq!(again.with_verdict("RetryFailedBuild").len(), 1, "the edit is not masked: {:#}", again.0);

    sandbox.write(A, &model("@acme/a"));
    let reverted = sandbox.scan(&[]);
    assert_eq!(reverted.built(), 0, "the bundle of these bytes is there");
    assert_eq!(reverted.source(A)["degraded"], false);

    sandbox.write(A, &model_with("", "@acme/a", "tags: {},"));
    let fixed = sandbox.scan(&[]);
    assert_eq!((fixed.built(), &fixed.source(A)["degraded"]), (1, &false.into()));
}

#[test]
fn fault_06_every_kind_of_import_counts_and_no_decoy_does() {
    let imports = "import{one}from\"./_lib/one.ts\";\nimport \"./_lib/side.ts\";\nexport * from \"./_lib/again.mts\";\n\
                   import data from \"./_lib/data.json\" with { type: \"json\" };\nimport { view } from \"../../shared/view.tsx\";\n\
                   const later = () => import(\"./_lib/later.ts\");\n// import \"./_lib/comment.ts\";\n\
                   const text = `import \"./_lib/template.ts\"`;\nimport type { Shape } from \"./_lib/shape.ts\";\n\
                   void [one, data, view, later, text];\n";
    let sandbox = with(&[
        (A, model_with(imports, "@acme/a", "")),
        (B, model("@acme/b")),
        ("extensions/models/_lib/one.ts", "export const one = 1;\n".to_owned()),
        ("extensions/models/_lib/side.ts", "globalThis.side = 1;\n".to_owned()),
        ("extensions/models/_lib/again.mts", "export const again = 1;\n".to_owned()),
        ("extensions/models/_lib/data.json", "{ \"value\": 1 }\n".to_owned()),
        ("extensions/models/_lib/later.ts", "export const later = 1;\n".to_owned()),
        ("extensions/models/_lib/comment.ts", "export const comment = 1;\n".to_owned()),
        ("extensions/models/_lib/template.ts", "export const template = 1;\n".to_owned()),
        ("extensions/models/_lib/shape.ts", "export type Shape = 1;\n".to_owned()),
        ("extensions/shared.ts", "export const unrelated = 1;\n".to_owned()),
        ("shared/view.tsx", "export const view = 1;\n".to_owned()),
    ]);
    let first = sandbox.scan(&[]);
    assert_eq!(first.source(A)["state"], "Indexed", "{:#}", first.source(A));
    for path in ["one.ts", "side.ts", "again.mts", "data.json", "later.ts"] {
        sandbox.edit(&format!("extensions/models/_lib/{path}"), "1", "2");
        assert_eq!(sandbox.scan(&[]).built(), 1, "{path}");
    }
    sandbox.edit("shared/view.tsx", "1", "2");
    assert_eq!(sandbox.scan(&[]).built(), 1, "a file outside of the kind's directory");
    for path in ["comment.ts", "template.ts", "shape.ts"] {
        sandbox.edit(&format!("extensions/models/_lib/{path}"), "1", "2");
        assert_eq!(sandbox.scan(&[]).built(), 0, "{path}");
    }
}

#[test]
fn fault_08_a_file_without_a_known_export_is_remembered() {
    let sandbox =
        with(&[(A, model("@acme/a")), ("extensions/models/helper.ts", "export const helper = 1;\n".to_owned())]);
    let first = sandbox.scan(&[]);
    assert_eq!(first.states().len(), 1, "a helper has no row");
    // Files that are as young as the clock's tick are read once more; after that nothing is.
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut scan = sandbox.scan(&[]);
    while scan.count("filesRead") > 0 {
        assert!(Instant::now() < deadline, "every scan reads files again: {:#}", scan.0);
        scan = sandbox.scan(&[]);
    }
    assert_eq!(scan.built(), 0);
}

#[test]
fn fault_09_a_new_broken_file_is_seen_on_the_warm_path() {
    let sandbox = with(&[(A, model("@acme/a"))]);
    sandbox.scan(&[]);
    sandbox.write(B, &broken("@acme/b"));
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source(B)["state"], "BundleBuildFailed");
    assert_eq!(scan.source(B)["claimedType"], "@acme/b");
    assert_eq!(sandbox.json(&["types", "--all"])["types"].as_array().map(Vec::len), Some(2));
}

#[test]
fn fault_11_nothing_is_built_twice() {
    let sandbox = with(&[(A, model("@acme/a")), (B, model("@acme/b"))]);
    assert_eq!(sandbox.scan(&[]).built(), 2);
    assert_eq!(sandbox.scan(&[]).built(), 0);
    let repository = sandbox.tree.root();
    let elsewhere = sandbox.run(&["scan", "--json", "--all", "--repo", repository.to_str().expect("a path in UTF-8")]);
    assert_eq!(crate::sandbox::Scan(elsewhere.document()).built(), 0, "however the repository is named");
}

#[test]
fn fault_12_tests_and_private_directories_are_no_entry_points() {
    let sandbox = with(&[
        (A, model("@acme/a")),
        ("extensions/models/a_test.ts", model("@acme/test-1")),
        ("extensions/models/a.test.ts", model("@acme/test-2")),
        ("extensions/models/a.d.ts", model("@acme/types")),
        ("extensions/models/_lib/b.ts", model("@acme/private")),
        ("extensions/models/.hidden/b.ts", model("@acme/hidden")),
        ("extensions/models/node_modules/b/b.ts", model("@acme/package")),
        ("extensions/models-old/b.ts", model("@acme/old")),
    ]);
    assert_eq!(sandbox.scan(&[]).states().len(), 1);
    sandbox.write(B, &model("@acme/b"));
    assert_eq!(sandbox.scan(&[]).states().len(), 2, "the same on the warm path");
}

#[test]
fn fault_13_two_claims_of_one_type_leave_one_winner() {
    let sandbox = with(&[(A, model("@acme/a")), (B, model("@acme/a"))]);
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source(A)["shadowedBy"], serde_json::Value::Null);
    assert_eq!(scan.source(B)["shadowedBy"], A);
    assert!(scan.0.to_string().contains("MG0110"), "the conflict is told: {:#}", scan.0);
    sandbox.tree.remove(A).expect("the winner");
    let after = sandbox.scan(&[]);
    assert_eq!(after.source(B)["shadowedBy"], serde_json::Value::Null, "the other one comes back by itself");
    assert_eq!(after.built(), 0);
}

#[test]
fn fault_16_a_moved_repository_keeps_its_rows() {
    let sandbox = with(&[(A, model("@acme/a")), (B, model("@acme/b"))]);
    sandbox.scan(&[]);
    let moved = Sandbox::new("//- /mangrove.yaml\nrepoId: replaced\n");
    for path in crate::sandbox::files_below(&sandbox.tree.root()) {
        let relative = path.strip_prefix(sandbox.tree.root()).expect("below the root").to_owned();
        moved.tree.write(relative.to_str().expect("UTF-8"), fs::read(&path).expect("a file")).expect("a copy");
    }
    let scan = moved.scan(&[]);
    assert_eq!(scan.built(), 0, "{:#}", scan.0);
    assert_eq!(scan.states().len(), 2);
}

#[test]
fn fault_18_commands_at_the_same_time_all_succeed() {
    let sandbox = with(&[(A, model("@acme/a")), (B, model("@acme/b"))]);
    let children: Vec<_> = (0..8)
        .map(|number| sandbox.start(if number % 2 == 0 { &["scan", "--json"] } else { &["types", "--json"] }))
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        assert!(!told.contains("locked"), "{told}");
    }
    assert_eq!(sandbox.scan(&[]).built(), 0);
    assert_eq!(sandbox.json(&["types"])["types"].as_array().map(Vec::len), Some(2));
}

#[test]
fn fault_22_a_file_that_is_gone_is_not_complained_about() {
    let sandbox = with(&[(A, model("@acme/a")), (B, broken("@acme/b"))]);
    sandbox.scan(&[]);
    sandbox.tree.remove(B).expect("the broken file");
    sandbox.scan(&[]);
    for arguments in [["scan", "--all"].as_slice(), &["doctor"], &["types", "--all"]] {
        let output = sandbox.run(arguments);
        assert_eq!(output.code, 0, "{output}");
        assert!(![output.stdout.as_str(), output.stderr.as_str()].concat().contains("b.ts"), "{arguments:?}: {output}");
    }
}

#[test]
fn fault_23_every_failure_is_told_with_cause_and_hint() {
    let sandbox = with(&[(A, broken("@acme/a"))]);
    let output = sandbox.run(&["scan"]);
    let told = [output.stdout.as_str(), output.stderr.as_str()].concat();
    assert!(told.contains("extensions/models/a.ts") && told.contains("MG0201"), "{output}");
    assert!(told.contains("mangrove "), "a command that helps is named: {output}");
}

#[test]
fn fault_25_the_type_is_that_of_the_export() {
    let decoys = format!(
        "// type: \"@evil/comment\"\nconst decoy = {{ type: \"@evil/decoy\" }};\nvoid decoy;\nconst padding = \"{}\";\nvoid padding;\n",
        "x".repeat(70_000)
    );
    let sandbox = with(&[(A, model_with(&decoys, "@acme/a", ""))]);
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source(A)["type"], "@acme/a");
    assert_eq!(scan.source(A)["claimedType"], "@acme/a");
}

#[test]
fn fault_27_an_upgrade_chain_is_judged_when_it_is_scanned() {
    let upgrade = "upgrades: [{ toVersion: \"2026.05.23.1\", description: \"x\", upgradeAttributes: (a) => a }, \
                   { toVersion: \"2026.05.22.1\", description: \"y\", upgradeAttributes: (a) => a }],";
    let sandbox = with(&[(A, model_with("", "@acme/a", upgrade))]);
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source(A)["state"], "ValidationFailed");
    assert!(scan.source(A)["violations"].to_string().contains("upgrades"), "{:#}", scan.source(A));
}

#[test]
fn fault_28_an_unknown_type_says_who_claims_it_and_what_failed() {
    let sandbox = with(&[(A, broken("@acme/dns")), (B, model("@acme/zone"))]);
    sandbox.scan(&[]);
    let text = sandbox.run(&["describe", "@acme/dns"]);
    assert_eq!(text.code, 1, "{text}");
    for expected in
        ["error[MG0101]: unknown model type `@acme/dns`", "extensions/models/a.ts claims it", "mangrove why @acme/dns"]
    {
        assert!(text.stderr.contains(expected), "{expected:?} is missing: {text}");
    }
    let document = sandbox.run(&["describe", "@acme/dns", "--json"]).document();
    assert_eq!(document["code"], "MG0101");
    assert_eq!(document["claimedBy"], A);
    assert_eq!(document["state"], "BundleBuildFailed");
    assert_eq!(document["failure"]["code"], "MG0201");
    let near: Output = sandbox.run(&["describe", "@acme/zonne"]);
    assert!(near.stderr.contains("`@acme/zone`"), "the nearest name is told: {near}");
}

#[test]
fn fault_35_nothing_of_the_environment_is_needed() {
    let sandbox = with(&[(A, model("@acme/a"))]);
    let output = sandbox.command().env_remove("PATH").args(["scan", "--strict"]).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn fault_39_a_killed_scan_leaves_nothing_behind_that_blocks() {
    let sandbox = with(&[(A, model("@acme/a")), (B, model("@acme/b"))]);
    let mut scan = sandbox.start(&["scan"]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !sandbox.tree.path(".mangrove/catalog.db").exists() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    scan.kill().expect("a scan to kill");
    scan.wait().expect("it is gone");
    let after = sandbox.scan(&[]);
    assert_eq!(after.states().into_values().collect::<Vec<_>>(), ["Indexed", "Indexed"]);
    assert_eq!(sandbox.run(&["doctor"]).code, 0);
}

#[test]
fn fault_40_doctor_changes_nothing() {
    let sandbox = with(&[(A, model("@acme/a")), (B, broken("@acme/b"))]);
    sandbox.scan(&[]);
    sandbox.edit(A, "Greet somebody", "Greet anybody");
    fs::remove_file(sandbox.bundles().last().expect("a bundle")).expect("a bundle to delete");
    // The shared memory of readers and an empty log come and go with connections; they hold nothing.
    let state = || {
        let mut state = sandbox.state();
        state.retain(|path: &PathBuf, bytes| !path.ends_with("catalog.db-shm") && !bytes.is_empty());
        state
    };
    let before = state();
    assert_eq!(sandbox.run(&["doctor"]).code, 1);
    assert!(before == state(), "doctor has changed the state directory");

    let fresh = Sandbox::new("");
    fresh.run(&["doctor"]);
    assert!(!fresh.tree.path(".mangrove").exists(), "doctor has made a state directory");
}

#[test]
fn fault_46_every_input_of_a_bundle_counts() {
    let sandbox = with(&[
        (A, model_with("import { value } from \"mapped\";\nvoid value;", "@acme/a", "")),
        ("deno.json", "{ \"imports\": { \"mapped\": \"./one.ts\" } }\n".to_owned()),
        ("one.ts", "export const value = 1;\n".to_owned()),
        ("two.ts", "export const value = 2;\n".to_owned()),
    ]);
    assert_eq!(sandbox.scan(&[]).source(A)["state"], "Indexed");
    sandbox.edit("deno.json", "one.ts", "two.ts");
    assert_eq!(sandbox.scan(&[]).built(), 1, "another target of the import map");
    sandbox.edit("two.ts", "2", "3");
    assert_eq!(sandbox.scan(&[]).built(), 1, "the new target is watched");
    sandbox.edit("one.ts", "1", "4");
    assert_eq!(sandbox.scan(&[]).built(), 0, "the old one is not");
}

#[test]
fn a_flipped_bit_is_told_by_the_doctor_and_healed_by_a_rehash() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.scan(&[]);
    let bundle = sandbox.bundles().remove(0);
    let mut bytes = std::fs::read(&bundle).expect("the bundle");
    bytes[10] ^= 1;
    std::fs::write(&bundle, &bytes).expect("damaged");
    let doctor = sandbox.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1, "{doctor}");
    assert_eq!(doctor.document()["problems"][0]["code"], "MG0411", "{doctor}");
    assert_eq!(sandbox.scan(&["--rehash"]).built(), 1);
    assert_eq!(sandbox.run(&["doctor"]).code, 0);
}

#[test]
fn a_dry_run_writes_nothing() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let planned = sandbox.json(&["scan", "--dry-run"]);
    assert_eq!(planned["sources"][0]["verdict"], "New", "{planned:#}");
    assert!(!sandbox.tree.path(".mangrove").exists(), "the state directory was made");
}

#[test]
fn a_wrong_directory_setting_ends_the_scan_and_keeps_the_rows() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.scan(&[]);
    sandbox.write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\nmodelsDir: ../elsewhere\n");
    let refused = sandbox.run(&["scan"]);
    assert_eq!(refused.code, 2, "{refused}");
    sandbox.write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\n");
    assert_eq!(sandbox.scan(&[]).built(), 0);
}
