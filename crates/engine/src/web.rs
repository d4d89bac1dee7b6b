//! What `fetch` asks of whoever runs the engine, and what it is told. The engine reaches nobody by itself.
//!
//! A body is passed on part by part, each when it is asked for, so that nobody holds more of it than one part.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A request as code wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebRequest {
    /// Its method, such as `GET`.
    pub method: String,
    /// Where it goes: an address of `http:` or `https:`.
    pub url: String,
    /// Names in small letters, and values of which each character stands for a byte.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Option<Vec<u8>>,
    /// What becomes of an answer that leads elsewhere.
    pub redirect: Redirect,
}

/// What becomes of an answer that leads elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Redirect {
    /// It is followed.
    Follow,
    /// It is the answer.
    Manual,
    /// It is an error.
    Error,
}

/// What is to be done about a request. Code gives each a number that it uses once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebOrder {
    /// Send it. Answered by [`WebEvent::Head`] or by what prevents it.
    Begin(u32, WebRequest),
    /// Pass on the next part of the answer's body. Answered by [`WebEvent::Chunk`] or by what ends it.
    Read(u32),
    /// Give it up. Not answered.
    Stop(u32),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebEvent {
    /// The answer begins.
    Head(WebHead),
    /// The next part of its body.
    Chunk(Vec<u8>),
    /// Its body is over.
    End,
    /// This host and port, `api.example.org:443`, is not granted; nothing was sent there.
    Refused(String),
    /// It failed.
    Failed {
        /// The message of the error that code gets.
        message: String,
        /// The message of its cause.
        cause: Option<String>,
    },
    /// It needs something that only another engine has.
    Lacking(String),
}

/// The beginning of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebHead {
    /// Where it came from, after all redirects.
    pub url: String,
    /// Its status, such as 200.
    pub status: u16,
    /// The usual words for the status.
    pub status_text: String,
    /// Names in small letters, and values of which each character stands for a byte.
    pub headers: Vec<(String, String)>,
    /// True if a redirect was followed.
    pub redirected: bool,
}

/// Takes orders. It does not wait for what becomes of them: that arrives by the [`Inbox`](super::Inbox).
#[derive(Clone)]
pub struct WebOrders(Arc<dyn Fn(WebOrder) + Send + Sync>);

impl WebOrders {
    /// Gives orders to this.
    pub fn new(take: impl Fn(WebOrder) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    pub(super) fn give(&self, order: WebOrder) {
        (self.0)(order);
    }
}

impl fmt::Debug for WebOrders {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("WebOrders")
    }
}
