//! What is told about documents before anything runs: everything that is wrong, at once.

use std::fmt::Write as _;

use mangrove_app::workflow::LibraryWebhooks;

use crate::bench::{Bench, workflow};

/// The problems of a repository whose workflow has these jobs.
async fn of_jobs(jobs: &str) -> String {
    Bench::new(&workflow(jobs)).problems().await
}

#[tokio::test]
async fn a_sound_repository_has_none() {
    let jobs = "  - name: a
    steps:
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: '${{ inputs.size }}'}}
        timeout: 5m
      - name: t
        dependsOn: [s, {step: s, condition: {type: or, conditions: [{type: failed}, {type: always}]}}]
        forEach: {item: n, in: '${{ [1, 2].map(n, n + 1) }}'}
        task: {type: model_method, modelType: '@acme/thing', modelName: other, methodName: run}
";
    assert_eq!(of_jobs(jobs).await, "");
}

#[tokio::test]
async fn the_form_of_a_workflow_is_checked_all_at_once() {
    let bench = Bench::new(
        "//- /workflows/w.yaml
id: not-a-uuid
nmae: w
colour: blue
version: 2
concurrency: -1
tags: [a]
inputs: 3
jobs:
  - name: a
    step: []
  - name: b
    dependsOn: [{job: a, condition: {type: suceeded}}, {job: a, condition: {type: and}}]
    weight: heavy
    steps:
      - name: s
        allowFailure: sometimes
        timeout: soon
        task: {type: model_methd}
      - task: {type: model_method, methodName: run}
        dependsOn: s
      - name: t
        forEach: {item: n}
        task: {type: workflow}
",
    );
    insta::assert_snapshot!(bench.problems().await, @r#"
    workflows/w.yaml:1:1: a workflow needs `name`
    workflows/w.yaml:1:5: `id`: expected a UUID, found `not-a-uuid`
    workflows/w.yaml:2:1: unknown key `nmae` in a workflow — did you mean `name`?
    workflows/w.yaml:3:1: unknown key `colour` in a workflow
    workflows/w.yaml:5:14: `concurrency`: expected a whole number of at least 0, found -1
    workflows/w.yaml:6:7: `tags`: expected a mapping, found a list
    workflows/w.yaml:7:9: `inputs`: expected a mapping, found 3
    workflows/w.yaml:9:5: a job needs `steps`
    workflows/w.yaml:10:5: unknown key `step` in a job — did you mean `steps`?
    workflows/w.yaml:12:44: `type`: unknown condition `suceeded` — did you mean `succeeded`?
    workflows/w.yaml:12:76: a condition needs `conditions`
    workflows/w.yaml:13:13: `weight`: expected a number, found "heavy"
    workflows/w.yaml:16:23: `allowFailure`: expected true or false, found "sometimes"
    workflows/w.yaml:17:18: `timeout`: expected seconds, or a duration such as 90s, 5m or 1h, found "soon"
    workflows/w.yaml:18:22: `type`: unknown task type `model_methd` — did you mean `model_method`?
    workflows/w.yaml:19:9: a step needs `name`
    workflows/w.yaml:19:15: a task needs either `modelIdOrName`, or `modelType` and `modelName`
    workflows/w.yaml:20:20: `dependsOn`: expected a list, found "s"
    workflows/w.yaml:22:18: a repetition needs `in`
    workflows/w.yaml:23:15: a task needs `workflowIdOrName`
    "#);
}

#[tokio::test]
async fn what_asks_for_another_machine_or_is_gone_is_refused_by_its_name() {
    let bench = Bench::new(
        "//- /workflows/w.yaml
id: 00000000-0000-4000-8000-0000000000ff
name: w
version: 3
labels: {}
affinity: true
driver: docker
jobs:
  - name: a
    target: worker-1
    queueTimeout: 5
    steps:
      - name: s
        labels: {zone: eu}
        platform: linux
        guards: ${{ true }}
        task: {type: model_method, modelIdOrName: thing, methodName: run, retries: 3}
      - name: t
        queueTimeout: 5
        guard: size(inputs.list) > 0
        task: {type: model_method, modelIdOrName: thing, methodName: run, arguments: {a: 1}}
      - name: u
        task: {type: shell, run: ls}
      - name: v
        task: {type: assert, expr: '${{ true }}', message: m, severity: hihg}
      - name: x
        task: {type: manual_approval, prompt: p, timeout: 0}
      - name: y
        task: {type: model_method, modelIdOrName: thing, methodName: run, inputs: text, globalArgs: {a: 1}}
  - name: k
    needs: [j]
    steps:
      - name: z
        task: {type: model_method, modelIdOrName: thing, methodName: run}
",
    );
    insta::assert_snapshot!(bench.problems().await, @r#"
    workflows/w.yaml:5:1 (warning): `affinity` has no effect: every step runs on this machine — take it out, or leave it for other programs
    workflows/w.yaml:6:1: `driver` is no key of a workflow any more — take it out: a workflow runs its methods here
    workflows/w.yaml:9:5: `target` asks for another machine, and Mangrove runs every step on its own — take it out if this job may run here
    workflows/w.yaml:13:9: `labels` asks for another machine, and Mangrove runs every step on its own — take it out if this step may run here
    workflows/w.yaml:14:9: `platform` asks for another machine, and Mangrove runs every step on its own — take it out if this step may run here
    workflows/w.yaml:15:9: unknown key `guards` in a step — did you mean `guard`?
    workflows/w.yaml:16:75 (warning): unknown key `retries` in a task, which is ignored
    workflows/w.yaml:18:9 (warning): `queueTimeout` has no effect: every step runs on this machine — take it out, or leave it for other programs
    workflows/w.yaml:19:16: `guard`: expected one expression in `${{ }}`, found "size(inputs.list) > 0"
    workflows/w.yaml:20:86: a task has no `arguments` — what a method is given stands in `inputs`
    workflows/w.yaml:22:22: `type`: unknown task type `shell` — a step runs a shell by `modelType: command/shell` with `methodName: execute`
    workflows/w.yaml:22:29 (warning): unknown key `run` in a task, which is ignored
    workflows/w.yaml:24:36: `expr` stands without `${{ }}` — write the expression alone: `expr: size(inputs.list) > 0`
    workflows/w.yaml:24:73: `severity`: unknown word `hihg` — did you mean `high`?
    workflows/w.yaml:26:59: `timeout`: expected a whole number of at least 1, found 0
    workflows/w.yaml:28:83: `inputs`: expected a mapping, or one expression that gives one, found "text"
    workflows/w.yaml:28:101: `globalArgs` belongs to a task with `modelType` — a definition has its own: write them into its `globalArguments`
    workflows/w.yaml:30:5: a job has no `needs`: without `dependsOn` it waits for nothing — write `dependsOn`, a list of `{job: NAME, condition: {type: succeeded}}`, or `step` in its place in a step
    "#);
}

#[tokio::test]
async fn steps_that_do_not_run_after_a_failure_are_told() {
    let jobs = "  - name: a
    steps:
      - name: first
        task: {type: model_method, modelIdOrName: thing, methodName: run}
      - name: rescue
        dependsOn: [{step: first, condition: {type: failed}}]
        task: {type: model_method, modelIdOrName: thing, methodName: run}
      - name: clean
        dependsOn: [{step: first, condition: {type: always}}]
        task: {type: model_method, modelIdOrName: thing, methodName: run}
      - name: allowed
        allowFailure: true
        task: {type: model_method, modelIdOrName: thing, methodName: run}
      - name: after
        dependsOn: [{step: allowed, condition: {type: failed}}]
        task: {type: model_method, modelIdOrName: thing, methodName: run}
";
    insta::assert_snapshot!(of_jobs(jobs).await, @r"
    workflows/w.yaml:9:28 (warning): `rescue` never runs: when `first` fails, it ends the job — give `first` `allowFailure: true`, or move `rescue` to a job that waits for `a`
    workflows/w.yaml:12:28 (warning): `clean` does not run when `first` fails, because that ends the job — give `first` `allowFailure: true`, or move `clean` to a job that waits for `a`
    ");
}

#[tokio::test]
async fn d5_only_files_that_are_workflows_are_read() {
    let jobs =
        "jobs: [{name: j, steps: [{name: s, task: {type: model_method, modelIdOrName: thing, methodName: run}}]}]";
    let bench = Bench::new(&format!(
        "//- /workflows/a.yaml
persona: x
//- /workflows/x/workflow-b.yaml
id: 00000000-0000-4000-8000-00000000000b
name: b
{jobs}
//- /workflows/workflow-c.yaml
id: 00000000-0000-4000-8000-00000000000c
name: c
{jobs}
//- /workflows/d.yaml
id: 00000000-0000-4000-8000-00000000000d
name: d
{jobs}
//- /workflows/workflow-e.yaml
persona: x
//- /workflows/f.yaml
name: [
//- /workflows/g.yaml
name: g
jobs: [
//- /.swamp/workflows/workflow-h.yaml
id: 00000000-0000-4000-8000-00000000000e
name: h
{jobs}
//- /.swamp/workflows/workflow-c.yaml
id: 00000000-0000-4000-8000-00000000000c
name: old-c
{jobs}
"
    ));
    let library = bench.library().await;
    let names: Vec<&str> = library.workflows.iter().map(|workflow| workflow.name.value.as_str()).collect();
    assert_eq!(names, ["d", "c", "h"]);
    let broken = library.broken_workflows.iter().map(|broken| (broken.file.as_str(), broken.name.as_deref()));
    let expected = [("workflows/g.yaml", Some("g")), ("workflows/workflow-e.yaml", None)];
    assert_eq!(broken.collect::<Vec<_>>(), expected);
    let wrong = library.workflow("g").expect_err("its file is broken");
    assert_eq!(wrong.subject, "workflows/g.yaml");
}

#[tokio::test]
async fn names_that_appear_twice_or_nowhere_are_told() {
    let jobs = "  - name: build
    steps:
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: run}
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: run}
        dependsOn: [{step: build}, {step: z}]
  - name: build
    dependsOn: [{job: biuld}, {job: elsewhere}]
    steps:
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: run}
";
    insta::assert_snapshot!(of_jobs(jobs).await, @r"
    workflows/w.yaml:8:15: the step `s` is defined twice, first in line 6
    workflows/w.yaml:10:28: unknown step `build`
    workflows/w.yaml:10:43: unknown step `z` — did you mean `s`?
    workflows/w.yaml:11:11: the job `build` is defined twice, first in line 4
    workflows/w.yaml:12:23: unknown job `biuld` — did you mean `build`?
    workflows/w.yaml:12:37: unknown job `elsewhere`
    ");
}

#[tokio::test]
async fn cycles_are_printed_in_the_order_of_waiting() {
    let step = "    steps:
      - name: s
        dependsOn: [{step: u, condition: {type: always}}]
        task: {type: model_method, modelIdOrName: thing, methodName: run}
      - name: t
        dependsOn: [s]
        task: {type: model_method, modelIdOrName: thing, methodName: run}
      - name: u
        dependsOn: [t]
        task: {type: model_method, modelIdOrName: thing, methodName: run}
";
    let jobs = format!("  - name: a\n    dependsOn: [b]\n{step}  - name: b\n    dependsOn: [a]\n{step}");
    insta::assert_snapshot!(of_jobs(&jobs).await, @r"
    workflows/w.yaml:4:5: jobs wait for each other: `a` → `b` → `a` — take one of these out of `dependsOn`
    workflows/w.yaml:7:9: steps wait for each other: `s` → `u` → `t` → `s` — take one of these out of `dependsOn`
    workflows/w.yaml:19:9: steps wait for each other: `s` → `u` → `t` → `s` — take one of these out of `dependsOn`
    ");
}

#[tokio::test]
async fn a_step_that_is_wrong_does_not_hide_what_is_wrong_elsewhere() {
    let jobs = "  - name: a
    steps:
      - name: s
        task: {type: model_method, methodName: run}
      - name: t
        dependsOn: [{step: s}, {step: nowhere}]
        task: {type: model_method, modelIdOrName: thing, methodName: run}
  - name: b
    dependsOn: [{job: a}, {job: missing}]
    steps:
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: run}
";
    insta::assert_snapshot!(of_jobs(jobs).await, @r"
    workflows/w.yaml:7:15: a task needs either `modelIdOrName`, or `modelType` and `modelName`
    workflows/w.yaml:9:39: unknown step `nowhere`
    workflows/w.yaml:12:33: unknown job `missing`
    ");
}

#[tokio::test]
async fn unknown_types_methods_definitions_and_workflows_are_told_with_the_nearest() {
    let jobs = "  - name: a
    steps:
      - name: method
        task: {type: model_method, modelIdOrName: thing, methodName: rnu}
      - name: definition
        task: {type: model_method, modelIdOrName: thign, methodName: run}
      - name: type
        task: {type: model_method, modelType: '@acme/thng', modelName: x, methodName: run}
      - name: broken-type
        task: {type: model_method, modelType: '@acme/broken', modelName: x, methodName: run}
      - name: no-type
        task: {type: model_method, modelType: 'two words', modelName: x, methodName: run}
      - name: workflow
        task: {type: workflow, workflowIdOrName: v}
      - name: itself
        task: {type: workflow, workflowIdOrName: w}
      - name: made
        task: {type: model_method, modelIdOrName: newOne, methodName: run}
";
    let bench = Bench::new(&workflow(jobs))
        .failed_type("@acme/broken", mangrove_testkit::rows::failure("registry unreachable"));
    insta::assert_snapshot!(bench.problems().await, @r"
    workflows/w.yaml:7:70: `@acme/thing` has no method `rnu` — did you mean `run`?
    workflows/w.yaml:9:51 (warning): unknown definition `thign` — did you mean `thing`?
    workflows/w.yaml:11:47: unknown model type `@acme/thng` — did you mean `@acme/thing`?
    workflows/w.yaml:13:47: model type `@acme/broken` cannot be used: models/broken.ts: registry unreachable — see the explanation of `@acme/broken`
    workflows/w.yaml:15:47: unknown model type `two/words`
    workflows/w.yaml:17:50 (warning): unknown workflow `v` — did you mean `w`?
    workflows/w.yaml:19:50: workflows call each other: w → w
    workflows/w.yaml:21:51 (warning): unknown definition `newOne` — a YAML file in models/ with `name: newOne`, a `type` and an `id` defines it
    ");
}

#[tokio::test]
async fn expressions_that_cannot_work_are_told() {
    let jobs = "  - name: a
    steps:
      - name: s
        task:
          type: model_method
          modelIdOrName: thing
          methodName: run
          inputs:
            broken: '${{ 1 + }}'
            open: 'a ${{ inputs.size'
            later: '${{ vault.get(\"x\") }}'
            slip: '${{ input.size }}'
            unknown: '${{ inputs.sise }}'
            fine: '${{ env.HOME + self.name + run.id }}'
            asked: '${{ has(inputs.zone) ? inputs.zone : inputs.?region.orValue(\"eu\") }}'
";
    let text = workflow(jobs).replace("jobs:", "inputs: {properties: {size: {type: integer}}}\njobs:");
    insta::assert_snapshot!(Bench::new(&text).problems().await, @r#"
    workflows/w.yaml:13:21: `1 +`: not a CEL expression: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}
    workflows/w.yaml:14:19 (warning): `${{` that no `}}` closes is text like any other
    workflows/w.yaml:15:20: `vault.get("x")`: `vault.get` takes two names: of a vault, and of a secret in it
    workflows/w.yaml:16:19: `input.size`: unknown name `input` — did you mean `inputs`?
    workflows/w.yaml:17:22: `inputs.sise`: the workflow has no input `sise` — did you mean `size`?
    "#);
}

#[tokio::test]
async fn triggers_that_cannot_be_used_are_told_where_they_stand() {
    let mut files = String::new();
    for (number, trigger) in [
        "{schedule: '61 * * * *'}",
        "{schedule: '@dayly', timezone: UTC}",
        "{schedule: '0 0 30 2 *'}",
        "{schedule: '@daily', timezone: Europe/Berln}",
        "{schedule: '@daily', overlap: skipp}",
        "{schedule: '@daily', misfire: later}",
        "{schedule: '@daily', jitter: soon}",
        "{schedule: '@daily', jiter: 5m}",
        "{schedule: '@daily', overlap: queue, misfire: run-once, jitter: 90s, timezone: Asia/Tokyo}",
        "{overlap: queue, inputs: {size: 1}}",
        "{schedule: '@daily', inputs: {}}",
        "{schedule: '@daily', inputs: {size: '${{ env.SIZE }}'}}",
        "{schedule: '@daily', inputs: {size: '${{ inputs.size }}'}}",
        "{schedule: '@daily', inputs: {size: '${{ webhook.body.size }}'}}",
        "{inputs: {size: '${{ webhook.body.size + }}'}}",
    ]
    .iter()
    .enumerate()
    {
        let _ = write!(
            files,
            "
//- /workflows/{number:02}.yaml
id: 00000000-0000-4000-8000-0000000001{number:02}
name: w{number:02}
trigger: {trigger}
{}
jobs:
  - name: j
    steps:
      - name: s
        task: {{type: model_method, modelIdOrName: thing, methodName: run}}
",
            if number < 9 { "" } else { "inputs: {properties: {size: {type: integer}}, required: [size]}" }
        );
    }
    insta::assert_snapshot!(Bench::new(&files).problems().await, @r#"
    workflows/00.yaml:3:21: `schedule`: `61` is no minute — the minute is 0 to 59: one of them, a list `1,5`, a range `1-5`, steps `*/5`
    workflows/01.yaml:3:21: `schedule`: unknown schedule `@dayly` — did you mean `@daily`?
    workflows/02.yaml:3:21: `schedule`: `0 0 30 2 *` is never due: no date fits it — not every month has the days 29 to 31, and not every year has the 29th of February
    workflows/03.yaml:3:41: `timezone`: unknown time zone `Europe/Berln` — did you mean `Europe/Berlin`, `Europe/Dublin` or `Europe/Jersey`?
    workflows/04.yaml:3:40: `overlap`: unknown word `skipp` — did you mean `skip`?
    workflows/05.yaml:3:40: `misfire`: unknown word `later` — expected one of skip, run-once
    workflows/06.yaml:3:39: `jitter`: expected seconds, or a duration such as 90s, 5m or 1h, found "soon"
    workflows/07.yaml:3:31 (warning): unknown key `jiter` in a trigger, which is ignored — did you mean `jitter`?
    workflows/09.yaml:3:20 (warning): `overlap` says something of a schedule, and this trigger has none — add `schedule`, such as `schedule: '@daily'`
    workflows/10.yaml:3:21: the inputs of scheduled runs: size: is required
    workflows/12.yaml:3:46: `inputs.size`: `inputs` has no value before there is a run — the inputs of a trigger may use env, webhook
    workflows/13.yaml:3:46 (warning): `webhook.body.size`: `webhook` has no value when the schedule starts the workflow — such a run does not begin; give the schedule a workflow of its own, which calls this one
    workflows/14.yaml:3:26: `webhook.body.size +`: not a CEL expression: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}
    "#);
}

#[tokio::test]
async fn webhooks_that_cannot_be_used_are_told_where_they_stand() {
    let mut files = String::new();
    for (number, webhook) in [
        "{route: /deploy, secret: '@env=DEPLOY_SECRET'}",
        "{route: a/b, secret: '@vault=ops:hook', scheme: generic, header: X-Sig, prefix: 'v1=', replayWindow: 60}",
        "{secret: '@env=X'}",
        "{route: ../up, secret: '@env=X'}",
        "{route: 'a b', secret: '@file=/run/secret'}",
        "{route: w4, secret: hunter2}",
        "{route: w5, secret: '@env=X', scheme: gitub}",
        "{route: w6, secret: '@env=X', scheme: generic}",
        "{route: w7, secret: '@env=X', header: X-Sig}",
        "{route: w8, secret: '@env=X', scheme: generic, header: 'X Sig'}",
        "{route: w9, secret: '@env=X', replayWindow: never}",
    ]
    .iter()
    .enumerate()
    {
        let _ = write!(
            files,
            "
//- /workflows/{number:02}.yaml
id: 00000000-0000-4000-8000-0000000002{number:02}
name: h{number:02}
inputs: {{properties: {{event: {{type: object}}}}, required: [event]}}
trigger: {{webhook: {webhook}}}
jobs:
  - name: j
    steps:
      - name: s
        task: {{type: model_method, modelIdOrName: thing, methodName: run}}
"
        );
    }
    insta::assert_snapshot!(Bench::new(&files).problems().await, @r#"
    workflows/02.yaml:4:20: a webhook needs `route`
    workflows/03.yaml:4:28: `route`: no address has this form — a route is letters, digits, `.`, `_` and `-`, in parts separated by slashes, and at most 200 long: `deploy` is `POST /hooks/deploy`
    workflows/04.yaml:4:28: `route`: no address has this form — a route is letters, digits, `.`, `_` and `-`, in parts separated by slashes, and at most 200 long: `deploy` is `POST /hooks/deploy`
    workflows/05.yaml:4:40: `secret`: a file that others read must not hold a secret — name where it is found: `@env=NAME`, `@file=PATH` or `@vault=VAULT:KEY`
    workflows/06.yaml:4:58: `scheme`: unknown word `gitub` — did you mean `github`?
    workflows/07.yaml:4:20: `scheme: generic` needs `header`: where the signature stands
    workflows/08.yaml:4:58: `header` belongs to `scheme: generic`; the other schemes have their own — use `scheme: generic`, or take it out
    workflows/09.yaml:4:75: `header`: no header has this name
    workflows/10.yaml:4:64: `replayWindow`: expected seconds, or a duration such as 90s, 5m or 1h, found "never"
    "#);
}

#[tokio::test]
async fn a_route_that_two_workflows_have_is_told() {
    let mut files = String::new();
    for (number, route) in ["/deploy", "deploy", "other"].iter().enumerate() {
        let trigger = format!("trigger: {{webhook: {{route: {route}, secret: '@env=S'}}}}");
        let step = "{name: s, task: {type: model_method, modelIdOrName: thing, methodName: run}}";
        let _ = write!(
            files,
            "
//- /workflows/{number}.yaml
id: 00000000-0000-4000-8000-00000000040{number}
name: r{number}
{trigger}
jobs: [{{name: j, steps: [{step}]}}]
"
        );
    }
    let bench = Bench::new(&files);
    insta::assert_snapshot!(bench.problems().await, @r#"
    workflows/0.yaml:3:28: the route `deploy` belongs to workflows/0.yaml and workflows/1.yaml: none of them is started — give one of them another `route`
    workflows/1.yaml:3:28: the route `deploy` belongs to workflows/0.yaml and workflows/1.yaml: none of them is started — give one of them another `route`
    "#);
    let webhooks = LibraryWebhooks::of(&bench.library().await);
    assert!(webhooks.get("deploy").is_none(), "neither is started");
    assert_eq!(webhooks.get("other").map(|(workflow, _)| workflow.name.value.clone()).as_deref(), Some("r2"));
    assert_eq!(webhooks.iter().map(|(route, _)| route).collect::<Vec<_>>(), ["other"]);
}

#[tokio::test]
async fn inputs_that_break_their_schema_are_told_where_they_stand() {
    let jobs = "  - name: a
    steps:
      - name: missing
        task: {type: model_method, modelIdOrName: thing, methodName: size}
      - name: wrong
        task: {type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: big, on: 3, nam: x}}
      - name: open
        task: {type: model_method, modelIdOrName: thing, methodName: size, inputs: {name: '${{ inputs.x }}'}}
      - name: two-unknown
        task:
          type: model_method
          modelIdOrName: thing
          methodName: size
          inputs: {size: '${{ 1 }}', nam: x, zoom: y}
      - name: nested
        task: {type: workflow, workflowIdOrName: inner, inputs: {sise: 3}}
";
    let inner = "
//- /workflows/inner.yaml
id: 00000000-0000-4000-8000-000000000101
name: inner
inputs: {properties: {size: {type: integer}}, required: [size]}
trigger: {schedule: '@daily', inputs: {size: soon}}
jobs:
  - name: j
    steps:
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: run}
";
    insta::assert_snapshot!(Bench::new(&format!("{}{inner}", workflow(jobs))).problems().await, @r#"
    workflows/inner.yaml:4:46: the inputs of scheduled runs: size: expected integer, found "soon"
    workflows/w.yaml:7:70: the arguments of `thing.size`: size: is required
    workflows/w.yaml:9:91 (warning): the arguments of `thing.size`: size: expected integer, found "big"
    workflows/w.yaml:9:100 (warning): the arguments of `thing.size`: on: expected boolean, found 3
    workflows/w.yaml:9:103 (warning): the arguments of `thing.size`: `nam` is not known — did you mean `name`?
    workflows/w.yaml:11:70: the arguments of `thing.size`: size: is required
    workflows/w.yaml:17:38 (warning): the arguments of `thing.size`: `nam` is not known — did you mean `name`?
    workflows/w.yaml:17:46 (warning): the arguments of `thing.size`: `zoom` is not known
    workflows/w.yaml:19:50: the inputs of workflow `inner`: size: is required
    workflows/w.yaml:19:66 (warning): the inputs of workflow `inner`: `sise` is not known — did you mean `size`?
    "#);
}

#[tokio::test]
async fn definitions_are_checked_too() {
    let bench = Bench::with_files(
        "//- /models/a.yaml
id: 1
name: a
type: '@acme/thing'
globalArgument: {}
//- /models/b.yaml
id: 00000000-0000-4000-8000-000000000001
name: b
type: '@acme/thing'
driver: docker
globalArguments: {region: [x], zone: '${{ 1 + }}'}
methods: {sizes: {arguments: {}}, size: {argument: {}}}
//- /models/c.yaml
id: 00000000-0000-4000-8000-000000000002
name: c
type: '@acme/thing'
globalArguments: {region: [x], zone: '${{ 1 + }}'}
methods: {sizes: {arguments: {}}}
//- /models/d.yaml
id: 00000000-0000-4000-8000-000000000002
name: d
type: '@acme/thing'
//- /models/@acme/thing/e.yaml
id: 00000000-0000-4000-8000-000000000003
name: e
//- /models/f.yaml
id: 00000000-0000-4000-8000-000000000004
name: f
//- /models/g.yaml
name: [
",
    );
    insta::assert_snapshot!(bench.problems().await, @r#"
    models/a.yaml:1:5: `id`: expected a UUID, found `1`
    models/a.yaml:4:1 (warning): unknown key `globalArgument` in a definition, which is ignored — did you mean `globalArguments`?
    models/b.yaml:4:1: `driver` was removed from the format of a definition — take it out
    models/b.yaml:6:42 (warning): unknown key `argument` in a method, which is ignored — did you mean `arguments`?
    models/c.yaml:2:7 (warning): the identifier `00000000-0000-4000-8000-000000000002` belongs to models/c.yaml and models/d.yaml: they share their data — give one of them another `id`
    models/c.yaml:4:27 (warning): the global arguments of `c`: region: expected string, found ["x"]
    models/c.yaml:4:38: `1 +`: not a CEL expression: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}
    models/c.yaml:5:11: `@acme/thing` has no method `sizes` — did you mean `size`?
    models/d.yaml:2:7 (warning): the identifier `00000000-0000-4000-8000-000000000002` belongs to models/c.yaml and models/d.yaml: they share their data — give one of them another `id`
    models/f.yaml:1:1: a definition needs `type` — write `type: "@scope/name"`, or put the file below models/<type>/
    models/g.yaml:1:7: unclosed bracket '['
    "#);
}

#[tokio::test]
async fn inputs_that_only_a_definition_reads_have_to_come_from_somewhere() {
    let files = |workflow_inputs: &str, definition_inputs: &str, step_inputs: &str| {
        let jobs = format!(
            "  - name: j\n    steps:\n      - name: s\n        task: {{type: model_method, modelIdOrName: reader, methodName: size, inputs: {{{step_inputs}}}}}\n"
        );
        format!(
            "//- /models/reader.yaml
id: 00000000-0000-4000-8000-000000000002
name: reader
type: '@acme/thing'
{definition_inputs}methods: {{size: {{arguments: {{size: '${{{{ inputs.count + size(inputs.?label.orValue(\"\")) }}}}'}}}}}}
{}",
            workflow(&jobs).replace("jobs:", &format!("{workflow_inputs}jobs:"))
        )
    };
    insta::assert_snapshot!(Bench::new(&files("", "", "")).problems().await, @r#"
    workflows/w.yaml:7:71: models/reader.yaml:4:36 reads `inputs.count`, and neither this step nor the workflow has an input `count` — add `count` to the inputs of the step
    "#);
    for (workflow_inputs, definition_inputs, step_inputs) in [
        ("inputs: {properties: {count: {type: integer}}}\n", "", ""),
        ("", "inputs: {properties: {count: {type: integer, default: 2}}}\n", ""),
        ("", "", "count: 3"),
        // What the step says stands over what the definition says.
        ("", "", "size: 3"),
    ] {
        let found = Bench::new(&files(workflow_inputs, definition_inputs, step_inputs)).problems().await;
        assert!(!found.contains("count"), "{workflow_inputs} {definition_inputs} {step_inputs}: {found}");
    }
}

#[tokio::test]
async fn what_a_step_says_of_its_data_is_held_against_the_type() {
    let jobs = "  - name: j
    steps:
      - name: first
        guard: '${{ inputs.size > 1 }}'
        task: {type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: 1, stage: dev}}
        dataOutputOverrides: [{specName: state, vary: [stage, size, zone]}, {specName: stat, lifetime: 1d}]
      - name: after
        dependsOn: [{step: first, condition: {type: always}}]
        task: {type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: 1}}
      - name: last
        dependsOn: [{step: after, condition: {type: always}}]
        task: {type: model_method, modelIdOrName: thing, methodName: size, inputs: {size: 1}}
";
    insta::assert_snapshot!(of_jobs(jobs).await, @r#"
    workflows/w.yaml:9:69: names vary by `zone`, which is no input of this step or of the workflow — add `zone` to the inputs of the step
    workflows/w.yaml:9:88 (warning): `@acme/thing` writes no `stat`, so nothing is overridden — did you mean `state`?
    "#);
}
