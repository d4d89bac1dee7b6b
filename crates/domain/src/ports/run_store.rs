//! The history of runs.

use async_trait::async_trait;

use crate::{
    failure::Fault,
    run::{RunHeader, RunLookup, RunRecord},
    time::Timestamp,
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

    /// Writes the record of a run that goes on. Everybody sees it when this comes back, and a process that is killed then takes
    /// nothing of it with it. A power failure may, before [`settle`](Self::settle) or a later [`save`](Self::save) of any run
    /// comes back.
    async fn save_under_way(&self, record: &RunRecord) -> Result<(), RunError> {
        self.save(record).await
    }

    /// Makes durable what [`save_under_way`](Self::save_under_way) has written so far.
    async fn settle(&self) -> Result<(), RunError> {
        Ok(())
    }

    /// Writes a record that has ended, to which its process still has something to add, such as reports. Nobody
    /// [replaces](Self::replace) it before this process has saved it once more, or is gone.
    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunError>;

    /// Writes a record in place of another one of the same run, if that one is still what [`get`](Self::get) gives and no process
    /// has the run; else writes nothing and gives false. Of several that do so at once, one writes. Where the new one goes on,
    /// this process has the run.
    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunError>;

    /// The record of this identifier, or of the only one that starts with it.
    async fn get(&self, id: &str) -> Result<RunLookup, RunError>;

    /// The headers of records, newest first. What it costs does not depend on what the runs logged.
    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunError>;

    /// False if several machines share the history, and the others could not be asked when it was read last: what
    /// [`list`](Self::list) gave then is what this machine knows.
    fn sees_all(&self) -> bool {
        true
    }

    /// Removes the records of runs that ended before this time; gives how many. One that goes on is never removed.
    async fn forget(&self, before: Timestamp) -> Result<u64, RunError>;

    /// Takes what steps logged out of the records of runs that ended before this time; gives out of how many.
    async fn forget_lines(&self, before: Timestamp) -> Result<u64, RunError>;

    /// Asks the process that has the run of this identifier to end it. False if nobody has it: it has ended, was interrupted, or
    /// there is none.
    async fn request_cancellation(&self, request: &CancellationRequest) -> Result<bool, RunError> {
        let _ = request;
        Ok(false)
    }

    /// What others asked for of the runs that this process has and that have not ended. A request stays until its run has ended.
    async fn requested_cancellations(&self) -> Result<Vec<CancellationRequest>, RunError> {
        Ok(Vec::new())
    }
}

/// A run that somebody wants ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CancellationRequest {
    /// The identifier of the run.
    pub run: String,
    /// Why, one sentence without a full stop; the record of the run has it.
    pub reason: Option<String>,
}

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of this workflow or definition.
    pub name: Option<String>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Only those that come after this one in the list, whether it is still there or not.
    pub before: Option<RunPlace>,
}

/// The place of a run in a list: runs that began later come first, and of those that began at one moment the one with
/// the later identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunPlace {
    /// When it began.
    pub started_at: Timestamp,
    /// Its identifier.
    pub id: String,
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
