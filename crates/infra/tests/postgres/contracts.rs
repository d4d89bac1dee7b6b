//! The adapters keep the contracts of their ports, as those over files do.

use mangrove_testkit::{contract, postgres::PostgresServer};

use crate::{catalog, leases};

#[tokio::test]
async fn postgres_catalog() {
    let server = PostgresServer::start();
    contract::catalog::run(async || catalog(&server.fresh_url())).await;
}

#[tokio::test]
async fn postgres_attempt_cache() {
    let server = PostgresServer::start();
    contract::attempt_cache(async || catalog(&server.fresh_url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_schedule_leases() {
    let server = PostgresServer::start();
    contract::schedule_leases(async || leases(&server.fresh_url())).await;
}
