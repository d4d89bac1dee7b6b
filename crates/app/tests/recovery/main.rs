//! Scans that are stopped at every step, over fakes: a crash loses whatever was not made durable.

mod stopped;

use std::sync::Arc;

use mangrove_domain::ports::{BundleStore, Catalog, Seals};
use mangrove_testkit::fakes::{MemoryCatalog, MemorySeals, MemoryStore};
use stopped::{SCENARIOS, Storage, test};

/// Strict fakes: the catalog refuses a row whose bundle is not durable.
struct InMemory {
    store: Arc<MemoryStore>,
    catalog: Arc<MemoryCatalog>,
    seals: Arc<MemorySeals>,
}

impl Storage for InMemory {
    async fn create() -> Self {
        let store = Arc::new(MemoryStore::new());
        let catalog = Arc::new(MemoryCatalog::with_store(Arc::clone(&store)));
        Self { store, catalog, seals: Arc::default() }
    }

    async fn open(&self) -> (Arc<dyn Catalog>, Arc<dyn BundleStore>, Arc<dyn Seals>) {
        (Arc::clone(&self.catalog) as _, Arc::clone(&self.store) as _, Arc::clone(&self.seals) as _)
    }

    fn crash(&self) {
        self.store.crash();
    }
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let name = stringify!($name);
                let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).expect("it is in the list");
                test::<InMemory>(scenario).await;
            }
        )*

        #[test]
        fn every_scenario_is_tested() {
            let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

scenarios!(
    new_sources,
    a_changed_source,
    a_failed_build_of_a_degraded_row,
    a_rejected_export,
    a_removed_source,
    a_swap_of_claims,
    several_batches,
);
