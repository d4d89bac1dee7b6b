//! Definitions in a run: those that calls name by their types, those that the run makes, and what expressions in them see.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mangrove_domain::{
    ports::{DataStore as _, DefinitionFiles, DefinitionText, FilesError},
    run::RunStatus,
};
use mangrove_testkit::fakes::MemoryDefinitionFiles;

use crate::bench::{Action, Bench, json, told, workflow};

/// A job of one step that calls an instance of `@acme/thing`.
fn instance(name: &str, more: &str) -> String {
    workflow(&format!("  - name: j\n    steps:\n{}", instance_step("s", name, more)))
}

fn instance_step(step: &str, name: &str, more: &str) -> String {
    format!(
        "      - name: {step}\n        task: {{type: model_method, modelType: '@acme/thing', modelName: {name}, methodName: {more}}}\n"
    )
}

#[tokio::test]
async fn what_a_definition_says_of_its_resources_holds_however_a_call_names_it() {
    const KEPT: &str = "//- /models/kept.yaml
id: 00000000-0000-4000-8000-000000000005
name: kept
type: '@acme/thing'
resources: {state: {lifetime: 7d, garbageCollection: 3}}
";
    for source in [
        instance("kept", "size, inputs: {size: 1}"),
        crate::bench::workflow(
            "  - name: j\n    steps:\n      - name: s\n        task: {type: model_method, modelIdOrName: kept, methodName: size, inputs: {size: 1}}\n",
        ),
    ] {
        let bench =
            Bench::new(&format!("{KEPT}{source}")).method("kept.size", &[Action::Write("state", "one", "{size: 1}")]);
        let record = bench.run("{}").await;
        assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
        let found = bench.data.read("00000000-0000-4000-8000-000000000005", "one", None).await.expect("data");
        let (handle, _) = found.expect("an item");
        assert_eq!((handle.lifetime.as_str(), &handle.garbage_collection), ("7d", &json("3")));
    }
}

#[tokio::test]
async fn what_a_run_makes_is_found_by_its_later_steps() {
    let types = "
'@acme/thing':
  methods: {run: {type: object}, look: {type: object}}
  details: {globalArguments: {type: object, properties: {region: {type: string}}}, resources: {state: {}}, files: {log: {}}}
";
    let steps = [
        instance_step("make", "made", "run, inputs: {region: eu}"),
        "      - name: look
        dependsOn: [make]
        task: {type: model_method, modelIdOrName: thing, methodName: look, inputs: {text: '${{ file.contents(\"made\", \"log\") }}'}}
"
        .to_owned(),
    ];
    let bench = Bench::new(&workflow(&format!("  - name: j\n    steps:\n{}", steps.concat())))
        .types(types)
        .method(
            "made.run",
            &[Action::Write("state", "one", "{size: 1}"), Action::Call("writeFile", "[log, log, hello, null]")],
        )
        .method(
            "thing.look",
            &[
                Action::Call("readModelData", "[made, state]"),
                Action::Call("definition.findByNameGlobal", "[made]"),
                Action::Call("definition.findAll", "['@acme/thing']"),
            ],
        );
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    assert_eq!(bench.calls().last().expect("a call").arguments, json("{text: hello}"));
    let said: Vec<&str> = record.jobs[0].steps[1].logs.iter().map(|line| line.text.as_str()).collect();
    assert!(said[0].contains("\"attributes\":{\"size\":1}"), "{said:?}");
    assert!(
        said[1].contains("\"name\":\"made\"") && said[1].contains("\"globalArguments\":{\"region\":\"eu\"}"),
        "{said:?}"
    );
    assert!(said[2].contains("\"name\":\"thing\"") && said[2].contains("\"name\":\"made\""), "{said:?}");
}

#[tokio::test]
async fn what_a_run_makes_is_found_by_the_runs_that_it_starts_and_what_they_make_by_it() {
    let call = |step: &str, name: &str, more: &str| {
        format!(
            "      - name: {step}\n        task: {{type: model_method, modelType: '@acme/thing', modelName: {name}, methodName: run}}\n{more}"
        )
    };
    let look = |step: &str, name: &str| {
        format!(
            "      - name: {step}\n        dependsOn: [before]\n        task: {{type: model_method, modelIdOrName: {name}, methodName: run}}\n"
        )
    };
    let child = format!(
        "//- /workflows/child.yaml\nid: 00000000-0000-4000-8000-0000000000fd\nname: child\njobs:\n  - name: j\n    steps:\n{}{}",
        call("before", "inner", ""),
        look("look", "looker")
    );
    let nested =
        "      - name: before\n        dependsOn: [make]\n        task: {type: workflow, workflowIdOrName: child}\n";
    let jobs = format!("  - name: j\n    steps:\n{}{nested}{}", call("make", "outer", ""), look("look", "looker"));
    let looker =
        "//- /models/looker.yaml\nid: 00000000-0000-4000-8000-00000000000a\nname: looker\ntype: '@acme/thing'\n";
    let names = [
        Action::Call("definition.findByNameGlobal", "[outer]"),
        Action::Call("definition.findByNameGlobal", "[inner]"),
    ];
    let bench = Bench::new(&format!("{looker}{child}{}", workflow(&jobs))).method("looker.run", &names);
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    for run in bench.history().await {
        let steps = run.jobs.iter().flat_map(|job| &job.steps);
        let look = steps.clone().find(|step| step.name == "look").expect("a step");
        let said: Vec<&str> = look.logs.iter().map(|line| line.text.as_str()).collect();
        assert!(
            said[0].contains("\"name\":\"outer\"") && said[1].contains("\"name\":\"inner\""),
            "{}: {said:?}",
            run.name
        );
    }
}

#[tokio::test]
async fn what_a_step_leaves_for_the_last_moment_is_there_when_the_definition_reads_it() {
    let definition = "//- /models/greeter.yaml
id: 00000000-0000-4000-8000-000000000006
name: greeter
type: '@acme/thing'
globalArguments: {region: 'r-${{ inputs.who }}'}
methods: {run: {arguments: {text: 'hi ${{ inputs.who }}', length: '${{ size(inputs.who) }}'}}}
";
    let step = "      - name: s\n        task: {type: model_method, modelIdOrName: greeter, methodName: run, inputs: {who: '${{ env.WHO }}'}}\n";
    let bench = Bench::new(&format!("{definition}{}", workflow(&format!("  - name: j\n    steps:\n{step}"))))
        .variable("WHO", "ann");
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let call = &bench.calls()[0];
    assert_eq!(call.arguments, json("{region: r-ann, text: hi ann, length: 3, who: ann}"));
    assert_eq!(call.context.get("globalArgs"), Some(&json("{region: r-ann}")));
}

/// Workflows `w` and `child`, to which it gives a port.
fn nested(port: &str) -> String {
    let child = "//- /workflows/child.yaml
id: 00000000-0000-4000-8000-0000000000fe
name: child
inputs: {properties: {port: {type: integer}, host: {type: string, default: here}}, required: [port]}
jobs:
  - name: j
    steps:
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: '${{ inputs.port }}', name: '${{ inputs.host }}'}}
";
    let step = format!(
        "      - name: s\n        task: {{type: workflow, workflowIdOrName: child, inputs: {{port: {port}}}}}\n"
    );
    format!("{child}{}", workflow(&format!("  - name: j\n    steps:\n{step}")))
}

#[tokio::test]
async fn what_a_nested_workflow_is_given_is_checked_once_it_has_a_value() {
    let bench = Bench::new(&nested("'${{ env.PORT }}'")).variable("PORT", "8080");
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    assert_eq!(bench.calls()[0].arguments, json("{size: 8080, name: here, zone: a}"));
    let child = bench.history().await.into_iter().find(|run| run.name == "child").expect("a run of its own");
    assert_eq!(child.inputs, json("{port: '${{ env.PORT }}', host: here}"), "what is stored has no value of it");
    for port in ["'${{ env.PORT }}'", "eighty"] {
        let bench = Bench::new(&nested(port)).variable("PORT", "eighty");
        let error = bench.run("{}").await.error.expect("an error").message;
        let expected = "job `j`, step `s`: workflow `child`: input port: expected integer, found \"eighty\"";
        assert_eq!(error, expected, "{port}");
        assert!(bench.calls().is_empty());
    }
}

/// Another process changes an automatic definition between the look at it and its replacement.
struct Racing {
    files: MemoryDefinitionFiles,
    /// The text that it writes, once.
    other: Mutex<Option<String>>,
}

#[async_trait]
impl DefinitionFiles for Racing {
    async fn automatic(&self) -> Result<Vec<DefinitionText>, FilesError> {
        self.files.automatic().await
    }

    async fn read_automatic(&self, path: &str) -> Result<Option<DefinitionText>, FilesError> {
        self.files.read_automatic(path).await
    }

    async fn create_automatic(&self, path: &str, text: &str) -> Result<DefinitionText, FilesError> {
        self.files.create_automatic(path, text).await
    }

    async fn replace_automatic(&self, path: &str, before: &str, text: &str) -> Result<DefinitionText, FilesError> {
        let other = self.other.lock().expect("a lock").take();
        if let Some(other) = other {
            self.files.replace_automatic(path, before, &other).await?;
        }
        self.files.replace_automatic(path, before, text).await
    }

    async fn create(&self, path: &str, text: &str) -> Result<Option<DefinitionText>, FilesError> {
        self.files.create(path, text).await
    }
}

#[tokio::test]
async fn of_two_that_change_one_definition_the_later_one_decides_by_what_the_earlier_one_wrote() {
    let text = |arguments: &str| {
        format!(
            "type: '@acme/thing'\nid: 00000000-0000-4000-8000-000000000007\nname: n\nversion: 1\ntags: {{team: blue}}\nglobalArguments: {arguments}\n"
        )
    };
    // What the other one wrote is what is asked for, and more: then it stays as it is.
    for (other, expected, is_updated) in
        [("{region: eu, zone: b}", "{region: eu, zone: b}", false), ("{zone: b}", "{region: eu}", true)]
    {
        let files = MemoryDefinitionFiles::new();
        let path = "@acme/thing/n.yaml";
        files.create_automatic(path, &text("{region: us}")).await.expect("written");
        let mut bench = Bench::new(&instance("n", "run, inputs: {region: eu}"));
        bench.definitions = Arc::new(Racing { files, other: Mutex::new(Some(text(other))) });
        let record = bench.run("{}").await;
        assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
        assert_eq!(bench.calls()[0].context.get("globalArgs"), Some(&json(expected)));
        let kept = bench.definitions.read_automatic(path).await.expect("a look").expect("a file").text;
        assert_eq!(json(&kept).get("globalArguments"), Some(&json(expected)), "{kept}");
        assert_eq!(json(&kept).get("tags"), Some(&json("{team: blue}")), "all else stays: {kept}");
        assert_eq!(told(&record).contains("global_args_updated"), is_updated, "{}", told(&record));
    }
}
