//! Steps that somebody has to approve, and runs that go on: vector G14.

use mangrove_domain::{
    problem::Code,
    run::{Decision, NotDecided, RunRecord, RunStatus},
    time::Timestamp,
    workflow::resume::{self, NotResumed},
};

use crate::bench::{Action, Bench, json, step, told, within, workflow};

/// A step that asks, one beside it, one behind it, and a job behind the job.
fn asking(timeout: &str) -> String {
    let ask = format!(
        "      - name: ask\n        task: {{type: manual_approval, prompt: 'deploy ${{{{ inputs.what }}}}?'{timeout}}}\n"
    );
    let behind = step("behind", "run", "        dependsOn: [{step: ask, condition: {type: succeeded}}]\n");
    let job = format!("  - name: a\n    steps:\n{}{ask}{behind}", step("beside", "run", ""));
    let next = format!("  - name: b\n    dependsOn: [{{job: a}}]\n    steps:\n{}", step("more", "run", ""));
    workflow(&format!("{job}{next}"))
}

fn decision(approved: bool, seconds: i64) -> Decision {
    Decision {
        approved,
        reason: Some("it is Friday".to_owned()),
        decided_by: "ada".to_owned(),
        decided_at: Timestamp::from_millis(seconds * 1000),
    }
}

async fn suspended(bench: &Bench) -> RunRecord {
    within(bench.run("{what: it}")).await
}

#[tokio::test]
async fn a_run_is_suspended_until_its_step_is_approved_and_then_goes_on() {
    let bench = Bench::new(&asking(""));
    let record = suspended(&bench).await;
    insta::assert_snapshot!(told(&record), @r"
    w suspended
      a suspended
        beside (thing.run) succeeded
        ask (manual approval) waiting_approval
        behind (thing.run) pending
      b pending
        more (thing.run) pending
    ");
    let asked = record.jobs[0].steps[1].approval.as_ref().expect("what it asks");
    assert_eq!((asked.prompt.as_str(), record.finished_at), ("deploy it?", None));
    let waits = resume::suspended(record.clone(), bench.library().await.workflow("w").expect("it"));
    assert_eq!(waits, Err(NotResumed::Waits { id: record.id.clone(), step: "ask".to_owned() }));
    let approved = record.decided("ask", decision(true, 1)).expect("it waits");
    assert_eq!(approved.status, RunStatus::Suspended);
    bench.runs.save(&approved).await.expect("a history");
    let ended = bench.resume(approved, None, "{what: other, more: 1}").await;
    let ended = ended.expect("a run");
    insta::assert_snapshot!(told(&ended), @r"
    w succeeded
      a succeeded
        beside (thing.run) succeeded
        ask (manual approval) succeeded
        behind (thing.run) succeeded
      b succeeded
        more (thing.run) succeeded
    ");
    assert_eq!(bench.starts(), ["a/ask", "a/beside", "a/behind", "b/more"], "nothing runs twice");
    assert_eq!(ended.inputs, json("{what: other, more: 1}"));
    assert_eq!(bench.history().await, std::slice::from_ref(&ended), "it is the same run");
    let again = ended.decided("ask", decision(true, 2));
    assert!(matches!(again, Err(NotDecided::NotSuspended { status: RunStatus::Succeeded, .. })), "{again:?}");
}

#[tokio::test]
async fn a_step_that_is_rejected_ends_its_run() {
    let record = suspended(&Bench::new(&asking(""))).await;
    let rejected = record.decided("ask", decision(false, 1)).expect("it waits");
    insta::assert_snapshot!(told(&rejected), @r"
    w failed: MG0731 job `a`, step `ask`: rejected by ada: it is Friday
      a failed
        beside (thing.run) succeeded
        ask (manual approval) failed: MG0731 rejected by ada: it is Friday
        behind (thing.run) pending
      b pending
        more (thing.run) pending
    ");
    let workflow = Bench::new(&asking("")).library().await.workflow("w").expect("it").clone();
    let resumed = resume::suspended(rejected, &workflow);
    assert!(matches!(resumed, Err(NotResumed::NoStart { status: RunStatus::Failed, .. })), "{resumed:?}");
}

#[tokio::test]
async fn what_cannot_be_decided_is_told() {
    let record = suspended(&Bench::new(&asking(", timeout: 60"))).await;
    let told = |step: &str, seconds| match record.clone().decided(step, decision(true, seconds)) {
        Ok(record) => record.status.as_str().to_owned(),
        Err(wrong) => wrong.to_string().replace(&record.id, "R"),
    };
    let since = record.jobs[0].steps[1].started_at.expect("a time").as_millis() / 1000;
    insta::assert_snapshot!(
        [told("ask", since + 60), told("ask", since + 61), told("beside", since), told("nowhere", since)].join("\n"),
        @r"
    suspended
    the step `ask` of the run R could be decided within 60 s, which are over
    the run R has no step `beside` that has to be approved; `ask` waits
    the run R has no step `nowhere` that has to be approved; `ask` waits
    "
    );
}

#[tokio::test]
async fn each_repetition_waits_for_itself() {
    let ask = "      - name: ask\n        forEach: {item: n, in: [1, 2]}\n        task: {type: manual_approval, prompt: 'p ${{ self.n }}'}\n";
    let bench = Bench::new(&workflow(&format!("  - name: a\n    steps:\n{ask}")));
    let record = suspended(&bench).await;
    let waiting: Vec<&str> = record.waiting().map(|(_, step)| step.name.as_str()).collect();
    assert_eq!(waiting, ["ask-1", "ask-2"]);
    let record = record.decided("ask-1", decision(true, 1)).expect("it waits");
    let record = record.decided("ask-2", decision(true, 1)).expect("it waits");
    bench.runs.save(&record).await.expect("a history");
    let ended = bench.resume(record, None, "{}").await.expect("a run");
    assert_eq!(ended.status, RunStatus::Succeeded);
}

/// Jobs `a` (`one`, and `two` behind it) and `b` behind it, `c` beside them.
fn failing() -> String {
    let two = step("two", "run", "        dependsOn: [{step: one}]\n");
    let of = |name: &str, on: &str, steps: &str| format!("  - name: {name}\n{on}    steps:\n{steps}");
    let size = |name: &str| step(name, "size", "").replace("methodName: size", "methodName: size, inputs: {size: 1}");
    workflow(
        &[
            of("a", "", &format!("{}{two}", size("one"))),
            of("b", "    dependsOn: [{job: a}]\n", &size("three")),
            of("c", "", &size("four")),
        ]
        .concat(),
    )
}

#[tokio::test]
async fn a_failed_run_goes_on_from_a_step() {
    let bench = Bench::new(&failing()).method("thing.run", &[Action::Throw("no")]);
    let record = within(bench.run("{}")).await;
    insta::assert_snapshot!(told(&record), @r"
    w failed: MG0701 job `a`, step `two`: `thing.run` failed: no
      a failed
        one (thing.size) succeeded
        two (thing.run) failed: MG0701 `thing.run` failed: no
      b skipped
        three (thing.size) skipped
      c succeeded
        four (thing.size) succeeded
    ");
    let before = bench.starts().len();
    let bench = bench.method("thing.run", &[]);
    let opened = record.clone();
    let ended = bench.resume(opened, Some("two"), "{}").await.expect("a run");
    assert_eq!(ended.status, RunStatus::Succeeded);
    assert_eq!(bench.starts()[before..], ["a/two", "b/three"]);
    let workflow = bench.library().await.workflow("w").expect("it").clone();
    let nowhere = resume::from_step(record, &workflow, "nowhere");
    assert!(matches!(nowhere, Err(NotResumed::NoStep { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn an_input_that_was_masked_is_asked_for_again() {
    let bench = Bench::new(&asking(""));
    let mut record = suspended(&bench).await.decided("ask", decision(true, 1)).expect("it waits");
    record.inputs = json("{what: 'a *** b'}");
    bench.runs.save(&record).await.expect("a history");
    let open = record.clone();
    let error = bench.resume(open, None, "{}").await.expect_err("no secret");
    assert_eq!(error.code(), Code::RUN_STATE);
    let ended = bench.resume(record, None, "{what: it}").await.expect("a run");
    assert_eq!(ended.status, RunStatus::Succeeded);
}
