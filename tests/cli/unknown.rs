//! Names that nothing usable has: what is said of them, and the way out.

use serde_json::json;

use crate::{fixtures::model, sandbox::Sandbox};

/// A repository with a definition of a type that nobody has, and a workflow that uses it.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let definition = "id: 00000000-0000-4000-8000-000000000001\nname: ec2\ntype: '@swamp/aws/ec2/instance'\n";
    sandbox.write("models/ec2.yaml", definition);
    sandbox.write("workflows/w.yaml", &workflow("ec2", "sync"));
    sandbox
}

fn workflow(definition: &str, method: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-000000000010\nname: w\njobs:\n  - name: a\n    steps:\n      - name: s\n        \
         task: {{type: model_method, modelIdOrName: {definition}, methodName: {method}}}\n"
    )
}

const PULL: &str = "`mangrove extension pull @swamp/aws` pulls it, if a registry has it; if not, try `mangrove extension \
                    pull @swamp/aws/ec2`";

#[test]
fn whoever_misses_a_type_of_a_collective_is_told_to_pull_it_wherever_it_is_missed() {
    let sandbox = sandbox();
    for arguments in [
        &["model", "run", "ec2", "sync"][..],
        &["workflow", "run", "w"],
        &["workflow", "validate"],
        &["workflow", "validate", "w"],
        &["model", "validate", "ec2"],
        &["model", "create", "@swamp/aws/ec2/instance", "other"],
        &["describe", "@swamp/aws/ec2/instance"],
        &["why", "@swamp/aws/ec2/instance"],
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.code, 1, "{arguments:?}: {output}");
        assert!(format!("{}{}", output.stdout, output.stderr).contains(PULL), "{arguments:?}: {output}");
        assert!(!output.stderr.contains("mangrove why"), "{arguments:?}: {output}");
    }
    let run = sandbox.run(&["model", "run", "ec2", "sync", "--json"]);
    let last = run.lines().pop().expect("a line");
    assert_eq!(last["error"]["hint"], PULL, "{last:#}");
    let shown = sandbox.json(&["run", "show", last["runId"].as_str().expect("an identifier")]);
    assert_eq!(shown["error"]["hint"], PULL, "it is on record: {shown:#}");
}

#[test]
fn of_the_locked_extensions_only_those_are_named_that_may_have_a_type() {
    let sandbox = sandbox();
    let entry = |name: &str| json!({ "version": "2026.05.23.1", "files": [format!(".swamp/pulled-extensions/{name}/manifest.yaml")] });
    let lock =
        json!({ "@swamp/aws": entry("@swamp/aws"), "@swamp/gcp": entry("@swamp/gcp"), "@other/x": entry("@other/x") });
    sandbox.write("extensions/models/upstream_extensions.json", &lock.to_string());
    for arguments in [
        &["model", "run", "ec2", "sync"][..],
        &["workflow", "validate", "w"],
        &["describe", "@swamp/aws/ec2/instance"],
        &["why", "@swamp/aws/ec2/instance"],
    ] {
        let output = sandbox.run(arguments);
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(
            text.contains("pulled:@swamp/aws") && text.contains("`mangrove extension install`"),
            "{arguments:?}: {output}"
        );
        assert!(!text.contains("@swamp/gcp") && !text.contains("@other/x"), "{arguments:?}: {output}");
    }
}

#[test]
fn the_type_that_comes_with_the_program_is_known_to_every_command() {
    let sandbox = Sandbox::new("");
    let why = sandbox.json(&["why", "command/shell"]);
    assert_eq!(why["builtIn"]["type"], "command/shell");
    let plain = sandbox.run(&["why", "command/shell"]);
    assert!(plain.code == 0 && plain.stdout.contains("comes with the program"), "{plain}");
    let found = sandbox.json(&["model", "type", "search", "shell"]);
    assert_eq!(found["results"], json!([{ "raw": "command/shell", "normalized": "command/shell" }]));
    assert_eq!(sandbox.json(&["model", "type", "describe", "command/shell"])["type"]["normalized"], "command/shell");
}

#[test]
fn a_definition_whose_file_is_broken_is_answered_with_the_mistake() {
    let sandbox = sandbox();
    let definition = "id: 00000000-0000-4000-8000-000000000002\nname: hello\ntype: '@acme/a'\ndriver: docker\n";
    sandbox.write("models/hello.yaml", definition);
    sandbox.write("workflows/w.yaml", &workflow("hello", "greet"));
    for arguments in [
        &["model", "run", "hello", "greet"][..],
        &["model", "get", "hello"],
        &["model", "validate", "hello"],
        &["workflow", "run", "w"],
    ] {
        let output = sandbox.run(arguments);
        let text = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, 1, "{arguments:?}: {output}");
        assert!(text.contains("models/hello.yaml:4:1") && text.contains("`driver`"), "{arguments:?}: {output}");
        assert!(!text.contains("unknown definition"), "{arguments:?}: {output}");
    }
    let validated = sandbox.run(&["workflow", "validate", "w"]);
    assert!(validated.stderr.contains("the definition `hello` cannot be used: see models/hello.yaml"), "{validated}");
}

#[test]
fn what_helps_in_a_run_is_a_command() {
    let sandbox = sandbox();
    sandbox.write("workflows/w.yaml", &workflow("hello", "greet"));
    let run = sandbox.run(&["workflow", "run", "w"]);
    assert!(run.stdout.contains("`mangrove model create TYPE hello` makes it"), "{run}");
    assert!(!run.stdout.contains("the creation of"), "{run}");
}

#[test]
fn broken_workflows_whose_names_are_known_are_not_taken_for_others() {
    let sandbox = Sandbox::new("");
    sandbox.write("workflows/workflow-one.yaml", "name: one\njobs: 1\n");
    sandbox.write("workflows/workflow-two.yaml", "name: two\njobs: 1\n");
    let missing = sandbox.run(&["workflow", "run", "elsewhere"]);
    assert!(!missing.stderr.contains("has no workflows") && !missing.stderr.contains("it may be in"), "{missing}");
    assert!(missing.stderr.contains("known workflows: one (its file cannot be used), two (its file"), "{missing}");
    let near = sandbox.run(&["workflow", "run", "twoo"]);
    assert!(near.stderr.contains("did you mean `two`?"), "{near}");
    sandbox.write("workflows/workflow-three.yaml", "jobs: 1\n");
    let nameless = sandbox.run(&["workflow", "run", "elsewhere"]);
    assert!(nameless.stderr.contains("it may be in workflows/workflow-three.yaml, which cannot be used"), "{nameless}");
}

#[test]
fn a_call_of_a_vault_that_is_none_says_what_it_takes() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let definition = "id: 00000000-0000-4000-8000-000000000002\nname: hello\ntype: '@acme/a'\n";
    sandbox.write("models/hello.yaml", definition);
    let text = workflow("hello", "greet")
        .replace("methodName: greet", "methodName: greet, inputs: {name: '${{ vault.get(v) }}'}");
    sandbox.write("workflows/w.yaml", &text);
    for arguments in [&["workflow", "run", "w"][..], &["workflow", "validate", "w"]] {
        let output = sandbox.run(arguments);
        let told = format!("{}{}", output.stdout, output.stderr);
        assert!(output.code == 1 && told.contains("`vault.get` takes two names"), "{arguments:?}: {output}");
        assert!(!told.contains("unknown name `v`"), "{arguments:?}: {output}");
    }
}

#[test]
fn what_belongs_to_the_step_is_told_where_it_belongs() {
    let sandbox = sandbox();
    let text = workflow("ec2", "sync").replace("methodName: sync", "methodName: sync, dataOutputOverrides: []");
    sandbox.write("workflows/w.yaml", &text.replace("name: w\n", "name: w\nqueueTimeout: 5\n"));
    let validated = sandbox.run(&["workflow", "validate", "w"]);
    assert!(validated.stderr.contains("unknown key `dataOutputOverrides` in a task, which is ignored"), "{validated}");
    assert!(validated.stderr.contains("hint: it belongs to the step: write it beside `task`"), "{validated}");
    assert!(validated.stderr.contains("`queueTimeout` has no effect"), "{validated}");
    assert!(!validated.stderr.contains("the next command reads it again"), "{validated}");
}
