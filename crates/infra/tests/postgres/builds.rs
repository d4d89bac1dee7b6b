//! Leases of builds: holders that die, come late, or lose their server.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    digest::Digest,
    ports::{BuildLease, BuildLeases, Leased},
};
use mangrove_infra::postgres::PostgresRuns;
use mangrove_testkit::{
    contract,
    postgres::PostgresServer,
    relay::{Moment, Relay, Target},
};
use tokio::time::Instant;

use crate::{LEASE, runs};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_mins(1);

fn given(leased: Leased) -> BuildLease {
    match leased {
        Leased::Given(lease) => lease,
        Leased::Held | Leased::Unavailable => panic!("no lease: {leased:?}"),
    }
}

async fn is_held(node: &PostgresRuns, fingerprint: Digest) -> bool {
    match node.acquire(fingerprint, Duration::ZERO).await {
        Leased::Held => true,
        Leased::Given(lease) => {
            node.give_back(vec![lease]).await;
            false
        }
        Leased::Unavailable => panic!("nobody answers"),
    }
}

/// Nothing was heard of whoever has a lease, until it says again that it lives: it stood still, or its cable was pulled.
fn silence_holders(server: &PostgresServer, database: &str) {
    server.sql(
        database,
        "UPDATE mangrove_runs.processes SET seen_at = clock_timestamp() - interval '1 hour' \
         WHERE id IN (SELECT process FROM mangrove_runs.build_leases)",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_build_leases() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let url = server.url(&database);
    contract::build_leases(&|| Arc::new(runs(&url)) as Arc<dyn BuildLeases>).await;
    assert_eq!(server.sql(&database, "SELECT count(*) FROM mangrove_runs.build_leases").trim(), "0");
}

/// The runtime of the holder ends with everything in it, as its process would: nothing is given back.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_holder_had_is_anybodys_after_the_time_of_a_lease() {
    let server = PostgresServer::start();
    let (url, fingerprint) = (server.fresh_url(), Digest::of(b"a"));
    let holder = std::thread::spawn({
        let url = url.clone();
        move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let lease = given(runtime.block_on(async { runs(&url).acquire(fingerprint, Duration::ZERO).await }));
            std::mem::forget(lease);
        }
    });
    holder.join().expect("it has one");
    let other = runs(&url);
    let began = Instant::now();
    assert!(is_held(&other, fingerprint).await);
    given(other.acquire(fingerprint, LONG).await);
    let waited = began.elapsed();
    assert!(waited < LEASE * 2, "{waited:?}");
}

/// Nobody waits for what a process had that is gone, and what nobody asks for is swept.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_who_lives_is_given_at_once() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let (wanted, other) = (Digest::of(b"a"), Digest::of(b"b"));
    runs(&server.url(&database)).migrate(None).await.expect("tables");
    for fingerprint in [wanted, other] {
        let row = format!("('\\x{fingerprint}', 'gone', 1)");
        server.sql(&database, &format!("INSERT INTO mangrove_runs.build_leases VALUES {row}"));
    }
    let node = runs(&server.url(&database));
    let lease = given(node.acquire(wanted, Duration::ZERO).await);
    let began = Instant::now();
    while server.sql(&database, "SELECT count(*) FROM mangrove_runs.build_leases").trim() != "1" {
        assert!(began.elapsed() < LONG, "it stays for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    node.give_back(vec![lease]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_lives_keeps_its_lease_for_longer_than_its_time() {
    let server = PostgresServer::start();
    let url = server.fresh_url();
    let (holder, other) = (runs(&url), runs(&url));
    let lease = given(holder.acquire(Digest::of(b"a"), Duration::ZERO).await);
    let waited = other.acquire(Digest::of(b"a"), LEASE * 2).await;
    assert!(matches!(waited, Leased::Held), "{waited:?}");
    holder.give_back(vec![lease]).await;
    assert!(!is_held(&other, Digest::of(b"a")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_holder_gives_back_nothing_that_is_anothers() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let url = server.url(&database);
    let fingerprint = Digest::of(b"a");
    let (late, newer, third) = (runs(&url), runs(&url), runs(&url));
    for node in [&newer, &third] {
        assert!(!is_held(node, fingerprint).await, "all live");
    }
    let lease = given(late.acquire(fingerprint, Duration::ZERO).await);
    assert!(is_held(&third, fingerprint).await);
    // It says again and again that it lives.
    let taken = loop {
        silence_holders(&server, &database);
        if let Leased::Given(taken) = newer.acquire(fingerprint, Duration::ZERO).await {
            break taken;
        }
    };
    late.give_back(vec![lease]).await;
    assert!(is_held(&third, fingerprint).await, "it is the newer one's");
    newer.give_back(vec![taken]).await;
    assert!(!is_held(&third, fingerprint).await);
}

/// Whoever cannot ask is told so soon, by a server that is gone as well as by one that is silent, and asks again when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_server_that_is_away() {
    let mut server = PostgresServer::start();
    let node = runs(&server.fresh_url());
    let lease = given(node.acquire(Digest::of(b"a"), Duration::ZERO).await);
    server.stop();
    let began = Instant::now();
    for number in 0..50_u8 {
        let asked = node.acquire(Digest::of(&[number]), LONG).await;
        assert!(matches!(asked, Leased::Unavailable), "{asked:?}");
    }
    node.give_back(vec![lease]).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    server.start_again();
    let again = async {
        loop {
            if let Leased::Given(lease) = node.acquire(Digest::of(b"a"), Duration::ZERO).await {
                return lease;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    given(Leased::Given(tokio::time::timeout(LONG, again).await.expect("it asks again")));
}

/// Whoever waits when the server goes away waits no more.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_when_the_server_goes_is_told_soon() {
    let mut server = PostgresServer::start();
    let url = server.fresh_url();
    let (holder, other) = (runs(&url), runs(&url));
    let _lease = given(holder.acquire(Digest::of(b"a"), Duration::ZERO).await);
    let waiting = tokio::spawn(async move { other.acquire(Digest::of(b"a"), LONG).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    server.stop();
    let told = tokio::time::timeout(Duration::from_secs(15), waiting).await.expect("soon").expect("no panic");
    assert!(matches!(told, Leased::Unavailable), "{told:?}");
}

/// The answer is lost: the process does not know that it has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_its_process_does_not_know_of_is_given_to_others() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let node = runs(&server.url(&database));
    let lease = given(node.acquire(Digest::of(b"a"), Duration::ZERO).await);
    server.sql(
        &database,
        "INSERT INTO mangrove_runs.build_leases SELECT '\\x00', process, 0 FROM mangrove_runs.build_leases",
    );
    let count = || server.sql(&database, "SELECT count(*) FROM mangrove_runs.build_leases").trim().to_owned();
    assert_eq!(count(), "2");
    let began = Instant::now();
    while count() != "1" {
        assert!(began.elapsed() < LONG, "it is never given back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(is_held(&runs(&server.url(&database)), Digest::of(b"a")).await, "and only that");
    node.give_back(vec![lease]).await;
}

/// A question whose answer does not arrive is asked again, and is no conflict with itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_answer_is_lost_is_asked_again() {
    let server = PostgresServer::start();
    let database = server.create_database();
    runs(&server.url(&database)).migrate(None).await.expect("tables");
    let relay = Relay::start(Target::Socket(server.socket_path())).expect("a port");
    let node = runs(&format!("postgres://mangrove@{}/{database}", relay.address()));
    given(node.acquire(Digest::of(b"a"), Duration::ZERO).await);
    let fingerprint = Digest::of(b"b");
    relay.cut_at(fingerprint.as_bytes(), Moment::Answered);
    given(node.acquire(fingerprint, Duration::ZERO).await);
    assert_eq!(relay.cuts(), 1);
}
