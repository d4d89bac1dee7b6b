//! Workflows, definitions and the history of runs.

use serde_json::Value;

use crate::{
    fixtures::{broken, model},
    sandbox::{Output, Sandbox},
};

const MODEL: &str = "extensions/models/greeter.ts";

const DEFINITION: &str = "//- /models/@acme/greeter/11111111-1111-4111-8111-111111111111.yaml
id: 11111111-1111-4111-8111-111111111111
name: greeter
version: 1
";

const WORKFLOW: &str = "//- /workflows/hello.yaml
id: 22222222-2222-4222-8222-222222222222
name: hello
inputs:
  type: object
  properties:
    name: { type: string }
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

fn greeter() -> Sandbox {
    let sandbox = Sandbox::new(&[DEFINITION, WORKFLOW].concat());
    sandbox.write(MODEL, &model("@acme/greeter"));
    sandbox
}

/// The last of the JSON lines of a run.
fn finished(output: &Output) -> Value {
    let last = output.lines().pop().unwrap_or_else(|| panic!("no line: {output}"));
    assert_eq!(last["reason"], "run-finished", "{output}");
    last
}

#[test]
fn the_quickstart_runs() {
    let sandbox = Sandbox::copy_of("examples/quickstart");
    let output = sandbox.run(&["workflow", "run", "hello"]);
    assert_eq!(output.code, 0, "{output}");
    let shown = [output.stdout.as_str(), output.stderr.as_str()].concat();
    for expected in ["collect", "check", "Hello from Mangrove: 3 pages checked, 1 broken links"] {
        assert!(shown.contains(expected), "{expected:?} is not shown: {output}");
    }
    let strict = sandbox.run(&["workflow", "run", "hello", "--json", "--input", "allowed=0"]);
    assert_eq!(strict.code, 1, "{strict}");
    assert_eq!(finished(&strict)["status"], "failed");
}

#[test]
fn what_init_writes_runs() {
    let sandbox = Sandbox::new("");
    let init = sandbox.run(&["init", "new"]);
    assert_eq!(init.code, 0, "{init}");
    for arguments in [
        ["--repo", "new", "workflow", "validate"].as_slice(),
        &["--repo", "new", "scan", "--strict"],
        &["--repo", "new", "workflow", "run", "hello"],
        &["--repo", "new", "model", "run", "greeter", "greet", "--input", "name=you"],
        &["--repo", "new", "doctor"],
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {output}");
    }
    assert_eq!(sandbox.run(&["init", "new"]).code, 2, "a repository is not made twice");
}

#[test]
fn a_run_is_recorded_and_shown() {
    let sandbox = greeter();
    let output = sandbox.run(&["workflow", "run", "hello", "--json", "--input", "name=Ada"]);
    assert_eq!(output.code, 0, "{output}");
    let last = finished(&output);
    assert_eq!(last["status"], "succeeded");
    assert_eq!(last["jobs"].as_array().map(Vec::len), Some(2), "{last:#}");
    let id = last["runId"].as_str().expect("a run has an identifier");
    let history = sandbox.run(&["run", "list", "--json"]);
    assert!(history.stdout.contains(id), "{history}");
    let show = sandbox.run(&["run", "show", id]);
    assert_eq!(show.code, 0, "{show}");
    assert!(show.stdout.contains("hello Ada"), "the log is part of the record: {show}");
}

#[test]
fn a_run_needs_no_scan_before_it_and_sees_the_latest_source() {
    let sandbox = greeter();
    assert_eq!(sandbox.run(&["workflow", "run", "hello", "--input", "name=Ada"]).code, 0);
    sandbox.edit(MODEL, "hello ${", "good evening ${");
    let output = sandbox.run(&["workflow", "run", "hello", "--input", "name=Ada"]);
    assert!([output.stdout.as_str(), output.stderr.as_str()].concat().contains("good evening Ada"), "{output}");
}

#[test]
fn fault_30_a_failed_run_is_recorded_as_failed() {
    let sandbox = greeter();
    sandbox.edit(MODEL, "context.logger.info", "throw new Error(\"out of paint\"); context.logger.info");
    let output = sandbox.run(&["workflow", "run", "hello", "--json", "--input", "name=Ada"]);
    assert_eq!(output.code, 1, "{output}");
    let last = finished(&output);
    assert_eq!(last["status"], "failed");
    let id = last["runId"].as_str().expect("a run has an identifier");
    let show = sandbox.json(&["run", "show", id]).to_string();
    assert!(show.contains("out of paint") && show.contains("MG0701") && show.contains("skipped"), "{show}");
}

#[test]
fn fault_48_a_missing_type_blocks_the_run_and_keeps_the_workflow() {
    let sandbox = greeter();
    sandbox.write(MODEL, &broken("@acme/greeter"));
    let output = sandbox.run(&["workflow", "run", "hello", "--json", "--input", "name=Ada"]);
    assert_eq!(output.code, 1, "{output}");
    let last = finished(&output);
    assert_eq!(last["status"], "blocked");
    assert!(output.stdout.contains("@acme/greeter") && output.stdout.contains("MG0201"), "{output}");
    assert_eq!(sandbox.json(&["workflow", "list"])["workflows"].as_array().map(Vec::len), Some(1));

    sandbox.write(MODEL, &model("@acme/greeter"));
    let healed = sandbox.run(&["workflow", "run", "hello", "--input", "name=Ada"]);
    assert_eq!(healed.code, 0, "the first run after the repair succeeds: {healed}");
}

#[test]
fn a_type_that_worked_goes_on_working() {
    let sandbox = greeter();
    sandbox.scan(&[]);
    sandbox.write(MODEL, &broken("@acme/greeter"));
    // The first run finds it out, the second one knows.
    for _ in 0..2 {
        let output = sandbox.run(&["workflow", "run", "hello", "--input", "name=Ada"]);
        assert_eq!(output.code, 0, "{output}");
        let told = [output.stdout.as_str(), output.stderr.as_str()].concat();
        let expected = format!("{MODEL} cannot be used as it is now, and `@acme/greeter` runs as it was built last: ");
        assert!(told.contains(&expected), "{output}");
    }
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source(MODEL)["state"], "Indexed");
    assert_eq!(scan.source(MODEL)["degraded"], true);
}

#[test]
fn missing_inputs_are_named_before_anything_runs() {
    let sandbox = greeter();
    let output = sandbox.run(&["workflow", "run", "hello"]);
    assert!(output.code == 1 || output.code == 2, "{output}");
    let told = [output.stdout.as_str(), output.stderr.as_str()].concat();
    assert!(told.contains("name") && told.contains("MG0605"), "{output}");
}

#[test]
fn an_input_by_a_wrong_name_is_told_beside_the_one_that_is_missing() {
    let sandbox = greeter();
    let output = sandbox.run(&["workflow", "run", "hello", "--input", "nmae=Ada", "--input", "other=1"]);
    assert_eq!(output.code, 1, "{output}");
    for expected in ["input name", "the workflow names no input `nmae`", "did you mean `name`?", "no input `other`"] {
        assert!(output.stderr.contains(expected), "{expected:?} is not told: {output}");
    }
    assert_eq!(sandbox.json(&["run", "list"])["runs"].as_array().map(Vec::len), Some(0), "nothing ran");
}

#[test]
fn a_definition_that_is_missing_is_told_of_once_with_the_number_of_its_steps() {
    let sandbox = greeter();
    let step = |name: &str| {
        format!(
            "      - name: {name}\n        task: {{ type: model_method, modelIdOrName: nobody, methodName: greet }}\n"
        )
    };
    let steps = [step("a"), step("b"), step("c")].concat();
    let head = "id: 00000000-1111-4111-8111-11111111111f\nname: lost\njobs:\n  - name: only\n    steps:\n";
    sandbox.write("workflows/lost.yaml", &format!("{head}{steps}"));
    let output = sandbox.run(&["workflow", "validate", "lost"]);
    assert_eq!(output.code, 0, "{output}");
    let told = [output.stdout.as_str(), output.stderr.as_str()].concat();
    assert_eq!(told.matches("`nobody`").count(), 1, "{output}");
    assert!(told.contains("3 steps name it") && told.contains("workflows/lost.yaml:7:"), "{output}");
}

#[test]
fn validation_finds_mistakes_with_file_line_and_suggestion() {
    let sandbox = greeter();
    sandbox.scan(&[]);
    let mistakes = [
        ("methodName: greet,", "methodName: gret,", "workflows/hello.yaml:12", "`greet`"),
        ("job: first", "job: frist", "workflows/hello.yaml:14", "`first`"),
    ];
    for (right, wrong, place, suggestion) in mistakes {
        sandbox.edit("workflows/hello.yaml", right, wrong);
        let output = sandbox.run(&["workflow", "validate"]);
        assert_eq!(output.code, 1, "{output}");
        let told = [output.stdout.as_str(), output.stderr.as_str()].concat();
        for expected in [place, suggestion] {
            assert!(told.contains(expected), "{expected:?} is not told: {output}");
        }
        sandbox.edit("workflows/hello.yaml", wrong, right);
    }
}

#[test]
fn jobs_that_wait_for_each_other_are_refused_with_the_circle() {
    let sandbox = greeter();
    sandbox.edit(
        "workflows/hello.yaml",
        "  - name: first\n",
        "  - name: first\n    dependsOn: [{ job: second, condition: { type: succeeded } }]\n",
    );
    let output = sandbox.run(&["workflow", "validate"]);
    assert_eq!(output.code, 1, "{output}");
    assert!([output.stdout.as_str(), output.stderr.as_str()].concat().contains("MG0607"), "{output}");
}

#[test]
fn runs_that_were_recorded_before_are_listed_and_shown() {
    let sandbox = greeter();
    sandbox.write(
        ".swamp/workflow-runs/w/workflow-run-77777777-7777-4777-8777-777777777777.yaml",
        "id: 77777777-7777-4777-8777-777777777777
workflowId: 22222222-2222-4222-8222-222222222222
workflowName: hello
status: failed
startedAt: '2026-08-01T10:00:00.000Z'
completedAt: '2026-08-01T10:00:02.500Z'
failureReason: no disk
jobs:
  - jobName: first
    status: failed
    steps: [{stepName: greet, status: failed, error: no disk}]
",
    );
    assert_eq!(sandbox.run(&["workflow", "run", "hello", "--input", "name=Ada"]).code, 0);
    let list = sandbox.json(&["run", "list", "hello"]);
    let statuses: Vec<&str> =
        list["runs"].as_array().expect("runs").iter().filter_map(|run| run["status"].as_str()).collect();
    assert_eq!(statuses, ["succeeded", "failed"], "{list:#}");
    let shown = sandbox.json(&["run", "show", "7777"]);
    assert_eq!((shown["durationMs"].as_u64(), &shown["jobs"][0]["steps"][0]["status"]), (Some(2500), &"failed".into()));
}
