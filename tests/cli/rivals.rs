//! Several programs at one repository at the same time: each entry is built by one of them.

use std::{
    process::Child,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    fixtures::model,
    sandbox::{Sandbox, Scan, files_below},
};

/// So many that they take several batches: what one has committed another one must not build again later.
const ENTRIES: u64 = 300;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    for number in 0..ENTRIES {
        sandbox.write(&format!("extensions/models/m{number}.ts"), &model(&format!("@acme/m{number}")));
    }
    sandbox
}

fn scan(sandbox: &Sandbox) -> Child {
    sandbox.start(&["scan", "--all", "--json"])
}

fn report(child: Child) -> Scan {
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    Scan(document)
}

fn assert_complete(scan: &Scan) {
    let states = scan.states();
    assert_eq!(states.len() as u64, ENTRIES);
    assert!(states.values().all(|state| state == "Indexed"), "{states:?}");
}

#[test]
fn six_scans_of_a_cold_repository_build_each_entry_once() {
    let sandbox = sandbox();
    let scans: Vec<Child> = (0..6).map(|_| scan(&sandbox)).collect();
    let reports: Vec<Scan> = scans.into_iter().map(report).collect();
    reports.iter().for_each(assert_complete);
    let built: Vec<u64> = reports.iter().map(Scan::built).collect();
    assert_eq!(built.iter().sum::<u64>(), ENTRIES, "{built:?}");
    assert_eq!(sandbox.scan(&[]).built(), 0);
    assert!(files_below(&sandbox.tree.path(".mangrove/locks")).is_empty(), "locks are taken away by their holders");
}

/// One of them is killed in the middle: the others take over what it held, at once.
#[test]
fn fault_39_a_scan_that_is_killed_in_the_middle_holds_nobody_up() {
    let sandbox = sandbox();
    let mut killed = scan(&sandbox);
    let locks = sandbox.tree.path(".mangrove/locks");
    let began = Instant::now();
    while files_below(&locks).is_empty() {
        assert!(killed.try_wait().expect("its state").is_none(), "it ended before it was caught at a build");
        assert!(began.elapsed() < Duration::from_mins(1), "it locks nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
    let others: Vec<Child> = (0..2).map(|_| scan(&sandbox)).collect();
    killed.kill().expect("it is alive");
    let left = Instant::now();
    killed.wait().expect("it ends");
    for other in others {
        assert_complete(&report(other));
    }
    assert!(left.elapsed() < Duration::from_mins(1), "they waited for a process that is dead: {:?}", left.elapsed());
}
