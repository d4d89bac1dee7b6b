//! Sources that want to do harm, each beside two that do not. A hostile one fails its own row, within a limit, and
//! nothing else.

use serde_json::Value;

use crate::{
    fixtures::{model, model_with},
    sandbox::Sandbox,
};

/// Scans a repository with this hostile source and two healthy models. The answer is the hostile one's failure.
fn failure_of(source: &str) -> Value {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.write("extensions/models/hostile.ts", source);
    sandbox.write("extensions/models/z.ts", &model("@acme/z"));
    let scan = sandbox.scan(&[]);
    let states = scan.states();
    assert_eq!(states["extensions/models/a.ts"], "Indexed", "{:#}", scan.0);
    assert_eq!(states["extensions/models/z.ts"], "Indexed", "{:#}", scan.0);
    assert_eq!(states["extensions/models/hostile.ts"], "BundleBuildFailed", "{:#}", scan.0);
    let failure = &scan.source("extensions/models/hostile.ts")["failure"];
    assert!(failure["message"].as_str().is_some_and(|message| !message.is_empty()), "{failure:#}");
    failure.clone()
}

#[test]
fn an_endless_loop_is_stopped() {
    assert_eq!(failure_of(&model_with("for (;;) {}", "@evil/loop", ""))["code"], "MG0221");
}

#[test]
fn an_endless_loop_inside_a_built_in_is_stopped() {
    let failure = failure_of(&model_with("new Array(2 ** 32 - 1).sort();", "@evil/sort", ""));
    // The engine cannot interrupt this one: the worker is killed, for its time or for its memory.
    assert!(["MG0211", "MG0221", "MG0222"].iter().any(|code| failure["code"] == **code), "{failure:#}");
}

#[test]
fn a_memory_bomb_is_stopped() {
    let bomb = "const hoard = [];\nfor (;;) { hoard.push(new Array(100000).fill(hoard.length)); }";
    assert_eq!(failure_of(&model_with(bomb, "@evil/bomb", ""))["code"], "MG0222");
}

#[test]
fn an_endless_recursion_is_stopped() {
    let recursion = "const deeper = (depth) => deeper(depth + 1) + 1;\ndeeper(0);";
    assert_eq!(failure_of(&model_with(recursion, "@evil/recursion", ""))["code"], "MG0223");
}

#[test]
fn endless_promises_are_stopped() {
    assert_eq!(failure_of(&model_with("for (;;) { await 0; }", "@evil/promises", ""))["code"], "MG0224");
}

#[test]
fn nested_brackets_cost_only_their_own_row() {
    let brackets = format!("const deep = {}{};", "[".repeat(400_000), "]".repeat(400_000));
    let failure = failure_of(&model_with(&brackets, "@evil/brackets", ""));
    assert_eq!(failure["code"], "MG0210", "the bundler's stack overflows: {failure:#}");
    assert_eq!(failure["class"], "Deterministic");
}

#[test]
fn four_kilobytes_of_unclosed_brackets_cost_only_their_own_row() {
    let failure = failure_of(&format!("export const model = {}", "[".repeat(4096)));
    assert!(failure["code"] == "MG0210" || failure["code"] == "MG0201", "{failure:#}");
    assert_eq!(failure["class"], "Deterministic");
}

#[test]
fn a_throw_names_what_was_thrown() {
    let failure = failure_of(&model_with("throw new Error('no money left');", "@evil/throw", ""));
    assert_eq!(failure["code"], "MG0220");
    assert!(failure["message"].as_str().is_some_and(|message| message.contains("no money left")), "{failure:#}");
}

#[test]
fn a_throwing_getter_is_a_violation_of_one_row() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.write(
        "extensions/models/hostile.ts",
        "export const model = { type: \"@evil/getter\", version: \"2026.05.23.1\", get methods() { throw new Error(\"no\"); } };\n",
    );
    let states = sandbox.scan(&[]).states();
    assert_eq!(states["extensions/models/a.ts"], "Indexed");
    assert_eq!(states["extensions/models/hostile.ts"], "ValidationFailed");
}

#[test]
fn polluted_prototypes_do_not_reach_the_next_module() {
    let sandbox = Sandbox::new("");
    let pollution = "Object.prototype.type = '@evil/everywhere';\nArray.prototype.map = () => { throw new Error('no'); };\n\
                     Object.keys = () => ['nothing'];\nJSON.stringify = () => 'nothing';";
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.write("extensions/models/hostile.ts", &model_with(pollution, "@evil/pollution", ""));
    sandbox.write("extensions/models/z.ts", &model("@acme/z"));
    let scan = sandbox.scan(&["--jobs", "1"]);
    for (path, type_name) in [("a", "@acme/a"), ("hostile", "@evil/pollution"), ("z", "@acme/z")] {
        let source = scan.source(&format!("extensions/models/{path}.ts"));
        assert_eq!(source["type"], type_name, "{source:#}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_repository_is_not_followed() {
    let outside = tempfile::tempdir().expect("a directory");
    std::fs::write(outside.path().join("stranger.ts"), model("@evil/stranger")).expect("a file outside");
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let link = sandbox.tree.path("extensions/models/stranger.ts");
    std::os::unix::fs::symlink(outside.path().join("stranger.ts"), link).expect("a link");
    let scan = sandbox.run(&["scan", "--json", "--all"]);
    assert!(scan.stdout.contains("MG0405"), "{scan}");
    assert_eq!(sandbox.json(&["types"])["types"].as_array().map(Vec::len), Some(1));
}
