//! The connections to the server: each request is counted, and what came back is kept for whoever judges the failure.

use std::{
    cell::RefCell,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
        ReqwestConnector,
    },
};

/// What came back from the last request of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing did, or not all of it.
    None(HttpErrorKind),
    /// An answer of this status and, where there is one, with this code in the words of the protocol, such as `NoSuchBucket`.
    Status(u16, Option<String>),
}

tokio::task_local! {
    static LAST: RefCell<Option<Answer>>;
}

/// Runs an operation, and gives with its outcome what the last of its requests came back with. The errors of the client do
/// not tell: their types are its own.
pub(super) async fn observed<T>(operation: impl Future<Output = T>) -> (T, Option<Answer>) {
    LAST.scope(RefCell::new(None), async {
        let outcome = operation.await;
        (outcome, LAST.with(RefCell::take))
    })
    .await
}

/// Makes connections that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    requests: Arc<AtomicU64>,
}

impl Connections {
    /// How many requests were sent, repeated ones included.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl HttpConnector for Connections {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Whoever installed one before keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Counted { client, requests: Arc::clone(&self.requests) }))
    }
}

#[derive(Debug)]
struct Counted {
    client: HttpClient,
    requests: Arc<AtomicU64>,
}

#[async_trait]
impl HttpService for Counted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response = match self.client.execute(request).await {
            Ok(response) => response,
            Err(error) => {
                keep(Answer::None(error.kind()));
                return Err(error);
            }
        };
        let status = response.status();
        if status.is_success() {
            keep(Answer::Status(status.as_u16(), None));
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = match body.bytes().await {
            Ok(body) => body,
            Err(error) => {
                keep(Answer::None(error.kind()));
                return Err(error);
            }
        };
        keep(Answer::Status(status.as_u16(), error_code(&body)));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(body)))
    }
}

fn keep(answer: Answer) {
    // Outside of an operation nobody asks.
    let _ = LAST.try_with(|last| last.replace(Some(answer)));
}

/// What stands between `<Code>` and `</Code>` in an error of the protocol.
fn error_code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let code = text.split_once("<Code>")?.1.split_once("</Code>")?.0;
    let is_word = (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::error_code;

    #[test]
    fn only_a_word_is_a_code() {
        let body = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>").into_bytes();
        assert_eq!(error_code(&body("NoSuchBucket")).as_deref(), Some("NoSuchBucket"));
        for text in ["", "a b", "<b>", "\u{1b}[31m", &"x".repeat(65)] {
            assert_eq!(error_code(&body(text)), None, "{text:?}");
        }
        assert_eq!(error_code(b"<html>\xff"), None);
    }
}
