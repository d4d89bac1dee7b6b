//! Workflows that source mounts and pulled extensions bring.

use std::fs;

use serde_json::{Value, json};

use crate::{
    fixtures::model,
    sandbox::{Output, Sandbox},
};

const LOCKFILE: &str = "extensions/models/upstream_extensions.json";
const SOURCES: &str = ".swamp-sources.yaml";
const PULLED: &str = ".swamp/pulled-extensions/@acme/tools";

const DEFINITION: &str = "//- /models/@acme/greeter/11111111-1111-4111-8111-111111111111.yaml
id: 11111111-1111-4111-8111-111111111111
name: greeter
version: 1
";

/// A workflow of this name and number that greets somebody.
fn workflow(name: &str, number: u32, somebody: &str) -> String {
    format!(
        "id: 22222222-2222-4222-8222-{number:012}
name: '{name}'
jobs:
  - name: only
    steps:
      - name: greet
        task: {{ type: model_method, modelIdOrName: greeter, methodName: greet, inputs: {{ name: {somebody} }} }}
"
    )
}

/// A repository with a workflow of its own, two mounts with one each, and a pulled extension with one.
fn world() -> Sandbox {
    let sandbox = Sandbox::new(DEFINITION);
    sandbox.write("extensions/models/greeter.ts", &model("@acme/greeter"));
    sandbox.write("workflows/own.yaml", &workflow("own", 1, "own"));
    sandbox.write(SOURCES, "sources: [{ path: mounts/all, recursive: true }]\n");
    sandbox.write("mounts/all/one/extensions/workflows/deep/a.yaml", &workflow("mounted", 2, "mount"));
    sandbox.write("mounts/all/one/workflows/data.yaml", &workflow("not an extension's", 3, "data"));
    sandbox.write("mounts/all/two/manifest.yaml", "name: '@acme/two'\nversion: 2026.01.01.1\n");
    sandbox.write("mounts/all/two/workflows/b.yml", &workflow("beside", 4, "beside"));
    sandbox.write("mounts/all/two/workflows/_draft.yaml", "{");
    sandbox.write(LOCKFILE, &json!({ "@acme/tools": { "version": "2026.01.01.1" } }).to_string());
    sandbox.write(&format!("{PULLED}/workflows/p.yaml"), &workflow("pulled", 5, "pull"));
    sandbox
}

/// `name: file` of each, and what shadows it.
fn listed(sandbox: &Sandbox) -> Vec<String> {
    let document = sandbox.json(&["workflow", "list"]);
    let line = |entry: &Value| {
        let text = |key: &str| entry[key].as_str().map(str::to_owned);
        let shadowed = text("shadowedBy").map(|by| format!(" shadowed by {by}")).unwrap_or_default();
        let (name, origin, path) = (text("name"), text("origin"), text("path"));
        format!("{} ({}): {}{shadowed}", name.unwrap_or_default(), origin.unwrap_or_default(), path.unwrap_or_default())
    };
    document["workflows"].as_array().expect("workflows").iter().map(line).collect()
}

fn told(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

#[test]
fn workflows_of_every_origin_are_listed_validated_and_run() {
    let sandbox = world();
    insta::assert_snapshot!(listed(&sandbox).join("\n"), @"
    own (local): workflows/own.yaml
    mounted (mounted): mount:mounts/all/one/extensions/workflows/deep/a.yaml
    beside (mounted): mount:mounts/all/two/workflows/b.yml
    pulled (pulled): pulled:@acme/tools/workflows/p.yaml
    ");
    for (name, somebody) in [("own", "own"), ("mounted", "mount"), ("beside", "beside"), ("pulled", "pull")] {
        let valid = sandbox.run(&["workflow", "validate", name]);
        assert_eq!(valid.code, 0, "{name}: {valid}");
        let output = sandbox.run(&["workflow", "run", name]);
        assert_eq!(output.code, 0, "{name}: {output}");
        assert!(told(&output).contains(&format!("hello {somebody}")), "{name}: {output}");
    }
    let unknown = sandbox.run(&["workflow", "run", "mountd"]);
    assert!(unknown.code == 1 && told(&unknown).contains("mounted"), "{unknown}");
}

#[test]
fn the_repository_comes_before_mounts_and_mounts_before_what_was_pulled() {
    let sandbox = world();
    for (path, number) in [
        (format!("{PULLED}/workflows/same.yaml"), 11),
        ("mounts/all/one/extensions/workflows/same.yaml".to_owned(), 12),
        ("extensions/workflows/same.yaml".to_owned(), 13),
    ] {
        sandbox.write(&path, &workflow("same", number, &format!("number-{number}")));
        let output = sandbox.run(&["workflow", "run", "same"]);
        assert_eq!(output.code, 0, "{output}");
        assert!(told(&output).contains(&format!("hello number-{number}")), "{output}");
    }
    let same: Vec<String> = listed(&sandbox).into_iter().filter(|line| line.starts_with("same ")).collect();
    insta::assert_snapshot!(same.join("\n"), @"
    same (local): extensions/workflows/same.yaml
    same (mounted): mount:mounts/all/one/extensions/workflows/same.yaml shadowed by extensions/workflows/same.yaml
    same (pulled): pulled:@acme/tools/workflows/same.yaml shadowed by extensions/workflows/same.yaml
    ");
    // An identifier names one as well.
    let by_id = sandbox.run(&["workflow", "run", "22222222-2222-4222-8222-000000000013"]);
    assert!(told(&by_id).contains("hello number-13"), "{by_id}");
    // The identifier of one that comes before: neither is run in the place of the other.
    sandbox.write("workflows/clash.yaml", &workflow("clash", 5, "clash"));
    let output = sandbox.run(&["workflow", "run", "pulled"]);
    assert_eq!(output.code, 2, "{output}");
    assert!(told(&output).contains("shares its identifier with `clash` in workflows/clash.yaml"), "{output}");
}

#[test]
fn two_of_one_origin_are_ambiguous_and_both_files_are_told() {
    let sandbox = world();
    sandbox.write("mounts/all/two/workflows/twin.yaml", &workflow("mounted", 21, "twin"));
    let output = sandbox.run(&["workflow", "run", "mounted"]);
    assert_eq!(output.code, 2, "{output}");
    let text = told(&output);
    assert!(text.contains("MG0104") && text.contains("mount:mounts/all/one/"), "{text}");
    assert!(text.contains("mount:mounts/all/two/workflows/twin.yaml"), "{text}");
    // One of the repository settles it.
    sandbox.write("workflows/mine.yaml", &workflow("mounted", 22, "mine"));
    let output = sandbox.run(&["workflow", "run", "mounted"]);
    assert!(output.code == 0 && told(&output).contains("hello mine"), "{output}");
}

#[test]
fn what_is_wrong_elsewhere_does_not_make_the_repository_invalid() {
    let sandbox = world();
    sandbox.write("mounts/all/two/workflows/bad.yaml", "id: [\n");
    sandbox.write(&format!("{PULLED}/workflows/lost.yaml"), &workflow("lost", 31, "x").replace("greeter", "nobody"));
    let all = sandbox.run(&["workflow", "validate"]);
    assert_eq!(all.code, 0, "{all}");
    let listed = sandbox.run(&["workflow", "list"]);
    assert!(
        told(&listed).contains("`mangrove workflow validate bad` shows why  mount:mounts/all/two/workflows/bad.yaml"),
        "{listed}"
    );
    let one = sandbox.run(&["workflow", "validate", "lost"]);
    assert!(one.code == 0 && told(&one).contains("pulled:@acme/tools/workflows/lost.yaml:7"), "{one}");
    assert!(!told(&one).contains("bad.yaml"), "no definition is in there: {one}");
    let unknown = sandbox.run(&["workflow", "validate", "what"]);
    assert!(told(&unknown).contains("bad.yaml, which cannot be used: see `mangrove workflow list`"), "{unknown}");
    assert_eq!(sandbox.run(&["model", "list", "--json"]).document()["problems"], json!([]));
}

/// A repository of its own inside a mount: its `workflows/` is its data, but for what its manifest names.
#[test]
fn a_manifest_names_workflows_among_the_data_of_its_repository() {
    let sandbox = world();
    let manifest = "name: '@acme/one'\nversion: 2026.01.01.1\nworkflows: [named.yaml, gone.yaml, deep/a.yaml]\n";
    sandbox.write("mounts/all/one/manifest.yaml", manifest);
    sandbox.write("mounts/all/one/.swamp.yaml", "repoId: one\n");
    sandbox.write("mounts/all/one/workflows/named.yaml", &workflow("named", 71, "named"));
    let names = listed(&sandbox);
    let of_one: Vec<&str> =
        names.iter().filter_map(|line| line.split_once(": mount:mounts/all/one/")).map(|(_, path)| path).collect();
    assert_eq!(of_one, ["extensions/workflows/deep/a.yaml", "workflows/named.yaml"]);
    assert!(told(&sandbox.run(&["workflow", "run", "named"])).contains("hello named"));
}

#[test]
fn a_description_of_many_lines_takes_one_in_the_list() {
    let sandbox = world();
    sandbox.write("workflows/own.yaml", &format!("description: |\n  first\n  second\n{}", workflow("own", 1, "own")));
    let text = sandbox.run(&["workflow", "list"]).stdout;
    assert!(text.contains("first") && !text.contains("second"), "{text}");
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[test]
fn manifests_and_the_kinds_of_a_mount_say_which() {
    let sandbox = world();
    let manifest = "name: '@acme/tools'\nversion: 2026.01.01.1\npaths: { base: manifest }\nworkflows: [flows/x.yaml, flows/gone.yaml]\n";
    sandbox.write(&format!("{PULLED}/manifest.yaml"), manifest);
    sandbox.write(&format!("{PULLED}/flows/x.yaml"), &workflow("listed", 41, "x"));
    sandbox.write(&format!("{PULLED}/flows/unlisted.yaml"), &workflow("unlisted", 42, "x"));
    let names = listed(&sandbox).join("\n");
    assert!(names.contains("listed (pulled): pulled:@acme/tools/flows/x.yaml"), "{names}");
    assert!(!names.contains("unlisted"), "{names}");
    let text = told(&sandbox.run(&["workflow", "list"]));
    assert!(text.contains("the manifest lists flows/gone.yaml, which does not exist"), "{text}");
    for (only, is_there) in [("[models]", false), ("[workflows]", true), ("[models, workflows]", true)] {
        sandbox.write(SOURCES, &format!("sources: [{{ path: mounts/all/two, only: {only} }}]\n"));
        assert_eq!(listed(&sandbox).iter().any(|line| line.starts_with("beside ")), is_there, "{only}");
    }
}

#[test]
fn fault_21_a_mount_of_the_repository_itself_brings_nothing_twice() {
    let sandbox = world();
    sandbox.write("extensions/workflows/mine.yaml", &workflow("mine", 51, "mine"));
    let one = "mounts/all/one";
    sandbox
        .write(&format!("{one}/manifest.yaml"), "name: '@acme/one'\nversion: 2026.01.01.1\nworkflows: [data.yaml]\n");
    let before = listed(&sandbox);
    let manifest = "name: '@acme/self'\nversion: 2026.01.01.1\nworkflows: [own.yaml, mine.yaml]\n";
    sandbox.write("manifest.yaml", manifest);
    for path in [".", "extensions", one] {
        let sources = format!("sources: [{{ path: mounts/all, recursive: true }}, {path}]\n");
        sandbox.write(SOURCES, &sources);
        assert_eq!(listed(&sandbox), before, "{path}");
    }
}

#[test]
fn what_is_away_is_said() {
    let sandbox = world();
    fs::rename(sandbox.tree.path("mounts"), sandbox.tree.path("away")).expect("moves");
    let output = sandbox.run(&["workflow", "list"]);
    assert_eq!(output.code, 0, "{output}");
    let text = told(&output);
    assert!(text.contains("MG0406") && text.contains("its workflows cannot be read"), "{text}");
    assert!(text.contains("pulled:@acme/tools/workflows/p.yaml"), "{text}");
    let unknown = sandbox.run(&["workflow", "run", "mounted"]);
    assert!(unknown.code == 1 && told(&unknown).contains("its workflows cannot be read"), "{unknown}");
}

#[test]
fn a_link_out_of_its_root_is_not_followed() {
    let sandbox = world();
    sandbox.write("secret.yaml", &workflow("secret", 61, "secret"));
    let link = sandbox.tree.path(format!("{PULLED}/workflows/link.yaml"));
    std::os::unix::fs::symlink(sandbox.tree.path("secret.yaml"), link).expect("a link");
    assert!(!listed(&sandbox).iter().any(|line| line.starts_with("secret ")), "{:?}", listed(&sandbox));
    let text = told(&sandbox.run(&["workflow", "list"]));
    assert!(text.contains("MG0405"), "{text}");
}
