//! Inspections remembered by what was inspected: a rebuilt but identical bundle is not looked at again.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    fingerprint::{Line, Part},
    inspection::Inspection,
    ports::{Catalog, ExportInspector, InspectRequest},
};

use crate::worker::wire;

/// An inspector that asks the catalog first. Only answers are remembered, never failures; a catalog that cannot
/// be asked or written costs the look-up and nothing else.
pub struct CachedInspector {
    inner: Arc<dyn ExportInspector>,
    catalog: Arc<dyn Catalog>,
}

impl CachedInspector {
    /// Remembers what `inner` finds in `catalog`.
    pub fn new(inner: Arc<dyn ExportInspector>, catalog: Arc<dyn Catalog>) -> Self {
        Self { inner, catalog }
    }

    async fn remembered(&self, key: Digest) -> Option<Inspection> {
        match self.catalog.cached_inspection(key).await {
            Ok(bytes) => wire::decode_inspection(&bytes?).ok(),
            Err(error) => {
                tracing::debug!(%error, "a remembered inspection cannot be read");
                None
            }
        }
    }

    async fn remember(&self, key: Digest, inspection: &Inspection) {
        let Ok(bytes) = wire::encode_inspection(inspection) else { return };
        if let Err(error) = self.catalog.cache_inspection(key, &bytes).await {
            tracing::debug!(%error, "an inspection cannot be remembered");
        }
    }
}

#[async_trait]
impl ExportInspector for CachedInspector {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        let key = key(&request);
        if let Some(inspection) = self.remembered(key).await {
            return Ok(inspection);
        }
        let inspection = self.inner.inspect(request).await?;
        self.remember(key, &inspection).await;
        Ok(inspection)
    }
}

/// Bundle, vendors, the exports that were asked for, and our own version: everything that an answer depends on.
fn key(request: &InspectRequest) -> Digest {
    let mut lines = vec![
        Line::new("inspector", mangrove_engine::INSPECTOR_VERSION),
        Line::new("code", Digest::of(request.bundle.code.as_bytes()).to_string()),
        Line::new("exports", request.export_names.join(" ")),
    ];
    // The import path of a vendor file names the digest of its directory.
    lines.extend(request.bundle.vendor_files.iter().map(|file| Line::new("vendor", file.path.as_str())));
    Part::of(lines).digest()
}
