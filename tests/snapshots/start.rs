//! The first minutes: making a repository, and mistakes on the command line.

use crate::scene::{Scene, model};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_new_repository", a_new_repository),
    ("mistakes_on_the_command_line", mistakes_on_the_command_line),
    ("types_and_descriptions", types_and_descriptions),
];

fn a_new_repository() {
    let mut scene = Scene::outside("");
    scene.run(&["scan"]);
    scene.both(&["init", "new"]);
    scene.both(&["--repo", "new", "scan"]);
    scene.run(&["--repo", "new", "scan"]);
    scene.run(&["--repo", "new", "types"]);
    scene.run(&["--repo", "new", "workflow", "validate"]);
    scene.run(&["--repo", "new", "workflow", "run", "hello"]);
    scene.both(&["--repo", "new", "doctor"]);
    scene.check("a_new_repository");
}

fn mistakes_on_the_command_line() {
    let mut scene = Scene::new("");
    scene.run(&["scam"]);
    scene.run(&["scan", "--kind", "modle"]);
    scene.run(&["describe", "@acme/nothing"]);
    scene.run(&["why", "extensions/models/nothing.ts"]);
    scene.run(&["workflow", "run", "nothing"]);
    scene.run(&["run", "show", "nothing"]);
    scene.run(&["model", "run", "nothing", "greet"]);
    scene.run(&["explain", "MG9999"]);
    scene.run(&["--repo", "nowhere", "scan"]);
    scene.check("mistakes_on_the_command_line");
}

fn types_and_descriptions() {
    let mut scene = Scene::new("");
    scene.write("extensions/models/greeter.ts", &model("@acme/greeter", "", ""));
    scene.write(
        "extensions/models/more.ts",
        "export const extension = { type: '@acme/greeter', methods: [{ wave: { description: 'Wave', \
         arguments: { _def: {}, parse: (v) => v, safeParse: (data) => ({ success: true, data }) }, \
         execute: async () => ({ dataHandles: [] }) } }] };\n",
    );
    scene.write(
        "extensions/vaults/keys.ts",
        "export const vault = { type: '@acme/keys', name: 'Keys', description: 'Keeps keys', createProvider: () => ({}) };\n",
    );
    scene.write(
        "extensions/reports/summary.ts",
        "export const report = { name: '@acme/summary', description: 'Sums up', scope: 'workflow', \
         execute: async () => ({ markdown: '', json: {} }) };\n",
    );
    scene.both(&["scan", "--all"]);
    scene.both(&["types"]);
    scene.run(&["types", "greet", "--all"]);
    scene.run(&["types", "--kind", "vault"]);
    scene.both(&["describe", "@acme/greeter"]);
    scene.both(&["describe", "@acme/greeter", "--method", "greet"]);
    scene.run(&["describe", "@acme/greeter", "--method", "gret"]);
    scene.run(&["describe", "@acme/greetr"]);
    scene.run(&["describe", "@acme/keys"]);
    scene.run(&["describe", "@acme/summary"]);
    scene.both(&["why", "@acme/greeter"]);
    scene.check("types_and_descriptions");
}
