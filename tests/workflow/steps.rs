//! What becomes of the steps of one job: vectors G1 to G13 and N2 to N9.

use mangrove_domain::run::{AssertSeverity, RunRecord, RunStatus, SkipReason};

use crate::bench::{Action, Bench, told, within, workflow};

/// A job `j` of steps that succeed (`ok`), fail (`bad`) or repeat; each line is a name, how it ends, and more of its keys.
fn job(steps: &[(&str, &str, &str)]) -> String {
    let step = |(name, ends, more): &(&str, &str, &str)| {
        let method = if *ends == "ok" { "size, inputs: {size: 1}" } else { "run" };
        format!(
            "      - name: '{name}'\n        task: {{type: model_method, modelIdOrName: thing, methodName: {method}}}\n{more}"
        )
    };
    format!("  - name: j\n    steps:\n{}", steps.iter().map(step).collect::<Vec<_>>().concat())
}

fn bench(steps: &[(&str, &str, &str)]) -> Bench {
    of_jobs(&job(steps))
}

fn of_jobs(jobs: &str) -> Bench {
    Bench::new(&workflow(jobs)).method("thing.run", &[Action::Throw("no")])
}

/// `run job: name status, …` for each job.
fn short(record: &RunRecord) -> String {
    let jobs = record.jobs.iter().map(|job| {
        let steps: Vec<String> =
            job.steps.iter().map(|step| format!("{} {}", step.name, step.status.as_str())).collect();
        format!("{} {}: {}", job.name, job.status.as_str(), steps.join(", "))
    });
    format!("{} | {}", record.status.as_str(), jobs.collect::<Vec<_>>().join(" | "))
}

async fn run(steps: &[(&str, &str, &str)]) -> String {
    short(&within(bench(steps).run("{}")).await)
}

const AFTER_A: &str = "        dependsOn: [{step: a, condition: {type: succeeded}}]\n";

#[tokio::test]
async fn g1_a_failed_step_ends_its_job() {
    let after = "        dependsOn: [{step: a, condition: {type: failed}}]\n";
    assert_eq!(run(&[("a", "bad", ""), ("b", "ok", after)]).await, "failed | j failed: a failed, b pending");
}

#[tokio::test]
async fn g2_a_failure_that_is_allowed_lets_the_job_go_on() {
    let after = |condition: &str| format!("        dependsOn: [{{step: a, condition: {{type: {condition}}}}}]\n");
    let [succeeded, failed, completed, always] = ["succeeded", "failed", "completed", "always"].map(after);
    let allowed = "        allowFailure: true\n";
    let steps = [
        ("a", "bad", allowed),
        ("b", "ok", &succeeded),
        ("c", "ok", &failed),
        ("d", "ok", &completed),
        ("e", "ok", &always),
    ];
    let ended = "succeeded | j succeeded: a failed, b skipped, c succeeded, d succeeded, e succeeded";
    assert_eq!(run(&steps).await, ended);
}

#[tokio::test]
async fn g3_the_level_of_a_failed_step_ends_and_later_ones_do_not_begin() {
    let after_b = "        dependsOn: [{step: b, condition: {type: succeeded}}]\n";
    let ended = "failed | j failed: a failed, b succeeded, c pending";
    assert_eq!(run(&[("a", "bad", ""), ("b", "ok", ""), ("c", "ok", after_b)]).await, ended);
}

#[tokio::test]
async fn g4_jobs_go_on_after_a_job_that_failed() {
    let one = |name: &str, ends: &str, more: &str| {
        job(&[("s", ends, "")]).replace("  - name: j\n", &format!("  - name: {name}\n{more}"))
    };
    let after = |condition: &str| format!("    dependsOn: [{{job: j1, condition: {{type: {condition}}}}}]\n");
    let jobs = [one("j1", "bad", ""), one("j2", "ok", &after("failed")), one("j3", "ok", &after("succeeded"))];
    let ended = "failed | j1 failed: s failed | j2 succeeded: s succeeded | j3 skipped: s skipped";
    assert_eq!(short(&of_jobs(&jobs.concat()).run("{}").await), ended);
}

#[tokio::test]
async fn g5_g6_what_depends_on_a_guarded_step_sees_that_it_was_skipped() {
    let guard = "        guard: ${{ true }}\n";
    let ended = "succeeded | j succeeded: a skipped, b skipped";
    assert_eq!(run(&[("a", "bad", guard), ("b", "ok", AFTER_A)]).await, ended);
    let either =
        "        dependsOn: [{step: a, condition: {type: or, conditions: [{type: succeeded}, {type: skipped}]}}]\n";
    let ended = "succeeded | j succeeded: a skipped, b succeeded";
    assert_eq!(run(&[("a", "bad", guard), ("b", "ok", either)]).await, ended);
    let record = bench(&[("a", "bad", guard), ("b", "ok", AFTER_A)]).run("{}").await;
    let reasons: Vec<_> = record.jobs[0].steps.iter().map(|step| step.skipped.map(SkipReason::as_str)).collect();
    assert_eq!(reasons, [Some("guarded"), Some("condition")]);
}

#[tokio::test]
async fn g7_what_depends_on_a_repeated_step_waits_for_all_of_it() {
    let each = "        forEach: {item: n, in: [1, 2]}\n";
    let ended = "succeeded | j succeeded: a-1 succeeded, a-2 succeeded, b succeeded";
    assert_eq!(run(&[("a", "ok", each), ("b", "ok", AFTER_A)]).await, ended);
    let none = "        forEach: {item: n, in: []}\n";
    assert_eq!(run(&[("a", "ok", none), ("b", "ok", AFTER_A)]).await, "succeeded | j succeeded: b succeeded");
}

#[tokio::test]
async fn g8_lighter_steps_come_first_and_then_the_name_decides() {
    let steps =
        [("a", "ok", "        weight: 5\n"), ("c", "ok", "        weight: 1\n"), ("b", "ok", "        weight: 1\n")];
    let text = workflow(&job(&steps)).replace("jobs:\n", "concurrency: 1\njobs:\n");
    let bench = Bench::new(&text);
    bench.run("{}").await;
    assert_eq!(bench.starts(), ["j/b", "j/c", "j/a"]);
}

#[tokio::test]
async fn g9_what_a_guard_may_give() {
    for (value, is_skipped) in [
        ("inputs.list", true),
        ("inputs.map", true),
        ("\"false\"", true),
        ("\"\"", false),
        ("0", false),
        ("inputs.nothing", false),
        ("inputs.?zz", false),
        ("optional.none()", false),
        ("optional.of(1)", true),
        ("false", false),
    ] {
        let guard = format!("        guard: '${{{{ {value} }}}}'\n");
        let bench = bench(&[("a", "ok", &guard)]);
        let record = bench.run("{list: [], map: {}, nothing: null}").await;
        let ended = if is_skipped { "skipped" } else { "succeeded" };
        assert_eq!(short(&record), format!("succeeded | j succeeded: a {ended}"), "{value}");
        assert_eq!(bench.calls().len(), usize::from(!is_skipped), "{value}");
        let reason = record.jobs[0].steps[0].skipped.map(SkipReason::as_str);
        assert_eq!(reason, is_skipped.then_some("guarded"), "{value}");
    }
}

#[tokio::test]
async fn g10_a_guard_without_a_value_fails_the_step_whatever_is_allowed() {
    let guard = "        guard: ${{ data.latest(\"x\", \"y\").attributes.id }}\n        allowFailure: true\n";
    let bench =
        bench(&[("a", "ok", guard), ("b", "ok", "        dependsOn: [{step: a, condition: {type: always}}]\n")]);
    let record = bench.run("{}").await;
    assert!(bench.calls().is_empty(), "neither the step nor what comes after it");
    insta::assert_snapshot!(told(&record), @r#"
    w failed: MG0606 job `j`, step `a`: workflows/w.yaml:8:16: `data.latest("x", "y").attributes.id`: null has no members; `.?` in place of `.` gives null where there is nothing
      j failed
        a (thing.size) failed: MG0606 workflows/w.yaml:8:16: `data.latest("x", "y").attributes.id`: null has no members; `.?` in place of `.` gives null where there is nothing
        b (thing.size) pending
    "#);
}

/// A step that asserts something about a list of three.
fn asserts(task: &str, more: &str) -> String {
    format!("  - name: j\n    steps:\n      - name: a\n        task: {{type: assert, {task}}}\n{more}")
}

#[tokio::test]
async fn g11_an_assertion_of_less_than_what_is_asked_for_is_allowed_to_fail() {
    let jobs = asserts("expr: 'size(inputs.l) == 4', message: 'found ${{ size(inputs.l) }}', severity: low", "");
    let record = Bench::new(&workflow(&jobs)).fail_on(AssertSeverity::High).run("{l: [1, 2, 3]}").await;
    insta::assert_snapshot!(told(&record), @r"
    w succeeded
      j succeeded
        a (assert) failed: MG0730 found 3
    ");
    let step = &record.jobs[0].steps[0];
    assert!(step.is_failure_allowed && !step.assertion.as_ref().expect("what it found").passed);
    let record = Bench::new(&workflow(&jobs)).run("{l: [1, 2, 3]}").await;
    assert_eq!(short(&record), "failed | j failed: a failed", "each fails its job if nothing is asked for");
    let record = Bench::new(&workflow(&jobs)).run("{l: [1, 2, 3, 4]}").await;
    assert_eq!(short(&record), "succeeded | j succeeded: a succeeded");
}

#[tokio::test]
async fn g12_an_assertion_without_a_value_fails_whatever_is_allowed() {
    let jobs = asserts("expr: inputs.zz == 1, message: m", "        allowFailure: true\n");
    let record = Bench::new(&workflow(&jobs)).fail_on(AssertSeverity::High).run("{}").await;
    assert_eq!(short(&record), "failed | j failed: a failed");
    assert!(record.jobs[0].steps[0].assertion.as_ref().is_some_and(|found| found.error.is_some()));
}

#[tokio::test]
async fn g13_a_dependency_without_a_condition_asks_for_success() {
    let after = "        dependsOn: [{step: a}]\n";
    let allowed = "        allowFailure: true\n";
    assert_eq!(run(&[("a", "ok", ""), ("b", "ok", after)]).await, "succeeded | j succeeded: a succeeded, b succeeded");
    let ended = "succeeded | j succeeded: a failed, b skipped";
    assert_eq!(run(&[("a", "bad", allowed), ("b", "ok", after)]).await, ended);
}

/// What becomes of a step of this name that repeats over this.
async fn repeated(name: &str, over: &str) -> String {
    short(&repeating(name, over).await)
}

/// The same with its errors, where nothing is called.
async fn told_of(name: &str, over: &str) -> String {
    told(&repeating(name, over).await)
}

async fn repeating(name: &str, over: &str) -> RunRecord {
    let each = format!("        forEach: {{item: item, in: '${{{{ inputs.{over} }}}}'}}\n");
    let inputs = "{plain: [dev, 2], ks: [{k: 1}, {k: 2}], map: {a: 1, b: 2}, objs: [{k: 1, t: a}, {k: 2, t: b}],
        same: [a, a], none: [], nothing: null, text: x}";
    let bench = bench(&[(name, "ok", &each)]);
    let record = bench.run(inputs).await;
    let succeeded = record.jobs[0].steps.iter().filter(|step| step.status == RunStatus::Succeeded).count();
    assert_eq!(bench.calls().len(), succeeded, "{name} over {over}");
    record
}

#[tokio::test]
async fn n2_to_n8_repetitions_have_names_of_their_own() {
    let mut table = String::new();
    for (name, over) in [
        ("go", "plain"),
        ("go", "ks"),
        ("go", "map"),
        ("go-${{ self.item.k }}", "ks"),
        ("${{ self.item.k }}-${{ self.item.t }}", "objs"),
        ("go-${{ self.item.zz }}", "ks"),
        ("go-${{ self.item }}", "same"),
    ] {
        table.extend([name, " over ", over, ": ", &repeated(name, over).await, "\n"]);
    }
    insta::assert_snapshot!(table, @r"
    go over plain: succeeded | j succeeded: go-dev succeeded, go-2 succeeded
    go over ks: succeeded | j succeeded: go-0 succeeded, go-1 succeeded
    go over map: succeeded | j succeeded: go-a succeeded, go-b succeeded
    go-${{ self.item.k }} over ks: succeeded | j succeeded: go-1 succeeded, go-2 succeeded
    ${{ self.item.k }}-${{ self.item.t }} over objs: succeeded | j succeeded: 1-a succeeded, 2-b succeeded
    go-${{ self.item.zz }} over ks: succeeded | j succeeded: go-${{ self.item.zz }}-0 succeeded, go-${{ self.item.zz }}-1 succeeded
    go-${{ self.item }} over same: failed | j failed: go-${{ self.item }} failed
    ");
}

#[tokio::test]
async fn n4_each_member_of_a_mapping_has_its_key_and_its_value() {
    let task = "{type: model_method, modelIdOrName: thing, methodName: size, inputs: {name: '${{ self.m.key }}', size: '${{ self.m.value }}'}}";
    let jobs = format!(
        "  - name: j\n    steps:\n      - name: go\n        forEach: {{item: m, in: '${{{{ inputs.map }}}}'}}\n        task: {task}\n"
    );
    let bench = Bench::new(&workflow(&jobs)).method("thing.size", &[Action::LogArguments]);
    insta::assert_snapshot!(told(&bench.run("{map: {a: 1, b: 2}}").await), @r#"
    w succeeded
      j succeeded
        go-a (thing.size) succeeded
          {"name":"a","size":1,"zone":"a"}
        go-b (thing.size) succeeded
          {"name":"b","size":2,"zone":"a"}
    "#);
}

#[tokio::test]
async fn n9_a_step_repeats_over_lists_and_mappings_only() {
    assert_eq!(repeated("go", "none").await, "succeeded | j succeeded: ");
    insta::assert_snapshot!(told_of("go", "nothing").await, @r"
    w failed: MG0606 job `j`, step `go`: workflows/w.yaml:8:35: `in` must give a list or a mapping, found null
      j failed
        go (thing.size) failed: MG0606 workflows/w.yaml:8:35: `in` must give a list or a mapping, found null
    ");
    insta::assert_snapshot!(told_of("go", "text").await, @r"
    w failed: MG0606 job `j`, step `go`: workflows/w.yaml:8:35: `in` must give a list or a mapping, found string
      j failed
        go (thing.size) failed: MG0606 workflows/w.yaml:8:35: `in` must give a list or a mapping, found string
    ");
}

#[tokio::test]
async fn n8_two_repetitions_of_one_name_fail_their_job_before_either_begins() {
    insta::assert_snapshot!(told_of("go-${{ self.item }}", "same").await, @r"
    w failed: MG0603 job `j`, step `go-${{ self.item }}`: workflows/w.yaml:6:15: two steps of the job become `go-a`
      j failed
        go-${{ self.item }} (thing.size) failed: MG0603 workflows/w.yaml:6:15: two steps of the job become `go-a`
    ");
}

#[tokio::test]
async fn n10_what_a_step_writes_varies_by_its_inputs() {
    let step = "      - name: a
        task: {type: model_method, modelIdOrName: thing, methodName: run, inputs: {region: eu}}
        dataOutputOverrides: [{specName: state, vary: [env, region]}]\n";
    let bench = Bench::new(&workflow(&format!("  - name: j\n    steps:\n{step}")))
        .method("thing.run", &[Action::Write("state", "result", "{size: 1}")]);
    let record = bench.run("{env: prod}").await;
    assert_eq!(short(&record), "succeeded | j succeeded: a succeeded");
    let names = async || {
        let written = bench.written("00000000-0000-4000-8000-000000000001").await;
        written.into_iter().map(|handle| handle.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["result-prod-eu"]);
    // The step wins over the run.
    let record = bench.run("{env: test, region: us}").await;
    assert_eq!(short(&record), "succeeded | j succeeded: a succeeded");
    assert_eq!(names().await, ["result-prod-eu", "result-test-eu"]);
    for inputs in ["{env: a/b}", "{env: '..'}", "{env: ' '}", "{env: 'a\\b'}", "{}"] {
        let record = bench.run(inputs).await;
        assert_eq!(short(&record), "failed | j failed: a failed", "{inputs}");
    }
    assert_eq!(names().await.len(), 2, "nothing else was written");
    insta::assert_snapshot!(told(&bench.run("{env: a/b}").await), @r"
    w failed: MG0701 job `j`, step `a`: `thing.run` failed: ctx.writeResource: `a/b` cannot be a part of the name of an item: it contains a slash
      j failed
        a (thing.run) failed: MG0701 `thing.run` failed: ctx.writeResource: `a/b` cannot be a part of the name of an item: it contains a slash
    ");
    insta::assert_snapshot!(told(&bench.run("{}").await), @r"
    w failed: MG0605 job `j`, step `a`: workflows/w.yaml:8:56: `vary` names the input `env`: expected a text or a number, found nothing
      j failed
        a (thing.run) failed: MG0605 workflows/w.yaml:8:56: `vary` names the input `env`: expected a text or a number, found nothing
    ");
}

#[tokio::test]
async fn a_guard_decides_for_each_repetition() {
    let each = "        forEach: {item: n, in: [1, 2]}\n        guard: ${{ self.n == 1 }}\n";
    assert_eq!(run(&[("a", "ok", each)]).await, "succeeded | j succeeded: a-1 skipped, a-2 succeeded");
    let bench = bench(&[("a", "ok", each)]);
    bench.run("{}").await;
    assert_eq!(bench.starts(), ["j/a-2"], "a guarded step never begins");
}
