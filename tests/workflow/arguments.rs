//! What a method is called with, what it may write, and what of the environment may be seen.

use mangrove_app::workflow::StartError;
use mangrove_domain::{
    json::Json,
    ports::DataStore as _,
    problem::Code,
    run::{RunRecord, RunStatus},
};

use crate::bench::{Action, Bench, json, step, told, workflow};

const ID: &str = "00000000-0000-4000-8000-000000000001";

/// A definition with arguments for all methods and for one.
const CONFIGURED: &str = "
//- /models/configured.yaml
id: 00000000-0000-4000-8000-000000000002
name: configured
type: '@acme/thing'
tags: {team: blue}
globalArguments: {region: eu, zone: global, size: 1}
methods:
  size:
    arguments: {zone: definition, name: '${{ self.name }} of ${{ self.tags.team }}', size: '2'}
";

fn call(inputs: &str) -> String {
    workflow(&format!(
        "  - name: j\n    steps:\n      - name: s\n        task: {{type: model_method, modelIdOrName: configured, methodName: size{inputs}}}\n"
    ))
}

fn sized(inputs: &str) -> String {
    let step = step("s", "size", "").replace("methodName: size", &format!("methodName: size, inputs: {inputs}"));
    workflow(&format!("  - name: j\n    steps:\n{step}"))
}

async fn arguments(bench: &Bench) -> String {
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    bench.calls().last().expect("a call").arguments.to_string()
}

#[tokio::test]
async fn a_step_wins_over_the_definition_and_that_over_its_global_arguments() {
    let sources =
        [call(""), call(", inputs: {zone: step}"), call(", inputs: {size: 3, on: 'true', name: '${{ self.job }}'}")];
    let mut table = String::new();
    for source in sources {
        table.extend([&arguments(&Bench::new(&format!("{CONFIGURED}{source}"))).await, "\n"]);
    }
    insta::assert_snapshot!(table, @r#"
    {"zone":"definition","size":2,"name":"configured of blue"}
    {"zone":"step","size":2,"name":"configured of blue"}
    {"zone":"definition","size":3,"name":"j","on":true}
    "#);
    let plain = Bench::new(&sized("{size: 4}"));
    assert_eq!(arguments(&plain).await, r#"{"size":4,"zone":"a"}"#);
}

#[tokio::test]
async fn a_method_sees_its_definition_and_all_global_arguments() {
    let bench = Bench::new(&format!("{CONFIGURED}{}", call("")));
    bench.run("{}").await;
    insta::assert_snapshot!(bench.calls()[0].context, @r#"{"repoDir":"/repository","modelType":"@acme/thing","modelId":"00000000-0000-4000-8000-000000000002","globalArgs":{"region":"eu","zone":"global","size":1},"definition":{"id":"00000000-0000-4000-8000-000000000002","name":"configured","version":1,"tags":{"team":"blue"}},"methodName":"size"}"#);
}

#[tokio::test]
async fn inputs_from_the_command_line_become_what_the_method_expects() {
    let bench = Bench::new("");
    let record = bench.run_method("thing", "size", "{size: '3', on: 'false', name: '5'}").await;
    assert_eq!((record.status, record.name.as_str()), (RunStatus::Succeeded, "thing.size"));
    assert_eq!(bench.calls()[0].arguments, json("{size: 3, on: false, name: '5', zone: a}"));
    // An expression in a value is text, whatever the name of the input is.
    let bench = Bench::new("").variable("TOKEN", "s3cret");
    bench.run_method("thing", "run", "{a: '${{ env.TOKEN }}', 'b\"}} c': [1, null], env: x}").await;
    assert_eq!(bench.calls()[0].arguments, json("{a: '${{ env.TOKEN }}', 'b\"}} c': [1, null], env: x}"));
    let record = bench.run_method("thing", "size", "{sise: 1, on: maybe}").await;
    insta::assert_snapshot!(told(&record), @r#"
    thing.size failed: MG0605 job `thing`, step `size`: the arguments of `thing.size` break their schema: on: expected boolean, found "maybe"; sise: is not known; size: is required
      thing failed
        size (thing.size) failed: MG0605 the arguments of `thing.size` break their schema: on: expected boolean, found "maybe"; sise: is not known; size: is required
    "#);
}

#[tokio::test]
async fn inputs_of_a_workflow_are_completed_and_checked_before_anything_runs() {
    let schema = "inputs:
  properties: {size: {type: integer}, zone: {type: string, default: here}, tag: {type: string}}
  required: [size]
  additionalProperties: false
";
    let step = step("s", "run", "").replace(
        "methodName: run",
        "methodName: run, inputs: {all: '${{ inputs }}', text: 'in ${{ inputs.zone }}: ${{ inputs.size }}'}",
    );
    let text = workflow(&format!("  - name: j\n    steps:\n{step}")).replace("jobs:", &format!("{schema}jobs:"));
    let bench = Bench::new(&text);
    let record = bench.run("{size: '3'}").await;
    assert_eq!(record.inputs, json("{size: 3, zone: here}"));
    assert_eq!(bench.calls()[0].arguments, json("{all: {size: 3, zone: here}, text: 'in here: 3'}"));
    let mut table = String::new();
    for inputs in ["{}", "{size: big}", "{size: 1, zones: x}", "{size: 1, tags: x}", "{size: 1, other: x}"] {
        let Err(StartError::Problems(problems)) = bench.try_run(inputs).await else { panic!("{inputs} ran") };
        for problem in problems {
            assert_eq!(problem.code, Code::INVALID_INPUT);
            let advice = problem.advice.map(|advice| format!(" — {advice}")).unwrap_or_default();
            table.extend([inputs, " → ", &problem.message, &advice, "\n"]);
        }
    }
    insta::assert_snapshot!(table, @r#"
    {} → input size: is required
    {size: big} → input size: expected integer, found "big"
    {size: 1, zones: x} → input zones: is not known — did you mean `zone`?
    {size: 1, tags: x} → input tags: is not known — did you mean `tag`?
    {size: 1, other: x} → input other: is not known
    "#);
    assert_eq!(bench.calls().len(), 1);
    assert_eq!(bench.history().await.len(), 1);
}

#[tokio::test]
async fn arguments_that_break_their_schema_are_told_all_at_once() {
    let bench = Bench::new(&sized("{size: big, on: 3, unknown: x}"));
    insta::assert_snapshot!(told(&bench.run("{}").await), @r#"
    w failed: MG0605 job `j`, step `s`: the arguments of `thing.size` break their schema: on: expected boolean, found 3; size: expected integer, found "big"; unknown: is not known
      j failed
        s (thing.size) failed: MG0605 the arguments of `thing.size` break their schema: on: expected boolean, found 3; size: expected integer, found "big"; unknown: is not known
    "#);
    let bench = Bench::new(&sized("{size: '${{ inputs.nothing.at.all }}'}"));
    let error = bench.try_run("{}").await.expect_err("an expression without a value").to_string();
    assert_eq!(
        error,
        "workflows/w.yaml:7:91: `inputs.nothing.at.all`: there is no member `nothing`; the input `nothing` was not given"
    );
    assert!(bench.history().await.is_empty(), "there is no run");
    let global = CONFIGURED.replace("region: eu", "region: [eu]");
    let bench = Bench::new(&format!("{global}{}", call("")));
    insta::assert_snapshot!(told(&bench.run("{}").await), @r#"
    w failed: MG0605 job `j`, step `s`: the global arguments of `configured` break their schema: region: expected string, found ["eu"]
      j failed
        s (configured.size) failed: MG0605 the global arguments of `configured` break their schema: region: expected string, found ["eu"]
    "#);
    assert!(bench.calls().is_empty());
}

#[tokio::test]
async fn what_was_written_before_a_method_throws_is_kept() {
    let actions = [
        Action::Write("state", "first", "{size: 1}"),
        Action::Write("state", "first", "{size: 2}"),
        Action::Throw("half way"),
    ];
    let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &actions);
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Failed);
    let handles = &record.jobs[0].steps[0].data_handles;
    let versions: Vec<Option<i64>> = handles.iter().map(|handle| handle.get("version")?.as_integer()).collect();
    assert_eq!(versions, [Some(1), Some(2)]);
    let model = handles[0].get("modelId").and_then(Json::as_str);
    assert_eq!(model, Some(ID), "whose data it is, so that its content can be found");
    let (handle, content) = bench.data.read(ID, "first", None).await.expect("data").expect("a resource");
    assert_eq!((content.json, handle.run_id), (Some(json("{size: 2}")), record.id));
}

#[tokio::test]
async fn a_resource_that_breaks_its_schema_is_written_as_it_is_and_that_is_told() {
    let actions = [Action::Write("state", "one", "{size: big}"), Action::Write("state", "two", "{}")];
    let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &actions);
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded);
    let step = &record.jobs[0].steps[0];
    let logged: Vec<&str> = step.logs.iter().map(|line| line.text.as_str()).collect();
    let all_the_same = "breaks the schema of resource `state` and is stored all the same";
    assert_eq!(
        logged,
        [
            format!("`one` {all_the_same}: size: expected integer, found \"big\""),
            format!("`two` {all_the_same}: size: is required")
        ]
    );
    for (name, content) in [("one", "{size: big}"), ("two", "{}")] {
        let (_, found) = bench.data.read(ID, name, None).await.expect("data").expect("a resource");
        assert_eq!(found.json, Some(json(content)));
    }
}

#[tokio::test]
async fn a_resource_that_is_not_declared_or_has_no_name_is_not_written() {
    let mut table = String::new();
    for action in [
        Action::Write("states", "one", "{size: 1}"),
        Action::Write("state", "", "{size: 1}"),
        Action::Write("state", "latest", "{size: 1}"),
        Action::Write("state", "a/b", "{size: 1}"),
    ] {
        let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &[action]);
        let record = bench.run("{}").await;
        assert_eq!(record.status, RunStatus::Failed);
        assert!(record.jobs[0].steps[0].data_handles.is_empty());
        assert!(bench.written(ID).await.is_empty());
        table.extend([record.error.expect("an error").message.as_str(), "\n"]);
    }
    insta::assert_snapshot!(table, @r#"
    job `j`, step `s`: `thing.size` failed: `@acme/thing` declares no resource `states`; did you mean `state`?
    job `j`, step `s`: `thing.size` failed: ctx.writeResource: the instance must not be empty
    job `j`, step `s`: `thing.size` failed: ctx.writeResource: `latest` is no name: it stands for the latest version
    job `j`, step `s`: `thing.size` failed: ctx.writeResource: `a/b` is no name: it contains `/`
    "#);
}

#[tokio::test]
async fn a_call_that_writes_one_name_twice_fails_and_what_it_wrote_stays() {
    let actions = [Action::Write("state", "one", "{size: 1}"), Action::Write("state", "one", "{size: 2}")];
    let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &actions);
    let step = bench.run("{}").await.jobs[0].steps[0].clone();
    let message = "`thing.size` wrote `one` more than once; give each item of one call a name of its own";
    assert_eq!((step.status, step.error.as_ref().expect("an error").message.as_str()), (RunStatus::Failed, message));
    assert_eq!((step.data_handles.len(), bench.data.versions(ID, "one").await.expect("data").len()), (2, 2));
}

#[tokio::test]
async fn what_is_written_says_where_it_comes_from() {
    let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &[Action::Write("state", "one", "{size: 1}")]);
    let record = bench.run("{}").await;
    let (handle, _) = bench.data.read(ID, "one", None).await.expect("data").expect("a resource");
    let tags: Vec<String> = handle.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let run = format!("workflowRunId={}", record.id);
    let workflow_id = handle.owner.workflow_id.clone().expect("a workflow");
    let id = format!("workflowId={workflow_id}");
    let expected = [
        "type=resource",
        "specName=state",
        "modelName=thing",
        "source=step-output",
        "workflow=w",
        &id,
        &run,
        "job=j",
        "step=s",
    ];
    assert_eq!(tags, expected);
    assert_eq!((handle.model_type.as_str(), handle.content_type.as_str()), ("@acme/thing", "application/json"));
    let owner = &handle.owner;
    assert_eq!((owner.kind.as_str(), owner.reference.as_str()), ("model-method", ID));
    assert_eq!(owner.workflow_run_id.as_deref(), Some(record.id.as_str()));
    let named = [&owner.workflow_name, &owner.job_name, &owner.step_name, &owner.source];
    assert_eq!(named.map(|name| name.as_deref().unwrap_or_default()), ["w", "j", "s", "step-output"]);
}

#[tokio::test]
async fn a_name_without_bound_is_refused_and_its_code_says_so() {
    let long: &'static str = Box::leak("n".repeat(513).into_boxed_str());
    let most: &'static str = Box::leak("n".repeat(512).into_boxed_str());
    let actions = [Action::Write("state", most, "{size: 1}"), Action::Write("state", long, "{size: 1}")];
    let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &actions);
    let step = bench.run("{}").await.jobs[0].steps[0].clone();
    let error = step.error.clone().expect("an error");
    assert_eq!(error.code, Code::DATA_NAME_TOO_LONG);
    assert_eq!(error.message, "`thing.size` failed: ctx.writeResource: the name has 513 bytes, and 512 are allowed");
    assert_eq!((step.data_handles.len(), bench.written(ID).await.len()), (1, 1));
}

#[tokio::test]
async fn what_a_step_hands_over_is_bounded_and_its_data_is_not() {
    let name = |index: i32| -> &'static str { Box::leak(format!("item-{index}").into_boxed_str()) };
    let writes = (0..10_005).map(|index| Action::Write("state", name(index), "{size: 1}"));
    let actions: Vec<Action> = writes.chain([Action::Log("the end")]).collect();
    let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &actions);
    let step = bench.run("{}").await.jobs[0].steps[0].clone();
    assert_eq!((step.status, step.data_handles.len()), (RunStatus::Succeeded, 10_000));
    let logged: Vec<&str> = step.logs.iter().map(|line| line.text.as_str()).collect();
    let remark = "the step writes more than 10000 items of data; all data is stored, and the record names none of it from here on";
    assert_eq!(logged, [remark, "the end"]);
    assert_eq!(bench.written(ID).await.len(), 10_005);
}

/// Everything of a record that is text.
fn whole(record: &RunRecord) -> String {
    format!("{record:?}")
}

#[tokio::test]
async fn what_came_out_of_the_environment_is_masked_wherever_it_is_told() {
    for name in ["env.TOKEN", "env[\"TOKEN\"]", "env['TOKEN']", "[env][0].TOKEN", "has(env.TOKEN) ? env.TOKEN : ''"] {
        let quoted = Json::from(format!("Bearer ${{{{ {name} }}}}")).to_string();
        let inputs = format!("{{size: 1, name: {quoted}}}");
        let actions =
            [Action::LogArguments, Action::Write("state", "with s3cret", "{size: 1}"), Action::ThrowArguments];
        let bench = Bench::new(&sized(&inputs))
            .method("thing.size", &actions)
            .variable("TOKEN", "s3cret")
            .variable("OTHER", "region");
        let record = bench.run("{note: s3cret}").await;
        assert_eq!(
            bench.calls().first().and_then(|call| call.arguments.get("name")?.as_str().map(str::to_owned)).as_deref(),
            Some("Bearer s3cret"),
            "{name}: {}",
            told(&record)
        );
        let told = format!("{}{}{:?}", whole(&record), bench.events().join("\n"), bench.history().await);
        assert!(!told.contains("s3cret"), "{name}: {told}");
        assert!(told.contains("Bearer ***"), "{name}: {told}");
    }
}

#[tokio::test]
async fn a_secret_in_a_name_or_a_nested_input_is_masked_too() {
    let task = "{type: model_method, modelIdOrName: 'x-${{ env.TOKEN }}', methodName: run}";
    let text = workflow(&format!("  - name: j\n    steps:\n      - name: s\n        task: {task}\n"));
    let bench = Bench::new(&text).variable("TOKEN", "s3cret");
    let record = bench.run("{}").await;
    assert!(!whole(&record).contains("s3cret"), "{}", told(&record));
    let task = "{type: workflow, workflowIdOrName: inner, inputs: {size: '${{ env.TOKEN }}'}}";
    let text = workflow(&format!("  - name: j\n    steps:\n      - name: s\n        task: {task}\n"));
    let inner = "//- /workflows/inner.yaml
id: 00000000-0000-4000-8000-000000000101
name: inner
inputs: {properties: {size: {type: TYPE}}}
jobs:
  - name: j
    steps:
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: run, inputs: {size: '${{ inputs.size }}'}}
";
    for kind in ["string", "integer"] {
        let bench = Bench::new(&format!("{text}{}", inner.replace("TYPE", kind))).variable("TOKEN", "s3cret");
        let record = bench.run("{}").await;
        let told = format!("{}{:?}{}", told(&record), bench.history().await, bench.events().join("\n"));
        assert!(!told.contains("s3cret"), "{told}");
        assert_eq!(told.contains("${{ env.TOKEN }}"), kind == "string", "it is stored as it is written: {told}");
        let given: Vec<Json> = bench.calls().into_iter().map(|call| call.arguments).collect();
        assert_eq!(given, if kind == "string" { vec![json("{size: s3cret}")] } else { Vec::new() });
    }
}

#[tokio::test]
async fn what_a_log_line_shows_live_is_what_is_recorded() {
    let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &[Action::Log("first"), Action::LogArguments]);
    let record = bench.run("{}").await;
    let lines: Vec<String> =
        record.jobs[0].steps[0].logs.iter().map(|line| format!("log j/s: {}", line.text)).collect();
    let shown: Vec<String> = bench.events().into_iter().filter(|event| event.starts_with("log ")).collect();
    assert_eq!(shown, lines);
    assert_eq!(shown, ["log j/s: first", r#"log j/s: {"size":1,"zone":"a"}"#]);
}

#[tokio::test]
async fn a_secret_of_several_lines_is_masked_in_json_too() {
    let bench = Bench::new(&sized("{size: 1, name: 'key ${{ env.KEY }}'}"))
        .method("thing.size", &[Action::LogArguments, Action::ThrowArguments])
        .variable("KEY", "begin\n\"middle\"\nend");
    let record = bench.run("{}").await;
    let told = told(&record);
    assert!(!told.contains("middle") && told.contains("key ***"), "{told}");
}

#[tokio::test]
async fn a_method_reads_what_was_written_before() {
    let bench = Bench::new(&sized("{size: 1}")).method("thing.size", &[Action::Write("state", "one", "{size: 1}")]);
    bench.run("{}").await;
    let actions = [
        Action::Write("state", "one", "{size: 2}"),
        Action::Call("readResource", "[one]"),
        Action::Call("readResource", "[one, 1]"),
        Action::Call("readResource", "[two]"),
        Action::Call("readModelData", "[thing, state]"),
        Action::Call("readModelData", "[thing, other]"),
        Action::Call("readModelData", "[thin]"),
        Action::Call("onEvent", "[{}]"),
    ];
    let bench = bench.method("thing.size", &actions);
    insta::assert_snapshot!(told(&bench.run("{}").await), @r#"
    w succeeded
      j succeeded
        s (thing.size) succeeded
          {"size":2}
          {"size":1}
          null
          [{"id":"00000000-0000-4000-8000-000000000001/one/2","name":"one","version":2,"isLatest":true,"createdAt":"2026-01-01T00:00:00.000Z","namespace":"","attributes":{"size":2},"tags":{"type":"resource","specName":"state","modelName":"thing","source":"step-output","workflow":"w","workflowId":"00000000-0000-4000-8000-0000000000ff","workflowRunId":"00000000-0000-7000-8001-000000000001","job":"j","step":"s"},"modelName":"thing","modelId":"00000000-0000-4000-8000-000000000001","modelType":"@acme/thing","specName":"state","dataType":"resource","contentType":"application/json","lifetime":"infinite","ownerType":"model-method","streaming":false,"size":10,"content":{"size":2},"ownerRef":"00000000-0000-4000-8000-000000000001","workflowRunId":"00000000-0000-7000-8001-000000000001","workflowName":"w","jobName":"j","stepName":"s","source":"step-output"}]
          []
          ctx.readModelData: there is no definition `thin`, so it has no data; did you mean `thing`?
          []
          null
    "#);
    let mut table = String::new();
    for action in [
        Action::Call("readResource", "[one, -1]"),
        Action::Call("readResource", "[3]"),
        Action::Call("queryData", "[]"),
        Action::Call("writeFile", "[log, today, text]"),
    ] {
        let record = Bench::new(&sized("{size: 1}")).method("thing.size", &[action]).run("{}").await;
        table.extend([record.error.expect("an error").message.as_str(), "\n"]);
    }
    insta::assert_snapshot!(table, @r"
    job `j`, step `s`: `thing.size` failed: ctx.readResource: expected a version, found -1
    job `j`, step `s`: `thing.size` failed: ctx.readResource: expected a string as instance, found number
    job `j`, step `s`: `thing.size` failed: ctx.queryData: expected a string as predicate, found null
    job `j`, step `s`: `thing.size` failed: `@acme/thing` declares no file `log`
    ");
}

#[tokio::test]
async fn a_number_keeps_its_text_where_the_method_takes_texts() {
    let bench = Bench::new(&sized("{zone: 012, size: 012}"));
    let given = arguments(&bench).await;
    assert!(given.contains(r#""zone":"012""#) && given.contains(r#""size":12"#), "{given}");
    for (written, kept) in [("1.20", "1.20"), ("0x10", "0x10"), ("007", "007"), ("1e3", "1e3"), ("-0", "-0")] {
        let global = CONFIGURED.replace("zone: global", &format!("zone: {written}")).replace("zone: definition, ", "");
        let given = arguments(&Bench::new(&format!("{global}{}", call("")))).await;
        assert!(given.contains(&format!(r#""zone":"{kept}""#)), "the global arguments: {given}");
        let own = CONFIGURED.replace("zone: definition", &format!("zone: {written}"));
        let given = arguments(&Bench::new(&format!("{own}{}", call("")))).await;
        assert!(given.contains(&format!(r#""zone":"{kept}""#)), "the arguments of the method: {given}");
    }
    let computed = Bench::new(&sized("{zone: '${{ 12 }}', size: 1}")).run("{}").await;
    let refused = told(&computed);
    assert!(refused.contains("zone: expected string, found 12"), "what an expression gives is what it is: {refused}");
}
