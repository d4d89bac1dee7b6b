//! Inspections remembered by what was inspected: a rebuilt but identical bundle is not looked at again.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    fingerprint::{Line, Part},
    inspection::Inspection,
    ports::{AttemptCache, ExportInspector, InspectRequest},
};

use super::{sealed, unsealed};
use crate::worker::wire;

/// How a remembered inspection is laid out, with the format of the bytes behind the digest; part of its key.
const FORMAT: u32 = 1_000 + wire::INSPECTION_FORMAT;

/// An inspector that asks a cache first. Only answers are remembered, never failures; a cache that cannot be read or
/// written costs the look-up and nothing else.
pub struct CachedInspector {
    inner: Arc<dyn ExportInspector>,
    cache: Arc<dyn AttemptCache>,
}

impl CachedInspector {
    /// Remembers what `inner` finds in `cache`.
    pub fn new(inner: Arc<dyn ExportInspector>, cache: Arc<dyn AttemptCache>) -> Self {
        Self { inner, cache }
    }

    async fn remembered(&self, key: Digest) -> Option<Inspection> {
        match self.cache.cached(key).await {
            Ok(bytes) => wire::decode_inspection(unsealed(key, &bytes?)?).ok(),
            Err(error) => {
                tracing::debug!(%error, "a remembered inspection cannot be read");
                None
            }
        }
    }

    async fn remember(&self, key: Digest, inspection: &Inspection) {
        let Ok(bytes) = wire::encode_inspection(inspection) else { return };
        if let Err(error) = self.cache.cache(key, &sealed(key, &bytes)).await {
            tracing::debug!(%error, "an inspection cannot be remembered");
        }
    }
}

#[async_trait]
impl ExportInspector for CachedInspector {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        let key = key(&request, FORMAT);
        if let Some(inspection) = self.remembered(key).await {
            return Ok(inspection);
        }
        let inspection = self.inner.inspect(request).await?;
        self.remember(key, &inspection).await;
        Ok(inspection)
    }

    fn remembering_in(&self, cache: Arc<dyn AttemptCache>) -> Option<Arc<dyn ExportInspector>> {
        Some(Arc::new(Self { inner: Arc::clone(&self.inner), cache }))
    }
}

/// Bundle, vendors, the exports that were asked for, our own version, and the format of the remembered bytes: everything
/// that an answer depends on.
fn key(request: &InspectRequest, format: u32) -> Digest {
    let code = request.code_digest.unwrap_or_else(|| Digest::of(request.bundle.code.as_bytes()));
    let mut lines = vec![
        Line::new("inspector", mangrove_engine::INSPECTOR_VERSION),
        Line::new("format", format.to_string()),
        Line::new("code", code.to_string()),
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
            code_digest: None,
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

    #[tokio::test]
    async fn f16_a_remembered_inspection_that_is_damaged_is_made_again() {
        let (inner, cache) = (Arc::new(Counting::default()), Arc::new(MemoryCatalog::default()));
        let inspector = CachedInspector::new(Arc::clone(&inner) as _, Arc::clone(&cache) as _);
        let looks = || inner.0.load(Ordering::Relaxed);
        inspector.inspect(request("1;")).await.expect("an answer");
        inspector.inspect(request("2;")).await.expect("an answer");
        let (one, two) = (key(&request("1;"), FORMAT), key(&request("2;"), FORMAT));
        let whole = cache.cached(one).await.expect("readable").expect("remembered");
        let mut damaged: Vec<Vec<u8>> = (0..whole.len()).map(|at| whole[..at].to_vec()).collect();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            damaged.push(bytes);
        }
        // That of another bundle, and one without a digest.
        damaged.push(cache.cached(two).await.expect("readable").expect("remembered"));
        damaged.push(whole[32..].to_vec());
        for bytes in damaged {
            cache.cache(one, &bytes).await.expect("written");
            let before = looks();
            let inspection = inspector.inspect(request("1;")).await.expect("an answer");
            assert_eq!((inspection.notes, looks()), (vec!["seen".to_owned()], before + 1), "{bytes:?}");
            inspector.inspect(request("1;")).await.expect("an answer");
            assert_eq!(looks(), before + 1, "and is remembered again");
        }
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
