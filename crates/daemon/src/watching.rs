//! Keeping the catalog up to date and nothing else: `scan --watch`. It is the daemon without HTTP, schedules and runs.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mangrove_app::service::Service;
use mangrove_domain::{
    ports::{NoServiceManager, Watcher},
    workflow::webhook::SecretSource,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    control::Control,
    daemon::{WAITING_EVENTS, follow_commits, tell_of_files},
    http::EventLog,
    options::Options,
    owner::{Owner, Parts},
    status::Status,
    webhook::{Secrets, Webhooks},
};

/// Later than anybody watches.
const NEVER: Duration = Duration::from_hours(10 * 365 * 24);

/// A catalog that is kept up to date. It goes on when this is dropped.
pub struct Watching {
    control: Control,
    task: JoinHandle<()>,
}

impl Watching {
    /// Begins with a look at everything. What becomes of sources, the service publishes.
    #[must_use]
    pub fn start(service: Service, watcher: Arc<dyn Watcher>) -> Self {
        service.scanner().doubt_removals();
        service.scanner().expect_more_looks();
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        let status = watch::Sender::new(Status::starting(service.clock().now()));
        let control = Control { sender: sender.clone(), status: status.subscribe() };
        let ended = CancellationToken::new();
        tokio::spawn(ended.clone().run_until_cancelled_owned(tell_of_files(Arc::clone(&watcher), sender.clone())));
        tokio::spawn(ended.clone().run_until_cancelled_owned(follow_commits(service.clone())));
        let events = Arc::new(EventLog::new(service.clock().now()));
        let parts = Parts {
            service,
            watcher,
            manager: Arc::new(NoServiceManager),
            options: Options { first_upkeep: NEVER, ..Options::default() },
            sender,
            receiver,
            status,
            webhooks: Arc::new(Webhooks::new(Arc::new(NoSecrets), 1)),
            starts_runs: false,
            events,
            metrics: Arc::default(),
            stopping: CancellationToken::new(),
        };
        let task = tokio::spawn(async move {
            Owner::new(parts).run().await;
            ended.cancel();
        });
        Self { control, task }
    }

    /// What can be asked of it.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) {
        // A panic of the owner ends it as well.
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "watching ended by a fault in Mangrove itself");
        }
    }
}

/// Nobody asks for any.
struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn find(&self, _source: &SecretSource) -> Result<Vec<u8>, String> {
        Err("no workflow is started while the catalog alone is kept up to date".to_owned())
    }
}
