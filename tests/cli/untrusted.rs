//! Text that an extension, a file name or an argument brings: a terminal gets none of it as a command, and no line of it
//! passes for one of ours.

use std::fs::File;

use serde_json::Value;

use crate::{
    fixtures::{broken, model_with},
    sandbox::{Output, Sandbox},
};

/// Clears the screen, fills the clipboard, rings, returns, turns letters around, and forges a line, two in C1.
const HOSTILE: &str =
    "x\u{1b}[2J\u{1b}]52;c;aGk=\u{7}\rover\u{202e}gnp\u{2066}\u{9b}31m\u{9d}0;t\u{9c}\u{7f}\nerror[MG9999]: forged";

/// The same as a literal of TypeScript, which YAML in quotes reads as well.
fn literal() -> String {
    let units: Vec<String> = HOSTILE.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{}\"", units.concat())
}

/// The characters that no output may have.
fn is_hostile(letter: char) -> bool {
    (letter.is_control() && letter != '\n') || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A repository of somebody who means harm: in names of files, methods, jobs and steps, in descriptions, in what is
/// logged, thrown and asserted.
fn repository() -> Sandbox {
    let text = literal();
    let sandbox = Sandbox::new("");
    let method = |name: &str, body: &str| {
        format!(
            "[{name}]: {{ description: {text}, arguments: schema(), execute: async (args, context) => {{ {body} }} }},"
        )
    };
    let methods = [
        method(
            "\"log\"",
            &format!("context.logger.info({text}); console.error({text}); return {{ dataHandles: [] }};"),
        ),
        method("\"fail\"", &format!("throw new Error({text});")),
        method(&text, "return { dataHandles: [] };"),
    ];
    let head = "const schema = () => ({ _def: {}, parse: (value) => value, safeParse: (value) => ({ success: true, data: value }) });";
    let good = format!(
        "{head}\nexport const model = {{ type: \"@evil/good\", version: \"2026.05.23.1\", description: {text}, methods: {{ {} }} }};\n",
        methods.concat()
    );
    sandbox.write("extensions/models/good.ts", &good);
    sandbox.write(&format!("extensions/models/{HOSTILE}.ts"), &model_with("", "@evil/name", ""));
    sandbox.write(&format!("extensions/models/broken {HOSTILE}.ts"), &broken("@evil/broken"));
    sandbox.write("extensions/models/throws.ts", &model_with(&format!("throw new Error({text});"), "@evil/throws", ""));
    sandbox.write("extensions/models/type.ts", &model_with("", &text[1..text.len() - 1], ""));
    sandbox.write(&format!("extensions/models/helper {HOSTILE}.ts"), "export const help = 1;\n");
    sandbox.write(
        "extensions/models/imports.ts",
        &model_with(&format!("import * as nothing from {text}; nothing.x();"), "@evil/imports", ""),
    );
    sandbox.write(
        "models/@evil/good/11111111-1111-4111-8111-111111111111.yaml",
        "id: 11111111-1111-4111-8111-111111111111\nname: good\nversion: 1\n",
    );
    sandbox.write(
        "models/@evil/good/11111111-1111-4111-8111-111111111112.yaml",
        &format!("id: 11111111-1111-4111-8111-111111111112\nname: {text}\nversion: 1\n"),
    );
    for (id, (name, method)) in [("log", "log"), ("fail", "fail"), ("odd", "nothing")].into_iter().enumerate() {
        sandbox.write(
            &format!("workflows/{name}.yaml"),
            &format!(
                "id: 22222222-2222-4222-8222-22222222222{id}\nname: {name}\ndescription: {text}\njobs:\n  - name: {text}\n    \
                 steps:\n      - name: {text}\n        task: {{ type: model_method, modelIdOrName: good, methodName: {method} }}\n"
            ),
        );
    }
    sandbox.write(&format!("workflows/{HOSTILE}.yaml"), &format!("{text}: {text}\nname: [{text}]\n"));
    sandbox
}

fn check(arguments: &[&str], output: &Output) {
    let whole = [output.stdout.as_str(), output.stderr.as_str()].concat();
    let found = whole.chars().find(|letter| is_hostile(*letter));
    assert_eq!(found, None, "{arguments:?} prints {found:?}: {:?}", (&output.stdout, &output.stderr));
    let is_forged = |line: &&str| line.starts_with("error[MG9999]");
    assert_eq!(whole.lines().find(is_forged), None, "{arguments:?}: {output}");
}

/// Every command that prints something of the repository, or of what it was asked.
fn commands() -> Vec<Vec<&'static str>> {
    let mut commands: Vec<Vec<&str>> = [
        "scan",
        "scan --all",
        "scan -vv --rehash",
        "types --all",
        "describe @evil/good",
        "describe @evil/name",
        "why extensions/models/throws.ts",
        "why @evil/broken",
        "why @evil/imports",
        "why @evil/name",
        "model list",
        "model run good log",
        "model run good fail",
        "model run good nothing -vv",
        "workflow list",
        "workflow validate",
        "workflow run log",
        "workflow run fail",
        "workflow run odd",
        "run list",
        "doctor",
        "doctor --repair",
        "doctor --repair --apply",
        "retry",
        "cache info",
        "cache prune --dry-run",
        "cache warm",
        "catalog rebuild",
        "scan --dry-run",
        "runtime status",
    ]
    .iter()
    .map(|line| line.split(' ').collect())
    .collect();
    for command in ["why", "describe", "types", "retry", "bundle", "explain", "run show", "scan --kind", "cache update"]
    {
        commands.push(command.split(' ').chain([HOSTILE]).collect());
    }
    for command in ["workflow run", "workflow validate", "init", "catalog backup", HOSTILE, "scan --color"] {
        commands.push(command.split(' ').chain([HOSTILE]).collect());
    }
    commands.push(vec!["model", "run", "good", HOSTILE]);
    commands.push(vec!["model", "run", HOSTILE, "log"]);
    commands.push(vec!["scan", "--repo", HOSTILE]);
    commands.push(vec!["scan", "--jobs", HOSTILE]);
    commands.push(vec!["model", "run", "good", "log", "--input-file", HOSTILE]);
    commands.push(vec!["model", "run", "good", "log", "--input", HOSTILE]);
    commands
}

#[test]
fn f14_no_command_prints_what_a_terminal_obeys() {
    let sandbox = repository();
    for arguments in commands() {
        check(&arguments, &sandbox.run(&arguments));
    }
    let runs = sandbox.json(&["run", "list"]);
    for run in runs["runs"].as_array().expect("a list") {
        let show = ["run", "show", run["runId"].as_str().expect("an identifier")];
        check(&show, &sandbox.run(&show));
    }
}

#[test]
fn f14_json_has_the_exact_text_and_nothing_that_a_terminal_obeys() {
    let sandbox = repository();
    for arguments in commands() {
        let output = sandbox.run(&[&arguments[..], &["--json"]].concat());
        let found = output.stdout.chars().find(|letter| is_hostile(*letter));
        assert_eq!(found, None, "{arguments:?} prints {found:?}: {:?}", output.stdout);
    }
    let run = sandbox.run(&["workflow", "run", "fail", "--json"]);
    let finished = run.lines().pop().expect("a last line");
    assert_eq!(finished["jobs"][0]["name"], HOSTILE);
    let message = finished["jobs"][0]["steps"][0]["error"]["message"].as_str().expect("a message");
    assert!(message.contains(HOSTILE), "{message:?}");
    let logged = sandbox.run(&["workflow", "run", "log", "--json"]);
    let texts: Vec<Value> =
        logged.lines().into_iter().filter(|line| line["reason"] == "log").map(|line| line["text"].clone()).collect();
    assert_eq!(texts, [HOSTILE, HOSTILE]);
}

#[test]
fn f14_with_colours_only_those_of_ours_are_printed() {
    let sandbox = repository();
    let colors = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"];
    for command in ["scan", "workflow run log", "workflow run fail", "describe @evil/good", "why @evil/name"] {
        let arguments: Vec<&str> = command.split(' ').chain(["--color", "always"]).collect();
        let Output { code, stdout, stderr } = sandbox.run(&arguments);
        assert!([&stdout, &stderr].iter().any(|text| text.contains("\u{1b}[")), "{arguments:?} prints no colours");
        let plain = |text: String| colors.iter().fold(text, |text, color| text.replace(color, ""));
        check(&arguments, &Output { code, stdout: plain(stdout), stderr: plain(stderr) });
    }
}

/// Runs a command whose results go to a device that is always full.
fn into_full(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String) {
    let full = File::options().write(true).open("/dev/full").expect("the device");
    let output = sandbox.command().args(arguments).stdout(full).output().expect("the program starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn f22_results_that_cannot_be_written_end_with_3() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model_with("", "@acme/a", ""));
    for arguments in [
        ["scan", "--json"].as_slice(),
        &["types"],
        &["types", "--json"],
        &["describe", "@acme/a"],
        &["why", "@acme/unknown", "--json"],
        &["bundle", "extensions/models/a.ts"],
        &["explain", "MG0101"],
        &["doctor", "--schema"],
        &["--help"],
        &["--version"],
    ] {
        let (code, errors) = into_full(&sandbox, arguments);
        assert_eq!(code, Some(3), "{arguments:?}: {errors}");
        assert!(
            errors.contains("standard output cannot be written: No space left on device"),
            "{arguments:?}: {errors}"
        );
    }
}

#[test]
fn f22_a_reader_that_went_away_is_no_failure() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model_with("", "@acme/a", ""));
    for arguments in [["scan", "--json"].as_slice(), &["types"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = sandbox.command().args(arguments).stdout(writer).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {:?}", output.stderr);
    }
}
