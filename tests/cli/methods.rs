//! Definitions, their inputs and what becomes of arguments: vectors R and N1 of the format, over a model in the embedded
//! engine that logs what it is called with.

use serde_json::{Value, json};

use crate::sandbox::{Output, Sandbox};

/// A schema library in a few lines, and a model of two methods. `say` takes two texts and `any` whatever it is given.
pub(crate) const ECHO: &str = r#"
const member = (json, required) => ({
  _def: {},
  parse: (value) => value,
  json,
  required,
  safeParse: (value) => {
    if (value === undefined) return required ? { success: false, error: { issues: [{ path: [], message: "is required" }] } } : { success: true, data: json.default };
    const fits = json.type === "integer" ? Number.isInteger(value) : json.type === undefined || typeof value === json.type;
    return fits ? { success: true, data: value } : { success: false, error: { issues: [{ path: [], message: `expected ${json.type}` }] } };
  },
});
const object = (shape) => ({
  _def: {},
  shape,
  parse: (value) => value,
  toJSONSchema: () => ({
    type: "object",
    properties: Object.fromEntries(Object.entries(shape).map(([name, { json }]) => [name, json])),
    required: Object.keys(shape).filter((name) => shape[name].required),
  }),
  safeParse: (value) => {
    const issues = [];
    const data = {};
    for (const [name, schema] of Object.entries(shape)) {
      const made = schema.safeParse(value[name]);
      if (made.success && made.data !== undefined) data[name] = made.data;
      if (!made.success) issues.push({ path: [name], message: made.error.issues[0].message });
    }
    return issues.length === 0 ? { success: true, data } : { success: false, error: { issues } };
  },
});
const record = {
  _def: {},
  parse: (value) => value,
  toJSONSchema: () => ({ type: "object", additionalProperties: {} }),
  safeParse: (data) => ({ success: true, data }),
};
const tell = async (args, context) => {
  context.logger.info(`called ${JSON.stringify({ arguments: args, globals: context.globalArgs })}`);
};

export const model = {
  type: "@t/echo",
  version: "2026.05.23.2",
  globalArguments: object({ host: member({ type: "string" }, true), port: member({ type: "integer" }, false) }),
  methods: {
    say: {
      description: "Say something",
      arguments: object({ text: member({ type: "string" }, true), name: member({ type: "string" }, false) }),
      execute: tell,
    },
    count: {
      description: "Count",
      kind: "read",
      arguments: object({ n: member({ type: "integer", default: 3 }, false) }),
      execute: tell,
    },
    any: { description: "Anything", arguments: record, execute: tell },
  },
  // further
};
"#;

const HELLO: &str = "//- /models/hello.yaml
id: 11111111-1111-4111-8111-111111111111
name: hello
type: '@t/echo'
globalArguments: {host: h}
inputs: {properties: {who: {type: string, default: world}}}
methods: {say: {arguments: {text: 'hi ${{ inputs.who }}'}}}
";

fn echo(files: &str) -> Sandbox {
    let sandbox = Sandbox::new(files);
    sandbox.write("extensions/models/echo.ts", ECHO);
    sandbox
}

/// A workflow `w` of one step with this task.
fn workflow(task: &str) -> String {
    format!(
        "//- /workflows/workflow-w.yaml
id: 22222222-2222-4222-8222-222222222222
name: w
jobs:
  - name: j
    steps:
      - name: s
        task: {task}
"
    )
}

/// The record of the run that a command made, whether it succeeded or not.
fn record(sandbox: &Sandbox, output: &Output) -> Value {
    let last = output.lines().pop().unwrap_or_else(|| panic!("no line: {output}"));
    assert_eq!(last["reason"], "run-finished", "{output}");
    sandbox.json(&["run", "show", last["runId"].as_str().expect("a run")])
}

/// What the only step of a run was called with; the message of the error if it was not called.
fn told(record: &Value) -> Value {
    let step = &record["jobs"][0]["steps"][0];
    let lines = step["logs"].as_array().expect("lines").iter().filter_map(|line| line["text"].as_str());
    match lines.filter_map(|line| line.strip_prefix("called ")).next_back() {
        Some(called) => serde_json::from_str(called).expect("JSON"),
        None => step["error"]["message"].clone(),
    }
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.run(&[arguments, &["--json"]].concat());
    if output.stdout.is_empty() {
        return json!(output.stderr);
    }
    match output.lines().pop() {
        // It did not begin.
        Some(refusal) if refusal["schema"] == "mangrove.error/1" => refusal["message"].clone(),
        _ => told(&record(sandbox, &output)),
    }
}

#[test]
fn r_inputs_of_a_call_that_names_a_type_are_routed() {
    let instance = |more: &str| format!("{{type: model_method, modelType: '@t/echo', modelName: n, {more}}}");
    let stored = "//- /.swamp/auto-definitions/@t/echo/n.yaml
type: '@t/echo'
id: 33333333-3333-4333-8333-333333333333
name: n
version: 1
globalArguments: {host: x, port: 1}
";
    let other = stored.replace("type: '@t/echo'", "type: '@t/other'");
    for (number, files, more, expected) in [
        (
            "R1",
            "",
            "methodName: say, inputs: {text: t, host: x}",
            json!({"arguments": {"text": "t"}, "globals": {"host": "x"}}),
        ),
        (
            "R2",
            "",
            "methodName: say, inputs: {text: t, port: '80'}",
            json!({"arguments": {"text": "t"}, "globals": {"port": 80}}),
        ),
        (
            "R3",
            "",
            "methodName: say, inputs: {text: t, zzz: 1}",
            json!("workflows/workflow-w.yaml:7:107: the input `zzz` is neither of the method nor a global argument"),
        ),
        (
            "R4",
            "",
            "methodName: any, inputs: {a: 1, host: x}",
            json!({"arguments": {"a": 1}, "globals": {"host": "x"}}),
        ),
        (
            "R5",
            "",
            "methodName: say, globalArgs: {host: x}, inputs: {text: t, host: y}",
            json!({"arguments": {"text": "t"}, "globals": {"host": "x"}}),
        ),
        (
            "R7",
            stored,
            "methodName: say, inputs: {text: t, host: y}",
            json!({"arguments": {"text": "t"}, "globals": {"host": "y"}}),
        ),
        (
            "R8",
            stored,
            "methodName: say, inputs: {text: t, host: x}",
            json!({"arguments": {"text": "t"}, "globals": {"host": "x", "port": 1}}),
        ),
        (
            "R8",
            stored,
            "methodName: say, inputs: {text: t}",
            json!({"arguments": {"text": "t"}, "globals": {"host": "x", "port": 1}}),
        ),
    ] {
        let sandbox = echo(&[files, &workflow(&instance(more))].concat());
        assert_eq!(run(&sandbox, &["workflow", "run", "w"]), expected, "{number} {more}");
    }
    let sandbox = echo(&[&other, workflow(&instance("methodName: say, inputs: {text: t}")).as_str()].concat());
    let message = run(&sandbox, &["workflow", "run", "w"]);
    let message = message.as_str().expect("R9 is an error");
    assert!(message.contains("`n` is a definition of `@t/other`"), "R9 {message}");
    let task = "{type: model_method, modelIdOrName: n, methodName: say, globalArgs: {host: x}}";
    let output = echo(&workflow(task)).run(&["workflow", "validate", "w"]);
    assert!(output.code == 1 && output.stderr.contains("globalArgs"), "R6 {output}");
    // What can be known before is told before.
    let task = instance("methodName: say, inputs: {text: t, zzz: 1}");
    let output = echo(&workflow(&task)).run(&["workflow", "validate", "w"]);
    assert!(output.code == 1 && output.stderr.contains("`zzz` is neither"), "{output}");
    assert!(output.stderr.contains("the global argument `host` of a new instance is required"), "{output}");
}

#[test]
fn an_automatic_definition_is_made_once_and_found_again() {
    let sandbox = echo("");
    for arguments in [
        &["model", "run", "@t/echo", "say", "n"] as &[&str],
        &["model", "@t/echo", "method", "run", "say", "n"],
        &["model", "method", "run", "@t/echo", "say", "n"],
    ] {
        let called = run(&sandbox, &[arguments, &["--input", "text=t", "--input", "host=x"]].concat());
        assert_eq!(called, json!({"arguments": {"text": "t"}, "globals": {"host": "x"}}), "{arguments:?}");
    }
    let file = ".mangrove/auto-definitions/@t/echo/n.yaml";
    let first = sandbox.tree.read(file).expect("the definition");
    let updated =
        sandbox.run(&["model", "run", "@t/echo", "say", "n", "--input", "text=t", "--input", "port=8", "--json"]);
    let logs = record(&sandbox, &updated)["jobs"][0]["steps"][0]["logs"].to_string();
    assert!(logs.contains("global_args_updated"), "{logs}");
    let second = sandbox.tree.read(file).expect("the definition");
    let id = |text: &str| text.lines().find_map(|line| Some(line.strip_prefix("id: ")?.to_owned()));
    assert_eq!(id(&first), id(&second));
    assert!(first.contains("host: x") && !second.contains("host") && second.contains("port: 8"), "{second}");
    let search = |arguments: &[&str]| sandbox.json(&[&["model", "search"], arguments].concat())["results"].clone();
    assert_eq!(search(&[]), json!([]));
    assert_eq!(search(&["--all"])[0]["name"], "n");
    assert_eq!(run(&sandbox, &["model", "run", "n", "count"])["globals"], json!({"port": 8}), "by its name alone");
}

#[test]
fn a_secret_is_not_written_into_a_definition() {
    let sandbox = echo("");
    let secret =
        ECHO.replace("host: member({ type: \"string\" }", "host: member({ type: \"string\", sensitive: true }");
    sandbox.write("extensions/models/echo.ts", &secret);
    let message = run(&sandbox, &["model", "run", "@t/echo", "say", "n", "--input", "text=t", "--input", "host=x"]);
    assert!(message.as_str().is_some_and(|text| text.contains("`host` of `n` is a secret")), "{message}");
    assert!(!sandbox.tree.path(".mangrove/auto-definitions").exists());
    let made = sandbox.run(&["model", "create", "@t/echo", "made", "--global-arg", "host=x"]);
    assert!(made.code == 1 && made.stderr.contains("vault.get"), "{made}");
    let argument = "host=${{ env.HOST }}";
    let shown = sandbox.json(&["model", "create", "@t/echo", "made", "--global-arg", argument]);
    assert_eq!(shown["name"], "made");
    assert_eq!(sandbox.json(&["model", "get", "made"])["globalArguments"], json!({"host": "***"}));
}

#[test]
fn an_expression_of_the_command_line_is_kept_in_the_definition_that_is_made_and_evaluated_nowhere_else() {
    let sandbox = echo("");
    sandbox.json(&["vault", "create", "local_encryption", "ops"]);
    sandbox.json(&["vault", "put", "ops", "HOST", "s3cret-host"]);
    let made = |name: &str| sandbox.tree.read(&format!(".mangrove/auto-definitions/@t/echo/{name}.yaml"));
    let host = "host=${{ vault.get(ops, HOST) }}";
    let text = "text=see ${{ vault.get(ops, HOST) }}";
    let told = run(&sandbox, &["model", "run", "@t/echo", "say", "new", "--input", text, "--input", host]);
    assert_eq!(told["globals"]["host"], "***", "{told:#}");
    assert_eq!(told["arguments"]["text"], "see ${{ vault.get(ops, HOST) }}", "an argument is a value");
    let file = made("new").expect("a definition");
    assert!(file.contains("vault.get(ops, HOST)") && !file.contains("s3cret"), "{file}");
    let again = run(&sandbox, &["model", "run", "new", "say", "--input", "text=t"]);
    assert_eq!(again["globals"]["host"], "***", "{again:#}");
    for other in
        ["host=${{ self.name }}", "host=${{ vault.get(ops, HOST) + inputs.text }}", "host=${{ file.contents('a') }}"]
    {
        let refused =
            run(&sandbox, &["model", "run", "@t/echo", "say", "other", "--input", "text=t", "--input", other]);
        assert!(refused.as_str().is_some_and(|text| text.contains("would")), "{other}: {refused}");
        assert!(made("other").is_err(), "{other}");
    }
}

#[test]
fn what_comes_from_files_brings_no_expression() {
    let sandbox = echo("");
    let expression = "${{ env.HOME }}";
    sandbox.write("host.txt", expression);
    sandbox.write("inputs.yaml", &format!("text: t\nhost: \"{expression}\"\n"));
    for more in [&["--input", "text=t", "--input", "host=@host.txt"][..], &["--input-file", "inputs.yaml"]] {
        let refused = run(&sandbox, &[&["model", "run", "@t/echo", "say", "new"], more].concat());
        assert!(refused.as_str().is_some_and(|text| text.contains("would be an expression")), "{more:?}: {refused}");
    }
    assert!(!sandbox.tree.path(".mangrove/auto-definitions").exists());
}

#[test]
fn numbers_in_files_of_inputs_keep_their_text_where_a_text_is_wanted() {
    use std::{io::Write as _, process::Stdio};

    let declared = "inputs: {properties: {zone: {type: string}, size: {type: number}, list: {type: array, items: {type: string}}}}\n";
    let task = "{type: model_method, modelIdOrName: hello, methodName: any, inputs: {zone: '${{ inputs.zone }}', size: '${{ inputs.size }}', list: '${{ inputs.list }}'}}";
    let sandbox = echo(&format!("{HELLO}{}{declared}", workflow(task)));
    sandbox.write("numbers.yaml", "zone: 012345678901\nsize: 1.50\nlist: [1.10, 0x1F, 5]\n");
    sandbox.write("numbers.json", r#"{"zone": 1.10, "size": 2.5, "list": [1.0, "x"]}"#);
    let run_workflow = ["workflow", "run", "w", "--input-file"];
    for (file, expected) in [
        ("numbers.yaml", json!({"zone": "012345678901", "size": 1.5, "list": ["1.10", "0x1F", "5"]})),
        ("numbers.json", json!({"zone": "1.10", "size": 2.5, "list": ["1.0", "x"]})),
    ] {
        assert_eq!(run(&sandbox, &[&run_workflow as &[&str], &[file]].concat())["arguments"], expected, "{file}");
    }
    let over =
        [&run_workflow as &[&str], &["numbers.yaml", "--input", "zone=b", "--input", "list:json=[\"7\"]"]].concat();
    assert_eq!(run(&sandbox, &over)["arguments"], json!({"zone": "b", "size": 1.5, "list": ["7"]}));

    sandbox.write("say.yaml", "text: 3.10\nwho: 1.20\nname: 007\n");
    let said = run(&sandbox, &["model", "method", "run", "hello", "say", "--input-file", "say.yaml"]);
    assert_eq!(said["arguments"], json!({"text": "3.10", "name": "007"}));
    sandbox.write("who.yaml", "who: 1.20\n");
    let said = run(&sandbox, &["model", "method", "run", "hello", "say", "--input-file", "who.yaml"]);
    assert_eq!(said["arguments"], json!({"text": "hi 1.20"}));
    sandbox.write("new.yaml", "text: 3.10\nhost: 1.20\nport: 0x10\n");
    let made = run(&sandbox, &["model", "method", "run", "@t/echo", "say", "new", "--input-file", "new.yaml"]);
    assert_eq!(made["arguments"]["text"], "3.10");
    assert_eq!(made["globals"], json!({"host": "1.20", "port": 16}));

    let mut command = sandbox.command();
    command.args(["workflow", "run", "w", "--stdin", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let line = "{\"zone\": 1.10, \"size\": 1, \"list\": [2.0]}";
    child.stdin.take().expect("a pipe").write_all(line.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(r#"\"zone\":\"1.10\""#) && text.contains(r#"[\"2.0\"]"#), "{text}");
}

#[test]
fn what_comes_on_standard_input_brings_no_expression() {
    use std::{io::Write as _, process::Stdio};

    let sandbox = echo("");
    let mut command = sandbox.command();
    command
        .args(["model", "method", "run", "@t/echo", "say", "new", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let line = r#"{"text": "t", "host": "${{ env.HOME }}"}"#;
    child.stdin.take().expect("a pipe").write_all(line.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!sandbox.tree.path(".mangrove/auto-definitions").exists());
}

#[test]
fn r_inputs_that_a_definition_names_are_for_its_expressions() {
    let step = |more: &str| workflow(&format!("{{type: model_method, modelIdOrName: hello, methodName: say{more}}}"));
    let text = |value: &Value| value["arguments"]["text"].as_str().map_or_else(|| value.to_string(), str::to_owned);
    let sandbox = echo(HELLO);
    let method = ["model", "method", "run", "hello", "say"];
    assert_eq!(text(&run(&sandbox, &method)), "hi world", "R10");
    let both = [&method as &[&str], &["--input", "who=a", "--input", "text=b"]].concat();
    assert_eq!(text(&run(&sandbox, &both)), "b", "R13");
    let unknown = run(&sandbox, &[&method as &[&str], &["--input", "nope=1"]].concat());
    assert!(unknown.as_str().is_some_and(|text| text.contains("nope: is not known")), "R14 {unknown}");
    for (number, more, expected) in [("R11", ", inputs: {who: step}", "hi step"), ("R12", "", "hi world")] {
        let sandbox = echo(&[HELLO, &step(more)].concat());
        assert_eq!(text(&run(&sandbox, &["workflow", "run", "w"])), expected, "{number}");
    }
    let named = HELLO.replace("inputs: {properties: {who: {type: string, default: world}}}\n", "");
    let named = named.replace("text: 'hi ${{ inputs.who }}'", "text: t, name: '${{ inputs.vmName }}'");
    let sandbox = echo(&[&named, step(", inputs: {vmName: v}").as_str()].concat());
    let called = run(&sandbox, &["workflow", "run", "w"]);
    assert_eq!(called["arguments"], json!({"text": "t", "name": "v"}), "R15");
    assert_eq!(sandbox.run(&["workflow", "validate", "w"]).code, 0, "R15");
}

#[test]
fn r_inputs_are_coerced_and_checked_by_both_forms_of_a_schema() {
    let method = ["model", "method", "run", "typed", "any"];
    for (number, schema, given, expected) in [
        ("R16", "{n: {type: integer, default: 2}}", &[] as &[&str], Ok(json!(2))),
        ("R16", "{n: {type: integer, default: 2}}", &["n=7.9"], Ok(json!(7))),
        ("R16", "{n: {type: integer, default: 2}}", &["n=x"], Err("n: expected integer, found \"x\"")),
        ("R17", "{properties: {n: {type: boolean}}}", &["n=yes"], Err("n: expected boolean")),
        ("R17", "{properties: {n: {type: number}}}", &["n="], Ok(json!(0))),
        ("R18", "{properties: {n: {type: array}}}", &["n=[1,2]"], Ok(json!([1, 2]))),
        ("R18", "{properties: {n: {type: object}}}", &["n=[1]"], Err("n: expected object")),
        ("R19", "{properties: {n: {enum: [a, b]}}}", &["n=c"], Err("n: expected one of \"a\", \"b\"")),
        ("R19", "{properties: {n: {enum: [a, b]}}}", &["n=b"], Ok(json!("b"))),
        ("R19", "{properties: {n: {type: string, pattern: '^a$'}}}", &["n=b"], Ok(json!("b"))),
        (
            "R20",
            "{properties: {n: {}}}",
            &["n.a.b=1", "n.c:json=[2]", "n.d=@acme/dns"],
            Ok(json!({"a": {"b": "1"}, "c": [2], "d": "@acme/dns"})),
        ),
    ] {
        let definition = format!(
            "//- /models/typed.yaml
id: 11111111-1111-4111-8111-111111111111
name: typed
type: '@t/echo'
inputs: {schema}
methods: {{any: {{arguments: {{value: '${{{{ inputs.n }}}}'}}}}}}
"
        );
        let sandbox = echo(&definition);
        let inputs: Vec<&str> = given.iter().flat_map(|input| ["--input", *input]).collect();
        let found = run(&sandbox, &[&method as &[&str], &inputs].concat());
        match expected {
            Ok(value) => assert_eq!(found["arguments"]["value"], value, "{number} {given:?}: {found}"),
            Err(message) => {
                assert!(found.as_str().is_some_and(|it| it.contains(message)), "{number} {given:?}: {found}");
            }
        }
    }
}

/// Decision 0012: of the definition that a method is called by, and of the workflow that calls it.
#[test]
fn a_declared_integer_is_divided_as_one() {
    const INPUTS: &str =
        "{n: {type: integer, default: 7}, m: {default: 7}, l: {type: array, items: {type: integer}, default: [7]}}";
    const VALUE: &str = "'${{ [inputs.n / 2, inputs.m / 2, inputs.l[0] / 2, inputs.n / 2.0] }}'";
    let definition = format!(
        "//- /models/typed.yaml
id: 11111111-1111-4111-8111-111111111111
name: typed
type: '@t/echo'
inputs: {INPUTS}
methods: {{any: {{arguments: {{value: {VALUE}}}}}}}
"
    );
    let sandbox = echo(&definition);
    let found = run(&sandbox, &["model", "method", "run", "typed", "any"]);
    assert_eq!(found["arguments"]["value"], json!([3, 3.5, 3, 3.5]), "{found}");
    let found = run(&sandbox, &["model", "method", "run", "typed", "any", "--input", "n=9.0"]);
    assert_eq!(found["arguments"]["value"][0], json!(4), "{found}");

    let task = "{type: model_method, modelType: '@t/echo', modelName: o, methodName: any, inputs: {value: ";
    let by_workflow =
        workflow(&format!("{task}{VALUE}}}}}")).replace("name: w\n", &format!("name: w\ninputs: {INPUTS}\n"));
    let sandbox = echo(&by_workflow);
    let found = run(&sandbox, &["workflow", "run", "w"]);
    assert_eq!(found["arguments"]["value"], json!([3, 3.5, 3, 3.5]), "{found}");
}

#[test]
fn what_validation_finds_keeps_a_workflow_from_beginning() {
    let second = workflow("{type: model_method, modelIdOrName: hello, methodName: say}");
    for (step, message) in [
        ("{type: model_method, modelIdOrName: hello, methodName: sya}", "`@t/echo` has no method `sya`"),
        (
            "{type: model_method, modelType: '@t/echo', modelName: n, methodName: say, inputs: {text: t, zz: 1}}",
            "`zz` is neither",
        ),
    ] {
        let steps = format!("{second}      - name: then\n        task: {step}\n");
        let sandbox = echo(&[HELLO, &steps].concat());
        let output = sandbox.run(&["workflow", "run", "w"]);
        assert!(output.code == 1 && output.stderr.contains(message), "{step}: {output}");
        assert!(output.stderr.contains("workflows/workflow-w.yaml:9:"), "{step}: {output}");
        assert_eq!(sandbox.json(&["run", "list"])["runs"], json!([]), "{step}");
        // Warnings stop nothing.
        let steps = steps.replace(step, "{type: model_method, modelIdOrName: nobody, methodName: x}");
        sandbox.write("workflows/workflow-w.yaml", steps.split_once('\n').expect("a header").1);
        let output = sandbox.run(&["workflow", "run", "w"]);
        assert!(output.stdout.contains("s  succeeded") || output.stderr.contains("s  succeeded"), "{step}: {output}");
    }
}

#[test]
fn r19_a_workflow_takes_inputs_that_it_does_not_name_unless_it_says_otherwise() {
    let task = "{type: model_method, modelIdOrName: hello, methodName: any, inputs: {all: '${{ inputs }}'}}";
    for (schema, code) in
        [("{properties: {a: {type: integer}}}", 0), ("{properties: {a: {}}, additionalProperties: false}", 1)]
    {
        let text = workflow(task).replace("jobs:", &format!("inputs: {schema}\njobs:"));
        let sandbox = echo(&[HELLO, &text].concat());
        let output = sandbox.run(&["workflow", "run", "w", "--input", "a=1", "--input", "unheard=2", "--json"]);
        assert_eq!(output.code, code, "{output}");
        assert!(output.stderr.contains("unheard"), "it is told, or refused: {output}");
        let runs = sandbox.json(&["run", "list"])["runs"].as_array().map(Vec::len);
        assert_eq!(runs, Some(usize::from(code == 0)), "{output}");
        if code == 0 {
            assert!(output.stdout.contains(r#"\"unheard\":\"2\""#), "it is an input: {output}");
        }
    }
}

#[test]
fn r19_values_of_a_workflow_are_held_against_what_it_lists_and_not_against_patterns() {
    let task = "{type: model_method, modelIdOrName: hello, methodName: any, inputs: {value: '${{ inputs.a }}'}}";
    for (schema, given, refused) in [
        ("{properties: {a: {enum: [a, b]}}}", "a=c", Some("expected one of \"a\", \"b\"")),
        ("{properties: {a: {enum: [a, b]}}}", "a=a", None),
        ("{properties: {a: {type: string, pattern: '^x$'}}}", "a=y", None),
    ] {
        let text = workflow(task).replace("jobs:", &format!("inputs: {schema}\njobs:"));
        let sandbox = echo(&[HELLO, &text].concat());
        let output = sandbox.run(&["workflow", "run", "w", "--input", given]);
        assert_eq!(output.code, i32::from(refused.is_some()), "{schema} {given}: {output}");
        assert!(refused.is_none_or(|message| output.stderr.contains(message)), "{schema} {given}: {output}");
    }
}

#[test]
fn n1_names_of_types_are_written_in_many_ways() {
    for (written, read) in [
        ("AWS::EC2::VPC", "aws/ec2/vpc"),
        ("docker run", "docker/run"),
        ("' Microsoft.Resources/rg '", "microsoft/resources/rg"),
        ("'@T/Echo'", "@t/echo"),
    ] {
        let definition = HELLO.replace("type: '@t/echo'", &format!("type: {written}"));
        let listed = echo(&definition).json(&["model", "list"]);
        assert_eq!(listed["definitions"][0]["type"], read, "{written}");
    }
    // One that is not known is looked for without `@`.
    let sandbox = echo(&HELLO.replace("type: '@t/echo'", "type: '@plain/echo'"));
    sandbox.write("extensions/models/echo.ts", &ECHO.replace("\"@t/echo\"", "\"plain/echo\""));
    assert_eq!(run(&sandbox, &["model", "run", "hello", "count"])["arguments"], json!({"n": 3}));
}

#[test]
fn f09_checks_stop_a_method_that_changes_something() {
    let checks = "checks: {
    never: { description: 'd', labels: ['slow'], execute: async (context) => ({ pass: false, errors: ['no', `not ${context.methodName}`] }) },
    throws: { description: 'd', execute: async () => { throw new Error('broken'); } },
    fine: { description: 'd', execute: async (context) => ({ pass: typeof context.writeResource === 'undefined' }) },
  },";
    let sandbox = echo(HELLO);
    sandbox.write("extensions/models/echo.ts", &ECHO.replace("// further", checks));
    let say = ["model", "run", "hello", "say"];
    let stopped = run(&sandbox, &say);
    assert_eq!(
        stopped,
        "`hello.say` was not started: check `never`: no; check `never`: not say; check `throws`: Error: broken"
    );
    assert!(run(&sandbox, &["model", "run", "hello", "count"]).is_object(), "it only reads");
    for skipped in [
        &["--skip-checks"] as &[&str],
        &["--skip-check", "never", "--skip-check", "throws"],
        &["--skip-check-label", "slow", "--skip-check", "throws"],
    ] {
        assert!(run(&sandbox, &[&say as &[&str], skipped].concat()).is_object(), "{skipped:?}");
    }
    // Whoever leaves checks out of a run leaves them out of the runs that its steps start.
    let inner = workflow("{type: model_method, modelIdOrName: hello, methodName: say}");
    let outer =
        workflow("{type: workflow, workflowIdOrName: w}").replace('2', "3").replace("name: w\n", "name: outer\n");
    let sandbox = echo(&[HELLO, &inner, &outer.replace("workflow-w.yaml", "workflow-outer.yaml")].concat());
    sandbox.write("extensions/models/echo.ts", &ECHO.replace("// further", checks));
    for (skipped, code) in [(&[][..], 1), (&["--skip-checks"], 0)] {
        let output = sandbox.run(&[&["workflow", "run", "outer"] as &[&str], skipped].concat());
        assert_eq!(output.code, code, "{output}");
    }
    let skipping = [HELLO, "checks: {skip: [throws], require: [never]}\n"].concat();
    let sandbox = echo(&skipping);
    sandbox.write("extensions/models/echo.ts", &ECHO.replace("// further", checks));
    let stopped = run(&sandbox, &["model", "run", "hello", "say", "--skip-checks"]);
    assert_eq!(stopped, "`hello.say` was not started: check `never`: no; check `never`: not say");
    sandbox.edit("models/hello.yaml", "throws", "thrws");
    let stopped = run(&sandbox, &["model", "run", "hello", "say", "--skip-checks"]);
    assert_eq!(
        stopped,
        "`hello.say` was not started: models/hello.yaml:7:17: `@t/echo` has no check `thrws`; did you mean `throws`?"
    );
    let output = sandbox.run(&["model", "validate", "hello"]);
    assert!(output.code == 1 && output.stderr.contains("has no check `thrws`"), "{output}");
}

#[test]
fn global_arguments_of_an_older_version_are_upgraded_for_the_call() {
    let upgrades = "upgrades: [
    { toVersion: '2026.05.23.1', description: 'd', upgradeAttributes: (old) => ({ host: old.address }) },
    { toVersion: '2026.05.23.2', description: 'd', upgradeAttributes: (old) => ({ ...old, port: 1 }) },
  ],";
    let old = HELLO.replace("globalArguments: {host: h}", "typeVersion: 2026.01.01.1\nglobalArguments: {address: a}");
    let sandbox = echo(&old);
    sandbox.write("extensions/models/echo.ts", &ECHO.replace("// further", upgrades));
    assert_eq!(run(&sandbox, &["model", "run", "hello", "say"])["globals"], json!({"host": "a", "port": 1}));
    let newer = old.replace("2026.01.01.1", "2026.05.23.1").replace("address: a", "host: b");
    sandbox.write("models/hello.yaml", newer.trim_start_matches("//- /models/hello.yaml\n"));
    assert_eq!(run(&sandbox, &["model", "run", "hello", "say"])["globals"], json!({"host": "b", "port": 1}));
    assert!(sandbox.tree.read("models/hello.yaml").expect("a file").contains("2026.05.23.1"), "no file is changed");
}

#[test]
fn what_an_upgrade_makes_wrong_is_not_blamed_on_the_definition() {
    for made in ["({ ...old, nobody: 1 })", "({ host: 7 })"] {
        let upgrades = format!(
            "upgrades: [{{ toVersion: '2026.05.23.2', description: 'd', upgradeAttributes: (old) => {made} }}],"
        );
        let sandbox = echo(&HELLO.replace("globalArguments", "typeVersion: 2026.01.01.1\nglobalArguments"));
        sandbox.write("extensions/models/echo.ts", &ECHO.replace("// further", &upgrades));
        let output = sandbox.run(&["model", "run", "hello", "say"]);
        let expected =
            "the global arguments of `hello`, which the type itself made of those in its file by its upgrades to";
        assert!(output.code == 1 && output.stdout.contains(expected), "{output}");
    }
}

#[test]
fn definitions_are_found_where_older_versions_kept_them() {
    let old =
        HELLO.replace("/models/hello.yaml", "/.swamp/definitions/@t/echo/11111111-1111-4111-8111-111111111111.yaml");
    let old = old.replace("type: '@t/echo'\n", "").replace("host: h", "host: old");
    let run_it = |files: &str| run(&echo(files), &["model", "run", "hello", "say"])["globals"]["host"].clone();
    assert_eq!(run_it(&old), "old");
    assert_eq!(run_it(&[&old, HELLO].concat()), "h", "the current one wins");
    let same_name = old.replace("id: 1111", "id: 9999");
    assert_eq!(run_it(&[&same_name, HELLO].concat()), "h");
}

#[test]
fn two_definitions_of_one_name_are_an_error_for_whoever_asks_for_them() {
    let twin = HELLO.replace("/models/hello.yaml", "/models/other.yaml").replace("id: 1111", "id: 9999");
    let third = HELLO.replace("/models/hello.yaml", "/models/third.yaml").replace("id: 1111", "id: 8888");
    let sandbox = echo(&[HELLO, &twin, &third.replace("name: hello", "name: third")].concat());
    let output = sandbox.run(&["model", "run", "hello", "say"]);
    assert!(output.code != 0 && output.stderr.contains("models/hello.yaml and models/other.yaml"), "{output}");
    assert_eq!(run(&sandbox, &["model", "run", "third", "say"])["arguments"]["text"], "hi world");
}

#[test]
fn keys_that_were_removed_are_errors_and_unknown_ones_are_told() {
    let sandbox = echo(&[HELLO, "driver: local\n"].concat());
    let output = sandbox.run(&["model", "validate"]);
    assert!(output.code == 1 && output.stderr.contains("`driver` was removed"), "{output}");
    let sandbox = echo(&[HELLO, "colour: blue\nglobalArgument: {}\n"].concat());
    let output = sandbox.run(&["model", "validate", "hello"]);
    assert!(
        output.code == 0 && output.stderr.contains("colour") && output.stderr.contains("globalArgument"),
        "{output}"
    );
}

#[test]
fn a_definition_is_made_shown_found_and_checked() {
    let sandbox = echo("");
    let made =
        sandbox.json(&["model", "create", "@t/echo", "made", "--global-arg", "host=h", "--global-arg", "port=80"]);
    assert_eq!((&made["type"], &made["name"]), (&json!("@t/echo"), &json!("made")));
    assert_eq!(made["path"], "models/@t/echo/made.yaml");
    assert_eq!(made["version"], "2026.05.23.2");
    assert_eq!(made["methods"][0]["name"], "say");
    let text = sandbox.tree.read("models/@t/echo/made.yaml").expect("the file");
    assert!(text.contains("port: 80\n") && text.contains("typeVersion: \"2026.05.23.2\"\n"), "{text}");
    let shown = sandbox.json(&["model", "get", "made"]);
    assert_eq!(shown["globalArguments"], json!({"host": "h", "port": 80}));
    assert_eq!((&shown["id"], &shown["typeVersion"]), (&made["id"], &json!("2026.05.23.2")));
    assert_eq!(shown["globalArgumentsSchema"]["required"], json!(["host"]));
    let found = sandbox.json(&["model", "search", "mad"]);
    assert_eq!(found["results"], json!([{"id": made["id"], "name": "made", "type": "@t/echo"}]));
    let one = sandbox.json(&["model", "validate", "made"]);
    assert_eq!((&one["modelName"], &one["passed"]), (&json!("made"), &json!(true)));
    let all = sandbox.json(&["model", "validate"]);
    assert_eq!((&all["totalPassed"], &all["totalFailed"]), (&json!(1), &json!(0)));
    for (arguments, part) in [
        (&["made", "--global-arg", "host=h"] as &[&str], "there is a definition `made` already"),
        (&["other"], "`host` is required"),
        (&["other", "--global-arg", "hots=x"], "did you mean `host`?"),
        (&["Other", "--global-arg", "host=x"], "lower-case"),
    ] {
        let output = sandbox.run(&[&["model", "create", "@t/echo"], arguments].concat());
        assert!(output.code != 0 && output.stderr.contains(part), "{arguments:?}: {output}");
    }
    let unknown = sandbox.run(&["model", "create", "@t/ecko", "other"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("did you mean `@t/echo`?"), "{unknown}");
    let missing = sandbox.run(&["model", "run", "nobody", "say"]);
    assert!(missing.stderr.contains("mangrove model create TYPE nobody"), "{missing}");
    let described = sandbox.json(&["model", "type", "describe", "@t/echo"]);
    assert_eq!(described["type"], json!({"raw": "@t/echo", "normalized": "@t/echo"}));
    let types = sandbox.json(&["model", "type", "search", "ech"]);
    assert_eq!(types["results"], json!([{"raw": "@t/echo", "normalized": "@t/echo"}]));
    let method = sandbox.json(&["model", "method", "describe", "made", "say"]);
    assert_eq!(method["methods"][0]["name"], "say");
}

#[test]
fn the_schema_of_the_extension_alone_judges_arguments() {
    // Its JSON Schema says `integer`, and what it accepts is a text.
    let lenient = ECHO.replace(
        "member({ type: \"integer\", default: 3 }, false)",
        "{ ...member({ type: 'integer' }, false), safeParse: (value) => ({ success: true, data: `made of ${value}` }) }",
    );
    let sandbox = echo(HELLO);
    sandbox.write("extensions/models/echo.ts", &lenient);
    let called = run(&sandbox, &["model", "run", "hello", "count", "--input", "n=many"]);
    assert_eq!(called["arguments"], json!({"n": "made of many"}));
}

#[test]
fn f13_a_source_with_nul_bytes_in_a_template_and_a_regular_expression_runs() {
    let sandbox = echo(HELLO);
    let further = "methods_of_nul: [`a\0b`, /^a\0+b$/],";
    let text = ECHO.replace("// further", further).replace(
        "const tell = async (args, context) => {",
        "const tell = async (given, context) => {\n  const args = { ...given, n: /^a\0+b$/.test(`a\0b`) ? `a\0b`.length : 0 };",
    );
    sandbox.write("extensions/models/echo.ts", &text);
    assert_eq!(run(&sandbox, &["model", "run", "hello", "count"])["arguments"], json!({"n": 3}));
}
