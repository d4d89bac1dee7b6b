//! Faults of long-lived programs that a daemon must not have: descriptors that leak, and code that takes its process down
//! again and again.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    fixtures::model,
    sandbox::Sandbox,
    serve::{Serving, until},
};

/// Descriptors that come and go: a connection, a file that is being read, the pipes of a worker.
const PASSING: usize = 12;

fn descriptors(serving: &Serving) -> usize {
    fs::read_dir(format!("/proc/{}/fd", serving.process())).expect("a process").count()
}

fn describes(serving: &Serving, type_name: &str, words: &str) {
    let path = format!("/api/v1/types/{type_name}");
    let found = until(words, || serving.ask("GET", &path, None).1.contains(words).then_some(()));
    found.unwrap_or_else(|| panic!("{type_name} never says {words}"));
}

#[test]
fn fault_34_neither_reloads_nor_requests_leak_descriptors_and_the_log_is_whole() {
    let sandbox = Sandbox::new("");
    let describing = |number: usize| model("@acme/a").replace("Greet somebody", &format!("Greet number {number}."));
    sandbox.write("extensions/models/a.ts", &describing(0));
    let mut serving = Serving::start(&sandbox, &["--rescan", "1h"]);
    let mut before = 0;
    for number in 1..=40 {
        sandbox.write("extensions/models/a.ts", &describing(number));
        describes(&serving, "@acme/a", &format!("Greet number {number}."));
        // What the first reloads open stays open: the catalog, the log, workers.
        if number == 10 {
            before = descriptors(&serving);
        }
    }
    let after = until("descriptors", || Some(descriptors(&serving)).filter(|after| *after <= before + PASSING));
    assert!(after.is_some(), "{before} descriptors after 10 reloads, {} after 40", descriptors(&serving));
    serving.signal("TERM");
    assert_eq!(serving.wait().code(), Some(0));
    serving.logs("an end", |event| event["message"].as_str().is_some_and(|text| text.starts_with("stopping")));
    serving.logs_nothing_but_events();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_daemon_has_its_allocator_give_memory_back_however_it_is_started() {
    let sandbox = Sandbox::new("");
    let serving = Serving::start(&sandbox, &[]);
    let environment = fs::read(format!("/proc/{}/environ", serving.process())).expect("a process");
    let variables: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
    assert!(variables.contains(&b"MALLOC_ARENA_MAX=2".as_slice()), "{}", String::from_utf8_lossy(&environment));
    let name = fs::read_to_string(format!("/proc/{}/comm", serving.process())).expect("a process");
    assert_eq!(name.trim(), "mangrove", "it is still called as it was");
}

/// The workers of a daemon that have calculated for a while.
fn busy_workers(serving: &Serving) -> Vec<PathBuf> {
    const BUSY_TICKS: u32 = 20;
    let parent = serving.process().to_string();
    let processes = fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path());
    let is_busy = |process: &PathBuf| {
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        let words: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let used = words.get(11).and_then(|ticks| ticks.parse::<u32>().ok()).unwrap_or_default();
        words.get(1) == Some(&parent.as_str()) && used > BUSY_TICKS
    };
    processes.filter(is_busy).collect()
}

#[test]
fn fault_51_code_that_takes_its_process_down_is_named_and_not_started_again() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/good.ts", &model("@acme/good"));
    let serving = Serving::start(&sandbox, &["--rescan", "1s"]);
    sandbox.write("extensions/models/bad.ts", "for (;;) {}\nexport const model = { type: \"@acme/bad\" };\n");
    let why = || sandbox.json(&["why", "@acme/bad"])["sources"][0]["failure"].clone();
    // A worker that calculates without end is as good as any for a crash.
    let crashed = until("a crash", || {
        for worker in busy_workers(&serving) {
            let process = worker.file_name().and_then(|name| name.to_str()).expect("a number");
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-SEGV", process]).status();
        }
        Some(why()).filter(|failure| failure["code"] == "MG0210")
    });
    let crashed = crashed.expect("the crash is a failure of its source");
    assert_eq!(crashed["class"], "Deterministic", "{crashed}");
    assert_eq!(crashed["nextRetry"], serde_json::Value::Null, "{crashed}");
    assert!(crashed["message"].as_str().is_some_and(|text| text.contains("extensions/models/bad.ts")), "{crashed}");
    serving.logs("the culprit", |event| {
        event["message"].as_str().is_some_and(|text| text.contains("died of SIGSEGV"))
            && event["source"] == "extensions/models/bad.ts"
    });
    // Several rescans later nobody has started it again, and everything else goes on.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        assert!(busy_workers(&serving).is_empty(), "it was started again");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(why()["attempts"], crashed["attempts"]);
    assert_eq!(serving.ask("GET", "/api/v1/types/@acme/good", None).0, 200);
}
