//! What goes wrong between us and a registry, and what that means for those who wait.

use std::{error::Error as _, sync::Arc, time::Duration};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};
use mangrove_fs::faults::{Operation, io_fault};
use reqwest::StatusCode;

use crate::{address::shown_in, archive, chain, packument, settings};

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

impl Error {
    /// True if nothing came back for as long as anybody waits, now or a moment ago.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        self.reason.is_outage() || matches!(self.reason, Reason::Outage(_))
    }
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
    /// It sent nothing for this long.
    #[error("it sent nothing for {0:?}")]
    Silent(Duration),
    /// It could not be reached for others a moment ago, who said this.
    #[error("it was not asked, because it could not be reached a moment ago ({0})")]
    Outage(Arc<str>),
    /// The connection ended within the answer.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
    /// An answer other than success.
    #[error("it answered {status}{}", later(*after))]
    Status {
        /// The answer.
        status: StatusCode,
        /// How long it asks to be left alone (`Retry-After`), if it says so.
        after: Option<Duration>,
    },
    /// An answer that makes no sense.
    #[error("its answer is malformed")]
    Garbage(#[source] packument::Error),
    /// The same of an answer of a registry of another kind.
    #[error("its answer is malformed: {0}")]
    Malformed(String),
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
    Archive(#[source] archive::UnpackError),
    /// The registry names a place that is no address.
    #[error("the registry names {0:?}, which is not a URL with http: or https:")]
    Address(String),
    /// The credential for the registry is a variable that is not set.
    #[error("no credential")]
    Credential(#[source] settings::Unset),
    /// The variable for the proxy holds no address; this is what may be shown of it.
    #[error("the proxy {0:?} is not a URL such as http://proxy.example:8080")]
    Proxy(String),
    /// The HTTP client cannot be set up.
    #[error("no HTTP client")]
    Client(#[source] reqwest::Error),
}

impl Reason {
    /// True if another try at once may well succeed.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Broken(_) | Self::Garbage(_) | Self::Malformed(_) => true,
            Self::Status { status, .. } => is_later(*status),
            Self::Unreachable(_)
            | Self::Untrusted(_)
            | Self::TimedOut(_)
            | Self::Silent(_)
            | Self::Outage(_)
            | Self::TooLarge(_)
            | Self::Mismatch { .. }
            | Self::Archive(_)
            | Self::Address(_)
            | Self::Credential(_)
            | Self::Proxy(_)
            | Self::Client(_) => false,
        }
    }
}

impl Reason {
    /// True if nothing came back, for as long as anybody waits: others who ask the same registry would wait as long.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(error) => error.is_connect() || error.is_timeout(),
            Self::TimedOut(_) | Self::Silent(_) => true,
            _ => false,
        }
    }

    /// True if the registry says when to come back.
    pub(super) fn says_when(&self) -> bool {
        matches!(self, Self::Status { after: Some(_), .. })
    }

    /// True if it was the registry that answered, however badly.
    pub(super) fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Garbage(_)
                | Self::Malformed(_)
                | Self::TooLarge(_)
                | Self::Mismatch { .. }
                | Self::Archive(_)
        )
    }
}

/// 408, 425, 429 and 5xx: the registry's way to say "later".
fn is_later(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

/// What to do about answers that depend on the kind of the registry; each goes on after the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hints {
    pub(crate) not_found: &'static str,
    pub(crate) refused: &'static str,
}

const NPM: Hints =
    Hints { not_found: "; check the name, or the registry configured for it", refused: "; check the token in .npmrc" };

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        error.into_fault(NPM)
    }
}

impl Error {
    /// The fault that it is.
    pub(crate) fn into_fault(self, hints: Hints) -> Fault {
        use FailureClass::{Environment, Transient};
        let error = self;
        let (class, code, hint) = match &error.reason {
            Reason::Unreachable(_)
            | Reason::TimedOut(_)
            | Reason::Silent(_)
            | Reason::Outage(_)
            | Reason::Broken(_) => (Transient, Code::REGISTRY_UNREACHABLE, ""),
            Reason::Untrusted(_) => (Environment, Code::REGISTRY_UNREACHABLE, ""),
            Reason::Garbage(_) | Reason::Malformed(_) => (Transient, Code::REGISTRY_FAILED, ""),
            Reason::Status { status, .. } if is_later(*status) => (Transient, Code::REGISTRY_FAILED, ""),
            Reason::Status { status: StatusCode::NOT_FOUND | StatusCode::GONE, .. } => {
                (Environment, Code::PACKAGE_NOT_FOUND, hints.not_found)
            }
            Reason::Status {
                status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                ..
            } => (Environment, Code::REGISTRY_REFUSED, hints.refused),
            Reason::Credential(_) => (Environment, Code::REGISTRY_REFUSED, "; set it, or remove the line"),
            Reason::Proxy(_) => (Environment, Code::REGISTRY_FAILED, "; correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"),
            Reason::Status { .. } | Reason::Address(_) | Reason::Client(_) => (Environment, Code::REGISTRY_FAILED, ""),
            Reason::Mismatch { .. } => (Transient, Code::INTEGRITY_MISMATCH, ""),
            Reason::TooLarge(_) | Reason::Archive(_) => (Environment, Code::PACKAGE_MALFORMED, ""),
        };
        if let Reason::Archive(archive::UnpackError::Write { path, source, .. }) = &error.reason {
            return io_fault(Operation::Write, path, source);
        }
        let cause = match code {
            Code::PACKAGE_NOT_FOUND | Code::PACKAGE_MALFORMED | Code::INTEGRITY_MISMATCH => {
                format!("package:{}", error.package)
            }
            _ => format!("registry:{}", error.origin),
        };
        let first = error.first.as_ref().map(|first| format!(" (first: {first})")).unwrap_or_default();
        let fault = Fault::new(class, code, cause, shown_in(&format!("{}{hint}{first}", chain(&error))));
        match error.reason {
            Reason::Status { after: Some(after), .. } => fault.not_before(after),
            _ => fault,
        }
    }
}

/// The end of a message about an answer that says when to come back.
fn later(after: Option<Duration>) -> String {
    after.map(|after| format!(" and asks to wait for {after:?}")).unwrap_or_default()
}

/// True if encryption failed: a typed error of the TLS layer is somewhere among the causes.
pub(super) fn is_about_trust(error: &reqwest::Error) -> bool {
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
