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

macro_rules! asset {
    ($stem:literal, $extension:literal, $kind:literal) => {
        LazyLock::new(|| {
            Asset::new($stem, $extension, $kind, include_str!(concat!("../assets/", $stem, ".", $extension)))
        })
    };
}

pub(crate) static STYLE: LazyLock<Asset> = asset!("style", "css", "text/css; charset=utf-8");
pub(crate) static SCRIPT: LazyLock<Asset> = asset!("live", "js", "text/javascript; charset=utf-8");
pub(crate) static ICON: LazyLock<Asset> = asset!("icon", "svg", "image/svg+xml");

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
    let all: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    let Some(asset) = all.into_iter().find(|asset| asset.name == name) else {
        return Err(ApiError::plain(StatusCode::NOT_FOUND, format!("there is no file `{name}`; reload the page")));
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, asset.content).into_response())
}
