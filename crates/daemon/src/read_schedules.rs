//! Reading what starts workflows by itself in a repository: schedules and webhooks.

use std::collections::HashMap;

use mangrove_app::{
    service::{Service, ServiceError},
    workflow::{LibrarySchedules, LibraryWebhooks},
};
use mangrove_domain::time::Timestamp;

/// What is read of the definitions and workflows of a repository.
#[derive(Debug)]
pub(crate) struct ReadSchedules {
    pub(crate) library: LibrarySchedules,
    pub(crate) webhooks: LibraryWebhooks,
    /// The instants that were fired last, by workflow.
    pub(crate) last: HashMap<String, Timestamp>,
}

/// Reads them; what takes time.
pub(crate) async fn read(service: Service) -> Result<ReadSchedules, ServiceError> {
    let library = service.library().await?;
    let webhooks = LibraryWebhooks::of(&library);
    let library = service.schedules(&library)?;
    let leases = service.leases()?;
    let last = match leases.latest().await {
        Ok(latest) => latest.into_iter().collect(),
        Err(error) => {
            tracing::warn!(%error, "it is not known which schedules were due while no daemon ran");
            HashMap::new()
        }
    };
    Ok(ReadSchedules { library, webhooks, last })
}
