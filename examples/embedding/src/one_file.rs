//! A bundler for files that import nothing: the bundle is the file.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    bundle::Bundle,
    failure::Fault,
    fingerprint::{Line, Part},
    outage::Outages,
    package::PackageRequest,
    ports::{BuildFailure, BundleRequest, Bundler},
    problem::Code,
    route::Route,
};

/// The bundle of a file is the file.
pub(crate) struct OneFileBundler;

#[async_trait]
impl Bundler for OneFileBundler {
    async fn route(&self, _request: &PackageRequest) -> Route {
        Route::prepared(Part::of([Line::new("adapter", "one-file"), Line::new("version", "1")]))
    }

    async fn bundle(&self, request: BundleRequest, _outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        let entry = &request.graph.entry;
        let refused = |code, message: String| Fault::deterministic(code, format!("source:{entry}"), message);
        if let Some(import) = request.graph.edges.first() {
            let message = format!("`{}` is imported; an alert is one file", import.specifier);
            return Err(refused(Code::UNSUPPORTED_SPECIFIER, message).into());
        }
        let file = request.graph.files.iter().find(|file| file.path == *entry);
        let text = file.and_then(|file| str::from_utf8(&file.bytes).ok());
        let code = text.ok_or_else(|| refused(Code::SYNTAX, "the file is not UTF-8".to_owned()))?;
        Ok(Bundle { code: code.to_owned(), requirements: Vec::new(), remarks: Vec::new() })
    }
}
