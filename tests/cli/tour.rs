//! The tour (`examples/tour`) from its first command to its last: what each step shows, and not only that it ends well.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, files_below};

fn tour() -> Sandbox {
    Sandbox::copy_of("examples/tour")
}

/// The content of an item of data.
fn data(sandbox: &Sandbox, model: &str, name: &str) -> Value {
    item(sandbox, model, name)["content"].take()
}

fn item(sandbox: &Sandbox, model: &str, name: &str) -> Value {
    sandbox.json(&["data", "get", model, name])
}

/// The record of the latest run of a workflow.
fn record(sandbox: &Sandbox, workflow: &str) -> Value {
    let list = sandbox.json(&["run", "list"]);
    let run = list["runs"].as_array().expect("runs").iter().find(|run| run["name"] == workflow);
    let id = run.unwrap_or_else(|| panic!("no run of `{workflow}`: {list:#}"))["runId"].as_str().expect("a run");
    sandbox.json(&["run", "show", id])
}

/// The steps of a run by their names.
fn steps(record: &Value) -> BTreeMap<String, Value> {
    let jobs = record["jobs"].as_array().expect("jobs").iter();
    let steps = jobs.flat_map(|job| job["steps"].as_array().expect("steps"));
    steps.map(|step| (step["name"].as_str().expect("a name").to_owned(), step.clone())).collect()
}

fn lines(step: &Value) -> Vec<&str> {
    step["logs"].as_array().into_iter().flatten().filter_map(|line| line["text"].as_str()).collect()
}

fn started(step: &Value) -> &str {
    step["startedAt"].as_str().unwrap_or_else(|| panic!("it has not started: {step:#}"))
}

fn error(step: &Value) -> &str {
    step["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {step:#}"))
}

#[test]
fn the_tour_shows_what_it_says() {
    let sandbox = tour();
    let valid = sandbox.run(&["workflow", "validate"]);
    assert_eq!(valid.code, 0, "{valid}");
    let output = sandbox.run(&["workflow", "run", "tour", "--fail-on", "high", "--junit", "--out", "assertions.xml"]);
    assert_eq!(output.code, 0, "{output}");

    let tour = record(&sandbox, "tour");
    assert_eq!((&tour["status"], &tour["tags"]["tour"]), (&json!("succeeded"), &json!("yes")), "{tour:#}");
    let assertions = sandbox.tree.read("assertions.xml").expect("a report");
    assert!(
        assertions.contains("name=\"beans-grow\"") && assertions.contains("there are no roses, Ada"),
        "{assertions}"
    );
    assert_eq!(assertions.matches("<failure").count(), 1, "{assertions}");

    values(&sandbox);
    models(&sandbox);
    contexts(&sandbox);
    data_between_steps(&sandbox);
    order(&sandbox);
    drivers(&sandbox);
    reports(&sandbox);
}

/// `workflows/workflow-values.yaml`
fn values(sandbox: &Sandbox) {
    assert_eq!(
        data(sandbox, "ada", "values"),
        json!({
            "beds": 2, "dry": true, "spacing": { "beans": 10, "peas": 5 }, "text": "Ada has 2 beds",
            "list": "crops: [\n  \"beans\",\n  \"peas\"\n]", "half": 0.5, "whole": 3, "filtered": ["beans"],
            "joined": "BEANS+PEAS", "bound": 4, "absent": null, "optional": 30, "has": false, "year": true,
            "after": "5400s", "workflow": "values values", "env": "not set", "workers": 0, "sameRun": true,
            "mock": "lunch is ***",
        })
    );
    assert_eq!(data(sandbox, "greet", "result")["stdout"], "hello Ada (3)");
    assert_eq!(data(sandbox, "door", "result")["stdout"], "the code has 16 letters: ***\nBearer ***");
    let leek = data(sandbox, "east", "leek");
    assert_eq!(leek, json!({ "crop": "leek", "count": 4, "label": "the east", "area": 2, "soil": "loam" }));
    assert_eq!(data(sandbox, "bob", "bob"), json!({ "tool": "spade", "years": 12 }));
    let made = sandbox.tree.read(".mangrove/auto-definitions/@tour/gardener/bob.yaml").expect("a definition");
    assert!(made.contains("tool: spade"), "{made}");
}

/// `workflows/workflow-models.yaml`, up to contexts
fn models(sandbox: &Sandbox) {
    let run = record(sandbox, "models");
    let steps = steps(&run);
    let beans = item(sandbox, "north", "beans");
    assert_eq!(
        (&beans["version"], &beans["lifetime"], &beans["garbageCollection"]),
        (&json!(3), &json!("1y"), &json!(2))
    );
    assert_eq!(
        (&beans["tags"]["kingdom"], &beans["ownerDefinition"]["stepName"]),
        (&json!("plants"), &json!("fertilise"))
    );
    let grown = json!({
        "crop": "beans", "count": 3, "label": "north of roots", "area": 6, "soil": "loam", "litres": 4, "fed": "compost",
    });
    assert_eq!(beans["content"], grown);
    assert_eq!(lines(&steps["look"]), ["beans: 0 litres at first, 4 now"]);

    let kale = data(sandbox, "south", "kale");
    assert_eq!(
        (&kale["area"], &kale["deletedByMethod"]),
        (&json!(4), &json!("clear")),
        "upgraded, and deleted: {kale}"
    );
    assert!(lines(&steps["upgraded"]).iter().any(|line| line.contains("upgraded to 2026.05.23.2")), "{run:#}");
    let south = sandbox.tree.read("models/@tour/bed/south.yaml").expect("a definition");
    assert!(south.contains("size: 4"), "nobody rewrites it: {south}");
    assert_eq!(data(sandbox, "west", "sage")["label"], "the old west");

    for (step, objection) in [
        ("drown", "check `not-too-wet`: 40 litres drown everything"),
        ("plastic", "check `no-plastic`: plastic does not rot"),
    ] {
        assert!(steps[step]["status"] == "failed" && error(&steps[step]).contains(objection), "{:#}", steps[step]);
    }
    assert_eq!(data(sandbox, "north", "diary"), "the bed north\nrain\n");
    for (name, bytes) in [("bytes", vec![255, 216, 0, 1]), ("stream", vec![255, 216, 0, 1, 255, 216, 0, 1])] {
        assert_eq!(item(sandbox, "north", name)["size"], bytes.len(), "{name}");
        let kept = files_below(&sandbox.tree.path(".mangrove/data")).into_iter();
        assert!(kept.filter_map(|file| std::fs::read(file).ok()).any(|found| found == bytes), "{name}");
    }
    let keys = data(sandbox, "north", "keys");
    let is_kept = |key: &str| keys[key].as_str().is_some_and(|text| text.starts_with("${{ vault.get('"));
    assert!(is_kept("front") && is_kept("back"), "{keys}");

    assert_eq!(data(sandbox, "compass", "north"), json!({ "at": "north", "degrees": 0 }), "from a mount");

    let gate = json!({ "hint": "four digits, four words", "code": "${{ vault.get('safe', 'gate-code') }}" });
    assert_eq!(data(sandbox, "north", "gate"), gate);
    assert_eq!(lines(&steps["lock"]), ["the code has 18 letters: ***"]);
    assert_eq!(data(sandbox, "gate", "result")["stdout"], "open");
    assert_eq!(sandbox.run(&["vault", "read-secret", "safe", "gate-code"]).stdout, "4711-correct-horse");
    for file in files_below(&sandbox.tree.path(".mangrove/data")) {
        let bytes = std::fs::read(&file).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        let secrets = ["4711-correct-horse", "0000-open-sesame", "gardeners-only", "-key-of-the-garden"];
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{}: {text}", file.display());
    }
}

/// `workflows/workflow-models.yaml`: what a method finds in its context
fn contexts(sandbox: &Sandbox) {
    let steps = steps(&record(sandbox, "models"));
    let told = [
        "text",
        "3 beds of Ada, {so}",
        "{\"only\":\"properties\"}",
        "hello Ada",
        "called back by Ada",
        "dry: north",
        "a detail",
        "console",
    ];
    assert_eq!(lines(&steps["tell"]), told);
    assert_eq!(
        data(sandbox, "ada", "survey"),
        json!({
            "type": "@tour/bed", "queried": ["beans", "beans", "beans"], "records": ["beans", "peas"],
            "names": ["beans", "bytes", "diary", "gate", "keys", "peas", "stream"], "versions": [1, 2, 3], "content": "beans",
            "vaults": ["basket", "safe", "shed"], "door": 16, "masked": "the door opens with ***",
        })
    );
    let herbarium = item(sandbox, "ada", "herbarium");
    assert_eq!((&herbarium["content"], &herbarium["lifetime"]), (&json!("pressed leaves\n"), &json!("30d")));
    assert_eq!(item(sandbox, "ada", "scrap")["lifetime"], "workflow");
    assert_eq!(sandbox.run(&["data", "get", "ada", "scribble"]).code, 1, "it was taken away");
    let delegated = data(sandbox, "ada", "delegated");
    assert_eq!((&delegated["read"], &delegated["sum"]), (&json!(["log", "result"]), &json!(3)), "{delegated}");
    let wrong = delegated["wrong"].as_str().expect("a message");
    assert!(wrong.contains("11 litres drown everything"), "{wrong}");
    assert_eq!(data(sandbox, "reader", "result")["stdout"], "Beans want warm soil.");
}

/// `workflows/workflow-data.yaml`
fn data_between_steps(sandbox: &Sandbox) {
    assert_eq!(
        data(sandbox, "ada", "found"),
        json!({
            "latest": 9, "nothing": null, "cautious": 0, "versions": true, "first": 8,
            "bySpec": ["sage by old-layout", "radish-spring by sow", "radish-spring by sow-again"], "byTag": [8],
            "queried": [{ "n": "radish-spring", "c": 9 }], "diary": "radish\nmore radish\n", "model": "north of roots",
            "definition": "roots",
        })
    );
    let first = sandbox.json(&["data", "get", "west", "radish-spring", "--version", "1"]);
    assert_eq!(
        (&first["lifetime"], &first["garbageCollection"], &first["tags"]["sown"]),
        (&json!("30d"), &json!(2), &json!("in spring"))
    );
}

/// `workflows/workflow-order.yaml`, `extensions/workflows/failing.yaml`
fn order(sandbox: &Sandbox) {
    let run = record(sandbox, "order");
    assert_eq!(run["status"], "succeeded", "{run:#}");
    let steps = steps(&run);
    let status = |step: &str| steps[step]["status"].as_str().unwrap_or_else(|| panic!("no step {step}"));
    let queue = ["light-a", "light-b", "heavy"].map(|step| started(&steps[step]));
    assert!(queue.is_sorted(), "less weight first: {queue:?}");
    let lengths = ["crop-beans", "crop-peas"].map(|note| data(sandbox, "ada", note)["length"].clone());
    assert_eq!(lengths, [json!(5), json!(4)]);
    let plants = ["row-front", "row-back"].map(|note| data(sandbox, "ada", note)["plants"].clone());
    assert_eq!(plants, [json!(2), json!(1)]);
    assert!(["row-front", "row-back"].iter().all(|row| started(&steps[*row]) < started(&steps["all-rows"])));
    assert!(!steps.keys().any(|name| name.starts_with("never")), "nothing to repeat");

    for (step, expected) in [
        ("guarded", "skipped"),
        ("asked", "skipped"),
        ("sees", "succeeded"),
        ("unguarded", "succeeded"),
        ("after-guarded", "skipped"),
        ("either", "succeeded"),
        ("breaks", "failed"),
        ("repairs", "succeeded"),
        ("celebrates", "skipped"),
        ("too-slow", "failed"),
        ("nested", "failed"),
        ("unlucky", "skipped"),
    ] {
        assert_eq!(status(step), expected, "{step}");
    }
    assert!(error(&steps["breaks"]).contains("exited with code 3"));
    assert!(error(&steps["too-slow"]).contains("did not end within 1000 ms"));
    assert_eq!(data(sandbox, "shrugs", "result")["exitCode"], 3);

    let failing = record(sandbox, "failing");
    assert_eq!(failing["status"], "failed", "{failing:#}");
    let statuses: Vec<(String, Value)> =
        self::steps(&failing).into_iter().map(|(name, mut step)| (name, step["status"].take())).collect();
    let expected = [("breaks", "failed"), ("later", "pending"), ("sweep", "succeeded")];
    assert_eq!(statuses, expected.map(|(name, status)| (name.to_owned(), json!(status))));
}

/// `extensions/drivers`
fn drivers(sandbox: &Sandbox) {
    let steps = steps(&record(sandbox, "models"));
    let harvest = &steps["harvest"];
    assert_eq!(harvest["provenance"]["driver"], "@tour/neighbour", "{harvest:#}");
    let asked: Vec<&str> = lines(harvest).into_iter().filter(|line| line.contains("Bea")).collect();
    assert_eq!(asked, ["Bea is asked to harvest the hive", "Bea is done"]);
    sandbox.scan(&[]);
    let barn = sandbox.json(&["describe", "@tour/barn", "--kind", "datastore"]);
    assert_eq!(barn["type"], "@tour/barn", "{barn:#}");
    let honey = item(sandbox, "hive", "honey");
    assert_eq!(
        (&honey["content"], &honey["tags"]["by"]),
        (&json!({ "jars": 6, "from": "Bea", "key": "***", "code": true }), &json!("Bea")),
        "a secret that comes back is no data"
    );
    assert_eq!(data(sandbox, "hive", "receipt"), "6 jars\n");
}

/// `extensions/reports`
fn reports(sandbox: &Sandbox) {
    let season = sandbox.run(&["report", "get", "@tour/season", "--markdown"]).stdout;
    assert!(season.starts_with("# models: succeeded\n") && season.contains("- drown: north.water failed"), "{season}");
    let bed = sandbox.json(&["report", "get", "@tour/bed-report", "--model", "north"]);
    assert_eq!(bed["json"], json!({ "method": "look", "arguments": { "crop": "beans" }, "written": [] }));
}

#[test]
fn the_tour_waits_for_somebody() {
    let sandbox = tour();
    let list = sandbox.json(&["workflow", "list"]);
    let release = list["workflows"].as_array().expect("workflows").iter().find(|it| it["name"] == "release");
    let release = release.expect("the workflow");
    assert!(release["schedule"] == "0 6 * * MON" && release["nextRun"].is_string(), "{release:#}");

    let output = sandbox.run(&["workflow", "run", "release", "--input", "visitors=4"]);
    assert!(output.code == 0 && output.stdout.contains("Open the garden for 4 visitors?"), "{output}");
    assert_eq!(sandbox.run(&["workflow", "resume", "release"]).code, 1, "nobody has approved");
    let approved = sandbox.json(&["workflow", "approve", "release", "ask", "--reason", "sunny"]);
    assert_eq!((&approved["approved"], &approved["reason"]), (&json!(true), &json!("sunny")));
    let resumed = sandbox.run(&["workflow", "resume", "release"]);
    assert_eq!(resumed.code, 0, "{resumed}");
    assert_eq!(data(&sandbox, "ada", "opened"), json!({ "visitors": 4 }));

    assert_eq!(sandbox.run(&["workflow", "run", "release"]).code, 0);
    let rejected = sandbox.json(&["workflow", "reject", "release", "ask"]);
    assert_eq!(rejected["runStatus"], "failed", "{rejected:#}");
}
