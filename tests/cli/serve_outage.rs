//! The case that the product exists for, in one process that goes on: a cold cache and no network, a workflow on a schedule,
//! then the network. Needs root and `ip`.

use std::{path::Path, time::Duration};

use mangrove_testkit::{
    namespaces::Namespace,
    registry::{FakePackage, FakeRegistry, Misbehaviour},
};
use serde_json::Value;

use crate::{
    fixtures::model_with,
    outage::{self, Registry, repository},
    sandbox::Sandbox,
    serve::{Serving, until},
};

/// The repository of the other tests, with a schedule of every second second.
fn scheduled() -> Sandbox {
    let sandbox = repository();
    sandbox.edit("workflows/hello.yaml", "version: 1\n", "version: 1\ntrigger:\n  schedule: \"*/2 * * * * *\"\n");
    sandbox
}

fn serve(namespace: &Namespace, registry: &Registry, sandbox: &Sandbox) -> Serving {
    let mut command = namespace.command(Path::new(env!("CARGO_BIN_EXE_mangrove")));
    sandbox.prepare(&mut command);
    command.env("MANGROVE_NPM_REGISTRY", &registry.url);
    Serving::start_with(command, &["--rescan", "1h"])
}

/// All runs that have ended, oldest first.
fn ended(sandbox: &Sandbox) -> Vec<Value> {
    let listed = sandbox.json(&["run", "list", "--limit", "1000"]);
    let runs = listed["runs"].as_array().expect("runs");
    runs.iter().rev().filter(|run| !run["finishedAt"].is_null()).cloned().collect()
}

/// Waits until so many runs with this status have begun after `since`, an RFC 3339 time, and gives all runs since then.
fn wait_for(sandbox: &Sandbox, status: &str, count: usize, since: &str) -> Vec<Value> {
    let enough = || {
        let runs: Vec<Value> =
            ended(sandbox).into_iter().filter(|run| run["startedAt"].as_str() >= Some(since)).collect();
        (runs.iter().filter(|run| run["status"] == status).count() >= count).then_some(runs)
    };
    until(status, enough).unwrap_or_else(|| panic!("not {count} {status} runs since {since}: {:#?}", ended(sandbox)))
}

/// Now, as runs write it.
fn now() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S.%3NZ"]).output().expect("`date`");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn row(sandbox: &Sandbox, path: &str) -> Value {
    let types = sandbox.json(&["types", "--all"]);
    types["types"].as_array().expect("types").iter().find(|row| row["path"] == path).cloned().unwrap_or_default()
}

fn all_succeed(runs: &[Value]) {
    let wrong: Vec<&Value> = runs.iter().filter(|run| run["status"] != "succeeded").collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn fault_01_in_a_running_daemon_no_run_fails_once_the_network_is_there() {
    let Some(namespace) = Namespace::create("serve") else { return };
    namespace.loopback("up");
    let registry = Registry::start(&namespace);
    namespace.loopback("down");
    let sandbox = scheduled();
    let serving = serve(&namespace, &registry, &sandbox);

    // Runs end as blocked, say by what and why, and the workflow stays scheduled.
    let blocked = wait_for(&sandbox, "blocked", 2, "");
    assert!(blocked.iter().all(|run| run["status"] == "blocked"), "{blocked:#?}");
    let id = blocked[0]["runId"].as_str().expect("an identifier");
    let record = sandbox.json(&["run", "show", id]);
    assert_eq!(record["trigger"], "schedule", "{record:#}");
    assert_eq!(record["error"]["blockedBy"], "@acme/shout", "{record:#}");
    assert_eq!(record["error"]["failure"]["class"], "Transient", "{record:#}");

    namespace.loopback("up");
    let link_is_up = now();
    all_succeed(&wait_for(&sandbox, "succeeded", 3, &link_is_up));
    assert_eq!(row(&sandbox, "extensions/models/shout.ts")["state"], "Indexed");
    // A rejected export is an answer, whatever the network does.
    let rejected = "extensions/models/rejected.ts";
    assert_eq!(row(&sandbox, rejected)["state"], "ValidationFailed");

    // A restart between changes nothing; nor does the outage after it, since everything is cached.
    drop(serving);
    namespace.loopback("down");
    let restarted = now();
    let serving = serve(&namespace, &registry, &sandbox);
    all_succeed(&wait_for(&sandbox, "succeeded", 2, &restarted));
    drop(serving);
    namespace.loopback("up");
    let settled = outage::run(&namespace, &sandbox, &registry.url, &["scan", "--json", "--all"]).document();
    assert_eq!(settled["summary"]["built"], 0, "{settled:#}");
}

#[test]
fn fault_01_a_working_type_runs_on_its_last_good_code_until_the_new_one_can_be_built() {
    let Some(namespace) = Namespace::create("serve-edit") else { return };
    namespace.loopback("up");
    let registry = Registry::start(&namespace);
    let sandbox = scheduled();
    let _serving = serve(&namespace, &registry, &sandbox);
    wait_for(&sandbox, "succeeded", 1, "");

    // The source is edited so that it needs a package that is not cached.
    namespace.loopback("down");
    let path = "extensions/models/shout.ts";
    sandbox.edit(
        path,
        "import { shout } from \"npm:shout@^1\";",
        "import { whisper as shout } from \"npm:whisper@^1\";",
    );
    let is_degraded = || (row(&sandbox, path)["degraded"] == true).then_some(());
    until("the failure", is_degraded).unwrap_or_else(|| panic!("{:#}", row(&sandbox, path)));
    let edited = now();
    all_succeed(&wait_for(&sandbox, "succeeded", 2, &edited));

    namespace.loopback("up");
    let start = std::time::Instant::now();
    let is_new = || (row(&sandbox, path)["degraded"] == false).then(|| start.elapsed());
    let healed = until("the new code", is_new).unwrap_or_else(|| panic!("{:#}", row(&sandbox, path)));
    assert!(healed < Duration::from_secs(5), "the new code was live after {healed:?}");
    all_succeed(&wait_for(&sandbox, "succeeded", 2, &now()));
}

/// How many models fail for one cause.
const MODELS: usize = 100;

#[test]
fn fault_50_one_probe_asks_for_all_that_fail_for_one_cause() {
    let registry = FakeRegistry::start().expect("a free port");
    let sandbox = Sandbox::new("");
    for number in 0..MODELS {
        let name = format!("part-{number}");
        registry.publish(FakePackage::new(&name, "1.0.0").file("index.js", "export const part = 1;\n"));
        let head = format!("import {{ part }} from \"npm:{name}@^1\";\nexport const used = part;");
        sandbox.write(&format!("extensions/models/m{number}.ts"), &model_with(&head, &format!("@acme/m{number}"), ""));
    }
    registry.misbehave(None, Misbehaviour::Stall, None);
    let mut command = sandbox.command();
    command.env("MANGROVE_NPM_REGISTRY", registry.url());
    let _serving = Serving::start_with(command, &["--rescan", "1h"]);
    let in_state = |state: &str| {
        let types = sandbox.json(&["types", "--all"]);
        types["types"].as_array().expect("types").iter().filter(|row| row["state"] == state).count()
    };
    let all = |state: &str| until(state, || (in_state(state) == MODELS).then_some(()));
    all("BundleBuildFailed").unwrap_or_else(|| panic!("{} have failed", in_state("BundleBuildFailed")));

    // One of them asks for all, and waits 10 s for an answer; only then another one asks.
    registry.forget_requests();
    let start = std::time::Instant::now();
    // The delay after the first failures and its jitter, twice, come close to what is waited for elsewhere.
    let asked = || until("two requests", || (registry.requests().len() >= 2).then_some(()));
    asked().or_else(asked).expect("somebody goes on asking");
    let (waited, probes) = (start.elapsed(), registry.requests().len());
    assert!(waited >= Duration::from_secs(9) && probes == 2, "{probes} requests within {waited:?}");

    registry.heal().expect("the registry can answer");
    // A probe that waits for an answer that never comes takes 10 s, and the next one may be due a minute after it: the longest
    // delay between two tries.
    let healed = || all("Indexed");
    healed().or_else(healed).unwrap_or_else(|| panic!("only {} are indexed", in_state("Indexed")));
}
