//! The daemon as its HTTP side sees it.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_app::scan::Report;
use mangrove_documents::{CheckDocument, ErrorReport, SchedulesDocument};

use crate::{
    daemon::Control,
    event::{ScanFailed, ScanOptions},
    http::Backend,
    schedule_documents,
    status::Phase,
};

#[async_trait]
impl Backend for Control {
    async fn scan(&self, options: ScanOptions) -> Result<Arc<Report>, ErrorReport> {
        Control::scan(self, options).await.map_err(|error| match &error {
            ScanFailed::Scan(error) => error.as_ref().into(),
            ScanFailed::Stopping => ErrorReport::new(None, error.to_string()),
        })
    }

    fn is_stopping(&self) -> bool {
        self.status().borrow().phase == Phase::Stopping
    }

    async fn readiness(&self) -> Vec<CheckDocument> {
        let status = self.status().borrow().clone();
        let check = |name: &str, ok: bool, message: String| CheckDocument { name: name.to_owned(), ok, message };
        let has_begun = status.phase != Phase::Starting;
        let first =
            if has_begun { "the first look at the sources is done" } else { "the first look at the sources goes on" };
        let look = match &status.last_look {
            Some(look) if look.has_failed => {
                let why = look.problems.first().map_or("the latest look failed", |problem| problem.message.as_str());
                check("look", false, why.to_owned())
            }
            Some(_) => check("look", true, "the latest look at the sources succeeded".to_owned()),
            None => check("look", true, "nothing was looked at yet".to_owned()),
        };
        let is_stopping = status.phase == Phase::Stopping;
        let phase = if is_stopping { "the daemon is stopping" } else { "the daemon takes work" };
        vec![
            check("first-look", has_begun, first.to_owned()),
            look,
            check("takes-work", !is_stopping, phase.to_owned()),
        ]
    }

    async fn schedules(&self) -> Option<SchedulesDocument> {
        Control::schedules(self).await.as_ref().map(schedule_documents::schedules)
    }
}
