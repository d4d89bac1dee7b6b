//! The command line as the client of a daemon: the same output as on the repository itself.

use std::{process::Stdio, time::Duration};

use serde_json::Value;

use crate::{
    fixtures::{broken, model},
    sandbox::{Output, Sandbox},
    serve::Serving,
};

const FILES: &str = "
//- /models/greeter.yaml
id: 00000000-0000-4000-8000-000000000002
name: greeter
type: '@acme/greeter'
//- /workflows/hello.yaml
id: 00000000-0000-4000-8000-000000000003
name: hello
inputs:
  type: object
  properties:
    name: {type: string}
  required: [name]
jobs:
  - name: only
    steps:
      - name: greet
        task:
          type: model_method
          modelIdOrName: greeter
          methodName: greet
          inputs: {name: '${{ inputs.name }}'}
//- /inputs.yaml
name: world
//- /tokens
# who may ask
reader read a-secret-for-reading
runner run a-secret-for-running
";

fn repository() -> Sandbox {
    let sandbox = Sandbox::new(FILES);
    sandbox.tree.write("extensions/models/greeter.ts", model("@acme/greeter")).expect("a model");
    sandbox.tree.write("extensions/models/broken.ts", broken("@acme/broken")).expect("a model");
    sandbox
}

/// A command that asks the daemon with this token, outside of the repository.
fn ask(serving: &Serving, token: &str, arguments: &[&str]) -> Output {
    let elsewhere = Sandbox::new("");
    elsewhere.tree.remove("mangrove.yaml").expect("a marker");
    let mut command = elsewhere.command();
    command.env("MANGROVE_SERVER", format!("http://{}/", serving.address)).env("MANGROVE_TOKEN", token);
    let output = command.args(arguments).output().expect("the program starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_daemon_is_asked_and_answers_as_the_repository_does() {
    let sandbox = repository();
    let tokens = sandbox.tree.path("tokens");
    let serving = Serving::start(&sandbox, &["--token-file", tokens.to_str().expect("text")]);
    let remote = |arguments: &[&str]| ask(&serving, "a-secret-for-running", arguments);

    let run = remote(&["workflow", "run", "hello", "--input", "name=world"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.starts_with("hello started\n  only › greet  info  hello world\n"), "{run:?}");
    let lines = remote(&[
        "workflow",
        "run",
        "hello",
        "--input-file",
        sandbox.tree.path("inputs.yaml").to_str().expect("text"),
        "--json",
    ]);
    assert_eq!(lines.code, 0, "{lines:?}");
    let events: Vec<Value> = lines.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let reasons: Vec<&str> = events.iter().map(|event| event["reason"].as_str().expect("a reason")).collect();
    assert_eq!(
        reasons,
        ["run-started", "job-started", "step-started", "log", "step-finished", "job-finished", "run-finished"]
    );
    let id = events[0]["runId"].as_str().expect("an identifier");
    assert_eq!(sandbox.json(&["run", "show", id])["trigger"], "http");

    for arguments in [
        &["types"][..],
        &["types", "--all"],
        &["types", "--all", "broken", "--kind", "model"],
        &["types", "nothing"],
        &["workflow", "list"],
        &["run", "list"],
        &["run", "list", "hello", "--limit", "1"],
        &["run", "show", id],
        &["run", "logs", id],
        &["run", "logs", id, "--follow"],
        &["run", "cancel", id],
        &["run", "show", "ffff"],
    ] {
        for arguments in [arguments.to_vec(), [arguments, &["--json"]].concat()] {
            let (here, there) = (sandbox.run(&arguments), remote(&arguments));
            assert_eq!(without_ages(&there.stdout), without_ages(&here.stdout), "{arguments:?}");
            assert_eq!((there.code, &there.stderr), (here.code, &here.stderr), "{arguments:?}");
        }
    }
    let (here, there) = (sandbox.json(&["why", "@acme/greeter"]), remote(&["why", "@acme/greeter", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&there.stdout).expect("JSON"), here);
    let why = remote(&["why", "@acme/broken"]);
    assert!(why.stdout.contains("state    BundleBuildFailed  `@acme/broken`"), "{why:?}");
}

/// The text without what changes while somebody reads: the ages of things.
fn without_ages(text: &str) -> String {
    let text = text.replace("just now", "0 s ago");
    let mut words: Vec<&str> = text.split(' ').collect();
    while let Some(ago) = words.iter().position(|word| word.trim_end_matches(',') == "ago") {
        words.drain(ago.saturating_sub(2)..=ago);
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

#[test]
fn what_a_daemon_refuses_is_said_as_the_command_line_says_it() {
    let sandbox = repository();
    let tokens = sandbox.tree.path("tokens");
    let serving = Serving::start(&sandbox, &["--token-file", tokens.to_str().expect("text")]);
    let run: &[&str] = &["workflow", "run", "hello", "--input", "name=world"];
    for (token, arguments, code, words) in [
        ("", &["types"][..], 2, "a token is needed"),
        ("a-wrong-secret", &["types"], 2, "nobody has this token"),
        ("a-secret-for-reading", run, 2, "the token `reader` has the scope `read`; this needs `run`"),
        ("a-secret-for-running", &["workflow", "run", "hello"], 1, "error[MG0605]"),
        ("a-secret-for-running", &["workflow", "run", "helo"], 1, "error[MG0103]"),
        ("a-secret-for-running", &["why", "nothing/at/all"], 1, "error[MG0103]"),
        ("a-secret-for-running", &["types", "--kind", "modle"], 2, "unknown kind `modle`"),
        ("a-secret-for-running", &["scan"], 2, "this command cannot be answered by a daemon"),
    ] {
        let output = ask(&serving, token, arguments);
        assert_eq!(output.code, code, "{arguments:?}: {output:?}");
        assert!(output.stderr.contains(words), "{arguments:?}: {output:?}");
        assert!(!output.stderr.contains("secret-for") && !output.stderr.contains("wrong-secret"), "{output:?}");
    }
    // A daemon that is away for a moment: try again.
    let address = serving.address;
    drop(serving);
    let gone = sandbox.run(&["types", "--server", &format!("http://{address}")]);
    assert_eq!(gone.code, 75, "{gone:?}");
    assert!(gone.stderr.contains("error[MG0802]: the daemon at http://"), "{gone:?}");
}

/// A repository with a workflow that takes a while, and one that runs a command which prints colours.
fn with_commands(more: &str) -> Sandbox {
    let sandbox = repository();
    let command = |number: u32, name: &str, run: &str| {
        sandbox.write(
            &format!("workflows/{name}.yaml"),
            &format!(
                "id: 00000000-0000-4000-8000-0000000000{number:02}\nname: {name}\njobs: [{{name: j, steps: [{{name: s, task: {{type: model_method, modelType: command/shell, modelName: {name}, methodName: execute, inputs: {{run: \"{run}\"}}}}}}]}}]\n"
            ),
        );
    };
    command(40, "slow", "sleep 30");
    command(41, "coloured", "printf '\\\\033[31mred\\\\033[0m \\\\033[2Jgone'");
    sandbox.edit("mangrove.yaml", "\n", &format!("\n{more}"));
    sandbox
}

#[test]
fn a_run_whose_time_is_up_says_so_also_where_a_daemon_carries_it_out() {
    let sandbox = with_commands("");
    let tokens = sandbox.tree.path("tokens");
    let serving = Serving::start(&sandbox, &["--token-file", tokens.to_str().expect("text")]);
    let remote = |arguments: &[&str]| ask(&serving, "a-secret-for-running", arguments);
    let words = "the time limit of 1.0 s has passed (`--timeout`)";
    let run: &[&str] = &["workflow", "run", "slow", "--timeout", "1"];
    for output in [sandbox.run(run), remote(run)] {
        assert!(output.code == 1 && output.stdout.contains(words), "{output:?}");
        assert!(!output.stdout.contains("from outside"), "{output:?}");
    }
}

/// Its own process finds out, whoever asks, and wherever from.
#[test]
fn a_run_of_another_process_is_cancelled() {
    let sandbox = with_commands("");
    let mut process = sandbox.command();
    process.args(["workflow", "run", "slow"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = process.spawn().expect("the program starts");
    let id = (0..600).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        let runs = sandbox.json(&["run", "list"]);
        let run = runs["runs"].as_array()?.first()?;
        Some(run["runId"].as_str().filter(|_| run["status"] == "running")?.to_owned())
    });
    let id = id.expect("a run that goes on");
    let asked = sandbox.run(&["run", "cancel", &id]);
    assert!(asked.code == 0 && asked.stderr.contains("Cancelling slow"), "{asked}");
    assert_eq!(process.wait().expect("it ends").code(), Some(1));
    assert_eq!(sandbox.json(&["run", "show", &id])["status"], "cancelled");
    let again = sandbox.run(&["run", "cancel", &id]);
    assert!(again.code == 0 && again.stderr.contains("Cancelled slow") && again.stderr.contains("already"), "{again}");
}

#[test]
fn colours_of_programs_are_left_out_and_what_else_a_terminal_obeys_is_shown() {
    let sandbox = with_commands("");
    let output = sandbox.run(&["workflow", "run", "coloured"]);
    assert!(output.code == 0 && output.stdout.contains("info  red \\u{1b}[2Jgone\n"), "{output}");
    let runs = sandbox.json(&["run", "list"]);
    let id = runs["runs"][0]["runId"].as_str().expect("a run");
    let shown = sandbox.run(&["run", "show", id]);
    assert!(shown.stdout.contains("info  red \\u{1b}[2Jgone\n"), "{shown}");
}

#[test]
fn a_daemon_takes_drivers_that_its_configuration_speaks_of_and_which_reports_are_wanted() {
    let sandbox = with_commands("drivers: {'@acme/far': {config: {host: a}}, 'command/shell': none}\n");
    let tokens = sandbox.tree.path("tokens");
    let serving = Serving::start(&sandbox, &["--token-file", tokens.to_str().expect("text")]);
    let run = |more: &[&str]| {
        let arguments = [&["workflow", "run", "hello", "--input", "name=world"], more].concat();
        ask(&serving, "a-secret-for-running", &arguments)
    };
    for driver in ["none", "@acme/other"] {
        let output = run(&["--driver", driver]);
        let words = format!("`drivers:` of the configuration does not speak of `{driver}`");
        assert!(output.code == 2 && output.stderr.contains(&words), "{output:?}");
    }
    // It is asked for, and nobody has it.
    let output = run(&["--driver", "@acme/far"]);
    assert!(output.code == 1 && output.stdout.contains("unknown driver type `@acme/far`"), "{output:?}");
    let reports = |more: &[&str]| {
        let output = run(more);
        assert_eq!(output.code, 0, "{output:?}");
        let runs = sandbox.json(&["run", "list"]);
        let shown = sandbox.json(&["run", "show", runs["runs"][0]["runId"].as_str().expect("a run")]);
        shown["reports"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(reports(&[]), 1);
    assert_eq!(reports(&["--skip-reports"]), 0);
}
