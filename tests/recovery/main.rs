//! Scans that are stopped at every step, over the catalog in SQLite and the store in files.

#[path = "../../crates/app/tests/recovery/stopped.rs"]
mod stopped;

use std::sync::{Arc, Mutex, PoisonError};

use mangrove_domain::ports::{BundleStore, Catalog, Seals};
use mangrove_infra::{
    catalog::{OpenMode, SqliteCatalog},
    seals::FileSeals,
    store::LocalStore,
};
use stopped::{SCENARIOS, Storage};
use tempfile::TempDir;

/// A state directory, with what the process of the moment has opened.
struct InFiles {
    directory: TempDir,
    catalog: Mutex<Option<Arc<SqliteCatalog>>>,
}

impl Storage for InFiles {
    async fn create() -> Self {
        // Processes end here, machines do not: a file system in memory serves as well, and saves a minute of syncing.
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self { directory: directory.expect("a directory"), catalog: Mutex::default() }
    }

    async fn open(&self) -> (Arc<dyn Catalog>, Arc<dyn BundleStore>, Arc<dyn Seals>) {
        let directory = self.directory.path();
        let opened = self.catalog.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let catalog = match opened {
            Some(catalog) => catalog,
            None => {
                let opened = SqliteCatalog::open(&directory.join("catalog.db"), OpenMode::ReadWrite).await;
                let catalog = Arc::new(opened.expect("a catalog").catalog);
                *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&catalog));
                catalog
            }
        };
        (catalog, Arc::new(LocalStore::new(directory.join("bundles"))), Arc::new(FileSeals::new(directory, "mangrove")))
    }

    /// The process ends; what it wrote to files stays, as after `kill -9`.
    fn crash(&self) {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

async fn test(name: &str) {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).expect("it is in the list");
    stopped::test::<InFiles>(scenario).await;
}

#[tokio::test]
async fn new_sources() {
    test("new_sources").await;
}

#[tokio::test]
async fn several_batches() {
    test("several_batches").await;
}
