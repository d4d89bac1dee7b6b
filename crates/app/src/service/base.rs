//! The service itself: what it holds and how it is built.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use mangrove_domain::{
    driver::Drivers,
    nearest,
    permission::Permissions,
    ports::{
        Calendar, Checkouts, Clock, Configuration, Databases, LastGoodWorkflows, PackageCache, PermissionUses,
        ProcessUsage, Programs, Progress, RunStore, ScheduleLeases, Usage,
    },
    problem::{Code, Problem},
    source::Kind,
};
use tokio_util::sync::CancellationToken;

use super::{
    error::ServiceError,
    parts::{Options, Parts, Repository, Running},
    runs::active::ActiveRuns,
};
use crate::{
    extensions::ExtensionPorts,
    on_demand::OnDemand,
    scan::{ScanRequest, Scanner},
    self_contained::SelfContained,
    vault::Vaults,
    workflow::LibraryReader,
};

/// Everything that can be done with one repository, for as long as a process runs. Cheap to clone: clones are one
/// service.
#[derive(Clone)]
pub struct Service {
    pub(super) scanner: Arc<Scanner>,
    pub(super) types: Arc<OnDemand>,
    pub(super) repository: Arc<Repository>,
    /// What is granted now.
    pub(super) permissions: Arc<ArcSwap<Permissions>>,
    /// Which driver runs what now.
    pub(super) drivers: Arc<ArcSwap<Drivers>>,
    /// Makes the code that drivers take elsewhere.
    pub(super) bundles: Arc<SelfContained>,
    pub(super) active: Arc<ActiveRuns>,
    /// Knows definitions and workflows that have not changed.
    pub(super) library: Arc<LibraryReader>,
    /// The vaults, from the first time that one is asked for.
    pub(super) vaults: Arc<OnceLock<Vaults>>,
    pub(super) options: Options,
    /// Receives how far scans are.
    pub(super) progress: Arc<dyn Progress>,
}

impl Service {
    /// A service that scans, describes and explains. Nothing is read yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { ports, loaders, jobs, repository } = parts;
        let bundles = Arc::new(SelfContained::new(Arc::clone(&ports.bundler)));
        let scanner = Arc::new(Scanner::new(ports, loaders, jobs));
        Self {
            types: Arc::new(OnDemand::new(Arc::clone(&scanner))),
            scanner,
            repository: Arc::new(repository),
            permissions: Arc::default(),
            drivers: Arc::default(),
            bundles,
            active: Arc::default(),
            library: Arc::default(),
            vaults: Arc::default(),
            options: Options::default(),
            progress: ScanRequest::default().progress,
        }
    }

    /// The same service, whose scans, and builds of types that are asked for, let `progress` know how far they are.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        let types = OnDemand::new(Arc::clone(&self.scanner)).with_progress(Arc::clone(&progress));
        self.types = Arc::new(types);
        self.progress = progress;
        self
    }

    /// The same service, which understands schedules.
    #[must_use]
    pub fn with_calendar(mut self, calendar: Arc<dyn Calendar>) -> Self {
        self.options.calendar = Some(calendar);
        self
    }

    /// The same service, with a configuration that grants permissions, names drivers and can be read again.
    #[must_use]
    pub fn with_configuration(mut self, configuration: Arc<dyn Configuration>) -> Self {
        let in_force = configuration.in_force();
        self.permissions.store(Arc::new(in_force.permissions));
        self.drivers.store(Arc::new(in_force.drivers));
        self.options.configuration = Some(configuration);
        self
    }

    /// The same service, which can get extensions from elsewhere.
    #[must_use]
    pub fn with_extensions(mut self, extensions: ExtensionPorts) -> Self {
        self.options.extensions = Some(extensions);
        self
    }

    /// The same service, which keeps workflows that run by themselves as they were last in order.
    #[must_use]
    pub fn with_last_good(mut self, last_good: Arc<dyn LastGoodWorkflows>) -> Self {
        self.options.last_good = Some(last_good);
        self
    }

    /// The same service, with claims of what schedules start, which daemons on one state directory share.
    #[must_use]
    pub fn with_leases(mut self, leases: Arc<dyn ScheduleLeases>) -> Self {
        self.options.leases = Some(leases);
        self
    }

    /// The same service, which compares its sources with those of other nodes.
    #[must_use]
    pub fn with_checkouts(mut self, checkouts: Arc<dyn Checkouts>) -> Self {
        self.options.checkouts = Some(checkouts);
        self
    }

    /// The same service, with databases that can be checked, backed up and replaced.
    #[must_use]
    pub fn with_databases(mut self, databases: Arc<dyn Databases>) -> Self {
        self.options.databases = Some(databases);
        self
    }

    /// The same service, with a cache of packages that can be looked after.
    #[must_use]
    pub fn with_package_cache(mut self, packages: Arc<dyn PackageCache>) -> Self {
        self.options.packages = Some(packages);
        self
    }

    /// The same service, which can look at what code asks the machine for.
    #[must_use]
    pub fn with_permission_uses(mut self, uses: Arc<dyn PermissionUses>) -> Self {
        self.options.permission_uses = Some(uses);
        self
    }

    /// The same service, with programs that can be listed and installed.
    #[must_use]
    pub fn with_programs(mut self, programs: Arc<dyn Programs>) -> Self {
        self.options.programs = Some(programs);
        self
    }

    /// The same service, with a history of runs.
    #[must_use]
    pub fn with_runs(mut self, runs: Arc<dyn RunStore>) -> Self {
        self.options.runs = Some(runs);
        self
    }

    /// The same service, which can also run methods and workflows. It needs a history of runs besides.
    #[must_use]
    pub fn with_running(mut self, running: Running) -> Self {
        self.options.running = Some(Arc::new(running));
        self
    }

    /// The same service, which knows what its process uses of the machine.
    #[must_use]
    pub fn with_process_usage(mut self, usage: Arc<dyn ProcessUsage>) -> Self {
        self.options.usage = Some(usage);
        self
    }

    /// What this process uses of the machine; nothing is known where nobody measures it.
    #[must_use]
    pub fn process_usage(&self) -> Usage {
        self.options.usage.as_ref().map_or_else(Usage::default, |usage| usage.measure())
    }

    /// The directory of the repository.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.repository.directory
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.scanner.ports().clock.as_ref()
    }

    /// The claims of what schedules start.
    ///
    /// # Errors
    /// This service has none.
    pub fn leases(&self) -> Result<&Arc<dyn ScheduleLeases>, ServiceError> {
        self.options.leases.as_ref().ok_or(ServiceError::Without("claims of schedules"))
    }

    /// The pipeline, for callers that need it as it is.
    #[must_use]
    pub const fn scanner(&self) -> &Arc<Scanner> {
        &self.scanner
    }

    /// A scan of everything that can be cancelled, with the progress of this service.
    #[must_use]
    pub fn scan_request(&self, cancellation: CancellationToken) -> ScanRequest {
        ScanRequest { cancellation, progress: Arc::clone(&self.progress), ..ScanRequest::default() }
    }

    /// A kind by its name.
    ///
    /// # Errors
    /// The [`Problem`] that no loader knows it.
    pub fn kind(&self, name: &str) -> Result<Kind, Problem> {
        let kind = Kind::new(name);
        if self.scanner.loaders().get(&kind).is_some() {
            return Ok(kind);
        }
        let known: Vec<String> =
            self.scanner.loaders().layouts().iter().map(|layout| layout.kind.to_string()).collect();
        let hint = nearest::hint(name, known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("known kinds: {}", known.join(", ")));
        Err(Problem::error(Code::UNKNOWN_WORD, name, format!("unknown kind `{name}`")).advise(hint))
    }

    /// What had to be done on the way and was not reported yet, such as a damaged database that was set aside. Each
    /// notice comes once.
    #[must_use]
    pub fn take_notices(&self) -> Vec<Problem> {
        self.options.databases.as_ref().map_or_else(Vec::new, |databases| databases.take_notices())
    }

    pub(super) fn calendar(&self) -> Result<&dyn Calendar, ServiceError> {
        self.options.calendar.as_deref().ok_or(ServiceError::Without("a calendar"))
    }

    pub(super) fn databases(&self) -> Result<&dyn Databases, ServiceError> {
        self.options.databases.as_deref().ok_or(ServiceError::Without("databases that are files"))
    }

    pub(super) fn package_cache(&self) -> Result<&dyn PackageCache, ServiceError> {
        self.options.packages.as_deref().ok_or(ServiceError::Without("a cache of packages"))
    }

    pub(super) fn programs(&self) -> Result<&dyn Programs, ServiceError> {
        self.options.programs.as_deref().ok_or(ServiceError::Without("programs"))
    }

    pub(super) fn run_store(&self) -> Result<&Arc<dyn RunStore>, ServiceError> {
        self.options.runs.as_ref().ok_or(ServiceError::Without("a history of runs"))
    }
}
