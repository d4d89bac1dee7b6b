//! A run of 500 steps over 50 definitions, killed in the middle: what had ended is on record with its data, and it goes on.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::sandbox::Sandbox;

const JOBS: usize = 10;
const DEFINITIONS: usize = 50;

/// Ten jobs, one after the other, with a step for each of fifty definitions; each step writes an item of its own.
fn many() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(
        "extensions/models/m.ts",
        "const schema = { _def: {}, parse: (value) => value, safeParse: (data) => ({ success: true, data }) };
export const model = {
  type: '@acme/m',
  version: '2026.05.23.1',
  resources: { r: { schema, lifetime: 'infinite', garbageCollection: 5 } },
  methods: { go: { description: 'Goes', arguments: schema, execute: async (args, context) => {
    context.logger.info(`item ${args.n}`);
    await context.writeResource('r', `n-${args.n}`, { n: args.n });
  } } },
};
",
    );
    for definition in 0..DEFINITIONS {
        let text = format!("id: 00000000-0000-4000-8000-0000000000{definition:02}\nname: d{definition}\nversion: 1\n");
        sandbox.write(&format!("models/@acme/m/d{definition}.yaml"), &text);
    }
    let mut workflow = "id: 11111111-1111-4111-8111-111111111111\nname: many\nversion: 1\njobs:\n".to_owned();
    let mut line = |text: String| writeln!(workflow, "{text}").expect("a text takes more");
    for job in 0..JOBS {
        line(format!("  - name: j{job}\n    concurrency: 4"));
        if job > 0 {
            line(format!("    dependsOn: [{{job: j{}, condition: {{type: succeeded}}}}]", job - 1));
        }
        line("    steps:".to_owned());
        for definition in 0..DEFINITIONS {
            let n = job * DEFINITIONS + definition;
            line(format!("      - name: s{n}"));
            line(format!(
                "        task: {{type: model_method, modelIdOrName: d{definition}, methodName: go, inputs: {{n: {n}}}}}"
            ));
        }
    }
    sandbox.write("workflows/many.yaml", &workflow);
    sandbox
}

/// How many steps of a run have each status.
fn statuses(run: &Value) -> BTreeMap<&str, usize> {
    let steps = run["jobs"].as_array().expect("jobs").iter().flat_map(|job| job["steps"].as_array().expect("steps"));
    let mut counts = BTreeMap::new();
    for step in steps {
        *counts.entry(step["status"].as_str().expect("a status")).or_default() += 1;
    }
    counts
}

/// The versions of the items that all definitions have, by the number of the item.
fn versions(sandbox: &Sandbox) -> BTreeMap<u64, u64> {
    let found = sandbox.json(&["data", "query", "dataType == \"resource\"", "--limit", "1000"]);
    let results = found["results"].as_array().expect("results");
    let number = |record: &Value| record["name"].as_str()?.strip_prefix("n-")?.parse().ok();
    results.iter().filter_map(|record| Some((number(record)?, record["version"].as_u64()?))).collect()
}

#[test]
fn a_run_of_500_steps_that_is_killed_loses_nothing_and_goes_on() {
    let sandbox = many();
    let mut child = sandbox.start(&["workflow", "run", "many"]);
    let deadline = Instant::now() + Duration::from_mins(2);
    let mut id = String::new();
    while Instant::now() < deadline {
        let list = sandbox.json(&["run", "list"]);
        if let Some(found) = list["runs"][0]["runId"].as_str() {
            found.clone_into(&mut id);
            let run = sandbox.json(&["run", "show", &id]);
            if statuses(&run).get("succeeded").is_some_and(|ended| *ended > 60) {
                break;
            }
        }
    }
    child.kill().expect("a run to kill");
    child.wait().expect("it is gone");

    let killed = sandbox.json(&["run", "show", &id]);
    assert_eq!(killed["status"], "interrupted");
    let counts = statuses(&killed);
    let ended = counts["succeeded"];
    assert!(ended > 60 && ended < JOBS * DEFINITIONS, "{counts:?}");
    let kept = versions(&sandbox);
    let jobs = killed["jobs"].as_array().expect("jobs");
    let steps: Vec<&Value> = jobs.iter().flat_map(|job| job["steps"].as_array().expect("steps")).collect();
    for step in steps.iter().filter(|step| step["status"] == "succeeded") {
        let n = step["name"].as_str().and_then(|name| name.strip_prefix('s')?.parse().ok()).expect("a number");
        assert_eq!(kept.get(&n), Some(&1), "the item of {} is stored", step["name"]);
        assert_eq!(step["logs"][0]["text"], format!("item {n}"));
    }

    let unnamed = sandbox.run(&["workflow", "resume", "many", "--run", &id]);
    let first = steps.iter().find(|step| step["status"] == "interrupted").expect("one was under way");
    let first = first["name"].as_str().expect("a name");
    assert!(unnamed.code != 0 && unnamed.stderr.contains(&format!("`--from {first}`")), "{unnamed}");
    let resumed = sandbox.run(&["workflow", "resume", "many", "--run", &id, "--from", first]);
    assert_eq!(resumed.code, 0, "{resumed}");
    let whole = sandbox.json(&["run", "show", &id]);
    assert_eq!((&whole["status"], statuses(&whole)), (&"succeeded".into(), BTreeMap::from([("succeeded", 500)])));
    let all = versions(&sandbox);
    assert_eq!(all.len(), 500);
    let again = all.values().filter(|version| **version > 1).count();
    assert!(again <= 8, "what had ended is not done again, but for what was under way: {again}");
}
