//! The history of runs.

use async_trait::async_trait;

use crate::{
    failure::Fault,
    run::{RunHeader, RunLookup, RunRecord},
};

/// Keeps run records.
///
/// Implementations MUST make a record durable before [`save`](Self::save) returns; MUST replace an earlier
/// record of the same identifier; MUST give a record that goes on (`Pending`, `Running`) as interrupted once the
/// process that saved it is gone, and never before. Contract: `testkit::contract::run_store`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Writes a record as it is now.
    async fn save(&self, record: &RunRecord) -> Result<(), RunError>;

    /// The record of this identifier, or of the only one that starts with it.
    async fn get(&self, id: &str) -> Result<RunLookup, RunError>;

    /// The headers of records, newest first. What it costs does not depend on what the runs logged.
    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunError>;
}

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of this workflow or definition.
    pub name: Option<String>,
    /// At most this many.
    pub limit: Option<u32>,
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} the run history: {fault}")]
pub struct RunError {
    /// What was being done.
    pub operation: &'static str,
    /// What came back, with the path.
    pub fault: Fault,
}
