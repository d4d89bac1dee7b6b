//! The databases of a repository whose catalog is on a server.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use mangrove_domain::{
    database::{Database, DatabaseFault},
    failure::Fault,
    ports::{CatalogError, Databases, StagedCatalog},
    problem::{Code, Problem},
};

use super::PostgresCatalog;
use crate::databases::SqliteDatabases;

/// The catalog on a server, and the run history in the state directory. The server's own tools copy and replace a catalog.
pub struct PostgresDatabases {
    catalog: Arc<PostgresCatalog>,
    files: SqliteDatabases,
}

impl PostgresDatabases {
    /// The catalog, and `files` for everything else.
    #[must_use]
    pub const fn new(catalog: Arc<PostgresCatalog>, files: SqliteDatabases) -> Self {
        Self { catalog, files }
    }

    fn on_server(&self, operation: &'static str) -> CatalogError {
        let message = format!("the catalog is in the database {}", self.catalog.address());
        CatalogError::Access {
            operation,
            fault: Fault::environment(Code::CATALOG_ON_SERVER, "catalog:server", message),
        }
    }
}

#[async_trait]
impl Databases for PostgresDatabases {
    async fn check(&self) -> Vec<DatabaseFault> {
        let catalog = self.catalog.check().await.err();
        let catalog = catalog.map(|error| DatabaseFault {
            database: Database::Catalog,
            fault: error.fault().clone(),
            opens: false,
        });
        catalog.into_iter().chain(self.files.check_runs().await).collect()
    }

    async fn has_catalog(&self) -> bool {
        self.catalog.check().await.unwrap_or(true)
    }

    async fn back_up_catalog(&self, _target: &Path) -> Result<(), CatalogError> {
        Err(self.on_server("copy"))
    }

    async fn stage_catalog(&self) -> Result<Box<dyn StagedCatalog>, CatalogError> {
        Err(self.on_server("replace"))
    }

    fn take_notices(&self) -> Vec<Problem> {
        self.files.take_notices()
    }
}
