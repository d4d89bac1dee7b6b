//! The history of runs in an `SQLite` file of its own: unlike the catalog it cannot be rebuilt, so a record is
//! on the disk before `save` returns, and what is written of a run that goes on soon after. See `design/catalog.md`.

mod cancellations;
mod deferred;
mod header;
mod leases;
mod retention;
mod running;
mod steps;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mangrove_domain::{
    ports::{CancellationRequest, RunFilter, RunStore, RunStoreError},
    run::{RunHeader, RunLookup, RunRecord},
    time::Timestamp,
};
use mangrove_fs::atomic::Durability;
use sqlx::{SqliteConnection, sqlite::SqliteSynchronous};

pub use crate::persistence::{BusyPolicy, OpenMode};
use crate::run_records::{Changes, StoredHeader, StoredRecord, Written, interrupted, parse_header, to_json};
use crate::sqlite::{self, Database, Layout, SqliteError, migrations};
pub use deferred::DeferredRuns;
use running::Running;

const LAYOUT: Layout = Layout {
    version: 5,
    readable_from: 1,
    steps: migrations::RUNS,
    synchronous: SqliteSynchronous::Full,
    objects: &["runs", "runs_order", "runs_name"],
    later_objects: &[(3, "schedule_claims"), (4, "run_steps"), (5, "run_cancellations")],
    probe: "SELECT count(*) FROM runs",
};

/// The run history in one `SQLite` file.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Debug)]
pub struct SqliteRuns {
    database: Database,
    running: Running,
    written: Written,
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
    /// Opens the history at `path` with the default [`BusyPolicy`].
    ///
    /// # Errors
    /// [`RunStoreError`]; its fault's code says whether the file is busy, of a newer version, or cannot be used.
    pub async fn open(path: &Path, mode: OpenMode) -> Result<Opened, RunStoreError> {
        let opened = sqlite::open(path, mode, &LAYOUT, BusyPolicy::default()).await;
        let (database, set_aside) = opened.map_err(|cause| error("open", cause))?;
        if let Some(aside) = &set_aside {
            tracing::warn!(path = %path.display(), aside = %aside.display(), "the run history was damaged and set aside");
        }
        let runs = Self { database, running: Running::beside(path), written: Written::default() };
        if mode == OpenMode::ReadWrite {
            let ended = runs.database.retry_while_busy(|| runs.end_interrupted()).await;
            let interrupted = ended.map_err(|cause| error("write", cause))?;
            if interrupted > 0 {
                tracing::warn!(runs = interrupted, "runs were interrupted: their processes ended before they did");
            }
        }
        Ok(Opened { runs, set_aside })
    }

    /// Reads the whole file; an error says how it is damaged.
    ///
    /// # Errors
    /// [`RunStoreError`] with `CATALOG_CORRUPT` if it is, and whatever keeps it from being read.
    pub async fn check(&self) -> Result<(), RunStoreError> {
        self.database.check().await.map_err(|cause| error("check", cause))
    }

    /// Writes down the end of runs whose process is gone. Gives how many there were.
    async fn end_interrupted(&self) -> Result<u64, SqliteError> {
        let failed = |error| self.database.error("write", &error);
        let Some(readers) = self.database.readers() else { return Ok(0) };
        let mut interrupted = 0;
        let open: Vec<String> = sqlx::query_scalar("SELECT id FROM runs WHERE status IN ('pending', 'running')")
            .fetch_all(readers)
            .await
            .map_err(failed)?;
        for id in &open {
            // Somebody may let it go on at this moment: whoever has it decides. Of a lock that cannot be taken it is not certain
            // that nobody has it.
            if !self.running.take(id).unwrap_or(false) {
                continue;
            }
            let ended = self.end_one(id).await;
            self.running.release(id);
            interrupted += u64::from(ended?);
        }
        Ok(interrupted)
    }

    /// Writes down that this run was interrupted, if it has not ended.
    async fn end_one(&self, id: &str) -> Result<bool, SqliteError> {
        let failed = |error| self.database.error("write", &error);
        let mut transaction = self.database.begin_write().await?;
        // Whoever ran it wrote its end before giving the lock back; this reads what is there after that.
        let found = stored(&mut transaction, id).await.map_err(failed)?;
        // A record that cannot be understood is left as it is; `get` says what is wrong with it.
        let Some(record) = found.and_then(|found| found.parsed().ok()).filter(RunRecord::is_open) else {
            return Ok(false);
        };
        let record = interrupted(record);
        write(&mut transaction, &record, &Changes::all(&record.jobs)).await.map_err(failed)?;
        self.database.commit(transaction).await?;
        Ok(true)
    }

    /// The record as it is shown: one whose process is gone is one that was interrupted.
    async fn shown(&self, record: RunRecord) -> Result<RunRecord, RunStoreError> {
        if !record.is_open() || self.running.is_alive(&record.id) {
            return Ok(record);
        }
        // It may have ended between the look at the record and the look at the lock.
        let found = self.database.retry_while_busy(|| self.find(&record.id)).await;
        let found = found.map_err(|cause| error("read", cause))?;
        let record = match found.into_iter().find(|found| found.id == record.id) {
            Some(found) => found.record()?,
            None => record,
        };
        Ok(if record.is_open() { interrupted(record) } else { record })
    }

    /// False if another file lies in its place by now, or none.
    pub(super) fn is_in_place(&self) -> bool {
        self.database.is_in_place()
    }

    /// Folds the write-ahead log into the file and closes every connection.
    pub async fn close(self) {
        self.database.close().await;
    }

    async fn write(&self, record: &RunRecord, changes: &Changes, durability: Durability) -> Result<(), SqliteError> {
        let mut transaction = match durability {
            Durability::Durable => self.database.begin_write().await?,
            Durability::Volatile => self.database.begin_volatile().await?,
        };
        write(&mut transaction, record, changes).await.map_err(|error| self.database.error("write", &error))?;
        self.database.commit(transaction).await
    }

    /// Writes a record of a run that this process has, or that has ended.
    async fn save_held(&self, record: &RunRecord, durability: Durability) -> Result<(), RunStoreError> {
        let (changes, steps) = self.written.changes(record);
        let written = self.database.retry_while_busy(|| self.write(record, &changes, durability)).await;
        if written.is_ok() && record.is_open() {
            self.written.keep(&record.id, steps);
        }
        written.map_err(|cause| error("write", cause))
    }

    /// Writes a record if this one is still there. This process has the run.
    async fn write_in_place_of(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, SqliteError> {
        let failed = |error| self.database.error("write", &error);
        let mut transaction = self.database.begin_write().await?;
        let found = stored(&mut transaction, &before.id).await.map_err(failed)?;
        let found = found.and_then(|found| found.parsed().ok());
        // Nobody has it, so one that goes on was interrupted, and is shown so.
        let found = found.map(|found| if found.is_open() { interrupted(found) } else { found });
        if found.as_ref() != Some(before) {
            return Ok(false);
        }
        write(&mut transaction, record, &Changes::all(&record.jobs)).await.map_err(failed)?;
        // What was asked of whoever had it before is over.
        cancellations::run_ended(&mut transaction, &record.id).await.map_err(failed)?;
        self.database.commit(transaction).await?;
        Ok(true)
    }

    async fn find(&self, id: &str) -> Result<Vec<StoredRecord>, SqliteError> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        let failed = |error| self.database.error("read", &error);
        // The record and its steps as they are at one moment.
        let mut transaction = readers.begin().await.map_err(failed)?;
        let found: Vec<(String, String)> = sqlx::query_as(
            "SELECT id, record FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id <> ?1, id LIMIT 2",
        )
        .bind(id)
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
        let mut all = Vec::with_capacity(found.len());
        for (id, json) in found {
            let steps = steps::read(&mut transaction, &id).await.map_err(failed)?;
            all.push(StoredRecord { id, json, steps });
        }
        Ok(all)
    }

    async fn filtered(&self, filter: &RunFilter) -> Result<Vec<StoredHeader>, SqliteError> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        let found = header::list(readers, filter).await;
        found.map_err(|error| self.database.error("read", &error))
    }
}

/// The record of exactly this identifier.
async fn stored(connection: &mut SqliteConnection, id: &str) -> Result<Option<StoredRecord>, sqlx::Error> {
    let json: Option<String> =
        sqlx::query_scalar("SELECT record FROM runs WHERE id = ?1").bind(id).fetch_optional(&mut *connection).await?;
    let Some(json) = json else { return Ok(None) };
    Ok(Some(StoredRecord { id: id.to_owned(), json, steps: steps::read(connection, id).await? }))
}

/// Writes a record, and of its steps these.
async fn write(connection: &mut SqliteConnection, record: &RunRecord, changes: &Changes) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO runs (id, name, trigger_name, status, started_millis, finished_millis, record) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
         trigger_name = excluded.trigger_name, status = excluded.status, started_millis = excluded.started_millis, \
         finished_millis = excluded.finished_millis, record = excluded.record",
    )
    .bind(&record.id)
    .bind(&record.name)
    .bind(&record.trigger)
    .bind(record.status.as_str())
    .bind(record.started_at.as_millis())
    .bind(record.finished_at.map(Timestamp::as_millis))
    .bind(to_json(record))
    .execute(&mut *connection)
    .await?;
    steps::write(connection, &record.id, changes).await?;
    if record.is_open() {
        return Ok(());
    }
    // Nobody waits for its end any more.
    leases::run_ended(connection, &record.id).await?;
    cancellations::run_ended(connection, &record.id).await
}

#[async_trait]
impl RunStore for SqliteRuns {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        if record.is_open() {
            self.running.hold(&record.id).map_err(|fault| RunStoreError { operation: "write", fault })?;
        }
        let saved = self.save_held(record, Durability::Durable).await;
        // Nobody goes on with a run whose end cannot be written: what is on record is all that will be.
        if !record.is_open() {
            self.running.release(&record.id);
        }
        saved
    }

    async fn save_under_way(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        if !record.is_open() {
            return self.save(record).await;
        }
        self.running.hold(&record.id).map_err(|fault| RunStoreError { operation: "write", fault })?;
        self.save_held(record, Durability::Volatile).await
    }

    async fn settle(&self) -> Result<(), RunStoreError> {
        self.database.sync_log().await.map_err(|cause| error("write", cause))
    }

    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.running.hold(&record.id).map_err(|fault| RunStoreError { operation: "write", fault })?;
        self.save_held(record, Durability::Durable).await
    }

    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunStoreError> {
        let taken = self.running.take(&before.id).map_err(|fault| RunStoreError { operation: "write", fault })?;
        if !taken {
            return Ok(false);
        }
        let replaced = self.database.retry_while_busy(|| self.write_in_place_of(before, record)).await;
        if !matches!(replaced, Ok(true)) || !record.is_open() {
            self.running.release(&before.id);
        }
        replaced.map_err(|cause| error("write", cause))
    }

    async fn get(&self, id: &str) -> Result<RunLookup, RunStoreError> {
        let found = self.database.retry_while_busy(|| self.find(id)).await.map_err(|cause| error("read", cause))?;
        let record = match found.as_slice() {
            [] => return Ok(RunLookup::Unknown),
            [found] => found.record()?,
            [found, ..] if found.id == id => found.record()?,
            [..] => return Ok(RunLookup::Ambiguous),
        };
        Ok(RunLookup::Found(Box::new(self.shown(record).await?)))
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunStoreError> {
        let found =
            self.database.retry_while_busy(|| self.filtered(filter)).await.map_err(|cause| error("read", cause))?;
        let mut headers = Vec::with_capacity(found.len());
        for stored in found {
            let header = match parse_header(stored) {
                // When it ended stands in its record.
                Ok(header) if header.is_open() && !self.running.is_alive(&header.id) => {
                    self.get(&header.id).await.map(|found| found.found().map(|record| RunHeader::from(&record)))
                }
                other => other.map(Some),
            };
            match header {
                Ok(header) => headers.extend(header),
                // One record that cannot be read does not hide the others; `get` says what is wrong with it.
                Err(error) => tracing::warn!(%error, "a run is left out"),
            }
        }
        Ok(headers)
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        retention::forget(self, before).await.map_err(|cause| error("write", cause))
    }

    async fn forget_lines(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        retention::forget_lines(self, before).await.map_err(|cause| error("write", cause))
    }

    async fn request_cancellation(&self, request: &CancellationRequest) -> Result<bool, RunStoreError> {
        if !self.running.is_alive(&request.run) {
            return Ok(false);
        }
        let written = self.database.retry_while_busy(|| self.write_cancellation(request)).await;
        written.map_err(|cause| error("write", cause))
    }

    async fn requested_cancellations(&self) -> Result<Vec<CancellationRequest>, RunStoreError> {
        let found = self.database.retry_while_busy(|| self.read_cancellations()).await;
        let found = found.map_err(|cause| error("read", cause))?;
        Ok(found.into_iter().filter(|request| self.running.is_held(&request.run)).collect())
    }
}

fn error(operation: &'static str, cause: SqliteError) -> RunStoreError {
    RunStoreError { operation, fault: cause.into_fault() }
}
