//! The composition root: the one file that names adapters.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use mangrove_app::{
    cancel::Cancellation,
    doctor,
    method::Services,
    on_demand::OnDemand,
    scan::{Ports, Scanner},
    workflow::{Engine, Library, Limits, library},
};
use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::{
        BundleStore, Catalog, Clock, Documents, Entropy, Expressions, Progress, RepositoryFiles, RunStore,
        SchemaValidator,
    },
    problem::{Code, Problem, Severity},
};
use mangrove_infra::{
    bundler,
    catalog::{self, OpenMode, SqliteCatalog},
    data::LocalData,
    documents::YamlDocuments,
    expressions::CelExpressions,
    files::DiskFiles,
    inspection_cache::CachedInspector,
    npm::{self, NpmPackages},
    runs::SqliteRuns,
    schema::JsonSchemas,
    sources::{LocalTree, TreeOptions},
    store::LocalStore,
    system::{SystemClock, SystemEntropy},
    worker::{Pool, PoolOptions, child},
};

use crate::{
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
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) expressions: Arc<dyn Expressions>,
    pub(crate) schemas: Arc<dyn SchemaValidator>,
    files: Arc<dyn RepositoryFiles>,
    state: PathBuf,
    access: Access,
    printer: Printer,
    pool: Pool,
}

/// The main loop of a worker child.
pub(crate) fn worker() -> ExitCode {
    child::run()
}

/// The nearest directory at or above `start` that holds a marker.
pub(crate) fn find_repository(start: &Path) -> Option<PathBuf> {
    mangrove_infra::sources::find_repository(start)
}

/// The system's randomness, for what needs no repository.
pub(crate) fn entropy() -> impl Entropy {
    SystemEntropy
}

/// Opens a repository.
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
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let documents: Arc<dyn Documents> = Arc::new(YamlDocuments);
    let jobs = jobs.map_or_else(|| std::thread::available_parallelism().map_or(2, usize::from), usize::from);
    let pool = pool(jobs)?;
    let tree = LocalTree::new(TreeOptions {
        repository: repository.to_owned(),
        state_directory: state.clone(),
        environment: environment.clone(),
        parser: Arc::new(pool.clone()),
        documents: Arc::clone(&documents),
        extensions_directory: context.global.extensions_dir.clone(),
        is_read_only: access != Access::ReadWrite,
    })?;
    let catalog = open_catalog(context, &state, access).await?;
    let store: Arc<dyn BundleStore> = Arc::new(LocalStore::new(state.join("bundles")));
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let packages = NpmPackages::new(npm::Options {
        state_directory: state.clone(),
        repository: repository.to_owned(),
        environment,
        is_offline: context.global.offline,
        is_locked: false,
        vendor: Arc::new(pool.clone()),
        vendor_identity: bundler::vendor::identity(),
        store: Arc::clone(&store),
        limits: npm::registry::Limits::default(),
        pause: Arc::new(npm::registry::SystemPause),
        entropy: Arc::clone(&entropy),
    });
    let progress: Arc<dyn Progress> =
        if context.printer.draws_progress() { Arc::new(Bar::default()) } else { Arc::new(Silent) };
    let ports = Ports {
        tree: Arc::new(tree),
        packages: Arc::new(packages),
        bundler: Arc::new(pool.clone()),
        store,
        inspector: Arc::new(CachedInspector::new(Arc::new(pool.clone()), Arc::clone(&catalog))),
        catalog,
        clock: Arc::new(SystemClock),
        entropy,
        progress,
    };
    Ok(Workspace {
        repository: repository.to_owned(),
        scanner: Arc::new(Scanner::new(ports, context.loaders.clone(), jobs)),
        documents,
        expressions: Arc::new(CelExpressions),
        schemas: Arc::new(JsonSchemas),
        files: Arc::new(DiskFiles::new(repository)),
        state,
        access,
        printer: context.printer.clone(),
        pool,
    })
}

fn state_directory(context: &Context, repository: &Path) -> PathBuf {
    context.global.state_dir.clone().unwrap_or_else(|| repository.join(".mangrove"))
}

/// Opens a repository for the doctor, and says what is wrong with the databases beyond what opening meets.
pub(crate) async fn examine(context: &Context, repository: &Path) -> Result<(Workspace, Vec<Problem>), CommandError> {
    let workspace = open(context, repository, Access::Examine, None).await?;
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
    Ok((workspace, found))
}

/// Moves the catalog aside, so that the next opening makes a new one.
pub(crate) async fn replace_catalog(context: &Context, repository: &Path) -> Result<Option<PathBuf>, CommandError> {
    let state = state_directory(context, repository);
    prepare_state(&state)?;
    Ok(SqliteCatalog::replace(&state.join(CATALOG)).await?)
}

/// Copies the catalog to a file that does not exist yet.
pub(crate) async fn back_up_catalog(context: &Context, repository: &Path, file: &Path) -> Result<(), CommandError> {
    let path = state_directory(context, repository).join(CATALOG);
    let opened = SqliteCatalog::open(&path, OpenMode::ReadOnly).await?;
    Ok(opened.catalog.back_up(file).await?)
}

impl Workspace {
    /// The definitions and workflows of the repository.
    pub(crate) async fn library(&self) -> Result<Library, CommandError> {
        Library::load(self.files.as_ref(), self.documents.as_ref(), &library::Layout::default())
            .await
            .map_err(|error| CommandError::fault("reading the definitions", &error.fault))
    }

    /// The run history.
    pub(crate) async fn runs(&self) -> Result<Arc<dyn RunStore>, CommandError> {
        let opened = SqliteRuns::open(&self.state.join(RUNS), mode(self.access)).await.map_err(|error| {
            let mut told = CommandError::fault(&format!("{} the run history", error.operation), &error.fault);
            told.hint = doctor::unusable(doctor::RUNS, &error.fault).hint;
            told
        })?;
        if let Some(path) = &opened.set_aside {
            let message = format!("was damaged; it now lies at {}, and a new one begins here", path.display());
            self.printer.problem(&set_aside(RUNS, message));
        }
        Ok(Arc::new(opened.runs))
    }

    /// What runs methods and workflows.
    pub(crate) async fn engine(&self, cancellation: Cancellation) -> Result<Engine, CommandError> {
        let ports = self.scanner.ports();
        let services = Services {
            types: Arc::new(OnDemand::new(Arc::clone(&self.scanner))),
            runner: Arc::new(self.pool.clone()),
            runs: self.runs().await?,
            data: Arc::new(LocalData::new(self.state.join("data"))),
            expressions: Arc::clone(&self.expressions),
            schemas: Arc::clone(&self.schemas),
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
        };
        let engine = Engine::new(services, self.repository.display().to_string(), Limits::default());
        Ok(engine.with_cancellation(cancellation))
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

async fn open_catalog(context: &Context, state: &Path, access: Access) -> Result<Arc<dyn Catalog>, CommandError> {
    let opened = match SqliteCatalog::open(&state.join(CATALOG), mode(access)).await {
        Err(error) if access == Access::Examine => return Ok(Arc::new(catalog::Unusable::from(&error))),
        opened => opened?,
    };
    if let Some(path) = &opened.set_aside {
        let message =
            format!("was damaged; it now lies at {}, and a new one is filled from the sources", path.display());
        context.printer.problem(&set_aside(CATALOG, message));
    }
    Ok(Arc::new(opened.catalog))
}

fn set_aside(subject: &str, message: String) -> Problem {
    Problem {
        code: Code::CATALOG_CORRUPT,
        severity: Severity::Warning,
        subject: subject.to_owned(),
        position: None,
        message,
        hint: None,
    }
}

/// Workers are children of this very binary.
fn pool(size: usize) -> Result<Pool, CommandError> {
    let program = std::env::current_exe().map_err(|error| {
        let message = format!("this program's own file cannot be found: {error}");
        CommandError::fault(
            "",
            &Fault::new(FailureClass::Environment, Code::WORKER_UNAVAILABLE, "program:mangrove", message),
        )
    })?;
    Ok(Pool::new(PoolOptions { size, ..PoolOptions::new(program, vec!["worker".to_owned()]) }))
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
