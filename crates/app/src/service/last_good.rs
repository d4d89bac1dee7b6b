//! Workflows that run by themselves, as they were when their files were last in order.

use std::{collections::BTreeMap, sync::Arc};

use mangrove_domain::{failure::Fault, ports::LastGoodWorkflow, workflow::Workflow};

use super::{base::Service, error::ServiceError};
use crate::workflow::{LibrarySchedules, LibraryWebhooks, library::Library};

/// What an earlier process kept of workflows whose files cannot be used now.
#[derive(Debug, Default)]
pub struct LastGood {
    /// Their schedules.
    pub schedules: LibrarySchedules,
    /// Their routes.
    pub webhooks: LibraryWebhooks,
    /// Their texts, by their files.
    pub texts: BTreeMap<String, LastGoodWorkflow>,
}

impl Service {
    /// What is kept of workflows of which `now` says that nothing is known of their schedules, because their files cannot be
    /// used.
    ///
    /// # Errors
    /// This service has no calendar.
    pub async fn last_good(&self, now: &LibrarySchedules) -> Result<LastGood, ServiceError> {
        let Some(store) = &self.options.last_good else { return Ok(LastGood::default()) };
        let mut kept = store.load().await;
        kept.retain(|known| now.fault_of(&known.file, known.origin).is_some());
        if kept.is_empty() {
            return Ok(LastGood::default());
        }
        let library = Library::of_workflows(self.repository.documents.as_ref(), &kept);
        Ok(LastGood {
            schedules: self.schedules(&library)?,
            webhooks: LibraryWebhooks::of(&library),
            texts: kept.into_iter().map(|known| (known.file.clone(), known)).collect(),
        })
    }

    /// Keeps these for the next process, instead of those before.
    ///
    /// # Errors
    /// They cannot be written.
    pub async fn keep_last_good(&self, workflows: &[LastGoodWorkflow]) -> Result<(), Fault> {
        match &self.options.last_good {
            Some(store) => store.save(workflows).await,
            None => Ok(()),
        }
    }
}

/// The texts of all workflows that start by themselves, by their files.
#[must_use]
pub fn triggered_texts(
    library: &Library,
    schedules: &LibrarySchedules,
    webhooks: &LibraryWebhooks,
) -> BTreeMap<String, LastGoodWorkflow> {
    let by_time = schedules.scheduled.iter().map(|known| &known.workflow);
    let all = by_time.chain(webhooks.iter().map(|(_, workflow)| workflow));
    let last_good = |workflow: &Arc<Workflow>| {
        let (file, origin) = (workflow.file.clone(), workflow.origin);
        let text = library.text(&file)?.clone();
        Some((file.clone(), LastGoodWorkflow { file, origin, text }))
    };
    all.filter_map(last_good).collect()
}
