//! Talking to a registry: requests, time limits, quick retries, and the class of whatever goes wrong.
//!
//! A retry wraps the whole operation: the request, its body, and what the caller does to make sure of it
//! (parsing, digest, unpacking), because an answer can break at any of these (fault 41).

use std::{
    error::Error as _,
    future::Future,
    sync::{Arc, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::Entropy,
    problem::Code,
};
use mangrove_fs::faults::{Operation, io_fault};
use reqwest::{StatusCode, Url, header};
use tokio::sync::{OnceCell, Semaphore};

use super::settings::{self, Settings};

/// How long and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To reach the registry.
    pub connect: Duration,
    /// For one whole operation, its retries included.
    pub operation: Duration,
    /// Tries of one operation, at least 1. Only an answer that says "later", a broken body and garbage are
    /// tried again at once; a registry that cannot be reached is left to the timers of the rows.
    pub attempts: u32,
    /// Before the second try; doubles from there, with jitter.
    pub first_pause: Duration,
    /// Operations at the same time.
    pub concurrency: usize,
    /// Bytes of one answer.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            operation: Duration::from_mins(1),
            attempts: 3,
            first_pause: Duration::from_millis(200),
            concurrency: 16,
            body_bytes: 256 << 20,
        }
    }
}

/// Waits. Tests wait without time passing.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Returns after this long.
    async fn pause(&self, duration: Duration);
}

/// Waits by the clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemPause;

#[async_trait]
impl Pause for SystemPause {
    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A conversation with a registry failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch {subject} from {origin}")]
pub struct Error {
    /// The package it is about: `zod` for metadata, `zod@4.3.6` for an archive.
    pub package: String,
    /// What was wanted: `the metadata of zod`, `zod@4.3.6`.
    pub subject: String,
    /// `host:port`
    pub origin: String,
    /// What went wrong.
    #[source]
    pub reason: Reason,
    /// What the first of several quick tries said, if it was something else (fault 43).
    pub first: Option<String>,
}

/// What went wrong with a registry.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// No connection: refused, no route, no such host, closed before an answer.
    #[error("it cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The certificate is not trusted or the two ends do not agree on encryption.
    #[error("no trusted connection")]
    Untrusted(#[source] reqwest::Error),
    /// Not done within the limit.
    #[error("no complete answer within {0:?}")]
    TimedOut(Duration),
    /// The connection ended within the answer.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
    /// An answer other than success.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// An answer that makes no sense.
    #[error("its answer is malformed")]
    Garbage(#[source] super::packument::Error),
    /// An answer without end.
    #[error("it answered more than {0} bytes")]
    TooLarge(u64),
    /// The bytes are not those that were promised.
    #[error("its digest is {found}, but {promised} was expected")]
    Mismatch {
        /// The integrity of the lock or the metadata.
        promised: String,
        /// The integrity of what came.
        found: String,
    },
    /// The archive is as promised and cannot be used.
    #[error("its archive cannot be used")]
    Archive(#[source] super::archive::UnpackError),
    /// The registry names a place that is no address.
    #[error("the registry names {0:?}, which is not a URL")]
    Address(String),
    /// The credential for the registry is a variable that is not set.
    #[error("no credential")]
    Credential(#[source] settings::Unset),
    /// The HTTP client cannot be set up.
    #[error("no HTTP client")]
    Client(#[source] reqwest::Error),
}

impl Reason {
    /// True if another try at once may well succeed.
    fn is_passing(&self) -> bool {
        match self {
            Self::Broken(_) | Self::Garbage(_) => true,
            Self::Status(status) => is_later(*status),
            Self::Unreachable(_)
            | Self::Untrusted(_)
            | Self::TimedOut(_)
            | Self::TooLarge(_)
            | Self::Mismatch { .. }
            | Self::Archive(_)
            | Self::Address(_)
            | Self::Credential(_)
            | Self::Client(_) => false,
        }
    }
}

/// 408, 425, 429 and 5xx: the registry's way to say "later".
fn is_later(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        use FailureClass::{Environment, Transient};
        let (class, code, hint) = match &error.reason {
            Reason::Unreachable(_) | Reason::TimedOut(_) | Reason::Broken(_) => {
                (Transient, Code::REGISTRY_UNREACHABLE, "")
            }
            Reason::Untrusted(_) => (Environment, Code::REGISTRY_UNREACHABLE, ""),
            Reason::Garbage(_) => (Transient, Code::REGISTRY_FAILED, ""),
            Reason::Status(status) if is_later(*status) => (Transient, Code::REGISTRY_FAILED, ""),
            Reason::Status(StatusCode::NOT_FOUND | StatusCode::GONE) => {
                (Environment, Code::PACKAGE_NOT_FOUND, "; check the name, or the registry configured for it")
            }
            Reason::Status(
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            ) => (Environment, Code::REGISTRY_REFUSED, "; check the token in .npmrc"),
            Reason::Credential(_) => (Environment, Code::REGISTRY_REFUSED, "; set it, or remove the line"),
            Reason::Status(_) | Reason::Address(_) | Reason::Client(_) => (Environment, Code::REGISTRY_FAILED, ""),
            Reason::Mismatch { .. } => (Transient, Code::INTEGRITY_MISMATCH, ""),
            Reason::TooLarge(_) | Reason::Archive(_) => (Environment, Code::PACKAGE_MALFORMED, ""),
        };
        if let Reason::Archive(super::archive::UnpackError::Write { path, source, .. }) = &error.reason {
            return io_fault(Operation::Write, path, source);
        }
        let cause = match code {
            Code::PACKAGE_NOT_FOUND | Code::PACKAGE_MALFORMED | Code::INTEGRITY_MISMATCH => {
                format!("package:{}", error.package)
            }
            _ => format!("registry:{}", error.origin),
        };
        let first = error.first.as_ref().map(|first| format!(" (first: {first})")).unwrap_or_default();
        Fault::new(class, code, cause, format!("{}{hint}{first}", super::chain(&error)))
    }
}

/// What a conditional request for metadata brought.
#[derive(Debug)]
pub enum Answer {
    /// What we have is current.
    Unchanged,
    /// New bytes with their entity tag.
    Fresh {
        /// The body.
        body: Vec<u8>,
        /// Its `ETag`, if it has one.
        tag: Option<String>,
    },
}

/// A client of registries.
pub struct Client {
    http: OnceCell<reqwest::Client>,
    proxies: Proxies,
    limits: Limits,
    pause: Arc<dyn Pause>,
    entropy: Arc<dyn Entropy>,
    permits: Semaphore,
    listener: OnceLock<Listener>,
}

/// Hears how many bytes of how many have come.
type Listener = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// The proxy variables of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    none_for: Option<String>,
}

impl Proxies {
    /// From `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, or their lower-case forms, which win.
    #[must_use]
    pub fn of(environment: &std::collections::BTreeMap<String, String>) -> Self {
        let get = |name: &str| {
            let found = environment.get(&name.to_ascii_lowercase()).or_else(|| environment.get(name));
            found.filter(|value| !value.is_empty()).cloned()
        };
        let all = get("ALL_PROXY");
        Self {
            http: get("HTTP_PROXY").or_else(|| all.clone()),
            https: get("HTTPS_PROXY").or(all),
            none_for: get("NO_PROXY"),
        }
    }
}

impl Client {
    /// A client; nothing is opened or read before the first request.
    #[must_use]
    pub fn new(proxies: Proxies, limits: Limits, pause: Arc<dyn Pause>, entropy: Arc<dyn Entropy>) -> Self {
        let permits = Semaphore::new(limits.concurrency.max(1));
        Self { http: OnceCell::new(), proxies, limits, pause, entropy, permits, listener: OnceLock::new() }
    }

    /// Tells how far the bodies of archives have come; only the first listener is heard.
    pub fn on_bytes(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }

    /// Asks for a package's metadata. `check` looks at the body; what it refuses is tried again.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn metadata<T: Send>(
        &self,
        settings: &Settings,
        name: &str,
        known_tag: Option<&str>,
        check: impl Fn(Answer) -> Result<T, Reason> + Send + Sync,
    ) -> Result<T, Error> {
        let registry = settings.registry(name);
        let subject = format!("the metadata of {name}");
        let address = registry.join(&name.replace('/', "%2f")).map_err(|_| Error {
            package: name.to_owned(),
            subject: subject.clone(),
            origin: origin(registry),
            reason: Reason::Address(name.to_owned()),
            first: None,
        })?;
        let attempt = || async {
            let accept = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
            let mut request = self.request(settings, &address).await?.header(header::ACCEPT, accept);
            if let Some(tag) = known_tag {
                request = request.header(header::IF_NONE_MATCH, tag);
            }
            let response = send(request).await?;
            if response.status() == StatusCode::NOT_MODIFIED && known_tag.is_some() {
                return check(Answer::Unchanged);
            }
            let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
            check(Answer::Fresh { body: self.body(response).await?, tag })
        };
        self.operation(name, subject, &address, attempt).await
    }

    /// Fetches an archive. `check` makes sure of the bytes.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn archive<F>(
        &self,
        settings: &Settings,
        package: &str,
        address: &Url,
        check: impl Fn(Vec<u8>) -> F + Send + Sync,
    ) -> Result<Vec<u8>, Error>
    where
        F: Future<Output = Result<Vec<u8>, Reason>> + Send,
    {
        let attempt = || async {
            let response = send(self.request(settings, address).await?).await?;
            check(self.body_heard(response, self.listener.get()).await?).await
        };
        self.operation(package, package.to_owned(), address, attempt).await
    }

    async fn operation<T, F>(
        &self,
        package: &str,
        subject: String,
        address: &Url,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Reason>> + Send,
    {
        let _permit = self.permits.acquire().await;
        let limit = self.limits.operation;
        let first = std::sync::Mutex::new(None);
        let tries = async {
            let mut tried = 1;
            loop {
                match attempt().await {
                    Err(reason) if reason.is_passing() && tried < self.limits.attempts => {
                        tracing::debug!(subject, tried, error = super::chain(&reason), "trying a registry again");
                        first
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .get_or_insert_with(|| super::chain(&reason));
                        let doubled = self.limits.first_pause.saturating_mul(1 << (tried - 1).min(16));
                        self.pause.pause(doubled.mul_f64(0.5 + self.entropy.fraction())).await;
                        tried += 1;
                    }
                    outcome => return outcome,
                }
            }
        };
        let outcome = tokio::time::timeout(limit, tries).await;
        outcome.unwrap_or(Err(Reason::TimedOut(limit))).map_err(|reason| {
            let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
            let first = first.filter(|text| *text != super::chain(&reason));
            Error { package: package.to_owned(), subject, origin: origin(address), reason, first }
        })
    }

    async fn request(&self, settings: &Settings, address: &Url) -> Result<reqwest::RequestBuilder, Reason> {
        let http = self.http.get_or_try_init(|| async { self.build() }).await.map_err(Reason::Client)?;
        let request = http.get(address.clone());
        Ok(match settings.credential(address).map_err(Reason::Credential)? {
            Some(credential) => request.header(header::AUTHORIZATION, credential.header()),
            None => request,
        })
    }

    fn build(&self) -> Result<reqwest::Client, reqwest::Error> {
        // A provider of cryptography that the program has chosen already stays in force.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("mangrove/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.limits.connect)
            .redirect(reqwest::redirect::Policy::limited(5))
            .no_proxy();
        let none_for = || self.proxies.none_for.as_deref().and_then(reqwest::NoProxy::from_string);
        if let Some(proxy) = &self.proxies.http {
            builder = builder.proxy(reqwest::Proxy::http(proxy)?.no_proxy(none_for()));
        }
        if let Some(proxy) = &self.proxies.https {
            builder = builder.proxy(reqwest::Proxy::https(proxy)?.no_proxy(none_for()));
        }
        builder.build()
    }

    async fn body(&self, response: reqwest::Response) -> Result<Vec<u8>, Reason> {
        self.body_heard(response, None).await
    }

    async fn body_heard(
        &self,
        mut response: reqwest::Response,
        listener: Option<&Listener>,
    ) -> Result<Vec<u8>, Reason> {
        let total = response.content_length();
        if !response.status().is_success() {
            return Err(Reason::Status(response.status()));
        }
        let limit = self.limits.body_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Reason::Broken(error.without_url()))? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(Reason::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
            if let Some(listener) = listener {
                listener(body.len() as u64, total);
            }
        }
        Ok(body)
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<reqwest::Response, Reason> {
    request.send().await.map_err(|error| {
        let error = error.without_url();
        if is_about_trust(&error) { Reason::Untrusted(error) } else { Reason::Unreachable(error) }
    })
}

/// True if encryption failed: a typed error of the TLS layer is somewhere among the causes.
fn is_about_trust(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if cause.is::<rustls::Error>() {
            return true;
        }
        // What an I/O error wraps is not its source: its source is the source of that. The client wraps twice.
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    false
}

/// `host:port`, as cause keys and messages name a registry.
#[must_use]
pub fn origin(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    address.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
