//! Nodes that do not run the same sources.

use std::{fs, process::Command, thread, time::Duration};

use mangrove_testkit::postgres::PostgresServer;
use tempfile::TempDir;

use crate::{address, checkout::Checkout, daemon::Daemon};

/// Two nodes with different checkouts: both say so, and name what differs.
#[test]
fn nodes_with_different_checkouts_name_both_commits_and_the_files() {
    let (server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let one = Checkout::new(place.path().join("one"), &address(&server));
    let at = |checkout: &Checkout, commit: &str| {
        fs::create_dir_all(checkout.directory.join(".git")).expect("a directory");
        fs::write(checkout.directory.join(".git/HEAD"), commit.repeat(20)).expect("written");
    };
    at(&one, "1a");
    one.succeed(&["scan"]);
    let two = one.cloned(place.path().join("two"));
    at(&two, "2b");
    let (one_serves, _two_serves) = (Daemon::start(&one), Daemon::start(&two));
    let page = |expected: bool| {
        let answer = |path: &str| {
            let output = Command::new("curl").args(["--silent", &format!("{}{path}", one_serves.server())]).output();
            String::from_utf8(output.expect("`curl` runs").stdout).expect("UTF-8")
        };
        (0..300).any(|_| {
            thread::sleep(Duration::from_millis(100));
            answer("/problems").contains("commit 2b2b2b2b2b2b") == expected
        })
    };
    one.succeed(&["doctor"]);
    let model = two.directory.join("extensions/models/greeter.ts");
    let text = fs::read_to_string(&model).expect("the model");
    fs::write(&model, format!("{text}// another one\n")).expect("written");
    assert!(page(true), "the dashboard does not say so");
    let doctor = one.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    for part in ["MG0509", "commit 1a1a1a1a1a1a", "commit 2b2b2b2b2b2b", "extensions/models/greeter.ts"] {
        assert!(doctor.stderr.contains(part), "{part} is not in {doctor:?}");
    }
    fs::write(&model, text).expect("written");
    assert!(page(false), "it does not go away");
}
