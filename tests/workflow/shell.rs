//! `command/shell`, over the shell of the system.

use mangrove_domain::{json::Json, ports::DataStore as _, problem::Code, run::RunStatus};

use crate::bench::{Bench, told, workflow};

const ID: &str = "00000000-0000-4000-8000-000000000007";

/// A definition `greet` of the type, with these arguments in YAML, and a workflow that calls it.
fn command(arguments: &str) -> String {
    let step = "  - name: j\n    steps:\n      - name: s\n        task: {type: model_method, modelIdOrName: greet, methodName: execute}\n";
    format!(
        "
//- /models/greet.yaml
id: {ID}
name: greet
type: command/shell
methods:
  execute:
    arguments: {arguments}
{}",
        workflow(step)
    )
}

async fn stored(bench: &Bench, spec: &str) -> Option<Json> {
    let found = bench.data.read(ID, spec, None).await.expect("a store");
    found.map(|(_, content)| {
        content.json.unwrap_or_else(|| Json::from(String::from_utf8_lossy(&content.bytes).into_owned()))
    })
}

#[tokio::test]
async fn s3_an_exit_code_fails_and_stores_nothing_unless_it_is_ignored() {
    let bench = Bench::new(&command("{run: 'echo said; echo why >&2; exit 3'}"));
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Failed);
    let error = record.jobs[0].steps[0].error.clone().expect("an error");
    assert_eq!((error.code, &*error.message), (Code::METHOD_FAILED, "`greet.execute` exited with code 3: why"));
    assert!(record.jobs[0].steps[0].data_handles.is_empty());
    assert_eq!((stored(&bench, "result").await, stored(&bench, "log").await), (None, None));

    let bench = Bench::new(&command("{run: exit 3, ignoreExitCode: true}"));
    assert_eq!(bench.run("{}").await.status, RunStatus::Succeeded);
    let result = stored(&bench, "result").await.expect("a result");
    assert_eq!(result.get("exitCode"), Some(&Json::from(3)));
    assert_eq!(stored(&bench, "log").await, Some(Json::from("")));
}

#[tokio::test]
async fn s4_output_is_kept_without_its_last_line_feed_and_logged_line_by_line() {
    let bench = Bench::new(&command(r#"{run: "printf 'a\\nb\\n'"}"#));
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let result = stored(&bench, "result").await.expect("a result");
    assert_eq!(result.get("stdout"), Some(&Json::from("a\nb")));
    assert_eq!(result.get("stderr"), Some(&Json::from("")));
    assert_eq!(result.get("command"), Some(&Json::from(r"printf 'a\nb\n'")));
    assert_eq!(result.get("executedAt"), Some(&Json::from("2026-01-01T00:00:00.000Z")));
    assert_eq!(stored(&bench, "log").await, Some(Json::from("[stdout]\na\nb")));
    let lines: Vec<(&str, &str)> =
        record.jobs[0].steps[0].logs.iter().map(|line| (&*line.level, &*line.text)).collect();
    assert_eq!(lines, [("info", "a"), ("info", "b")]);
    let provenance = record.jobs[0].steps[0].provenance.clone().expect("where it comes from");
    assert_eq!((&*provenance.type_name, &*provenance.source), ("command/shell", "built-in/command/shell"));
}

#[tokio::test]
async fn variables_directory_and_errors_are_those_that_are_asked_for() {
    let arguments =
        r#"{run: 'echo "$WHO in $PWD"; echo careful >&2', env: {WHO: "it's ${{ self.name }}"}, workingDir: /}"#;
    let bench = Bench::new(&command(arguments));
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    assert_eq!(stored(&bench, "log").await, Some(Json::from("[stdout]\nit's greet in /\n[stderr]\ncareful")));
    let warned = record.jobs[0].steps[0].logs.iter().filter(|line| line.level == "warn").count();
    assert_eq!(warned, 1);
}

#[tokio::test]
async fn what_takes_too_long_and_what_cannot_be_started_say_so() {
    let bench = Bench::new(&command("{run: 'echo begun >&2; sleep 1000', timeout: 300}"));
    let record = bench.run("{}").await;
    let error = record.jobs[0].steps[0].error.clone().expect("an error");
    assert_eq!(error.message, "`greet.execute` exited with code -1: it did not end within 300 ms: begun");

    let bench = Bench::new(&command("{run: 'true', workingDir: /no/such/place, ignoreExitCode: true}"));
    assert_eq!(bench.run("{}").await.status, RunStatus::Succeeded);
    let result = stored(&bench, "result").await.expect("a result");
    assert_eq!(result.get("exitCode"), Some(&Json::from(-1)));
    let errors = result.get("stderr").and_then(Json::as_str).expect("why");
    assert!(errors.contains("/no/such/place"), "{errors}");
}

#[tokio::test]
async fn arguments_that_are_wrong_run_nothing() {
    for (arguments, named) in [("{}", "run"), ("{run: ''}", "run"), ("{run: ls, timeout: -5}", "timeout")] {
        let bench = Bench::new(&command(arguments));
        let record = bench.run("{}").await;
        let error = record.jobs[0].steps[0].error.clone().expect("an error");
        assert_eq!(error.code, Code::INVALID_INPUT, "{arguments}");
        assert!(error.message.contains(named), "{}", error.message);
    }
}

#[tokio::test]
async fn secrets_that_a_command_prints_are_masked_where_they_are_stored() {
    let bench = Bench::new(&command(r#"{run: 'echo "got $TOKEN"', env: {TOKEN: "${{ env.API_TOKEN }}"}}"#))
        .variable("API_TOKEN", "s3cret-value");
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    assert_eq!(stored(&bench, "log").await, Some(Json::from("[stdout]\ngot ***")));
    assert_eq!(record.jobs[0].steps[0].logs[0].text, "got ***");
}

#[tokio::test]
async fn types_of_another_server_are_refused_by_name() {
    let files = command("{}").replace("type: command/shell", "type: swamp/worker");
    let record = Bench::new(&files).run("{}").await;
    let error = record.jobs[0].steps[0].error.clone().expect("an error");
    assert_eq!(error.code, Code::UNKNOWN_TYPE);
    assert!(error.message.contains("`swamp/worker`"), "{}", error.message);
}

/// A vault with the secret `K` and one with a quote in it.
const VAULT: &str = "
//- /vaults/mock/v.yaml
id: 00000000-0000-4000-8000-0000000000aa
name: v
type: mock
config: {K: s3cret-value, Q: \"it's $(touch x) \\\"y\\\"\"}
";

#[tokio::test]
async fn s1_s2_secrets_reach_a_command_in_variables_and_are_masked_everywhere() {
    for (run, shown) in
        [(r#"echo "t=${{ vault.get(v, K) }}""#, r#"echo "t=***""#), ("echo t=${{ vault.get(v, K) }}", "echo t=***")]
    {
        let bench = Bench::new(&format!("{VAULT}{}", command(&format!("{{run: '{run}'}}"))));
        let record = bench.run("{}").await;
        assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
        let result = stored(&bench, "result").await.expect("a result");
        assert_eq!(result.get("command"), Some(&Json::from(shown)));
        assert_eq!(result.get("stdout"), Some(&Json::from("t=***")));
        assert!(!format!("{record:?}{result}").contains("s3cret"), "{record:?}");
    }
}

#[tokio::test]
async fn a_secret_is_never_read_as_a_command() {
    let run = r#"printf "%s\n" ${{ vault.get(v, Q) }} "<${{ vault.get(v, Q) }}>" | wc -l; test "$(echo ${{ vault.get(v, Q) }})" = "it's \$(touch x) \"y\"""#;
    let bench = Bench::new(&format!("{VAULT}{}", command(&format!("{{run: {}}}", Json::from(run)))));
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let result = stored(&bench, "result").await.expect("a result");
    assert_eq!(result.get("stdout"), Some(&Json::from("2")));
}

#[tokio::test]
async fn between_single_quotes_a_secret_is_no_secret_and_a_warning_says_so() {
    let bench = Bench::new(&format!("{VAULT}{}", command(r#"{run: "echo '${{ vault.get(v, K) }}'"}"#)));
    let record = bench.run("{}").await;
    let result = stored(&bench, "result").await.expect("a result");
    assert_eq!(result.get("stdout"), Some(&Json::from("${__SWAMP_VAULT_0}")));
    assert!(record.jobs[0].steps[0].logs[0].text.contains("between single quotes"), "{}", told(&record));
}

#[tokio::test]
async fn secrets_in_variables_and_what_is_missing() {
    let arguments = r#"{run: 'test "$T" = s3cret-value && echo equal', env: {T: "${{ vault.get(v, K) }}"}}"#;
    let bench = Bench::new(&format!("{VAULT}{}", command(arguments)));
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));

    for (call, expected) in [
        (
            "vault.get(v, NONE)",
            "`vault.get(v, NONE)`: the vault `v` (vaults/mock/v.yaml) has no secret `NONE`; `mangrove vault put v NONE` adds it",
        ),
        ("vault.get(w, K)", "`vault.get(w, K)`: unknown vault `w`"),
    ] {
        let bench = Bench::new(&format!("{VAULT}{}", command(&format!("{{run: 'echo ${{{{ {call} }}}}'}}"))));
        let record = bench.run("{}").await;
        let error = record.jobs[0].steps[0].error.clone().expect("an error");
        assert!(error.message.contains(expected), "{}", error.message);
        assert!(bench.starts().len() == 1 && record.jobs[0].steps[0].logs.is_empty());
    }
}

#[tokio::test]
async fn v7_a_secret_in_a_text_is_masked_unless_it_is_too_short() {
    for (secret, shown) in [("s3", "Bearer s3"), ("s3x", "Bearer ***")] {
        let vault = VAULT.replace("s3cret-value", secret);
        let run = r#"{run: 'echo "$H"', env: {H: "${{ \"Bearer \" + vault.get(v, K) }}"}}"#;
        let bench = Bench::new(&format!("{vault}{}", command(run)));
        let record = bench.run("{}").await;
        assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
        assert_eq!(record.jobs[0].steps[0].logs[0].text, shown);
    }
}
