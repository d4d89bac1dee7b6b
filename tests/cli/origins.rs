//! Mounts, pulled extensions and the repository's own: who resolves, what stays when something is away, what leaves.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    fixtures::{broken, model},
    sandbox::{Output, Sandbox, Scan},
};

const LOCKFILE: &str = "extensions/models/upstream_extensions.json";
const SOURCES: &str = ".swamp-sources.yaml";

/// A repository with one source of its own, one in a mount, one in a pulled extension.
fn three() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/own.ts", &model("@acme/own"));
    sandbox.write(SOURCES, "sources: [mounts/shared]\n");
    sandbox.write("mounts/shared/extensions/models/m.ts", &model("@acme/mounted"));
    lock(&sandbox, &["@acme/tools"]);
    sandbox.write(&pulled("@acme/tools", "p.ts"), &model("@acme/pulled"));
    let scan = sandbox.scan(&[]);
    assert_eq!((scan.built(), resolved(&sandbox).len()), (3, 3), "{:#}", scan.0);
    sandbox
}

fn pulled(extension: &str, file: &str) -> String {
    format!(".swamp/pulled-extensions/{extension}/models/{file}")
}

fn lock(sandbox: &Sandbox, names: &[&str]) {
    let entries: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), serde_json::json!({ "version": "2026.01.01.1", "files": ["models/p.ts"] })))
        .collect();
    sandbox.write(LOCKFILE, &Value::Object(entries).to_string());
}

/// `root/path` by the type that it resolves.
fn resolved(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let document = sandbox.json(&["types"]);
    let types = document["types"].as_array().expect("a list of types");
    let line = |entry: &Value| (text(entry, "type"), format!("{}/{}", text(entry, "root"), text(entry, "path")));
    types.iter().map(line).collect()
}

fn all(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

/// Nothing is built, and everything is as healthy as before.
fn assert_quiet(scan: &Scan) {
    assert_eq!(scan.built(), 0, "{:#}", scan.0);
    assert!(scan.states().values().all(|state| state == "Indexed"), "{:#}", scan.0);
}

#[test]
fn types_say_where_they_come_from() {
    let sandbox = three();
    let document = sandbox.json(&["types"]);
    let origins: Vec<String> = document["types"]
        .as_array()
        .expect("types")
        .iter()
        .map(|entry| format!("{} {} {} {}", entry["type"], entry["origin"], entry["root"], entry["extension"]))
        .collect();
    insta::assert_snapshot!(origins.join("\n").replace('"', ""), @r#"
    @acme/own local local @local/00000000-0000-4000-8000-000000000001
    @acme/mounted mounted mount:mounts/shared @mount/shared
    @acme/pulled pulled pulled:@acme/tools @acme/tools
    "#);
    let warm = sandbox.scan(&[]);
    assert_quiet(&warm);
    assert_eq!(warm.source("extensions/models/m.ts")["origin"], "mounted");
}

#[test]
fn fault_14_removing_the_local_file_that_shadowed_a_pulled_type_brings_it_back() {
    let sandbox = three();
    sandbox.write("extensions/models/mine.ts", &model("@acme/pulled"));
    sandbox.scan(&[]);
    assert_eq!(resolved(&sandbox)["@acme/pulled"], "local/extensions/models/mine.ts");
    fs::remove_file(sandbox.tree.path("extensions/models/mine.ts")).expect("it is there");
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.built(), 0, "the shadowed bundle was kept: {:#}", scan.0);
    assert_eq!(resolved(&sandbox)["@acme/pulled"], "pulled:@acme/tools/models/p.ts");
}

#[test]
fn fault_15_saving_one_extension_prunes_nothing_elsewhere() {
    let sandbox = three();
    sandbox.write("extensions/models/own.ts", &model("@acme/renamed"));
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.built(), 1);
    let expected = ["@acme/mounted", "@acme/pulled", "@acme/renamed"];
    assert_eq!(resolved(&sandbox).into_keys().collect::<Vec<_>>(), expected);
    assert_eq!(sandbox.scan(&["--kind", "model"]).states().len(), 3);
}

#[test]
fn fault_20_what_is_away_keeps_working_and_comes_back_without_a_build() {
    let sandbox = three();
    let before = resolved(&sandbox);
    fs::rename(sandbox.tree.path("mounts/shared"), sandbox.tree.path("away")).expect("moves");
    fs::rename(sandbox.tree.path(".swamp"), sandbox.tree.path("away-too")).expect("moves");
    for _ in 0..2 {
        let scan = sandbox.scan(&[]);
        assert_eq!((scan.built(), scan.count("degraded")), (0, 2), "{:#}", scan.0);
        assert_eq!(resolved(&sandbox), before);
    }
    let told = all(&sandbox.run(&["scan"]));
    assert!(told.contains("MG0406") && told.contains("mounts/shared"), "{told}");
    fs::rename(sandbox.tree.path("away"), sandbox.tree.path("mounts/shared")).expect("moves");
    fs::rename(sandbox.tree.path("away-too"), sandbox.tree.path(".swamp")).expect("moves");
    let scan = sandbox.scan(&[]);
    assert_quiet(&scan);
    assert_eq!(scan.count("degraded"), 0);
}

#[test]
fn fault_20_a_match_of_a_pattern_that_vanished_keeps_working_until_the_pattern_goes() {
    let sandbox = three();
    sandbox.write(SOURCES, "sources: ['mounts/s*']\n");
    assert_quiet(&sandbox.scan(&[]));
    fs::rename(sandbox.tree.path("mounts/shared"), sandbox.tree.path("away")).expect("moves");
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source("extensions/models/m.ts")["degraded"], true, "{:#}", scan.0);
    sandbox.write(SOURCES, "sources: ['mounts/t*']\n");
    assert_eq!(sandbox.scan(&[]).states().len(), 2);
}

#[test]
fn fault_20_most_of_a_mount_does_not_vanish_at_once() {
    let sandbox = three();
    for index in 0..11 {
        sandbox.write(&format!("mounts/shared/extensions/models/x{index}.ts"), &model(&format!("@acme/x{index}")));
    }
    assert_eq!(sandbox.scan(&[]).built(), 11);
    fs::remove_dir_all(sandbox.tree.path("mounts/shared/extensions/models")).expect("it is there");
    sandbox.write("extensions/models/gone.ts", "");
    let told = all(&sandbox.run(&["scan"]));
    assert!(told.contains("MG0407") && told.contains("mount:mounts/shared"), "{told}");
    assert_eq!(resolved(&sandbox).len(), 14);
    sandbox.scan(&["--allow-mass-removal"]);
    assert_eq!(resolved(&sandbox).len(), 2);
}

#[test]
fn a_root_that_is_no_longer_configured_or_locked_leaves() {
    let sandbox = three();
    sandbox.write(SOURCES, "sources: []\n");
    lock(&sandbox, &[]);
    let dry = sandbox.json(&["scan", "--dry-run"]);
    let removed: Vec<&Value> = dry["sources"]
        .as_array()
        .expect("sources")
        .iter()
        .filter(|step| step["verdict"] == "ExtensionRemoved")
        .collect();
    assert_eq!(removed.len(), 2, "{dry:#}");
    assert_eq!(resolved(&sandbox).len(), 3, "a dry run changes nothing");
    sandbox.scan(&[]);
    assert_eq!(resolved(&sandbox).into_keys().collect::<Vec<_>>(), ["@acme/own"]);
    let told = all(&sandbox.run(&["scan"]));
    assert!(told.contains("MG0413"), "what lies there unlocked is said: {told}");
}

#[test]
fn lists_that_cannot_be_read_take_nothing_away() {
    let sandbox = three();
    let before = resolved(&sandbox);
    sandbox.write(SOURCES, "sources: [\n");
    sandbox.write(LOCKFILE, "{");
    assert_quiet(&sandbox.scan(&[]));
    assert_eq!(resolved(&sandbox), before);
    let told = all(&sandbox.run(&["scan"]));
    assert!(told.contains(".swamp-sources.yaml:") && told.contains("upstream_extensions.json:1"), "{told}");
    fs::remove_file(sandbox.tree.path(LOCKFILE)).expect("it is there");
    sandbox.scan(&[]);
    assert_eq!(resolved(&sandbox), before, "a lost lockfile removes nothing");
}

#[test]
fn a_misspelt_key_in_the_list_of_mounts_takes_nothing_away() {
    let sandbox = three();
    let before = resolved(&sandbox);
    sandbox.edit(SOURCES, "sources", "sourcs");
    let told = all(&sandbox.run(&["scan"]));
    assert!(told.contains("MG0603") && told.contains(".swamp-sources.yaml:1"), "{told}");
    assert_eq!(resolved(&sandbox), before);
}

#[test]
fn fault_16_a_copied_repository_is_bundled_from_where_it_lies_now() {
    let sandbox = three();
    let copy = tempfile::tempdir().expect("a directory");
    let status = std::process::Command::new("cp").arg("-a").arg(sandbox.tree.path(".")).arg(copy.path()).status();
    assert!(status.expect("cp starts").success());
    let own = "extensions/models/own.ts";
    let text = fs::read_to_string(copy.path().join(own)).expect("a copy");
    fs::write(copy.path().join(own), format!("{text}\nexport const onlyInTheCopy = 1;\n")).expect("written");
    let output = sandbox.command().current_dir(copy.path()).args(["bundle", own]).output().expect("it starts");
    let code = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && code.contains("onlyInTheCopy"), "{code}");
}

#[test]
fn a_missing_locked_file_degrades_and_an_unlocked_one_is_deleted() {
    let sandbox = three();
    sandbox.write(&pulled("@acme/tools", "extra.ts"), &model("@acme/extra"));
    sandbox.scan(&[]);
    fs::remove_file(sandbox.tree.path(pulled("@acme/tools", "p.ts"))).expect("it is there");
    fs::remove_file(sandbox.tree.path(pulled("@acme/tools", "extra.ts"))).expect("it is there");
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source("models/p.ts")["degraded"], true, "{:#}", scan.0);
    assert!(!scan.states().contains_key("models/extra.ts"));
    assert!(resolved(&sandbox).contains_key("@acme/pulled"));
}

#[test]
fn fault_05_replaced_sources_of_a_pulled_extension_are_built_whatever_was_shipped() {
    let sandbox = three();
    sandbox.write(".swamp/models-bundles/@acme/tools/p.js", "export const model = { type: '@acme/shipped' };");
    sandbox.write(&pulled("@acme/tools", "p.ts"), &model("@acme/replaced"));
    assert_eq!(sandbox.scan(&[]).built(), 1);
    assert!(resolved(&sandbox).contains_key("@acme/replaced"));
    sandbox.write(&pulled("@acme/tools", "p.ts"), &broken("@acme/replaced"));
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source("models/p.ts")["degraded"], true, "a failed build is never hidden: {:#}", scan.0);
}

#[test]
fn fault_16_a_moved_repository_keeps_its_rows_of_every_root() {
    let sandbox = three();
    let elsewhere = Sandbox::new("");
    let new = elsewhere.tree.path("clone");
    fs::rename(sandbox.tree.root(), &new).expect("moves");
    std::os::unix::fs::symlink("clone", elsewhere.tree.path("second")).expect("a link");
    for name in ["clone", "second"] {
        let place = elsewhere.tree.path(name).display().to_string();
        let scan = Scan(elsewhere.json(&["scan", "--all", "--repo", &place]));
        assert_quiet(&scan);
        assert_eq!(scan.states().len(), 3);
    }
    fs::rename(&new, sandbox.tree.root()).expect("moves back");
}

#[test]
fn fault_13_two_mounts_with_one_type_are_a_conflict_that_does_not_depend_on_history() {
    let sandbox = three();
    for name in ["b", "a"] {
        sandbox.write(&format!("mounts/{name}/models/x.ts"), &model("@acme/both"));
        sandbox.write(SOURCES, &format!("sources: [mounts/shared, mounts/{name}, mounts/a]\n"));
        sandbox.scan(&[]);
    }
    sandbox.write(SOURCES, "sources: [mounts/shared, mounts/b, mounts/a]\n");
    let told = all(&sandbox.run(&["scan"]));
    assert!(told.contains("MG0110"), "{told}");
    assert_eq!(resolved(&sandbox)["@acme/both"], "mount:mounts/a/models/x.ts");
    fs::remove_file(sandbox.tree.path("mounts/a/models/x.ts")).expect("it is there");
    assert_eq!(sandbox.scan(&[]).built(), 0);
    assert_eq!(resolved(&sandbox)["@acme/both"], "mount:mounts/b/models/x.ts");
}

#[test]
fn fault_22_nothing_is_said_of_files_that_no_longer_exist() {
    let sandbox = three();
    sandbox.write("mounts/shared/extensions/models/bad.ts", &broken("@acme/bad"));
    assert!(all(&sandbox.run(&["scan"])).contains("bad.ts"));
    fs::remove_file(sandbox.tree.path("mounts/shared/extensions/models/bad.ts")).expect("it is there");
    sandbox.run(&["scan"]);
    for command in [&["scan"][..], &["doctor"], &["types", "--all"]] {
        let told = all(&sandbox.run(command));
        assert!(!told.contains("bad.ts"), "{command:?}: {told}");
    }
}

#[test]
fn a_file_that_moves_between_origins_is_one_that_was_renamed() {
    let sandbox = three();
    let (mounted, own) = ("mounts/shared/extensions/models/m.ts", "extensions/models/m.ts");
    fs::rename(sandbox.tree.path(mounted), sandbox.tree.path(own)).expect("moves");
    let dry = sandbox.json(&["scan", "--dry-run"]);
    let sources = dry["sources"].as_array().expect("sources");
    assert!(sources.iter().any(|step| step["verdict"] == "Renamed"), "{dry:#}");
    sandbox.scan(&[]);
    assert_eq!(resolved(&sandbox)["@acme/mounted"], "local/extensions/models/m.ts");
    fs::rename(sandbox.tree.path(own), sandbox.tree.path(mounted)).expect("moves back");
    sandbox.scan(&[]);
    assert_eq!(resolved(&sandbox)["@acme/mounted"], "mount:mounts/shared/extensions/models/m.ts");
}

#[test]
fn a_manifest_that_appears_moves_sources_to_its_extension_without_a_build() {
    let sandbox = three();
    let name = |scan: &Scan| scan.source("extensions/models/own.ts")["extension"].to_string();
    let manifest = "extensions/models/manifest.yaml";
    sandbox.write(manifest, "name: '@acme/mine'\nversion: 2026.01.01.1\n");
    let scan = sandbox.scan(&[]);
    assert_quiet(&scan);
    assert!(name(&scan).contains("@acme/mine"), "{}", name(&scan));
    sandbox.write(manifest, "name: [");
    let scan = sandbox.scan(&[]);
    assert!(name(&scan).contains("@acme/mine"), "a mistake moves nothing: {}", name(&scan));
    assert!(all(&sandbox.run(&["scan"])).contains("extensions/models/manifest.yaml:1"));
}

#[test]
fn a_local_source_that_never_worked_is_stood_in_for_and_this_is_said() {
    let sandbox = three();
    sandbox.write("extensions/models/mine.ts", &broken("@acme/pulled"));
    let told = all(&sandbox.run(&["scan"]));
    assert!(told.contains("MG0111"), "{told}");
    assert_eq!(resolved(&sandbox)["@acme/pulled"], "pulled:@acme/tools/models/p.ts");
}

#[test]
fn extensions_may_come_from_another_checkout() {
    let sandbox = three();
    sandbox.write("worktree/extensions/models/own.ts", &model("@acme/branch"));
    sandbox.write(
        "worktree/extensions/models/upstream_extensions.json",
        &sandbox.tree.read(LOCKFILE).expect("a lockfile"),
    );
    let place = sandbox.tree.path("worktree").display().to_string();
    for argument in [place.clone(), format!("{place}/extensions")] {
        let scan = sandbox.scan(&["--extensions-dir", &argument, "--state-dir", &format!("{place}/.mangrove")]);
        assert_eq!(scan.states().len(), 3, "{:#}", scan.0);
        assert_eq!(scan.source("extensions/models/own.ts")["type"], "@acme/branch");
    }
    assert_eq!(sandbox.scan(&[]).source("extensions/models/own.ts")["type"], "@acme/own");
}

#[test]
fn files_of_every_root_can_be_bundled() {
    let sandbox = three();
    sandbox.write("mounts/shared/lib/name.ts", "export const name = 'from the mount';");
    sandbox.write("mounts/shared/deno.json", r#"{ "imports": { "names": "./lib/name.ts" } }"#);
    let text = format!("import {{ name }} from 'names';\nexport const said = name;\n{}", model("@acme/mounted"));
    sandbox.write("mounts/shared/extensions/models/m.ts", &text);
    let outside = Sandbox::new("");
    outside.write("extensions/models/x.ts", &model("@acme/x"));
    let place = outside.tree.path("extensions/models/x.ts").display().to_string();
    assert_eq!(sandbox.run(&["bundle", &place]).code, 2, "it belongs to another repository");
    for (file, path) in [
        ("mounts/shared/extensions/models/m.ts", "mount:mounts/shared/extensions/models/m.ts"),
        (".swamp/pulled-extensions/@acme/tools/models/p.ts", "pulled:@acme/tools/models/p.ts"),
        ("extensions/models/own.ts", "extensions/models/own.ts"),
    ] {
        let document = sandbox.json(&["bundle", file]);
        assert_eq!(document["path"], path);
        let code = document["code"].as_str().unwrap_or_default();
        assert_eq!(code.contains("from the mount"), path.starts_with("mount:"), "{code}");
    }
}
