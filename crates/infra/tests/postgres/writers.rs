//! Many writers of one catalog, and what one of them must not do to the others.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    digest::Digest,
    ports::{AttemptCache as _, Catalog as _, ClaimAnswer, Commit, ScheduleClaim, ScheduleLeases as _},
    row::Row,
    state::StateName,
    time::Timestamp,
};
use mangrove_testkit::{postgres::PostgresServer, rows};

use crate::{catalog, reader, runs};

#[tokio::test]
async fn of_two_that_commit_one_row_one_conflicts() {
    let server = PostgresServer::start();
    let url = server.fresh_url();
    let (one, other) = (catalog(&url), catalog(&url));
    let row = rows::indexed("models/a.ts", "@acme/a");
    one.commit(rows::put_all([&row])).await.expect("a commit");
    let planned = one.snapshot().await.expect("a snapshot").rows.remove(0);
    let (first, second) = tokio::join!(one.commit(rows::put_all([&planned])), other.commit(rows::put_all([&planned])));
    let conflicts = [first.expect("a commit").conflicts, second.expect("a commit").conflicts].concat();
    assert_eq!(conflicts, std::slice::from_ref(&planned.source), "exactly one of them");
    let stored = other.snapshot().await.expect("a snapshot").rows;
    assert_eq!(stored, [Row { revision: planned.revision + 1, ..planned }]);
}

#[tokio::test]
async fn of_two_that_claim_one_type_one_conflicts() {
    let server = PostgresServer::start();
    let url = server.fresh_url();
    let (one, other) = (catalog(&url), catalog(&url));
    let (a, b) = (rows::indexed("models/a.ts", "@acme/a"), rows::indexed("models/b.ts", "@acme/a"));
    let healthy = rows::indexed("models/c.ts", "@acme/c");
    let (first, second) = tokio::join!(one.commit(rows::put_all([&a])), other.commit(rows::put_all([&b, &healthy])));
    let (first, second) = (first.expect("a commit"), second.expect("a commit"));
    assert_eq!(first.conflicts.len() + second.conflicts.len(), 1, "{first:?} {second:?}");
    let stored = one.snapshot().await.expect("a snapshot").rows;
    assert_eq!(stored.iter().filter(|row| row.is_resolvable() && row.type_name() == a.type_name()).count(), 1);
    assert!(stored.iter().any(|row| row.source == healthy.source), "the rest of the batch is written");
}

/// Whoever writes: the index is what holds it, not the reading before.
#[tokio::test]
async fn the_database_itself_refuses_two_rows_of_one_type() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let catalog = catalog(&server.url(&database));
    catalog.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await.expect("a commit");
    let said = server.sql(
        &database,
        "DO $$ BEGIN INSERT INTO mangrove_catalog.sources SELECT root, 'models/b.ts', 1, kind, state, type_name, \
         resolvable, description, record FROM mangrove_catalog.sources; \
         EXCEPTION WHEN unique_violation THEN CREATE TABLE was_refused (); END $$; \
         SELECT count(*) FROM pg_class WHERE relname = 'was_refused'",
    );
    assert_eq!(said, "1");
}

/// A program that knows nothing of versions writes a row: whoever has read some rows learns of it.
#[tokio::test]
async fn a_foreign_writer_changes_the_version() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let catalog = catalog(&server.url(&database));
    catalog.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await.expect("a commit");
    let (version, mark) = (catalog.snapshot().await.expect("a snapshot").version, catalog.mark().await);
    assert!(mark.is_some());
    server.sql(&database, "UPDATE mangrove_catalog.sources SET revision = revision + 1");
    assert_ne!(catalog.snapshot().await.expect("a snapshot").version, version);
    assert_ne!(catalog.mark().await, mark);
    let mark = catalog.mark().await;
    server.sql(&database, "UPDATE mangrove_catalog.sources SET revision = revision + 1 WHERE path = 'nothing'");
    assert_eq!(catalog.mark().await, mark, "nothing changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_committers_at_once_lose_nothing() {
    let server = PostgresServer::start();
    let url = server.fresh_url();
    catalog(&url).migrate(None).await.expect("tables");
    // Several processes: each has connections of its own.
    let nodes: Vec<_> = (0..5).map(|_| Arc::new(catalog(&url))).collect();
    let committers: Vec<_> = (0..50)
        .map(|number| {
            let node = Arc::clone(&nodes[number % nodes.len()]);
            tokio::spawn(async move {
                for turn in 0..4 {
                    let row = rows::indexed(&format!("models/{number}-{turn}.ts"), &format!("@acme/{number}-{turn}"));
                    let mut batch = rows::put_all([&row]);
                    batch.changes[0].transition = Some(rows::transition(None, StateName::Indexed, "new"));
                    let outcome = node.commit(batch).await.expect("a commit");
                    assert_eq!(outcome.conflicts, []);
                    node.cache(Digest::of(row.source.path.as_str().as_bytes()), b"found").await.expect("remembered");
                }
            })
        })
        .collect();
    for committer in committers {
        committer.await.expect("no panic");
    }
    let found = catalog(&url);
    assert_eq!(found.snapshot().await.expect("a snapshot").rows.len(), 200);
    let lines = found.history(None, 1_000).await.expect("history");
    assert_eq!(lines.len(), 200);
    assert!(lines.windows(2).all(|pair| pair[0].number > pair[1].number), "no number comes twice");
    for line in lines {
        let key = Digest::of(line.record.source.path.as_str().as_bytes());
        assert_eq!(found.cached(key).await.expect("an answer"), Some(b"found".to_vec()));
    }
}

/// Many that add up in one row: each sees what the one before has left.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_conflicts_finds_the_new_revision_and_gets_through() {
    let server = PostgresServer::start();
    let url = server.fresh_url();
    let row = rows::indexed("models/a.ts", "@acme/a");
    catalog(&url).commit(rows::put_all([&row])).await.expect("a commit");
    let committers: Vec<_> = (0..8)
        .map(|_| {
            let node = catalog(&url);
            tokio::spawn(async move {
                for _ in 0..5 {
                    loop {
                        let planned = node.snapshot().await.expect("a snapshot").rows.remove(0);
                        let outcome = node.commit(rows::put_all([&planned])).await.expect("a commit");
                        if outcome.conflicts.is_empty() {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    for committer in committers {
        committer.await.expect("no panic");
    }
    assert_eq!(catalog(&url).snapshot().await.expect("a snapshot").rows[0].revision, 41);
}

#[tokio::test]
async fn what_the_server_cannot_keep_as_text_keeps_no_other_row_from_being_written() {
    let server = PostgresServer::start();
    let catalog = catalog(&server.fresh_url());
    let odd = rows::indexed("models/a\0b.ts", "@acme/a\0b");
    let healthy = rows::indexed("models/c.ts", "@acme/c");
    let mut batch = rows::put_all([&odd, &healthy]);
    batch.changes[0].transition = Some(rows::transition(None, StateName::Indexed, "said \0"));
    assert_eq!(catalog.commit(batch).await.expect("a commit").conflicts, []);
    let mut stored = catalog.snapshot().await.expect("a snapshot").rows;
    stored.sort_by(|one, other| one.source.cmp(&other.source));
    assert_eq!(stored, [Row { revision: 1, ..odd.clone() }, Row { revision: 1, ..healthy }]);
    assert_eq!(catalog.rows(&[odd.source.clone()].into()).await.expect("rows").rows.len(), 1);
    let told = catalog.transitions(&odd.source).await.expect("history");
    assert_eq!(told[0].transition.reason, "said \0");
    assert_eq!(catalog.history(None, 5).await.expect("history")[0].record.source, odd.source);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_told_and_replaced() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let catalog = catalog(&server.url(&database));
    let (row, other) = (rows::indexed("models/a.ts", "@acme/a"), rows::indexed("models/b.ts", "@acme/b"));
    catalog.commit(rows::put_all([&row, &other])).await.expect("a commit");
    server.sql(&database, "UPDATE mangrove_catalog.sources SET record = '\\xff' WHERE path = 'models/a.ts'");
    let view = catalog.snapshot().await.expect("a snapshot");
    assert_eq!((view.rows.len(), view.damaged.len()), (1, 1));
    // Nobody knows its revision, so it is planned as a new one; and it does not hold its type against another source.
    let heir = rows::indexed("models/heir.ts", "@acme/a");
    assert_eq!(catalog.commit(rows::put_all([&heir])).await.expect("a commit").conflicts, []);
    let failed = rows::failed("models/a.ts", "@acme/a");
    assert_eq!(catalog.commit(rows::put_all([&failed])).await.expect("a commit").conflicts, []);
    let view = catalog.snapshot().await.expect("a snapshot");
    assert_eq!((view.rows.len(), view.damaged.len()), (3, 0));
}

#[tokio::test]
async fn what_no_row_names_is_swept_by_whoever_comes_next() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let url = server.url(&database);
    let first = catalog(&url);
    let row = rows::indexed("models/a.ts", "@acme/a");
    first.commit(rows::put_all([&row])).await.expect("a commit");
    let descriptions = (0..600).map(|number| rows::description(&format!("@acme/{number}"))).collect();
    first.commit(Commit { changes: Vec::new(), descriptions }).await.expect("a commit");
    let count = || server.sql(&database, "SELECT count(*) FROM mangrove_catalog.descriptions");
    assert_eq!(count(), "601");
    reader(&url).snapshot().await.expect("a snapshot");
    assert_eq!(count(), "601", "a reader changes nothing");
    let view = catalog(&url).snapshot().await.expect("a snapshot");
    assert_eq!((view.rows.len(), view.damaged.len()), (1, 0));
    assert_eq!(count(), "1");
}

/// Fault 38, among machines: each daemon has connections of its own.
#[tokio::test(flavor = "multi_thread")]
async fn every_instant_is_given_to_exactly_one_of_several_daemons() {
    let server = PostgresServer::start();
    let url = server.fresh_url();
    let daemons: Vec<_> = (0..3)
        .map(|daemon| {
            let leases = runs(&url);
            tokio::spawn(async move {
                let mut given = 0;
                for instant in 0..20 {
                    for workflow in 0..5 {
                        let claim = ScheduleClaim {
                            workflow: format!("workflow {workflow}"),
                            instant: Timestamp::from_millis(instant * 1_000),
                            holder: format!("daemon {daemon}"),
                            // Clocks differ.
                            at: Timestamp::from_millis(instant * 1_000 + daemon * 700),
                            run: format!("{workflow}-{instant}-{daemon}"),
                            may_overlap: true,
                            most_at_once: None,
                        };
                        given += usize::from(leases.claim(&claim).await.expect("an answer") == ClaimAnswer::Given);
                    }
                }
                given
            })
        })
        .collect();
    let mut given = 0;
    for daemon in daemons {
        given += daemon.await.expect("no panic");
    }
    assert_eq!(given, 100, "once each");
    let latest = runs(&url).latest().await.expect("an answer");
    assert_eq!(latest.len(), 5);
    assert!(latest.iter().all(|(_, instant)| instant.as_millis() == 19_000), "{latest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_told_to_whoever_waits_and_a_broken_connection_is_made_again() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let url = server.url(&database);
    let (writer, waiting) = (catalog(&url), Arc::new(catalog(&url)));
    let mut number = 0;
    for _ in 0..2 {
        let heard = tokio::spawn({
            let waiting = Arc::clone(&waiting);
            async move { waiting.changed().await }
        });
        // What is committed before it listens, it is not told.
        let telling = async {
            while !heard.is_finished() {
                number += 1;
                let row = rows::indexed(&format!("models/a{number}.ts"), &format!("@acme/a{number}"));
                writer.commit(rows::put_all([&row])).await.expect("a commit");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), telling).await.expect("it is told");
        server.sql(&database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
        // What was told before that, it may still hear; then nobody commits.
        while tokio::time::timeout(Duration::from_secs(1), waiting.changed()).await.is_ok() {}
    }
}

/// A program drops what it has when its runtime is gone.
#[test]
fn a_catalog_that_listened_can_be_dropped_after_its_runtime() {
    let server = PostgresServer::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let listening = catalog(&server.fresh_url());
    runtime.block_on(async {
        listening.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await.expect("a commit");
        let _ = tokio::time::timeout(Duration::from_secs(1), listening.changed()).await;
    });
    runtime.shutdown_background();
    drop(listening);
}
