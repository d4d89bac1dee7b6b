//! A run history that is opened when it is first asked for something.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures::future::BoxFuture;
use mangrove_domain::{
    ports::{
        CancellationRequest, ClaimAnswer, GivenUp, LeaseError, RunFilter, RunStore, RunStoreError, ScheduleClaim,
        ScheduleLeases, ScheduledInstant,
    },
    run::{RunHeader, RunLookup, RunRecord},
    time::Timestamp,
};
use tokio::sync::RwLock;

use super::SqliteRuns;

/// Opens the history.
type Open = dyn Fn() -> BoxFuture<'static, Result<SqliteRuns, RunStoreError>> + Send + Sync;

/// Most of what is done with a repository needs no history. A failure to open is the answer to what was asked, and is
/// tried again with the next question. A history that another process has replaced or removed is opened again.
pub struct DeferredRuns {
    open: Box<Open>,
    opened: RwLock<Option<Arc<SqliteRuns>>>,
}

impl fmt::Debug for DeferredRuns {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("DeferredRuns").finish_non_exhaustive()
    }
}

impl DeferredRuns {
    /// The history that `open` opens.
    pub fn new(
        open: impl Fn() -> BoxFuture<'static, Result<SqliteRuns, RunStoreError>> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Box::new(open), opened: RwLock::default() }
    }

    async fn opened(&self) -> Result<Arc<SqliteRuns>, RunStoreError> {
        if let Some(opened) = self.opened.read().await.as_ref().filter(|opened| opened.is_in_place()) {
            return Ok(Arc::clone(opened));
        }
        let mut slot = self.opened.write().await;
        // Somebody else may have opened it meanwhile.
        if let Some(opened) = slot.as_ref().filter(|opened| opened.is_in_place()) {
            return Ok(Arc::clone(opened));
        }
        // The one that was open, with the locks of runs that go on, stays if there is no other.
        let opened = Arc::new((self.open)().await?);
        if slot.replace(Arc::clone(&opened)).is_some() {
            tracing::warn!("another process has replaced or removed the history of runs; a new one begins");
        }
        Ok(opened)
    }

    async fn leases(&self) -> Result<Arc<SqliteRuns>, LeaseError> {
        self.opened().await.map_err(|RunStoreError { operation, fault }| LeaseError { operation, fault })
    }
}

#[async_trait]
impl RunStore for DeferredRuns {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.opened().await?.save(record).await
    }

    async fn save_under_way(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.opened().await?.save_under_way(record).await
    }

    async fn settle(&self) -> Result<(), RunStoreError> {
        self.opened().await?.settle().await
    }

    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.opened().await?.save_ended(record).await
    }

    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunStoreError> {
        self.opened().await?.replace(before, record).await
    }

    async fn get(&self, id: &str) -> Result<RunLookup, RunStoreError> {
        self.opened().await?.get(id).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunStoreError> {
        self.opened().await?.list(filter).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        self.opened().await?.forget(before).await
    }

    async fn forget_lines(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        self.opened().await?.forget_lines(before).await
    }

    async fn request_cancellation(&self, request: &CancellationRequest) -> Result<bool, RunStoreError> {
        self.opened().await?.request_cancellation(request).await
    }

    async fn requested_cancellations(&self) -> Result<Vec<CancellationRequest>, RunStoreError> {
        self.opened().await?.requested_cancellations().await
    }
}

#[async_trait]
impl ScheduleLeases for DeferredRuns {
    async fn claim(&self, claim: &ScheduleClaim) -> Result<ClaimAnswer, LeaseError> {
        self.leases().await?.claim(claim).await
    }

    async fn abandoned(&self, since: Timestamp) -> Result<Vec<ScheduledInstant>, LeaseError> {
        self.leases().await?.abandoned(since).await
    }

    async fn taken(&self, instants: &[ScheduledInstant]) -> Result<Vec<ScheduledInstant>, LeaseError> {
        self.leases().await?.taken(instants).await
    }

    async fn give_up(&self, claim: &ScheduleClaim, given_up: GivenUp) -> Result<(), LeaseError> {
        self.leases().await?.give_up(claim, given_up).await
    }

    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError> {
        self.leases().await?.latest().await
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, LeaseError> {
        self.leases().await?.sweep(before).await
    }
}
