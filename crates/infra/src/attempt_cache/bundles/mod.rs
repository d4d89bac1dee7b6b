//! Bundles remembered by what they were built of: a branch that is switched back to, or a catalog whose rows are gone, costs
//! no build.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{Bundle, BundleRef, ObjectKey, StoredObject},
    digest::Digest,
    failure::{Failure, Fault},
    fingerprint::{Line, Part},
    json::Json,
    module_graph::{Edge, EdgeTarget},
    outage::Outages,
    package::{Offer, PackageRequest},
    ports::{AttemptCache, BuildFailure, BundleRequest, BundleStore, Bundler},
    route::Route,
};
use mangrove_fs::json_text;

use super::{sealed, unsealed};
use crate::bundler::embedded;

/// How a remembered bundle is laid out, and its key made; part of the key.
const FORMAT: u32 = 2_002;

/// The embedded bundler behind a cache. Only bundles are remembered, never failures, and only which one it was: its text
/// comes from the store, compared with its digest. A cache or a store that cannot be read costs the look-up and nothing else.
pub struct CachedBundler {
    inner: Arc<dyn Bundler>,
    cache: Arc<dyn AttemptCache>,
    store: Arc<dyn BundleStore>,
}

impl CachedBundler {
    /// Remembers in `cache` which bundles of `store` the embedded bundler `inner` built.
    #[must_use]
    pub fn new(inner: Arc<dyn Bundler>, cache: Arc<dyn AttemptCache>, store: Arc<dyn BundleStore>) -> Self {
        Self { inner, cache, store }
    }

    async fn remembered(&self, key: Digest) -> Option<Bundle> {
        let found = match self.cache.cached(key).await {
            Ok(bytes) => decoded(unsealed(key, &bytes?)?)?,
            Err(error) => {
                tracing::debug!(%error, "a remembered bundle cannot be looked up");
                return None;
            }
        };
        match self.store.load(&BundleRef { entry: found.entry, vendors: Vec::new() }).await {
            Ok(loaded) => {
                Some(Bundle { code: loaded.code.to_string(), requirements: found.requirements, remarks: found.remarks })
            }
            Err(error) => {
                tracing::debug!(%error, "a remembered bundle cannot be used, building again");
                None
            }
        }
    }

    async fn remember(&self, key: Digest, bundle: &Bundle) {
        if let Err(error) = self.cache.cache(key, &sealed(key, &encoded(bundle))).await {
            tracing::debug!(%error, "a bundle cannot be remembered");
        }
    }
}

#[async_trait]
impl Bundler for CachedBundler {
    async fn route(&self, request: &PackageRequest) -> Route {
        self.inner.route(request).await
    }

    async fn fails_again(&self, request: &PackageRequest, earlier: &Failure) -> Option<Fault> {
        self.inner.fails_again(request, earlier).await
    }

    fn remembering_in(&self, cache: Arc<dyn AttemptCache>) -> Option<Arc<dyn Bundler>> {
        Some(Arc::new(Self { inner: Arc::clone(&self.inner), cache, store: Arc::clone(&self.store) }))
    }

    async fn bundle(&self, request: BundleRequest, outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        let key = key(&request);
        if let Some(bundle) = self.remembered(key).await {
            return Ok(bundle);
        }
        let bundle = self.inner.bundle(request, outages).await?;
        self.remember(key, &bundle).await;
        Ok(bundle)
    }
}

/// Which bundle it was, and what it says besides its text.
struct Remembered {
    entry: StoredObject,
    requirements: Vec<String>,
    remarks: Vec<String>,
}

/// The digest of the code, its length, and a JSON array of requirements and remarks.
fn encoded(bundle: &Bundle) -> Vec<u8> {
    let mut bytes = Digest::of(bundle.code.as_bytes()).as_bytes().to_vec();
    bytes.extend_from_slice(&(bundle.code.len() as u64).to_le_bytes());
    let texts = |texts: &[String]| Json::Array(texts.iter().map(|text| Json::from(text.as_str())).collect());
    let said = Json::Array(vec![texts(&bundle.requirements), texts(&bundle.remarks)]);
    bytes.extend_from_slice(said.to_string().as_bytes());
    bytes
}

fn decoded(bytes: &[u8]) -> Option<Remembered> {
    let (digest, rest) = bytes.split_first_chunk::<32>()?;
    let (size, said) = rest.split_first_chunk::<8>()?;
    let said = json_text::parse(std::str::from_utf8(said).ok()?).ok()?;
    let [requirements, remarks] = said.as_array()? else { return None };
    let texts = |texts: &Json| -> Option<Vec<String>> {
        texts.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    Some(Remembered {
        entry: StoredObject {
            key: ObjectKey::Extension(Digest::from_bytes(*digest)),
            size_bytes: u64::from_le_bytes(*size),
        },
        requirements: texts(requirements)?,
        remarks: texts(remarks)?,
    })
}

/// Everything that a bundle depends on: the bundler, the entry, the files, where their
/// imports lead, the settings, and what packages are imported as and offer.
fn key(request: &BundleRequest) -> Digest {
    let graph = &request.graph;
    let mut lines = vec![
        Line::new("bundler", embedded::identity().digest().to_string()),
        Line::new("format", FORMAT.to_string()),
        Line::new("entry", graph.entry.as_str()),
        Line::new("config", graph.config.digest().to_string()),
        Line::new("options", graph.compiler_options.to_string()),
    ];
    lines.extend(graph.files.iter().map(|file| Line::new("file", pair(file.path.as_str(), &file.digest.to_string()))));
    lines.extend(graph.edges.iter().map(|edge| Line::new("edge", of_edge(edge))));
    lines.extend(request.imports.iter().map(|(specifier, import)| Line::new("import", pair(specifier, import))));
    lines.extend(request.offers.iter().map(|(import, offer)| Line::new("offer", pair(import, &of_offer(offer)))));
    lines.extend(
        request
            .inlined
            .iter()
            .map(|file| Line::new("inlined", pair(&file.path, &Digest::of(file.code.as_bytes()).to_string()))),
    );
    Part::of(lines).digest()
}

/// Two texts as one, so that no others give the same.
fn pair(one: &str, other: &str) -> String {
    Json::Array(vec![Json::from(one), Json::from(other)]).to_string()
}

fn of_edge(edge: &Edge) -> String {
    let (kind, target) = match &edge.target {
        EdgeTarget::File(path) => ("file", path.as_str()),
        EdgeTarget::External(specifier) => ("external", specifier.as_str()),
        EdgeTarget::Missing => ("missing", ""),
        EdgeTarget::OutsideRoot => ("outside", ""),
    };
    format!("{kind} {}", pair(edge.importer.as_str(), &pair(&edge.specifier, target)))
}

fn of_offer(offer: &Offer) -> String {
    let names = |names: &std::collections::BTreeSet<String>| {
        Json::Array(names.iter().map(|name| Json::from(name.as_str())).collect())
    };
    let wide = offer
        .wide
        .as_ref()
        .map_or(Json::Null, |wide| Json::Array(vec![Json::from(wide.import.as_str()), names(&wide.names)]));
    let all = vec![Json::from(offer.package.as_str()), names(&offer.names), Json::Bool(offer.is_open), wide];
    Digest::of(Json::Array(all).to_string().as_bytes()).to_string()
}

#[cfg(test)]
mod tests;
