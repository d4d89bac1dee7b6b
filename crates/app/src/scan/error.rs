//! Why a scan could not be carried out.

use mangrove_domain::{
    failure::Fault,
    ports::{CatalogError, ObserveError, StoreError},
};

/// A scan that could not be carried out. A broken extension never is a reason.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository could not be looked at.
    #[error("scan: looking at the sources")]
    Observe(#[source] ObserveError),
    /// The catalog could not be read or written.
    #[error("scan: {doing} the catalog")]
    Catalog {
        /// What was being done.
        doing: &'static str,
        /// What came back.
        #[source]
        source: CatalogError,
    },
    /// The bundle store could not be read or written.
    #[error("scan: {doing} the bundle store")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What came back.
        #[source]
        source: StoreError,
    },
}

impl Error {
    /// What came back.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        match self {
            Self::Observe(source) => source.fault(),
            Self::Catalog { source, .. } => source.fault(),
            Self::Store { source, .. } => source.fault(),
        }
    }

    /// True if the catalog cannot be had just now: other processes hold it, or its server does not answer.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(self, Self::Catalog { source: CatalogError::Busy { .. } | CatalogError::Unreachable { .. }, .. })
    }

    /// The catalog could not be read.
    #[must_use]
    pub const fn reading_catalog(source: CatalogError) -> Self {
        Self::Catalog { doing: "reading", source }
    }

    pub(crate) const fn writing_catalog(source: CatalogError) -> Self {
        Self::Catalog { doing: "writing", source }
    }

    pub(crate) const fn reading_store(source: StoreError) -> Self {
        Self::Store { doing: "reading", source }
    }

    pub(super) const fn writing_store(source: StoreError) -> Self {
        Self::Store { doing: "writing", source }
    }

    pub(crate) const fn verifying_store(source: StoreError) -> Self {
        Self::Store { doing: "verifying", source }
    }
}
