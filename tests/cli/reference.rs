//! What scripts of swamp read and write: its documents, its errors, its exit codes, its options.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::{
    fixtures::model,
    sandbox::{Output, Sandbox},
};

const ID: &str = "00000000-0000-4000-8000-000000000001";

/// A model with a method that writes a resource, one that fails and one that never ends; a definition and a workflow of it.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(
        "extensions/models/a.ts",
        "const schema = { _def: {}, parse: (value) => value, safeParse: (data) => ({ success: true, data }) };
const method = (execute) => ({ description: 'does it', arguments: schema, execute });
export const model = {
  type: '@acme/a',
  version: '2026.05.23.1',
  resources: { host: { schema, lifetime: 'infinite', garbageCollection: 5, tags: { env: 'prod' } } },
  methods: {
    write: method(async (args, context) => { await context.writeResource('host', 'main', { name: args.name ?? 'x' }); }),
    fail: method(async () => { throw new Error('no such host'); }),
    wait: method(async () => { for (;;) await new Promise((done) => setTimeout(done, 50)); }),
  },
};
",
    );
    sandbox.write("models/one.yaml", &format!("id: {ID}\nname: one\ntype: '@acme/a'\n"));
    sandbox.write("workflows/w.yaml", &workflow("w", "write"));
    sandbox
}

fn workflow(name: &str, method: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-000000000010\nname: {name}\njobs:\n  - name: a\n    steps:\n      - name: s\n        \
         task: {{type: model_method, modelIdOrName: one, methodName: {method}}}\n"
    )
}

/// The object on standard error, beside an empty standard output.
fn error(output: &Output) -> Value {
    assert_eq!((output.code, &*output.stdout), (1, ""), "{output}");
    serde_json::from_str(&output.stderr).unwrap_or_else(|wrong| panic!("{wrong}: {output}"))
}

#[test]
fn an_error_is_one_object_on_standard_error_with_a_word_for_it() {
    let sandbox = sandbox();
    for (arguments, code, words) in [
        (&["data", "get", "nope", "main"][..], json!("model_not_found"), "there is no model `nope`"),
        (&["model", "get", "nope"], json!("model_not_found"), "unknown definition `nope`"),
        (&["model", "run", "one", "nope"], json!("unknown_method"), "`nope`"),
        (&["model", "create", "@other/x", "y"], json!("unknown_model_type"), "unknown model type `@other/x`"),
        (&["data", "get", "one", "main"], Value::Null, "there is no `main` of `one`"),
        (&["workflow", "run", "nope"], Value::Null, "unknown workflow `nope`"),
        (&["vault", "list-keys", "nope"], Value::Null, "unknown vault `nope`"),
        (&["data", "query", "model == 1"], json!("validation_failed"), "unknown field `model`"),
        (&["model", "run", "one"], Value::Null, "required arguments"),
    ] {
        let output = sandbox.run(&[arguments, &["--json=swamp"]].concat());
        let document = if output.stdout.is_empty() { error(&output) } else { last_of(&output) };
        assert_eq!(document.get("code").cloned().unwrap_or_default(), code, "{arguments:?}: {document:#}");
        assert!(document["error"].as_str().is_some_and(|text| text.contains(words)), "{arguments:?}: {document:#}");
    }
}

/// The object on standard error of a run that has a document as well.
fn last_of(output: &Output) -> Value {
    assert_eq!(output.code, 1, "{output}");
    serde_json::from_str(output.stderr.lines().last().unwrap_or_default())
        .unwrap_or_else(|wrong| panic!("{wrong}: {output}"))
}

#[test]
fn a_run_that_fails_has_a_document_and_says_why_on_standard_error() {
    let sandbox = sandbox();
    sandbox.write("workflows/w.yaml", &workflow("w", "fail"));
    for (arguments, code) in [
        (["workflow", "run", "w", "--json=swamp"].as_slice(), "workflow_execution_failed"),
        (&["model", "method", "run", "one", "fail", "--json=swamp"], "method_execution_failed"),
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.document()["status"], "failed", "{output}");
        let told = last_of(&output);
        assert_eq!(told["code"], code, "{output}");
        assert!(told["error"].as_str().is_some_and(|text| text.contains("no such host")), "{output}");
    }
}

#[test]
fn our_own_errors_name_their_code_where_data_is_missing() {
    let sandbox = sandbox();
    let missing = sandbox.run(&["data", "get", "one", "nope", "--json"]);
    assert_eq!((missing.code, &missing.document()["code"]), (1, &json!("MG0106")), "{missing}");
    let explained = sandbox.run(&["explain", "MG0106"]);
    assert!(explained.code == 0 && explained.stdout.contains("mangrove data versions"), "{explained}");
}

#[test]
fn what_was_understood_and_is_not_there_ends_with_one() {
    let sandbox = sandbox();
    for arguments in [
        &["vault", "list-keys", "nope"][..],
        &["vault", "create", "nonsense", "v"],
        &["data", "query", "model == 1"],
        &["model", "create", "@acme/a", "one"],
        &["extension", "pull", "./nonesuch"],
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.code, 1, "{arguments:?}: {output}");
    }
}

#[test]
fn validation_has_the_shape_that_scripts_know() {
    let sandbox = sandbox();
    let valid = sandbox.run(&["workflow", "validate", "w", "--json=swamp"]);
    let document = valid.document();
    assert_eq!(
        (&document["workflowId"], &document["workflowName"], &document["totalWarnings"], &document["passed"]),
        (&json!("00000000-0000-4000-8000-000000000010"), &json!("w"), &json!(0), &json!(true)),
        "{valid}"
    );
    let validations = document["validations"].as_array().expect("a list");
    assert!(!validations.is_empty() && validations.iter().all(|one| one["passed"] == true), "{valid}");
    sandbox.write("workflows/w.yaml", &workflow("w", "nope"));
    let wrong = sandbox.run(&["workflow", "validate", "w", "--json=swamp"]);
    let document = wrong.document();
    assert_eq!((wrong.code, &document["passed"]), (1, &json!(false)), "{wrong}");
    let failed: Vec<&Value> =
        document["validations"].as_array().expect("a list").iter().filter(|one| one["passed"] == false).collect();
    assert!(failed.len() == 1 && failed[0]["error"].as_str().is_some_and(|text| text.contains("`nope`")), "{wrong}");
    sandbox.write("workflows/w.yaml", &workflow("w", "write").replace("modelIdOrName: one", "modelIdOrName: later"));
    let warned = sandbox.run(&["workflow", "validate", "w", "--json=swamp"]).document();
    assert_eq!((&warned["totalWarnings"], &warned["passed"]), (&json!(1), &json!(true)), "{warned:#}");
    assert!(warned["validations"].to_string().contains("\"warning\":"), "{warned:#}");
    let all = sandbox.run(&["workflow", "validate", "--json=swamp"]).document();
    assert_eq!((&all["workflows"][0]["workflowName"], &all["totalPassed"]), (&json!("w"), &json!(1)), "{all:#}");
    let own = sandbox.json(&["workflow", "validate", "w"]);
    assert_eq!(own["schema"], "mangrove.workflow-validate/1", "our own document stays");
}

#[test]
fn what_steps_wrote_has_its_own_labels_and_its_content() {
    let sandbox = sandbox();
    let output = sandbox.run(&["workflow", "run", "w", "--json=swamp"]);
    assert!(output.code == 0 && output.stdout.starts_with("{\n  \"id\":"), "indented: {output}");
    let artifact = &output.document()["jobs"][0]["steps"][0]["dataArtifacts"][0];
    assert_eq!((&artifact["name"], &artifact["version"]), (&json!("main"), &json!(1)), "{output}");
    assert_eq!((&artifact["tags"]["env"], &artifact["tags"]["workflow"]), (&json!("prod"), &json!("w")), "{output}");
    assert_eq!(artifact["attributes"], json!({ "name": "x" }), "{output}");
    assert!(artifact["dataId"].as_str().is_some_and(|id| !id.is_empty()), "{output}");
    let list = sandbox.json(&["data", "list"]);
    let items =
        list["groups"].as_array().expect("groups").iter().flat_map(|group| group["items"].as_array().expect("items"));
    let names: Vec<&Value> = items.filter(|item| item["name"] == "main").map(|item| &item["modelName"]).collect();
    assert_eq!(names, [&json!("one")], "{list:#}");
}

#[test]
fn options_of_swamp_work_or_are_refused_by_name() {
    let sandbox = sandbox();
    let elsewhere = tempfile::tempdir().expect("a directory");
    let root = sandbox.tree.root().display().to_string();
    let there = sandbox.command().current_dir(elsewhere.path()).args(["model", "list", "--repo-dir", &root]).output();
    assert!(there.expect("it starts").status.success());
    let by_variable =
        sandbox.command().current_dir(elsewhere.path()).env("SWAMP_REPO_DIR", &root).args(["model", "list"]).output();
    assert!(by_variable.expect("it starts").status.success());
    for arguments in [&["model", "list", "--log"][..], &["model", "list", "--no-color"]] {
        assert_eq!(sandbox.run(arguments).code, 0, "{arguments:?}");
    }
    let logged = sandbox.run(&["scan", "--log-level", "debug"]);
    assert!(logged.code == 0 && logged.stderr.contains("INFO"), "{logged}");
    let silent = sandbox.run(&["scan", "--log-level", "fatal"]);
    assert!(silent.code == 0 && !silent.stderr.contains("INFO"), "{silent}");
    let tagged = sandbox.run(&[
        "model",
        "method",
        "run",
        "one",
        "write",
        "--tag",
        "who=me",
        "--timeout",
        "1m",
        "--fail-on",
        "high",
    ]);
    assert_eq!(tagged.code, 0, "{tagged}");
    assert_eq!(sandbox.json(&["data", "get", "one", "main"])["tags"]["who"], "me");
    for (arguments, option) in [
        (&["model", "method", "run", "one", "write", "--last-evaluated"][..], "--last-evaluated"),
        (&["workflow", "run", "w", "--last-evaluated"], "--last-evaluated"),
        (&["model", "validate", "one", "--label", "x"], "--label"),
        (&["model", "validate", "one", "--method", "write"], "--method"),
    ] {
        let refused = sandbox.run(arguments);
        let says = format!("`{option}` is not supported");
        assert!(refused.code == 2 && refused.stderr.contains(&says) && refused.stderr.contains("hint"), "{refused}");
    }
}

#[test]
fn a_method_runs_once_for_each_item_on_standard_input() {
    let sandbox = sandbox();
    let mut command = sandbox.command();
    command.args(["model", "method", "run", "one", "write", "--stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"[{\"name\": \"a\"}, {\"name\": \"b\"}]")
        .expect("it reads");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(sandbox.json(&["data", "get", "one", "main", "--version", "1"])["content"]["name"], "a");
    assert_eq!(sandbox.json(&["data", "get", "one", "main"])["content"]["name"], "b");
}

#[test]
fn a_run_beyond_its_time_limit_says_so() {
    let sandbox = sandbox();
    sandbox.write("workflows/w.yaml", &workflow("w", "wait"));
    for run in [&["workflow", "run", "w", "--timeout", "1"][..], &["model", "run", "one", "wait", "--timeout", "1"]] {
        let output = sandbox.run(run);
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stdout.contains("the time limit of 1.0 s has passed"), "{output}");
        let runs = sandbox.json(&["run", "list", "--limit", "1"]);
        let shown = sandbox.json(&["run", "show", runs["runs"][0]["runId"].as_str().expect("an identifier")]);
        assert_eq!(shown["status"], "cancelled", "{shown:#}");
        assert_eq!(shown["tags"]["cancel_reason"], "the time limit of 1.0 s has passed (`--timeout`)", "{shown:#}");
    }
}

#[test]
fn a_type_without_the_name_of_an_instance_is_answered_with_what_is_missing() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    for (target, method) in [("@acme/a", "greet"), ("command/shell", "execute")] {
        let output = sandbox.run(&["model", "method", "run", target, method]);
        let hint = format!("`mangrove model method run {target} {method} NAME`");
        assert!(output.code == 1 && output.stderr.contains(&hint), "{output}");
        assert!(!output.stderr.contains("model create TYPE"), "{output}");
    }
}
