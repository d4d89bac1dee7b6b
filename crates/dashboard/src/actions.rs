//! What the buttons of pages do. Each leads back to a page.

use std::time::Duration;

use axum::{
    Form,
    response::{IntoResponse as _, Redirect, Response},
};
use mangrove_daemon::{
    ScanOptions,
    http::{ApiError, work},
};
use serde::Deserialize;

use crate::{
    frame::{Notice, Visitor},
    parts::address,
};

/// How long the next page waits for the end of what was asked for. It tells the rest by itself.
const WAIT: Duration = Duration::from_secs(3);

/// A button without further fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Button {
    /// The page that it is on.
    back: Option<String>,
    /// The type or path that it is about; everything if it is empty.
    query: Option<String>,
}

/// Brings the catalog up to date.
pub(crate) async fn scan(visitor: Visitor, Form(button): Form<Button>) -> Result<Response, ApiError> {
    let ended = work::scan(&visitor.state, &visitor.identity, ScanOptions::default(), WAIT).await?;
    Ok(lead_back(button.back.as_deref(), if ended.is_some() { Notice::Scanned } else { Notice::ScanGoesOn }))
}

/// Tries what failed or is degraded.
pub(crate) async fn retry(visitor: Visitor, Form(button): Form<Button>) -> Result<Response, ApiError> {
    let query = button.query.filter(|query| !query.is_empty());
    let ended = work::retry(&visitor.state, query, WAIT).await?;
    Ok(lead_back(button.back.as_deref(), if ended.is_some() { Notice::Retried } else { Notice::RetryGoesOn }))
}

/// Leads back to the page that a form was on, which tells what came of it.
pub(crate) fn lead_back(path: Option<&str>, notice: Notice) -> Response {
    let path = address::back(path);
    let separator = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{separator}notice={}", notice.as_str())).into_response()
}
