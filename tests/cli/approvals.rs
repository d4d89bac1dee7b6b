//! Approvals, assertions and runs that go on, as a person uses them.

use crate::{fixtures::model, sandbox::Sandbox};

const DEPLOY: &str = "//- /models/@acme/greeter/11111111-1111-4111-8111-111111111111.yaml
id: 11111111-1111-4111-8111-111111111111
name: greeter
version: 1
//- /workflows/workflow-deploy.yaml
id: 22222222-2222-4222-8222-222222222222
name: deploy
version: 7
tags: { team: net }
inputs:
  properties:
    zones: { type: array, default: [eu, us] }
jobs:
  - name: check
    steps:
      - name: some
        task: { type: assert, expr: size(inputs.zones) > 0, message: there is no zone }
      - name: many
        task: { type: assert, expr: size(inputs.zones) > 5, message: 'only ${{ size(inputs.zones) }} zones', severity: low }
  - name: deploy
    dependsOn: [{ job: check, condition: { type: succeeded } }]
    steps:
      - name: ask
        task: { type: manual_approval, prompt: Deploy it? }
      - name: go
        forEach: { item: zone, in: '${{ inputs.zones }}' }
        dependsOn: [{ step: ask, condition: { type: succeeded } }]
        task: { type: model_method, modelIdOrName: greeter, methodName: greet, inputs: { name: '${{ self.zone }}' } }
";

fn deploy() -> Sandbox {
    let sandbox = Sandbox::new(DEPLOY);
    sandbox.write("extensions/models/greeter.ts", &model("@acme/greeter"));
    sandbox
}

#[test]
fn a_run_waits_for_an_approval_and_goes_on() {
    let sandbox = deploy();
    let start = ["workflow", "run", "deploy", "--json=swamp", "--fail-on", "high", "--tag", "who=me"];
    let output = sandbox.run(&start);
    assert_eq!(output.code, 0, "{output}");
    let run = output.document();
    assert_eq!(run["status"], "suspended", "{run:#}");
    assert_eq!(run["approvalRequired"]["stepId"], "ask", "{run:#}");
    assert_eq!(run["tags"], serde_json::json!({"team": "net", "who": "me"}));
    let id = run["id"].as_str().expect("an identifier");
    let approvals = sandbox.run(&["workflow", "approvals", "--json"]).document();
    assert_eq!(approvals["approvals"][0]["runId"], id, "{approvals:#}");
    let early = sandbox.run(&["workflow", "resume", "deploy"]);
    assert_eq!(early.code, 1, "{early}");
    assert!(early.stderr.contains("MG0732"), "{early}");
    let approved = sandbox.run(&["workflow", "approve", "deploy", "ask", "--reason", "fine", "--json"]).document();
    assert_eq!((approved["approved"].as_bool(), &approved["runId"]), (Some(true), &run["id"]), "{approved:#}");
    let output = sandbox.run(&["workflow", "resume", "deploy", "--fail-on", "high", "--json=swamp"]);
    assert_eq!(output.code, 0, "{output}");
    let run = output.document();
    assert_eq!(run["status"], "succeeded", "{run:#}");
    let steps = run["jobs"][1]["steps"].as_array().expect("steps");
    let names: Vec<&str> = steps.iter().filter_map(|step| step["name"].as_str()).collect();
    assert_eq!(names, ["ask", "go-eu", "go-us"]);
    let shown = sandbox.run(&["run", "show", id]);
    for expected in ["go-eu", "asks: Deploy it?", "approved by", "hello eu", "does not hold (low)"] {
        assert!(shown.stdout.contains(expected), "{expected:?} is not shown: {shown}");
    }
    assert_eq!(sandbox.run(&["workflow", "approvals"]).stdout, "");
}

#[test]
fn a_rejected_run_has_failed() {
    let sandbox = deploy();
    assert_eq!(sandbox.run(&["workflow", "run", "deploy", "--fail-on", "high"]).code, 0);
    let rejected = sandbox.run(&["workflow", "reject", "deploy", "ask", "--json"]).document();
    assert_eq!(rejected["runStatus"], "failed", "{rejected:#}");
    let output = sandbox.run(&["workflow", "resume", "deploy"]);
    assert_eq!(output.code, 1, "{output}");
    let history = sandbox.run(&["workflow", "history", "search", "deploy", "--json"]).document();
    assert_eq!(history["results"][0]["failedStep"], "ask", "{history:#}");
}

#[test]
fn assertions_are_reported_as_junit() {
    let sandbox = deploy();
    let output = sandbox.run(&["workflow", "run", "deploy", "--junit", "--out", "report.xml"]);
    assert_eq!(output.code, 1, "the low one counts as well: {output}");
    let report = sandbox.tree.read("report.xml").expect("a report");
    for expected in
        ["<testsuites name=\"deploy\"", "<testsuite name=\"check\"", "classname=\"deploy.check\"", "only 2 zones"]
    {
        assert!(report.contains(expected), "{expected:?} is missing: {report}");
    }
    let output = sandbox.run(&["workflow", "run", "deploy", "--junit", "--fail-on", "high"]);
    assert_eq!(output.code, 0, "{output}");
    assert!(output.stdout.starts_with("<?xml"), "{output}");
}

#[test]
fn a_workflow_is_shown_as_its_file_has_it() {
    let sandbox = deploy();
    let workflow = sandbox.run(&["workflow", "get", "deploy", "--json"]).document();
    assert_eq!((workflow["version"].as_u64(), workflow["name"].as_str()), (Some(7), Some("deploy")));
    assert_eq!(workflow["jobs"][1]["steps"][1]["forEach"]["item"], "zone", "{workflow:#}");
    let found = sandbox.run(&["workflow", "search", "dep", "--json"]).document();
    assert_eq!(found["results"][0]["jobCount"], 2, "{found:#}");
}

#[test]
fn a_workflow_that_cannot_be_used_is_listed_and_tells_what_is_wrong_with_it() {
    let sandbox = deploy();
    sandbox.write("workflows/workflow-broken.yaml", "name: review-loop\njobs:\n  - name: a\n    steps: [\n");
    sandbox.write("workflows/workflow-odd.yaml", "name: odd\njobs: []\n");
    let list = sandbox.run(&["workflow", "list", "--json"]).document();
    let names = |is_usable: bool| {
        let workflows = list["workflows"].as_array().expect("workflows").iter();
        workflows.filter(|workflow| workflow["isUsable"] == is_usable).map(|it| it["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(true), ["deploy"]);
    assert_eq!(names(false), ["review-loop", "odd"]);
    let run = sandbox.run(&["workflow", "run", "review-loop"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("workflows/workflow-broken.yaml:4"), "{run}");
    assert!(!run.stderr.contains("workflow-odd"), "of others nothing is said: {run}");
    let other = sandbox.run(&["workflow", "run", "deploy", "--fail-on", "high"]);
    assert!(other.stderr.contains("workflows/workflow-broken.yaml and 1 more cannot be used"), "{other}");
    let models = sandbox.run(&["model", "list"]);
    assert!(!models.stderr.contains("workflow"), "{models}");
    let validation = sandbox.run(&["workflow", "validate", "review-loop"]);
    assert_eq!(validation.code, 1, "{validation}");
}

#[test]
fn a_workflow_is_evaluated_without_a_run() {
    let sandbox = deploy();
    let output = sandbox.run(&["workflow", "evaluate", "deploy", "--json"]);
    assert_eq!(output.code, 0, "{output}");
    let evaluated = output.document();
    let step = &evaluated["jobs"][1]["steps"][1];
    assert_eq!(step["task"]["inputs"]["name"], "${{ self.zone }}", "it has no value yet: {evaluated:#}");
    assert_eq!(sandbox.run(&["run", "list", "--json"]).document()["runs"].as_array().map(Vec::len), Some(0));
}

#[cfg(unix)]
#[test]
fn whoever_decides_is_known_without_a_variable_that_says_so() {
    let sandbox = deploy();
    assert_eq!(sandbox.run(&["workflow", "run", "deploy", "--fail-on", "high"]).code, 0);
    let approved = sandbox.json(&["workflow", "approve", "deploy", "ask"]);
    let name = approved["decidedBy"].as_str().expect("a name");
    assert!(name.strip_prefix("user ").is_some_and(|number| number.parse::<u32>().is_ok()), "{approved:#}");
}

#[test]
fn a_step_that_is_misspelt_is_told_with_the_nearest_and_a_long_question_stands_below_its_row() {
    let question = "Deploy the zones eu and us with the new version of the gateway? It takes some minutes.";
    let sandbox = Sandbox::new(&DEPLOY.replace("Deploy it?", &format!("\"{question}\\nAsk Kim.\"")));
    sandbox.write("extensions/models/greeter.ts", &model("@acme/greeter"));
    assert_eq!(sandbox.run(&["workflow", "run", "deploy", "--fail-on", "high"]).code, 0);
    let listed = sandbox.run(&["workflow", "approvals"]).stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[0].starts_with("deploy  ask  "), "{listed}");
    assert_eq!(lines[1..], [format!("    {question}").as_str(), "    Ask Kim."]);
    let output = sandbox.run(&["workflow", "approve", "deploy", "aks"]);
    assert!(output.code == 1 && output.stderr.contains("did you mean `ask`?"), "{output}");
    assert!(!output.stderr.contains("resume"), "{output}");
}
