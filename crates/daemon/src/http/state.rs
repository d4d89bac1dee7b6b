//! What all handlers share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use mangrove_app::service::Service;
use mangrove_domain::problem::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    access::Access, answers::Answers, backend::Backend, error::ApiError, event_log::EventLog, hosts::Hosts,
    idempotency::StartedRuns,
};
use crate::{metrics::Metrics, webhook::Webhooks};

/// How many requests may look at the disk at once: those that explain sources or types that nobody knows.
const PARALLEL_LOOKS: usize = 4;

/// How many streams of events may be open at once.
const OPEN_STREAMS: usize = 128;

/// What the HTTP side is built from.
pub struct ApiParts {
    /// Everything that can be asked of the repository.
    pub service: Service,
    /// The rest of the daemon.
    pub backend: Arc<dyn Backend>,
    /// Who may ask.
    pub access: Access,
    /// Under which names the daemon may be asked.
    pub hosts: Hosts,
    /// The page of a problem code.
    pub pages: fn(Code) -> Option<&'static str>,
    /// What requests from outside start.
    pub webhooks: Arc<Webhooks>,
    /// Counts and measures.
    pub metrics: Arc<Metrics>,
    /// Ends every stream when it is cancelled.
    pub stopping: CancellationToken,
}

/// What all handlers share; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    shared: Arc<Shared>,
}

struct Shared {
    parts: ApiParts,
    access: ArcSwap<Access>,
    answers: Answers,
    events: Arc<EventLog>,
    started: Arc<StartedRuns>,
    looks: Semaphore,
    streams: Arc<Semaphore>,
}

impl ApiState {
    /// The state of a daemon that begins now. The stream of events begins with what happens after this; it needs a
    /// runtime of tokio.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        let events = Arc::new(EventLog::new(parts.service.clock().now()));
        events.follow(&parts.service, &parts.stopping);
        let (metrics, runs) = (Arc::clone(&parts.metrics), parts.service.run_events());
        let counting = async move { metrics.runs.follow(runs).await };
        tokio::spawn(parts.stopping.clone().run_until_cancelled_owned(counting));
        let shared = Shared {
            access: ArcSwap::from_pointee(parts.access.clone()),
            answers: Answers::default(),
            events,
            started: Arc::default(),
            looks: Semaphore::new(PARALLEL_LOOKS),
            streams: Arc::new(Semaphore::new(OPEN_STREAMS)),
            parts,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Replaces who may ask, from the next request on.
    pub fn replace_access(&self, access: Access) {
        self.shared.access.store(Arc::new(access));
    }

    /// Everything that has happened lately; whoever makes something happen adds it.
    #[must_use]
    pub fn events(&self) -> &Arc<EventLog> {
        &self.shared.events
    }

    /// Everything that can be asked of the repository.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.shared.parts.service
    }

    /// The rest of the daemon.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.shared.parts.backend)
    }

    pub(super) fn access(&self) -> Arc<Access> {
        self.shared.access.load_full()
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.shared.parts.hosts
    }

    /// The page of a problem code, as Markdown.
    #[must_use]
    pub fn page(&self, code: Code) -> Option<&'static str> {
        (self.shared.parts.pages)(code)
    }

    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.shared.parts.stopping
    }

    pub(super) fn webhooks(&self) -> &Arc<Webhooks> {
        &self.shared.parts.webhooks
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.shared.parts.metrics
    }

    pub(super) fn answers(&self) -> &Answers {
        &self.shared.answers
    }

    pub(super) fn started(&self) -> &Arc<StartedRuns> {
        &self.shared.started
    }

    /// Nothing new is begun by a daemon that stops.
    ///
    /// # Errors
    /// 503: it stops.
    pub fn takes_work(&self) -> Result<(), ApiError> {
        if self.shared.parts.backend.is_stopping() { Err(ApiError::busy("the daemon is stopping")) } else { Ok(()) }
    }

    /// Waits for its turn to look at the disk.
    pub async fn look<T>(&self, looking: impl Future<Output = T>) -> T {
        // The semaphore is never closed.
        let _turn = self.shared.looks.acquire().await;
        looking.await
    }

    /// How many streams are open.
    pub(super) fn open_streams(&self) -> usize {
        OPEN_STREAMS.saturating_sub(self.shared.streams.available_permits())
    }

    /// The right to keep a stream open.
    pub(super) fn stream(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let permit = Arc::clone(&self.shared.streams).try_acquire_owned();
        permit
            .map_err(|_| ApiError::busy(format!("{OPEN_STREAMS} streams of events are open, and there may be no more")))
    }
}
