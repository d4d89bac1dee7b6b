//! What the program says of names and paths: where a type may be, what a file is, what helps.

use std::fs;

use serde_json::Value;

use crate::{
    fixtures::{broken, model},
    sandbox::{Output, Sandbox},
};

const SOURCES: &str = ".swamp-sources.yaml";

fn all(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

/// A repository with a model of its own and a mount outside of it.
fn with_mount() -> (Sandbox, tempfile::TempDir) {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/own.ts", &model("@acme/own"));
    let models = elsewhere.path().join("tools/extensions/models");
    fs::create_dir_all(&models).expect("directories");
    fs::write(models.join("m.ts"), model("@acme/mounted")).expect("a model");
    let mount = elsewhere.path().join("tools").display().to_string();
    sandbox.write(SOURCES, &format!("sources:\n  - path: {mount}\n"));
    (sandbox, elsewhere)
}

#[test]
fn fault_28_a_type_may_be_in_a_mount_that_is_away() {
    let (sandbox, elsewhere) = with_mount();
    fs::rename(elsewhere.path().join("tools"), elsewhere.path().join("away")).expect("moved");
    sandbox.scan(&[]);
    for query in [&["describe", "@acme/mounted"][..], &["describe", "@acme/mounted", "--kind", "model"]] {
        let output = sandbox.run(query);
        assert_eq!(output.code, 1, "{output}");
        let told = all(&output);
        assert!(
            told.contains("no source that can be read claims this type") && told.contains("cannot be entered"),
            "{told}"
        );
        assert!(told.contains("[MG0406]") && told.contains("hint: mount it or check it out again"), "{told}");
    }
    let document = sandbox.run(&["describe", "@acme/mounted", "--json"]).document();
    assert_eq!(document["unobservable"][0]["code"], "MG0406", "{document:#}");
    assert_eq!(document["claimedBy"], Value::Null);
    let why = all(&sandbox.run(&["why", "@acme/mounted"]));
    assert!(
        why.contains("it may be in one of these places, which cannot be read now:") && why.contains("[MG0406]"),
        "{why}"
    );

    fs::rename(elsewhere.path().join("away"), elsewhere.path().join("tools")).expect("moved back");
    let unscanned = all(&sandbox.run(&["describe", "@acme/mounted"]));
    assert!(
        unscanned.contains("claims it, but has not been scanned yet") && unscanned.contains("`mangrove scan`"),
        "{unscanned}"
    );
}

#[test]
fn fault_28_a_type_whose_source_was_deleted_is_told_with_its_history() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/own.ts", &model("@acme/own"));
    sandbox.scan(&[]);
    fs::remove_file(sandbox.tree.path("extensions/models/own.ts")).expect("removed");
    sandbox.scan(&[]);
    let told = all(&sandbox.run(&["describe", "@acme/own"]));
    assert!(
        told.contains("extensions/models/own.ts claimed it before; its row was removed: the source was deleted"),
        "{told}"
    );
    let document = sandbox.run(&["describe", "@acme/own", "--json"]).document();
    assert_eq!(document["departed"][0]["path"], "extensions/models/own.ts", "{document:#}");
}

#[test]
fn an_unknown_name_is_near_names_of_every_kind() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/dns.ts", &model("@acme/dns"));
    sandbox.write("extensions/vaults/dnt.ts", &broken("@acme/dnt").replace("const model", "const vault"));
    sandbox.scan(&[]);
    let told = all(&sandbox.run(&["describe", "@acme/dnz"]));
    assert!(told.contains("unknown type `@acme/dnz`"), "{told}");
    assert!(told.contains("did you mean `@acme/dns` (model) or `@acme/dnt` (vault)?"), "{told}");
    let document = sandbox.run(&["describe", "@acme/dnz", "--json"]).document();
    assert_eq!(document["nearest"][1]["kind"], "vault", "{document:#}");
    let other = all(&sandbox.run(&["describe", "@acme/dns", "--kind", "vault"]));
    assert!(other.contains("a type of another kind has this name: model"), "{other}");
}

#[test]
fn a_mounted_source_is_found_by_the_path_of_its_file() {
    let (sandbox, elsewhere) = with_mount();
    sandbox.scan(&[]);
    let file = elsewhere.path().join("tools/extensions/models/m.ts");
    let file = file.canonicalize().expect("it is there");
    let absolute = file.display().to_string();
    let root = sandbox.tree.root().canonicalize().expect("it is there");
    let up = "../".repeat(root.components().count() - 1);
    let relative = format!("{up}{}", absolute.trim_start_matches('/'));
    for path in [&absolute, &relative] {
        let why = sandbox.run(&["why", path, "--json"]);
        assert_eq!(why.code, 0, "{why}");
        let document = why.document();
        let found: Vec<&str> =
            document["sources"].as_array().expect("a list").iter().filter_map(|it| it["type"].as_str()).collect();
        assert_eq!(found, ["@acme/mounted"], "{document:#}");
    }
    fs::write(&file, broken("@acme/mounted")).expect("written");
    let retried = sandbox.run(&["retry", &absolute]);
    assert_eq!(retried.code, 1, "{retried}");
    assert!(all(&retried).contains("MG0201"), "{retried}");
    fs::remove_file(&file).expect("removed");
    let gone = sandbox.run(&["why", &relative]);
    assert!(gone.stdout.contains("SourceDeleted"), "a file that is gone has its row yet: {gone}");
}

#[test]
fn add_ons_are_marked_among_all_types() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/dns.ts", &model("@acme/dns"));
    let add_on = "const schema = () => ({ _def: {}, parse: (value) => value, safeParse: (value) => ({}) });\n\
        export const extension = { type: \"@acme/dns\", methods: [{ more: { description: \"more\", \
        arguments: schema(), execute: async () => ({ dataHandles: [] }) } }] };\n";
    sandbox.write("extensions/models/more.ts", add_on);
    sandbox.scan(&[]);
    let listed = sandbox.run(&["types", "--all"]);
    let line = |path: &str| listed.stdout.lines().find(|line| line.contains(path)).unwrap_or_default().to_owned();
    assert!(line("more.ts").contains("add-on, indexed"), "{listed}");
    assert!(!line("dns.ts").contains("add-on"), "{listed}");
    let document = sandbox.json(&["types", "--all"]);
    let types = document["types"].as_array().expect("a list");
    let marked: Vec<(&str, bool)> =
        types.iter().filter_map(|entry| Some((entry["path"].as_str()?, entry["addOn"].as_bool()?))).collect();
    assert_eq!(marked, [("extensions/models/dns.ts", false), ("extensions/models/more.ts", true)]);
}

#[test]
fn a_file_in_the_directory_of_another_kind_says_where_it_belongs() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/vaults/dns.ts", &model("@acme/dns"));
    sandbox.write("extensions/vaults/helper.ts", "export const helper = 1;\n");
    sandbox.run(&["scan"]);
    let why = sandbox.run(&["why", "extensions/vaults/dns.ts"]);
    assert_eq!(why.code, 0, "{why}");
    assert!(why.stdout.contains("the file exports `model`, which makes it a model"), "{why}");
    assert!(why.stdout.contains("move it below extensions/models"), "{why}");
    assert!(!why.stdout.contains("exports none of"), "{why}");
    let document = sandbox.json(&["why", "extensions/vaults/dns.ts"]);
    assert_eq!(document["helpers"][0]["remarks"][0]["code"], "MG0122", "{document:#}");
    let helper = sandbox.run(&["why", "extensions/vaults/helper.ts"]);
    assert!(helper.stdout.contains("exports none of"), "{helper}");
}

#[test]
fn every_problem_of_the_repository_says_what_to_do() {
    let sandbox = Sandbox::new("");
    sandbox.write(SOURCES, "sources:\n  - path: nowhere\n    recursiv: true\n");
    sandbox.write("extensions/models/dangling.ts", "");
    fs::remove_file(sandbox.tree.path("extensions/models/dangling.ts")).expect("removed");
    std::os::unix::fs::symlink("nothing", sandbox.tree.path("extensions/models/dangling.ts")).expect("a link");
    sandbox.write("extensions/models/sub/manifest.yaml", "name: [");
    sandbox.write("extensions/models/form/manifest.yaml", "manifestVersion: 1\nname: 7\nversion: x\n");
    let output = sandbox.run(&["scan", "--json"]);
    let document = output.document();
    let problems = document["problems"].as_array().expect("problems");
    let codes: std::collections::BTreeSet<&str> = problems.iter().filter_map(|it| it["code"].as_str()).collect();
    for code in ["MG0406", "MG0602", "MG0603", "MG0604"] {
        assert!(codes.contains(code), "{code}: {document:#}");
    }
    for problem in problems {
        assert!(problem["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{problem:#}");
    }
    let misspelt = problems.iter().find(|it| it["code"] == "MG0604").expect("it is told");
    assert_eq!((misspelt["path"].as_str(), misspelt["line"].as_u64()), (Some(SOURCES), Some(3)), "{misspelt:#}");
    assert_eq!(misspelt["hint"], "did you mean `recursive`?");
    assert_eq!(misspelt["severity"], "warning");
    let told = output.stderr;
    assert!(told.is_empty() || !told.contains("panicked"), "{told}");
}

#[test]
fn a_bundle_that_cannot_be_written_says_what_helps() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let missing = sandbox.run(&["bundle", "extensions/models/a.ts", "-o", "out/there/a.js"]);
    assert_eq!(missing.code, 2, "{missing}");
    assert!(missing.stderr.contains("error[MG0403]: out/there/a.js cannot be written"), "{missing}");
    assert!(missing.stderr.contains("`mkdir -p out/there` creates it"), "{missing}");
    let directory = sandbox.run(&["bundle", "extensions/models/a.ts", "-o", "extensions"]);
    assert!(directory.stderr.contains("MG0403") && directory.stderr.contains("name the file to write"), "{directory}");
    let written = sandbox.run(&["bundle", "extensions/models/a.ts", "-o", "a.js"]);
    assert_eq!(written.code, 0, "{written}");
    let lost = sandbox.run(&["bundle", "extensions/models/nowhere.ts"]);
    assert!(lost.stderr.contains("hint: paths are relative to the current directory"), "{lost}");
}
