//! The requests that code of extensions sends by `fetch` in the embedded engine. This process sends them: the one in which
//! the code runs reaches nobody. Every hop is checked against the grants. The why is in `design/running.md` and in
//! `design/decisions/0008-fetch-in-the-main-process.md`.

mod body;
mod hop;
pub(crate) mod requests;

use std::{
    collections::BTreeMap,
    error::Error as _,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mangrove_domain::permission::Grantee;
use mangrove_engine::{Redirect, WebEvent, WebHead, WebRequest};
use mangrove_fs::read::{self, FileKind, Within};
use mangrove_npm::{
    address::shown_in,
    chain,
    registry::{Proxies, use_cryptography},
};
use reqwest::{
    Certificate, Method, Response, StatusCode, Url,
    header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, HeaderMap, HeaderValue},
};
use tokio::time::Instant;

use self::{body::Body, hop::Hop};

/// How many redirects are followed, as the Fetch standard says.
const MOST_REDIRECTS: usize = 20;
/// A connection that was closed when it was used again fails within this time; later, the server was at work.
const LONGEST_DROP: Duration = Duration::from_secs(1);
/// How a connection fails that the other side has closed.
const DROPPED: [ErrorKind; 3] = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::ConnectionAborted];

/// Sends requests on behalf of code, the way that the environment names.
#[derive(Debug)]
pub struct WebClient {
    proxies: Proxies,
    certificates: Option<PathBuf>,
    /// Made when it is first needed; the reason if it cannot be.
    client: OnceLock<Result<reqwest::Client, String>>,
}

/// An answer whose body is read part by part.
pub(crate) struct Answer {
    pub(crate) head: WebHead,
    pub(crate) body: Body,
}

impl WebClient {
    /// A client for this environment: the proxy variables, and `DENO_CERT`, a file with certificates that are trusted
    /// besides those of the system. Nothing is opened or read before the first request.
    #[must_use]
    pub fn new(environment: &BTreeMap<String, String>) -> Self {
        let certificates = environment.get("DENO_CERT").filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { proxies: Proxies::of(environment), certificates, client: OnceLock::new() }
    }

    /// Sends a request and follows redirects as it says. `is_sent` becomes true before anything is sent.
    ///
    /// # Errors
    /// The event that tells code why there is no answer.
    pub(crate) async fn fetch(
        &self,
        grantee: &Grantee,
        request: WebRequest,
        is_sent: &AtomicBool,
    ) -> Result<Answer, WebEvent> {
        let redirect = request.redirect;
        let mut hop = Hop::first(request).map_err(failed)?;
        for redirects in 0.. {
            let host = hop.url.host_str().unwrap_or_default();
            let port = hop.url.port_or_known_default().unwrap_or_default();
            if hop::is_blocked(port) {
                return Err(failed(format!("Fetch failed: Requests to port {port} are blocked")));
            }
            if !grantee.may_reach(host, port) {
                return Err(WebEvent::Refused(format!("{}:{port}", host.strip_suffix('.').unwrap_or(host))));
            }
            is_sent.store(true, Ordering::Relaxed);
            let response = self.send(&hop).await?;
            if redirect == Redirect::Manual || !hop::is_redirect(response.status()) {
                return answer(&hop, response, redirects > 0);
            }
            if redirect == Redirect::Error {
                let message = "Fetch failed: Encountered redirect while redirect mode is set to 'error'";
                return Err(failed(message.to_owned()));
            }
            let Some(location) = hop::location(response.headers()) else {
                return answer(&hop, response, redirects > 0);
            };
            if redirects == MOST_REDIRECTS {
                let message = format!("Fetch failed: Maximum number of redirects ({MOST_REDIRECTS}) reached");
                return Err(failed(message));
            }
            hop = hop.next(response.status(), &location).map_err(failed)?;
        }
        Err(failed("Fetch failed".to_owned()))
    }

    async fn send(&self, hop: &Hop) -> Result<Response, WebEvent> {
        let client =
            self.client.get_or_init(|| self.make()).as_ref().map_err(|reason| failed_because(reason.clone()))?;
        let attempt = || {
            let request = client.request(hop.method.clone(), hop.url.clone()).headers(hop.headers.clone());
            match &hop.body {
                Some(body) => request.body(body.clone()),
                None => request,
            }
        };
        let began = Instant::now();
        let mut outcome = attempt().send().await;
        // A server may close a connection at the moment at which it is used again, and has then done nothing. That it did
        // nothing only the server knows: so only what changes nothing is sent once more.
        let was_at_once = began.elapsed() < LONGEST_DROP;
        if hop.method.is_safe() && was_at_once && outcome.as_ref().is_err_and(was_dropped) {
            outcome = attempt().send().await;
        }
        outcome.map_err(|error| {
            let address = address(&hop.url);
            let cause = shown_in(&chain(&error.without_url()));
            failed_because(format!("error sending request for url ({address}): {cause}"))
        })
    }

    fn make(&self) -> Result<reqwest::Client, String> {
        use_cryptography();
        let usual = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("*/*")),
            (ACCEPT_LANGUAGE, HeaderValue::from_static("*")),
        ]);
        let builder = reqwest::Client::builder()
            .user_agent(concat!("Mangrove/", env!("CARGO_PKG_VERSION")))
            .default_headers(usual)
            // What the headers of an answer say of its body is told to code as it came.
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none());
        let mut builder = self
            .proxies
            .apply(builder)
            .map_err(|proxy| format!("the proxy {proxy:?} is not a URL such as http://proxy.example:8080"))?;
        if let Some(path) = &self.certificates {
            builder = builder.tls_certs_merge(certificates(path)?);
        }
        builder.build().map_err(|error| format!("no HTTP client: {}", chain(&error.without_url())))
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let told = |cause: String| format!("DENO_CERT names {}: {cause}", path.display());
    let bytes = read::bytes(path, Within::Anywhere, FileKind::Document).map_err(|error| told(error.to_string()))?;
    Certificate::from_pem_bundle(&bytes).map_err(|error| told(chain(&error)))
}

fn answer(hop: &Hop, response: Response, redirected: bool) -> Result<Answer, WebEvent> {
    let encoding = response.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = encoding.trim().to_ascii_lowercase();
    let has_body =
        hop.method != Method::HEAD && !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let is_gzip = match encoding.as_str() {
        "gzip" | "x-gzip" => true,
        "" | "identity" => false,
        _ if !has_body => false,
        other => return Err(WebEvent::Lacking(format!("fetch of an answer that is compressed with {other}"))),
    };
    let text = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let mut url = hop.url.clone();
    url.set_fragment(None);
    let status = response.status();
    let head = WebHead {
        url: url.into(),
        status: status.as_u16(),
        status_text: status.canonical_reason().unwrap_or_default().to_owned(),
        headers,
        redirected,
    };
    Ok(Answer { head, body: Body::new(response, is_gzip) })
}

/// True if a connection that was there ended before anything was answered.
fn was_dropped(error: &reqwest::Error) -> bool {
    if error.is_connect() || error.is_timeout() {
        return false;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        let is_incomplete = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message);
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if is_incomplete || kind.is_some_and(|kind| DROPPED.contains(&kind)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An address without user and password.
fn address(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

fn failed(message: String) -> WebEvent {
    WebEvent::Failed { message, cause: None }
}

/// A request to which nobody answered.
fn failed_because(cause: String) -> WebEvent {
    WebEvent::Failed { message: format!("fetch failed: {cause}"), cause: Some(cause) }
}

/// The method of this name.
fn method(name: &str) -> Result<Method, String> {
    Method::from_bytes(name.as_bytes()).map_err(|_| "Method is not valid".to_owned())
}
