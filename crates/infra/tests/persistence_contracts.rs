//! The adapters that keep things keep the contracts of their ports.

use std::time::Duration;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use mangrove_infra::{
    catalog::{OpenMode, SqliteCatalog},
    data::LocalData,
    databases::SqliteDatabases,
    runs::SqliteRuns,
    store::LocalStore,
};
use mangrove_testkit::contract::{self, DatabasesSetup};
use tempfile::TempDir;

/// Gives out a fresh path in one temporary directory.
struct Fresh {
    directory: TempDir,
    count: AtomicUsize,
}

impl Fresh {
    fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory"), count: AtomicUsize::new(0) }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join(self.count.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

#[tokio::test]
async fn sqlite_catalog() {
    let fresh = Fresh::new();
    contract::catalog::run(async || {
        let opened = SqliteCatalog::open(&fresh.path().join("catalog.db"), OpenMode::ReadWrite).await;
        opened.expect("a catalog").catalog
    })
    .await;
}

#[tokio::test]
async fn sqlite_attempt_cache() {
    let fresh = Fresh::new();
    contract::attempt_cache(async || {
        let opened = SqliteCatalog::open(&fresh.path().join("catalog.db"), OpenMode::ReadWrite).await;
        opened.expect("a catalog").catalog
    })
    .await;
}

#[tokio::test]
async fn sqlite_runs() {
    let fresh = Fresh::new();
    contract::run_store::run(async || {
        SqliteRuns::open(&fresh.path().join("runs.db"), OpenMode::ReadWrite).await.expect("a history").runs
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_schedule_leases() {
    let fresh = Fresh::new();
    contract::schedule_leases(async || {
        SqliteRuns::open(&fresh.path().join("runs.db"), OpenMode::ReadWrite).await.expect("a history").runs
    })
    .await;
}

#[tokio::test]
async fn sqlite_of_two_processes() {
    let fresh = Fresh::new();
    let two = async || {
        let path = fresh.path().join("runs.db");
        let open = async || SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
        (open().await, open().await)
    };
    contract::leases_of_two_processes(two, Duration::ZERO).await;
}

#[tokio::test]
async fn local_bundle_store() {
    let fresh = Fresh::new();
    contract::bundle_store::run(async || LocalStore::new(fresh.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_data() {
    let fresh = Fresh::new();
    contract::data_store::run(async || LocalData::new(fresh.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_data_with_an_index() {
    let fresh = Fresh::new();
    contract::data_store::run(async || {
        let state = fresh.path();
        fs::create_dir_all(&state).expect("a directory");
        LocalData::new(state.join("data")).with_index(state, OpenMode::ReadWrite, 0)
    })
    .await;
}

#[tokio::test]
async fn sqlite_databases() {
    let fresh = Fresh::new();
    contract::databases(async || {
        let state = fresh.path();
        fs::create_dir_all(&state).expect("a directory");
        let store = LocalStore::new(state.join("bundles"));
        let databases = SqliteDatabases::new(state.clone(), state.clone(), OpenMode::ReadWrite, false, store);
        let catalog = databases.catalog();
        DatabasesSetup { databases: Arc::new(databases), catalog, scratch: state.join("scratch") }
    })
    .await;
}
