//! Runs that a daemon starts by itself and that do not end well.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    deno,
    fixtures::{model, model_with},
    sandbox::Sandbox,
    serve::{Serving, until},
};

/// Writes a model, its definition, and a workflow that calls it every second.
fn every_second(sandbox: &Sandbox, name: &str, number: u32, code: &str) {
    sandbox.write(&format!("extensions/models/{name}.ts"), code);
    let id = format!("{number}1111111-1111-4111-8111-111111111111");
    sandbox.write(&format!("models/@acme/{name}/{id}.yaml"), &format!("id: {id}\nname: {name}\nversion: 1\n"));
    sandbox.write(
        &format!("workflows/{name}.yaml"),
        &format!(
            "id: {number}0000000-1111-4111-8111-111111111112
name: {name}
trigger: {{ schedule: '* * * * * *' }}
jobs:
  - name: only
    steps:
      - name: greet
        task: {{ type: model_method, modelIdOrName: {name}, methodName: greet, inputs: {{ name: x }} }}
"
        ),
    );
}

/// The runs of a workflow that have ended.
fn ended(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let listed = sandbox.json(&["run", "list", name, "--limit", "1000"]);
    let runs = listed["runs"].as_array().expect("runs");
    runs.iter().filter(|run| run["status"] != "running").cloned().collect()
}

#[test]
fn fault_30_a_scheduled_run_that_fails_is_told_as_failed_everywhere() {
    let sandbox = Sandbox::new("");
    let fails =
        model("@acme/fails").replace("context.logger.info", "throw new Error(\"out of paint\"); context.logger.info");
    every_second(&sandbox, "fails", 1, &fails);
    let serving = Serving::start(&sandbox, &[]);
    let of_fails = |event: &Value| event["workflow"] == "fails";
    let told = serving.logs("a failed run", |event| of_fails(event) && event["message"] == "a run did not succeed");
    assert_eq!(
        (&told["status"], &told["level"], &told["trigger"]),
        (&"failed".into(), &"ERROR".into(), &"schedule".into())
    );
    assert!(told["error"].as_str().is_some_and(|error| error.contains("out of paint")), "{told}");
    // A failure is no reason not to try again at the next instant.
    let several = until("more runs", || (ended(&sandbox, "fails").len() >= 3).then(|| ended(&sandbox, "fails")));
    let several = several.expect("the schedule goes on");
    assert!(several.iter().all(|run| run["status"] == "failed"), "{several:#?}");
    assert_eq!(serving.times_logged("a run succeeded"), 0);
    let id = told["run"].as_str().expect("an identifier");
    let (status, body) = serving.ask("GET", &format!("/api/v1/runs/{id}"), None);
    let run: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (status, &run["status"], &run["jobs"][0]["steps"][0]["status"]),
        (200, &"failed".into(), &"failed".into())
    );
    let (_, body) = serving.ask("GET", "/api/v1/schedules", None);
    let shown: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(shown["schedules"][0]["last"]["status"], "failed", "{shown:#}");
    let counted = |status: &str| {
        let (_, metrics) = serving.ask("GET", "/metrics", None);
        let status = format!("\"{status}\"");
        let lines = metrics.lines().filter(|line| line.starts_with("mangrove_runs") && line.contains(&status));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    until("the counters", || (counted("failed") >= 3.0).then_some(())).expect("each failed run is counted");
    assert!(counted("succeeded") < 0.5, "as what it is");
}

/// Lets a workflow whose method leaves rejections and timers behind run beside a quiet one, and gives its runs.
fn beside_a_quiet_one(code: &str, deno: Option<&std::path::Path>) -> Vec<Value> {
    let sandbox = Sandbox::new("");
    every_second(&sandbox, "quiet", 1, &model("@acme/quiet"));
    every_second(&sandbox, "detached", 2, code);
    let mut command = sandbox.command();
    if let Some(deno) = deno {
        command.env("MANGROVE_DENO", deno);
    }
    let serving = Serving::start_with(command, &[]);
    let process = serving.process();
    let of_detached = until("runs", || Some(ended(&sandbox, "detached")).filter(|runs| runs.len() >= 3));
    let of_detached = of_detached.expect("it runs again and again");
    // What was left behind has had its time; the daemon is the same process, and does its work.
    let (before, start) = (ended(&sandbox, "quiet").len(), Instant::now());
    while start.elapsed() < Duration::from_secs(2) {
        assert_eq!(serving.ask("GET", "/livez", None).0, 200);
        thread::sleep(Duration::from_millis(100));
    }
    until("quiet runs", || (ended(&sandbox, "quiet").len() > before + 1).then_some(())).expect("others go on");
    assert!(ended(&sandbox, "quiet").iter().all(|run| run["status"] == "succeeded"));
    assert_eq!((serving.process(), serving.times_logged("ready")), (process, 1));
    serving.logs_nothing_but_events();
    of_detached
}

/// Leaves behind what nobody awaits, before and after the method has given its result.
const LEFT: &str = "Promise.reject(new Error(\"detached\"));
        (async () => { await 0; throw 1; })();
        setTimeout(() => { throw new Error(\"late\"); }, 0);
        setTimeout(() => Promise.reject(new Error(\"later\")), 30);
        context.logger.info";

#[test]
fn fault_31_rejections_that_nobody_awaits_end_no_daemon() {
    let runs = beside_a_quiet_one(&model("@acme/detached").replace("context.logger.info", LEFT), None);
    assert!(runs.iter().all(|run| run["status"] == "failed"), "{runs:#?}");
}

#[test]
fn fault_31_rejections_that_nobody_awaits_end_no_daemon_whose_code_runs_in_deno() {
    let Some(deno) = deno::real() else { return };
    let code = model_with("const version = () => Deno.version.deno;", "@acme/detached", "");
    let left = format!("context.logger.info(version()); {LEFT}");
    let runs = beside_a_quiet_one(&code.replace("context.logger.info", &left), Some(&deno));
    assert!(runs.iter().all(|run| run["status"] == "failed"), "{runs:#?}");
}

/// Two daemons of one state directory, and a bound for both together.
#[test]
fn scheduled_runs_of_all_daemons_keep_to_the_bound_that_they_share() {
    let sandbox = Sandbox::new("");
    let pause = "await new Promise((go) => setTimeout(go, 300)); context.logger.info";
    let names = ["ash", "birch", "cedar"];
    for (name, number) in names.into_iter().zip(1..) {
        every_second(&sandbox, name, number, &model(&format!("@acme/{name}")).replace("context.logger.info", pause));
    }
    let daemons: Vec<Serving> = (0..2).map(|_| Serving::start(&sandbox, &["--shared-parallel-runs", "1"])).collect();
    let each_ran_twice = || names.iter().all(|name| ended(&sandbox, name).len() >= 2).then_some(());
    until("two runs of each", each_ran_twice).expect("nobody waits for ever");
    drop(daemons);
    let mut runs: Vec<Value> = names.iter().flat_map(|name| ended(&sandbox, name)).collect();
    let time = |run: &Value, key: &str| run[key].as_str().unwrap_or_else(|| panic!("no {key}: {run}")).to_owned();
    runs.sort_by_key(|run| time(run, "startedAt"));
    for pair in runs.windows(2) {
        assert!(time(&pair[0], "finishedAt") <= time(&pair[1], "startedAt"), "two at once: {pair:#?}");
    }
}
