//! The databases in the state directory: opened when they are needed, and looked after as files.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    database::{Database, DatabaseFault},
    failure::Fault,
    ports::{AttemptCache, Catalog, CatalogError, Databases, RunStoreError, StagedCatalog},
    problem::{Code, Problem},
};

use crate::{
    catalog::{DeferredCatalog, OpenMode, OpenedCatalog, SqliteCatalog, StagingDirectory, Unusable},
    runs::{DeferredRuns, SqliteRuns},
    state_directory,
    store::{OwnedStore, Ownership},
};

/// The databases of one state directory. Cheap to clone.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone)]
pub struct SqliteDatabases {
    inner: Arc<Inner>,
    catalog: Arc<DeferredCatalog>,
}

struct Inner {
    repository: PathBuf,
    state_directory: PathBuf,
    mode: OpenMode,
    /// A catalog that cannot be opened is no error before it is asked for something.
    defers_errors: bool,
    store: Arc<dyn OwnedStore>,
    notices: Mutex<Vec<Problem>>,
}

impl SqliteDatabases {
    /// The databases in the state directory of this repository, and the bundle store that belongs to its catalog. With
    /// `defers_errors`, a catalog that cannot be opened answers every question with the reason. A state directory that is removed
    /// meanwhile is made again, but not that of a repository that is not there any more.
    #[must_use]
    pub fn new(
        repository: PathBuf,
        state_directory: PathBuf,
        mode: OpenMode,
        defers_errors: bool,
        store: impl Into<Arc<dyn OwnedStore>>,
    ) -> Self {
        let (store, notices) = (store.into(), Mutex::default());
        let inner = Arc::new(Inner { repository, state_directory, mode, defers_errors, store, notices });
        let opener = Arc::clone(&inner);
        let catalog = DeferredCatalog::new(inner.path(Database::Catalog), mode, move || {
            let inner = Arc::clone(&opener);
            Box::pin(async move { inner.open_catalog().await })
        });
        Self { inner, catalog: Arc::new(catalog) }
    }

    /// The catalog, opened when it is first asked for something.
    #[must_use]
    pub fn catalog(&self) -> Arc<DeferredCatalog> {
        Arc::clone(&self.catalog)
    }

    /// The run history, opened when it is first asked for something.
    #[must_use]
    pub fn runs(&self) -> DeferredRuns {
        let inner = Arc::clone(&self.inner);
        DeferredRuns::new(move || {
            let inner = Arc::clone(&inner);
            Box::pin(async move { inner.open_runs().await })
        })
    }
}

impl SqliteDatabases {
    /// Reads the history of runs as a whole and says why it cannot be used, if so.
    pub(crate) async fn check_runs(&self) -> Option<DatabaseFault> {
        let fault = |fault, opens| Some(DatabaseFault { database: Database::Runs, fault, opens });
        match SqliteRuns::open(&self.inner.path(Database::Runs), OpenMode::ReadOnly).await {
            Ok(opened) => {
                let checked = opened.runs.check().await;
                opened.runs.close().await;
                checked.err().and_then(|error| fault(error.fault, true))
            }
            Err(error) => fault(error.fault, false),
        }
    }
}

impl Inner {
    fn path(&self, database: Database) -> PathBuf {
        self.state_directory.join(database.file_name())
    }

    /// Makes the state directory if it is not there any more.
    fn prepare(&self) -> Result<(), Fault> {
        let (repository, state) = (&self.repository, &self.state_directory);
        if self.mode == OpenMode::ReadOnly || state.is_dir() {
            return Ok(());
        }
        if state.starts_with(repository) && !repository.is_dir() {
            let message = format!("the repository {} is not there any more", repository.display());
            return Err(Fault::environment(Code::ROOT_UNREACHABLE, "repository:gone", message));
        }
        state_directory::prepare(repository, state).map_err(|error| {
            Fault::environment(Code::NOT_WRITABLE, "state-directory", error.to_string()).caused_by(error)
        })
    }

    async fn open_catalog(&self) -> Result<OpenedCatalog, CatalogError> {
        self.prepare().map_err(|fault| CatalogError::Access { operation: "open", fault })?;
        let opened = match SqliteCatalog::open(&self.path(Database::Catalog), self.mode).await {
            Err(error) if self.defers_errors => return Ok(OpenedCatalog::Unusable(Unusable::from(&error))),
            opened => opened?,
        };
        if let Some(path) = &opened.set_aside {
            let message =
                format!("was damaged; it was moved to {}, and a new one is built from the sources", path.display());
            self.add_notice(Database::Catalog, message);
            self.hand_store_over(opened.catalog.identity().await?.as_deref()).await?;
        }
        Ok(OpenedCatalog::Usable(opened.catalog))
    }

    async fn open_runs(&self) -> Result<SqliteRuns, RunStoreError> {
        self.prepare().map_err(|fault| RunStoreError { operation: "open", fault })?;
        let opened = SqliteRuns::open(&self.path(Database::Runs), self.mode).await?;
        if let Some(path) = &opened.set_aside {
            let message = format!("was damaged; it was moved to {}, and a new one begins here", path.display());
            self.add_notice(Database::Runs, message);
        }
        Ok(opened.runs)
    }

    /// Makes a store that an earlier catalog left the store of this one.
    async fn hand_store_over(&self, identity: Option<&str>) -> Result<(), CatalogError> {
        let Some(identity) = identity else { return Ok(()) };
        let handed_over = match self.store.ownership(identity).await {
            Ok(Ownership::Foreign(_)) => self.store.claim(identity).await,
            Ok(Ownership::Ours | Ownership::Unclaimed) => Ok(()),
            Err(error) => Err(error),
        };
        handed_over.map_err(|error| CatalogError::Access { operation: "replace", fault: error.fault().clone() })
    }

    fn add_notice(&self, database: Database, message: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Problem::warning(
            Code::CATALOG_CORRUPT,
            database.file_name(),
            message,
        ));
    }
}

#[async_trait]
impl Databases for SqliteDatabases {
    async fn check(&self) -> Vec<DatabaseFault> {
        let mut faults = Vec::new();
        let mut add = |database, opens, fault| faults.push(DatabaseFault { database, fault, opens });
        match SqliteCatalog::open(&self.inner.path(Database::Catalog), OpenMode::ReadOnly).await {
            Ok(opened) => {
                if let Err(error) = opened.catalog.check().await {
                    add(Database::Catalog, true, error.fault().clone());
                }
                opened.catalog.close().await;
            }
            Err(error) => add(Database::Catalog, false, error.fault().clone()),
        }
        faults.extend(self.check_runs().await);
        faults
    }

    async fn has_catalog(&self) -> bool {
        tokio::fs::symlink_metadata(self.inner.path(Database::Catalog)).await.is_ok()
    }

    async fn back_up_catalog(&self, target: &Path) -> Result<(), CatalogError> {
        let opened = SqliteCatalog::open(&self.inner.path(Database::Catalog), OpenMode::ReadOnly).await?;
        let copied = opened.catalog.back_up(target).await;
        opened.catalog.close().await;
        copied
    }

    async fn stage_catalog(&self) -> Result<Box<dyn StagedCatalog>, CatalogError> {
        self.inner.store.expect_claim();
        let path = self.inner.path(Database::Catalog);
        let directory = StagingDirectory::new(&path).await?;
        let opened = SqliteCatalog::open(&directory.catalog(), OpenMode::ReadWrite).await?;
        let catalog = Arc::new(opened.catalog);
        Ok(Box::new(SqliteStagedCatalog { catalog, directory, databases: self.clone() }))
    }

    fn take_notices(&self) -> Vec<Problem> {
        std::mem::take(&mut self.inner.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A catalog in a directory of its own.
struct SqliteStagedCatalog {
    catalog: Arc<SqliteCatalog>,
    directory: StagingDirectory,
    databases: SqliteDatabases,
}

#[async_trait]
impl StagedCatalog for SqliteStagedCatalog {
    fn catalog(&self) -> Arc<dyn Catalog> {
        Arc::clone(&self.catalog) as _
    }

    fn attempt_cache(&self) -> Arc<dyn AttemptCache> {
        Arc::clone(&self.catalog) as _
    }

    async fn put_in_place(self: Box<Self>) -> Result<Option<PathBuf>, CatalogError> {
        let Self { catalog, directory, databases } = *self;
        catalog.close().await;
        let SqliteDatabases { inner, catalog } = &databases;
        let path = inner.path(Database::Catalog);
        let set_aside = catalog.while_closed(SqliteCatalog::replace(&path, &directory.catalog())).await?;
        inner.hand_store_over(catalog.identity().await?.as_deref()).await?;
        Ok(set_aside)
    }
}
