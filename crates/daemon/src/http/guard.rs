//! What every request passes before anything is done with it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    access::{Identity, Scope},
    error::ApiError,
    present::{self, Asked, Presenter},
    state::ApiState,
};

/// How long the answer to a request may take to begin. What takes longer by its nature answers earlier and goes on.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// What the first check needs.
#[derive(Clone)]
pub(super) struct Checks {
    pub(super) state: ApiState,
    pub(super) presenter: Option<Arc<dyn Presenter>>,
}

/// Lets a request pass that names this daemon, and that no other web page has sent; bounds its time. People get pages.
pub(super) async fn check(State(checks): State<Checks>, request: Request, next: Next) -> Response {
    let Checks { state, presenter } = checks;
    let asked = presenter.as_ref().and_then(|_| Asked::by_a_person(&request));
    let checked = match state.hosts().accepted(request.uri(), request.headers()) {
        Some(host) => is_from_here(request.method(), request.headers(), host),
        None => {
            let message = "the daemon is not asked under this name; `serve.hosts` in mangrove.yaml lists further ones";
            Err(ApiError::plain(StatusCode::MISDIRECTED_REQUEST, message))
        }
    };
    let mut response = match checked {
        Err(error) => error.into_response(),
        Ok(()) => match tokio::time::timeout(LONGEST_REQUEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiError::busy(format!("no answer within {} s", LONGEST_REQUEST.as_secs())).into_response(),
        },
    };
    if let (Some(presenter), Some(asked)) = (presenter, asked) {
        response = present::present(presenter.as_ref(), &state, &asked, response);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses what a browser sends for the page of somebody else. What only looks is harmless: without CORS no other page
/// gets to see the answer.
fn is_from_here(method: &Method, headers: &HeaderMap, host: &str) -> Result<(), ApiError> {
    if method.is_safe() {
        return Ok(());
    }
    let is_own = match headers.get("sec-fetch-site") {
        Some(site) => matches!(site.as_bytes(), b"same-origin" | b"none"),
        // A browser that does not say so names the origin of the page at least.
        None => headers.get(header::ORIGIN).is_none_or(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host))
        }),
    };
    if is_own {
        return Ok(());
    }
    Err(ApiError::plain(StatusCode::FORBIDDEN, "a web page of another origin has sent this; nothing was done"))
}

/// Lets a request pass whose sender may do what it asks for: looking needs the scope `read`, everything else `run`.
pub(super) async fn authorize(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let needed = if request.method().is_safe() { Scope::Read } else { Scope::Run };
    let identified = identify(&state, request.headers());
    match identified.and_then(|identity| identity.require(needed).map(|()| identity)) {
        Ok(identity) => {
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Who sent this request.
pub(super) fn identify(state: &ApiState, headers: &HeaderMap) -> Result<Identity, ApiError> {
    let secret = secret(headers);
    state.access().identify(secret.as_deref()).ok_or_else(|| {
        let message = if secret.is_some() { "nobody has this token" } else { "a token is needed" };
        ApiError::plain(StatusCode::UNAUTHORIZED, message)
    })
}

impl Identity {
    /// Refuses whoever may not do this much.
    ///
    /// # Errors
    /// 403, with what is missing.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scope >= scope {
            return Ok(());
        }
        let message = format!(
            "the token `{}` has the scope `{}`; this needs `{}`",
            self.name,
            self.scope.as_str(),
            scope.as_str()
        );
        Err(ApiError::plain(StatusCode::FORBIDDEN, message))
    }
}

/// The secret of a request: a bearer token, or what a browser was given as a password.
fn secret(headers: &HeaderMap) -> Option<String> {
    let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_a_web_page_of_another_origin_sends_is_refused() {
        let passes = |method: Method, pairs: &[(&'static str, &'static str)]| {
            is_from_here(&method, &headers(pairs), "127.0.0.1:8787").is_ok()
        };
        assert!(passes(Method::POST, &[]), "no browser");
        assert!(passes(Method::POST, &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8787")]));
        assert!(passes(Method::POST, &[("sec-fetch-site", "none")]), "a person");
        assert!(passes(Method::POST, &[("origin", "http://127.0.0.1:8787")]));
        assert!(passes(Method::GET, &[("sec-fetch-site", "cross-site")]), "a link");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert!(!passes(method.clone(), &[("sec-fetch-site", "cross-site")]));
            assert!(!passes(method.clone(), &[("sec-fetch-site", "same-site")]), "another port, another service");
            assert!(!passes(method.clone(), &[("origin", "http://evil.example")]));
            assert!(!passes(method.clone(), &[("origin", "http://127.0.0.1:3000")]));
            assert!(!passes(method, &[("origin", "null")]));
        }
    }

    #[test]
    fn a_secret_comes_as_a_bearer_token_or_as_a_password() {
        let found = |value| secret(&headers(&[("authorization", value)]));
        assert_eq!(found("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(found("bearer  abc ").as_deref(), Some("abc"));
        // `me:a:b`
        assert_eq!(found("Basic bWU6YTpi").as_deref(), Some("a:b"));
        assert_eq!(found("Basic !!"), None);
        assert_eq!(found("Digest abc"), None);
        assert_eq!(secret(&HeaderMap::new()), None);
    }
}
