//! The catalog on a PostgreSQL server. The same tables as in the file, and the same encoding of rows; the rules are those of
//! `design/catalog.md`, and what is different with a server stands in `design/scale.md`.

mod cache;
mod changes;
mod descriptions;
mod history;
mod keys;
mod read;
mod sweep;
mod version;
mod write;

use std::{collections::BTreeSet, fmt, path::PathBuf, sync::atomic::AtomicBool};

use async_trait::async_trait;
use mangrove_domain::{
    description::Description,
    digest::Digest,
    observation::CatalogView,
    ports::{AttemptCache, Catalog, CatalogError, Commit, CommitOutcome, Names, NumberedRecord},
    settle::AuditRecord,
    source::{Kind, RelativePath, RootId, SourceId},
    time::Timestamp,
    type_name::TypeName,
};

use super::{Address, PostgresError, migrations, server::Link, setup::Layout, tables::Tables, text};
use crate::{
    persistence::{BusyPolicy, OpenMode},
    rows::{self, Batch},
};
use changes::Changes;
use descriptions::DescriptionFiles;
use version::Version;

const LAYOUT: Layout = Layout { schema: migrations::CATALOG_SCHEMA, version: 4, steps: migrations::CATALOG };

/// The catalog of one repository in one database. It connects when it is first asked for something. Commits wait for each
/// other, whoever makes them; readers wait for nobody.
pub struct PostgresCatalog {
    tables: Tables,
    descriptions: Option<DescriptionFiles>,
    /// True once it was seen to that not much is stored that no row names.
    is_tidy: AtomicBool,
    changes: Changes,
}

impl PostgresCatalog {
    /// The catalog at this address. With [`OpenMode::ReadOnly`] nothing is ever changed, and a database without tables reads
    /// as an empty catalog; otherwise they are made when they are missing, if the role may.
    #[must_use]
    pub fn new(address: Address, mode: OpenMode) -> Self {
        Self::with_patience(address, mode, BusyPolicy::default())
    }

    /// The same, waiting for a server that is not there as long as `busy` says.
    #[must_use]
    pub fn with_patience(address: Address, mode: OpenMode, busy: BusyPolicy) -> Self {
        let tables = Tables::new(address, LAYOUT, mode, busy);
        Self { tables, descriptions: None, is_tidy: AtomicBool::new(false), changes: Changes::default() }
    }

    /// The same, with copies of descriptions in the state directory of a repository: what this node has built or used can be
    /// called while the server is not there.
    #[must_use]
    pub fn keeping_descriptions_in(self, state_directory: PathBuf) -> Self {
        Self { descriptions: Some(DescriptionFiles::new(state_directory)), ..self }
    }

    fn is_writable(&self) -> bool {
        self.tables.mode() == OpenMode::ReadWrite
    }

    /// Where it is, without the password.
    #[must_use]
    pub const fn address(&self) -> &Address {
        self.tables.address()
    }

    /// Makes the tables or brings them up to date, and lets `reader_and_writer` use them, if that is given: the role that
    /// runs needs no right to make tables.
    ///
    /// # Errors
    /// [`CatalogError::Newer`] if a newer version made them; [`CatalogError::Access`] if this role may not, or the server is not
    /// there.
    pub async fn migrate(&self, reader_and_writer: Option<&str>) -> Result<(), CatalogError> {
        self.tables.migrate(reader_and_writer).await.map_err(|cause| error("prepare", cause))
    }

    /// Looks whether the tables are there and can be used. False if nobody has made any yet.
    ///
    /// # Errors
    /// [`CatalogError`] if they cannot be used.
    pub async fn check(&self) -> Result<bool, CatalogError> {
        match self.tables.find("read").await {
            Ok(()) => Ok(true),
            Err(PostgresError::Absent(_)) => Ok(false),
            Err(cause) => Err(error("read", cause)),
        }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.tables.server().close().await;
    }

    /// Runs a transaction over tables that are there, and again while the server is not; `T::default()` if there are none.
    async fn run<T: Default, F: Future<Output = (Link, Result<T, PostgresError>)>>(
        &self,
        operation: &'static str,
        attempt: impl FnMut(Link) -> F,
    ) -> Result<T, CatalogError> {
        let done = self.tables.run(operation, attempt).await.map_err(|cause| error(operation, cause))?;
        self.keep_tidy().await;
        Ok(done)
    }

    /// The same, for what changes something.
    async fn change<T: Default, F: Future<Output = (Link, Result<T, PostgresError>)>>(
        &self,
        operation: &'static str,
        attempt: impl FnMut(Link) -> F,
    ) -> Result<T, CatalogError> {
        self.tables.change(operation, attempt).await.map_err(|cause| error(operation, cause))
    }

    fn failed(&self, operation: &'static str) -> impl Fn(sqlx::Error) -> PostgresError {
        move |error| self.tables.server().error(operation, &error)
    }
}

#[async_trait]
impl Catalog for PostgresCatalog {
    async fn identity(&self) -> Result<Option<String>, CatalogError> {
        self.run("read", async |mut link| {
            let query = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'identity'");
            let found = query.fetch_optional(&mut *link).await.map_err(self.failed("read"));
            (link, found)
        })
        .await
    }

    async fn snapshot(&self) -> Result<CatalogView, CatalogError> {
        let view: CatalogView = self
            .run("read", async |mut link| {
                let view = self.snapshot_once(&mut link).await;
                (link, view)
            })
            .await?;
        for problem in &view.damaged {
            tracing::warn!(row = %problem.subject, "{}", problem.message);
        }
        Ok(view)
    }

    async fn rows(&self, sources: &BTreeSet<SourceId>) -> Result<CatalogView, CatalogError> {
        self.run("read", async |mut link| {
            let view = self.rows_once(&mut link, sources).await;
            (link, view)
        })
        .await
    }

    async fn rows_named(&self, names: &Names) -> Result<CatalogView, CatalogError> {
        self.run("read", async |mut link| {
            let view = self.rows_named_once(&mut link, names).await;
            (link, view)
        })
        .await
    }

    /// One attempt: whoever asks has another way to find out, and the server may be gone.
    async fn mark(&self) -> Option<Digest> {
        let mut attempt = async |mut link: Link| {
            let found = Version::read(&mut link).await.map_err(self.failed("read"));
            (link, found)
        };
        self.tables.server().once("read", &mut attempt).await.ok()?.digest()
    }

    async fn changed(&self) {
        self.changes.next(self.tables.server()).await;
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, CatalogError> {
        let batch = Batch::prepare(&commit)?;
        let outcome = self
            .change("write", async |mut link| {
                let outcome = self.write(&mut link, &batch).await;
                (link, outcome)
            })
            .await?;
        if let Some(files) = &self.descriptions {
            files.keep(batch.descriptions).await;
        }
        Ok(outcome)
    }

    async fn description(&self, digest: Digest) -> Result<Option<Description>, CatalogError> {
        if let Some(files) = &self.descriptions
            && let Some(description) = files.find(digest).await
        {
            return Ok(Some(description));
        }
        let json: Option<String> = self
            .run("read", async |mut link| {
                let query = sqlx::query_scalar("SELECT json FROM descriptions WHERE digest = $1");
                let found = query.bind(digest.as_bytes().as_slice()).fetch_optional(&mut *link).await;
                (link, found.map_err(self.failed("read")))
            })
            .await?;
        let Some(json) = json else { return Ok(None) };
        let description = rows::description(digest, json.as_bytes());
        if let Some(files) = &self.descriptions
            && self.is_writable()
            && description.is_some()
        {
            files.keep(vec![(digest, json)]).await;
        }
        Ok(description)
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
            .run("read", async |mut link| {
                let query = sqlx::query_as(
                    "SELECT root, path FROM departed AS d WHERE kind = $1 AND type_name = $2 AND NOT EXISTS \
                     (SELECT 1 FROM sources AS s WHERE s.root = d.root AND s.path = d.path) ORDER BY root, path",
                );
                let query = query.bind(text::storable(kind.as_str())).bind(text::storable(type_name.as_str()));
                let found = query.fetch_all(&mut *link).await.map_err(self.failed("read"));
                (link, found)
            })
            .await?;
        Ok(rows.iter().filter_map(|(root, path)| source(root, path)).collect())
    }
}

#[async_trait]
impl AttemptCache for PostgresCatalog {
    async fn cached(&self, key: Digest) -> Result<Option<Vec<u8>>, CatalogError> {
        self.run("read", async |mut link| {
            let found = cache::read(&mut link, key).await.map_err(self.failed("read"));
            (link, found)
        })
        .await
    }

    async fn cache(&self, key: Digest, found: &[u8]) -> Result<(), CatalogError> {
        self.change("write", async |mut link| {
            let written = cache::write(&mut link, key, found).await.map_err(self.failed("write"));
            (link, written)
        })
        .await
    }
}

impl fmt::Debug for PostgresCatalog {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("PostgresCatalog").field(&self.tables).finish()
    }
}

/// The source of these columns; `None` if the path is none.
fn source(root: &str, path: &str) -> Option<SourceId> {
    let path = RelativePath::parse(&text::stored(path)).ok()?;
    Some(SourceId { root: RootId::new(&*text::stored(root)), path })
}

fn error(operation: &'static str, cause: PostgresError) -> CatalogError {
    match cause {
        PostgresError::Unreachable(fault) => CatalogError::Unreachable { fault },
        PostgresError::Busy(fault) => CatalogError::Busy { fault },
        PostgresError::Newer(fault) => CatalogError::Newer { fault },
        PostgresError::Absent(fault) | PostgresError::Unprepared(fault) | PostgresError::Other(fault) => {
            CatalogError::Access { operation, fault }
        }
    }
}
