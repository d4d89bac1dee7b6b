//! A daemon in place of the repository: `--server`.

mod stream;

use std::{collections::BTreeMap, path::Path, time::Duration};

use mangrove_documents::{ErrorReport, ProblemDetails, ProblemDocument, ReadinessDocument};
use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::{Code, Problem, Severity},
};
use mangrove_fs::read::{self, FileKind, Within};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use stream::Events;

use crate::{compose, errors::CommandError, exit::Exit};

/// How long a connection may take, and how long an answer may be silent. An answer may take 10 s to begin; a stream gives a
/// sign of life each 15 s.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(45);

/// The variables that hold the token, or name the file that does.
const TOKEN: &str = "MANGROVE_TOKEN";
const TOKEN_FILE: &str = "MANGROVE_TOKEN_FILE";

/// A daemon that is asked.
pub(crate) struct Client {
    http: reqwest::Client,
    /// Its address, without a slash at the end.
    address: String,
    token: Option<String>,
}

impl Client {
    /// The daemon at this address, asked with the token of the environment.
    pub(crate) fn new(address: &str, environment: &BTreeMap<String, String>) -> Result<Self, CommandError> {
        let is_address = reqwest::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_address {
            let hint = "it looks like http://127.0.0.1:8787";
            return Err(CommandError::usage(None, "`--server` is not the address of a daemon", Some(hint)));
        }
        compose::use_cryptography();
        let http = reqwest::Client::builder()
            .user_agent(concat!("mangrove/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unreachable(address, &error.without_url()))?;
        Ok(Self { http, address: address.trim_end_matches('/').to_owned(), token: token(environment)? })
    }

    /// What is at this path, with these parameters.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<T, CommandError> {
        let request = self.request(Method::GET, path, parameters)?;
        self.document(self.send(request).await?).await
    }

    /// Why it cannot do its work, in its own words; `None` if it can.
    pub(crate) async fn ailment(&self) -> Result<Option<String>, CommandError> {
        let request = self.request_at(Method::GET, &["readyz"], &[("verbose", "true")])?;
        let response = request.send().await.map_err(|error| unreachable(&self.address, &error.without_url()))?;
        // The same document as that of a daemon which can.
        let response = match response.status() {
            StatusCode::SERVICE_UNAVAILABLE => response,
            _ => Self::succeeded(&self.address, response).await?,
        };
        let document: ReadinessDocument = self.document(response).await?;
        Ok(document.checks.into_iter().find(|check| check.name == "catalog" && !check.ok).map(|check| check.message))
    }

    /// What comes of sending this to this path. The answer is wanted at once.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, CommandError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| CommandError::usage(None, format!("the request cannot be written: {error}"), None))?;
        let request = self.request(Method::POST, path, &[])?.header(header::CONTENT_TYPE, "application/json");
        let request = request.header("prefer", "respond-async").body(body);
        self.document(self.send(request).await?).await
    }

    /// The events at this path.
    pub(crate) async fn follow(&self, path: &[&str]) -> Result<Events, CommandError> {
        let request = self.request(Method::GET, path, &[("follow", "true")])?;
        Ok(Events::new(self.send(request).await?, self.address.clone()))
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<RequestBuilder, CommandError> {
        self.request_at(method, &[&["api", "v1"], path].concat(), parameters)
    }

    fn request_at(
        &self,
        method: Method,
        path: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<RequestBuilder, CommandError> {
        let unusable = || CommandError::usage(None, "`--server` is not the address of a daemon", None);
        let mut url = reqwest::Url::parse(&self.address).map_err(|_| unusable())?;
        // Segments are escaped, whatever is in them.
        url.path_segments_mut().map_err(|()| unusable())?.pop_if_empty().extend(path);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let request = self.http.request(method, url);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CommandError> {
        let response = request.send().await.map_err(|error| unreachable(&self.address, &error.without_url()))?;
        Self::succeeded(&self.address, response).await
    }

    /// The answer, unless it says that something is wrong.
    async fn succeeded(address: &str, response: Response) -> Result<Response, CommandError> {
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.bytes().await.unwrap_or_default();
        Err(match serde_json::from_slice::<ProblemDetails>(&bytes) {
            Ok(details) => refused(status, details),
            Err(_) => {
                let message = format!("{address} answered with {status}, which is no answer of a daemon");
                CommandError { exit: Exit::Failed, report: ErrorReport::new(None, message) }
            }
        })
    }

    async fn document<T: DeserializeOwned>(&self, response: Response) -> Result<T, CommandError> {
        let bytes = response.bytes().await.map_err(|error| unreachable(&self.address, &error.without_url()))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("{} answered with what cannot be understood: {error}", self.address);
            CommandError { exit: Exit::Failed, report: ErrorReport::new(None, message) }
        })
    }
}

/// The token of the environment, or of the file that it names.
fn token(environment: &BTreeMap<String, String>) -> Result<Option<String>, CommandError> {
    let given = |name: &str| environment.get(name).filter(|text| !text.is_empty());
    if let Some(token) = given(TOKEN) {
        return Ok(Some(token.trim().to_owned()));
    }
    let Some(path) = given(TOKEN_FILE) else { return Ok(None) };
    let text = read::text(Path::new(path), Within::Anywhere, FileKind::Document).map_err(|error| {
        let message = format!("{path}, which {TOKEN_FILE} names, cannot be read: {}", error.reason);
        CommandError::usage(Some(error.into_fault().code), message, None)
    })?;
    Ok(Some(text.trim().to_owned()))
}

fn unreachable(address: &str, error: &reqwest::Error) -> CommandError {
    let mut message = format!("the daemon at {address} cannot be reached: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    let fault = Fault::transient(Code::SERVER_UNREACHABLE, "server", message);
    CommandError::fault("", &fault)
}

/// What a daemon refused, as the command line says it.
fn refused(status: StatusCode, details: ProblemDetails) -> CommandError {
    let class = details.blocked.as_ref().and_then(|blocked| blocked.failure.as_ref()?.class());
    let exit = match status {
        _ if class == Some(FailureClass::Transient) => Exit::TryAgain,
        StatusCode::SERVICE_UNAVAILABLE => Exit::TryAgain,
        StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => Exit::No,
        status if status.is_client_error() => Exit::Usage,
        _ => Exit::Failed,
    };
    let report = ErrorReport {
        code: details.code.as_deref().and_then(Code::parse),
        class,
        message: details.detail,
        details: details.details,
        hint: details.hint.or_else(|| token_hint(status).map(str::to_owned)),
        blocked: details.blocked.map(Box::new),
    };
    CommandError { exit, report }
}

fn token_hint(status: StatusCode) -> Option<&'static str> {
    let is_about_tokens = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    is_about_tokens.then_some("MANGROVE_TOKEN holds the token, or MANGROVE_TOKEN_FILE names the file that does")
}

/// A problem as a daemon told it; `None` if this version does not know its code.
pub(crate) fn problem(document: &ProblemDocument) -> Option<Problem> {
    let severities = [Severity::Error, Severity::Warning, Severity::Information];
    let severity = severities.into_iter().find(|severity| severity.as_str() == document.severity)?;
    let position = document.line.zip(document.column).map(|(line, column)| mangrove_domain::position::Position {
        file: document.path.clone(),
        line,
        column,
    });
    let problem = Problem::new(severity, Code::parse(&document.code)?, &document.path, &document.message);
    Some(problem.at_if(position).advise_if(document.hint.clone()))
}
