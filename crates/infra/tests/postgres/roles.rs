//! Who makes the tables, who may only use them, and tables of another version.

use mangrove_domain::{
    failure::FailureClass,
    ports::{Catalog as _, CatalogError, Commit},
    problem::Code,
};
use mangrove_infra::postgres::{OpenMode, PostgresCatalog};
use mangrove_testkit::{postgres::PostgresServer, rows};

use crate::{address, catalog, impatient, reader};

#[tokio::test]
async fn a_role_without_the_right_to_make_tables_runs_after_another_has_made_them() {
    let server = PostgresServer::start();
    let database = server.create_database();
    server.sql(&database, "CREATE ROLE \"a runner\" LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let url = server.url_as("a%20runner", &database);
    let runner = catalog(&url);
    let refused = runner.snapshot().await.expect_err("there are no tables");
    assert_eq!((refused.fault().code, refused.fault().class), (Code::DATABASE_UNPREPARED, FailureClass::Environment));
    assert_eq!(reader(&url).snapshot().await.expect("a reader of a new database").rows, []);

    let owner = catalog(&server.url(&database));
    owner.migrate(None).await.expect("tables");
    for refused in [runner.snapshot().await, reader(&url).snapshot().await] {
        let refused = refused.expect_err("they are not granted, which is no empty catalog");
        assert_eq!(refused.fault().code, Code::DATABASE_UNPREPARED);
    }
    owner.migrate(Some("a runner")).await.expect("granted");
    runner.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await.expect("a commit");
    assert_eq!(reader(&url).snapshot().await.expect("a snapshot").rows.len(), 1);
    let may = server.sql(&database, "SELECT has_schema_privilege('a runner', 'mangrove_catalog', 'CREATE')");
    assert_eq!(may, "f", "it still may not make tables");
    let error = runner.migrate(None).await;
    assert!(error.is_ok(), "nothing has to be done: {error:?}");
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused_and_left_as_they_are() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let url = server.url(&database);
    let open = catalog(&url);
    open.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await.expect("a commit");
    server.sql(&database, "UPDATE mangrove_catalog.meta SET value = '99' WHERE name = 'layout'");
    // Also by one that was at work before: versions run beside each other while they are exchanged.
    for catalog in [&open, &catalog(&url), &reader(&url)] {
        let error = catalog.snapshot().await.expect_err("newer tables");
        assert!(matches!(error, CatalogError::Newer { .. }), "{error:?}");
        assert_eq!(error.fault().code, Code::CATALOG_NEWER);
    }
    let error = open.commit(rows::put_all([&rows::indexed("models/b.ts", "@acme/b")])).await.expect_err("newer tables");
    assert!(matches!(error, CatalogError::Newer { .. }), "{error:?}");
    assert!(matches!(open.migrate(None).await, Err(CatalogError::Newer { .. })));
    assert_eq!(server.sql(&database, "SELECT count(*) FROM mangrove_catalog.sources"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_come_first_make_the_tables_once() {
    let server = PostgresServer::start();
    let url = server.fresh_url();
    let nodes: Vec<_> = (0..8)
        .map(|_| {
            let catalog = catalog(&url);
            tokio::spawn(async move { catalog.identity().await.expect("an answer").expect("an identity") })
        })
        .collect();
    let mut identities = Vec::new();
    for node in nodes {
        identities.push(node.await.expect("no panic"));
    }
    identities.dedup();
    assert_eq!(identities.len(), 1, "one catalog");
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let reader = PostgresCatalog::with_patience(address(&server.url(&database)), OpenMode::ReadOnly, impatient());
    assert_eq!(reader.snapshot().await.expect("an empty catalog").rows, []);
    assert_eq!((reader.identity().await.expect("an answer"), reader.check().await.expect("an answer")), (None, false));
    let refused = reader.commit(Commit::default()).await.expect_err("it only reads");
    assert_eq!(refused.fault().code, Code::NOT_WRITABLE);
    let made = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'mangrove%'";
    assert_eq!(server.sql(&database, made), "0", "fault 40");
    catalog(&server.url(&database)).migrate(None).await.expect("tables");
    assert!(reader.check().await.expect("an answer"));
}
