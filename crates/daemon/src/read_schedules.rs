//! Reading what starts workflows by itself in a repository: schedules and webhooks.

use std::collections::{BTreeMap, HashMap};

use mangrove_app::{
    service::{LastGood, Service, ServiceError, triggered_texts},
    workflow::{LibrarySchedules, LibraryWebhooks},
};
use mangrove_domain::{ports::LastGoodWorkflow, time::Timestamp};

/// What is read of the definitions and workflows of a repository.
#[derive(Debug)]
pub(crate) struct ReadSchedules {
    pub(crate) library: LibrarySchedules,
    pub(crate) webhooks: LibraryWebhooks,
    /// The instants that were fired last, by workflow.
    pub(crate) last: HashMap<String, Timestamp>,
    /// The texts of the workflows that start by themselves, by their files.
    pub(crate) texts: BTreeMap<String, LastGoodWorkflow>,
    /// What an earlier process kept of workflows whose files cannot be used; only where it was asked for.
    pub(crate) last_good: Option<LastGood>,
}

/// Reads them; what takes time.
pub(crate) async fn read(service: Service, wants_last_good: bool) -> Result<ReadSchedules, ServiceError> {
    let read = service.library().await?;
    let webhooks = LibraryWebhooks::of(&read);
    let library = service.schedules(&read)?;
    let texts = triggered_texts(&read, &library, &webhooks);
    let last_good = if wants_last_good { Some(service.last_good(&library).await?) } else { None };
    let leases = service.leases()?;
    let last = match leases.latest().await {
        Ok(latest) => latest.into_iter().collect(),
        Err(error) => {
            tracing::warn!(%error, "it is not known which schedules were due while no daemon ran");
            HashMap::new()
        }
    };
    Ok(ReadSchedules { library, webhooks, last, texts, last_good })
}
