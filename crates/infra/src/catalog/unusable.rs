//! A catalog that could not be opened, for a doctor that goes on looking at everything else.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mangrove_domain::{
    description::Description,
    digest::Digest,
    failure::Fault,
    observation::CatalogView,
    ports::{Catalog, CatalogError, Commit, CommitOutcome, Names, NumberedRecord},
    settle::AuditRecord,
    source::{Kind, SourceId},
    time::Timestamp,
    type_name::TypeName,
};

/// Answers everything with the fault that kept the catalog from being opened.
#[derive(Clone, Debug)]
pub struct Unusable {
    fault: Fault,
}

impl From<&CatalogError> for Unusable {
    fn from(error: &CatalogError) -> Self {
        Self { fault: error.fault().clone() }
    }
}

impl Unusable {
    pub(super) fn error(&self) -> CatalogError {
        CatalogError::Access { operation: "open", fault: self.fault.clone() }
    }
}

#[async_trait]
impl Catalog for Unusable {
    async fn identity(&self) -> Result<Option<String>, CatalogError> {
        Err(self.error())
    }

    async fn snapshot(&self) -> Result<CatalogView, CatalogError> {
        Err(self.error())
    }

    async fn rows(&self, _sources: &BTreeSet<SourceId>) -> Result<CatalogView, CatalogError> {
        Err(self.error())
    }

    async fn rows_named(&self, _names: &Names) -> Result<CatalogView, CatalogError> {
        Err(self.error())
    }

    async fn mark(&self) -> Option<Digest> {
        None
    }

    async fn commit(&self, _commit: Commit) -> Result<CommitOutcome, CatalogError> {
        Err(self.error())
    }

    async fn description(&self, _digest: Digest) -> Result<Option<Description>, CatalogError> {
        Err(self.error())
    }

    async fn transitions(&self, _source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError> {
        Err(self.error())
    }

    async fn history(&self, _before: Option<u64>, _limit: u32) -> Result<Vec<NumberedRecord>, CatalogError> {
        Err(self.error())
    }

    async fn departed(&self, _kind: &Kind, _type_name: &TypeName) -> Result<Vec<SourceId>, CatalogError> {
        Err(self.error())
    }

    async fn forget_history(&self, _before: Timestamp) -> Result<u64, CatalogError> {
        Err(self.error())
    }
}
