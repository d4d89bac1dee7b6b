//! A repository in memory with the whole pipeline over it.

use std::sync::Arc;

use mangrove_app::{
    loaders::Registry,
    on_demand::OnDemand,
    scan::{Ports, Report, ScanRequest, Scanner},
};
use mangrove_domain::{failure::Fault, ports::Clock, problem::Code, row::Row};
use mangrove_testkit::fakes::{
    ManualClock, MemoryBuildLocks, MemoryCatalog, MemorySeals, MemoryStore, MemoryTree, ScriptedBundler,
    ScriptedInspector, ScriptedPackages, SeededEntropy,
};

/// Everything that outlives a process, and a scanner that does not.
pub(crate) struct World {
    pub(crate) tree: Arc<MemoryTree>,
    pub(crate) bundler: Arc<ScriptedBundler>,
    pub(crate) packages: Arc<ScriptedPackages>,
    pub(crate) inspector: Arc<ScriptedInspector>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) catalog: Arc<MemoryCatalog>,
    pub(crate) seals: Arc<MemorySeals>,
    pub(crate) locks: MemoryBuildLocks,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) scanner: Arc<Scanner>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_jobs(2)
    }

    pub(crate) fn with_jobs(jobs: usize) -> Self {
        let store = Arc::new(MemoryStore::default());
        let world = WorldParts {
            tree: Arc::default(),
            bundler: Arc::default(),
            packages: Arc::default(),
            inspector: Arc::default(),
            catalog: Arc::new(MemoryCatalog::default()),
            seals: Arc::default(),
            locks: MemoryBuildLocks::new(),
            store,
            clock: Arc::new(ManualClock::default()),
        };
        let scanner = world.scanner(jobs);
        let WorldParts { tree, bundler, packages, inspector, store, catalog, seals, locks, clock } = world;
        Self { tree, bundler, packages, inspector, store, catalog, seals, locks, clock, scanner }
    }

    /// A new process over the same disk.
    pub(crate) fn restart(&mut self) {
        self.scanner = self.another_process();
    }

    /// One more process over the same disk.
    pub(crate) fn another_process(&self) -> Arc<Scanner> {
        let parts = WorldParts {
            tree: Arc::clone(&self.tree),
            bundler: Arc::clone(&self.bundler),
            packages: Arc::clone(&self.packages),
            inspector: Arc::clone(&self.inspector),
            store: Arc::clone(&self.store),
            catalog: Arc::clone(&self.catalog),
            seals: Arc::clone(&self.seals),
            locks: self.locks.clone(),
            clock: Arc::clone(&self.clock),
        };
        parts.scanner(2)
    }

    /// The catalog is lost; everything else stays.
    pub(crate) fn lose_catalog(&mut self) {
        self.catalog = Arc::new(MemoryCatalog::default());
        self.restart();
    }

    pub(crate) async fn scan(&self) -> Report {
        self.scan_with(ScanRequest::default()).await
    }

    pub(crate) async fn scan_with(&self, request: ScanRequest) -> Report {
        self.scanner.scan(&request).await.expect("a scan over fakes cannot fail")
    }

    pub(crate) fn types(&self) -> OnDemand {
        OnDemand::new(Arc::clone(&self.scanner))
    }

    pub(crate) fn now(&self) -> mangrove_domain::time::Timestamp {
        self.clock.now()
    }
}

struct WorldParts {
    tree: Arc<MemoryTree>,
    bundler: Arc<ScriptedBundler>,
    packages: Arc<ScriptedPackages>,
    inspector: Arc<ScriptedInspector>,
    store: Arc<MemoryStore>,
    catalog: Arc<MemoryCatalog>,
    seals: Arc<MemorySeals>,
    locks: MemoryBuildLocks,
    clock: Arc<ManualClock>,
}

impl WorldParts {
    fn scanner(&self, jobs: usize) -> Arc<Scanner> {
        let ports = Ports {
            tree: Arc::clone(&self.tree) as _,
            packages: Arc::clone(&self.packages) as _,
            bundler: Arc::clone(&self.bundler) as _,
            store: Arc::clone(&self.store) as _,
            inspector: Arc::clone(&self.inspector) as _,
            catalog: Arc::clone(&self.catalog) as _,
            seals: Arc::clone(&self.seals) as _,
            locks: Arc::new(self.locks.clone()),
            leases: None,
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::new(SeededEntropy::new(7)),
        };
        Arc::new(Scanner::new(ports, Registry::built_in(), jobs))
    }
}

/// A model of this type, with more lines.
pub(crate) fn model(type_name: &str, more: &str) -> String {
    format!("type {type_name}\nexport model\n{more}")
}

pub(crate) fn network_down() -> Fault {
    Fault::transient(
        Code::REGISTRY_UNREACHABLE,
        "registry:localhost:4873",
        "npm registry unreachable: connection refused",
    )
}

/// One line a row: path, state, type, and what else is notable.
pub(crate) fn render(report: &Report) -> String {
    report.rows.iter().map(|row| line(row)).collect::<Vec<_>>().join("\n")
}

fn line(row: &Row) -> String {
    let mut text = format!("{} {}", row.source, row.state.name());
    if let Some(name) = row.type_name() {
        text.push_str(&format!(" {name}"));
    }
    if let Some(failure) = row.failure() {
        text.push_str(&format!(" [{} {} x{}]", failure.class, failure.code, failure.attempts));
    }
    if row.degraded.is_some() {
        text.push_str(" degraded");
    }
    if let Some(winner) = &row.shadowed_by {
        text.push_str(&format!(" shadowed by {winner}"));
    }
    text
}
