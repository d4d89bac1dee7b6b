//! What `mangrove export` prints is right by whoever reads it.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{sandbox::Sandbox, serve::Serving};

fn exported(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.run(&[&["export"], arguments].concat());
    assert_eq!(output.code, 0, "{output}");
    output.stdout
}

/// The names in a text that are names of metrics.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| word.starts_with("mangrove_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[test]
fn dashboard_and_alert_rules_name_metrics_that_exist() {
    let sandbox = Sandbox::new("");
    let serving = Serving::start(&sandbox, &[]);
    // Requests are counted once there are any.
    serving.ask("GET", "/livez", None);
    let (status, text) = serving.ask("GET", "/metrics", None);
    assert_eq!(status, 200, "{text}");
    let series: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned()))
        .collect();
    for name in ["alert-rules", "grafana-dashboard"] {
        let named = metrics_in(&exported(&sandbox, &[name]));
        assert!(named.len() > 8, "{name}: {named:?}");
        let unknown: Vec<&String> = named.difference(&series).collect();
        assert!(unknown.is_empty(), "{name} names {unknown:?}; there are {series:#?}");
    }
}

#[test]
fn alert_rules_and_dashboard_have_the_form_that_their_readers_expect() {
    let sandbox = Sandbox::new("");
    let dashboard: Value = serde_json::from_str(&exported(&sandbox, &["grafana-dashboard"])).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let numbers: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(numbers.len(), panels.len(), "each has a number of its own");
    for panel in panels {
        assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{panel}");
        let (x, width) = (panel["gridPos"]["x"].as_u64(), panel["gridPos"]["w"].as_u64());
        assert!(x.zip(width).is_some_and(|(x, width)| x + width <= 24), "{panel}");
    }
    let rules = exported(&sandbox, &["alert-rules"]);
    let count = |key: &str| rules.lines().filter(|line| line.trim_start().starts_with(key)).count();
    let alerts = count("- alert:");
    assert!(alerts >= 10, "{rules}");
    for key in ["expr:", "labels: {severity:", "summary:", "description:"] {
        assert_eq!(count(key), alerts, "{key} of each");
    }
}

#[test]
fn the_unit_is_one_that_systemd_understands() {
    let sandbox = Sandbox::new("");
    let unit = exported(&sandbox, &["systemd"]);
    let repository = sandbox.tree.root().display().to_string();
    assert!(unit.contains(&format!("--repo {repository} serve")), "{unit}");
    assert!(unit.contains("\nEnvironment=MALLOC_ARENA_MAX=2 "), "{unit}");
    assert!(unit.contains("Type=notify\n") && unit.contains("WatchdogSec=") && !unit.contains('{'), "{unit}");
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        // A machine without systemd has no use for the unit either.
        return;
    }
    let file = sandbox.tree.root().join("mangrove.service");
    // Whoever runs the tests has no user of this name.
    fs::write(&file, unit.replace("User=mangrove", "User=root").replace("Group=mangrove", "Group=root"))
        .expect("written");
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .expect("systemd-analyze");
    let said = String::from_utf8_lossy(&verified.stderr);
    let about_it: Vec<&str> = said.lines().filter(|line| line.contains("mangrove.service")).collect();
    assert!(about_it.is_empty(), "{said}");
    assert!(verified.status.success(), "{said}");
}

#[test]
fn the_openapi_document_is_the_one_on_record() {
    let sandbox = Sandbox::new("");
    let snapshot = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../daemon/tests/http/snapshots/http__openapi__the_document_is_the_one_on_record.snap"
    );
    let snapshot = fs::read_to_string(snapshot).expect("the snapshot");
    let recorded = snapshot.splitn(3, "---\n").nth(2).expect("a snapshot");
    assert!(exported(&sandbox, &["openapi"]) == recorded, "they differ");
}

#[test]
fn completions_are_programs_of_their_shells() {
    let sandbox = Sandbox::new("");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(exported(&sandbox, &["completions", shell]).contains("mangrove"), "{shell}");
    }
    let script = sandbox.tree.root().join("completions");
    fs::write(&script, exported(&sandbox, &["completions", "bash"])).expect("written");
    let checked = format!(
        ". {} && complete -p mangrove && COMP_WORDS=(mangrove ser) COMP_CWORD=1 && _mangrove mangrove ser mangrove && \
         echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let checked = Command::new("bash").args(["-c", &checked]).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&checked.stdout).lines().last(), Some("serve"), "{checked:?}");
}
