//! Lists that come page by page. A cursor names the last item of a page, so that it stays good whatever happens to the
//! list; what it looks like is nobody's business.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::error::ApiError;

/// How many items a page has if the request does not say, and at most.
pub(super) const USUAL_LIMIT: u32 = 100;
pub(super) const LARGEST_LIMIT: u32 = 1000;

/// How many items are asked for: the usual number, or what the request says.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked.unwrap_or(USUAL_LIMIT) {
        limit @ 1..=LARGEST_LIMIT => Ok(limit),
        other => {
            let message = format!("`limit` is {other}, expected a number from 1 to {LARGEST_LIMIT}");
            Err(ApiError::plain(StatusCode::BAD_REQUEST, message))
        }
    }
}

/// A cursor that holds these texts.
pub(super) fn cursor<const N: usize>(parts: [&str; N]) -> String {
    URL_SAFE_NO_PAD.encode(parts.join("\n"))
}

/// The texts that a cursor holds.
pub(super) fn parts<const N: usize>(cursor: &str) -> Result<[String; N], ApiError> {
    let parts = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| {
        let text = String::from_utf8(bytes).ok()?;
        text.splitn(N, '\n').map(str::to_owned).collect::<Vec<_>>().try_into().ok()
    });
    parts.ok_or_else(unknown)
}

/// The error about a cursor that no page gave.
pub(super) fn unknown() -> ApiError {
    ApiError::plain(StatusCode::BAD_REQUEST, "`cursor` is none that this daemon gave; take `next` of the page before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_gives_its_parts_back_and_nothing_else_passes_for_one() {
        let made = cursor(["local", "extensions/models/a\nb.ts"]);
        assert_eq!(parts::<2>(&made).expect("a cursor"), ["local", "extensions/models/a\nb.ts"]);
        assert!(parts::<2>("no cursor").is_err());
        assert!(parts::<3>(&cursor(["one", "two"])).is_err());
    }
}
