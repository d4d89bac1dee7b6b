//! The composition root: the one file that names adapters.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use mangrove_app::{
    doctor,
    method::Services,
    on_demand::OnDemand,
    scan::{Ports, ScanRequest, Scanner},
    upkeep::Earlier,
    workflow::{Engine, Library, Limits, library},
};
use mangrove_domain::{
    failure::Fault,
    nearest,
    ports::{
        BundleStore, Catalog, CatalogError, Clock, Documents, Entropy, Expressions, Packages, Progress,
        RepositoryFiles, RunStore, SchemaValidator, SourceTree, StoreError,
    },
    problem::{Code, Problem},
    source::SourceId,
};
use mangrove_fs::{
    faults::{Operation, io_fault},
    files::DiskFiles,
};
use mangrove_infra::{
    bundler::{
        self,
        auto::{AutoBundler, Choice},
        deno::{self, DenoBundler},
    },
    catalog::{self, DeferredCatalog, OpenMode, SqliteCatalog},
    data::LocalData,
    documents::YamlDocuments,
    expressions::CelExpressions,
    inspection_cache::CachedInspector,
    runner::{self, ChosenRunner, deno::DenoRunner},
    runs::SqliteRuns,
    runtime::{Places, version::Versions},
    schema::JsonSchemas,
    seals::FileSeals,
    store::{LocalStore, Ownership},
    system::{SystemClock, SystemEntropy},
    worker::{Pool, PoolOptions, child, leash},
};
use mangrove_npm::NpmPackages;
use mangrove_sources::{Layout, LocalTree, TreeOptions};
use tokio_util::sync::CancellationToken;

pub(crate) use mangrove_npm::maintenance::Amount;

use crate::{
    args,
    commands::Context,
    errors::CommandError,
    printer::Printer,
    progress::{Bar, Silent},
};

/// Whether a command may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything.
    ReadWrite,
    /// Nothing is created, migrated, built or remembered.
    ReadOnly,
    /// As `ReadOnly`, and a catalog that cannot be opened is no error before it is asked for something.
    Examine,
}

/// The files of the state directory that are databases.
const CATALOG: &str = "catalog.db";
const RUNS: &str = "runs.db";

/// A repository with everything that works on it.
pub(crate) struct Workspace {
    /// Its root, without symbolic links.
    pub(crate) repository: PathBuf,
    pub(crate) scanner: Arc<Scanner>,
    tree: Arc<LocalTree>,
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) expressions: Arc<dyn Expressions>,
    pub(crate) schemas: Arc<dyn SchemaValidator>,
    pub(crate) packages: Arc<NpmPackages>,
    files: Arc<dyn RepositoryFiles>,
    state: PathBuf,
    access: Access,
    printer: Printer,
    pool: Pool,
    places: Places,
    jobs: usize,
    progress: Arc<dyn Progress>,
}

/// The main loop of a worker child.
pub(crate) fn worker() -> ExitCode {
    child::run()
}

/// Becomes an outside program that ends with the process that asked for it.
pub(crate) fn leash(parent: u32, program: &[OsString]) -> ExitCode {
    leash::become_program(parent, program)
}

/// The nearest directory at or above `start` that holds a marker.
pub(crate) fn find_repository(start: &Path) -> Option<PathBuf> {
    mangrove_sources::find_repository(start)
}

/// The system's clock.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The system's randomness, for what needs no repository.
pub(crate) fn entropy() -> impl Entropy {
    SystemEntropy
}

/// Opens a repository.
#[expect(clippy::unused_async, reason = "a step of async commands; what waits is deferred today")]
pub(crate) async fn open(
    context: &Context,
    repository: &Path,
    access: Access,
    jobs: Option<u16>,
) -> Result<Workspace, CommandError> {
    let state = state_directory(context, repository);
    tracing::info!(repository = %repository.display(), state = %state.display(), ?access, "opening");
    if access == Access::ReadWrite {
        prepare_state(&state)?;
    }
    let environment = environment();
    let documents: Arc<dyn Documents> = Arc::new(YamlDocuments);
    let jobs = jobs.map_or_else(|| std::thread::available_parallelism().map_or(2, usize::from), usize::from);
    let pool = pool(jobs)?;
    let tree = Arc::new(LocalTree::new(TreeOptions {
        repository: repository.to_owned(),
        state_directory: state.clone(),
        environment: environment.clone(),
        parser: Arc::new(pool.clone()),
        documents: Arc::clone(&documents),
        extensions_directory: context.global.extensions_dir.clone(),
        is_read_only: access != Access::ReadWrite,
    })?);
    let store = LocalStore::new(bundles_directory(&state));
    let catalog: Arc<dyn Catalog> = Arc::new(catalog(&context.printer, &state, &store, access));
    let store: Arc<dyn BundleStore> = Arc::new(store);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let packages = Arc::new(NpmPackages::new(mangrove_npm::Options {
        state_directory: state.clone(),
        repository: repository.to_owned(),
        environment: environment.clone(),
        is_offline: context.global.offline,
        is_locked: context.global.locked,
        vendor: Arc::new(pool.clone()),
        vendor_identity: bundler::vendor::identity(),
        store: Arc::clone(&store),
        limits: mangrove_npm::registry::Limits::default(),
        pause: Arc::new(mangrove_npm::registry::SystemPause),
        entropy: Arc::clone(&entropy),
    }));
    let settings = BundlerSettings::of(context, repository, tree.layout())?;
    let places = settings.places(&state, environment.clone());
    let deno = DenoBundler::new(deno::Options {
        places: places.clone(),
        versions: Versions::new(&state, access != Access::ReadWrite),
        state_directory: state.clone(),
        repository: repository.to_owned(),
        environment,
        is_offline: context.global.offline,
        is_locked: context.global.locked,
        embedded: Arc::new(pool.clone()),
        parser: Arc::new(pool.clone()),
        limit: deno::LIMIT,
    });
    let bundler = AutoBundler::new(settings.choice, Arc::new(pool.clone()), deno);
    let progress: Arc<dyn Progress> =
        if context.printer.draws_progress() { Arc::new(Bar::default()) } else { Arc::new(Silent) };
    let ports = Ports {
        tree: Arc::clone(&tree) as Arc<dyn SourceTree>,
        packages: Arc::clone(&packages) as Arc<dyn Packages>,
        bundler: Arc::new(bundler),
        store,
        inspector: Arc::new(CachedInspector::new(Arc::new(pool.clone()), Arc::clone(&catalog))),
        catalog,
        seals: Arc::new(FileSeals::new(&state, this_program()?)),
        clock: Arc::clone(&context.clock),
        entropy,
    };
    Ok(Workspace {
        repository: repository.to_owned(),
        tree,
        scanner: Arc::new(Scanner::new(ports, context.loaders.clone(), jobs)),
        documents,
        expressions: Arc::new(CelExpressions),
        schemas: Arc::new(JsonSchemas),
        files: Arc::new(DiskFiles::new(repository)),
        packages,
        state,
        access,
        printer: context.printer.clone(),
        pool,
        places,
        jobs,
        progress,
    })
}

fn state_directory(context: &Context, repository: &Path) -> PathBuf {
    context.global.state_dir.clone().unwrap_or_else(|| repository.join(".mangrove"))
}

/// Opens a repository for the doctor, and says what is wrong with the databases beyond what opening meets.
pub(crate) async fn examine(
    context: &Context,
    repository: &Path,
    access: Access,
) -> Result<(Workspace, doctor::Examination), CommandError> {
    let workspace = open(context, repository, access, None).await?;
    let state = &workspace.state;
    let mut found = Vec::new();
    // A catalog that does not open says so when it is asked for its rows.
    if let Ok(opened) = SqliteCatalog::open(&state.join(CATALOG), OpenMode::ReadOnly).await
        && let Err(error) = opened.catalog.check().await
    {
        found.push(doctor::unusable(doctor::CATALOG, error.fault()));
    }
    let runs = async {
        let runs = SqliteRuns::open(&state.join(RUNS), OpenMode::ReadOnly).await?.runs;
        runs.check().await
    };
    if let Err(error) = runs.await {
        found.push(doctor::unusable(doctor::RUNS, &error.fault));
    }
    let permissions = workspace.tree.layout().permissions.clone();
    // A tree that cannot be looked at says so when it is surveyed.
    let brought = workspace.tree.workflows().await.unwrap_or_default();
    let (files, readers) = (workspace.files.as_ref(), workspace.documents.as_ref());
    let documents = match Library::load(files, readers, &library::Layout::default(), brought).await {
        Ok(library) => Some(doctor::Documents {
            library,
            expressions: Arc::clone(&workspace.expressions),
            schemas: Arc::clone(&workspace.schemas),
        }),
        Err(error) => {
            found.push(doctor::unusable(doctor::DOCUMENTS, &error.fault));
            None
        }
    };
    Ok((workspace, doctor::Examination { found, permissions, documents }))
}

/// Moves the catalog aside, so that the next opening makes a new one.
pub(crate) async fn replace_catalog(context: &Context, repository: &Path) -> Result<Option<PathBuf>, CommandError> {
    let state = state_directory(context, repository);
    prepare_state(&state)?;
    Ok(SqliteCatalog::replace(&state.join(CATALOG)).await?)
}

/// What the catalog that is there now has and no source can give back; nothing if it is damaged or cannot be read.
pub(crate) async fn earlier_catalog(context: &Context, repository: &Path) -> Earlier {
    let path = state_directory(context, repository).join(CATALOG);
    let read = async {
        let catalog = SqliteCatalog::open(&path, OpenMode::ReadOnly).await?.catalog;
        catalog.check().await?;
        let earlier = Earlier::of(&catalog).await?;
        catalog.close().await;
        Ok::<_, CatalogError>(earlier)
    };
    read.await.unwrap_or_else(|error| {
        tracing::debug!(%error, "nothing is taken over from the earlier catalog");
        Earlier::default()
    })
}

/// Copies the catalog to a file that does not exist yet.
pub(crate) async fn back_up_catalog(context: &Context, repository: &Path, file: &Path) -> Result<(), CommandError> {
    let path = state_directory(context, repository).join(CATALOG);
    let opened = SqliteCatalog::open(&path, OpenMode::ReadOnly).await?;
    Ok(opened.catalog.back_up(file).await?)
}

/// What is compiled in: name and version.
pub(crate) const BUILT_IN: [(&str, &str); 1] = [("bundler", bundler::embedded::VERSION)];

/// Everything about outside programs, without the rest of a workspace.
pub(crate) struct Runtimes {
    pub(crate) places: Places,
    pub(crate) versions: Versions,
    pub(crate) bundler: Choice,
    repository: PathBuf,
    state: PathBuf,
    environment: BTreeMap<String, String>,
}

/// Where outside programs are and which ones are used.
pub(crate) fn runtimes(context: &Context, repository: &Path, access: Access) -> Result<Runtimes, CommandError> {
    let state = state_directory(context, repository);
    if access == Access::ReadWrite {
        prepare_state(&state)?;
    }
    let layout = Layout::of_repository(repository, &YamlDocuments)
        .map_err(|fault| CommandError::fault("reading the configuration", &fault))?;
    let settings = BundlerSettings::of(context, repository, &layout)?;
    let environment = environment();
    Ok(Runtimes {
        places: settings.places(&state, environment.clone()),
        versions: Versions::new(&state, access != Access::ReadWrite),
        bundler: settings.choice,
        repository: repository.to_owned(),
        state,
        environment,
    })
}

/// What fetches programs: the same client, cache and settings as for packages, with more patience.
pub(crate) fn installer(context: &Context, runtimes: &Runtimes) -> Result<NpmPackages, CommandError> {
    let limits = mangrove_npm::registry::Limits {
        operation: std::time::Duration::from_mins(15),
        ..mangrove_npm::registry::Limits::default()
    };
    Ok(NpmPackages::new(mangrove_npm::Options {
        state_directory: runtimes.state.clone(),
        repository: runtimes.repository.clone(),
        environment: runtimes.environment.clone(),
        is_offline: context.global.offline,
        is_locked: false,
        vendor: Arc::new(pool(1)?),
        vendor_identity: bundler::vendor::identity(),
        store: Arc::new(LocalStore::new(bundles_directory(&runtimes.state))),
        limits,
        pause: Arc::new(mangrove_npm::registry::SystemPause),
        entropy: Arc::new(SystemEntropy),
    }))
}

/// Which bundler is used, and which Deno.
struct BundlerSettings {
    choice: Choice,
    deno: Option<PathBuf>,
}

impl BundlerSettings {
    /// The command line (or its variable) comes before the configuration.
    fn of(context: &Context, repository: &Path, layout: &Layout) -> Result<Self, CommandError> {
        let choice = match (context.global.bundler, &layout.bundler) {
            (Some(args::Bundler::Auto), _) => Choice::Auto,
            (Some(args::Bundler::Embedded), _) => Choice::Embedded,
            (Some(args::Bundler::Deno), _) => Choice::Deno,
            (None, None) => Choice::default(),
            (None, Some(text)) => Choice::parse(text).ok_or_else(|| {
                let known = Choice::ALL.map(Choice::as_str);
                CommandError::usage(
                    Some(Code::INVALID_DOCUMENT),
                    format!("mangrove.yaml: `bundler` is {text:?}; expected one of {}", known.join(", ")),
                    nearest::hint(text, known).as_deref(),
                )
            })?,
        };
        Ok(Self { choice, deno: layout.deno.as_ref().map(|path| repository.join(path)) })
    }

    fn places(&self, state: &Path, environment: BTreeMap<String, String>) -> Places {
        Places { configured: self.deno.clone(), environment, state_directory: state.to_owned() }
    }
}

/// The variables of the process that are text.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect()
}

impl Workspace {
    /// The source that a file is; `None` if it lies in no root of the repository.
    pub(crate) async fn source_of(&self, file: &Path) -> Result<Option<SourceId>, CommandError> {
        Ok(self.tree.source_of(file).await?)
    }

    /// The definitions and workflows of the repository, and the workflows of mounts and pulled extensions.
    pub(crate) async fn library(&self) -> Result<Library, CommandError> {
        let brought = self.tree.workflows().await?;
        Library::load(self.files.as_ref(), self.documents.as_ref(), &library::Layout::default(), brought)
            .await
            .map_err(|error| CommandError::fault("reading the definitions", &error.fault))
    }

    /// The run history.
    pub(crate) async fn runs(&self) -> Result<Arc<dyn RunStore>, CommandError> {
        let opened = SqliteRuns::open(&self.state.join(RUNS), mode(self.access)).await.map_err(|error| {
            let mut told = CommandError::fault(&format!("{} the run history", error.operation), &error.fault);
            told.hint = doctor::unusable(doctor::RUNS, &error.fault).advice.as_ref().map(crate::advice::text);
            told
        })?;
        if let Some(path) = &opened.set_aside {
            let message = format!("was damaged; it now lies at {}, and a new one begins here", path.display());
            self.printer.problem(&set_aside(RUNS, message));
        }
        Ok(Arc::new(opened.runs))
    }

    /// A scan of everything that can be cancelled, and whose progress is shown.
    pub(crate) fn scan_request(&self, cancellation: CancellationToken) -> ScanRequest {
        ScanRequest { cancellation, progress: Arc::clone(&self.progress), ..ScanRequest::default() }
    }

    /// What runs methods and workflows.
    pub(crate) async fn engine(&self, cancellation: CancellationToken) -> Result<Engine, CommandError> {
        let ports = self.scanner.ports();
        let services = Services {
            types: Arc::new(OnDemand::new(Arc::clone(&self.scanner)).with_progress(Arc::clone(&self.progress))),
            runner: Arc::new(self.runner()?),
            runs: self.runs().await?,
            data: Arc::new(LocalData::new(self.state.join("data"))),
            expressions: Arc::clone(&self.expressions),
            schemas: Arc::clone(&self.schemas),
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            permissions: Arc::new(self.tree.layout().permissions.clone()),
        };
        let engine = Engine::new(services, self.repository.display().to_string(), Limits::default());
        Ok(engine.with_cancellation(cancellation))
    }

    fn runner(&self) -> Result<ChosenRunner, CommandError> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|error| {
                let fault = io_fault(Operation::Read, path, &error);
                CommandError::fault("finding the repository", &fault)
            })
        };
        let deno = DenoRunner::new(runner::deno::Options {
            launcher: vec![this_program()?.into_os_string(), "leash".into(), std::process::id().to_string().into()],
            places: self.places.clone(),
            state_directory: absolute(&self.state)?,
            repository: absolute(&self.repository)?,
            environment: environment(),
            roots: Arc::clone(&self.tree) as _,
            entropy: Arc::clone(&self.scanner.ports().entropy),
            size: self.jobs,
            memory_limit_bytes: runner::deno::MEMORY_LIMIT_BYTES,
            open_limit: runner::deno::OPEN_LIMIT,
            call_limit: runner::deno::CALL_LIMIT,
        });
        Ok(ChosenRunner::new(Arc::new(self.pool.clone()), deno))
    }

    /// Makes the bundle store, whoever's it was, that of this catalog.
    pub(crate) async fn take_over_store(&self) -> Result<(), CommandError> {
        let identity = self.scanner.ports().catalog.identity().await?;
        Ok(hand_over(&LocalStore::new(self.bundles_directory()), identity)?)
    }

    /// Where the bundles lie.
    pub(crate) fn bundles_directory(&self) -> PathBuf {
        bundles_directory(&self.state)
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &dyn Clock {
        self.scanner.ports().clock.as_ref()
    }
}

const fn mode(access: Access) -> OpenMode {
    match access {
        Access::ReadWrite => OpenMode::ReadWrite,
        Access::ReadOnly | Access::Examine => OpenMode::ReadOnly,
    }
}

fn bundles_directory(state: &Path) -> PathBuf {
    state.join("bundles")
}

/// The catalog, opened when something needs it.
fn catalog(printer: &Printer, state: &Path, store: &LocalStore, access: Access) -> DeferredCatalog {
    let path = state.join(CATALOG);
    let (file, printer, store) = (path.clone(), printer.clone(), store.clone());
    DeferredCatalog::new(path, mode(access), move || {
        let (file, printer, store) = (file.clone(), printer.clone(), store.clone());
        Box::pin(async move { open_catalog(&file, &printer, &store, access).await })
    })
}

async fn open_catalog(
    file: &Path,
    printer: &Printer,
    store: &LocalStore,
    access: Access,
) -> Result<Box<dyn Catalog>, CatalogError> {
    let opened = match SqliteCatalog::open(file, mode(access)).await {
        Err(error) if access == Access::Examine => return Ok(Box::new(catalog::Unusable::from(&error))),
        opened => opened?,
    };
    if let Some(path) = &opened.set_aside {
        let message =
            format!("was damaged; it now lies at {}, and a new one is filled from the sources", path.display());
        printer.problem(&set_aside(CATALOG, message));
        let handed_over = hand_over(store, opened.catalog.identity().await?);
        handed_over.map_err(|error| CatalogError::Access { operation: "replace", fault: error.fault().clone() })?;
    }
    Ok(Box::new(opened.catalog))
}

/// Makes a store that an earlier catalog left the store of this one.
fn hand_over(store: &LocalStore, identity: Option<String>) -> Result<(), StoreError> {
    if let Some(identity) = identity
        && let Ownership::Foreign(_) = store.ownership(&identity)?
    {
        store.claim(&identity)?;
    }
    Ok(())
}

fn set_aside(subject: &str, message: String) -> Problem {
    Problem::warning(Code::CATALOG_CORRUPT, subject.to_owned(), message)
}

/// Workers are children of this very binary.
fn pool(size: usize) -> Result<Pool, CommandError> {
    Ok(Pool::new(PoolOptions { size, ..PoolOptions::new(this_program()?, vec!["worker".to_owned()]) }))
}

fn this_program() -> Result<PathBuf, CommandError> {
    std::env::current_exe().map_err(|error| {
        let message = format!("this program's own file cannot be found: {error}");
        CommandError::fault("", &Fault::environment(Code::WORKER_UNAVAILABLE, "program:mangrove", message))
    })
}

/// Makes the state directory, with a `.gitignore` that keeps it out of the repository.
fn prepare_state(state: &Path) -> Result<(), CommandError> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(state)?;
        let ignore = state.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(ignore, "*\n")?;
        }
        Ok(())
    };
    write().map_err(|error| {
        CommandError::usage(
            Some(Code::NOT_WRITABLE),
            format!("the state directory {} cannot be written: {error}", state.display()),
            Some("`--state-dir DIR` keeps the state elsewhere"),
        )
    })
}
