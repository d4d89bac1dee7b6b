//! Drivers through the real program: chosen, told, heard, and what they give stored like what a method writes.

use mangrove_testkit::registry::{FakePackage, FakeRegistry};
use serde_json::{Value, json};

use crate::sandbox::{Output, Sandbox, files_below};

/// A schema, a model, and a driver that says what it was told. What it gives is chosen by `does` of its configuration.
const FIXTURE: &str = r#"
//- /extensions/models/_lib/schema.ts
export const schema = (known: Record<string, string>, make = (it: any) => it) => ({
  _def: {}, parse: (it: any) => it,
  safeParse: (it: any) => {
    const issues = Object.keys(known).filter((key) => typeof it[key] !== known[key]).map((key) => ({ path: [key], message: `expected a ${known[key]}` }));
    return issues.length ? { success: false, error: { issues } } : { success: true, data: make(it) };
  },
});
//- /extensions/models/echo.ts
import { schema } from "./_lib/schema.ts";
export const model = {
  type: "@t/echo", version: "2026.01.01.1",
  globalArguments: { ...schema({}, (it) => ({ port: 80, ...it })) },
  resources: {
    said: { description: "what was said", schema: schema({}), lifetime: "30d", garbageCollection: 3, tags: { kind: "speech" } },
    account: { description: "a secret", schema: schema({}), lifetime: "infinite", garbageCollection: 3, sensitiveOutput: true },
  },
  files: { log: { description: "lines", contentType: "text/plain", lifetime: "1d", garbageCollection: 2 } },
  checks: { polite: { description: "no shouting", appliesTo: ["say"],
    execute: (ctx: any) => ({ pass: ctx.unresolvedMethodArgs.text !== "SHOUT", errors: ["do not shout"] }) } },
  methods: {
    say: { description: "says", arguments: schema({ text: "string" }, (it) => ({ ...it, length: it.text.length })),
      execute: async (args: any, ctx: any) => { await ctx.writeResource("said", "here", { text: args.text, where: "here" }); } },
    remove: { description: "removes", kind: "delete", arguments: schema({}), execute: async () => {} },
    delegate: { description: "calls", arguments: schema({}),
      execute: async (_args: any, ctx: any) => {
        const done = await ctx.runModel({ definition: "other", method: "say", arguments: { text: "from afar" } });
        if (!done.ok) throw new Error(done.error.message);
      } },
  },
};
//- /extensions/drivers/far.ts
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const pending = (specName: string, name: string, content: unknown, more = {}) =>
  ({ kind: "pending", specName, name, type: "resource", content: bytes(content), ...more });
const does: Record<string, (request: any, callbacks: any, config: any) => any> = {
  tell: ({ bundle, ...request }) => [pending("said", "told", { ...request, code: bundle && new TextDecoder().decode(bundle).includes("where") })],
  write: (request) => [
    pending("said", "far", { text: request.methodArgs.text, where: "far away" }, { tags: { by: "far" } }),
    { kind: "pending", specName: "log", name: "log", type: "file", content: new Uint8Array([255, 0, 1]) },
    pending("account", "main", { password: "correct-horse", user: "ada" }),
  ],
  print: () => [pending("said", "printed", "hello\nworld\n")],
  undeclared: () => [pending("capture", "captured", { a: 1 })],
  fail: () => { throw new Error("no route to far"); },
  sayError: (request) => ({ status: "error", error: `far says no to ${request.methodArgs.text}`, logs: [], outputs: [pending("said", "before", { n: 1 })] }),
  nothing: () => ({ outputs: [] }),
  persisted: () => [{ kind: "persisted", handle: {} }],
  badName: () => [pending("said", "a/b", {})],
  hang: (_request, { onLog, signal }) => new Promise((resolve) => {
    signal.addEventListener("abort", () => { onLog("far was told to end"); resolve([]); });
    onLog("far waits");
    setTimeout(() => resolve([]), 60000);
  }),
};
export const driver = {
  type: "@t/far", name: "Far", description: "runs nothing, and says what it was told",
  configSchema: { _def: {}, parse: (it: any) => it, safeParse: (it: any) => typeof it.does === "string" ? { success: true, data: it } : { success: false, error: { issues: [{ path: ["does"], message: "expected a string" }] } } },
  createDriver: (config: any) => ({
    type: "@t/far",
    async execute(request: any, callbacks: any) {
      callbacks.onLog(`${request.methodName} of ${request.definitionMeta.name} goes far`);
      const given = await does[config.does](request, callbacks, config);
      return Array.isArray(given) ? { status: "success", outputs: given, logs: [`${request.methodName} of ${request.definitionMeta.name} goes far`, "far is done"], durationMs: 1 } : given;
    },
  }),
};
//- /models/echo.yaml
id: 00000000-0000-4000-8000-00000000000e
name: echo
type: '@t/echo'
globalArguments: { host: example.org }
//- /models/other.yaml
id: 00000000-0000-4000-8000-00000000000f
name: other
type: '@t/echo'
//- /workflows/workflow-w.yaml
id: 00000000-0000-4000-8000-0000000000aa
name: w
jobs:
  - name: j
    steps:
      - name: s
        task: { type: model_method, modelIdOrName: echo, methodName: say, inputs: { text: hello } }
        timeout: 2
"#;

const REPOSITORY: &str = "repoId: 00000000-0000-4000-8000-000000000001\n";

/// A repository with this marker, and a vault for what its type calls sensitive.
fn repository(drivers: &str) -> Sandbox {
    let sandbox = Sandbox::new(FIXTURE);
    sandbox.write("mangrove.yaml", &format!("{REPOSITORY}{drivers}\n"));
    sandbox.json(&["vault", "create", "local_encryption", "safe"]);
    sandbox
}

/// One whose driver does this, which `drivers:` names for nothing.
fn far(does: &str) -> Sandbox {
    repository(&format!("drivers: {{ '@t/far': {{ config: {{ does: {does} }} }} }}"))
}

/// The same; it runs what this subject names.
fn far_for(subject: &str, does: &str, more: &str) -> Sandbox {
    repository(&format!("drivers: {{ '{subject}': {{ driver: '@t/far', config: {{ does: {does} }}{more} }} }}"))
}

fn say(sandbox: &Sandbox, more: &[&str]) -> Output {
    sandbox.run(&[&["model", "method", "run", "echo", "say", "--input", "text=hello", "--json"], more].concat())
}

/// The only step of the latest run.
fn step(sandbox: &Sandbox) -> Value {
    let list = sandbox.json(&["run", "list"]);
    let id = list["runs"][0]["runId"].as_str().unwrap_or_else(|| panic!("no run: {list:#}"));
    sandbox.json(&["run", "show", id])["jobs"][0]["steps"][0].take()
}

fn lines(step: &Value) -> Vec<&str> {
    step["logs"].as_array().into_iter().flatten().filter_map(|line| line["text"].as_str()).collect()
}

fn item(sandbox: &Sandbox, name: &str) -> Value {
    sandbox.json(&["data", "get", "echo", name])
}

/// The code and the message of the error of the latest run.
fn error(sandbox: &Sandbox) -> (String, String) {
    let step = step(sandbox);
    let text = |key: &str| step["error"][key].as_str().unwrap_or_else(|| panic!("no error: {step:#}")).to_owned();
    (text("code"), text("message"))
}

#[test]
fn a_driver_is_told_what_the_method_would_have_got() {
    let sandbox = far("tell");
    let output = say(&sandbox, &["--driver", "@t/far"]);
    assert_eq!(output.code, 0, "{output}");
    let mut told = item(&sandbox, "told")["content"].take();
    let schemas = [
        told["resourceSpecs"]["said"].take(),
        told["resourceSpecs"]["account"].take(),
        told["fileSpecs"]["log"].take(),
    ];
    assert_eq!(
        told,
        json!({
            "protocolVersion": 1, "modelType": "@t/echo", "modelId": "00000000-0000-4000-8000-00000000000e",
            "methodName": "say", "globalArgs": { "port": 80, "host": "example.org" },
            "methodArgs": { "host": "example.org", "text": "hello", "length": 5 },
            "definitionMeta": { "id": "00000000-0000-4000-8000-00000000000e", "name": "echo", "version": 1, "tags": {} },
            "resourceSpecs": { "said": null, "account": null }, "fileSpecs": { "log": null }, "traceHeaders": {},
            "code": true,
        })
    );
    assert_eq!((&schemas[0]["lifetime"], &schemas[2]["contentType"]), (&json!("30d"), &json!("text/plain")));
    let step = step(&sandbox);
    assert_eq!(lines(&step), ["say of echo goes far", "far is done"], "each line once");
    assert_eq!(step["provenance"]["driver"], "@t/far");
    let told = sandbox.run(&["model", "method", "run", "echo", "say", "--input", "text=hello", "--driver", "@t/far"]);
    assert!(told.stdout.contains("      run by the driver @t/far\n"), "{told}");
    let runs = sandbox.json(&["run", "list"]);
    let shown = sandbox.run(&["run", "show", runs["runs"][0]["runId"].as_str().expect("a run")]);
    assert!(shown.stdout.contains("      run by the driver @t/far\n"), "{shown}");
    assert_eq!(step["provenance"]["type"], "@t/echo");
}

#[test]
fn what_a_driver_gives_is_stored_as_what_a_method_writes() {
    let sandbox = far("write");
    let output = say(&sandbox, &["--driver", "@t/far", "--tag", "run=7"]);
    assert_eq!(output.code, 0, "{output}");
    let said = item(&sandbox, "far");
    assert_eq!(said["content"], json!({ "text": "hello", "where": "far away" }));
    assert_eq!(
        (&said["lifetime"], &said["garbageCollection"], &said["tags"]["specName"]),
        (&json!("30d"), &json!(3), &json!("said"))
    );
    let tags = &said["tags"];
    assert_eq!(
        (&tags["kind"], &tags["by"], &tags["run"], &tags["modelName"]),
        (&json!("speech"), &json!("far"), &json!("7"), &json!("echo"))
    );
    let log = item(&sandbox, "log");
    assert_eq!((&log["contentType"], &log["size"]), (&json!("text/plain"), &json!(3)), "{log:#}");
    let account = &item(&sandbox, "main")["content"];
    assert!(account["password"].as_str().is_some_and(|text| text.starts_with("${{ vault.get('safe', ")), "{account}");
    let names: Vec<Value> =
        step(&sandbox)["dataHandles"].as_array().expect("handles").iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["far", "log", "main"]);
    for file in files_below(&sandbox.tree.path(".mangrove/data")) {
        let bytes = std::fs::read(&file).expect("a file");
        assert!(!String::from_utf8_lossy(&bytes).contains("correct-horse"), "{}", file.display());
    }
}

#[test]
fn the_marker_chooses_and_the_command_line_comes_first() {
    for subject in ["@t/echo", "@local/00000000-0000-4000-8000-000000000001", "*"] {
        let sandbox = far_for(subject, "write", "");
        let output = say(&sandbox, &[]);
        assert_eq!(
            (output.code, step(&sandbox)["provenance"]["driver"].as_str()),
            (0, Some("@t/far")),
            "{subject}: {output}"
        );
        let output = say(&sandbox, &["--driver", "none"]);
        assert_eq!(output.code, 0, "{output}");
        assert_eq!(item(&sandbox, "here")["content"]["where"], "here");
        assert_eq!(step(&sandbox)["provenance"]["driver"], Value::Null);
    }
    let sandbox = far_for("*", "write", "");
    sandbox.edit("mangrove.yaml", "drivers: {", "drivers: { '@t/echo': none,");
    assert_eq!(say(&sandbox, &[]).code, 0);
    assert_eq!(item(&sandbox, "here")["content"]["where"], "here");
}

#[test]
fn workflows_nested_methods_and_commands_go_there_as_well() {
    let sandbox = far("write");
    let output = sandbox.run(&["workflow", "run", "w", "--driver", "@t/far", "--json"]);
    assert_eq!(output.code, 0, "{output}");
    let said = item(&sandbox, "far");
    assert_eq!(
        (&said["ownerDefinition"]["stepName"], &said["tags"]["workflow"]),
        (&json!("s"), &json!("w")),
        "{said:#}"
    );

    // What a method calls by its context goes where the marker says.
    sandbox.write("mangrove.yaml", REPOSITORY);
    sandbox.write("extensions/models/caller.ts", "import { schema } from './_lib/schema.ts';
        export const model = { type: '@t/caller', version: '2026.01.01.1', methods: { call: { description: 'calls', arguments: schema({}),
          execute: async (_args: any, ctx: any) => {
            const done = await ctx.runModel({ definition: 'echo', method: 'say', arguments: { text: 'nested' } });
            if (!done.ok) throw new Error(done.error.message);
          } } } };");
    sandbox.write("models/caller.yaml", "id: 00000000-0000-4000-8000-00000000000c\nname: caller\ntype: '@t/caller'\n");
    sandbox.write(
        "mangrove.yaml",
        &format!("{REPOSITORY}drivers: {{ '@t/echo': {{ driver: '@t/far', config: {{ does: write }} }} }}\n"),
    );
    let output = sandbox.run(&["model", "method", "run", "caller", "call"]);
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(item(&sandbox, "far")["content"]["text"], "nested");

    let sandbox = far("tell");
    let run =
        ["model", "method", "run", "command/shell", "execute", "sh", "--input", "run=echo hi", "--driver", "@t/far"];
    let output = sandbox.run(&run);
    assert_eq!(output.code, 0, "{output}");
    let told = sandbox.json(&["data", "get", "sh", "told"])["content"].take();
    assert_eq!((&told["methodArgs"], &told["code"]), (&json!({ "run": "echo hi" }), &Value::Null), "{told:#}");
    let output = sandbox.run(&[&run[..7], &["run=", "--driver", "@t/far"]].concat());
    assert!(output.code == 1 && output.stdout.contains("MG0605"), "{output}");
}

#[test]
fn checks_and_schemas_come_first_and_a_deletion_is_one() {
    let sandbox = far("write");
    let shout = sandbox.run(&["model", "run", "echo", "say", "--input", "text=SHOUT", "--driver", "@t/far"]);
    assert!(shout.code == 1 && shout.stdout.contains("do not shout"), "{shout}");
    let wrong = sandbox.run(&["model", "run", "echo", "say", "--driver", "@t/far"]);
    assert!(
        wrong.code == 1 && wrong.stdout.contains("MG0605") && wrong.stdout.contains("expected a string"),
        "{wrong}"
    );
    assert_eq!(lines(&step(&sandbox)), [""; 0], "nobody called the driver");

    sandbox.write(
        "mangrove.yaml",
        &format!("{REPOSITORY}drivers: {{ '@t/far': {{ config: {{ does: undeclared }} }} }}\n"),
    );
    assert_eq!(say(&sandbox, &["--driver", "none"]).code, 0);
    let output = sandbox.run(&["model", "run", "echo", "remove", "--driver", "@t/far"]);
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(item(&sandbox, "here")["content"]["deletedByMethod"], "remove");
}

#[test]
fn what_is_no_json_or_declared_by_nobody_is_kept_and_told() {
    let sandbox = far("print");
    assert_eq!(say(&sandbox, &["--driver", "@t/far"]).code, 0);
    assert_eq!(item(&sandbox, "printed")["content"], "hello\nworld\n");
    assert!(lines(&step(&sandbox)).iter().any(|line| line.contains("the driver gives no JSON")));
    let sandbox = far("undeclared");
    assert_eq!(say(&sandbox, &["--driver", "@t/far"]).code, 0);
    let captured = item(&sandbox, "captured");
    assert_eq!((&captured["content"], &captured["tags"]["specName"]), (&json!({ "a": 1 }), &json!("capture")));
    assert!(lines(&step(&sandbox)).iter().any(|line| line.contains("declares no resource `capture`")));
}

#[test]
fn what_goes_wrong_is_said_with_its_code() {
    for (does, code, expected) in [
        ("fail", "MG0740", "`echo.say` failed: the driver `@t/far` threw: Error: no route to far"),
        ("sayError", "MG0701", "`echo.say` failed where the driver `@t/far` ran it: far says no to hello"),
        ("nothing", "MG0740", "cannot be understood: it gives no `status`"),
        ("persisted", "MG0740", "outputs.0: its `kind` is `persisted`"),
        ("badName", "MG0701", "what the driver `@t/far` gives cannot be stored: ctx.writeResource"),
        ("3", "MG0740", "the `config` of the driver `@t/far` breaks its schema: does: expected a string"),
    ] {
        let sandbox = far(does);
        let output = say(&sandbox, &["--driver", "@t/far"]);
        assert_eq!(output.code, 1, "{does}: {output}");
        let (found, message) = error(&sandbox);
        assert!(found == code && message.contains(expected), "{does}: {found} {message}");
        if does == "3" {
            let hint = step(&sandbox)["error"]["hint"].as_str().unwrap_or_default().to_owned();
            assert!(hint.contains("`drivers: { \"@t/far\": { config: { NAME: VALUE } } }`"), "{hint}");
        }
        if does == "sayError" {
            assert_eq!(item(&sandbox, "before")["content"]["n"], 1, "what it gave is kept");
        }
    }
    let sandbox = far("write");
    sandbox.scan(&[]);
    let unknown = say(&sandbox, &["--driver", "@t/fra"]);
    assert_eq!(unknown.code, 1, "{unknown}");
    let (code, message) = error(&sandbox);
    assert!(
        code == "MG0101" && message.contains("unknown driver type `@t/fra`") && message.contains("`@t/far`"),
        "{code} {message}"
    );
    let malformed = say(&sandbox, &["--driver", "far"]);
    assert!(malformed.code == 2 && malformed.stderr.contains("--driver"), "{malformed}");
}

#[test]
fn one_entry_for_all_that_a_driver_lacks_has_what_was_just_refused() {
    let sandbox = far("fetch");
    let fetches = "fetch: async () => { await fetch(`https://${['a', 'example', 'org'].join('.')}/`); await fetch('https://b.example.org/'); },\n  nothing:";
    sandbox.edit("extensions/drivers/far.ts", "nothing:", fetches);
    say(&sandbox, &["--driver", "@t/far"]);
    let (code, message) = error(&sandbox);
    assert_eq!(code, "MG0226", "{message}");
    let entry = r#"together: `permissions: { "@t/far": { net: ["b.example.org:443", "a.example.org:443"] } }`"#;
    assert!(message.contains(entry), "{message}");
}

#[test]
fn a_mistake_in_the_marker_lets_nothing_run_here() {
    for (drivers, expected) in [
        ("drivers: [far]", "`drivers` must be a mapping"),
        ("drivers: { '@t/echo': far }", "the driver of @t/echo is no name of one"),
        ("drivers: { '@t/echo': 3 }", "must be the name of a driver or a mapping"),
        (
            "drivers: { '@t/echo': { driver: '@t/far', secret: [safe] } }",
            "the setting `secret` of a driver is not known",
        ),
        ("drivers: { '@t/echo': { driver: '@t/far', config: 3 } }", "`config` must be a mapping"),
        ("drivers: { '@t/echo': { driver: '@t/far', secrets: safe } }", "`secrets` must be a list"),
        ("drivers: { '@t/echo': {} }", "`drivers` of @t/echo says nothing"),
    ] {
        let sandbox = repository("");
        sandbox.write("mangrove.yaml", &format!("{REPOSITORY}{drivers}\n"));
        let scan = sandbox.run(&["scan"]);
        assert!(scan.stderr.contains(expected) && scan.stderr.contains("mangrove.yaml:2:"), "{drivers}: {scan}");
        let output = say(&sandbox, &[]);
        assert_eq!(output.code, 1, "{drivers}: {output}");
        let (code, message) = error(&sandbox);
        assert!(code == "MG0740" && message.contains("`@t/echo` does not run here"), "{drivers}: {code} {message}");
        let nothing = sandbox.run(&["data", "get", "echo", "here"]);
        assert_eq!(nothing.code, 1, "it ran here: {nothing}");
    }
}

#[test]
fn secrets_leave_only_where_they_are_named() {
    let with = |secrets: &str| {
        let sandbox = far_for("@t/echo", "write", secrets);
        sandbox.json(&["vault", "put", "safe", "pin", "77"]);
        sandbox.json(&["vault", "put", "safe", "token", "s3cret-token"]);
        sandbox.edit(
            "models/echo.yaml",
            "globalArguments: {",
            "globalArguments: { pin: '${{ vault.get(safe, pin) }}',",
        );
        sandbox
    };
    // Also one that is too short to be masked.
    let sandbox = with("");
    assert_eq!(say(&sandbox, &[]).code, 1);
    let (code, message) = error(&sandbox);
    assert!(
        code == "MG0741" && message.contains("(`safe/pin`), which the driver `@t/far` may not be told"),
        "{code} {message}"
    );
    let entry = r#"drivers: { "@t/echo": { driver: "@t/far", config: {"does":"write"}, secrets: ["safe/pin"] } }"#;
    assert!(message.contains(entry), "{message}");
    assert_eq!(lines(&step(&sandbox)), [""; 0], "nobody called the driver");
    sandbox.write("mangrove.yaml", &format!("{REPOSITORY}{entry}\n"));
    assert_eq!(say(&sandbox, &[]).code, 0, "the entry helps");

    for secrets in [", secrets: [safe]", ", secrets: [safe/pin, other]"] {
        let output = say(&with(secrets), &[]);
        assert_eq!(output.code, 0, "{secrets}: {output}");
    }
    let sandbox = with(", secrets: [safe/token]");
    assert_eq!(say(&sandbox, &[]).code, 1);
    // A secret that comes by data.
    let sandbox = with(", secrets: [safe/pin]");
    sandbox.edit(
        "models/echo.yaml",
        "host: example.org",
        "host: '${{ data.latest(\"other\", \"main\").attributes.password }}'",
    );
    sandbox.edit("mangrove.yaml", "drivers: {", "drivers: { '@t/far': { config: { does: write } },");
    let other = sandbox.run(&["model", "run", "other", "say", "--input", "text=x"]);
    assert_eq!(other.code, 0, "{other}");
    assert_eq!(say(&sandbox, &[]).code, 1);
    let (code, message) = error(&sandbox);
    assert!(
        code == "MG0741" && message.contains("`safe/t-echo-") && !message.contains("correct-horse"),
        "{code} {message}"
    );
}

#[test]
fn an_entry_for_a_driver_that_was_asked_for_makes_it_the_driver_of_nothing() {
    let sandbox = repository("");
    sandbox.json(&["vault", "put", "safe", "pin", "77"]);
    sandbox.edit("models/echo.yaml", "globalArguments: {", "globalArguments: { pin: '${{ vault.get(safe, pin) }}',");
    assert_eq!(say(&sandbox, &["--driver", "@t/far"]).code, 1);
    let (code, message) = error(&sandbox);
    let entry = r#"drivers: { "@t/far": { secrets: ["safe/pin"] } }"#;
    assert!(code == "MG0741" && message.contains(entry), "{code} {message}");
    sandbox.write("mangrove.yaml", &format!("{REPOSITORY}{entry}\n"));
    assert_eq!(say(&sandbox, &[]).code, 0);
    assert_eq!(item(&sandbox, "here")["content"]["where"], "here", "without being asked for it runs nothing");
}

#[test]
fn the_text_of_a_shell_goes_nowhere_with_a_secret_in_it() {
    let sandbox =
        repository("drivers: { 'command/shell': { driver: '@t/far', config: { does: nothing }, secrets: [safe] } }");
    sandbox.json(&["vault", "put", "safe", "pin", "a; touch here"]);
    let definition = "id: 5c1d0a3e-2f64-4c1e-8f0b-9c8b7d6e5a41\nname: shell\ntype: command/shell\nversion: 1\nmethods: \
                      { execute: { arguments: { run: 'echo ${{ vault.get(safe, pin) }}' } } }\n";
    sandbox.write("models/shell.yaml", definition);
    let output = sandbox.run(&["model", "run", "shell", "execute"]);
    assert_eq!(output.code, 1, "{output}");
    let (code, message) = error(&sandbox);
    assert!(
        code == "MG0741" && message.contains("`safe/pin`") && message.contains("`--driver none`"),
        "{code} {message}"
    );
    let output = sandbox.run(&["model", "run", "shell", "execute", "--driver", "none"]);
    assert_eq!(output.code, 0, "{output}");
}

#[test]
fn a_driver_is_told_to_end_and_time_is_limited() {
    let sandbox = far("hang");
    let output = sandbox.run(&["workflow", "run", "w", "--driver", "@t/far", "--json"]);
    assert_eq!(output.code, 1, "{output}");
    let (code, message) = error(&sandbox);
    assert!(code == "MG0701" && message.contains("did not end within 2000 ms"), "{code} {message}");
    assert_eq!(lines(&step(&sandbox)), ["say of echo goes far", "far waits", "far was told to end", "far is done"]);
    let output = say(&sandbox, &["--driver", "@t/far", "--timeout", "1"]);
    assert_eq!(output.code, 1, "{output}");
    let (code, _) = error(&sandbox);
    assert_eq!(code, "MG0711");
}

/// Runs what it is told where it is: it loads the code and calls the method, whose context keeps what is written.
const NEAR: &str = r#"
export const driver = {
  type: "@t/near", name: "Near", description: "runs the code that it is told",
  createDriver: () => ({
    type: "@t/near",
    async execute(request: any, { onLog }: any) {
      const source = new TextDecoder().decode(request.bundle);
      const { model } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
      const outputs: unknown[] = [];
      const context = {
        ...request,
        writeResource: async (specName: string, name: string, data: unknown) =>
          outputs.push({ kind: "pending", type: "resource", specName, name, content: new TextEncoder().encode(JSON.stringify(data)) }),
      };
      const { success, stdout } = await new Deno.Command("uname").output();
      onLog(`on ${new TextDecoder().decode(stdout).trim()}: ${success}, imports: ${source.includes("../vendor/")}`);
      await model.methods[request.methodName].execute(request.methodArgs, context);
      return { status: "success", outputs, logs: [], durationMs: 1 };
    },
  }),
};
"#;

#[test]
fn the_code_that_a_driver_is_told_runs_without_anything_else() {
    let Some(deno) = crate::deno::real() else { return };
    let registry = FakeRegistry::start().expect("a free port");
    registry.publish(
        FakePackage::new("words", "1.0.0").file("index.js", "export const shout = (text) => `${text.toUpperCase()}!`;"),
    );
    let sandbox = repository("drivers: { '*': '@t/near' }\npermissions: { '@t/near': { run: [uname] } }");
    sandbox.write(".npmrc", &format!("registry={}\n", registry.url()));
    sandbox.write("extensions/drivers/near.ts", NEAR);
    sandbox.edit("extensions/models/echo.ts", "import {", "import { shout } from \"npm:words@1\";\nimport {");
    sandbox.edit(
        "extensions/models/echo.ts",
        "text: args.text, where: \"here\"",
        "text: shout(args.text), where: \"near\"",
    );
    sandbox.write(
        "extensions/models/add-on.ts",
        "import { shout } from 'npm:words@1'; import { schema } from './_lib/schema.ts';
         export const extension = { type: '@t/echo', methods: [{ twice: { description: 'says it twice', arguments: schema({ text: 'string' }),
           execute: async ({ text }: any, ctx: any) => { await ctx.writeResource('said', 'twice', { text: shout(text + text) }); } } }] };",
    );
    let run = |method: &str| {
        let mut command = sandbox.command();
        command
            .env("MANGROVE_DENO", &deno)
            .args(["model", "run", "echo", method, "--input", "text=ho", "--json"])
            .output()
            .expect("it starts")
    };
    for (method, name, text) in [("say", "here", "HO!"), ("twice", "twice", "HOHO!")] {
        let output = run(method);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(item(&sandbox, name)["content"]["text"], text);
        assert_eq!(lines(&step(&sandbox)), ["on Linux: true, imports: false"]);
    }
}
