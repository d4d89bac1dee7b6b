//! What the HTTP side asks of the rest of the daemon.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_app::scan::Report;
use mangrove_documents::{CheckDocument, ErrorReport, SchedulesDocument};

use crate::{event::ScanOptions, status::Status};

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

    /// How the daemon is now.
    fn status(&self) -> Status;

    /// How its schedules are; `None` if it has ended.
    async fn schedules(&self) -> Option<SchedulesDocument>;

    /// What the daemon needs for its work, and whether it has it. Extensions that fail are none of it.
    async fn readiness(&self) -> Vec<CheckDocument>;
}
