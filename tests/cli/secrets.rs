//! A secret of a vault is given to methods and commands, and stays out of everything that they leave behind.

use std::fs;

use serde_json::json;

use crate::{
    methods::ECHO,
    sandbox::{Output, Sandbox, files_below},
};

const SECRET: &str = "s3cret/\"value\"-äöü\nsecond-line-of-it";

const IN_BASE64: &str = "czNjcmV0LyJ2YWx1ZSItw6TDtsO8CnNlY29uZC1saW5lLW9mLWl0";

const MODEL: &str = r#"
const schema = { _def: {}, parse: (value) => value, safeParse: (data) => ({ success: true, data }) };
const kept = { lifetime: "infinite", garbageCollection: 5 };
export const model = {
  type: "@acme/client",
  version: "2026.05.23.1",
  resources: {
    said: { schema, ...kept },
    login: { schema, sensitiveOutput: true, ...kept },
  },
  files: { dump: { contentType: "text/plain", ...kept } },
  methods: {
    use: {
      description: "Says its token in every way", kind: "create", arguments: schema,
      execute: async ({ token }, context) => {
        context.logger.info(`as it is: ${token}`);
        context.logger.info("as JSON: {token}", { token: { token } });
        context.logger.info(`in base64: ${btoa(unescape(encodeURIComponent(token)))}`);
        for (const line of token.split("\n")) context.logger.warn(line);
        await context.writeResource("said", "said", { token, list: [`with ${token} in it`] });
        const login = { password: token, user: "me", none: null };
        const { attributes } = await context.writeResource("login", "login", login);
        const isKept = login.password.startsWith("${{ vault.get('ops', ") && attributes.password === login.password;
        context.logger.info(`stands for it: ${isKept}, ${login.none}`);
        throw new Error(`refused ${token}`);
      },
    },
    read: {
      description: "Reads what was kept", kind: "read", arguments: schema,
      execute: async ({ token }, context) => {
        const login = await context.readResource("login");
        context.logger.info(`the same: ${login.password === token}, ${login.user}`);
        context.logger.info(`vaults: ${(await context.vaultService.getVaultNames()).join(" ")}`);
      },
    },
  },
};
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/client.ts", MODEL);
    let token = "{token: \"${{ vault.get(ops, 'API TOKEN') }}\"}";
    sandbox.write(
        "models/client.yaml",
        &format!(
            "id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a01\nname: client\ntype: '@acme/client'\nmethods:\n  use: {{arguments: {token}}}\n  read: {{arguments: {token}}}\n"
        ),
    );
    let run = "printf '%s\\n' ${{ vault.get(ops, 'API TOKEN') }}; tr '\\0' ' ' < /proc/$$/cmdline; echo \"$T\" >&2";
    sandbox.write(
        "models/shell.yaml",
        &format!(
            "id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a02\nname: shell\ntype: command/shell\nmethods:\n  execute:\n    arguments:\n      run: |-\n        {run}\n      env: {{T: \"${{{{ vault.get(ops, 'API TOKEN') }}}}\"}}\n"
        ),
    );
    let made = sandbox.json(&["vault", "create", "local_encryption", "ops"]);
    assert_eq!(made["name"], "ops");
    sandbox.json(&["vault", "put", "ops", "API TOKEN", SECRET]);
    sandbox
}

/// The forms in which the secret must not show up.
fn forms() -> Vec<String> {
    let escaped = json!(SECRET).to_string();
    let mut forms = vec![SECRET.to_owned(), escaped.trim_matches('"').to_owned(), IN_BASE64.to_owned()];
    forms.extend(SECRET.lines().map(str::to_owned));
    forms
}

fn is_clean(place: &str, text: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "{place} has the secret as `{form}`:\n{text}");
    }
}

fn both(what: &str, output: &Output) {
    is_clean(what, &output.stdout);
    is_clean(what, &output.stderr);
}

#[test]
fn secrets_reach_neither_disk_nor_output() {
    let sandbox = sandbox();
    let failed = sandbox.run(&["model", "run", "client", "use"]);
    assert!(failed.code == 1 && failed.stdout.contains("refused ***"), "{failed}");
    both("a failed run", &failed);
    assert!(failed.stdout.contains("stands for it: true, null"), "{failed}");
    let shell = sandbox.run(&["model", "run", "shell", "execute"]);
    assert!(shell.code == 0 && shell.stdout.contains("***"), "{shell}");
    both("a command", &shell);
    let read = sandbox.run(&["model", "run", "client", "read"]);
    assert!(read.stdout.contains("the same: true, me") && read.stdout.contains("vaults: ops"), "{read}");
    both("what reads it", &read);

    let runs = sandbox.json(&["run", "list"]);
    for run in runs["runs"].as_array().expect("a list") {
        let id = run["runId"].as_str().expect("an identifier");
        for arguments in [vec!["run", "show", id, "--json"], vec!["run", "show", id], vec!["run", "logs", id]] {
            both(&arguments.join(" "), &sandbox.run(&arguments));
        }
    }
    for arguments in [
        vec!["data", "get", "client", "said", "--json"],
        vec!["data", "get", "client", "login", "--json"],
        vec!["data", "get", "shell", "result", "--json"],
        vec!["data", "get", "shell", "log"],
        vec!["data", "query", "true", "--json"],
        vec!["model", "get", "client", "--json"],
    ] {
        let output = sandbox.run(&arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {output}");
        both(&arguments.join(" "), &output);
    }
    let login = sandbox.json(&["data", "get", "client", "login"]);
    let key = "acme-client-7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a01-use-login-login-password";
    assert_eq!(login["content"]["password"], format!("${{{{ vault.get('ops', '{key}') }}}}"));
    let keys = sandbox.json(&["vault", "list-keys", "ops"]);
    assert!(keys["secretKeys"].as_array().expect("keys").contains(&json!(key)), "{keys}");

    for file in files_below(&sandbox.tree.root()) {
        let bytes = fs::read(&file).expect("a file");
        is_clean(&file.display().to_string(), &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn what_a_type_calls_sensitive_among_the_inputs_of_a_call_is_neither_kept_nor_shown() {
    let sandbox = Sandbox::new("");
    let quiet = ECHO
        .replace("text: member({ type: \"string\" }", "text: member({ type: \"string\", sensitive: true }")
        .replace(
            "const tell = async (args, context) => {",
            "const tell = async () => {};\nconst unused = async (args, context) => {",
        );
    sandbox.write("extensions/models/echo.ts", &quiet);
    let typed = ["--input", "text=typed-in-clear", "--input", "host=h"];
    let call = |type_name: &str| sandbox.run(&[&["model", "run", type_name, "say", "n"] as &[&str], &typed].concat());
    let inputs_of_last = || {
        let run = sandbox.json(&["run", "list"])["runs"][0]["runId"].as_str().expect("a run").to_owned();
        sandbox.json(&["run", "show", &run])["inputs"].clone()
    };
    assert_eq!(call("@t/echo").code, 0);
    assert_eq!(inputs_of_last(), json!({"host": "h", "text": "***"}));
    // Nobody knows what is sensitive where the type cannot be built.
    sandbox.write(
        "extensions/models/echo.ts",
        &quiet.replace("@t/echo", "@t/gone").replace("const record", "const record ="),
    );
    assert_eq!(call("@t/gone").code, 1);
    assert_eq!(inputs_of_last(), json!({"host": "***", "text": "***"}));
    for file in files_below(&sandbox.tree.root()) {
        let bytes = fs::read(&file).expect("a file");
        assert!(!String::from_utf8_lossy(&bytes).contains("typed-in-clear"), "{}", file.display());
    }
}
