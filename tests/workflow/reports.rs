//! Reports: which are made after a method and after a workflow, what they are told, and what is kept of them.

use mangrove_domain::{
    data::DataHandle,
    json::Json,
    ports::DataStore as _,
    problem::Code,
    report::ReportOptions,
    run::{Decision, ReportRecord, RunRecord, RunStatus},
    time::Timestamp,
};

use crate::bench::{Action, Bench, Telling, step, told, within, workflow};

const ID: &str = "00000000-0000-4000-8000-000000000001";
const WORKFLOW_ID: &str = "00000000-0000-4000-8000-0000000000ff";
/// The arguments of `findAllForModel` for the definition `thing`.
const OF_THING: &str = "['@acme/thing', '00000000-0000-4000-8000-000000000001']";
const SAYS: Telling = Telling::Gives("{markdown: said, json: {a: 1}}");

/// The definition `thing` with this more in its file.
fn thing(more: &str) -> String {
    format!("//- /models/thing.yaml\nid: {ID}\nname: thing\ntype: '@acme/thing'\n{more}")
}

/// Each report in short: `name scope`, and why it was not made.
fn short(reports: &[ReportRecord]) -> String {
    let report = |report: &ReportRecord| {
        let names = report.data_handles.iter().filter_map(|handle| handle.get("name")?.as_str());
        let ended = match &report.error {
            None => names.collect::<Vec<_>>().join(" "),
            Some(error) => format!("{} {}", error.code, error.message),
        };
        format!("{} {}: {ended}\n", report.name, report.scope.as_str())
    };
    reports.iter().map(report).collect()
}

fn of_step(record: &RunRecord) -> &[ReportRecord] {
    &record.jobs[0].steps[0].reports
}

/// The names of the reports of the only step.
fn names(record: &RunRecord) -> String {
    of_step(record).iter().map(|report| report.name.trim_start_matches('@')).collect::<Vec<_>>().join(" ")
}

async fn content(bench: &Bench, model: &str, name: &str) -> (DataHandle, String) {
    let (handle, content) = bench.data.read(model, name, None).await.expect("data").unwrap_or_else(|| panic!("{name}"));
    (handle, String::from_utf8(content.bytes).expect("text"))
}

#[tokio::test]
async fn n11_a_method_is_summed_up_and_the_summary_is_data_of_its_model() {
    let bench = Bench::new("").method("thing.size", &[Action::Write("state", "main", "{size: 3}")]);
    let record = bench.run_method("thing", "size", "{size: 3}").await;
    assert_eq!(
        short(of_step(&record)),
        "@swamp/method-summary method: report-swamp-method-summary report-swamp-method-summary-json\n"
    );
    let (handle, text) = content(&bench, ID, "report-swamp-method-summary").await;
    let told = (handle.content_type.as_str(), handle.lifetime.as_str(), handle.garbage_collection.to_string());
    assert_eq!(told, ("text/markdown", "30d", "5".to_owned()));
    assert_eq!((handle.model_type.as_str(), handle.model_id.as_str()), ("@acme/thing", ID));
    let tags: Vec<String> = handle.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(tags, ["type=report", "reportName=@swamp/method-summary", "reportScope=method"]);
    insta::assert_snapshot!(text, @r#"
    # thing.size

    `size` of `thing`, a `@acme/thing`, succeeded. It wrote one item of data.

    ## Arguments

    | Name | Value |
    | --- | --- |
    | size | 3 |

    ## Data

    | Name | Specification | Kind | Version | Bytes |
    | --- | --- | --- | --- | --- |
    | main | state | resource | 1 | 10 |
    "#);
    let (handle, text) = content(&bench, ID, "report-swamp-method-summary-json").await;
    assert_eq!(handle.content_type, "application/json");
    insta::assert_snapshot!(text, @r#"
    {
      "status": "succeeded",
      "modelId": "00000000-0000-4000-8000-000000000001",
      "modelName": "thing",
      "modelType": "@acme/thing",
      "methodName": "size",
      "narrative": "`size` of `thing`, a `@acme/thing`, succeeded. It wrote one item of data.",
      "globalArgs": {},
      "methodArgs": {
        "size": 3
      },
      "outputSpecs": [
        {
          "specName": "state",
          "kind": "resource",
          "schema": {
            "type": "object",
            "properties": {
              "size": {
                "type": "integer"
              }
            },
            "required": [
              "size"
            ]
          }
        }
      ],
      "dataProduced": [
        {
          "name": "main",
          "specName": "state",
          "kind": "resource",
          "dataId": "00000000-0000-4000-8000-000000000001/main/1",
          "version": 1,
          "size": 10
        }
      ]
    }
    "#);
    assert_eq!(record.jobs[0].steps[0].data_handles.len(), 1, "what a report says is not what the method wrote");
}

#[tokio::test]
async fn reports_of_the_type_follow_and_then_what_the_definition_requires() {
    let bench = |more: &str| {
        let declared = "{reports: ['@acme/b', '@acme/a']}";
        let bench = Bench::with_files(&thing(more)).declaring(declared);
        ["@acme/a", "@acme/b", "@acme/c"].into_iter().fold(bench, |bench, name| {
            let label = name.trim_start_matches("@acme/");
            bench.report(name, if label == "a" { "model" } else { "method" }, label, SAYS)
        })
    };
    let ran = async |more: &str, options: ReportOptions| {
        names(&bench(more).reports(options).run_method("thing", "run", "{}").await)
    };
    let all = ReportOptions::default;
    assert_eq!(ran("", all()).await, "swamp/method-summary acme/b acme/a");
    let requires = "reports: {require: ['@acme/c'], skip: ['@acme/b']}\n";
    assert_eq!(ran(requires, all()).await, "swamp/method-summary acme/a acme/c");
    let wins = "reports: {require: ['@acme/b'], skip: ['@acme/b', '@swamp/method-summary']}\n";
    assert_eq!(ran(wins, all()).await, "acme/a", "what is skipped wins over what is required");
    let other = "reports: {require: [{name: '@acme/c', methods: [size]}]}\n";
    assert_eq!(ran(other, all()).await, "swamp/method-summary acme/b acme/a");
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    for (options, expected) in [
        (ReportOptions { skip_all: true, ..all() }, "acme/c"),
        (ReportOptions { skip: texts(&["@acme/a", "@acme/c"]), ..all() }, "swamp/method-summary acme/c"),
        (ReportOptions { skip_labels: texts(&["a", "c"]), ..all() }, "swamp/method-summary acme/c"),
        (ReportOptions { only: texts(&["@acme/a"]), ..all() }, "acme/a"),
        (ReportOptions { only_labels: texts(&["c"]), ..all() }, "acme/c"),
    ] {
        assert_eq!(ran(requires, options.clone()).await, expected, "{options:?}");
    }
}

#[tokio::test]
async fn after_a_failed_method_only_reports_about_methods_are_made() {
    let bench = Bench::new("")
        .declaring("{reports: ['@acme/a', '@acme/b']}")
        .report("@acme/a", "model", "x", SAYS)
        .report("@acme/b", "method", "x", SAYS)
        .method("thing.run", &[Action::Write("state", "main", "{size: 3}"), Action::Throw("no")]);
    let record = bench.run_method("thing", "run", "{}").await;
    assert_eq!((record.status, names(&record).as_str()), (RunStatus::Failed, "swamp/method-summary acme/b"));
    let (_, context) = bench.reported().pop().expect("a report");
    let member = |key: &str| context.get(key).cloned().unwrap_or_default().to_string();
    assert_eq!(member("executionStatus"), r#""failed""#);
    assert_eq!(member("errorMessage"), r#""`thing.run` failed: no""#);
    assert!(member("dataHandles").contains(r#""name":"main""#), "{context}");
    let (_, json) = content(&bench, ID, "report-swamp-method-summary-json").await;
    assert!(json.contains("\"error\": \"`thing.run` failed: no\""), "{json}");
}

#[tokio::test]
async fn a_method_that_did_not_begin_has_no_reports() {
    let record = Bench::new("").run_method("thing", "nope", "{}").await;
    assert_eq!((record.status, of_step(&record).len()), (RunStatus::Failed, 0));
}

#[tokio::test]
async fn a_report_is_told_what_ended_and_no_secret() {
    let more = "globalArguments: {region: '${{ env.TOKEN }}', zone: eu}\nmethods: {run: {arguments: {name: 'of ${{ inputs.who }}', zone: '${{ self.name }}'}}}\n";
    let call = "{size: 3, who: '${{ env.TOKEN }}'}";
    let step = step("s", "run", "").replace("methodName: run", &format!("methodName: run, inputs: {call}"));
    let bench = Bench::with_files(&format!("{}{}", thing(more), workflow(&format!("  - name: j\n    steps:\n{step}"))))
        .declaring("{reports: ['@acme/a']}")
        .variable("TOKEN", "s3cret-value")
        .report("@acme/a", "method", "x", Telling::Gives("{markdown: 'the s3cret-value', json: {k: s3cret-value}}"))
        .method("thing.run", &[Action::LogArguments]);
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let (_, context) = bench.reported().pop().expect("a report");
    assert!(!context.to_string().contains("s3cret"), "{context}");
    let member = |key: &str| context.get(key).cloned().unwrap_or_default().to_string();
    assert_eq!(member("globalArgs"), r#"{"region":"${{ env.TOKEN }}","zone":"eu"}"#);
    assert_eq!(
        member("methodArgs"),
        r#"{"name":"of ${{ env.TOKEN }}","zone":"thing","size":3,"who":"${{ env.TOKEN }}"}"#
    );
    assert_eq!(member("scope"), r#""method""#);
    assert_eq!(member("definition"), format!(r#"{{"id":"{ID}","name":"thing","version":1,"tags":{{}}}}"#));
    assert!(member("outputSpecs").starts_with(r#"[{"specName":"state","kind":"resource","schema":{"#), "{context}");
    assert_eq!(content(&bench, ID, "report-acme-a").await.1, "the ***");
    assert_eq!(content(&bench, ID, "report-acme-a-json").await.1, "{\n  \"k\": \"***\"\n}");
}

#[tokio::test]
async fn what_a_type_calls_sensitive_is_told_and_masked_in_the_summary() {
    let secret = "{globalArguments: {type: object, properties: {region: {type: string, sensitive: true}}}, reports: ['@acme/a']}";
    let bench = Bench::with_files(&thing("globalArguments: {region: hidden-place}\n"))
        .declaring(secret)
        .report("@acme/a", "model", "x", SAYS);
    bench.run_method("thing", "run", "{}").await;
    let (_, context) = bench.reported().pop().expect("a report");
    assert_eq!(context.get("sensitive").expect("paths").to_string(), r#"{"global":[["region"]],"method":[]}"#);
    let (_, json) = content(&bench, ID, "report-swamp-method-summary-json").await;
    let (_, text) = content(&bench, ID, "report-swamp-method-summary").await;
    assert!(json.contains("\"region\": \"***\"") && !text.contains("hidden-place"), "{json} {text}");
}

#[tokio::test]
async fn a_required_report_that_nobody_has_fails_one_method_and_no_workflow() {
    let steps = step("s", "run", "");
    let files = format!(
        "{}{}",
        thing("reports: {require: ['@acme/none']}\n"),
        workflow(&format!("  - name: j\n    steps:\n{steps}"))
    );
    let bench = Bench::with_files(&files);
    let record = bench.run_method("thing", "run", "{}").await;
    let error = record.error.clone().expect("an error");
    assert_eq!((record.status, error.code), (RunStatus::Failed, Code::REPORT_FAILED), "{}", told(&record));
    assert!(error.message.contains("`@acme/none`") && error.message.contains("unknown report type"), "{error:?}");
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    assert!(short(of_step(&record)).contains("@acme/none method: MG0705"), "{}", short(of_step(&record)));
    // The type names it, and nobody insists on it.
    let record = Bench::new("").declaring("{reports: ['@acme/none']}").run_method("thing", "run", "{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    assert!(short(of_step(&record)).contains("@acme/none method: MG0705"), "{}", short(of_step(&record)));
}

#[tokio::test]
async fn a_report_that_throws_is_told_and_changes_no_status() {
    let bench = Bench::new("")
        .declaring("{reports: ['@acme/a', '@acme/b', '@acme/c', '@acme/d']}")
        .report("@acme/a", "model", "x", Telling::Throws("no prices"))
        .report("@acme/b", "model", "x", Telling::Gives("[1]"))
        .report("@acme/c", "model", "x", Telling::Gives("{markdown: ' ', json: {a: 1}}"))
        .report("@acme/d", "workflow", "x", SAYS);
    let record = bench.run_method("thing", "run", "{}").await;
    assert_eq!(record.status, RunStatus::Succeeded);
    insta::assert_snapshot!(short(of_step(&record)), @r#"
    @swamp/method-summary method: report-swamp-method-summary report-swamp-method-summary-json
    @acme/a model: MG0705 the report `@acme/a` could not be made: no prices
    @acme/b model: MG0705 the report `@acme/b` could not be made: expected `{ markdown, json }` of it, found array
    @acme/c model:
    "#);
    insta::assert_snapshot!(told(&record), @r#"
    thing.run succeeded
      thing succeeded
        run (thing.run) succeeded
          the report `@acme/a` could not be made: no prices
          the report `@acme/b` could not be made: expected `{ markdown, json }` of it, found array
          the report `@acme/d` is about a workflow and is never made where it is named
    "#);
    assert!(bench.data.read(ID, "report-acme-c-json", None).await.expect("data").is_none(), "it has nothing to say");
}

#[tokio::test]
async fn reports_end_with_the_time_of_their_step() {
    let limited = workflow(&format!("  - name: j\n    steps:\n{}", step("s", "run", "        timeout: 1s\n")));
    let bench =
        Bench::new(&limited).declaring("{reports: ['@acme/a']}").report("@acme/a", "method", "x", Telling::Hangs);
    let record = within(bench.run("{}")).await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    assert!(short(of_step(&record)).contains("the time limit of the step has passed"), "{}", short(of_step(&record)));
}

#[tokio::test]
async fn n11_repetitions_have_reports_of_their_own() {
    let more = "        forEach: {item: env, in: '${{ [\"dev\", \"a/b\"] }}'}\n";
    let bench = Bench::new(&workflow(&format!("  - name: j\n    steps:\n{}", step("s", "run", more))));
    let record = bench.run("{}").await;
    let reports: String = record.jobs[0].steps.iter().map(|step| short(&step.reports)).collect();
    assert_eq!(
        reports,
        "@swamp/method-summary method: report-swamp-method-summary-dev report-swamp-method-summary-dev-json\n\
         @swamp/method-summary method: report-swamp-method-summary-a--b report-swamp-method-summary-a--b-json\n"
    );
    let (handle, _) = content(&bench, ID, "report-swamp-method-summary-dev").await;
    assert_eq!((handle.tag("varySuffix"), handle.step_name()), (Some("dev"), "s-dev"));
}

/// A workflow of a step that fails, one that is skipped for it and one that writes, with reports.
fn reporting() -> Bench {
    let steps = [
        step("one", "run", "        allowFailure: true\n"),
        step("two", "size", "        dependsOn: [{step: one, condition: {type: succeeded}}]\n"),
        step("three", "size", "        dependsOn: [{step: one, condition: {type: failed}}]\n")
            .replace("methodName: size", "methodName: size, inputs: {size: 4}"),
    ];
    let reports = "reports: {require: ['@acme/all', '@acme/method', '@acme/none', {name: '@acme/other', methods: [nope]}]}\njobs:";
    let files = workflow(&format!("  - name: j\n    steps:\n{}", steps.concat())).replace("jobs:", reports);
    Bench::new(&files)
        .report("@acme/all", "workflow", "x", Telling::Asks("data.findAllForModel", OF_THING))
        .report("@acme/method", "method", "x", SAYS)
        .report("@acme/other", "workflow", "x", SAYS)
        .method("thing.run", &[Action::Throw("no")])
        .method("thing.size", &[Action::Write("state", "main", "{size: 4}")])
}

#[tokio::test]
async fn a_workflow_is_summed_up_after_its_end() {
    let bench = reporting();
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    insta::assert_snapshot!(short(&record.reports), @r#"
    @swamp/workflow-summary workflow: report-swamp-workflow-summary report-swamp-workflow-summary-json
    @acme/all workflow: report-acme-all report-acme-all-json
    @acme/method method: MG0705 the report `@acme/method` is about a method and is never made where it is named
    @acme/none workflow: MG0705 the report `@acme/none` could not be made: unknown report type `@acme/none`; no source claims this type; did you mean `@acme/all` or `@acme/method` or `@acme/other`?
    "#);
    let (handle, text) = content(&bench, WORKFLOW_ID, "report-swamp-workflow-summary").await;
    assert_eq!((handle.model_type.as_str(), handle.owner.workflow_name.as_deref()), ("workflow", Some("w")));
    insta::assert_snapshot!(text.replace(&record.id, "RUN"), @r#"
    # w

    The run RUN succeeded: of 3 steps, 1 succeeded, 1 failed, 1 skipped.

    ## j › one failed

    ```
    `thing.run` failed: no
    ```

    ## Steps

    | Job | Step | Task | Status |
    | --- | --- | --- | --- |
    | j | one | thing.run | failed |
    | j | two | thing.size | skipped |
    | j | three | thing.size | succeeded |
    "#);
    let (_, json) = content(&bench, WORKFLOW_ID, "report-swamp-workflow-summary-json").await;
    insta::assert_snapshot!(json.replace(&record.id, "RUN"), @r#"
    {
      "status": "succeeded",
      "workflowId": "00000000-0000-4000-8000-0000000000ff",
      "workflowRunId": "RUN",
      "workflowName": "w",
      "totalSteps": 3,
      "succeeded": 1,
      "failed": 1,
      "skipped": 1,
      "failures": [
        {
          "jobName": "j",
          "stepName": "one",
          "modelName": "thing",
          "modelType": "@acme/thing",
          "methodName": "run",
          "status": "failed",
          "error": "`thing.run` failed: no"
        }
      ],
      "steps": [
        {
          "jobName": "j",
          "stepName": "one",
          "modelName": "thing",
          "modelType": "@acme/thing",
          "methodName": "run",
          "status": "failed",
          "dataCount": 0
        },
        {
          "jobName": "j",
          "stepName": "two",
          "modelName": "thing",
          "modelType": "@acme/thing",
          "methodName": "size",
          "status": "skipped",
          "dataCount": 0
        },
        {
          "jobName": "j",
          "stepName": "three",
          "modelName": "thing",
          "modelType": "@acme/thing",
          "methodName": "size",
          "status": "succeeded",
          "dataCount": 1
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_report_about_a_workflow_is_told_of_its_steps_and_reads_their_data() {
    let bench = reporting();
    let record = bench.run("{}").await;
    assert_eq!(record.reports[1].logs.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["asking"]);
    let (name, context) = bench.reported().pop().expect("a report");
    assert_eq!(name, "@acme/all");
    let steps = context.get("stepExecutions").and_then(Json::as_array).expect("steps");
    let step = |step: &Json| {
        let member = |key: &str| step.get(key).cloned().unwrap_or_default().to_string();
        let names = ["stepName", "modelName", "modelType", "methodName", "status", "methodArgs", "globalArgs"];
        names.map(member).join(" ")
    };
    insta::assert_snapshot!(steps.iter().map(step).collect::<Vec<_>>().join("\n"), @r#"
    "one" "thing" "@acme/thing" "run" "failed" {} {}
    "two" "thing" "@acme/thing" "size" "skipped" {} {}
    "three" "thing" "@acme/thing" "size" "succeeded" {"size":4} {}
    "#);
    let errors: Vec<_> = steps.iter().map(|step| step.get("error").and_then(Json::as_str)).collect();
    assert_eq!(errors, [Some("`thing.run` failed: no"), None, None]);
    let handles = steps[2].get("dataHandles").and_then(Json::as_array).expect("handles");
    assert_eq!(handles[0].get("name").and_then(Json::as_str), Some("main"));
    assert_eq!(context.get("workflowStatus").and_then(Json::as_str), Some("succeeded"));
    let (_, json) = content(&bench, WORKFLOW_ID, "report-acme-all-json").await;
    assert!(json.contains("\"name\": \"main\""), "it reads data by identifiers: {json}");
}

#[tokio::test]
async fn a_workflow_that_waits_has_no_reports_until_it_has_ended() {
    let jobs = "  - name: j\n    steps:\n      - name: ask\n        task: {type: manual_approval, prompt: go?}\n";
    let record = Bench::new(&workflow(jobs)).run("{}").await;
    assert_eq!((record.status, record.reports.len()), (RunStatus::Suspended, 0));
}

#[tokio::test]
async fn a_run_that_went_on_tells_the_arguments_of_its_earlier_steps() {
    let steps = [
        step("one", "size", "").replace("methodName: size", "methodName: size, inputs: {size: '${{ inputs.n }}'}"),
        "      - name: ask\n        task: {type: manual_approval, prompt: go?}\n".to_owned(),
        step("two", "size", "        dependsOn: [{step: ask, condition: {type: succeeded}}]\n")
            .replace("methodName: size", "methodName: size, inputs: {size: 5}"),
    ];
    let files = workflow(&format!("  - name: j\n    steps:\n{}", steps.concat()))
        .replace("jobs:", "reports: {require: ['@acme/all']}\njobs:");
    let bench = Bench::new(&files).report("@acme/all", "workflow", "x", SAYS);
    let record = within(bench.run("{n: 4}")).await;
    assert_eq!(record.status, RunStatus::Suspended, "{}", told(&record));
    let decision = Decision {
        approved: true,
        reason: None,
        decided_by: "ada".to_owned(),
        decided_at: Timestamp::from_millis(1_000),
    };
    let approved = record.decided("ask", decision).expect("it waits");
    bench.runs.save(&approved).await.expect("a history");
    let ended = bench.resume(approved, None, "{n: 4}").await.expect("a run");
    assert_eq!(ended.status, RunStatus::Succeeded, "{}", told(&ended));
    let (_, context) = bench.reported().pop().expect("a report");
    let steps = context.get("stepExecutions").and_then(Json::as_array).expect("steps");
    let told = |step: &Json| {
        ["stepName", "methodArgs"].map(|key| step.get(key).cloned().unwrap_or_default().to_string()).join(" ")
    };
    assert_eq!(steps.iter().map(told).collect::<Vec<_>>(), [r#""one" {"size":4}"#, r#""two" {"size":5}"#]);
}

#[tokio::test]
async fn what_is_reported_of_a_model_is_not_among_its_data() {
    let read = "        dependsOn: [{step: a, condition: {type: succeeded}}]\n";
    let queries = "inputs: {of: '${{ data.query(\"modelName == \\\"thing\\\"\", \"name\") }}', specs: '${{ model.thing.resource }}'}";
    let steps = format!(
        "{}{}",
        step("a", "run", ""),
        step("b", "run", read).replace("methodName: run", &format!("methodName: run, {queries}"))
    );
    let bench = Bench::new(&workflow(&format!("  - name: j\n    steps:\n{steps}")))
        .method("thing.run", &[Action::Write("state", "main", "{size: 3}")]);
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let arguments = bench.calls()[1].arguments.clone();
    assert_eq!(arguments.get("of").expect("names").to_string(), r#"["main"]"#);
    let specs = arguments.get("specs").and_then(Json::as_object).expect("specifications");
    assert_eq!(specs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["state"]);
}

#[tokio::test]
async fn names_of_reports_are_checked_before_anything_runs() {
    let reports = "reports: {require: ['@acme/al', '@acme/method', nonsense], skip: ['@acme/gone']}\njobs:";
    let steps = step("s", "run", "");
    let files = format!(
        "{}{}",
        thing("reports: {require: ['@acme/all', '@swamp/method-sumary']}\n"),
        workflow(&format!("  - name: j\n    steps:\n{steps}")).replace("jobs:", reports)
    );
    let bench = Bench::with_files(&files).report("@acme/all", "workflow", "x", SAYS).report(
        "@acme/method",
        "method",
        "x",
        SAYS,
    );
    insta::assert_snapshot!(bench.problems().await, @r#"
    models/thing.yaml:4:21 (warning): the report `@acme/all` is about a workflow and is never made where it is named
    models/thing.yaml:4:34: there is no report `@swamp/method-sumary` — did you mean `@swamp/method-summary`?
    workflows/w.yaml:3:21: there is no report `@acme/al` — did you mean `@acme/all`?
    workflows/w.yaml:3:33 (warning): the report `@acme/method` is about a method and is never made where it is named
    workflows/w.yaml:3:49: expected `@?[a-z0-9_-]+(/[a-z0-9_-]+)+`, found "nonsense"
    workflows/w.yaml:3:67 (warning): there is no report `@acme/gone`
    "#);
}
