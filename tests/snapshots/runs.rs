//! Workflows and their runs.

use serde_json::Value;

use crate::scene::{Scene, model};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_run_that_succeeds", a_run_that_succeeds),
    ("a_run_that_fails", a_run_that_fails),
    ("a_run_that_is_blocked", a_run_that_is_blocked),
    ("mistakes_in_workflows", mistakes_in_workflows),
    ("scheduled_workflows", scheduled_workflows),
];

const MODEL: &str = "extensions/models/greeter.ts";

const DOCUMENTS: &str = "//- /models/@acme/greeter/11111111-1111-4111-8111-111111111111.yaml
id: 11111111-1111-4111-8111-111111111111
name: greeter
version: 1
//- /workflows/hello.yaml
id: 22222222-2222-4222-8222-222222222222
name: hello
description: Greets twice
inputs:
  type: object
  properties:
    name: { type: string, description: Who }
  required: [name]
jobs:
  - name: first
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: greeter, methodName: greet, inputs: { name: \"${{ inputs.name }}\" } }
  - name: second
    dependsOn: [{ job: first, condition: { type: succeeded } }]
    steps:
      - name: greet-again
        task: { type: model_method, modelIdOrName: greeter, methodName: greet, inputs: { name: again } }
";

const RUN: &[&str] = &["workflow", "run", "hello", "--input", "name=Ada"];

fn scene(body: &str) -> Scene {
    let scene = Scene::new(DOCUMENTS);
    scene.write(MODEL, &model("@acme/greeter", "", body));
    scene
}

/// Shows the only run of a scene.
fn show_run(scene: &mut Scene) {
    let list = scene.run(&["run", "list", "--json"]);
    let list: Value = serde_json::from_str(&list).expect("a document");
    let id = list["runs"][0]["runId"].as_str().or(list["runs"][0]["id"].as_str()).expect("a run").to_owned();
    scene.run(&["run", "list"]);
    scene.both(&["run", "show", &id]);
}

fn a_run_that_succeeds() {
    let mut scene = scene("");
    scene.both(&["workflow", "list"]);
    scene.both(&["model", "list"]);
    scene.run(RUN);
    show_run(&mut scene);
    scene.run(&[RUN, &["--json"]].concat());
    scene.both(&["model", "run", "greeter", "greet", "--input", "name=Ada"]);
    scene.check("a_run_that_succeeds");
}

fn a_run_that_fails() {
    let mut scene = scene("throw new Error('out of paint');");
    scene.run(RUN);
    show_run(&mut scene);
    scene.run(&[RUN, &["--json"]].concat());
    scene.run(&["model", "run", "greeter", "greet", "--input", "name=Ada"]);
    scene.check("a_run_that_fails");
}

fn a_run_that_is_blocked() {
    let mut scene = scene("");
    scene.write(MODEL, &model("@acme/greeter", "const unfinished = { list: [;", ""));
    scene.run(RUN);
    show_run(&mut scene);
    scene.run(&[RUN, &["--json"]].concat());
    scene.remark("the source is removed");
    scene.remove(MODEL);
    scene.run(RUN);
    scene.check("a_run_that_is_blocked");
}

fn mistakes_in_workflows() {
    let mut scene = scene("");
    scene.both(&["workflow", "validate"]);
    scene.run(&["workflow", "run", "hello"]);
    scene.run(&["workflow", "run", "helo"]);
    scene.run(&["workflow", "run", "hello", "--input", "nmae=Ada"]);
    scene.run(&["model", "run", "greeter", "gret"]);
    scene.write(
        "workflows/bad.yaml",
        "id: 33333333-3333-4333-8333-333333333333
name: bad
colour: blue
jobs:
  - name: first
    dependsOn: [{ job: second, condition: { type: succeeded } }]
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: greetr, methodName: greet }
      - name: wave
        task: { type: model_method, modelIdOrName: greeter, methodName: wave, inputs: { nmae: \"${{ inputs.who\" } }
  - name: second
    dependsOn: [{ job: first, condition: { type: succeeded } }]
    steps: []
",
    );
    scene.both(&["workflow", "validate"]);
    scene.run(&["workflow", "run", "bad"]);
    scene.check("mistakes_in_workflows");
}

fn scheduled_workflows() {
    let mut scene = scene("");
    for (number, name, trigger) in [
        (1, "nightly", "{ schedule: '0 3 * * MON-FRI', timezone: Europe/Berlin, inputs: { name: Ada } }"),
        (2, "over", "{ schedule: '0 0 0 1 1 * 2020', timezone: UTC, inputs: { name: Ada } }"),
        (3, "wrong", "{ schedule: '0 25 * * *', timezone: UTC, inputs: { name: Ada } }"),
        (4, "poor", "{ schedule: '@daily', timezone: UTC }"),
    ] {
        let text = format!(
            "id: 44444444-4444-4444-8444-44444444444{number}
name: {name}
inputs: {{ properties: {{ name: {{ type: string }} }}, required: [name] }}
trigger: {trigger}
jobs:
  - name: first
    steps:
      - name: greet
        task: {{ type: model_method, modelIdOrName: greeter, methodName: greet, inputs: {{ name: x }} }}
"
        );
        scene.write(&format!("workflows/{name}.yaml"), &text);
    }
    scene.both(&["workflow", "list"]);
    scene.run(&["workflow", "validate"]);
    scene.check("scheduled_workflows");
}
