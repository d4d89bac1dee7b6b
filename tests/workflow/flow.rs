//! What runs, in which order, and what becomes of the whole.

use mangrove_domain::{problem::Code, run::RunStatus};

use crate::bench::{Action, Bench, step, told, within, workflow};

/// Statuses as `name status`, in the order of the document.
fn steps(record: &mangrove_domain::run::RunRecord) -> String {
    let steps = record.jobs.iter().flat_map(|job| &job.steps);
    let list: Vec<String> = steps.map(|step| format!("{} {}", step.name, step.status.as_str())).collect();
    format!("{}: {}", record.status.as_str(), list.join(", "))
}

/// Steps `good` and `bad`, and for each condition one that waits for each of them.
async fn after(condition: &str) -> String {
    let mut text =
        [step("good", "size", "        allowFailure: true\n"), step("bad", "run", "        allowFailure: true\n")];
    text[0] = text[0].replace("methodName: size", "methodName: size, inputs: {size: 1}");
    let behind = |on: &str| {
        let more = format!("        dependsOn: [{{step: {on}, condition: {condition}}}]\n");
        step(&format!("after-{on}"), "size", &more).replace("methodName: size", "methodName: size, inputs: {size: 1}")
    };
    let (skipped, never) = (behind("good"), behind("bad"));
    let jobs = format!("  - name: a\n    steps:\n{}{skipped}{never}", text.concat());
    let record = Bench::new(&workflow(&jobs)).method("thing.run", &[Action::Throw("no")]).run("{}").await;
    steps(&record)
}

#[tokio::test]
async fn conditions_decide_what_follows() {
    let conditions = [
        "{type: always}",
        "{type: succeeded}",
        "{type: failed}",
        "{type: completed}",
        "{type: skipped}",
        "{type: not, condition: {type: failed}}",
        "{type: and, conditions: [{type: completed}, {type: failed}]}",
        "{type: or, conditions: [{type: skipped}, {type: succeeded}]}",
    ];
    let mut table = String::new();
    for condition in conditions {
        table.extend([condition, " → ", &after(condition).await, "\n"]);
    }
    insta::assert_snapshot!(table, @r"
    {type: always} → succeeded: good succeeded, bad failed, after-good succeeded, after-bad succeeded
    {type: succeeded} → succeeded: good succeeded, bad failed, after-good succeeded, after-bad skipped
    {type: failed} → succeeded: good succeeded, bad failed, after-good skipped, after-bad succeeded
    {type: completed} → succeeded: good succeeded, bad failed, after-good succeeded, after-bad succeeded
    {type: skipped} → succeeded: good succeeded, bad failed, after-good skipped, after-bad skipped
    {type: not, condition: {type: failed}} → succeeded: good succeeded, bad failed, after-good succeeded, after-bad skipped
    {type: and, conditions: [{type: completed}, {type: failed}]} → succeeded: good succeeded, bad failed, after-good skipped, after-bad succeeded
    {type: or, conditions: [{type: skipped}, {type: succeeded}]} → succeeded: good succeeded, bad failed, after-good succeeded, after-bad skipped
    ");
}

#[tokio::test]
async fn jobs_wait_for_jobs_and_skipping_goes_on() {
    let job = |name: &str, on: &str| {
        let depends = if on.is_empty() { String::new() } else { format!("    dependsOn: [{on}]\n") };
        format!("  - name: {name}\n{depends}    steps:\n{}", step(&format!("in-{name}"), "run", ""))
    };
    let jobs = [
        job("a", ""),
        job("b", "{job: a}"),
        job("c", "b"),
        job("clean", "{job: a, condition: {type: always}}"),
        job("rescue", "{job: a, condition: {type: failed}}, {job: b, condition: {type: skipped}}"),
    ];
    let bench = Bench::new(&workflow(&jobs.concat())).method("thing.run", &[Action::Throw("no")]);
    let record = bench.run("{}").await;
    insta::assert_snapshot!(steps(&record), @"failed: in-a failed, in-b skipped, in-c skipped, in-clean failed, in-rescue failed");
    assert_eq!(bench.starts(), ["a/in-a", "clean/in-clean", "rescue/in-rescue"]);
    let message = record.error.expect("an error").message;
    assert!(message.starts_with("job `a`, step `in-a`: "), "{message}");
}

#[tokio::test]
async fn a_failure_that_is_allowed_fails_neither_job_nor_run() {
    let steps_text = [
        step("bad", "run", "        allowFailure: true\n"),
        step("behind", "run", "        dependsOn: [{step: bad}]\n"),
        step(
            "anyway",
            "run",
            "        dependsOn: [{step: bad, condition: {type: completed}}]\n        allowFailure: true\n",
        ),
    ];
    let jobs = format!("  - name: a\n    steps:\n{}", steps_text.concat());
    let bench = Bench::new(&workflow(&jobs)).method("thing.run", &[Action::Throw("no")]);
    let record = bench.run("{}").await;
    assert_eq!(steps(&record), "succeeded: bad failed, behind skipped, anyway failed");
    assert_eq!(record.error, None);
    assert!(record.jobs[0].steps[0].error.is_some());
}

#[tokio::test]
async fn a_failed_step_lets_its_level_end_and_leaves_later_ones_pending() {
    let steps_text = [
        step("bad", "run", "        weight: -1\n"),
        step("beside", "size", "").replace("methodName: size", "methodName: size, inputs: {size: 1}"),
        step("behind", "run", "        dependsOn: [{step: beside}]\n"),
        step("anyway", "run", "        dependsOn: [{step: bad, condition: {type: always}}]\n"),
    ];
    let jobs = format!("  - name: a\n    concurrency: 1\n    steps:\n{}", steps_text.concat());
    let bench = Bench::new(&workflow(&jobs)).method("thing.run", &[Action::Throw("no")]);
    assert_eq!(steps(&bench.run("{}").await), "failed: bad failed, beside succeeded, behind pending, anyway pending");
}

#[tokio::test]
async fn lighter_steps_start_first_and_no_more_than_the_job_allows() {
    let weighed: String = [("d", "0"), ("c", "-1"), ("b", "0.5"), ("a", "0.5")]
        .map(|(name, weight)| step(name, "run", &format!("        weight: {weight}\n")))
        .concat();
    let job = |more: &str| format!("  - name: j\n{more}    steps:\n{weighed}");
    let bench = Bench::new(&workflow(&job("    concurrency: 2\n")));
    bench.run("{}").await;
    assert_eq!(bench.starts(), ["j/c", "j/d", "j/a", "j/b"]);
    assert_eq!(bench.busiest(), 2);
    let busiest = async |bench: Bench| {
        bench.run("{}").await;
        bench.busiest()
    };
    assert_eq!(busiest(Bench::new(&workflow(&job("")))).await, 4);
    assert_eq!(busiest(Bench::new(&workflow(&job("    concurrency: 0\n")))).await, 4, "0 says nothing");
    assert_eq!(busiest(Bench::new(&workflow(&job(""))).limits(1, 1)).await, 1);
    let whole = workflow(&job("")).replace("jobs:\n", "concurrency: 3\njobs:\n");
    assert_eq!(busiest(Bench::new(&whole)).await, 3, "that of the workflow, where the job says nothing");
    let of_step = job("    concurrency: 3\n").replace("weight: -1\n", "weight: -1\n        concurrency: 2\n");
    assert_eq!(busiest(Bench::new(&workflow(&of_step))).await, 2, "that of a step, for its level");
    assert_eq!(busiest(Bench::new(&workflow(&of_step)).most_steps(1)).await, 1, "never more than this");
}

#[tokio::test]
async fn lighter_jobs_start_first_and_no_more_than_the_workflow_allows() {
    let jobs: String = [("a", 7), ("c", 0), ("b", 0)]
        .map(|(name, weight)| format!("  - name: {name}\n    weight: {weight}\n    steps:\n{}", step("s", "run", "")))
        .concat();
    let text = workflow(&jobs).replace("jobs:\n", "concurrency: 1\njobs:\n");
    let bench = Bench::new(&text);
    bench.run("{}").await;
    assert_eq!(bench.starts(), ["b/s", "c/s", "a/s"]);
    assert_eq!(bench.busiest(), 1);
    let bench = Bench::new(&workflow(&jobs));
    bench.run("{}").await;
    assert_eq!(bench.busiest(), 3);
}

/// A step that repeats over an expression.
fn repeated(over: &str, concurrency: usize) -> String {
    let task = "{type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: '${{ self.n }}'}}";
    workflow(&format!(
        "  - name: j\n    concurrency: {concurrency}\n    steps:\n      - name: each\n        forEach: {{item: n, in: {over}}}\n        task: {task}\n"
    ))
}

#[tokio::test]
async fn a_step_repeats_for_each_element_up_to_the_limit() {
    let bench = Bench::new(&repeated("'${{ inputs.list }}'", 2)).method("thing.size", &[Action::LogArguments]);
    let record = bench.run("{list: [3, 1, 2]}").await;
    insta::assert_snapshot!(told(&record), @r#"
    w succeeded
      j succeeded
        each-3 (thing.size) succeeded
          {"size":3,"zone":"a"}
        each-1 (thing.size) succeeded
          {"size":1,"zone":"a"}
        each-2 (thing.size) succeeded
          {"size":2,"zone":"a"}
    "#);
    assert_eq!(bench.busiest(), 2);
    assert_eq!(bench.run("{list: []}").await.status, RunStatus::Succeeded);
    assert_eq!(bench.calls().len(), 3);
}

#[tokio::test]
async fn one_repetition_that_fails_fails_the_step_and_the_others_go_on() {
    let bench = Bench::new(&repeated("[1, x, 3]", 1)).method("thing.size", &[Action::LogArguments]);
    insta::assert_snapshot!(told(&bench.run("{}").await), @r#"
    w failed: MG0605 job `j`, step `each-x`: the arguments of `thing.size` break their schema: size: expected integer, found "x"
      j failed
        each-1 (thing.size) succeeded
          {"size":1,"zone":"a"}
        each-x (thing.size) failed: MG0605 the arguments of `thing.size` break their schema: size: expected integer, found "x"
        each-3 (thing.size) succeeded
          {"size":3,"zone":"a"}
    "#);
    let bench = Bench::new(&repeated("'${{ inputs.list }}'", 1));
    insta::assert_snapshot!(told(&bench.run("{list: 3}").await), @r"
    w failed: MG0606 job `j`, step `each`: workflows/w.yaml:8:32: `in` must give a list or a mapping, found number
      j failed
        each (thing.size) failed: MG0606 workflows/w.yaml:8:32: `in` must give a list or a mapping, found number
    ");
}

#[tokio::test]
async fn a_step_that_takes_too_long_fails_and_keeps_what_it_said() {
    let bench =
        Bench::new(&workflow(&format!("  - name: j\n    steps:\n{}", step("slow", "run", "        timeout: 300ms\n"))))
            .method("thing.run", &[Action::Log("begun"), Action::Write("state", "kept", "{size: 1}"), Action::Hang]);
    let record = within(bench.run("{}")).await;
    insta::assert_snapshot!(told(&record), @r"
    w failed: MG0701 job `j`, step `slow`: `thing.run` did not end within 300 ms, the time limit of the step
      j failed
        slow (thing.run) failed: MG0701 `thing.run` did not end within 300 ms, the time limit of the step
          begun
    ");
    assert_eq!(record.jobs[0].steps[0].data_handles.len(), 1);
}

/// Another workflow of one step.
fn nested(name: &str, id: u8, task: &str) -> String {
    format!(
        "//- /workflows/{name}.yaml\nid: 00000000-0000-4000-8000-0000000001{id:02x}\nname: {name}\ninputs: {{properties: {{size: {{type: integer}}}}}}\njobs:\n  - name: inner\n    steps:\n      - name: only\n        task: {task}\n"
    )
}

/// The workflow `w` with one step that calls the workflow `called`.
fn calls(called: &str, more: &str) -> String {
    workflow(&format!(
        "  - name: outer\n    steps:\n      - name: call\n        task: {{type: workflow, workflowIdOrName: {called}, inputs: {{size: '${{{{ inputs.size }}}}'}}}}\n{more}"
    ))
}

const SIZE: &str = "{type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: '${{ inputs.size }}'}}";

#[tokio::test]
async fn a_workflow_calls_another_and_takes_over_its_outcome() {
    let bench = Bench::new(&format!("{}{}", calls("inner", ""), nested("inner", 1, SIZE)))
        .method("thing.size", &[Action::Write("state", "kept", "{size: 1}")]);
    let record = bench.run("{size: '7'}").await;
    insta::assert_snapshot!(told(&record), @r"
    w succeeded
      outer succeeded
        call (workflow inner) succeeded
    ");
    assert_eq!(record.jobs[0].steps[0].data_handles.len(), 1);
    assert_eq!(bench.calls()[0].arguments.get("size").and_then(mangrove_domain::json::Json::as_integer), Some(7));
    let history = bench.history().await;
    let inner = history.iter().find(|run| run.name == "inner").expect("a run of its own");
    assert_eq!((inner.trigger.clone(), inner.status), (format!("run {}", record.id), RunStatus::Succeeded));
    // Its inputs break its schema: the step fails, and nothing of it is recorded.
    let record = bench.run("{size: many}").await;
    insta::assert_snapshot!(told(&record), @r#"
    w failed: MG0605 job `outer`, step `call`: workflow `inner`: input size: expected integer, found "many"
      outer failed
        call (workflow inner) failed: MG0605 workflow `inner`: input size: expected integer, found "many"
    "#);
}

#[tokio::test]
async fn a_nested_workflow_that_fails_or_is_blocked_fails_or_blocks_the_run() {
    let bench = Bench::new(&format!("{}{}", calls("inner", ""), nested("inner", 1, SIZE)))
        .method("thing.size", &[Action::Throw("no")]);
    insta::assert_snapshot!(told(&bench.run("{size: 1}").await), @r"
    w failed: MG0701 job `outer`, step `call`: workflow `inner` (run 00000000-0000-7000-8001-000000000002): job `inner`, step `only`: `thing.size` failed: no
      outer failed
        call (workflow inner) failed: MG0701 workflow `inner` (run 00000000-0000-7000-8001-000000000002): job `inner`, step `only`: `thing.size` failed: no
    ");
    let lost = "{type: model_method, modelType: '@acme/broken', modelName: it, methodName: run}";
    let bench = Bench::new(&format!("{}{}", calls("inner", ""), nested("inner", 1, lost)))
        .failed_type("@acme/broken", mangrove_testkit::rows::failure("registry unreachable"));
    let record = bench.run("{size: 1}").await;
    assert_eq!(record.status, RunStatus::Blocked);
    assert_eq!(record.error.and_then(|error| error.blocked_by).as_deref(), Some("@acme/broken"));
}

#[tokio::test]
async fn workflows_that_call_each_other_end_with_the_cycle() {
    let back = "{type: workflow, workflowIdOrName: w, inputs: {size: 1}}";
    let bench = Bench::new(&format!("{}{}", calls("inner", ""), nested("inner", 1, back)));
    let record = within(bench.run("{size: 1}")).await;
    insta::assert_snapshot!(told(&record), @r"
    w failed: MG0607 job `outer`, step `call`: workflow `inner` (run 00000000-0000-7000-8001-000000000002): job `inner`, step `only`: workflow `w`: workflows call each other: w → inner → w
      outer failed
        call (workflow inner) failed: MG0607 workflow `inner` (run 00000000-0000-7000-8001-000000000002): job `inner`, step `only`: workflow `w`: workflows call each other: w → inner → w
    ");
    assert_eq!(record.error.map(|error| error.code), Some(Code::WORKFLOW_CYCLE));
    insta::assert_snapshot!(bench.problems().await, @r"
    workflows/inner.yaml:8:50: workflows call each other: inner → w → inner
    workflows/w.yaml:7:50: workflows call each other: w → inner → w
    ");
}

#[tokio::test]
async fn a_name_in_an_expression_is_looked_up_when_it_runs() {
    let task = |name: &str, method: &str| {
        format!(
            "      - name: {method}\n        task: {{type: model_method, modelIdOrName: '{name}', methodName: '{method}'}}\n"
        )
    };
    let jobs = format!("  - name: j\n    steps:\n{}", task("${{ inputs.name }}", "run"));
    let bench = Bench::new(&workflow(&jobs));
    insta::assert_snapshot!(told(&bench.run("{name: thing}").await), @r"
    w succeeded
      j succeeded
        run (thing.run) succeeded
    ");
    insta::assert_snapshot!(told(&bench.run("{name: thin}").await), @r"
    w failed: MG0103 job `j`, step `run`: workflows/w.yaml:7:51: unknown definition `thin`
      j failed
        run (thin.run) failed: MG0103 workflows/w.yaml:7:51: unknown definition `thin`
    ");
    let error = bench.try_run("{name: [1]}").await.expect_err("no text").to_string();
    assert_eq!(error, "workflows/w.yaml:7:51: expected a text, found array");
    let jobs = format!("  - name: j\n    steps:\n{}", task("thing", "rum"));
    insta::assert_snapshot!(told(&Bench::new(&workflow(&jobs)).run("{}").await), @r"
    w failed: MG0102 job `j`, step `rum`: `@acme/thing` has no method `rum`; did you mean `run`?
      j failed
        rum (thing.rum) failed: MG0102 `@acme/thing` has no method `rum`; did you mean `run`?
    ");
}

#[tokio::test]
async fn a_time_limit_holds_for_a_nested_workflow_too() {
    let run = "{type: model_method, modelIdOrName: thing, methodName: run}";
    let bench = Bench::new(&format!("{}{}", calls("inner", "        timeout: 20ms\n"), nested("inner", 1, run)))
        .method("thing.run", &[Action::Hang]);
    let record = within(bench.run("{size: 1}")).await;
    assert_eq!(record.status, RunStatus::Failed);
    assert!(bench.history().await.iter().all(|run| run.status == RunStatus::Failed), "both runs end");
}

#[tokio::test]
async fn workflows_that_call_deeper_than_ten_levels_end_with_the_path() {
    let last = "{type: model_method, modelIdOrName: thing, methodName: run}";
    let chain = |levels: u8| -> String {
        let next = |level: u8| format!("{{type: workflow, workflowIdOrName: level{}, inputs: {{size: 1}}}}", level + 1);
        let inner = (2..=levels).map(|level| {
            let task = if level == levels { last.to_owned() } else { next(level) };
            nested(&format!("level{level}"), level, &task)
        });
        format!("{}{}", calls("level2", ""), inner.collect::<String>())
    };
    assert_eq!(within(Bench::new(&chain(10)).run("{size: 1}")).await.status, RunStatus::Succeeded);
    let record = within(Bench::new(&chain(11)).run("{size: 1}")).await;
    let message = record.error.expect("an error").message;
    assert!(message.contains("deeper than 10 levels: w → level2 → level3"), "{message}");
}
