//! The composition root: the one folder that names adapters.

mod bundles;
mod catalog;
mod configuration;
mod descriptors;
mod error;
mod extensions;
mod manager;
mod programs;
mod replaceable;
mod secrets;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use mangrove_app::{
    loaders::Registry,
    scan::Ports,
    service::{Access, BundlerChoice, Parts, Repository, Running, Service, Settings},
    workflow::{Limits, library},
};
use mangrove_daemon::webhook::Secrets;
use mangrove_domain::{
    document::Node,
    ports::{
        AttemptCache, Bundler, Calendar, Clock, DocumentError, Documents, Entropy, MethodRunner, ObserveError,
        Packages, Progress, ServiceManager, SourceTree, Watcher,
    },
    position::Position,
    problem::Problem,
};
use mangrove_fs::{build_locks::LockFiles, definition_files::DiskDefinitionFiles, files::DiskFiles};
use mangrove_infra::{
    attempt_cache::{CachedBundler, CachedInspector},
    bundler::{
        self,
        auto::{AutoBundler, Choice},
        deno::{self, DenoBundler},
        permission_uses::UsesByText,
    },
    calendar::CronCalendar,
    catalog::OpenMode,
    data::{self, LocalData},
    databases::SqliteDatabases,
    documents::YamlDocuments,
    expressions::CelExpressions,
    last_good::FileLastGood,
    runner::{self, ChosenRunner, deno::DenoRunner},
    runtime::{ProgramLocations, version::Versions},
    schema::JsonSchemas,
    seals::FileSeals,
    shell::SystemShell,
    state_directory,
    system::{SystemClock, SystemEntropy},
    vaults::BuiltInVaults,
    watcher::SystemWatcher,
    web::WebClient,
    worker::{MeasuredProcess, Pool, PoolOptions, child, exit_with_parent},
};
use mangrove_npm::{
    NpmPackages,
    registry::{self, Client, Proxies, SystemPause},
};
use mangrove_sources::{Layout, LocalTree, TreeOptions};

pub(crate) use catalog::{MigrateError, catalog_shown, migrate_catalog};
pub(crate) use descriptors::raise_descriptor_limit;
pub(crate) use error::ComposeError;
pub(crate) use mangrove_infra::state_directory::StateDirectoryError;

use bundles::Bundles;
pub(crate) use bundles::BundlesSetting;
use catalog::CatalogParts;
use configuration::{BundlerSettings, MarkerConfiguration};
use manager::Systemd;
use programs::FoundPrograms;
use replaceable::Replaceable;
use secrets::HostSecrets;

/// The main loop of a worker child.
pub(crate) fn worker() -> ExitCode {
    child::run()
}

/// Becomes an outside program that ends with the process that asked for it.
pub(crate) fn exit_with_parent(parent: u32, program: &[OsString]) -> ExitCode {
    exit_with_parent::become_program(parent, program)
}

/// The nearest directory at or above `start` that holds a marker.
pub(crate) fn find_repository(start: &Path) -> Option<PathBuf> {
    mangrove_sources::find_repository(start)
}

/// The system's clock.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// What changes of files are noticed with.
pub(crate) fn watcher() -> Arc<dyn Watcher> {
    Arc::new(SystemWatcher::new())
}

/// When schedules are due, in this time zone where they name none; `None` if there is no such zone.
pub(crate) fn calendar_in(zone: &str) -> Option<Arc<dyn Calendar>> {
    Some(Arc::new(CronCalendar::new(zone).ok()?))
}

/// Where the secrets of webhooks are found.
pub(crate) fn webhook_secrets(environment: BTreeMap<String, String>, service: &Service) -> Arc<dyn Secrets> {
    Arc::new(HostSecrets { environment, service: service.clone() })
}

/// Whoever started this process and watches over it.
pub(crate) fn service_manager() -> Arc<dyn ServiceManager> {
    Arc::new(Systemd)
}

/// What `serve` in the marker of a repository says, and where; and what is wrong with the marker.
pub(crate) fn serve_section(repository: &Path) -> Result<(ServeSection, Vec<Problem>), ComposeError> {
    let layout = Layout::of_repository(repository, &YamlDocuments);
    let layout = layout.map_err(|fault| ComposeError::Observe(ObserveError::Repository { fault }))?;
    Ok((layout.serve, layout.problems))
}

/// Where the bundles of a repository lie, and who says so.
pub(crate) fn bundles_shown(settings: &Settings) -> Result<Vec<BundlesSetting>, ComposeError> {
    let layout = Layout::of_repository(&settings.repository, &YamlDocuments);
    let layout = layout.map_err(|fault| ComposeError::Observe(ObserveError::Repository { fault }))?;
    bundles::shown(&layout.bundles, settings).map_err(ComposeError::Configuration)
}

/// Gives TLS its cryptography.
pub(crate) fn use_cryptography() {
    mangrove_npm::registry::use_cryptography();
}

/// The value of a YAML or JSON text, where there is no repository; `name` is what people call it.
pub(crate) fn parse_document(name: &str, text: &str) -> Result<Node, DocumentError> {
    Ok(YamlDocuments.parse(name, text)?.root)
}

/// The system's randomness, for what needs no repository.
pub(crate) fn entropy() -> impl Entropy {
    SystemEntropy
}

/// What a caller has instead of the usual.
pub(crate) struct Overrides {
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Receives how far a scan is.
    pub(crate) progress: Arc<dyn Progress>,
}

/// Builds a service over the adapters of this program.
pub(crate) fn compose(settings: Settings, loaders: Registry, overrides: Overrides) -> Result<Service, ComposeError> {
    Composition::new(settings)?.service(loaders, overrides)
}

/// How many calls of methods have a process of their own at once, at least. Most of them wait for something else most of
/// the time, so that this is no matter of processors.
const PARALLEL_CALLS: usize = 16;

/// The settings of the daemon in the marker, as they are written, and where: by key.
pub(crate) type ServeSection = BTreeMap<String, (String, Position)>;

/// What several adapters share.
#[derive(Clone)]
struct Composition {
    settings: Arc<Settings>,
    /// Parses, bundles and inspects.
    pool: Pool,
    /// Runs methods: calls that only wait must keep no build, and no other call, from its turn.
    call_pool: Pool,
    tree: Arc<LocalTree>,
    documents: Arc<dyn Documents>,
    entropy: Arc<dyn Entropy>,
    bundles: Bundles,
    locks: Arc<LockFiles>,
    /// This very program: workers are children of it.
    program: PathBuf,
    /// The repository and the state directory, absolute: programs are started in other directories.
    absolute: (PathBuf, PathBuf),
}

impl Composition {
    fn new(settings: Settings) -> Result<Self, ComposeError> {
        let Settings { repository, state_directory: state, access, .. } = &settings;
        tracing::info!(repository = %repository.display(), state = %state.display(), ?access, "opening");
        if settings.access == Access::ReadWrite {
            state_directory::prepare(repository, state)?;
        }
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|source| ComposeError::Path { path: path.to_owned(), source })
        };
        let absolute = (absolute(repository)?, absolute(state)?);
        let program = std::env::current_exe().map_err(ComposeError::Program)?;
        let size = settings.jobs;
        let pool = Pool::new(PoolOptions { size, ..PoolOptions::new(program.clone(), vec!["worker".to_owned()]) });
        let calls = PoolOptions {
            size: size.max(PARALLEL_CALLS),
            web: Some(Arc::new(WebClient::new(&settings.environment))),
            ..PoolOptions::new(program.clone(), vec!["worker".to_owned()])
        };
        let call_pool = Pool::new(calls);
        let documents: Arc<dyn Documents> = Arc::new(YamlDocuments);
        let tree = LocalTree::new(TreeOptions {
            repository: repository.clone(),
            state_directory: state.clone(),
            environment: settings.environment.clone(),
            parser: Arc::new(pool.clone()),
            documents: Arc::clone(&documents),
            extensions_directory: settings.extensions_directory.clone(),
            is_read_only: settings.access != Access::ReadWrite,
            walk_bounds: mangrove_fs::walk::Bounds::default(),
        })?;
        let bundles = Bundles::of(&settings, &tree.layout().bundles).map_err(ComposeError::Configuration)?;
        let locks = Arc::new(LockFiles::new(state.join("locks")));
        Ok(Self {
            settings: Arc::new(settings),
            pool,
            call_pool,
            tree: Arc::new(tree),
            documents,
            entropy: Arc::new(SystemEntropy),
            bundles,
            locks,
            program,
            absolute,
        })
    }

    fn service(self, loaders: Registry, overrides: Overrides) -> Result<Service, ComposeError> {
        let chosen = self.settings.bundler.map(choice);
        let bundlers = BundlerSettings::of(self.tree.layout(), chosen, &self.settings.repository)?;
        let progress = Arc::clone(&overrides.progress);
        let databases = SqliteDatabases::new(
            self.settings.repository.clone(),
            self.settings.state_directory.clone(),
            mode(self.settings.access),
            self.settings.access == Access::Examine,
            self.bundles.store(),
        );
        let kept = CatalogParts::of(&self.settings, self.tree.layout(), &databases)?;
        let built = Arc::clone(&kept.attempts);
        self.bundles.belongs_to(&kept.catalog);
        let bundler = Arc::new(Replaceable::new(self.bundler(&bundlers, &built)));
        let runner = Arc::new(Replaceable::new(self.runner(&bundlers)));
        let fetching = self.clone();
        let programs = Arc::new(FoundPrograms::new(self.places(&bundlers), self.versions(), move |limits| {
            // What is installed is no package of the repository: no lock has it.
            fetching.packages(limits, false)
        }));
        let packages = Arc::new(self.packages(registry::Limits::default(), self.settings.is_locked));
        let ports = self.ports(&kept, Arc::clone(&packages) as _, Arc::clone(&bundler) as _, overrides);
        let running = Running {
            runner: Arc::clone(&runner) as _,
            shell: Arc::new(SystemShell::new()),
            vaults: Arc::new(BuiltInVaults::new(self.settings.repository.clone(), self.home())),
            data: Arc::new(self.data()),
            limits: Limits::default(),
        };
        let usage = MeasuredProcess { builders: self.pool.clone(), callers: self.call_pool.clone() };
        let service = Service::new(Parts { ports, loaders, jobs: self.settings.jobs, repository: self.repository() });
        let replace = {
            let (composition, programs) = (self.clone(), Arc::clone(&programs));
            move |bundlers: &BundlerSettings| {
                bundler.replace(composition.bundler(bundlers, &built));
                runner.replace(composition.runner(bundlers));
                programs.replace_places(composition.places(bundlers));
            }
        };
        let configuration = MarkerConfiguration::new(
            self.settings.repository.clone(),
            Arc::clone(&self.documents),
            chosen,
            self.tree.layout(),
            bundlers,
            replace,
        );
        // What is listed is in the zone in which a daemon starts it.
        let environment = &self.settings.environment;
        let of_serve = || self.tree.layout().serve.get("timeZone").map(|(zone, _)| zone);
        let zone = environment.get("MANGROVE_SERVE_TIME_ZONE").filter(|zone| !zone.is_empty()).or_else(of_serve);
        let calendar = zone.and_then(|zone| CronCalendar::new(zone).ok());
        let of_machine = || CronCalendar::of_machine(environment.get("TZ").map(String::as_str));
        let calendar = calendar.unwrap_or_else(of_machine);
        let service = match kept.checkouts {
            Some(checkouts) => service.with_checkouts(checkouts),
            None => service,
        };
        Ok(service
            .with_extensions(self.extensions())
            .with_calendar(Arc::new(calendar))
            .with_configuration(Arc::new(configuration))
            .with_runs(kept.runs)
            .with_last_good(Arc::new(FileLastGood::new(&self.settings.state_directory)))
            .with_leases(kept.leases)
            .with_databases(kept.databases)
            .with_package_cache(packages)
            .with_permission_uses(Arc::new(UsesByText))
            .with_process_usage(Arc::new(usage))
            .with_programs(programs)
            .with_running(running)
            .with_progress(progress))
    }

    fn ports(
        &self,
        kept: &CatalogParts,
        packages: Arc<dyn Packages>,
        bundler: Arc<dyn Bundler>,
        overrides: Overrides,
    ) -> Ports {
        Ports {
            tree: Arc::clone(&self.tree) as Arc<dyn SourceTree>,
            packages,
            bundler,
            store: self.bundles.store(),
            inspector: Arc::new(CachedInspector::new(Arc::new(self.pool.clone()), Arc::clone(&kept.attempts))),
            catalog: Arc::clone(&kept.catalog),
            seals: Arc::new(FileSeals::new(&self.settings.state_directory, self.program.clone())),
            locks: Arc::clone(&self.locks) as _,
            leases: kept.builds.clone().filter(|_| self.bundles.are_shared()),
            clock: overrides.clock,
            entropy: Arc::clone(&self.entropy),
        }
    }

    /// The home directory of the user.
    fn home(&self) -> Option<PathBuf> {
        self.settings.environment.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
    }

    fn repository(&self) -> Repository {
        Repository {
            directory: self.settings.repository.clone(),
            environment: self.settings.environment.clone(),
            definitions: Arc::new(DiskDefinitionFiles::new(
                &self.settings.repository,
                library::Layout::default().definitions,
                &self.settings.state_directory,
            )),
            files: Arc::new(self.files()),
            documents: Arc::clone(&self.documents),
            expressions: Arc::new(CelExpressions),
            schemas: Arc::new(JsonSchemas),
        }
    }

    fn files(&self) -> DiskFiles {
        let files = DiskFiles::new(&self.settings.repository);
        match self.settings.access {
            Access::ReadWrite => files.probing_in(&self.settings.state_directory),
            Access::ReadOnly | Access::Examine => files,
        }
    }

    fn data(&self) -> LocalData {
        let existing = self.settings.repository.join(".swamp").join("data");
        let state_directory = &self.settings.state_directory;
        let data = LocalData::new(state_directory.join("data")).with_existing(existing, Arc::clone(&self.documents));
        data.with_index(state_directory.clone(), mode(self.settings.access), data::INDEXED_FROM)
    }

    fn packages(&self, limits: registry::Limits, is_locked: bool) -> NpmPackages {
        NpmPackages::new(mangrove_npm::Options {
            state_directory: self.settings.state_directory.clone(),
            repository: self.settings.repository.clone(),
            environment: self.settings.environment.clone(),
            is_offline: self.settings.is_offline,
            is_locked,
            vendor: Arc::new(self.pool.clone()),
            vendor_identity: bundler::vendor::identity(),
            locks: Arc::clone(&self.locks) as _,
            store: self.bundles.store(),
            limits,
            pause: Arc::new(SystemPause),
            entropy: Arc::clone(&self.entropy),
        })
    }

    fn places(&self, bundlers: &BundlerSettings) -> ProgramLocations {
        ProgramLocations {
            configured: bundlers.deno.clone(),
            environment: self.settings.environment.clone(),
            state_directory: self.settings.state_directory.clone(),
        }
    }

    fn versions(&self) -> Versions {
        Versions::new(&self.settings.state_directory, self.settings.access != Access::ReadWrite)
    }

    fn bundler(&self, bundlers: &BundlerSettings, built: &Arc<dyn AttemptCache>) -> Arc<dyn Bundler> {
        let deno = DenoBundler::new(deno::Options {
            places: self.places(bundlers),
            versions: self.versions(),
            state_directory: self.settings.state_directory.clone(),
            repository: self.settings.repository.clone(),
            environment: self.settings.environment.clone(),
            is_offline: self.settings.is_offline,
            is_locked: self.settings.is_locked,
            embedded: Arc::new(self.pool.clone()),
            parser: Arc::new(self.pool.clone()),
            client: Arc::new(Client::new(
                Proxies::of(&self.settings.environment),
                registry::Limits::default(),
                Arc::new(SystemPause),
                Arc::clone(&self.entropy),
            )),
            limit: deno::LIMIT,
        });
        let embedded = CachedBundler::new(Arc::new(self.pool.clone()), Arc::clone(built), self.bundles.store());
        Arc::new(AutoBundler::new(bundlers.choice, Arc::new(embedded), Arc::new(deno)))
    }

    fn runner(&self, bundlers: &BundlerSettings) -> Arc<dyn MethodRunner> {
        let (repository, state_directory) = self.absolute.clone();
        let launcher = vec![
            self.program.clone().into_os_string(),
            "exit-with-parent".into(),
            std::process::id().to_string().into(),
        ];
        let deno = DenoRunner::new(runner::deno::Options {
            launcher,
            places: self.places(bundlers),
            state_directory,
            repository,
            environment: self.settings.environment.clone(),
            roots: Arc::clone(&self.tree) as _,
            entropy: Arc::clone(&self.entropy),
            size: self.settings.jobs.max(PARALLEL_CALLS),
            memory_limit_bytes: runner::deno::MEMORY_LIMIT_BYTES,
            open_limit: runner::deno::OPEN_LIMIT,
            call_limit: runner::deno::CALL_LIMIT,
            pool: runner::deno::PoolLimits::default(),
        });
        Arc::new(ChosenRunner::new(Arc::new(self.call_pool.clone()), deno))
    }
}

const fn mode(access: Access) -> OpenMode {
    match access {
        Access::ReadWrite => OpenMode::ReadWrite,
        Access::ReadOnly | Access::Examine => OpenMode::ReadOnly,
    }
}

const fn choice(choice: BundlerChoice) -> Choice {
    match choice {
        BundlerChoice::Auto => Choice::Auto,
        BundlerChoice::Embedded => Choice::Embedded,
        BundlerChoice::Deno => Choice::Deno,
    }
}
