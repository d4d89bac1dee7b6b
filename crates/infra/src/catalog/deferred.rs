//! A catalog that is opened when it is first asked for something that its files do not tell from outside.

use std::path::PathBuf;

use async_trait::async_trait;
use futures::future::BoxFuture;
use mangrove_domain::{
    description::Description,
    digest::Digest,
    observation::CatalogView,
    ports::{Catalog, CatalogError, Commit, CommitOutcome},
    settle::AuditRecord,
    source::{Kind, SourceId},
    type_name::TypeName,
};
use tokio::sync::OnceCell;

use super::{OpenMode, mark};

/// Opens the catalog.
type Open = dyn Fn() -> BoxFuture<'static, Result<Box<dyn Catalog>, CatalogError>> + Send + Sync;

/// Opening costs more than a scan that finds nothing changed. A failure to open is the answer to what was asked, and
/// is tried again with the next question.
pub struct DeferredCatalog {
    path: PathBuf,
    mode: OpenMode,
    open: Box<Open>,
    opened: OnceCell<Box<dyn Catalog>>,
}

impl DeferredCatalog {
    /// The catalog in the file at `path`, which `open` opens in this mode.
    pub fn new(
        path: impl Into<PathBuf>,
        mode: OpenMode,
        open: impl Fn() -> BoxFuture<'static, Result<Box<dyn Catalog>, CatalogError>> + Send + Sync + 'static,
    ) -> Self {
        Self { path: path.into(), mode, open: Box::new(open), opened: OnceCell::new() }
    }

    async fn opened(&self) -> Result<&dyn Catalog, CatalogError> {
        self.opened.get_or_try_init(|| (self.open)()).await.map(AsRef::as_ref)
    }
}

#[async_trait]
impl Catalog for DeferredCatalog {
    async fn identity(&self) -> Result<Option<String>, CatalogError> {
        self.opened().await?.identity().await
    }

    async fn snapshot(&self) -> Result<CatalogView, CatalogError> {
        self.opened().await?.snapshot().await
    }

    async fn mark(&self) -> Option<Digest> {
        match self.opened.get() {
            Some(catalog) => catalog.mark().await,
            None => mark::of(&self.path, self.mode),
        }
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, CatalogError> {
        self.opened().await?.commit(commit).await
    }

    async fn description(&self, digest: Digest) -> Result<Option<Description>, CatalogError> {
        self.opened().await?.description(digest).await
    }

    async fn transitions(&self, source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError> {
        self.opened().await?.transitions(source).await
    }

    async fn departed(&self, kind: &Kind, type_name: &TypeName) -> Result<Vec<SourceId>, CatalogError> {
        self.opened().await?.departed(kind, type_name).await
    }

    async fn cached_inspection(&self, key: Digest) -> Result<Option<Vec<u8>>, CatalogError> {
        self.opened().await?.cached_inspection(key).await
    }

    async fn cache_inspection(&self, key: Digest, inspection: &[u8]) -> Result<(), CatalogError> {
        self.opened().await?.cache_inspection(key, inspection).await
    }
}
