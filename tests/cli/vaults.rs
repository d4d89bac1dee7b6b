//! Vaults through the real program: configured, filled, read, and what is said where something is missing.

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::sandbox::{Output, Sandbox, files_below, has_program};

/// Runs the program with this on its standard input.
fn run_with(sandbox: &Sandbox, arguments: &[&str], input: &[u8]) -> Output {
    let mut command: Command = sandbox.command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

fn with_vault() -> Sandbox {
    let sandbox = Sandbox::new("");
    let made = sandbox.json(&["vault", "create", "local_encryption", "ops"]);
    assert_eq!(made["name"], "ops");
    assert_eq!(made["config"], json!({"auto_generate": true}));
    sandbox
}

#[test]
fn a_vault_is_made_filled_listed_and_read() {
    let sandbox = with_vault();
    let put = run_with(&sandbox, &["vault", "put", "ops", "TOKEN", "--json"], b"s3cret-value\n");
    assert_eq!(put.code, 0, "{put}");
    let document = put.document();
    assert_eq!(
        (&document["vaultName"], &document["secretKey"], &document["vaultType"], &document["overwritten"]),
        (&json!("ops"), &json!("TOKEN"), &json!("local_encryption"), &json!(false))
    );
    assert!(document["timestamp"].is_string());
    assert!(!put.stdout.contains("s3cret"), "{put}");
    let again = sandbox.json(&["vault", "put", "ops", "TOKEN=other = value"]);
    assert_eq!((&again["secretKey"], &again["overwritten"]), (&json!("TOKEN"), &json!(true)));
    sandbox.json(&["vault", "put", "ops", "A", "two\nlines\n"]);

    let keys = sandbox.json(&["vault", "list-keys", "ops"]);
    assert_eq!((&keys["secretKeys"], &keys["count"]), (&json!(["A", "TOKEN"]), &json!(2)));
    let piped = sandbox.run(&["vault", "read-secret", "ops", "TOKEN"]);
    assert_eq!((piped.code, &*piped.stdout), (0, "other = value"), "without a line feed: {piped}");
    assert_eq!(sandbox.json(&["vault", "read-secret", "ops", "A"])["value"], "two\nlines\n");

    let shown = sandbox.json(&["vault", "get", "ops"]);
    assert_eq!((&shown["name"], &shown["type"]), (&json!("ops"), &json!("local_encryption")));
    let path = shown["storagePath"].as_str().expect("a path");
    assert!(path.starts_with("vaults/local_encryption/") && path.ends_with(".yaml"), "{path}");
    let found = sandbox.json(&["vault", "search", "op"]);
    assert_eq!((&found["query"], &found["results"][0]["name"]), (&json!("op"), &json!("ops")));
    assert_eq!(sandbox.json(&["vault", "search", "none"])["results"], json!([]));

    for file in files_below(&sandbox.tree.root()) {
        let bytes = std::fs::read(&file).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("s3cret") && !text.contains("other = value"), "{}", file.display());
    }
}

#[test]
fn what_is_missing_says_what_to_do() {
    let sandbox = with_vault();
    let missing = sandbox.run(&["vault", "read-secret", "ops", "NONE"]);
    assert_eq!(missing.code, 1, "{missing}");
    assert!(missing.stderr.contains("MG0720") && missing.stderr.contains("`mangrove vault put ops NONE`"), "{missing}");
    let unknown = sandbox.run(&["vault", "list-keys", "opss"]);
    assert!(unknown.stderr.contains("unknown vault `opss`") && unknown.stderr.contains("`ops`"), "{unknown}");
    let twice = sandbox.run(&["vault", "create", "mock", "ops"]);
    assert_eq!(twice.code, 1, "{twice}");
    let no_type = sandbox.run(&["vault", "create", "nonsense", "v"]);
    assert!(no_type.stderr.contains("there is no type of vaults `nonsense`"), "{no_type}");
    let bad = sandbox.run(&["vault", "create", "mock", "a/b"]);
    assert_eq!(bad.code, 2, "{bad}");
    let refused = sandbox.run(&["vault", "put", "ops", "../x", "v"]);
    assert!(refused.stderr.contains("must not contain"), "{refused}");
}

#[test]
fn a_broken_configuration_costs_only_itself_and_old_layouts_are_read() {
    let sandbox = with_vault();
    sandbox.write("vaults/local_encryption/deep/er/broken.yaml", "id: [\n");
    sandbox.write("vaults/half.yaml", "name: half\n");
    let id = "00000000-0000-4000-8000-00000000000a";
    let old = format!(
        "id: {id}\nname: old\ntype: mock\nconfig: {{KEY: from-config}}\ncreatedAt: '2026-01-01T00:00:00.000Z'\n"
    );
    sandbox.write(".swamp/vault/mock/old.yaml", &old);
    let secret = sandbox.run(&["vault", "read-secret", "old", "KEY"]);
    assert_eq!((secret.code, &*secret.stdout), (0, "from-config"), "{secret}");
    let found = sandbox.run(&["vault", "search", "--json"]);
    let names: Vec<Value> =
        found.document()["results"].as_array().expect("a list").iter().map(|vault| vault["name"].clone()).collect();
    assert_eq!(names, ["ops", "old"]);
    assert!(found.stderr.contains("broken.yaml") && found.stderr.contains("half.yaml"), "{found}");
    // The new place wins.
    sandbox.write("vaults/mock/moved.yaml", &old.replace("from-config", "moved"));
    assert_eq!(sandbox.run(&["vault", "read-secret", "old", "KEY"]).stdout, "moved");
}

const EXTENSION: &str = "
const schema = { _def: {}, parse: (value) => value, safeParse: (value) => ({ success: true, data: value }) };
export const vault = {
  type: \"@acme/box\", name: \"Box\", description: \"keeps what it is told\", configSchema: schema,
  createProvider: (name, config) => ({
    get: async (key) => {
      if (key === \"BROKEN\") throw new Error(`no ${key} in ${name}`);
      if (key === \"NUMBER\") return 3;
      return config.secrets[key];
    },
    put: async (key, value) => { throw new Error(`cannot keep ${value}`); },
    list: async () => Object.keys(config.secrets),
    getName: () => name,
  }),
};
";

#[test]
fn a_vault_of_an_extension_is_asked() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/vaults/box.ts", EXTENSION);
    sandbox.scan(&[]);
    let made =
        sandbox.json(&["vault", "create", "@acme/box", "box", "--config", r#"{"secrets": {"B": "bee", "A": "ay"}}"#]);
    assert_eq!((&made["typeName"], &made["type"]), (&json!("Box"), &json!("@acme/box")));
    assert_eq!(sandbox.json(&["vault", "list-keys", "box"])["secretKeys"], json!(["A", "B"]));
    assert_eq!(sandbox.run(&["vault", "read-secret", "box", "B"]).stdout, "bee");
    let missing = sandbox.run(&["vault", "read-secret", "box", "C"]);
    assert!(missing.stderr.contains("MG0720"), "{missing}");
    let broken = sandbox.run(&["vault", "read-secret", "box", "BROKEN"]);
    let words = "does not have `BROKEN` in its list, and says when it is asked for it: Error: no BROKEN in box";
    assert!(
        broken.stderr.contains("MG0720") && broken.stderr.contains(words),
        "it throws and lists no such key: {broken}"
    );
    let number = sandbox.run(&["vault", "read-secret", "box", "NUMBER"]);
    assert!(number.stderr.contains("does not give `NUMBER`"), "{number}");
    assert!(number.stderr.contains("gives no text for `NUMBER`, but a number"), "{number}");
    let put = sandbox.run(&["vault", "put", "box", "K", "s3cret-value"]);
    assert_eq!(put.code, 1, "{put}");
    assert!(put.stderr.contains("cannot keep ***") && !put.stderr.contains("s3cret"), "{put}");

    sandbox.edit("extensions/vaults/box.ts", "return 3", "return process.env.BOX_TOKEN");
    let denied = sandbox.run(&["vault", "read-secret", "box", "NUMBER"]);
    assert!(denied.stderr.contains("permissions: { \"@acme/box\": { env: [\"BOX_TOKEN\"] } }"), "{denied}");
    sandbox.edit("mangrove.yaml", "\n", "\npermissions: {\"@acme/box\": {env: [BOX_TOKEN]}}\n");
    let mut command = sandbox.command();
    let granted = command.env("BOX_TOKEN", "granted").args(["vault", "read-secret", "box", "NUMBER"]).output();
    assert_eq!(String::from_utf8(granted.expect("it starts").stdout).expect("a text"), "granted");
}

#[test]
fn a_vault_that_cannot_be_used_is_a_warning_everywhere_and_is_left_out() {
    let sandbox = with_vault();
    sandbox.write("vaults/mock/broken.yaml", "id: [\n");
    let unknown = "id: 00000000-0000-4000-8000-00000000000b\nname: far\ntype: '@nobody/box'\ncreatedAt: '2026-01-01'\n";
    sandbox.write("vaults/far.yaml", unknown);
    for arguments in [&["doctor"][..], &["workflow", "validate"], &["vault", "search"]] {
        let output = sandbox.run(arguments);
        let told = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, 0, "{arguments:?}: only warnings: {output}");
        assert!(told.contains("warning[MG0602]: vaults/mock/broken.yaml"), "{arguments:?}: {output}");
        assert!(
            told.contains("the vault `far` is left out: unknown vault type `@nobody/box`"),
            "{arguments:?}: {output}"
        );
        assert!(told.contains("`mangrove extension pull @nobody/box`"), "{arguments:?}: {output}");
    }
    let asked = sandbox.run(&["vault", "list-keys", "far"]);
    assert!(asked.code == 1 && asked.stderr.contains("hint: `mangrove extension pull @nobody/box`"), "{asked}");
    let found = sandbox.json(&["vault", "search"]);
    let names: Vec<&Value> = found["results"].as_array().expect("a list").iter().map(|vault| &vault["name"]).collect();
    assert_eq!(names, [&json!("ops")], "{found:#}");
    sandbox.write("extensions/vaults/box.ts", &EXTENSION.replace("@acme/box", "@nobody/box"));
    let unscanned = sandbox.run(&["vault", "search"]);
    assert!(
        unscanned.stdout.contains("far") && !unscanned.stderr.contains("left out"),
        "it may be in order: {unscanned}"
    );
}

#[test]
fn what_is_wrong_with_a_configuration_on_the_command_line_is_in_no_file() {
    let sandbox = with_vault();
    let wrong = sandbox.run(&["vault", "create", "mock", "v", "--config", "{"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("`--config`"), "{wrong}");
    assert!(!wrong.stderr.contains("the next command reads it again"), "{wrong}");
}

#[test]
fn where_a_secret_lies_outside_of_the_repository_is_said() {
    let sandbox = with_vault();
    let inside = sandbox.run(&["vault", "put", "ops", "A=b"]);
    assert!(inside.code == 0 && !inside.stderr.contains("lies in"), "{inside}");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let base = elsewhere.path().canonicalize().expect("a path");
    let config = json!({"auto_generate": true, "base_dir": base}).to_string();
    sandbox.json(&["vault", "create", "local_encryption", "far", "--config", &config]);
    let expected = base.join(".swamp/secrets/local_encryption/far").display().to_string();
    let outside = sandbox.run(&["vault", "put", "far", "A=b"]);
    assert!(outside.code == 0 && outside.stderr.contains(&format!("lies in {expected}")), "{outside}");
    assert_eq!(sandbox.json(&["vault", "put", "far", "A=c"])["directory"], json!(expected));
}

#[test]
fn a_value_that_is_typed_on_a_terminal_is_not_shown() {
    if !has_program("script", "what is typed on a terminal") {
        return;
    }
    let sandbox = with_vault();
    let program = env!("CARGO_BIN_EXE_mangrove");
    // Says when the terminal shows nothing any more; what is typed before is thrown away.
    let line = format!(
        "(until stty -a < /dev/tty | grep -q -e '-echo '; do :; done; echo ready) & '{program}' vault put ops TYPED; wait"
    );
    let mut command = Command::new("script");
    sandbox.prepare(&mut command);
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` starts");
    let mut keyboard = child.stdin.take().expect("a pipe");
    let mut terminal = child.stdout.take().expect("a pipe");
    let mut seen = String::new();
    while !seen.contains("ready") {
        let mut bytes = [0; 256];
        let length = terminal.read(&mut bytes).expect("it is shown");
        assert!(length > 0, "it ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    assert!(seen.contains("Type the value, which is not shown:"), "{seen}");
    keyboard.write_all(b"s3cret-typed\n").expect("typed");
    terminal.read_to_string(&mut seen).expect("it is shown");
    drop(keyboard);
    assert!(child.wait().expect("it ends").success(), "{seen}");
    assert!(!seen.contains("s3cret"), "{seen}");
    assert_eq!(sandbox.json(&["vault", "read-secret", "ops", "TYPED"])["value"], "s3cret-typed");
}
