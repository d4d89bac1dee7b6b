//! The catalog in an `SQLite` file. Schema, concurrency, crash rule and versions: `design/catalog.md`.

mod deferred;
mod history;
mod mark;
mod read;
mod staging;
mod unusable;
mod version;
mod write;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use mangrove_domain::{
    description::Description,
    digest::Digest,
    observation::CatalogView,
    ports::{AttemptCache, Catalog, CatalogError, Commit, CommitOutcome, Names, NumberedRecord},
    problem::Code,
    settle::AuditRecord,
    source::{Kind, RelativePath, RootId, SourceId},
    time::Timestamp,
    type_name::TypeName,
};
use sqlx::sqlite::SqliteSynchronous;

pub use crate::persistence::{BusyPolicy, OpenMode};
pub use crate::rows::CACHED_ATTEMPTS;
use crate::{
    rows::{self, Batch},
    sqlite::{self, Database, Layout, SqliteError, migrations},
};
pub use deferred::{DeferredCatalog, OpenedCatalog};
pub(crate) use staging::StagingDirectory;
pub use unusable::Unusable;

/// The newest layout that this version reads and writes.
pub const LAYOUT_VERSION: i64 = 4;

/// A write-ahead log that is longer than this is folded into the file at open, in bytes. A process that ends without
/// closing leaves it, and every later one would have to read all of it first.
const FOLDED_LOG_BYTES: u64 = 256 << 10;

const LAYOUT: Layout = Layout {
    version: LAYOUT_VERSION,
    // Later layouts have the tables of layout 1, and more columns; records carry their own format.
    readable_from: 1,
    steps: migrations::CATALOG,
    // Under WAL a power cut can lose the latest commits, never the file; the catalog can be rebuilt.
    synchronous: SqliteSynchronous::Normal,
    objects: &[
        "descriptions",
        "parts",
        "sources",
        "sources_resolvable",
        "sources_description",
        "departed",
        "transitions",
        "transitions_source",
        "inspections",
    ],
    later_objects: &[
        (4, "sources_inserted"),
        (4, "sources_updated"),
        (4, "sources_deleted"),
        (4, "descriptions_deleted"),
        (4, "parts_deleted"),
    ],
    probe: "SELECT count(*), total(length(record)), (SELECT count(*) FROM parts), \
            (SELECT count(*) FROM descriptions) FROM sources",
};

/// The catalog in one `SQLite` file. Cheap to read from many tasks; writes queue.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Debug)]
pub struct SqliteCatalog {
    database: Database,
}

/// An open catalog and what had to be done to open it.
#[derive(Debug)]
pub struct Opened {
    /// The catalog.
    pub catalog: SqliteCatalog,
    /// Where a damaged file was moved; the catalog is then a new, empty one.
    pub set_aside: Option<PathBuf>,
}

impl SqliteCatalog {
    /// Opens the catalog at `path` with the default [`BusyPolicy`].
    ///
    /// # Errors
    /// [`CatalogError::Newer`] if a newer version wrote it (the file is untouched), [`CatalogError::Busy`] if
    /// others hold it for too long, [`CatalogError::Access`] for anything else; a damaged file is an error only
    /// for [`OpenMode::ReadOnly`].
    pub async fn open(path: &Path, mode: OpenMode) -> Result<Opened, CatalogError> {
        Self::open_with(path, mode, BusyPolicy::default()).await
    }

    /// Opens the catalog at `path`, waiting for other processes as long as `busy` says.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(path: &Path, mode: OpenMode, busy: BusyPolicy) -> Result<Opened, CatalogError> {
        let opened = Self::open_once(path, mode, busy).await?;
        let Err(error) = opened.catalog.keep_tidy(mode).await else { return Ok(opened) };
        if error.fault().code != Code::CATALOG_CORRUPT {
            return Err(error);
        }
        // Damage beyond what opening looks at. It left its mark, so opening again checks the whole file.
        opened.catalog.close().await;
        Self::open_once(path, mode, busy).await
    }

    async fn open_once(path: &Path, mode: OpenMode, busy: BusyPolicy) -> Result<Opened, CatalogError> {
        let (database, set_aside) =
            sqlite::open(path, mode, &LAYOUT, busy).await.map_err(|cause| error("open", cause))?;
        if let Some(aside) = &set_aside {
            tracing::warn!(path = %path.display(), aside = %aside.display(), "the catalog was damaged and set aside");
        }
        Ok(Opened { catalog: Self { database }, set_aside })
    }

    /// Puts what the catalog at `staged` holds, which nobody has open, in the place of the catalog at `path`, whatever is in
    /// that. Gives the place of the old one, beside it; `None` if there is none.
    ///
    /// A catalog that is in order is copied and then gets the new content in one transaction: whoever has it open goes on,
    /// and sees either all of the old or all of the new. A damaged or newer one is moved, and the new file takes its place;
    /// a process that has it open gets an error at its next commit.
    ///
    /// # Errors
    /// [`CatalogError::Busy`] while another process writes or prepares it, [`CatalogError::Access`] if it cannot be
    /// copied or moved.
    pub async fn replace(path: &Path, staged: &Path) -> Result<Option<PathBuf>, CatalogError> {
        let failed = |cause| error("replace", cause);
        if !is_in_order(path).await? {
            return sqlite::replace(path, staged, BusyPolicy::default()).await.map_err(failed);
        }
        let Opened { catalog, set_aside } = Self::open(path, OpenMode::ReadWrite).await?;
        let replaced = match set_aside {
            // Damaged only since it was looked at: what is in its place is new.
            Some(aside) => catalog.take_content(staged).await.map(|()| aside),
            None => catalog.back_up_and_take_content(staged).await,
        };
        catalog.close().await;
        replaced.map(Some)
    }

    async fn back_up_and_take_content(&self, staged: &Path) -> Result<PathBuf, CatalogError> {
        let _alone = sqlite::lock_setup(self.database.path(), BusyPolicy::default())
            .await
            .map_err(|cause| error("replace", cause))?;
        let target = sqlite::place_aside(self.database.path(), sqlite::REPLACED);
        self.back_up(&target).await?;
        self.take_content(staged).await?;
        sqlite::forget_replaced(self.database.path(), &target);
        Ok(target)
    }

    async fn take_content(&self, staged: &Path) -> Result<(), CatalogError> {
        let replaced = self.database.retry_while_busy(|| self.replace_content(staged)).await;
        replaced.map_err(|cause| error("replace", cause))
    }

    /// False if another file lies in its place by now, so that it must be opened again.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.database.is_in_place()
    }

    /// Reads the whole file; an error says how it is damaged.
    ///
    /// # Errors
    /// [`CatalogError::Access`] with `CATALOG_CORRUPT` if it is, and whatever keeps it from being read.
    pub async fn check(&self) -> Result<(), CatalogError> {
        self.database.check().await.map_err(|cause| error("check", cause))
    }

    /// Writes a copy as of this moment to `target`, which must not exist; others may write meanwhile. The copy
    /// appears whole or not at all.
    ///
    /// # Errors
    /// [`CatalogError`] if there is no catalog, if `target` is taken or cannot be written.
    pub async fn back_up(&self, target: &Path) -> Result<(), CatalogError> {
        self.database.retry_while_busy(|| self.database.back_up(target)).await.map_err(|cause| error("back up", cause))
    }

    async fn keep_tidy(&self, mode: OpenMode) -> Result<(), CatalogError> {
        if mode == OpenMode::ReadWrite && self.holds_much_garbage().await? {
            match self.sweep().await {
                // Whoever opens it next sweeps it.
                Err(CatalogError::Busy { fault }) => tracing::debug!(%fault, "the catalog is not swept"),
                swept => swept?,
            }
        }
        if mode == OpenMode::ReadWrite && self.database.log_bytes() > FOLDED_LOG_BYTES {
            self.database.fold_log().await;
        }
        Ok(())
    }

    /// Folds the write-ahead log into the file and closes every connection.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Runs a read again while the file is busy.
    async fn read<T, F: Future<Output = Result<T, sqlx::Error>>>(
        &self,
        operation: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, CatalogError> {
        self.database
            .retry_while_busy(|| {
                let attempt = attempt();
                async { attempt.await.map_err(|error| self.database.error(operation, &error)) }
            })
            .await
            .map_err(|cause| error(operation, cause))
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn identity(&self) -> Result<Option<String>, CatalogError> {
        self.read("read", async || {
            let Some(readers) = self.database.readers() else { return Ok(None) };
            let mut connection = readers.acquire().await?;
            sqlite::meta(&mut connection, "identity").await
        })
        .await
    }

    async fn snapshot(&self) -> Result<CatalogView, CatalogError> {
        let view = self.read("read", || self.snapshot_once()).await?;
        for problem in &view.damaged {
            tracing::warn!(row = %problem.subject, "{}", problem.message);
        }
        Ok(view)
    }

    async fn rows(&self, sources: &BTreeSet<SourceId>) -> Result<CatalogView, CatalogError> {
        self.read("read", || self.rows_once(sources)).await
    }

    async fn rows_named(&self, names: &Names) -> Result<CatalogView, CatalogError> {
        self.read("read", || self.rows_named_once(names)).await
    }

    async fn mark(&self) -> Option<Digest> {
        mark::of(self.database.path(), self.database.mode())
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, CatalogError> {
        let batch = Batch::prepare(&commit)?;
        self.database.retry_while_busy(|| self.write(&batch)).await.map_err(|cause| error("write", cause))
    }

    async fn description(&self, digest: Digest) -> Result<Option<Description>, CatalogError> {
        // As bytes: damage may leave what is no text.
        let json: Option<Vec<u8>> = self
            .read("read", async || {
                let Some(readers) = self.database.readers() else { return Ok(None) };
                sqlx::query_scalar("SELECT CAST(json AS BLOB) FROM descriptions WHERE digest = ?1")
                    .bind(digest.as_bytes().as_slice())
                    .fetch_optional(readers)
                    .await
            })
            .await?;
        let Some(json) = json else { return Ok(None) };
        Ok(rows::description(digest, &json))
    }

    async fn transitions(&self, source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError> {
        history::of_source(self, source).await
    }

    async fn history(&self, before: Option<u64>, limit: u32) -> Result<Vec<NumberedRecord>, CatalogError> {
        history::page(self, before, limit).await
    }

    async fn forget_history(&self, before: Timestamp) -> Result<u64, CatalogError> {
        history::forget(self, before).await
    }

    async fn departed(&self, kind: &Kind, type_name: &TypeName) -> Result<Vec<SourceId>, CatalogError> {
        let rows: Vec<(String, String)> = self
            .read("read", async || {
                let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
                // Earlier layouts, which may be read as they are, do not remember it.
                let columns = "SELECT count(*) FROM pragma_table_info('departed') WHERE name = 'type_name'";
                if sqlx::query_scalar::<_, i64>(columns).fetch_one(readers).await? == 0 {
                    return Ok(Vec::new());
                }
                sqlx::query_as(
                    "SELECT root, path FROM departed AS d WHERE kind = ?1 AND type_name = ?2 AND NOT EXISTS \
                     (SELECT 1 FROM sources AS s WHERE s.root = d.root AND s.path = d.path) ORDER BY root, path",
                )
                .bind(kind.as_str())
                .bind(type_name.as_str())
                .fetch_all(readers)
                .await
            })
            .await?;
        let source = |(root, path): (String, String)| {
            Some(SourceId { path: RelativePath::parse(&path).ok()?, root: RootId::new(&*root) })
        };
        Ok(rows.into_iter().filter_map(source).collect())
    }
}

#[async_trait]
impl AttemptCache for SqliteCatalog {
    async fn cached(&self, key: Digest) -> Result<Option<Vec<u8>>, CatalogError> {
        self.read("read", async || {
            let Some(readers) = self.database.readers() else { return Ok(None) };
            // The table has its name from the time when it held nothing else.
            sqlx::query_scalar("SELECT inspection FROM inspections WHERE key = ?1")
                .bind(key.as_bytes().as_slice())
                .fetch_optional(readers)
                .await
        })
        .await
    }

    async fn cache(&self, key: Digest, found: &[u8]) -> Result<(), CatalogError> {
        self.database.retry_while_busy(|| self.write_cached(key, found)).await.map_err(|cause| error("write", cause))
    }
}

/// True if there is a catalog that this version reads, and every page of it is as it was written.
async fn is_in_order(path: &Path) -> Result<bool, CatalogError> {
    if !std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
        return Ok(false);
    }
    let checked = async {
        let Opened { catalog, .. } = SqliteCatalog::open(path, OpenMode::ReadOnly).await?;
        let checked = catalog.check().await;
        catalog.close().await;
        checked
    };
    match checked.await {
        Ok(()) => Ok(true),
        Err(busy @ (CatalogError::Busy { .. } | CatalogError::Unreachable { .. })) => Err(busy),
        Err(CatalogError::Newer { .. } | CatalogError::Row { .. } | CatalogError::Access { .. }) => Ok(false),
    }
}

fn error(operation: &'static str, cause: SqliteError) -> CatalogError {
    match cause {
        SqliteError::Busy(fault) => CatalogError::Busy { fault },
        SqliteError::Newer(fault) => CatalogError::Newer { fault },
        SqliteError::Corrupt(fault) | SqliteError::Replaced(fault) | SqliteError::Other(fault) => {
            CatalogError::Access { operation, fault }
        }
    }
}
