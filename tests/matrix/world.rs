//! One model, a registry, and the pipeline between them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use mangrove_app::{
    loaders::Registry,
    on_demand::OnDemand,
    scan::{Ports, RetryMode, ScanRequest, Scanner},
    types::Types as _,
};
use mangrove_domain::{
    bundle::ObjectKey,
    failure::Fault,
    ports::{BundleStore as _, Clock as _},
    row::Row,
    source::Kind,
    state::StateName,
    time::Timestamp,
    type_name::TypeName,
};
use mangrove_infra::bundler::vendor::build_vendor_in_process;
use mangrove_npm::{
    NpmPackages, Options,
    registry::{Limits, Pause},
    vendor::{VendorBundler, VendorOutput, VendorRequest},
};
use mangrove_testkit::{
    fakes::{
        ManualClock, MemoryCatalog, MemorySeals, MemoryStore, MemoryTree, ScriptedBundler, ScriptedInspector,
        SeededEntropy,
    },
    registry::{FakePackage, FakeRegistry},
};

const MODEL: &str = "models/a.ts";

/// What somebody gets who asks for the type now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// An explanation.
    Nothing,
    /// The bundle without the second package.
    Old,
    /// The bundle with it.
    New,
}

/// Everything that outlives a process, and a scanner that does not.
pub(crate) struct World {
    pub(crate) registry: FakeRegistry,
    pub(crate) clock: Arc<ManualClock>,
    limits: Limits,
    directory: tempfile::TempDir,
    tree: Arc<MemoryTree>,
    store: Arc<MemoryStore>,
    catalog: Arc<MemoryCatalog>,
    scanner: Arc<Scanner>,
}

/// No time passes.
struct NoPause;

#[async_trait]
impl Pause for NoPause {
    async fn pause(&self, _duration: Duration) {}
}

/// Builds vendor units for real.
struct InProcess;

#[async_trait]
impl VendorBundler for InProcess {
    async fn build_vendor(&self, request: VendorRequest) -> Result<VendorOutput, Fault> {
        let build = tokio::task::spawn_blocking(move || build_vendor_in_process(&request));
        build.await.expect("a vendor build does not panic")
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits { operation: Duration::from_millis(400), ..Limits::default() })
    }

    /// A world whose conversations with registries have these limits.
    pub(crate) fn with_limits(limits: Limits) -> Self {
        let registry = FakeRegistry::start().expect("a port is free");
        let directory = tempfile::tempdir().expect("a directory");
        let (tree, store, catalog): (Arc<MemoryTree>, Arc<MemoryStore>, Arc<MemoryCatalog>) = Default::default();
        let clock = Arc::new(ManualClock::default());
        let mut world = Self {
            scanner: scanner(&directory, &registry.url(), limits, &tree, &store, &catalog, &clock),
            registry,
            clock,
            limits,
            directory,
            tree,
            store,
            catalog,
        };
        world.restart();
        world
    }

    /// A new process.
    pub(crate) fn restart(&mut self) {
        let url = self.registry.url();
        self.restart_with_registry(&url);
    }

    pub(crate) fn restart_with_registry(&mut self, url: &str) {
        self.scanner = scanner(&self.directory, url, self.limits, &self.tree, &self.store, &self.catalog, &self.clock);
    }

    pub(crate) fn publish(&self, name: &str) {
        self.registry.publish(FakePackage::new(name, "1.0.0").file("index.js", &format!("export const {name} = 1;\n")));
    }

    pub(crate) fn publish_with_dependency(&self, name: &str, dependency: &str) {
        let package = FakePackage::new(name, "1.0.0").dependency(dependency, "^1.0.0");
        let code = format!("import {{ {dependency} }} from \"{dependency}\";\nexport const {name} = {dependency};\n");
        self.registry.publish(package.file("index.js", &code));
    }

    pub(crate) fn publish_traversal(&self, name: &str) {
        self.registry.publish(FakePackage::new(name, "1.0.0").raw_file("package/../../evil.js", b"export {};"));
    }

    pub(crate) fn write_model(&self, import: &str) {
        self.tree.write(MODEL, &format!("type @acme/a\nexport model\nimport {import}"));
    }

    /// The attempts that a plain scan started.
    pub(crate) async fn scan(&self) -> u64 {
        self.scan_with(RetryMode::All).await
    }

    /// The attempts that a scan of a daemon's timer started.
    pub(crate) async fn scan_due(&self) -> u64 {
        self.scan_with(RetryMode::Due).await
    }

    async fn scan_with(&self, retry: RetryMode) -> u64 {
        let request = ScanRequest { retry, ..ScanRequest::default() };
        self.scanner.scan(&request).await.expect("a registry is no reason for a scan to fail").statistics.built
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        self.tree.write(path, text);
    }

    /// A plain scan that borrows nothing, to be watched while it goes on.
    pub(crate) fn scanning(&self) -> impl Future<Output = Result<(), mangrove_app::scan::Error>> + Send + use<> {
        let scanner = Arc::clone(&self.scanner);
        async move { scanner.scan(&ScanRequest::default()).await.map(|_| ()) }
    }

    /// Rows of the catalog that are indexed.
    pub(crate) fn ready(&self) -> usize {
        self.catalog.rows().iter().filter(|row| row.state.name() == StateName::Indexed).count()
    }

    pub(crate) fn rows(&self) -> usize {
        self.catalog.rows().len()
    }

    /// Rows of the published index that are indexed.
    pub(crate) fn published(&self) -> usize {
        self.scanner.index().rows().filter(|row| row.state.name() == StateName::Indexed).count()
    }

    pub(crate) fn row(&self) -> Row {
        let rows = self.catalog.rows();
        assert_eq!(rows.len(), 1);
        rows.into_iter().next().expect("one row")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn served(&self) -> Served {
        let name = TypeName::model("@acme/a").expect("a name");
        match OnDemand::new(Arc::clone(&self.scanner)).ready(&Kind::new("model"), &name).await {
            Err(not_ready) => {
                assert_eq!(not_ready.claimed_by.len(), 1, "it says which file claims the type (fault 28)");
                assert!(not_ready.failure.is_some());
                Served::Nothing
            }
            Ok(ready) if ready.bundle.code.contains("npm:right@1") => Served::New,
            Ok(_) => Served::Old,
        }
    }

    pub(crate) async fn lose(&self, key: ObjectKey) {
        self.store.remove(key).await.expect("it is there");
    }
}

fn scanner(
    directory: &tempfile::TempDir,
    url: &str,
    limits: Limits,
    tree: &Arc<MemoryTree>,
    store: &Arc<MemoryStore>,
    catalog: &Arc<MemoryCatalog>,
    clock: &Arc<ManualClock>,
) -> Arc<Scanner> {
    let packages = NpmPackages::new(Options {
        state_directory: directory.path().join(".mangrove"),
        repository: directory.path().to_owned(),
        environment: BTreeMap::from([("MANGROVE_NPM_REGISTRY".to_owned(), url.to_owned())]),
        is_offline: false,
        is_locked: false,
        vendor: Arc::new(InProcess),
        vendor_identity: "test".to_owned(),
        locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
        store: Arc::clone(store) as _,
        limits,
        pause: Arc::new(NoPause),
        entropy: Arc::new(SeededEntropy::new(3)),
    });
    let ports = Ports {
        tree: Arc::clone(tree) as _,
        packages: Arc::new(packages),
        bundler: Arc::new(ScriptedBundler::new()),
        store: Arc::clone(store) as _,
        inspector: Arc::new(ScriptedInspector::new()),
        catalog: Arc::clone(catalog) as _,
        seals: Arc::new(MemorySeals::new()),
        locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
        leases: None,
        clock: Arc::clone(clock) as _,
        entropy: Arc::new(SeededEntropy::new(7)),
    };
    Arc::new(Scanner::new(ports, Registry::built_in(), 2))
}
