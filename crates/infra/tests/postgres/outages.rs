//! A server that goes away, and comes back.

use std::sync::Arc;

use mangrove_domain::{
    failure::FailureClass,
    ports::{Catalog as _, CatalogError},
    problem::Code,
};
use mangrove_infra::postgres::{OpenMode, PostgresCatalog};
use mangrove_testkit::{postgres::PostgresServer, rows};

use crate::{address, catalog, impatient};

fn assert_is_unreachable(error: &CatalogError) {
    assert!(matches!(error, CatalogError::Unreachable { .. }), "{error:?}");
    let fault = error.fault();
    assert_eq!((fault.code, fault.class), (Code::DATABASE_UNREACHABLE, FailureClass::Transient), "{fault}");
}

#[tokio::test]
async fn a_server_that_is_stopped_is_a_passing_failure_and_works_again_after_its_start() {
    let mut server = PostgresServer::start();
    let url = server.fresh_url();
    let catalog = PostgresCatalog::with_patience(address(&url), OpenMode::ReadWrite, impatient());
    let row = rows::indexed("models/a.ts", "@acme/a");
    catalog.commit(rows::put_all([&row])).await.expect("a commit");
    server.stop();
    assert_is_unreachable(&catalog.snapshot().await.expect_err("no server"));
    assert_is_unreachable(&catalog.commit(rows::put_all([&row])).await.expect_err("no server"));
    assert_eq!(catalog.mark().await, None, "nobody knows");
    let never = PostgresCatalog::with_patience(address(&url), OpenMode::ReadWrite, impatient());
    assert_is_unreachable(&never.snapshot().await.expect_err("no server"));
    server.start_again();
    assert_eq!(catalog.snapshot().await.expect("a snapshot").rows.len(), 1);
    let other = rows::indexed("models/b.ts", "@acme/b");
    assert_eq!(catalog.commit(rows::put_all([&other])).await.expect("a commit").conflicts, []);
    assert_eq!(never.snapshot().await.expect("a snapshot").rows.len(), 2);
}

/// As in a fail-over: whoever is in the middle of something does not notice.
#[tokio::test]
async fn what_is_asked_while_the_server_starts_again_gets_its_answer() {
    let mut server = PostgresServer::start();
    let catalog = Arc::new(catalog(&server.fresh_url()));
    catalog.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await.expect("a commit");
    server.stop();
    let asking = tokio::spawn({
        let catalog = Arc::clone(&catalog);
        async move { catalog.commit(rows::put_all([&rows::indexed("models/b.ts", "@acme/b")])).await }
    });
    tokio::task::yield_now().await;
    server.start_again();
    assert_eq!(asking.await.expect("no panic").expect("a commit").conflicts, []);
    assert_eq!(catalog.snapshot().await.expect("a snapshot").rows.len(), 2);
}

/// A fail-over to a copy that lags behind: the latest commits are lost, and revisions go back.
#[tokio::test]
async fn what_was_planned_on_commits_that_a_fail_over_lost_conflicts_and_is_read_again() {
    let mut server = PostgresServer::start();
    let catalog = catalog(&server.fresh_url());
    let row = rows::indexed("models/a.ts", "@acme/a");
    catalog.commit(rows::put_all([&row])).await.expect("a commit");
    let known = catalog.snapshot().await.expect("a snapshot");
    server.stop();
    server.keep_copy();
    server.start_again();
    catalog.commit(rows::put_all([&known.rows[0], &rows::indexed("models/b.ts", "@acme/b")])).await.expect("a commit");
    let lost = catalog.snapshot().await.expect("a snapshot");
    assert_eq!((lost.rows.len(), lost.rows.iter().map(|row| row.revision).max()), (2, Some(2)));
    server.stop();
    server.fall_back_to_copy();
    server.start_again();
    let outcome = catalog.commit(rows::put_all(&lost.rows)).await.expect("a commit");
    assert_eq!(outcome.conflicts.len(), 2, "both were planned on what is not there");
    let found = catalog.snapshot().await.expect("a snapshot");
    assert_eq!((&found.rows, found.version), (&known.rows, known.version));
    assert_ne!(found.version, lost.version, "whoever published the lost rows reads again");
    catalog.commit(rows::put_all(&found.rows)).await.expect("a commit");
    let healed = catalog.snapshot().await.expect("a snapshot");
    assert_eq!((healed.rows.len(), healed.rows[0].revision), (1, 2));
    assert_ne!(healed.version, lost.version, "the same revision of another history");
}

#[tokio::test]
async fn a_connection_that_the_server_ends_is_made_again() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let catalog = catalog(&server.url(&database));
    for turn in 0..5 {
        let row = rows::indexed(&format!("models/{turn}.ts"), &format!("@acme/{turn}"));
        assert_eq!(catalog.commit(rows::put_all([&row])).await.expect("a commit").conflicts, []);
        server.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mangrove'",
        );
    }
    assert_eq!(catalog.snapshot().await.expect("a snapshot").rows.len(), 5);
}

/// A node that hangs in the middle of a commit.
#[tokio::test]
async fn whoever_waits_too_long_for_another_is_told_to_try_again() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let url = server.url(&database);
    catalog(&url).migrate(None).await.expect("tables");
    let impatient = PostgresCatalog::with_patience(address(&url), OpenMode::ReadWrite, impatient());
    impatient.snapshot().await.expect("a snapshot");
    let held = server.hold(&database, "SELECT FROM mangrove_catalog.meta WHERE name = 'version' FOR UPDATE");
    let error = impatient.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await;
    let error = error.expect_err("somebody holds the lock");
    assert!(matches!(error, CatalogError::Busy { .. }), "{error:?}");
    assert_eq!(error.fault().class, FailureClass::Transient);
    assert_eq!(impatient.snapshot().await.expect("readers wait for nobody").rows, []);
    drop(held);
    let outcome = impatient.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await.expect("a commit");
    assert_eq!(outcome.conflicts, []);
}

#[tokio::test]
async fn what_a_node_has_built_or_used_it_can_describe_without_the_server() {
    let (mut server, place) = (PostgresServer::start(), tempfile::TempDir::new().expect("a directory"));
    let url = server.fresh_url();
    let node = |state: &str| {
        let catalog = PostgresCatalog::with_patience(address(&url), OpenMode::ReadWrite, impatient());
        catalog.keeping_descriptions_in(place.path().join(state))
    };
    let (builder, user, stranger) = (node("builder"), node("user"), node("stranger"));
    let description = rows::description("@acme/a");
    let digest = description.digest();
    builder.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await.expect("a commit");
    assert_eq!(user.description(digest).await.expect("an answer").as_ref(), Some(&description));
    stranger.snapshot().await.expect("a snapshot");
    server.stop();
    for node in [&builder, &user] {
        assert_eq!(node.description(digest).await.expect("a copy").as_ref(), Some(&description));
    }
    assert_is_unreachable(&stranger.description(digest).await.expect_err("it never asked"));
    // A copy that is not what it should be is none.
    let copy = place.path().join("user/descriptions").join(digest.to_string());
    std::fs::write(copy, "{}").expect("written");
    assert_is_unreachable(&user.description(digest).await.expect_err("its copy is damaged"));
    server.start_again();
    assert_eq!(user.description(digest).await.expect("an answer"), Some(description));
}
