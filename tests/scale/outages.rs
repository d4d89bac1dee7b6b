//! A database that is away when somebody needs it, and a way to it that breaks at the worst moment.

use std::time::Duration;

use mangrove_testkit::{
    postgres::PostgresServer,
    relay::{Moment, Relay, Target},
};
use tempfile::TempDir;

use crate::{address, checkout::Checkout, daemon::Daemon};

/// It looks again 5 s after a failure; and a machine that does much else.
const HEALED: Duration = Duration::from_secs(30);

const GREETER: &str = "extensions/models/greeter.ts";

#[test]
fn a_daemon_that_starts_without_its_database_says_so_and_works_when_it_is_there() {
    let (mut server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let checkout = Checkout::new(place.path().join("one"), &address(&server));
    checkout.succeed(&["scan"]);
    server.stop();
    let daemon = Daemon::start(&checkout);
    let listed = daemon.run(&["run", "list"]);
    assert!(
        listed.code == Some(0) && format!("{listed:?}").contains("these are the runs of one machine"),
        "{listed:?}"
    );
    // It is up, knows nothing, and says why.
    for command in [&["types"][..], &["workflow", "run", "hello"]] {
        let answer = daemon.run(command);
        let said = format!("{answer:?}");
        assert!(answer.code == Some(75) && said.contains("cannot read postgres://"), "{command:?}: {said}");
    }
    server.start_again();
    daemon.settles(GREETER, HEALED, |row| row["state"] == "Indexed");
    assert!(daemon.ask(&["workflow", "run", "hello"]).contains("Hello, world!"));
}

#[test]
fn a_scan_whose_way_to_the_server_breaks_within_commit_ends_well() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let (server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    for (moment, name) in [(Moment::Before, "before"), (Moment::Answered, "answered")] {
        let relay = Relay::start(Target::Socket(server.socket_path())).expect("a port");
        let database = server.create_database();
        let checkout = Checkout::new(place.path().join(name), &server.url(&database));
        checkout.succeed(&["catalog", "migrate"]);
        let through = Checkout { catalog: format!("postgres://mangrove@{}/{database}", relay.address()), ..checkout };
        relay.cut_at(b"COMMIT\0", moment);
        let scanned = through.json(&["scan", "--strict"]);
        assert_eq!(relay.cuts(), 1, "{name}");
        let known = scanned["summary"]["states"]["Indexed"].as_u64().expect("a number");
        assert_eq!(scanned["summary"]["built"].as_u64(), Some(known), "{name}: {scanned:#}");
        assert!(through.succeed(&["workflow", "run", "hello"]).contains("Hello"), "{name}");
    }
}
