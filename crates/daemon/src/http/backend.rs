//! What the HTTP side asks of the rest of the daemon.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_app::scan::Report;
use mangrove_documents::{CheckDocument, ErrorReport, SchedulesDocument};
use mangrove_domain::time::Timestamp;

use crate::{event::ScanOptions, queue_load::QueueLoad};

/// The rest of the daemon, as the HTTP side sees it.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Scans everything and waits for the end of it. It goes on if whoever asked goes away.
    ///
    /// # Errors
    /// Why it was not made or not ended.
    async fn scan(&self, options: ScanOptions) -> Result<Arc<Report>, ErrorReport>;

    /// True if it takes nothing new any more.
    fn is_stopping(&self) -> bool;

    /// How its schedules are; `None` if it has ended.
    async fn schedules(&self) -> Option<SchedulesDocument>;

    /// What it is about, in figures.
    fn figures(&self) -> Figures;

    /// What the daemon needs for its work, and whether it has it. Extensions that fail are none of it.
    async fn readiness(&self) -> Vec<CheckDocument>;
}

/// What a daemon is about, in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// When it was started.
    pub started_at: Timestamp,
    /// How many sources are being built or inspected.
    pub in_progress: usize,
    /// How many directories are not watched for changes, although they should be.
    pub unwatched: usize,
    /// The runs of schedules.
    pub scheduled: QueueLoad,
}
