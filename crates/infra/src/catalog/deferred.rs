//! A catalog that is opened when it is first asked for something that its files do not tell from outside.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use futures::future::BoxFuture;
use mangrove_domain::{
    description::Description,
    digest::Digest,
    observation::CatalogView,
    ports::{AttemptCache, Catalog, CatalogError, Commit, CommitOutcome, Names, NumberedRecord},
    settle::AuditRecord,
    source::{Kind, SourceId},
    time::Timestamp,
    type_name::TypeName,
};
use tokio::sync::RwLock;

use super::{OpenMode, SqliteCatalog, Unusable, mark};

/// What answers for a catalog that was opened.
#[derive(Debug)]
pub enum OpenedCatalog {
    /// The catalog.
    Usable(SqliteCatalog),
    /// It could not be opened, and says so when it is asked for something.
    Unusable(Unusable),
}

impl OpenedCatalog {
    fn is_in_place(&self) -> bool {
        match self {
            OpenedCatalog::Usable(catalog) => catalog.is_in_place(),
            OpenedCatalog::Unusable(_) => true,
        }
    }

    fn catalog(&self) -> &dyn Catalog {
        match self {
            OpenedCatalog::Usable(catalog) => catalog,
            OpenedCatalog::Unusable(unusable) => unusable,
        }
    }

    fn attempt_cache(&self) -> Result<&dyn AttemptCache, CatalogError> {
        match self {
            OpenedCatalog::Usable(catalog) => Ok(catalog),
            OpenedCatalog::Unusable(unusable) => Err(unusable.error()),
        }
    }
}

/// Opens the catalog.
type Open = dyn Fn() -> BoxFuture<'static, Result<OpenedCatalog, CatalogError>> + Send + Sync;

/// Opening costs more than a scan that finds nothing changed. A failure to open is the answer to what was asked, and
/// is tried again with the next question. A catalog that another process has replaced or removed is opened again.
pub struct DeferredCatalog {
    path: PathBuf,
    mode: OpenMode,
    open: Box<Open>,
    opened: RwLock<Option<Arc<OpenedCatalog>>>,
}

impl DeferredCatalog {
    /// The catalog in the file at `path`, which `open` opens in this mode.
    pub fn new(
        path: impl Into<PathBuf>,
        mode: OpenMode,
        open: impl Fn() -> BoxFuture<'static, Result<OpenedCatalog, CatalogError>> + Send + Sync + 'static,
    ) -> Self {
        Self { path: path.into(), mode, open: Box::new(open), opened: RwLock::default() }
    }

    /// Closes the catalog, does something with its file, and lets what is asked next open it again. Whoever is in the
    /// middle of a question gets its answer first.
    pub async fn while_closed<T>(&self, work: impl Future<Output = T>) -> T {
        let mut opened = self.opened.write().await;
        if let Some(opened) = opened.take()
            && let OpenedCatalog::Usable(catalog) = opened.as_ref()
        {
            catalog.close().await;
        }
        work.await
    }

    async fn opened(&self) -> Result<Arc<OpenedCatalog>, CatalogError> {
        if let Some(opened) = self.opened.read().await.as_ref().filter(|opened| opened.is_in_place()) {
            return Ok(Arc::clone(opened));
        }
        let mut slot = self.opened.write().await;
        // Somebody else may have opened it meanwhile.
        if let Some(opened) = slot.as_ref().filter(|opened| opened.is_in_place()) {
            return Ok(Arc::clone(opened));
        }
        // The one that was open stays if there is no other: it may come back, as when a repository is renamed and renamed back.
        let opened = Arc::new((self.open)().await?);
        if slot.replace(Arc::clone(&opened)).is_some() {
            tracing::warn!(path = %self.path.display(), "another process has replaced or removed the catalog; it was opened again");
        }
        Ok(opened)
    }
}

#[async_trait]
impl Catalog for DeferredCatalog {
    async fn identity(&self) -> Result<Option<String>, CatalogError> {
        self.opened().await?.catalog().identity().await
    }

    async fn snapshot(&self) -> Result<CatalogView, CatalogError> {
        self.opened().await?.catalog().snapshot().await
    }

    async fn rows(&self, sources: &BTreeSet<SourceId>) -> Result<CatalogView, CatalogError> {
        self.opened().await?.catalog().rows(sources).await
    }

    async fn rows_named(&self, names: &Names) -> Result<CatalogView, CatalogError> {
        self.opened().await?.catalog().rows_named(names).await
    }

    async fn mark(&self) -> Option<Digest> {
        match self.opened.read().await.as_ref() {
            Some(opened) => opened.catalog().mark().await,
            None => mark::of(&self.path, self.mode),
        }
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, CatalogError> {
        self.opened().await?.catalog().commit(commit).await
    }

    async fn description(&self, digest: Digest) -> Result<Option<Description>, CatalogError> {
        self.opened().await?.catalog().description(digest).await
    }

    async fn transitions(&self, source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError> {
        self.opened().await?.catalog().transitions(source).await
    }

    async fn history(&self, before: Option<u64>, limit: u32) -> Result<Vec<NumberedRecord>, CatalogError> {
        self.opened().await?.catalog().history(before, limit).await
    }

    async fn departed(&self, kind: &Kind, type_name: &TypeName) -> Result<Vec<SourceId>, CatalogError> {
        self.opened().await?.catalog().departed(kind, type_name).await
    }

    async fn forget_history(&self, before: Timestamp) -> Result<u64, CatalogError> {
        self.opened().await?.catalog().forget_history(before).await
    }
}

#[async_trait]
impl AttemptCache for DeferredCatalog {
    async fn cached(&self, key: Digest) -> Result<Option<Vec<u8>>, CatalogError> {
        self.opened().await?.attempt_cache()?.cached(key).await
    }

    async fn cache(&self, key: Digest, found: &[u8]) -> Result<(), CatalogError> {
        self.opened().await?.attempt_cache()?.cache(key, found).await
    }
}
