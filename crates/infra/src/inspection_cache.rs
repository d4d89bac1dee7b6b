//! Inspections remembered by what was inspected: a rebuilt but identical bundle is not looked at again.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    fingerprint::{Line, Part},
    inspection::Inspection,
    ports::{ExportInspector, InspectRequest, InspectionCache},
};

use crate::worker::wire;

/// An inspector that asks a cache first. Only answers are remembered, never failures; a cache that cannot be read or
/// written costs the look-up and nothing else.
pub struct CachedInspector {
    inner: Arc<dyn ExportInspector>,
    cache: Arc<dyn InspectionCache>,
}

impl CachedInspector {
    /// Remembers what `inner` finds in `cache`.
    pub fn new(inner: Arc<dyn ExportInspector>, cache: Arc<dyn InspectionCache>) -> Self {
        Self { inner, cache }
    }

    async fn remembered(&self, key: Digest) -> Option<Inspection> {
        match self.cache.cached_inspection(key).await {
            Ok(bytes) => wire::decode_inspection(&bytes?).ok(),
            Err(error) => {
                tracing::debug!(%error, "a remembered inspection cannot be read");
                None
            }
        }
    }

    async fn remember(&self, key: Digest, inspection: &Inspection) {
        let Ok(bytes) = wire::encode_inspection(inspection) else { return };
        if let Err(error) = self.cache.cache_inspection(key, &bytes).await {
            tracing::debug!(%error, "an inspection cannot be remembered");
        }
    }
}

#[async_trait]
impl ExportInspector for CachedInspector {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        let key = key(&request, wire::INSPECTION_FORMAT);
        if let Some(inspection) = self.remembered(key).await {
            return Ok(inspection);
        }
        let inspection = self.inner.inspect(request).await?;
        self.remember(key, &inspection).await;
        Ok(inspection)
    }
}

/// Bundle, vendors, the exports that were asked for, our own version, and the format of the remembered bytes: everything
/// that an answer depends on.
fn key(request: &InspectRequest, format: u32) -> Digest {
    let mut lines = vec![
        Line::new("inspector", mangrove_engine::INSPECTOR_VERSION),
        Line::new("format", format.to_string()),
        Line::new("code", Digest::of(request.bundle.code.as_bytes()).to_string()),
        Line::new("exports", request.export_names.join(" ")),
    ];
    // The import path of a vendor file names the digest of its directory.
    lines.extend(request.bundle.vendor_files.iter().map(|file| Line::new("vendor", file.path.as_str())));
    Part::of(lines).digest()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mangrove_domain::bundle::{BundleFile, LoadedBundle};
    use mangrove_testkit::fakes::MemoryCatalog;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl ExportInspector for Counting {
        async fn inspect(&self, _request: InspectRequest) -> Result<Inspection, Fault> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Inspection { export: None, touched: Vec::new(), notes: vec!["seen".to_owned()] })
        }
    }

    fn request(code: &str) -> InspectRequest {
        InspectRequest {
            bundle: LoadedBundle { code: code.into(), vendor_files: Vec::new() },
            export_names: vec!["model".into()],
            subject: "models/a.ts".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_was_inspected_is_not_inspected_again() {
        let (inner, cache) = (Arc::new(Counting::default()), Arc::new(MemoryCatalog::default()));
        let inspector = CachedInspector::new(Arc::clone(&inner) as _, cache);
        for _ in 0..2 {
            let inspection = inspector.inspect(request("1;")).await.expect("an answer");
            assert_eq!(inspection.notes, ["seen"]);
        }
        inspector.inspect(request("2;")).await.expect("an answer");
        assert_eq!(inner.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn everything_that_an_answer_depends_on_is_in_the_key() {
        let one = request("1;");
        let mut vendor = one.clone();
        vendor.bundle.vendor_files.push(BundleFile { path: "../vendor/aa/x.js".to_owned(), code: "".into() });
        let mut exports = one.clone();
        exports.export_names.push("extension".into());
        let others = [key(&request("2;"), 1), key(&vendor, 1), key(&exports, 1), key(&one, 2)];
        assert!(others.iter().all(|other| *other != key(&one, 1)), "{others:?}");
        assert_eq!(key(&InspectRequest { subject: "models/b.ts".to_owned(), ..one.clone() }, 1), key(&one, 1));
    }
}
