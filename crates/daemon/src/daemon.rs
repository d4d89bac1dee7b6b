//! A daemon from its start to its end: Options → Service → Handle.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use mangrove_app::service::Service;
use mangrove_domain::{
    ports::{ServiceManager, Watcher},
    problem::{Code, Problem},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    debounce,
    event::{Event, Request, ScanAnswer, ScanFailed, ScanOptions},
    http::{self, Access, ApiParts, ApiState, Hosts},
    options::Options,
    owner::{Owner, Parts},
    schedule::SchedulerView,
    status::Status,
};

/// How often it looks whether other processes have committed something.
const BETWEEN_LOOKS_AT_COMMITS: Duration = Duration::from_secs(1);
/// How many events may wait for the owner.
const WAITING_EVENTS: usize = 256;

/// A daemon that is about to start.
pub struct Daemon {
    service: Service,
    watcher: Arc<dyn Watcher>,
    manager: Arc<dyn ServiceManager>,
    options: Options,
    http_options: HttpOptions,
}

/// How a daemon answers over HTTP.
pub struct HttpOptions {
    /// Who may ask.
    pub access: Access,
    /// Under which names it may be asked, besides its addresses and `localhost`.
    pub hosts: Hosts,
    /// The page of a problem code.
    pub pages: fn(Code) -> Option<&'static str>,
}

impl Default for HttpOptions {
    /// Everybody who reaches the address may do everything; no further names, no pages.
    fn default() -> Self {
        Self { access: Access::Open, hosts: Hosts::default(), pages: |_| None }
    }
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
    ) -> Self {
        Self { service, watcher, manager, options, http_options: HttpOptions::default() }
    }

    /// The same daemon, which answers over HTTP like this.
    #[must_use]
    pub fn with_http(self, http_options: HttpOptions) -> Self {
        Self { http_options, ..self }
    }

    /// Starts it. When this comes back, it listens and looks at the sources.
    ///
    /// # Errors
    /// [`StartError`]; nothing was started.
    pub async fn start(self) -> Result<Handle, StartError> {
        let Self { service, watcher, manager, options, http_options } = self;
        let address = options.listen;
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        let status = watch::Sender::new(Status::starting(service.clock().now()));
        let stopping = CancellationToken::new();
        let control = Control { sender: sender.clone(), status: status.subscribe() };
        let ended = CancellationToken::new();
        let HttpOptions { access, hosts, pages } = http_options;
        let api = ApiState::new(ApiParts {
            service: service.clone(),
            backend: Arc::new(control.clone()),
            access,
            hosts,
            pages,
            stopping: ended.clone(),
        });
        let router = http::router(&api, http::Further::default());
        let serving = tokio::spawn(http::serve(listener, router, http::Limits::default(), ended.clone()));
        tokio::spawn(ended.clone().run_until_cancelled_owned(tell_of_files(Arc::clone(&watcher), sender.clone())));
        tokio::spawn(ended.clone().run_until_cancelled_owned(follow_commits(service.clone())));
        let parts = Parts {
            service,
            watcher,
            manager,
            options,
            sender: sender.clone(),
            receiver,
            status,
            stopping: stopping.clone(),
        };
        let task = tokio::spawn(async move {
            Owner::new(parts).run().await;
            ended.cancel();
            if let Err(error) = serving.await {
                tracing::error!(%error, "the HTTP side ended by a fault in Mangrove itself");
            }
        });
        Ok(Handle { control, api, address, task })
    }
}

/// Passes changes of files on to the owner.
async fn tell_of_files(watcher: Arc<dyn Watcher>, sender: mpsc::Sender<Event>) {
    loop {
        let changes = debounce::burst(watcher.as_ref()).await;
        if sender.send(Event::Files(changes)).await.is_err() {
            return;
        }
    }
}

/// Publishes what other processes commit.
async fn follow_commits(service: Service) {
    loop {
        tokio::time::sleep(BETWEEN_LOOKS_AT_COMMITS).await;
        if let Err(error) = service.publish_foreign_commits().await {
            tracing::warn!(%error, "it cannot be seen what other processes have committed");
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

/// What can be asked of a running daemon; cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    sender: mpsc::Sender<Event>,
    status: watch::Receiver<Status>,
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

impl Control {
    /// How the daemon is, now and later.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Scans everything and waits for the end of it.
    ///
    /// # Errors
    /// [`ScanFailed`].
    pub async fn scan(&self, options: ScanOptions) -> ScanAnswer {
        let (sender, answer) = oneshot::channel();
        self.request(Request::Scan(options, sender)).await;
        answer.await.unwrap_or(Err(ScanFailed::Stopping))
    }

    /// How its schedules are; `None` if it has ended.
    pub async fn schedules(&self) -> Option<SchedulerView> {
        let (sender, answer) = oneshot::channel();
        self.request(Request::Schedules(sender)).await;
        answer.await.ok()
    }

    /// Reads the configuration again. Gives what is wrong with it; then the old one stays in force.
    pub async fn reload(&self) -> Vec<Problem> {
        let (sender, answer) = oneshot::channel();
        self.request(Request::Reload(sender)).await;
        answer.await.unwrap_or_default()
    }

    /// Asks it to end: it takes nothing new, and what runs may go on for the grace. Asked a second time, it ends now.
    pub async fn stop(&self) {
        self.request(Request::Stop).await;
    }

    async fn request(&self, request: Request) {
        // It may have ended.
        let _ = self.sender.send(Event::Request(request)).await;
    }
}
