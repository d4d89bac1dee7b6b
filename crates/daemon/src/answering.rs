//! What the HTTP side asks of the rest of the daemon, answered by its owner.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_app::scan::Report;
use mangrove_documents::{CheckDocument, ErrorReport, SchedulesDocument};

use crate::{
    control::Control,
    event::{ScanFailed, ScanOptions},
    http::Backend,
    schedule_documents,
    status::{Phase, Status},
    webhook::Webhooks,
};

/// The owner of a daemon, as the HTTP side sees it.
pub(crate) struct Answering {
    pub(crate) control: Control,
    pub(crate) webhooks: Arc<Webhooks>,
}

#[async_trait]
impl Backend for Answering {
    async fn scan(&self, options: ScanOptions) -> Result<Arc<Report>, ErrorReport> {
        self.control.scan(options).await.map_err(|failed| match &failed {
            ScanFailed::Scan(error) => ErrorReport::from(error.as_ref()),
            ScanFailed::BrokenOff(_) => ErrorReport::new(None, failed.to_string()).advise("scan again"),
            ScanFailed::Stopping => {
                ErrorReport::new(None, "the daemon is stopping").advise("ask the one that follows it")
            }
        })
    }

    fn is_stopping(&self) -> bool {
        self.status().phase == Phase::Stopping
    }

    fn status(&self) -> Status {
        self.control.status.borrow().clone()
    }

    async fn schedules(&self) -> Option<SchedulesDocument> {
        let view = self.control.schedules().await?;
        Some(schedule_documents::schedules(&view, &self.webhooks))
    }

    async fn readiness(&self) -> Vec<CheckDocument> {
        let status = self.status();
        let check =
            |name: &str, ok, message: &str| CheckDocument { name: name.to_owned(), ok, message: message.to_owned() };
        let phase = match status.phase {
            Phase::Starting => check("first-scan", false, "the first scan is not done yet"),
            Phase::Ready => check("first-scan", true, "the first scan is done"),
            Phase::Stopping => check("first-scan", false, "the daemon is stopping"),
        };
        let work = match &status.failing {
            Some(failing) => check("catalog", false, failing),
            None => check("catalog", true, "the sources can be looked at and the catalog can be written"),
        };
        vec![phase, work]
    }
}
