//! Several checkouts of one repository that share a catalog on a real PostgreSQL server, as a black box.

mod builds;
mod checkout;
mod daemon;
mod differing;
mod network;
mod nodes;
mod outages;
mod secured;

use std::fs;

use mangrove_testkit::postgres::PostgresServer;
use tempfile::TempDir;

use crate::{checkout::Checkout, daemon::Daemon};

/// Part of every address, and of nothing that is printed.
const PASSWORD: &str = "do-not-show-me";

/// The address of a new database, with a password, which the server does not ask for.
fn address(server: &PostgresServer) -> String {
    server.fresh_url().replacen("postgres://mangrove@", &format!("postgres://mangrove:{PASSWORD}@"), 1)
}

#[test]
fn two_checkouts_share_one_catalog() {
    let (server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let one = Checkout::new(place.path().join("one"), &address(&server));
    let scanned = one.json(&["scan"]);
    assert_eq!(scanned["summary"]["built"].as_u64(), Some(scanned["summary"]["inspected"].as_u64().expect("a number")));
    let other = one.cloned(place.path().join("other"));
    // What is there is seen at once; its code is built where it runs.
    for checkout in [&one, &other] {
        assert!(checkout.succeed(&["types"]).contains("@local/greeter"));
        assert!(checkout.succeed(&["describe", "@local/greeter"]).contains("greet"));
        assert!(checkout.succeed(&["why", "@local/greeter"]).contains("@local/greeter"));
        assert!(!checkout.directory.join(".mangrove/catalog.db").exists(), "there is no second catalog");
    }
    other.succeed(&["scan", "--strict"]);
    one.succeed(&["scan", "--strict"]);
    for checkout in [&one, &other] {
        checkout.succeed(&["workflow", "run", "hello"]);
        checkout.succeed(&["doctor"]);
    }
    // A change that one of them scans is known to the other.
    let model = other.directory.join("extensions/models/greeter.ts");
    let text = fs::read_to_string(&model).expect("the model").replace("@local/greeter", "@local/welcomer");
    fs::write(&model, &text).expect("written");
    other.succeed(&["scan"]);
    assert!(one.succeed(&["types"]).contains("@local/welcomer"));
    assert_eq!(
        one.json(&["scan"])["summary"]["states"]["Indexed"],
        other.json(&["scan"])["summary"]["states"]["Indexed"]
    );
}

#[test]
fn commands_without_their_database_say_so_and_may_be_repeated() {
    let (mut server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let checkout = Checkout::new(place.path().join("one"), &address(&server));
    checkout.succeed(&["scan"]);
    server.stop();
    for command in [&["scan"][..], &["types"], &["why", "@local/greeter"]] {
        let failed = checkout.run(command);
        assert_eq!(failed.code, Some(75), "{command:?}: {failed:?}");
        assert!(failed.stderr.contains("MG0506") && failed.stderr.contains("hint:"), "{failed:?}");
    }
    let doctor = checkout.run(&["doctor"]);
    assert!(doctor.code != Some(0) && format!("{doctor:?}").contains("MG0506"), "{doctor:?}");
    server.start_again();
    checkout.succeed(&["types"]);
    checkout.succeed(&["scan"]);
}

#[test]
fn one_role_makes_the_tables_and_another_runs() {
    let (server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let database = server.create_database();
    server.sql(&database, "CREATE ROLE runner LOGIN");
    let mut checkout = Checkout::new(place.path().join("one"), &server.url_as("runner", &database));
    let refused = checkout.run(&["scan"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("MG0507") && refused.stderr.contains("mangrove catalog migrate"), "{refused:?}");
    checkout.catalog = server.url(&database);
    checkout.succeed(&["catalog", "migrate", "--grant", "runner"]);
    checkout.catalog = server.url_as("runner", &database);
    checkout.succeed(&["scan", "--strict"]);
    let file = place.path().join("copy.db");
    for command in [&["catalog", "backup", file.to_str().expect("UTF-8")][..], &["catalog", "rebuild"]] {
        let refused = checkout.run(command);
        assert_eq!(refused.code, Some(2), "{command:?}: {refused:?}");
        assert!(refused.stderr.contains("MG0508") && refused.stderr.contains("pg_dump"), "{refused:?}");
    }
    assert!(checkout.succeed(&["types"]).contains("@local/greeter"), "nothing was changed");
    checkout.catalog = String::new();
    checkout.succeed(&["catalog", "migrate"]);
    assert!(checkout.directory.join(".mangrove/catalog.db").exists(), "a catalog that is a file");
    let refused = checkout.run(&["catalog", "migrate", "--grant", "runner"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn the_setting_is_checked_and_shown_without_its_password() {
    let place = TempDir::new().expect("a directory");
    let mut checkout = Checkout::new(place.path().join("one"), "");
    let marker = checkout.directory.join("mangrove.yaml");
    let shown = |checkout: &Checkout| {
        let document = checkout.json(&["serve", "--check"]);
        let settings = document["settings"].as_array().expect("settings").clone();
        let setting = settings.into_iter().find(|setting| setting["key"] == "catalog").expect("the catalog");
        (setting["value"].as_str().expect("a text").to_owned(), setting["source"].as_str().expect("a text").to_owned())
    };
    assert_eq!(shown(&checkout).1, "default");
    let text = fs::read_to_string(&marker).expect("a marker");
    fs::write(&marker, format!("catalog: postgres://ada:{PASSWORD}@db.invalid/mangrove\n{text}")).expect("written");
    assert_eq!(shown(&checkout), ("postgres://ada@db.invalid:5432/mangrove".to_owned(), "mangrove.yaml:1".to_owned()));
    checkout.catalog = format!("postgres://eve:{PASSWORD}@other.invalid:5433/x");
    assert_eq!(shown(&checkout), ("postgres://eve@other.invalid:5433/x".to_owned(), "MANGROVE_CATALOG".to_owned()));
    for wrong in ["catalog.db".to_owned(), format!("postgres://ada:{PASSWORD}@db:port/x")] {
        checkout.catalog = wrong;
        for command in [&["serve", "--check"][..], &["scan"], &["types"], &["catalog", "migrate"]] {
            let refused = checkout.run(command);
            assert_eq!(refused.code, Some(2), "{command:?}: {refused:?}");
            assert!(refused.stderr.contains("MANGROVE_CATALOG"), "{refused:?}");
        }
    }
}

#[test]
fn a_daemon_without_its_database_goes_on_resolving_and_running() {
    let (mut server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let checkout = Checkout::new(place.path().join("one"), &address(&server));
    checkout.succeed(&["scan"]);
    let daemon = Daemon::start(&checkout);
    let ask = |arguments: &[&str]| daemon.ask(arguments);
    assert!(ask(&["types"]).contains("@local/greeter"));
    server.stop();
    for _ in 0..2 {
        assert!(ask(&["types"]).contains("@local/greeter"), "it knows what it knew");
        ask(&["workflow", "run", "hello"]);
    }
    server.start_again();
    // What happened meanwhile elsewhere is seen.
    let other = checkout.cloned(place.path().join("other"));
    let model = other.directory.join("extensions/models/greeter.ts");
    let text = fs::read_to_string(&model).expect("the model").replace("@local/greeter", "@local/welcomer");
    fs::write(other.directory.join("extensions/models/welcomer.ts"), text).expect("written");
    other.succeed(&["scan"]);
    let seen = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        ask(&["types", "--all"]).contains("@local/welcomer")
    });
    assert!(seen, "it catches up by itself");
}
