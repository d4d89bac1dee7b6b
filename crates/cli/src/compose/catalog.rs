//! Where the catalog is: in a file of the state directory, or on a server that several machines share.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use mangrove_app::service::Settings;
use mangrove_domain::{
    failure::Fault,
    ports::{
        AttemptCache, BuildLeases, Catalog, CatalogError, Checkouts, Databases, ObserveError, RunStore, RunStoreError,
        ScheduleLeases,
    },
    problem::{Code, Problem},
};
use mangrove_infra::{
    catalog::{OpenMode, SqliteCatalog},
    databases::SqliteDatabases,
    documents::YamlDocuments,
    postgres::{Address, PostgresCatalog, PostgresDatabases, PostgresRuns},
    shared_runs::SharedRuns,
    state_directory,
};
use mangrove_sources::Layout;

use super::{error::ComposeError, mode};

/// The variable that wins over `catalog` in the marker.
const VARIABLE: &str = "MANGROVE_CATALOG";

/// The catalog behind its ports.
pub(super) struct CatalogParts {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) attempts: Arc<dyn AttemptCache>,
    pub(super) databases: Arc<dyn Databases>,
    /// The history of runs.
    pub(super) runs: Arc<dyn RunStore>,
    /// The claims of schedules.
    pub(super) leases: Arc<dyn ScheduleLeases>,
    /// Who builds what, where there are other nodes.
    pub(super) builds: Option<Arc<dyn BuildLeases>>,
    /// What other nodes run from, where there are others.
    pub(super) checkouts: Option<Arc<dyn Checkouts>>,
}

impl CatalogParts {
    /// The one that environment and marker name; otherwise that of the state directory.
    pub(super) fn of(settings: &Settings, layout: &Layout, files: &SqliteDatabases) -> Result<Self, ComposeError> {
        let Some((address, _)) = address(layout, &settings.environment)? else {
            let (catalog, runs) = (files.catalog(), Arc::new(files.runs()));
            return Ok(Self {
                catalog: Arc::clone(&catalog) as _,
                attempts: catalog,
                databases: Arc::new(files.clone()),
                runs: Arc::clone(&runs) as _,
                leases: runs,
                builds: None,
                checkouts: None,
            });
        };
        let mode = mode(settings.access);
        let runs = PostgresRuns::new(address.clone(), mode);
        let builds = Some(Arc::new(runs.clone()) as _);
        let runs = Arc::new(SharedRuns::new(Arc::new(files.runs()), runs));
        let catalog = PostgresCatalog::new(address, mode).keeping_descriptions_in(settings.state_directory.clone());
        let catalog = Arc::new(catalog);
        Ok(Self {
            catalog: Arc::clone(&catalog) as _,
            attempts: Arc::clone(&catalog) as _,
            databases: Arc::new(PostgresDatabases::new(catalog, files.clone())),
            runs: Arc::clone(&runs) as _,
            leases: Arc::clone(&runs) as _,
            builds,
            checkouts: Some(runs),
        })
    }
}

/// The address of the server, and which setting says so; `None` if the catalog is a file.
fn address(layout: &Layout, environment: &BTreeMap<String, String>) -> Result<Option<(Address, String)>, ComposeError> {
    let from_environment =
        environment.get(VARIABLE).filter(|text| !text.is_empty()).map(|text| (text, VARIABLE.to_owned(), None));
    let from_marker = || {
        let setting = layout.catalog.as_ref()?;
        let source = setting.position.file_and_line();
        Some((&setting.text, source, Some(setting.position.clone())))
    };
    let Some((text, source, position)) = from_environment.or_else(from_marker) else { return Ok(None) };
    match Address::parse(text) {
        Ok(address) => Ok(Some((address, source))),
        Err(error) => {
            // The text is not repeated: it may hold a password.
            let message = format!("`catalog` ({source}): {error}");
            let problem = Problem::error(Code::INVALID_DOCUMENT, source, message).at_if(position);
            Err(ComposeError::Configuration(problem.advise("remove the setting to keep the catalog in a file")))
        }
    }
}

fn layout(repository: &Path) -> Result<Layout, ComposeError> {
    let layout = Layout::of_repository(repository, &YamlDocuments);
    layout.map_err(|fault| ComposeError::Observe(ObserveError::Repository { fault }))
}

/// Where the catalog is, without a password, and which setting says so.
pub(crate) fn catalog_shown(
    repository: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<(String, String), ComposeError> {
    Ok(match address(&layout(repository)?, environment)? {
        Some((address, source)) => (address.to_string(), source),
        None => ("a file in the state directory".to_owned(), "default".to_owned()),
    })
}

/// Why tables could not be made.
pub(crate) enum MigrateError {
    /// The setting, or the state directory.
    Compose(ComposeError),
    /// The catalog.
    Catalog(CatalogError),
    /// A role of a catalog that is a file.
    NoRoles,
}

impl From<ComposeError> for MigrateError {
    fn from(error: ComposeError) -> Self {
        MigrateError::Compose(error)
    }
}

impl From<CatalogError> for MigrateError {
    fn from(error: CatalogError) -> Self {
        MigrateError::Catalog(error)
    }
}

/// Makes the tables of the catalog, or brings them up to date, and lets a role use them. Gives where they are.
pub(crate) async fn migrate_catalog(settings: &Settings, role: Option<&str>) -> Result<String, MigrateError> {
    let Settings { repository, state_directory: state, environment, .. } = settings;
    if let Some((address, _)) = address(&layout(repository)?, environment)? {
        let runs = PostgresRuns::new(address.clone(), OpenMode::ReadWrite);
        let catalog = PostgresCatalog::new(address, OpenMode::ReadWrite);
        catalog.migrate(role).await?;
        runs.migrate(role)
            .await
            .map_err(|RunStoreError { operation, fault }| CatalogError::Access { operation, fault })?;
        return Ok(catalog.address().to_string());
    }
    if role.is_some() {
        return Err(MigrateError::NoRoles);
    }
    state_directory::prepare(repository, state).map_err(ComposeError::State)?;
    let path = state.join(mangrove_domain::database::Database::Catalog.file_name());
    let opened = SqliteCatalog::open(&path, OpenMode::ReadWrite).await?;
    opened.catalog.close().await;
    match opened.set_aside {
        None => Ok(path.display().to_string()),
        Some(aside) => {
            let message = format!("{} was damaged; it was moved to {}", path.display(), aside.display());
            let fault = Fault::environment(Code::CATALOG_CORRUPT, "catalog:corrupt", message);
            Err(CatalogError::Access { operation: "prepare", fault }.into())
        }
    }
}
