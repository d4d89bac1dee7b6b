//! TLS to the server.

use std::thread;

use mangrove_testkit::{
    certificates::Authority,
    postgres::{Listens, PostgresServer, Setup},
};
use tempfile::TempDir;

use crate::checkout::Checkout;

#[test]
fn a_server_is_believed_by_its_certificate_and_its_name() {
    let place = TempDir::new().expect("a directory");
    let directory = |name: &str| {
        let directory = place.path().join(name);
        std::fs::create_dir(&directory).expect("a directory");
        directory
    };
    let (authority, stranger) = (Authority::create(&directory("ours")), Authority::create(&directory("theirs")));
    let certificate = Some(authority.certify("localhost"));
    let server = PostgresServer::start_with(Setup { listens: Some(Listens::Here), certificate, ..Setup::default() });
    let database = server.create_database();
    let by_number = server.network_url(&database);
    let by_name = by_number.replace("127.0.0.1", "localhost");
    let trusting = |url: &str, mode: &str, authority: &Authority| {
        format!("{url}?sslmode={mode}&sslrootcert={}", authority.certificate().display())
    };

    let mut checkout = Checkout::new(place.path().join("one"), &trusting(&by_name, "verify-full", &authority));
    checkout.succeed(&["scan", "--strict"]);
    // The server lets nobody in without TLS, so whoever gets in has it.
    checkout.catalog = trusting(&by_number, "verify-ca", &authority);
    assert!(checkout.succeed(&["types"]).contains("@local/greeter"), "the name does not matter here");
    checkout.catalog = by_name.clone();
    assert!(checkout.succeed(&["types"]).contains("@local/greeter"), "TLS where the server wants it");

    let refused = [
        (trusting(&by_number, "verify-full", &authority), "not valid for name \"127.0.0.1\""),
        (trusting(&by_name, "verify-ca", &stranger), "invalid peer certificate"),
        (format!("{by_name}?sslmode=verify-full"), "invalid peer certificate"),
        (format!("{by_name}?sslmode=disable"), "no encryption"),
    ];
    thread::scope(|scope| {
        for (catalog, said) in refused {
            let checkout = Checkout { catalog, ..Checkout::at(&checkout.directory) };
            scope.spawn(move || {
                let refused = checkout.run(&["types"]);
                assert!(refused.code == Some(3) && refused.stderr.contains(said), "{said}: {refused:?}");
            });
        }
    });
}
