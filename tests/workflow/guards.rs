//! `model.method` in guards and assertions: a method says whether there is something to do, or whether something holds.

use mangrove_domain::{
    json::{Json, Number},
    run::{RunRecord, RunStatus, SkipReason, StepRecord},
};

use mangrove_testkit::rows;

use crate::bench::{Action, Bench, within, workflow};

/// A workflow of this one step, which calls `thing.run` unless it says otherwise.
fn bench(step: &str) -> Bench {
    let steps = if step.contains("task:") {
        format!("      - name: s\n{step}")
    } else {
        format!("      - name: s\n        task: {{type: model_method, modelIdOrName: thing, methodName: run}}\n{step}")
    };
    Bench::new(&workflow(&format!("  - name: j\n    steps:\n{steps}")))
}

fn guarded(expression: &str) -> Bench {
    bench(&format!("        guard: \"${{{{ {expression} }}}}\"\n"))
}

/// A method that looks and writes what it found.
fn looks(bench: Bench, found: &'static str) -> Bench {
    bench.method("thing.size", &[Action::Log("looking"), Action::Write("state", "state", found)])
}

fn step(record: &RunRecord) -> &StepRecord {
    &record.jobs[0].steps[0]
}

fn labels(bench: &Bench) -> Vec<String> {
    bench.calls().into_iter().map(|call| call.label).collect()
}

#[tokio::test]
async fn a_method_decides_whether_a_step_is_to_run() {
    let guard = "model.method('thing', 'size', {'size': inputs.n}).size > 5";
    for (found, skipped) in [("{size: 7}", Some(SkipReason::Guarded)), ("{size: 3}", None)] {
        let bench = looks(guarded(guard), found);
        let record = within(bench.run("{n: 4}")).await;
        let step = step(&record);
        assert_eq!((record.status, step.skipped), (RunStatus::Succeeded, skipped), "{found}: {step:?}");
        let lines: Vec<&str> = step.logs.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(lines, ["looking"], "what it logs is the step's");
        let names: Vec<&str> =
            step.data_handles.iter().filter_map(|handle| handle.get("name")).filter_map(Json::as_str).collect();
        assert_eq!(names, ["state"], "and so is what it writes");
        assert_eq!(bench.calls()[0].arguments.get("size"), Some(&Json::Number(Number::Float(4.0))));
        let expected: &[&str] = if skipped.is_some() { &["thing.size"] } else { &["thing.size", "thing.run"] };
        assert_eq!(labels(&bench), expected);
    }
}

#[tokio::test]
async fn a_text_that_a_guard_gives_is_told_as_its_reason() {
    for (guard, skipped, reason) in [
        ("inputs.n == 1 ? 'closed for the weekend' : ''", Some(SkipReason::Guarded), Some("closed for the weekend")),
        ("inputs.n == 2 ? 'closed for the weekend' : ''", None, None),
        ("inputs.n == 1", Some(SkipReason::Guarded), None),
        ("[inputs.n]", Some(SkipReason::Guarded), None),
    ] {
        let record = within(guarded(guard).run("{n: 1}")).await;
        let step = step(&record);
        assert_eq!((step.skipped, step.guard_reason.as_deref()), (skipped, reason), "{guard}: {step:?}");
    }
    let record = within(guarded("inputs.long").run(&format!("{{long: {}}}", "a".repeat(10_000)))).await;
    let kept = step(&record).guard_reason.as_deref().map(|reason| reason.chars().count());
    assert_eq!(kept, Some(501), "a guard may give anything that it has read");
}

#[tokio::test]
async fn a_method_is_called_once_in_an_expression_and_only_if_it_is_needed() {
    let twice =
        "model.method('thing', 'size', {'size': 1}).size == 7 && model.method('thing', 'size', {'size': 1}).size == 7";
    let bench = looks(guarded(twice), "{size: 7}");
    assert_eq!(step(&within(bench.run("{}")).await).skipped, Some(SkipReason::Guarded));
    assert_eq!(labels(&bench), ["thing.size"]);
    let bench = looks(guarded("inputs.n == 1 || model.method('thing', 'size', {'size': 1}).size == 7"), "{size: 7}");
    assert_eq!(step(&within(bench.run("{n: 1}")).await).skipped, Some(SkipReason::Guarded));
    assert_eq!(labels(&bench), [""; 0]);
}

#[tokio::test]
async fn without_a_resource_the_result_of_the_call_is_the_answer() {
    for (guard, expected) in [
        ("model.method('thing', 'run').status == 'succeeded'", Some(SkipReason::Guarded)),
        ("size(model.method('thing', 'run').dataHandles) > 0", None),
    ] {
        let record = within(guarded(guard).run("{}")).await;
        assert_eq!((record.status, step(&record).skipped), (RunStatus::Succeeded, expected), "{guard}");
    }
}

#[tokio::test]
async fn a_method_that_fails_fails_the_step() {
    for (guard, expected) in [
        ("model.method('thing', 'run')", "`thing.run` failed: no"),
        ("model.method('thing', 'size', {'size': 'large'})", "break their schema"),
        ("model.method('thing', 'none')", "has no method `none`"),
        ("model.method('nothing', 'run')", "unknown definition `nothing`"),
        ("model.method('thing')", "takes the name of a definition, that of a method"),
    ] {
        let bench = bench(&format!("        allowFailure: true\n        guard: \"${{{{ {guard} }}}}\"\n"));
        let bench = bench.method("thing.run", &[Action::Throw("no")]);
        let record = within(bench.run("{}")).await;
        let message = step(&record).error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
        assert_eq!(record.status, RunStatus::Failed, "{guard}: nobody allowed that it is not known");
        assert!(message.contains(expected), "{guard}: {message}");
    }
}

#[tokio::test]
async fn an_assertion_asks_a_method_as_well() {
    for (found, status) in [("{size: 7}", RunStatus::Succeeded), ("{size: 3}", RunStatus::Failed)] {
        let task = "        task: {type: assert, expr: \"model.method('thing', 'size', {'size': 1}).size == 7\", message: too small}\n";
        let bench = looks(bench(task), found);
        let record = within(bench.run("{}")).await;
        let step = step(&record);
        assert_eq!(record.status, status, "{step:?}");
        assert!(step.assertion.as_ref().is_some_and(|assertion| assertion.error.is_none()), "{step:?}");
        assert_eq!(step.logs.len(), 1, "{step:?}");
    }
}

#[tokio::test]
async fn nothing_else_may_call_methods() {
    let name = bench("        allowFailure: true\n").problems().await;
    assert_eq!(name, "");
    let elsewhere = bench(
        "        task: {type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: \"${{ model.method('thing', 'run') }}\"}}\n",
    );
    let problems = elsewhere.problems().await;
    assert!(problems.contains("`model.method` calls a method, which only a guard or an assertion may"), "{problems}");
    let guard = guarded("model.method('thing', 'run').done").problems().await;
    assert_eq!(guard, "");
}

#[tokio::test]
async fn a_step_begins_before_the_methods_of_its_guard_log() {
    for (guard, expected) in [
        ("model.method('thing', 'size', {'size': 1}).size == 3", "step j/s starts, log j/s: looking, step j/s skipped"),
        (
            "model.method('thing', 'size', {'size': 1}).size == 7",
            "step j/s starts, log j/s: looking, step j/s succeeded",
        ),
        ("inputs.n == 4", "step j/s skipped"),
    ] {
        let bench = looks(guarded(guard), "{size: 3}");
        within(bench.run("{n: 4}")).await;
        let events = bench.events();
        let of_step: Vec<&str> = events.iter().map(String::as_str).filter(|event| event.contains("j/s")).collect();
        assert_eq!(of_step.join(", "), expected, "{guard}");
    }
}

#[tokio::test]
async fn a_guard_whose_type_is_not_ready_blocks_the_step_and_an_assertion_does_as_well() {
    let asked = "model.method('lost', 'run').done";
    let guard = format!("        guard: \"${{{{ {asked} }}}}\"\n");
    let task = format!("        task: {{type: assert, expr: \"{asked}\", message: too small}}\n");
    for step_of in [guard, task] {
        let bench = bench(&step_of).failed_type("@acme/broken", rows::failure("registry unreachable"));
        let definition = "id: 00000000-0000-4000-8000-000000000009\nname: lost\ntype: '@acme/broken'\n";
        let bench = bench.file("models/lost.yaml", definition);
        let record = within(bench.run("{}")).await;
        assert_eq!((record.status, step(&record).status), (RunStatus::Blocked, RunStatus::Blocked), "{step_of}");
        let error = step(&record).error.as_ref().expect("a reason");
        assert_eq!(error.blocked_by.as_deref(), Some("@acme/broken"), "{step_of}");
    }
}

#[tokio::test]
async fn a_guard_that_is_cancelled_cancels_the_step() {
    let bench = guarded("model.method('thing', 'size', {'size': 1}).size == 7").method("thing.size", &[Action::Hang]);
    let cancel = async {
        while bench.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.cancellation.cancel();
    };
    let (record, ()) = within(async { tokio::join!(bench.run("{}"), cancel) }).await;
    assert_eq!((record.status, step(&record).status), (RunStatus::Cancelled, RunStatus::Cancelled), "{record:?}");
}

#[tokio::test]
async fn what_is_written_under_a_varied_name_is_the_answer() {
    let guard = "        guard: \"${{ model.method('thing', 'size', {'size': 1}).size == 7 }}\"\n        dataOutputOverrides: [{specName: state, vary: [env]}]\n";
    let record = within(looks(bench(guard), "{size: 7}").run("{env: eu}")).await;
    assert_eq!((record.status, step(&record).skipped), (RunStatus::Succeeded, Some(SkipReason::Guarded)), "{record:?}");
}

#[tokio::test]
async fn a_guarded_assertion_that_asks_methods_begins_once() {
    let asked = "model.method('thing', 'size', {'size': 1}).size";
    let task = format!(
        "        guard: \"${{{{ {asked} == 7 }}}}\"\n        task: {{type: assert, expr: \"{asked} == 3\", message: too small}}\n"
    );
    let bench = looks(bench(&task), "{size: 3}");
    let record = within(bench.run("{}")).await;
    assert_eq!(record.status, RunStatus::Succeeded, "{record:?}");
    assert_eq!(bench.starts(), ["j/s"]);
}
