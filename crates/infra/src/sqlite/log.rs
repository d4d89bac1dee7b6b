//! The write-ahead log: what a process leaves that ends without closing, and what is not on the disk yet.

use std::io;

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::{
    atomic,
    faults::{Operation, io_fault},
};

use super::{SqliteError, database::Database, files::with_suffix};

impl Database {
    /// How long the write-ahead log is, in bytes; 0 if there is none.
    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(with_suffix(&self.path, "-wal")).map_or(0, |metadata| metadata.len())
    }

    /// Folds the write-ahead log into the file and empties it. Best effort, and waits for nobody: while others read or
    /// write, the log stays.
    pub(crate) async fn fold_log(&self) {
        let Some(writer) = self.pools.as_ref().and_then(|pools| pools.writer.as_ref()) else { return };
        let folded: Result<(), sqlx::Error> = async {
            let mut connection = writer.acquire().await?;
            let patience: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *connection).await?;
            sqlx::query("PRAGMA busy_timeout = 0").fetch_all(&mut *connection).await?;
            let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_all(&mut *connection).await;
            let patience = sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {patience}"));
            sqlx::query(patience).fetch_all(&mut *connection).await?;
            folded.map(drop)
        }
        .await;
        if let Err(error) = folded {
            tracing::debug!(%error, "the write-ahead log stays");
        }
    }

    /// Makes durable what was committed so far.
    pub(crate) async fn sync_log(&self) -> Result<(), SqliteError> {
        let path = with_suffix(&self.path, "-wal");
        let synced = mangrove_fs::blocking(move || match atomic::sync(&path) {
            // It was folded into the file, which waits for the disk by itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.map_err(|error| io_fault(Operation::Sync, &path, &error)),
        });
        let synced = synced.await.unwrap_or_else(|error| {
            let message = format!("cannot wait for the disk: {error}");
            Err(Fault::environment(Code::CATALOG_FAILED, "catalog:sync", message))
        });
        synced.map_err(SqliteError::Other)
    }
}
