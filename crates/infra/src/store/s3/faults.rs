//! From what came back to faults: what heals by itself, and what somebody has to change.

use std::error::Error as _;

use mangrove_domain::{failure::Fault, problem::Code};
use object_store::{Error, client::HttpErrorKind};

use super::connection::Answer;

/// The fault of an operation, such as `read`, on a store that people know by this name.
pub(super) fn fault_of(operation: &str, store: &str, answer: Option<Answer>, error: &Error) -> Fault {
    let cause = format!("store:{store}");
    let transient = |reason: String| {
        Fault::transient(Code::STORE_UNREACHABLE, cause.clone(), format!("cannot {operation} {store}: {reason}"))
    };
    let refused = |reason: String| {
        Fault::environment(Code::STORE_REFUSED, cause.clone(), format!("cannot {operation} {store}: {reason}"))
    };
    if is_about_certificates(error) {
        return refused(format!("the connection is not trusted: {}", innermost(error)));
    }
    match answer {
        None => refused(format!("no request could be made: {}", innermost(error))),
        Some(Answer::None(HttpErrorKind::Timeout)) => transient("no answer within the time limit".to_owned()),
        Some(Answer::None(_)) => transient(innermost(error)),
        Some(Answer::Status(status, code)) => {
            let said = code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
            let answered = format!("the server answered {status}{said}");
            match (status, code.as_deref()) {
                (200..=299, _) => transient("the answer broke off, or is none of this protocol".to_owned()),
                (408 | 429, _) | (_, Some("SlowDown" | "InternalError" | "RequestTimeout")) => transient(answered),
                (501, _) => refused(format!("{answered}: it does not know this request")),
                (500..=599, _) => transient(answered),
                (_, Some("RequestTimeTooSkewed")) => refused(format!("{answered}: the clock of this machine is wrong")),
                (401 | 403, _) => {
                    refused(format!("{answered}: the credentials are wrong, have expired, or do not permit this"))
                }
                (404, _) => refused(format!("{answered}: there is no such bucket")),
                (300..=400, _) => {
                    refused(format!("{answered}: `region` and `endpoint` may not be those of the bucket"))
                }
                _ => refused(answered),
            }
        }
    }
}

/// True if the certificate of the server was refused.
fn is_about_certificates(error: &Error) -> bool {
    let mut next = error.source();
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The error at the very bottom. Those above it repeat addresses and answers, which may name whose key it was.
fn innermost(error: &Error) -> String {
    let mut text = None;
    let mut next = error.source();
    while let Some(error) = next {
        text = Some(error);
        next = error.source();
    }
    text.map_or_else(|| "unknown error".to_owned(), ToString::to_string)
}
