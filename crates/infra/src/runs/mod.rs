//! The history of runs in an `SQLite` file of its own: unlike the catalog it cannot be rebuilt, so a record is
//! on the disk before `save` returns. See `design/catalog.md`.

mod record;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::{RunFilter, RunStore, RunStoreError},
    problem::Code,
    run::RunRecord,
};
use sqlx::{migrate::Migrator, sqlite::SqliteSynchronous};

use crate::sqlite::{self, Database, Layout, Trouble};
pub use crate::sqlite::{OpenMode, Patience};

static MIGRATOR: Migrator = sqlx::migrate!("migrations/runs");

const LAYOUT: Layout = Layout {
    version: 1,
    migrator: &MIGRATOR,
    synchronous: SqliteSynchronous::Full,
    tables: "'meta', 'runs'",
    table_count: 2,
    probe: "SELECT count(*) FROM runs",
};

/// The run history in one `SQLite` file.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Debug)]
pub struct SqliteRuns {
    database: Database,
}

/// An open history and what had to be done to open it.
#[derive(Debug)]
pub struct Opened {
    /// The history.
    pub runs: SqliteRuns,
    /// Where a damaged file was moved; the history is then a new, empty one.
    pub set_aside: Option<PathBuf>,
}

impl SqliteRuns {
    /// Opens the history at `path` with the default [`Patience`].
    ///
    /// # Errors
    /// [`RunStoreError`]; its fault's code says whether the file is busy, of a newer version, or cannot be used.
    pub async fn open(path: &Path, mode: OpenMode) -> Result<Opened, RunStoreError> {
        let opened = sqlite::open(path, mode, &LAYOUT, Patience::default()).await;
        let (database, set_aside) = opened.map_err(|trouble| error("open", trouble))?;
        if let Some(aside) = &set_aside {
            tracing::warn!(path = %path.display(), aside = %aside.display(), "the run history was damaged and set aside");
        }
        Ok(Opened { runs: Self { database }, set_aside })
    }

    /// Folds the write-ahead log into the file and closes every connection.
    pub async fn close(self) {
        self.database.close().await;
    }

    async fn write(&self, record: &RunRecord, json: &str) -> Result<(), Trouble> {
        let mut transaction = self.database.begin_write().await?;
        sqlx::query(
            "INSERT INTO runs (id, name, status, started_millis, record) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status, \
             started_millis = excluded.started_millis, record = excluded.record",
        )
        .bind(&record.id)
        .bind(&record.name)
        .bind(record.status.as_str())
        .bind(record.started_at.as_millis())
        .bind(json)
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.database.trouble("write", &error))?;
        self.database.commit(transaction).await
    }

    async fn find(&self, id: &str) -> Result<Vec<(String, String)>, Trouble> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        sqlx::query_as("SELECT id, record FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id <> ?1, id LIMIT 2")
            .bind(id)
            .fetch_all(readers)
            .await
            .map_err(|error| self.database.trouble("read", &error))
    }

    async fn filtered(&self, filter: &RunFilter) -> Result<Vec<(String, String)>, Trouble> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        sqlx::query_as(
            "SELECT id, record FROM runs WHERE ?1 IS NULL OR name = ?1 \
             ORDER BY started_millis DESC, id DESC LIMIT ?2",
        )
        .bind(filter.name.as_deref())
        .bind(filter.limit.map_or(-1, i64::from))
        .fetch_all(readers)
        .await
        .map_err(|error| self.database.trouble("read", &error))
    }

    fn parse(id: &str, json: &str) -> Result<RunRecord, RunStoreError> {
        record::parse(json).map_err(|problem| {
            let message = format!("the record of run {id} cannot be understood: {problem}");
            let fault = Fault::new(FailureClass::Environment, Code::CATALOG_ROW, "runs:record", message);
            RunStoreError { operation: "read", fault }
        })
    }
}

#[async_trait]
impl RunStore for SqliteRuns {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        let json = record::to_json(record);
        self.database.patiently(|| self.write(record, &json)).await.map_err(|trouble| error("write", trouble))
    }

    async fn get(&self, id: &str) -> Result<Option<RunRecord>, RunStoreError> {
        let found = self.database.patiently(|| self.find(id)).await.map_err(|trouble| error("read", trouble))?;
        match found.as_slice() {
            [(found, json)] => Self::parse(found, json).map(Some),
            [(found, json), _] if found == id => Self::parse(found, json).map(Some),
            _ => Ok(None),
        }
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, RunStoreError> {
        let found =
            self.database.patiently(|| self.filtered(filter)).await.map_err(|trouble| error("read", trouble))?;
        let mut records = Vec::with_capacity(found.len());
        for (id, json) in &found {
            match Self::parse(id, json) {
                Ok(record) => records.push(record),
                // One record that cannot be read does not hide the others; `get` says what is wrong with it.
                Err(error) => tracing::warn!(%error, "a run is left out"),
            }
        }
        Ok(records)
    }
}

fn error(operation: &'static str, trouble: Trouble) -> RunStoreError {
    RunStoreError { operation, fault: trouble.into_fault() }
}
