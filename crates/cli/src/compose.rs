//! The composition root: the one file that names adapters.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use mangrove_app::{
    method::Services,
    on_demand::OnDemand,
    scan::{Ports, Scanner},
    workflow::{Engine, Library, Limits, library},
};
use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::{
        BundleStore, Catalog, Clock, Documents, Entropy, Expressions, Packages, Progress, RepositoryFiles, RunStore,
        SchemaValidator,
    },
    problem::{Code, Problem, Severity},
};
use mangrove_infra::{
    bundler,
    catalog::{OpenMode, SqliteCatalog},
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

pub(crate) use mangrove_infra::npm::maintenance::Amount;

use crate::{
    commands::Context,
    errors::CommandError,
    progress::{Bar, Silent},
};

/// Whether a command may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything.
    ReadWrite,
    /// Nothing is created, migrated, built or remembered.
    ReadOnly,
}

/// A repository with everything that works on it.
pub(crate) struct Workspace {
    /// Its root, without symbolic links.
    pub(crate) repository: PathBuf,
    pub(crate) scanner: Arc<Scanner>,
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) expressions: Arc<dyn Expressions>,
    pub(crate) schemas: Arc<dyn SchemaValidator>,
    pub(crate) packages: Arc<NpmPackages>,
    files: Arc<dyn RepositoryFiles>,
    state: PathBuf,
    access: Access,
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
        is_read_only: access == Access::ReadOnly,
    })?;
    let catalog = open_catalog(context, &state, access).await?;
    let store: Arc<dyn BundleStore> = Arc::new(LocalStore::new(bundles_directory(&state)));
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let packages = Arc::new(NpmPackages::new(npm::Options {
        state_directory: state.clone(),
        repository: repository.to_owned(),
        environment,
        is_offline: context.global.offline,
        is_locked: context.global.locked,
        vendor: Arc::new(pool.clone()),
        vendor_identity: bundler::vendor::identity(),
        store: Arc::clone(&store),
        limits: npm::registry::Limits::default(),
        pause: Arc::new(npm::registry::SystemPause),
        entropy: Arc::clone(&entropy),
    }));
    let progress: Arc<dyn Progress> =
        if context.printer.draws_progress() { Arc::new(Bar::default()) } else { Arc::new(Silent) };
    let ports = Ports {
        tree: Arc::new(tree),
        packages: Arc::clone(&packages) as Arc<dyn Packages>,
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
        packages,
        state,
        access,
        pool,
    })
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
        let opened =
            SqliteRuns::open(&self.state.join("runs.db"), mode(self.access)).await.map_err(|error| CommandError {
                hint: matches!(error.fault.code, Code::CATALOG_CORRUPT | Code::CATALOG_FAILED)
                    .then(|| "the next run sets a damaged history aside and begins a new one".to_owned()),
                ..CommandError::fault(&format!("{} the run history", error.operation), &error.fault)
            })?;
        Ok(Arc::new(opened.runs))
    }

    /// What runs methods and workflows.
    pub(crate) async fn engine(&self) -> Result<Engine, CommandError> {
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
        Ok(Engine::new(services, self.repository.display().to_string(), Limits::default()))
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
        Access::ReadOnly => OpenMode::ReadOnly,
    }
}

/// Where the state of a repository lies.
fn state_directory(context: &Context, repository: &Path) -> PathBuf {
    context.global.state_dir.clone().unwrap_or_else(|| repository.join(".mangrove"))
}

fn bundles_directory(state: &Path) -> PathBuf {
    state.join("bundles")
}

fn catalog_file(state: &Path) -> PathBuf {
    state.join("catalog.db")
}

/// Moves the catalog out of the way, without opening it. Gives where it lies now.
pub(crate) async fn set_catalog_aside(context: &Context, repository: &Path) -> Result<Option<PathBuf>, CommandError> {
    Ok(SqliteCatalog::set_aside(&catalog_file(&state_directory(context, repository))).await?)
}

/// Writes a copy of the catalog.
pub(crate) async fn back_up_catalog(context: &Context, repository: &Path, target: &Path) -> Result<(), CommandError> {
    let file = catalog_file(&state_directory(context, repository));
    let opened = SqliteCatalog::open(&file, OpenMode::ReadOnly).await?;
    Ok(opened.catalog.back_up(target).await?)
}

async fn open_catalog(context: &Context, state: &Path, access: Access) -> Result<Arc<dyn Catalog>, CommandError> {
    let opened = SqliteCatalog::open(&catalog_file(state), mode(access)).await?;
    if let Some(path) = &opened.set_aside {
        context.printer.problem(&Problem {
            code: Code::CATALOG_CORRUPT,
            severity: Severity::Warning,
            subject: "catalog.db".to_owned(),
            position: None,
            message: format!(
                "was damaged; it now lies at {}, and a new one is filled from the sources",
                path.display()
            ),
            hint: None,
        });
    }
    for damaged in opened.catalog.damaged_rows() {
        tracing::warn!(row = ?damaged, "a catalog row cannot be read; its source is scanned anew");
    }
    Ok(Arc::new(opened.catalog))
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
