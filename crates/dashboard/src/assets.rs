//! Files that pages need: style, script, icon. Each has a digest of its content in its name and may be kept for ever.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use mangrove_daemon::http::{ApiError, InPath};
use mangrove_domain::digest::Digest;

/// One file.
pub(crate) struct Asset {
    /// `style-0123456789ab.css`.
    name: String,
    kind: &'static str,
    content: &'static str,
}

/// A file that is made of these, one after the other.
macro_rules! asset {
    ($stem:literal, $extension:literal, $kind:literal, $($file:literal),+) => {
        LazyLock::new(|| {
            Asset::new($stem, $extension, $kind, concat!($(include_str!(concat!("../assets/", $file))),+))
        })
    };
}

pub(crate) static STYLE: LazyLock<Asset> = asset!("style", "css", "text/css; charset=utf-8", "style.css", "runs.css");
pub(crate) static SCRIPT: LazyLock<Asset> = asset!("live", "js", "text/javascript; charset=utf-8", "live.js");
/// For the page of a run that goes on.
pub(crate) static FOLLOW: LazyLock<Asset> = asset!("follow", "js", "text/javascript; charset=utf-8", "follow.js");
pub(crate) static ICON: LazyLock<Asset> = asset!("icon", "svg", "image/svg+xml", "icon.svg");

impl Asset {
    fn new(stem: &str, extension: &str, kind: &'static str, content: &'static str) -> Self {
        let name = format!("{stem}-{}.{extension}", Digest::of(content.as_bytes()).short());
        Self { name, kind, content }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// One file by its name.
pub(crate) async fn serve(InPath(name): InPath<String>) -> Result<Response, ApiError> {
    let all: [&Asset; 4] = [&STYLE, &SCRIPT, &FOLLOW, &ICON];
    let Some(asset) = all.into_iter().find(|asset| asset.name == name) else {
        return Err(ApiError::plain(StatusCode::NOT_FOUND, format!("there is no file `{name}`; reload the page")));
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, asset.content).into_response())
}
