//! What comes before a call of a method and after it: checks, upgrades, the time that a step has, and what it reports.

use mangrove_domain::{
    json::Json,
    ports::DataStore as _,
    run::{RunRecord, RunStatus},
};

use crate::bench::{Action, Bench, json, told, within, workflow};

const ID: &str = "00000000-0000-4000-8000-000000000008";

const FILES: &str = "
//- /vaults/v.yaml
id: 00000000-0000-4000-8000-0000000000aa
name: v
type: mock
config: {KEY: s3cret-value}
//- /models/checked.yaml
id: 00000000-0000-4000-8000-000000000008
name: checked
type: '@acme/checked'
globalArguments: {region: eu, token: '${{ vault.get(v, KEY) }}'}
methods: {run: {arguments: {text: 'hi ${{ inputs.who }}', with: '${{ inputs.token }}', lost: '${{ inputs.?nothing }}'}}}
";

const TYPES: &str = "
'@acme/checked':
  methods: {run: {type: object}, read: {type: object}}
  details:
    globalArguments: {type: object}
    checks: {ready: {}}
    upgrades: [{toVersion: 2026.01.01.1}]
    resources: {state: {}}
'@acme/keeper':
  methods: {run: {type: object}, get: {type: object}, update: {type: object}, delete: {type: object}}
  details:
    resources: {login: {schema: {type: object, properties: {deep: {type: object, properties: {pw: {sensitive: true}}}}}}, state: {}}
";

fn of_step(task: &str, more: &str) -> Bench {
    let step = format!("      - name: s\n        task: {{type: model_method, {task}}}\n{more}");
    Bench::new(&format!("{FILES}{}", workflow(&format!("  - name: j\n    steps:\n{step}")))).types(TYPES)
}

fn lines(record: &RunRecord) -> Vec<&str> {
    record.jobs[0].steps[0].logs.iter().map(|line| line.text.as_str()).collect()
}

#[tokio::test]
async fn checks_see_what_a_call_was_given_before_secrets_stand_in_it() {
    let task = "modelIdOrName: checked, methodName: run, inputs: {who: ann, token: '${{ vault.get(v, KEY) }}'}";
    let bench = of_step(task, "");
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let calls = bench.calls();
    let labels: Vec<&str> = calls.iter().map(|call| call.label.as_str()).collect();
    assert_eq!(labels, ["upgrade.0", "check.ready", "checked.run"]);
    let raw = "${{ vault.get(v, KEY) }}";
    let expected = Json::object([
        ("region", Json::from("eu")),
        ("token", Json::from(raw)),
        ("text", Json::from("hi ann")),
        ("with", Json::from(raw)),
        ("lost", Json::Null),
        ("who", Json::from("ann")),
    ]);
    assert_eq!(calls[1].context.get("unresolvedMethodArgs"), Some(&expected));
    assert_eq!(calls[1].context.get("globalArgs"), Some(&json("{region: eu, token: s3cret-value}")));
    assert_eq!(calls[2].context.get("unresolvedMethodArgs"), None);
    assert_eq!(calls[2].arguments.get("with"), Some(&Json::from("s3cret-value")));
}

#[tokio::test]
async fn checks_and_upgrades_only_look() {
    for label in ["check.ready", "upgrade.0"] {
        for (function, arguments, name) in [
            ("vault.put", "[v, KEY, other]", "vaultService.put"),
            ("vault.delete", "[v, KEY]", "vaultService.delete"),
            ("data.save", "['@acme/checked', x, {name: n}, '{}']", "dataRepository.save"),
            ("data.delete", "['@acme/checked', x, n]", "dataRepository.delete"),
            ("writeResource", "[state, one, {}, null]", "writeResource"),
            ("deleteResource", "[one]", "deleteResource"),
        ] {
            let bench = of_step("modelIdOrName: checked, methodName: run, inputs: {who: ann, token: t}", "")
                .method(label, &[Action::Call(function, arguments)]);
            let record = bench.run("{}").await;
            assert_eq!(record.status, RunStatus::Failed, "{label} {function}");
            let expected = format!("ctx.{name}: what runs before a method may only look");
            assert!(told(&record).contains(&expected), "{label} {function}: {}", told(&record));
        }
        let bench = of_step("modelIdOrName: checked, methodName: run, inputs: {who: ann, token: t}", "")
            .method(label, &[Action::Call("vault.names", "[]"), Action::Call("data.findAllGlobal", "[]")]);
        assert_eq!(bench.run("{}").await.status, RunStatus::Succeeded, "{label}");
    }
}

#[tokio::test]
async fn checks_and_upgrades_have_the_time_of_their_step() {
    for label in ["check.ready", "upgrade.0", "checked.run"] {
        let task = "modelIdOrName: checked, methodName: run, inputs: {who: ann, token: t}";
        let bench = of_step(task, "        timeout: 20ms\n").method(label, &[Action::Hang]);
        let record = within(bench.run("{}")).await;
        let expected = "`checked.run` did not end within 20 ms, the time limit of the step";
        assert!(told(&record).contains(expected), "{label}: {}", told(&record));
    }
}

#[tokio::test]
async fn a_method_that_could_not_keep_its_secrets_is_not_called() {
    let keeper = |vault: &str, method: &str| {
        let files = format!("{vault}//- /models/keeper.yaml\nid: {ID}\nname: keeper\ntype: '@acme/keeper'\n");
        let step = format!(
            "      - name: s\n        task: {{type: model_method, modelIdOrName: keeper, methodName: {method}}}\n"
        );
        Bench::new(&format!("{files}{}", workflow(&format!("  - name: j\n    steps:\n{step}")))).types(TYPES)
    };
    let vault = |name: &str| {
        format!("//- /vaults/v.yaml\nid: 00000000-0000-4000-8000-0000000000aa\nname: {name}\ntype: mock\n")
    };
    for (vault, method, is_called) in [
        (String::new(), "run", false),
        (vault("_own"), "run", false),
        (vault("v"), "run", true),
        (String::new(), "get", true),
    ] {
        let bench = keeper(&vault, method);
        let record = bench.run("{}").await;
        assert_eq!(bench.calls().len(), usize::from(is_called), "{method} {vault:?}: {}", told(&record));
        if !is_called {
            let error = record.error.expect("an error");
            assert_eq!(error.code.to_string(), "MG0721");
            assert!(error.message.contains("`keeper.run` was not started: the resource `login`"), "{}", error.message);
        }
    }
}

#[tokio::test]
async fn what_is_deleted_is_neither_read_nor_updated() {
    let bench = |steps: &[&str]| {
        let mut text = String::new();
        for (index, method) in steps.iter().enumerate() {
            let after = if index == 0 { String::new() } else { format!("        dependsOn: [s{}]\n", index - 1) };
            text.push_str(&format!(
                "      - name: s{index}\n        task: {{type: model_method, modelIdOrName: keeper, methodName: {method}}}\n{after}"
            ));
        }
        let files = format!("//- /models/keeper.yaml\nid: {ID}\nname: keeper\ntype: '@acme/keeper'\n");
        let vault = "//- /vaults/v.yaml\nid: 00000000-0000-4000-8000-0000000000aa\nname: v\ntype: mock\n";
        Bench::new(&format!("{vault}{files}{}", workflow(&format!("  - name: j\n    steps:\n{text}"))))
            .types(TYPES)
            .method("keeper.run", &[Action::Write("state", "one", "{}")])
    };
    for (steps, expected) in [
        (&["get"] as &[&str], None),
        (&["run", "get", "update"], None),
        (&["run", "delete", "get"], Some("`keeper.get` was not started: all resources of `keeper` are deleted")),
        (&["run", "delete", "update"], Some("`keeper.update` was not started: all resources of `keeper` are deleted")),
        (&["run", "delete", "run", "get"], None),
    ] {
        let bench = bench(steps);
        let record = bench.run("{}").await;
        let calls = steps.len() - usize::from(expected.is_some());
        assert_eq!(bench.calls().len(), calls, "{steps:?}: {}", told(&record));
        match expected {
            None => assert_eq!(record.status, RunStatus::Succeeded, "{steps:?}: {}", told(&record)),
            Some(message) => assert!(told(&record).contains(message), "{steps:?}: {}", told(&record)),
        }
    }
}

#[tokio::test]
async fn what_a_method_returns_decides_what_its_step_reports() {
    let written = [Action::Write("state", "one", "{}"), Action::Write("state", "two", "{}")];
    for (returned, expected) in [
        ("null", "one two"),
        ("{dataHandles: []}", "one two"),
        ("{dataHandles: [{name: two, version: 1}], other: 1}", "two"),
        ("{dataHandles: [{name: two, version: 1}, {name: before, version: 1}, {name: two, version: 1}]}", "two before"),
        ("{dataHandles: [{name: nothing, version: 1}, 3]}", "one two"),
    ] {
        let run =
            "      - name: before\n        task: {type: model_method, modelIdOrName: checked, methodName: read}\n";
        let step = "      - name: s\n        dependsOn: [before]\n        task: {type: model_method, modelIdOrName: checked, methodName: run, inputs: {who: a, token: t}}\n";
        let bench = Bench::new(&format!("{FILES}{}", workflow(&format!("  - name: j\n    steps:\n{run}{step}"))))
            .types(TYPES)
            .method("checked.read", &[Action::Write("state", "before", "{}")])
            .method("checked.run", &[&written[..], &[Action::Return(returned)]].concat());
        let record = bench.run("{}").await;
        assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
        let handles = record.jobs[0].steps[1].data_handles.iter();
        let names: Vec<&str> = handles.filter_map(|handle| handle.get("name")?.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{returned}");
    }
}

#[tokio::test]
async fn what_a_step_says_of_its_data_may_have_expressions() {
    let more = "        forEach: {item: e, in: '${{ [\"a\"] }}'}
        dataOutputOverrides:
          - specName: '${{ inputs.spec }}'
            lifetime: '${{ inputs.keep }}'
            garbageCollection: '${{ inputs.versions }}'
            tags: {env: 'in ${{ self.e }}', run: '${{ run.workflowName }}', late: '${{ env.HOME }}'}
";
    let bench = of_step("modelIdOrName: checked, methodName: read", more)
        .variable("HOME", "/home")
        .method("checked.read", &[Action::Write("state", "one", "{}")]);
    let record = bench.run("{spec: state, keep: 7d, versions: 3}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let (handle, _) = bench.data.read(ID, "one", None).await.expect("data").expect("an item");
    assert_eq!((handle.lifetime.as_str(), &handle.garbage_collection), ("7d", &json("3")));
    let tags = [handle.tag("env"), handle.tag("run"), handle.tag("late")];
    assert_eq!(tags, [Some("in a"), Some("w"), Some("${{ env.HOME }}")], "what is stored has no variable in it");
    let error = bench.try_run("{spec: state, keep: 7d}").await.expect_err("a value is missing").to_string();
    assert!(error.contains("`inputs.versions`"), "{error}");
}

#[tokio::test]
async fn repetitions_of_a_step_share_what_it_may_leave_behind() {
    let line: &'static str = Box::leak("x".repeat(16_000).into_boxed_str());
    let more = "        forEach: {item: e, in: '${{ [1, 2, 3] }}'}\n        concurrency: 1\n";
    let bench =
        of_step("modelIdOrName: checked, methodName: read", more).method("checked.read", &vec![Action::Log(line); 300]);
    let record = bench.run("{}").await;
    let kept: Vec<usize> = record.jobs[0].steps.iter().map(|step| step.logs.len()).collect();
    assert_eq!(kept.len(), 3);
    let bytes: usize = record.jobs[0].steps.iter().flat_map(|step| &step.logs).map(|line| line.text.len()).sum();
    assert!(bytes <= 8 << 20, "{kept:?}");
    assert_eq!((kept[0], kept[2]), (300, 0), "what is left is for the second one");
    assert_eq!(lines(&record).len(), 300);
    let last = &record.jobs[0].steps[1].logs.last().expect("a line").text;
    assert_eq!(last, "the step logs more than 8 MiB; this line and further ones are dropped");
}
