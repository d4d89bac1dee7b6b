//! Talking to a registry: requests, time limits, quick retries, and the class of whatever goes wrong.
//!
//! A retry wraps the whole operation: the request, its body, and what the caller does to make sure of it
//! (parsing, digest, unpacking), because an answer can break at any of these (fault 41).

mod error;
mod patience;
mod proxies;

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::CauseKey,
    outage::{Outage, Outages},
    ports::Entropy,
};
use reqwest::{StatusCode, Url, header};
use tokio::{
    sync::{MutexGuard, OnceCell, Semaphore},
    time::Instant,
};
use tracing::Instrument as _;

pub(crate) use self::error::Hints;
use self::error::is_about_trust;
pub use self::{
    error::{Error, Reason},
    proxies::Proxies,
};
use super::{
    address::shown,
    settings::{Credential, Settings},
};

/// How long and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To reach the registry.
    pub connect: Duration,
    /// How long a registry may send nothing, before its answer or within it, until the conversation is over.
    pub silence: Duration,
    /// For one whole operation, its retries included.
    pub operation: Duration,
    /// Tries of one operation, at least 1. Only an answer that says "later", a broken body and garbage are
    /// tried again at once; a registry that cannot be reached is left to the timers of the rows.
    pub attempts: u32,
    /// Before the second try; doubles from there, with jitter.
    pub first_pause: Duration,
    /// Operations with one registry at the same time.
    pub concurrency: usize,
    /// Bytes of one answer.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(10),
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

/// What is wanted from a registry that is none of npm.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What it is about: `@acme/dns@2026.05.23.1`.
    pub package: &'a str,
    /// As a noun: `the archive of @acme/dns@2026.05.23.1`.
    pub subject: String,
    /// Where it is.
    pub address: &'a Url,
    /// What identifies us there. It is not told to those whom the registry sends us to.
    pub credential: Option<&'a Credential>,
}

/// A client of registries.
pub struct Client {
    http: OnceCell<reqwest::Client>,
    proxies: Proxies,
    limits: Limits,
    pause: Arc<dyn Pause>,
    entropy: Arc<dyn Entropy>,
    registries: Mutex<HashMap<String, Arc<Registry>>>,
    listener: OnceLock<Listener>,
}

/// What conversations with one registry share.
struct Registry {
    /// So many at once: a registry that is slow holds up nobody who asks another one.
    permits: Semaphore,
    /// Held by the one that finds out whether an outage lasts, while the others wait.
    probing: tokio::sync::Mutex<()>,
}

impl Registry {
    /// Waits for its turn to ask. `Some` for the one that finds out whether an outage lasts, to be kept until it
    /// knows.
    ///
    /// # Errors
    /// What the first failure said, if the outage is certain.
    async fn probe(&self, cause: &CauseKey, outages: &Outages) -> Result<Option<MutexGuard<'_, ()>>, Arc<str>> {
        if outages.of(cause).is_none() {
            return Ok(None);
        }
        let probe = self.probing.lock().await;
        match outages.of(cause) {
            None => Ok(None),
            Some(Outage::Suspected(_)) => Ok(Some(probe)),
            Some(Outage::Certain(first)) => Err(first),
        }
    }
}

/// Hears how many bytes of how many have come.
type Listener = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

impl Client {
    /// A client; nothing is opened or read before the first request.
    #[must_use]
    pub fn new(proxies: Proxies, limits: Limits, pause: Arc<dyn Pause>, entropy: Arc<dyn Entropy>) -> Self {
        let registries = Mutex::default();
        Self { http: OnceCell::new(), proxies, limits, pause, entropy, registries, listener: OnceLock::new() }
    }

    /// Tells how far the bodies of archives have come; only the first listener is heard.
    pub fn on_bytes(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }

    /// Asks this registry for a package's metadata. `check` looks at the body; what it refuses is tried again.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn metadata<T: Send>(
        &self,
        settings: &Settings,
        registry: &Url,
        name: &str,
        known_tag: Option<&str>,
        outages: &Outages,
        check: impl Fn(Answer) -> Result<T, Reason> + Send + Sync,
    ) -> Result<T, Error> {
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
            let response = self.ask(settings, &address, |request| {
                let request = request.header(header::ACCEPT, accept);
                match known_tag {
                    Some(tag) => request.header(header::IF_NONE_MATCH, tag),
                    None => request,
                }
            });
            let response = response.await?;
            if response.status() == StatusCode::NOT_MODIFIED && known_tag.is_some() {
                return check(Answer::Unchanged);
            }
            let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
            check(Answer::Fresh { body: self.body(response).await?, tag })
        };
        self.operation(name, subject, &address, outages, attempt).await
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
        outages: &Outages,
        check: impl Fn(Vec<u8>) -> F + Send + Sync,
    ) -> Result<Vec<u8>, Error>
    where
        F: Future<Output = Result<Vec<u8>, Reason>> + Send,
    {
        let attempt = || async {
            let response = self.ask(settings, address, |request| request).await?;
            check(self.body_heard(response, self.listener.get()).await?).await
        };
        self.operation(package, package.to_owned(), address, outages, attempt).await
    }

    /// Fetches a document or an archive from a registry of another kind. `check` makes sure of the bytes; what it refuses may
    /// be tried again.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn fetch<T: Send>(
        &self,
        wanted: &Wanted<'_>,
        outages: &Outages,
        check: impl Fn(Vec<u8>) -> Result<T, Reason> + Send + Sync,
    ) -> Result<T, Error> {
        let Wanted { package, subject, address, credential } = wanted;
        let attempt = || async {
            let response = self.send(self.request_as(*credential, address).await?).await?;
            check(self.body_heard(response, self.listener.get()).await?)
        };
        self.operation(package, subject.clone(), address, outages, attempt).await
    }

    /// Asks a host for this address, and waits for the beginning of its answer, whatever it answers: whether somebody
    /// else who fetches from there would wait for nothing.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn reach(&self, settings: &Settings, address: &Url, outages: &Outages) -> Result<(), Error> {
        let subject = shown(address.as_str());
        // Whatever it answers will do.
        let credential = settings.credential(address).ok().flatten();
        let attempt = || async { self.send(self.request_as(credential, address).await?).await.map(drop) };
        self.operation(&subject, subject.clone(), address, outages, attempt).await
    }

    /// One operation with one registry, unless the registry is known not to answer.
    async fn operation<T, F>(
        &self,
        package: &str,
        subject: String,
        address: &Url,
        outages: &Outages,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Reason>> + Send,
    {
        let origin = origin(address);
        let cause = CauseKey(format!("registry:{origin}").into());
        let registry = self.registry(&origin);
        let _permit = registry.permits.acquire().await;
        let failed = |reason, first| Error {
            package: package.to_owned(),
            subject: subject.clone(),
            origin: origin.clone(),
            reason,
            first,
        };
        let probe = match registry.probe(&cause, outages).await {
            Ok(probe) => probe,
            Err(first) => return Err(failed(Reason::Outage(first), None)),
        };
        let span = tracing::info_span!("fetch", registry = %origin, subject);
        let (outcome, first) = self.tries(&subject, attempt).instrument(span).await;
        match &outcome {
            Err(reason) if reason.is_outage() => {
                let message = format!("{subject}: {}", super::chain(reason));
                if probe.is_some() { outages.confirm(&cause, &message) } else { outages.suspect(&cause, &message) }
            }
            Err(reason) if !reason.is_answer() => {}
            Ok(_) | Err(_) => outages.end(&cause),
        }
        outcome.map_err(|reason| {
            let first = first.filter(|text| *text != super::chain(&reason));
            failed(reason, first)
        })
    }

    /// Tries until it succeeds, is hopeless or has taken too long; with what the first failure said.
    async fn tries<T, F>(
        &self,
        subject: &str,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> (Result<T, Reason>, Option<String>)
    where
        F: Future<Output = Result<T, Reason>> + Send,
    {
        let limit = self.limits.operation;
        let end = Instant::now() + limit;
        let first = OnceLock::new();
        let tries = async {
            let mut tried = 1;
            loop {
                let reason = match attempt().await {
                    Err(reason) if reason.is_passing() && tried < self.limits.attempts => reason,
                    outcome => return outcome,
                };
                let pause = self.pause_after(&reason, tried);
                // A registry that asks for more patience than is left is left alone until somebody tries again.
                if reason.says_when() && Instant::now() + pause >= end {
                    return Err(reason);
                }
                tracing::debug!(subject, tried, error = super::chain(&reason), "trying a registry again");
                first.get_or_init(|| super::chain(&reason));
                self.pause.pause(pause).await;
                tried += 1;
            }
        };
        let outcome = tokio::time::timeout(limit, tries).await.unwrap_or(Err(Reason::TimedOut(limit)));
        (outcome, first.into_inner())
    }

    /// How long to wait before another try: as long as the registry asks for, at least.
    fn pause_after(&self, reason: &Reason, tried: u32) -> Duration {
        let doubled = self.limits.first_pause.saturating_mul(1 << (tried - 1).min(16));
        let pause = doubled.mul_f64(0.5 + self.entropy.fraction());
        match reason {
            Reason::Status { after: Some(after), .. } => pause.max(*after),
            _ => pause,
        }
    }

    fn registry(&self, origin: &str) -> Arc<Registry> {
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Registry {
            permits: Semaphore::new(self.limits.concurrency.max(1)),
            probing: tokio::sync::Mutex::default(),
        };
        Arc::clone(registries.entry(origin.to_owned()).or_insert_with(|| Arc::new(made())))
    }

    /// Asks with the credential of the address. One whose variable is not set matters only if the registry wants to know
    /// who asks: what is public needs none.
    async fn ask(
        &self,
        settings: &Settings,
        address: &Url,
        shaped: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder + Send,
    ) -> Result<reqwest::Response, Reason> {
        let (credential, unset) = match settings.credential(address) {
            Ok(credential) => (credential, None),
            Err(unset) => (None, Some(unset)),
        };
        let request = self.request_as(credential, address).await?;
        let response = self.send(shaped(request)).await?;
        let is_refused =
            matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
        match unset {
            Some(unset) if is_refused => Err(Reason::Credential(unset)),
            Some(_) | None => Ok(response),
        }
    }

    async fn request_as(
        &self,
        credential: Option<&Credential>,
        address: &Url,
    ) -> Result<reqwest::RequestBuilder, Reason> {
        let http = self.http.get_or_try_init(|| async { self.build() }).await?;
        let request = http.get(address.clone());
        Ok(match credential {
            Some(credential) => request.header(header::AUTHORIZATION, credential.header()),
            None => request,
        })
    }

    fn build(&self) -> Result<reqwest::Client, Reason> {
        use_cryptography();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("mangrove/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.limits.connect)
            .read_timeout(self.limits.silence)
            .redirect(reqwest::redirect::Policy::limited(5));
        let builder = self.proxies.apply(builder).map_err(Reason::Proxy)?;
        builder.build().map_err(|error| Reason::Client(error.without_url()))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Reason> {
        request.send().await.map_err(|error| {
            let error = error.without_url();
            if is_about_trust(&error) {
                Reason::Untrusted(error)
            } else if error.is_timeout() && !error.is_connect() {
                Reason::Silent(self.limits.silence)
            } else {
                Reason::Unreachable(error)
            }
        })
    }

    fn broken(&self, error: reqwest::Error) -> Reason {
        if error.is_timeout() { Reason::Silent(self.limits.silence) } else { Reason::Broken(error.without_url()) }
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
            let after = patience::asked(response.headers());
            return Err(Reason::Status { status: response.status(), after });
        }
        let limit = self.limits.body_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
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

/// `host:port`, as cause keys and messages name a registry.
#[must_use]
pub fn origin(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    address.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Gives TLS its cryptography. A provider that the program has chosen already stays in force.
pub fn use_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
