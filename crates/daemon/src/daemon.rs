//! A daemon from its start to its end: Options → Service → Handle.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use mangrove_app::service::Service;
use mangrove_domain::{
    ports::{ServiceManager, Watcher},
    problem::Code,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    answering::Answering,
    checkouts,
    control::Control,
    debounce,
    event::Event,
    http::{self, Access, ApiParts, ApiState, Further, Hosts},
    log::Said,
    metrics::Metrics,
    options::Options,
    owner::{Owner, Parts},
    status::Status,
    status_line,
    webhook::{Secrets, Webhooks},
};

/// How often it looks whether other processes have committed something.
const BETWEEN_LOOKS_AT_COMMITS: Duration = Duration::from_secs(1);
/// How many events may wait for the owner.
pub(crate) const WAITING_EVENTS: usize = 256;

/// A daemon that is about to start.
pub struct Daemon {
    service: Service,
    watcher: Arc<dyn Watcher>,
    manager: Arc<dyn ServiceManager>,
    options: Options,
    answers: Answers,
}

/// Whom a daemon answers, and how.
pub struct Answers {
    /// Who may ask.
    pub access: Access,
    /// Under which names it may be asked.
    pub hosts: Hosts,
    /// The page of a problem code, as Markdown.
    pub pages: fn(Code) -> Option<&'static str>,
    /// Finds the secrets of webhooks.
    pub secrets: Arc<dyn Secrets>,
    /// What it answers beside the API.
    pub further: Further,
}

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What came back.
        source: io::Error,
    },
}

impl Daemon {
    /// A daemon for this service.
    #[must_use]
    pub fn new(
        service: Service,
        watcher: Arc<dyn Watcher>,
        manager: Arc<dyn ServiceManager>,
        options: Options,
        answers: Answers,
    ) -> Self {
        Self { service, watcher, manager, options, answers }
    }

    /// Starts it. When this comes back, it listens and looks at the sources.
    ///
    /// # Errors
    /// [`StartError`]; nothing was started.
    pub async fn start(self) -> Result<Handle, StartError> {
        let Self { service, watcher, manager, options, answers } = self;
        let metrics = Arc::new(Metrics::default());
        let service = service.with_progress(Arc::clone(&metrics) as _);
        let address = options.listen;
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        service.scanner().doubt_removals();
        service.scanner().expect_more_looks();
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        let status = watch::Sender::new(Status::starting(service.clock().now()));
        let control = Control { sender: sender.clone(), status: status.subscribe() };
        // It answers until the end, so that what runs can be followed and cancelled; what is new it refuses by itself.
        let ended = CancellationToken::new();
        let Answers { access, hosts, pages, secrets, further } = answers;
        let webhooks = Arc::new(Webhooks::new(secrets, options.parallel_runs));
        let api = ApiState::new(ApiParts {
            service: service.clone(),
            backend: Arc::new(Answering { control: control.clone(), webhooks: Arc::clone(&webhooks) }),
            access,
            hosts,
            pages,
            webhooks: Arc::clone(&webhooks),
            metrics: Arc::clone(&metrics),
            stopping: ended.clone(),
        });
        let router = http::router(&api, further);
        let answering = tokio::spawn(http::serve(listener, router, http::Limits::default(), ended.clone()));
        tokio::spawn(ended.clone().run_until_cancelled_owned(tell_of_files(Arc::clone(&watcher), sender.clone())));
        tokio::spawn(ended.clone().run_until_cancelled_owned(follow_commits(service.clone())));
        let comparing = checkouts::compare(service.clone(), status.clone());
        tokio::spawn(ended.clone().run_until_cancelled_owned(comparing));
        let line = status_line::keep(service.clone(), Arc::clone(&manager), status.subscribe());
        tokio::spawn(ended.clone().run_until_cancelled_owned(line));
        let parts = Parts {
            service,
            watcher,
            manager,
            options,
            sender,
            receiver,
            status,
            webhooks,
            starts_runs: true,
            metrics,
            events: Arc::clone(api.events()),
            stopping: CancellationToken::new(),
        };
        let task = tokio::spawn(async move {
            Owner::new(parts).run().await;
            ended.cancel();
            if let Err(error) = answering.await {
                tracing::error!(%error, "answering over HTTP ended by a fault in Mangrove itself");
            }
        });
        Ok(Handle { control, api, address, task })
    }
}

/// Passes changes of files on to the owner.
pub(crate) async fn tell_of_files(watcher: Arc<dyn Watcher>, sender: mpsc::Sender<Event>) {
    loop {
        let changes = debounce::burst(watcher.as_ref()).await;
        if sender.send(Event::Files(changes)).await.is_err() {
            return;
        }
    }
}

/// Publishes what other processes commit.
pub(crate) async fn follow_commits(service: Service) {
    let mut said = Said::default();
    loop {
        // What is told may be lost: it looks now and then in any case.
        tokio::select! {
            () = tokio::time::sleep(BETWEEN_LOOKS_AT_COMMITS) => {}
            () = service.commits_of_others() => {}
        }
        match service.publish_foreign_commits().await {
            Ok(_) => said.forget(),
            Err(error) if said.is_new(&error) => {
                tracing::warn!(%error, "it cannot be seen what other processes have committed");
            }
            Err(_) => {}
        }
    }
}

/// A hold on a running daemon. It goes on when this is dropped.
pub struct Handle {
    control: Control,
    api: ApiState,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What can be asked of it.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Its HTTP side: to replace who may ask, and to add events.
    #[must_use]
    pub const fn api(&self) -> &ApiState {
        &self.api
    }

    /// Waits for its end.
    pub async fn ended(&mut self) {
        // A panic of the owner ends the daemon as well.
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the daemon ended by a fault in Mangrove itself");
        }
    }
}
