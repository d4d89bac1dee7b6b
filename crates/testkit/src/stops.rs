//! Ports that stop a pipeline at a chosen call: between any two calls a process can be killed, and any call can fail.
//!
//! [`Stops`] counts the calls of all ports that it [wraps](Stops::wrap). At the call of its [plan](Stop) it does what
//! the plan says; every other call goes through.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{Bundle, BundleFile, BundleRef, LoadedBundle, ObjectKey, Presence, StoredObject},
    description::Description,
    digest::Digest,
    drift::Drift,
    failure::{Failure, Fault},
    fingerprint::Part,
    inspection::Inspection,
    manifest::ExtensionManifest,
    module_graph::{ModuleGraph, SourceFile},
    observation::CatalogView,
    outage::Outages,
    package::{PackageRequest, PreparedPackages},
    ports::{
        BuildFailure, BundleRequest, BundleStore, Bundler, Catalog, CatalogError, Commit, CommitOutcome,
        ExportInspector, InspectRequest, Names, NumberedRecord, ObserveError, ObserveRequest, Packages, Seals,
        SourceTree, StoreError, SweepOutcome, SweepRequest,
    },
    problem::Code,
    route::Route,
    seal::Seal,
    settle::AuditRecord,
    source::{Kind, SourceId},
    survey::Survey,
    time::Timestamp,
    type_name::TypeName,
    watch::WatchList,
    workflow::WorkflowFiles,
};
use tokio::sync::watch;

/// What happens at one call; calls count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing: every call goes through.
    Never,
    /// The process ends before this call: neither it nor any later one is carried out, and none returns.
    Before(usize),
    /// This call is not carried out and returns an error. A call that cannot return one goes through.
    Refused(usize),
    /// This call is carried out and returns an error all the same, as when a connection breaks before the answer. A
    /// call that cannot return one goes through.
    AnswerLost(usize),
}

/// Counts calls and stops at one of them.
#[derive(Debug)]
pub struct Stops {
    stop: Stop,
    calls: Mutex<Vec<&'static str>>,
    is_stopped: watch::Sender<bool>,
}

/// What to do with one call.
enum Order {
    CarryOut,
    Refuse,
    LoseAnswer,
}

impl Stops {
    /// Stops as planned.
    #[must_use]
    pub fn new(stop: Stop) -> Arc<Self> {
        Arc::new(Self { stop, calls: Mutex::default(), is_stopped: watch::Sender::new(false) })
    }

    /// The calls so far, the one of the stop included, as `port.method`.
    #[must_use]
    pub fn calls(&self) -> Vec<&'static str> {
        self.lock().clone()
    }

    /// The call that the plan is about; `None` while it was not reached.
    #[must_use]
    pub fn reached(&self) -> Option<&'static str> {
        let (Stop::Before(number) | Stop::Refused(number) | Stop::AnswerLost(number)) = self.stop else { return None };
        self.lock().get(number - 1).copied()
    }

    /// Waits until the process has to end; for ever if it does not.
    pub async fn stopped(&self) {
        let mut stopped = self.is_stopped.subscribe();
        let ended = stopped.wait_for(|is_stopped| *is_stopped).await;
        drop(ended);
    }

    /// The same port with stops.
    #[must_use]
    pub fn wrap<P: ?Sized>(self: &Arc<Self>, port: Arc<P>) -> Arc<Stopping<P>> {
        Arc::new(Stopping { port, stops: Arc::clone(self) })
    }

    async fn order(&self, call: &'static str) -> Order {
        let number = {
            let mut calls = self.lock();
            calls.push(call);
            calls.len()
        };
        match self.stop {
            Stop::Before(at) if number >= at => {
                self.is_stopped.send_replace(true);
                std::future::pending().await
            }
            Stop::Refused(at) if number == at => Order::Refuse,
            Stop::AnswerLost(at) if number == at => Order::LoseAnswer,
            Stop::Never | Stop::Before(_) | Stop::Refused(_) | Stop::AnswerLost(_) => Order::CarryOut,
        }
    }

    /// A call that can fail.
    async fn fallible<T, E>(
        &self,
        call: &'static str,
        failure: impl FnOnce(Fault) -> E,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match self.order(call).await {
            Order::CarryOut => work.await,
            Order::Refuse => Err(failure(fault(call))),
            Order::LoseAnswer => work.await.and_then(|_| Err(failure(fault(call)))),
        }
    }

    /// A call that cannot fail.
    async fn infallible<T>(&self, call: &'static str, work: impl Future<Output = T>) -> T {
        self.order(call).await;
        work.await
    }

    fn lock(&self) -> MutexGuard<'_, Vec<&'static str>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fault(call: &str) -> Fault {
    Fault::transient(Code::REGISTRY_UNREACHABLE, "stops", format!("{call} was stopped"))
}

fn observe(fault: Fault) -> ObserveError {
    ObserveError::Repository { fault }
}

fn store(fault: Fault) -> StoreError {
    StoreError::Access { operation: "use", fault }
}

fn catalog(fault: Fault) -> CatalogError {
    CatalogError::Access { operation: "use", fault }
}

/// A port with stops.
#[derive(Debug)]
pub struct Stopping<P: ?Sized> {
    stops: Arc<Stops>,
    port: Arc<P>,
}

#[async_trait]
impl<P: SourceTree + ?Sized> SourceTree for Stopping<P> {
    async fn survey(&self, request: &ObserveRequest) -> Result<Survey, ObserveError> {
        self.stops.fallible("tree.survey", observe, self.port.survey(request)).await
    }

    async fn graph(&self, source: &SourceId) -> Result<Option<ModuleGraph>, ObserveError> {
        self.stops.fallible("tree.graph", observe, self.port.graph(source)).await
    }

    async fn export_line(&self, source: &SourceId, name: &str) -> Result<Option<u32>, ObserveError> {
        self.stops.fallible("tree.export_line", observe, self.port.export_line(source, name)).await
    }

    async fn file(&self, source: &SourceId) -> Result<Option<SourceFile>, ObserveError> {
        self.stops.fallible("tree.file", observe, self.port.file(source)).await
    }

    async fn source_of(&self, file: &Path) -> Result<Option<SourceId>, ObserveError> {
        self.stops.fallible("tree.source_of", observe, self.port.source_of(file)).await
    }

    async fn manifest(&self, source: &SourceId) -> Result<Option<ExtensionManifest>, ObserveError> {
        self.stops.fallible("tree.manifest", observe, self.port.manifest(source)).await
    }

    async fn workflows(&self) -> Result<WorkflowFiles, ObserveError> {
        self.stops.fallible("tree.workflows", observe, self.port.workflows()).await
    }

    async fn looked_at(&self) -> WatchList {
        self.port.looked_at().await
    }

    async fn drift(&self) -> Result<Vec<Drift>, ObserveError> {
        self.stops.fallible("tree.drift", observe, self.port.drift()).await
    }
}

#[async_trait]
impl<P: Packages + ?Sized> Packages for Stopping<P> {
    async fn closure(&self, request: &PackageRequest) -> Result<Part, Fault> {
        self.stops.fallible("packages.closure", |fault| fault, self.port.closure(request)).await
    }

    async fn prepare(&self, request: &PackageRequest, outages: &Arc<Outages>) -> Result<PreparedPackages, Fault> {
        self.stops.fallible("packages.prepare", |fault| fault, self.port.prepare(request, outages)).await
    }
}

#[async_trait]
impl<P: Bundler + ?Sized> Bundler for Stopping<P> {
    async fn route(&self, request: &PackageRequest) -> Route {
        self.stops.infallible("bundler.route", self.port.route(request)).await
    }

    async fn fails_again(&self, request: &PackageRequest, earlier: &Failure) -> Option<Fault> {
        self.stops.infallible("bundler.fails_again", self.port.fails_again(request, earlier)).await
    }

    async fn bundle(&self, request: BundleRequest, outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        self.stops.fallible("bundler.bundle", BuildFailure::from, self.port.bundle(request, outages)).await
    }
}

#[async_trait]
impl<P: ExportInspector + ?Sized> ExportInspector for Stopping<P> {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        self.stops.fallible("inspector.inspect", |fault| fault, self.port.inspect(request)).await
    }
}

#[async_trait]
impl<P: Seals + ?Sized> Seals for Stopping<P> {
    async fn load(&self) -> Option<Seal> {
        self.stops.infallible("seals.load", self.port.load()).await
    }

    async fn save(&self, seal: &Seal) -> Result<(), Fault> {
        self.stops.fallible("seals.save", |fault| fault, self.port.save(seal)).await
    }
}

#[async_trait]
impl<P: BundleStore + ?Sized> BundleStore for Stopping<P> {
    async fn put(&self, code: &str) -> Result<StoredObject, StoreError> {
        self.stops.fallible("store.put", store, self.port.put(code)).await
    }

    async fn put_vendor(&self, files: &[BundleFile]) -> Result<StoredObject, StoreError> {
        self.stops.fallible("store.put_vendor", store, self.port.put_vendor(files)).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.stops.fallible("store.sync", store, self.port.sync()).await
    }

    async fn presence(&self, bundles: &[&BundleRef]) -> Result<Vec<Presence>, StoreError> {
        self.stops.fallible("store.presence", store, self.port.presence(bundles)).await
    }

    async fn holds(&self, objects: &[StoredObject]) -> Result<bool, StoreError> {
        self.stops.fallible("store.holds", store, self.port.holds(objects)).await
    }

    async fn load(&self, bundle: &BundleRef) -> Result<LoadedBundle, StoreError> {
        self.stops.fallible("store.load", store, self.port.load(bundle)).await
    }

    async fn vendor_files(&self, vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError> {
        self.stops.fallible("store.vendor_files", store, self.port.vendor_files(vendors)).await
    }

    async fn list(&self) -> Result<Vec<StoredObject>, StoreError> {
        self.stops.fallible("store.list", store, self.port.list()).await
    }

    async fn verify(&self, object: &StoredObject) -> Result<Presence, StoreError> {
        self.stops.fallible("store.verify", store, self.port.verify(object)).await
    }

    async fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        self.stops.fallible("store.remove", store, self.port.remove(key)).await
    }

    async fn sweep(&self, request: &SweepRequest) -> Result<SweepOutcome, StoreError> {
        self.stops.fallible("store.sweep", store, self.port.sweep(request)).await
    }
}

#[async_trait]
impl<P: Catalog + ?Sized> Catalog for Stopping<P> {
    async fn identity(&self) -> Result<Option<String>, CatalogError> {
        self.stops.fallible("catalog.identity", catalog, self.port.identity()).await
    }

    async fn snapshot(&self) -> Result<CatalogView, CatalogError> {
        self.stops.fallible("catalog.snapshot", catalog, self.port.snapshot()).await
    }

    async fn rows(&self, sources: &BTreeSet<SourceId>) -> Result<CatalogView, CatalogError> {
        self.stops.fallible("catalog.rows", catalog, self.port.rows(sources)).await
    }

    async fn rows_named(&self, names: &Names) -> Result<CatalogView, CatalogError> {
        self.stops.fallible("catalog.rows_named", catalog, self.port.rows_named(names)).await
    }

    async fn mark(&self) -> Option<Digest> {
        self.stops.infallible("catalog.mark", self.port.mark()).await
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, CatalogError> {
        self.stops.fallible("catalog.commit", catalog, self.port.commit(commit)).await
    }

    async fn description(&self, digest: Digest) -> Result<Option<Description>, CatalogError> {
        self.stops.fallible("catalog.description", catalog, self.port.description(digest)).await
    }

    async fn transitions(&self, source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError> {
        self.stops.fallible("catalog.transitions", catalog, self.port.transitions(source)).await
    }

    async fn history(&self, before: Option<u64>, limit: u32) -> Result<Vec<NumberedRecord>, CatalogError> {
        self.stops.fallible("catalog.history", catalog, self.port.history(before, limit)).await
    }

    async fn departed(&self, kind: &Kind, type_name: &TypeName) -> Result<Vec<SourceId>, CatalogError> {
        self.stops.fallible("catalog.departed", catalog, self.port.departed(kind, type_name)).await
    }

    async fn forget_history(&self, before: Timestamp) -> Result<u64, CatalogError> {
        self.stops.fallible("catalog.forget_history", catalog, self.port.forget_history(before)).await
    }
}
