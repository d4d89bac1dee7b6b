//! An open file: reading, writing, checking and copying it.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::{
    atomic::{self, Durability},
    faults::{Operation, io_fault},
};
use sqlx::{Row as _, Sqlite, SqliteConnection, SqlitePool, Transaction, sqlite::SqliteConnectOptions};
use tokio::{sync::Mutex, time::Instant};

use super::{
    BusyPolicy, OpenMode, SqliteError,
    connections::reader_pool,
    error::corrupt,
    files::{FileIdentity, directory_of, suspect_path},
};
use crate::persistence::Patience;

/// An open file.
#[derive(Debug)]
pub(crate) struct Database {
    pub(super) path: PathBuf,
    pub(super) pools: Option<Pools>,
    pub(super) identity: Option<FileIdentity>,
    pub(super) patience: Patience,
    /// Held while a transaction begins.
    pub(super) turn: Mutex<()>,
    /// True if the connection that writes does not wait for the disk.
    pub(super) is_volatile: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Pools {
    pub(super) writer: Option<SqlitePool>,
    pub(super) readers: SqlitePool,
}

impl Database {
    pub(super) fn writable(
        path: &Path,
        writer: SqlitePool,
        options: SqliteConnectOptions,
        busy: BusyPolicy,
    ) -> Result<Self, SqliteError> {
        let identity =
            FileIdentity::of(path).map_err(|error| SqliteError::Other(io_fault(Operation::Stat, path, &error)))?;
        Ok(Self {
            path: path.to_owned(),
            pools: Some(Pools { writer: Some(writer), readers: reader_pool(options.read_only(true)) }),
            identity,
            patience: Patience::new(busy),
            turn: Mutex::default(),
            is_volatile: AtomicBool::new(false),
        })
    }

    /// How it was opened.
    pub(crate) fn mode(&self) -> OpenMode {
        let is_writable = self.pools.as_ref().is_some_and(|pools| pools.writer.is_some());
        if is_writable { OpenMode::ReadWrite } else { OpenMode::ReadOnly }
    }

    /// Where the file lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The connections to read with; `None` if there is no file.
    pub(crate) fn readers(&self) -> Option<&SqlitePool> {
        self.pools.as_ref().map(|pools| &pools.readers)
    }

    /// A transaction that is a writer from its first statement on: one that turns into a writer later gets
    /// `SQLITE_BUSY` without any waiting.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Sqlite>, SqliteError> {
        self.begin(Durability::Durable).await
    }

    /// The same, where what is committed reaches the disk only when [`sync_log`](Self::sync_log), or a later transaction of the
    /// other kind, comes back.
    pub(crate) async fn begin_volatile(&self) -> Result<Transaction<'static, Sqlite>, SqliteError> {
        self.begin(Durability::Volatile).await
    }

    async fn begin(&self, durability: Durability) -> Result<Transaction<'static, Sqlite>, SqliteError> {
        let Some(writer) = self.pools.as_ref().and_then(|pools| pools.writer.as_ref()) else {
            let message = format!("{} is opened read-only", self.path.display());
            return Err(SqliteError::Other(Fault::environment(Code::NOT_WRITABLE, "catalog:read-only", message)));
        };
        self.check_identity()?;
        // One after the other: whoever waits its turn here finds out how much patience is left then.
        let _turn = self.turn.lock().await;
        let begun = async {
            if let Some(wait) = self.patience.next_wait(Instant::now()) {
                sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {wait}"))).execute(writer).await?;
            }
            // A connection that is made anew waits for the disk.
            match durability {
                Durability::Volatile => {
                    self.is_volatile.store(true, Ordering::Relaxed);
                    writer.begin_with("PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE").await
                }
                Durability::Durable if self.is_volatile.load(Ordering::Relaxed) => {
                    let begun = writer.begin_with("PRAGMA synchronous = FULL; BEGIN IMMEDIATE").await?;
                    // Not before: whoever is dropped, or waits too long for the connection, has set nothing.
                    self.is_volatile.store(false, Ordering::Relaxed);
                    Ok(begun)
                }
                Durability::Durable => writer.begin_with("BEGIN IMMEDIATE").await,
            }
        };
        let transaction = begun.await.map_err(|error| self.error("write", &error))?;
        self.patience.got_through();
        Ok(transaction)
    }

    /// Opens another file beside this one for the connection that writes, under the name `staged`. Nobody else may have
    /// it open.
    pub(crate) async fn attach(&self, path: &Path) -> Result<(), SqliteError> {
        let Some(writer) = self.pools.as_ref().and_then(|pools| pools.writer.as_ref()) else { return Ok(()) };
        let attached = sqlx::query("ATTACH DATABASE ?1 AS staged").bind(path.to_string_lossy().into_owned());
        attached.execute(writer).await.map_err(|error| self.error("attach", &error))?;
        Ok(())
    }

    /// Closes what [`attach`](Self::attach) opened.
    pub(crate) async fn detach(&self) -> Result<(), SqliteError> {
        let Some(writer) = self.pools.as_ref().and_then(|pools| pools.writer.as_ref()) else { return Ok(()) };
        sqlx::query("DETACH DATABASE staged").execute(writer).await.map_err(|error| self.error("detach", &error))?;
        Ok(())
    }

    /// Commits what [`begin_write`](Self::begin_write) began. A file that was deleted meanwhile is an error:
    /// the commit would go where nobody finds it.
    pub(crate) async fn commit(&self, transaction: Transaction<'static, Sqlite>) -> Result<(), SqliteError> {
        self.check_identity()?;
        transaction.commit().await.map_err(|error| self.error("write", &error))
    }

    /// False if another file lies in its place by now, or none.
    pub(crate) fn is_in_place(&self) -> bool {
        match FileIdentity::of(&self.path) {
            Ok(now) => self.identity.is_none() || now == self.identity,
            Err(error) => self.identity.is_none() || error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    fn check_identity(&self) -> Result<(), SqliteError> {
        let now = match FileIdentity::of(&self.path) {
            Ok(identity) => identity,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(SqliteError::Other(io_fault(Operation::Stat, &self.path, &error))),
        };
        if now == self.identity && (now.is_some() || cfg!(not(unix))) {
            return Ok(());
        }
        let message = format!("{} was deleted or replaced by another process while it was open", self.path.display());
        Err(SqliteError::Replaced(Fault::transient(Code::CATALOG_FAILED, "catalog:replaced", message)))
    }

    /// Runs an attempt again while the file is busy, as long as the [`Patience`] with it lasts.
    pub(crate) async fn retry_while_busy<T, F: Future<Output = Result<T, SqliteError>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, SqliteError> {
        loop {
            let began = Instant::now();
            match attempt().await {
                Err(SqliteError::Busy(_)) if self.patience.was_busy(began, Instant::now()) => {}
                Err(SqliteError::Corrupt(fault)) => {
                    self.mark_suspect();
                    return Err(SqliteError::Corrupt(fault));
                }
                other => return other,
            }
        }
    }

    /// Says what an error of the engine means for this file.
    pub(crate) fn error(&self, operation: &str, error: &sqlx::Error) -> SqliteError {
        SqliteError::of(operation, &self.path, error)
    }

    /// Makes the next open check the whole file: damage was met in the middle of work.
    pub(crate) fn mark_suspect(&self) {
        if self.pools.as_ref().is_some_and(|pools| pools.writer.is_some()) {
            // Best effort: without the mark, the probe at open still reads the pages of the rows.
            let _ = atomic::write(directory_of(&self.path), &suspect_path(&self.path), b"", Durability::Volatile);
        }
    }

    /// Reads the whole file and says whether it is in order.
    pub(crate) async fn check(&self) -> Result<(), SqliteError> {
        let Some(readers) = self.readers() else { return Ok(()) };
        let verdict: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_one(readers)
            .await
            .map_err(|error| self.error("check", &error))?;
        if verdict == "ok" { Ok(()) } else { Err(corrupt(format!("{} is damaged: {verdict}", self.path.display()))) }
    }

    /// Writes a copy as of now to `target`, which must not exist. It appears there whole or not at all.
    pub(crate) async fn back_up(&self, target: &Path) -> Result<(), SqliteError> {
        let io = |operation, error: &std::io::Error| SqliteError::Other(io_fault(operation, target, error));
        let Some(readers) = self.readers() else {
            let error = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(SqliteError::Other(io_fault(Operation::Read, &self.path, &error)));
        };
        if std::fs::symlink_metadata(target).is_ok() {
            return Err(io(Operation::Create, &std::io::ErrorKind::AlreadyExists.into()));
        }
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        #[expect(clippy::disallowed_methods, reason = "in the directory that a person names for the copy")]
        let copy = tempfile::Builder::new()
            .prefix(".mangrove-backup-")
            .tempfile_in(directory)
            .map_err(|error| io(Operation::Create, &error))?;
        sqlx::query("VACUUM INTO ?1")
            .bind(copy.path().to_string_lossy().into_owned())
            .execute(readers)
            .await
            .map_err(|error| self.error("copy", &error))?;
        copy.as_file().sync_all().map_err(|error| io(Operation::Sync, &error))?;
        copy.persist_noclobber(target).map_err(|error| io(Operation::Create, &error.error))?;
        Ok(())
    }

    /// Waits until every connection is closed, which folds the write-ahead log into the file.
    pub(crate) async fn close(&self) {
        if let Some(pools) = &self.pools {
            pools.readers.close().await;
            if let Some(writer) = &pools.writer {
                writer.close().await;
            }
        }
    }
}

/// A value of `meta`.
pub(crate) async fn meta(connection: &mut SqliteConnection, name: &str) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = ?1").bind(name).fetch_optional(connection).await?;
    row.map(|row| row.try_get(0)).transpose()
}
