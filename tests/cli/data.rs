//! `mangrove data`: documents that scripts of other programs read, over what real methods have written.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, has_program};

const ID: &str = "7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a01";

/// A repository whose method has written a resource twice and a file once.
fn written() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(
        "extensions/models/it.ts",
        "const schema = { _def: {}, parse: (value) => value, safeParse: (data) => ({ success: true, data }) };
export const model = {
  type: '@acme/it',
  version: '2026.05.23.1',
  resources: { host: { schema, lifetime: 'infinite', garbageCollection: 1, tags: { env: 'prod' } } },
  files: { log: { contentType: 'text/plain', lifetime: '30d', garbageCollection: 5 } },
  methods: { go: { description: 'Goes', arguments: schema, execute: async (_args, context) => {
    const before = context.dataRepository.listVersionsSync(context.modelType, 'it', 'host-a');
    await context.writeResource('host', 'host-a', { status: before.length === 0 ? 'failed' : 'ok', count: before.length });
    await context.createFileWriter('log', 'log').writeText('hello\\n');
  } }, delete: { description: 'Deletes', arguments: schema, execute: async () => {} } },
};
",
    );
    sandbox.write("models/@acme/it/it.yaml", &format!("id: {ID}\nname: it\nversion: 1\nmethods: {{}}\n"));
    for _ in 0..2 {
        let output = sandbox.run(&["model", "run", "it", "go", "--skip-reports"]);
        assert_eq!(output.code, 0, "{output}");
    }
    sandbox
}

/// The same without what differs from run to run.
fn settled(mut value: Value, keys: &[&str]) -> Value {
    for key in keys {
        assert!(value.as_object_mut().and_then(|members| members.remove(*key)).is_some(), "{key} in {value}");
    }
    value
}

#[test]
fn an_item_is_shown_with_its_content() {
    let sandbox = written();
    let found = sandbox.json(&["data", "get", "it", "host-a"]);
    assert!(found["contentPath"].as_str().is_some_and(|path| path.ends_with("/@host-a/2/raw")), "{found:#}");
    assert_eq!(found["ownerDefinition"], json!({ "ownerType": "model-method", "ownerRef": ID }));
    assert_eq!(
        settled(found, &["id", "createdAt", "contentPath", "ownerDefinition"]),
        json!({
            "schema": "mangrove.data/1", "name": "host-a", "modelId": ID, "modelName": "it", "modelType": "@acme/it",
            "version": 2, "contentType": "application/json", "lifetime": "infinite", "garbageCollection": 1,
            "streaming": false, "tags": { "type": "resource", "env": "prod", "specName": "host", "modelName": "it" },
            "size": 25, "checksum": "052a908e0a48330dacd11dd1f0e112c7f82871d6ddc5a9d0e684592c1b47ef49",
            "content": { "status": "ok", "count": 1 },
        })
    );
    let first = sandbox.json(&["data", "get", "--model", "it", "--name", "host-a", "--version", "1", "--no-content"]);
    assert!(first["version"] == 1 && first.get("content").is_none(), "{first:#}");
    assert_eq!(sandbox.json(&["data", "get", ID, "log"])["content"], "hello\n");
    let plain = sandbox.run(&["data", "get", "it", "log"]);
    assert_eq!(plain.stdout, "hello\n", "{plain}");
    for (arguments, words) in [
        (&["data", "get", "it", "host-b"][..], "there is no `host-b` of `it`"),
        (&["data", "get", "it", "host-a", "--version", "7"], "there is no version 7 of `host-a` of `it`"),
        (&["data", "get", "it", "host-a", "--version", "7"], "hint: there are the versions 1, 2"),
        (&["data", "delete", "it", "log", "--version", "7"], "hint: there are the versions 1, 2"),
        (&["data", "get", "ti", "host-a"], "there is no model `ti`"),
    ] {
        let output = sandbox.run(arguments);
        assert!(output.code == 1 && output.stderr.contains(words), "{output}");
    }
}

#[test]
fn items_and_versions_are_listed() {
    let sandbox = written();
    let list = sandbox.json(&["data", "list", "it"]);
    assert_eq!((&list["modelId"], &list["modelType"], &list["total"]), (&json!(ID), &json!("@acme/it"), &json!(2)));
    let groups: Vec<_> = list["groups"].as_array().expect("groups").iter().map(|group| &group["type"]).collect();
    assert_eq!(groups, ["file", "resource"]);
    assert_eq!(
        settled(list["groups"][1]["items"][0].clone(), &["id", "createdAt"]),
        json!({ "name": "host-a", "version": 2, "contentType": "application/json", "type": "resource", "streaming": false, "size": 25 })
    );
    let versions = sandbox.json(&["data", "versions", "it", "host-a"]);
    assert_eq!((&versions["dataName"], &versions["total"]), (&json!("host-a"), &json!(2)));
    let told: Vec<_> = versions["versions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|one| (&one["version"], &one["isLatest"]))
        .collect();
    assert_eq!(told, [(&json!(2), &json!(true)), (&json!(1), &json!(false))]);
    let all = sandbox.run(&["data", "list"]);
    assert!(all.code == 0 && all.stdout.starts_with("it"), "{all}");
    let runs: Value = sandbox.json(&["run", "list"]);
    let run = runs["runs"][0]["runId"].as_str().expect("a run").to_owned();
    let of_run = sandbox.json(&["data", "list", "--run", &run]);
    assert_eq!(
        (&of_run["runId"], &of_run["runStatus"], &of_run["total"]),
        (&json!(run), &json!("succeeded"), &json!(2))
    );
    assert_eq!(sandbox.json(&["data", "get", "it", "host-a", "--run", &run])["version"], 2);
}

#[test]
fn what_a_method_has_deleted_shows_its_last_state_and_is_found_no_more() {
    let sandbox = written();
    let output = sandbox.run(&["model", "run", "it", "delete", "--skip-reports"]);
    assert_eq!(output.code, 0, "{output}");
    let found = sandbox.json(&["data", "get", "it", "host-a"]);
    assert_eq!((&found["version"], &found["content"]["status"]), (&json!(3), &json!("ok")));
    assert_eq!(found["content"]["deletedByMethod"], "delete");
    assert!(found["content"]["deletedAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{found:#}");
    let left = sandbox.json(&["data", "list", "it"]);
    assert_eq!((&left["total"], &left["groups"][0]["type"]), (&json!(1), &json!("file")));
    assert_eq!(sandbox.json(&["data", "query", "name == \"host-a\""])["total"], 0);
}

#[test]
fn a_query_finds_records_and_tells_what_is_asked() {
    let sandbox = written();
    let found = sandbox.json(&["data", "query", "attributes.status == \"ok\""]);
    assert_eq!(
        (&found["predicate"], &found["total"], &found["limited"]),
        (&json!("attributes.status == \"ok\""), &json!(1), &json!(false))
    );
    let record = &found["results"][0];
    assert_eq!((&record["name"], &record["content"]), (&json!("host-a"), &json!({ "status": "ok", "count": 1 })));
    assert!(record.get("attributes").is_none(), "{record:#}");
    let all = sandbox.json(&["data", "query", "version > 0", "--select", "name + string(version)", "--limit", "2"]);
    assert_eq!(
        (&all["results"], &all["total"], &all["limited"]),
        (&json!(["host-a1", "log1"]), &json!(2), &json!(true))
    );
    for (predicate, words) in [("model == 1", "unknown field `model`"), ("name ==", "name ==")] {
        let output = sandbox.run(&["data", "query", predicate]);
        assert!(output.code == 1 && output.stderr.contains(words), "{output}");
    }
}

#[test]
fn what_is_not_kept_is_removed_when_it_is_asked_for() {
    let sandbox = written();
    let dry = sandbox.json(&["data", "gc", "--dry-run"]);
    assert_eq!(
        dry,
        json!({ "schema": "mangrove.data-gc/1", "dataEntriesExpired": 0, "versionsDeleted": 1, "bytesReclaimed": 29,
            "dryRun": true, "expiredEntries": [] })
    );
    assert_eq!(sandbox.json(&["data", "versions", "it", "host-a"])["total"], 2, "a dry run removes nothing");
    assert_eq!(sandbox.json(&["data", "gc", "-y"])["versionsDeleted"], 1);
    let left = sandbox.json(&["data", "versions", "it", "host-a"]);
    assert_eq!((&left["total"], &left["versions"][0]["version"]), (&json!(1), &json!(2)), "the newest is kept");
    let gone = sandbox.json(&["data", "delete", "it", "host-a", "-y"]);
    assert_eq!((&gone["versionsDeleted"], &gone["dataNames"]), (&json!(1), &json!(["host-a"])));
    assert_eq!(sandbox.run(&["data", "get", "it", "host-a"]).code, 1);
    assert_eq!(sandbox.json(&["data", "delete", "it", "--all", "--dry-run"])["versionsDeleted"], 2);
    assert_eq!(sandbox.json(&["data", "delete", "it", "--prefix", "lo"])["versionsDeleted"], 2);
}

#[test]
fn whoever_sits_before_a_terminal_is_asked_before_anything_is_deleted() {
    if !has_program("script", "what is asked on a terminal") {
        return;
    }
    let sandbox = written();
    let refused = sandbox.run_on_terminal(&["data", "delete", "it", "host-a"], "n\n");
    assert!(refused.code == 1 && refused.stdout.contains("Remove 2 versions of `host-a` of `it`? [y/N]"), "{refused}");
    assert!(refused.stdout.contains("nothing was done"), "{refused}");
    assert_eq!(sandbox.json(&["data", "versions", "it", "host-a"])["total"], 2, "{refused}");
    let forced = sandbox.run_on_terminal(&["data", "delete", "it", "host-a", "--version", "1", "-f"], "");
    assert!(forced.code == 0 && !forced.stdout.contains("[y/N]"), "{forced}");
    let agreed = sandbox.run_on_terminal(&["data", "delete", "it", "--all"], "y\n");
    assert!(agreed.code == 0 && agreed.stdout.contains("Remove 3 versions of 2 items of `it`?"), "{agreed}");
    assert_eq!(sandbox.json(&["data", "list", "it"])["total"], 0);
}
