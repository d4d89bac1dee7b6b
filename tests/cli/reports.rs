//! Reports of extensions through the real program: made, listed, read again.

use serde_json::{Value, json};

use crate::{sandbox::Sandbox, serve::until};

const ID: &str = "7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a01";
const WORKFLOW_ID: &str = "7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a02";

/// A model with a report of its own, and a workflow that requires one.
fn reporting() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(
        "extensions/models/it.ts",
        "const schema = { _def: {}, parse: (value) => value, safeParse: (data) => ({ success: true, data }) };
export const model = {
  type: '@acme/it',
  version: '2026.05.23.1',
  reports: ['@acme/cost'],
  resources: { host: { schema, lifetime: 'infinite', garbageCollection: 10 } },
  methods: { go: { description: 'Goes', arguments: schema, execute: async (args, context) => {
    await context.writeResource('host', 'main', { price: args.price });
  } } },
};
",
    );
    sandbox.write(
        "extensions/reports/cost.ts",
        "export const report = {
  name: '@acme/cost', description: 'What it costs', scope: 'model', labels: ['money'],
  execute: async (context) => {
    const [handle] = context.dataHandles;
    const bytes = await context.dataRepository.getContent(context.modelType, context.modelId, handle.name, handle.version);
    const { price } = JSON.parse(new TextDecoder().decode(bytes));
    if (price === undefined) throw new Error('no price');
    context.logger.info('costs {price}', { price });
    return { markdown: `# Cost\n\n${context.definition.name} costs ${price}`, json: { price, args: context.methodArgs } };
  },
};
",
    );
    sandbox.write(
        "extensions/reports/all.ts",
        "export const report = {
  name: '@acme/all', description: 'All of it', scope: 'workflow',
  execute: ({ workflowName, workflowStatus, stepExecutions }) => ({
    markdown: `${workflowName} ${workflowStatus}`,
    json: { steps: stepExecutions.map(({ stepName, status, modelName, dataHandles }) => [stepName, status, modelName, dataHandles.length]) },
  }),
};
",
    );
    sandbox.write("models/@acme/it/it.yaml", &format!("id: {ID}\nname: it\nversion: 1\nmethods: {{}}\n"));
    sandbox.write(
        "workflows/workflow-all.yaml",
        &format!(
            "id: {WORKFLOW_ID}\nname: all\nreports: {{require: ['@acme/all']}}\njobs:\n  - name: j\n    steps:\n      - name: s\n        forEach: {{item: price, in: '${{{{ [1, 2] }}}}'}}\n        task: {{type: model_method, modelIdOrName: it, methodName: go, inputs: {{price: '${{{{ self.price }}}}'}}}}\n"
        ),
    );
    sandbox
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.run(&[&["model", "method", "run", "it", "go"], arguments].concat());
    assert_eq!(output.code, 0, "{output}");
    output.document()
}

fn names(document: &Value) -> Vec<&str> {
    document["reports"].as_object().expect("reports").keys().map(String::as_str).collect()
}

#[test]
fn a_process_that_is_killed_while_reports_about_its_run_are_made_has_ended_the_run() {
    let sandbox = reporting();
    sandbox.edit("extensions/reports/all.ts", "execute: (", "execute: async (");
    sandbox.edit("extensions/reports/all.ts", "=> ({\n", "=> (await new Promise((go) => setTimeout(go, 50000)), {\n");
    let mut child = sandbox.start(&["workflow", "run", "all"]);
    let shown = || {
        let id = sandbox.json(&["run", "list"])["runs"][0]["runId"].as_str().map(str::to_owned)?;
        Some((sandbox.json(&["run", "show", &id]), id))
    };
    let ended = || shown().filter(|(run, _)| run["status"] == "succeeded");
    let (before, _) = until("the end of its steps", ended).expect("the run ends before its reports are made");
    assert_eq!(before["reports"], Value::Null);
    child.kill().expect("a run to kill");
    child.wait().expect("it is gone");
    let (after, _) = shown().expect("a run");
    assert_eq!(after, before, "it was not interrupted");
}

#[test]
fn a_report_of_an_extension_is_made_after_a_method_and_read_again() {
    let sandbox = reporting();
    let document = run(&sandbox, &["--input", "price:json=3", "--json=swamp"]);
    assert_eq!(
        document["reports"]["@acme/cost"],
        json!({
            "name": "@acme/cost", "scope": "model", "success": true, "markdown": "# Cost\n\nit costs 3",
            "json": { "price": 3, "args": { "price": 3 } },
        })
    );
    assert_eq!(names(&document), ["@acme/cost", "@swamp/method-summary"]);
    assert_eq!(document["dataArtifacts"][0]["attributes"], json!({ "price": 3 }));
    assert_eq!(
        [&document["modelName"], &document["methodName"], &document["status"], &document["methodArguments"]],
        [&json!("it"), &json!("go"), &json!("succeeded"), &json!({ "price": 3 })]
    );
    let mut found = sandbox.json(&["report", "get", "@acme/cost"]);
    assert!(found["createdAt"].is_string());
    found.as_object_mut().expect("an object").remove("createdAt");
    assert_eq!(
        found,
        json!({
            "schema": "mangrove.report/1", "reportName": "@acme/cost", "reportScope": "model", "modelId": ID,
            "modelName": "it", "modelType": "@acme/it", "version": 1, "dataName": "report-acme-cost",
            "markdown": "# Cost\n\nit costs 3", "json": { "price": 3, "args": { "price": 3 } },
        })
    );
    run(&sandbox, &["--input", "price:json=4", "--json=swamp"]);
    assert_eq!(sandbox.json(&["report", "get", "@acme/cost", "--model", "it"])["json"]["price"], 4);
    assert_eq!(sandbox.json(&["report", "get", "@acme/cost", "--version", "1"])["json"]["price"], 3);
    let plain = sandbox.run(&["report", "get", "@acme/cost", "--markdown"]);
    assert_eq!((plain.code, &*plain.stdout, &*plain.stderr), (0, "# Cost\n\nit costs 4\n", ""));
    let data = sandbox.json(&["data", "list", "it", "--type", "report"]);
    assert_eq!(data["total"], 4, "{data:#}");
    for (arguments, words) in [
        (&["report", "get", "@acme/cots"][..], "did you mean `@acme/cost`"),
        (&["report", "get", "@acme/cost", "--model", "ti"], "ti"),
        (&["report", "get", "@acme/cost", "--version", "7"], "no version 7 of the report `@acme/cost` is kept"),
        (&["report", "get", "@acme/cost", "--workflow", "none"], "none"),
    ] {
        let output = sandbox.run(arguments);
        assert!(output.code == 1 && output.stderr.contains(words), "{arguments:?} {output}");
    }
}

#[test]
fn whoever_runs_a_method_chooses_its_reports() {
    let sandbox = reporting();
    for (arguments, expected) in [
        (&["--skip-reports"][..], &[] as &[&str]),
        (&["--skip-report", "@swamp/method-summary"], &["@acme/cost"]),
        (&["--skip-report-label", "money"], &["@swamp/method-summary"]),
        (&["--report", "@acme/cost"], &["@acme/cost"]),
        (&["--report-label", "money"], &["@acme/cost"]),
    ] {
        let arguments = [arguments, &["--input", "price:json=3", "--json=swamp"]].concat();
        assert_eq!(names(&run(&sandbox, &arguments)), expected, "{arguments:?}");
    }
}

#[test]
fn a_report_that_throws_is_told_and_the_run_goes_well() {
    let sandbox = reporting();
    let output = sandbox.run(&["model", "method", "run", "it", "go"]);
    assert!(
        output.code == 0 && output.stdout.contains("error[MG0705]: the report `@acme/cost` could not be made"),
        "{output}"
    );
    let document = run(&sandbox, &["--json=swamp"]);
    let report = &document["reports"]["@acme/cost"];
    assert!(
        report["success"] == false && report["error"].as_str().is_some_and(|error| error.contains("no price")),
        "{report}"
    );
    let runs = sandbox.json(&["run", "list"]);
    let id = runs["runs"][0]["runId"].as_str().expect("a run");
    let shown = sandbox.run(&["run", "show", id]);
    assert!(shown.stdout.contains("reported @swamp/method-summary (report-swamp-method-summary version 2)"), "{shown}");
    assert!(shown.stdout.contains("error[MG0705]"), "{shown}");
}

#[test]
fn a_workflow_is_reported_and_its_repetitions_have_reports_of_their_own() {
    let sandbox = reporting();
    let output = sandbox.run(&["workflow", "run", "all", "--json=swamp"]);
    assert_eq!(output.code, 0, "{output}");
    let document = output.document();
    let reports: Vec<(&str, &str)> = document["reports"]
        .as_array()
        .expect("reports")
        .iter()
        .filter_map(|report| Some((report["name"].as_str()?, report["scope"].as_str()?)))
        .collect();
    assert_eq!(
        reports,
        [
            ("@swamp/method-summary", "method"),
            ("@acme/cost", "model"),
            ("@swamp/method-summary", "method"),
            ("@acme/cost", "model"),
            ("@swamp/workflow-summary", "workflow"),
            ("@acme/all", "workflow")
        ]
    );
    let found = sandbox.json(&["report", "get", "@acme/all"]);
    assert_eq!(found["json"], json!({ "steps": [["s-1", "succeeded", "it", 1], ["s-2", "succeeded", "it", 1]] }));
    assert_eq!(
        [&found["modelType"], &found["modelId"], &found["modelName"], &found["workflowName"], &found["markdown"]],
        [&json!("workflow"), &json!(WORKFLOW_ID), &json!("all"), &json!("all"), &json!("all succeeded")]
    );
    let several = sandbox.run(&["report", "get", "@acme/cost"]);
    assert!(
        several.code == 1 && several.stderr.contains("`--model it --variant 1`, `--model it --variant 2`"),
        "{several}"
    );
    let second = sandbox.json(&["report", "get", "@acme/cost", "--model", "it", "--variant", "2"]);
    assert_eq!(
        [&second["varySuffix"], &second["json"]["price"], &second["dataName"]],
        [&json!("2"), &json!(2), &json!("report-acme-cost-2")]
    );
    let own = sandbox.run(&["workflow", "run", "all", "--json", "--skip-reports"]);
    let last: Value = serde_json::from_str(own.stdout.lines().last().expect("a line")).expect("JSON");
    let made: Vec<&str> =
        last["reports"].as_array().expect("reports").iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(made, ["@acme/all"], "what the workflow requires is made");
}

#[test]
fn a_report_that_nobody_has_is_found_before_anything_runs() {
    let sandbox = reporting();
    assert_eq!(sandbox.run(&["workflow", "validate", "all"]).code, 0);
    sandbox.edit("workflows/workflow-all.yaml", "'@acme/all'", "'@acme/al'");
    let output = sandbox.run(&["workflow", "validate", "all"]);
    assert!(output.code == 1 && output.stderr.contains("there is no report `@acme/al`"), "{output}");
    assert_eq!(sandbox.run(&["workflow", "run", "all"]).code, 0, "a workflow only shows it");
}

#[test]
fn a_version_of_a_report_that_is_not_kept_is_answered_with_those_that_are() {
    let sandbox = reporting();
    for _ in 0..2 {
        run(&sandbox, &["--input", "price:json=3", "--json=swamp"]);
    }
    let missing = sandbox.run(&["report", "get", "@acme/cost", "--model", "it", "--version", "99"]);
    assert_eq!(missing.code, 1, "{missing}");
    assert!(missing.stderr.contains("no version 99 of the report `@acme/cost` is kept"), "{missing}");
    assert!(missing.stderr.contains("hint: there are the versions 1, 2"), "{missing}");
}

#[test]
fn a_required_report_that_nobody_has_is_told_once() {
    let sandbox = reporting();
    let definition = format!("id: {ID}\nname: it\nversion: 1\nmethods: {{}}\nreports: {{require: ['@acme/gone']}}\n");
    sandbox.write("models/@acme/it/it.yaml", &definition);
    let output = sandbox.run(&["model", "method", "run", "it", "go", "--input", "price:json=3"]);
    assert_eq!(output.code, 1, "{output}");
    let told = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(told.matches("report `@acme/gone`").count(), 1, "{output}");
}

#[test]
fn a_report_about_a_workflow_is_found_behind_later_ones_of_others() {
    let sandbox = reporting();
    sandbox.edit("workflows/workflow-all.yaml", "        forEach: {item: price, in: '${{ [1, 2] }}'}\n", "");
    sandbox.edit("workflows/workflow-all.yaml", "${{ self.price }}", "${{ 7 }}");
    assert_eq!(sandbox.run(&["workflow", "run", "all"]).code, 0);
    run(&sandbox, &["--input", "price:json=9", "--json=swamp"]);
    let found =
        |more: &[&str]| sandbox.json(&[&["report", "get", "@acme/cost"], more].concat())["json"]["price"].take();
    assert_eq!((found(&[]), found(&["--workflow", "all"])), (json!(9), json!(7)));
}

#[test]
fn a_report_whose_json_is_a_text_gives_that_text() {
    let sandbox = reporting();
    sandbox.edit("extensions/reports/cost.ts", "json: { price, args: context.methodArgs }", "json: 'plain \"text\"'");
    run(&sandbox, &["--input", "price:json=3", "--json=swamp"]);
    assert_eq!(sandbox.json(&["report", "get", "@acme/cost"])["json"], json!("plain \"text\""));
}

#[test]
fn what_a_report_about_a_workflow_warns_of_is_told_on_the_terminal() {
    let sandbox = reporting();
    sandbox.write(
        "extensions/reports/all.ts",
        "export const report = {
  name: '@acme/all', description: 'All of it', scope: 'workflow',
  execute: ({ logger }) => { logger.info('quiet'); logger.warn('half of it'); return { markdown: 'all', json: {} }; },
};
",
    );
    let output = sandbox.run(&["workflow", "run", "all"]);
    assert!(output.code == 0 && output.stdout.contains("    warn  half of it\n"), "{output}");
    assert!(!output.stdout.contains("quiet"), "{output}");
}

#[test]
fn a_version_that_was_given_again_is_not_taken_for_that_of_an_earlier_run() {
    let sandbox = reporting();
    sandbox.edit("workflows/workflow-all.yaml", "        forEach: {item: price, in: '${{ [1, 2] }}'}\n", "");
    sandbox.edit("workflows/workflow-all.yaml", "${{ self.price }}", "${{ inputs.price }}");
    let go = |price: &str| {
        let run = sandbox.run(&["workflow", "run", "all", "--input", price, "--json=swamp"]);
        assert_eq!(run.code, 0, "{run}");
        run.document()["id"].as_str().expect("a run").to_owned()
    };
    let artifact = |id: &str| {
        let run = sandbox.run(&["workflow", "history", "get", id, "--json=swamp"]).document();
        run["jobs"][0]["steps"][0]["dataArtifacts"][0]["attributes"]["price"].clone()
    };
    let first = go("price:json=1");
    assert_eq!(artifact(&first), json!(1));
    // As after a power failure: nothing of it is there.
    for directory in [".mangrove/data", ".mangrove/outputs"] {
        let _ = sandbox.tree.remove(directory);
    }
    let second = go("price:json=2");
    assert_eq!((artifact(&second), artifact(&first)), (json!(2), Value::Null));
}
