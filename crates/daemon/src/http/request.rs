//! Parts of requests: parameters, bodies, preferences.

use std::{fmt::Display, time::Duration};

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::error::ApiError;

/// The parameters after the question mark.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(parameters) = Query::from_request_parts(parts, state).await?;
        Ok(Self(parameters))
    }
}

/// What stands in the path.
pub struct InPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(in_path) = Path::from_request_parts(parts, state).await?;
        Ok(Self(in_path))
    }
}

/// A body of JSON, an object, with its bytes. An empty one and `null` stand for what is there by default.
pub(super) struct Body<T> {
    pub(super) value: T,
    pub(super) bytes: axum::body::Bytes,
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|rejection| ApiError::plain(rejection.status(), rejection.body_text()))?;
        if bytes.is_empty() {
            return Ok(Self { value: T::default(), bytes });
        }
        if !is_json {
            let message = "the body must be JSON: `Content-Type: application/json`";
            return Err(ApiError::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let unusable =
            |why: &dyn Display| ApiError::plain(StatusCode::BAD_REQUEST, format!("the body cannot be used: {why}"));
        // A list would be taken for the values of the object's members, one after the other.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(unusable(&"expected an object, found a list"));
        }
        let value: Option<T> = serde_json::from_slice(&bytes).map_err(|error| unusable(&error))?;
        Ok(Self { value: value.unwrap_or_default(), bytes })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// How long a request waits for work that takes its time, at most and if it does not say.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long the request wants to wait for its work (RFC 7240): `Prefer: respond-async` not at all, `Prefer: wait=3` that
/// many seconds, at most 10, which is also what counts if it says nothing.
pub(super) fn preferred_wait(headers: &HeaderMap) -> Duration {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut wait = None;
    for preference in preferences.flat_map(|value| value.split(',')) {
        let preference = preference.trim();
        if preference.eq_ignore_ascii_case("respond-async") {
            wait = wait.or(Some(Duration::ZERO));
        } else if let Some((name, seconds)) = preference.split_once('=')
            && name.trim().eq_ignore_ascii_case("wait")
            && let Ok(seconds) = seconds.trim().parse()
        {
            wait = Some(Duration::from_secs(seconds));
        }
    }
    wait.map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

/// A parameter that is true if it is there, unless it says `false` or `0`.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(serde::de::Error::custom("expected `true` or `false`")),
    }
}

/// What [`flag`] reads.
pub(super) fn flag_schema() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["", "true", "1", "false", "0"])).build()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_says_how_long_it_waits_and_never_longer_than_ten_seconds() {
        for (preferences, seconds) in [
            (&[][..], 10),
            (&["respond-async"], 0),
            (&["Respond-Async, wait=3"], 3),
            (&["wait=3", "respond-async"], 3),
            (&["wait = 7"], 7),
            (&["wait=3600"], 10),
            (&["wait=soon", "handling=strict"], 10),
        ] {
            let mut headers = HeaderMap::new();
            for preference in preferences {
                headers.append("prefer", HeaderValue::from_static(preference));
            }
            assert_eq!(preferred_wait(&headers), Duration::from_secs(seconds), "{preferences:?}");
        }
    }
}
