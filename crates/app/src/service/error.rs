//! Why a service gives no answer.

use mangrove_domain::{
    failure::Fault,
    ports::{CatalogError, FilesError, ObserveError, RunStoreError},
};

use crate::scan;

/// Why a service gives no answer. A broken extension, definition or workflow never is a reason.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Sources, catalog or bundle store cannot be used.
    #[error(transparent)]
    Scan(#[from] scan::Error),
    /// The sources cannot be looked at.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The catalog cannot be used as a file.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The definitions and workflows cannot be listed.
    #[error("reading the definitions")]
    Files(#[from] FilesError),
    /// The run history cannot be used.
    #[error(transparent)]
    Runs(#[from] RunStoreError),
    /// Something else that was needed failed.
    #[error("{doing}: {fault}")]
    Failed {
        /// What was being done: `pruning the cache`.
        doing: &'static str,
        /// What came back.
        fault: Fault,
    },
    /// The service was built without the part that this needs.
    #[error("this service was built without {0}")]
    Without(&'static str),
}

impl ServiceError {
    pub(super) const fn failed(doing: &'static str) -> impl FnOnce(Fault) -> Self {
        move |fault| Self::Failed { doing, fault }
    }
}
