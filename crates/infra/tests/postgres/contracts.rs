//! The adapters keep the contracts of their ports, as those over files do.

use mangrove_testkit::{contract, postgres::PostgresServer};

use std::time::Duration;

use crate::{LEASE, catalog, runs};

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
    contract::schedule_leases(async || runs(&server.fresh_url())).await;
}

#[tokio::test]
async fn postgres_run_store() {
    let server = PostgresServer::start();
    contract::run_store::run(async || runs(&server.fresh_url())).await;
}

#[tokio::test]
async fn postgres_of_two_processes() {
    let server = PostgresServer::start();
    let two = async || {
        let url = server.fresh_url();
        (runs(&url), runs(&url))
    };
    contract::leases_of_two_processes(two, LEASE + Duration::from_millis(500)).await;
}
