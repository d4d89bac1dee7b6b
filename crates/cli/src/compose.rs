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
    nearest,
    ports::{
        BundleStore, Catalog, Clock, Documents, Entropy, Expressions, Progress, RepositoryFiles, RunStore,
        SchemaValidator,
    },
    problem::{Code, Problem, Severity},
};
use mangrove_infra::{
    bundler::{
        self,
        auto::{AutoBundler, Choice},
        deno::{self, DenoBundler},
    },
    catalog::{OpenMode, SqliteCatalog},
    data::LocalData,
    documents::YamlDocuments,
    expressions::CelExpressions,
    files::DiskFiles,
    inspection_cache::CachedInspector,
    npm::{self, NpmPackages},
    runs::SqliteRuns,
    runtime::{Places, version::Versions},
    schema::JsonSchemas,
    sources::{Layout, LocalTree, TreeOptions},
    store::LocalStore,
    system::{SystemClock, SystemEntropy},
    worker::{Pool, PoolOptions, child},
};

use crate::{
    args,
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
    let state = context.global.state_dir.clone().unwrap_or_else(|| repository.join(".mangrove"));
    if access == Access::ReadWrite {
        prepare_state(&state)?;
    }
    let environment = environment();
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
    let store: Arc<dyn BundleStore> = Arc::new(LocalStore::new(state.join("bundles")));
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let packages = NpmPackages::new(npm::Options {
        state_directory: state.clone(),
        repository: repository.to_owned(),
        environment: environment.clone(),
        is_offline: context.global.offline,
        is_locked: false,
        vendor: Arc::new(pool.clone()),
        vendor_identity: bundler::vendor::identity(),
        store: Arc::clone(&store),
        limits: npm::registry::Limits::default(),
        pause: Arc::new(npm::registry::SystemPause),
        entropy: Arc::clone(&entropy),
    });
    let settings = BundlerSettings::of(context, repository, tree.layout())?;
    let deno = DenoBundler::new(deno::Options {
        places: settings.places(&state, environment.clone()),
        versions: Versions::new(&state, access == Access::ReadOnly),
        state_directory: state.clone(),
        repository: repository.to_owned(),
        environment,
        is_offline: context.global.offline,
        embedded: Arc::new(pool.clone()),
        parser: Arc::new(pool.clone()),
        limit: deno::LIMIT,
    });
    let bundler = AutoBundler::new(settings.choice, Arc::new(pool.clone()), deno);
    let progress: Arc<dyn Progress> =
        if context.printer.draws_progress() { Arc::new(Bar::default()) } else { Arc::new(Silent) };
    let ports = Ports {
        tree: Arc::new(tree),
        packages: Arc::new(packages),
        bundler: Arc::new(bundler),
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
        pool,
    })
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
    let state = context.global.state_dir.clone().unwrap_or_else(|| repository.join(".mangrove"));
    if access == Access::ReadWrite {
        prepare_state(&state)?;
    }
    let layout = Layout::of_repository(repository, &YamlDocuments)
        .map_err(|fault| CommandError::fault("reading the configuration", &fault))?;
    let settings = BundlerSettings::of(context, repository, &layout)?;
    let environment = environment();
    Ok(Runtimes {
        places: settings.places(&state, environment.clone()),
        versions: Versions::new(&state, access == Access::ReadOnly),
        bundler: settings.choice,
        repository: repository.to_owned(),
        state,
        environment,
    })
}

/// What fetches programs: the same client, cache and settings as for packages, with more patience.
pub(crate) fn installer(context: &Context, runtimes: &Runtimes) -> Result<NpmPackages, CommandError> {
    let limits =
        npm::registry::Limits { operation: std::time::Duration::from_mins(15), ..npm::registry::Limits::default() };
    Ok(NpmPackages::new(npm::Options {
        state_directory: runtimes.state.clone(),
        repository: runtimes.repository.clone(),
        environment: runtimes.environment.clone(),
        is_offline: context.global.offline,
        is_locked: false,
        vendor: Arc::new(pool(1)?),
        vendor_identity: bundler::vendor::identity(),
        store: Arc::new(LocalStore::new(runtimes.state.join("bundles"))),
        limits,
        pause: Arc::new(npm::registry::SystemPause),
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
    /// The definitions and workflows of the repository.
    pub(crate) async fn library(&self) -> Result<Library, CommandError> {
        Library::load(self.files.as_ref(), self.documents.as_ref(), &library::Layout::default())
            .await
            .map_err(|error| CommandError::fault("reading the definitions", &error.fault))
    }

    /// The run history.
    pub(crate) async fn runs(&self) -> Result<Arc<dyn RunStore>, CommandError> {
        let opened = SqliteRuns::open(&self.state.join("runs.db"), mode(self.access))
            .await
            .map_err(|error| CommandError::fault(&format!("{} the run history", error.operation), &error.fault))?;
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

async fn open_catalog(context: &Context, state: &Path, access: Access) -> Result<Arc<dyn Catalog>, CommandError> {
    let opened = SqliteCatalog::open(&state.join("catalog.db"), mode(access)).await?;
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
