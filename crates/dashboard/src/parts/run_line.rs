//! One run in a list.

use mangrove_documents::{ListedRunDocument, human};

use super::{address, badge::Badge, moment::When};
use crate::frame::Frame;

/// One run in a list.
pub(crate) struct RunLine {
    pub(crate) badge: Badge,
    /// Its page.
    pub(crate) address: String,
    pub(crate) started: When,
    /// How long it took; empty if it goes on.
    pub(crate) took: String,
    pub(crate) run: ListedRunDocument,
}

impl RunLine {
    pub(crate) fn new(frame: &Frame, run: &ListedRunDocument) -> Self {
        Self {
            badge: Badge::of_status(&run.status),
            address: address::of_run(&run.run_id),
            started: frame.ago(run.started_at.0),
            took: human::elapsed(run.duration_ms),
            run: run.clone(),
        }
    }
}
