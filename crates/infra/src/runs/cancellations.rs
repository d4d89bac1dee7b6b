//! Runs that somebody wants ended.

use mangrove_domain::ports::CancellationRequest;
use sqlx::SqliteConnection;

use super::SqliteRuns;
use crate::sqlite::SqliteError;

impl SqliteRuns {
    /// Writes a request down, unless the run has ended.
    pub(super) async fn write_cancellation(&self, request: &CancellationRequest) -> Result<bool, SqliteError> {
        let mut transaction = self.database.begin_write().await?;
        let written = sqlx::query(
            "INSERT INTO run_cancellations (run, reason) SELECT id, ?2 FROM runs WHERE id = ?1 AND status IN ('pending', 'running') \
             ON CONFLICT (run) DO NOTHING",
        )
        .bind(&request.run)
        .bind(&request.reason)
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.database.error("write", &error))?;
        let is_asked = written.rows_affected() > 0
            || sqlx::query_scalar::<_, i64>("SELECT count(*) FROM run_cancellations WHERE run = ?1")
                .bind(&request.run)
                .fetch_one(&mut *transaction)
                .await
                .map_err(|error| self.database.error("write", &error))?
                > 0;
        self.database.commit(transaction).await?;
        Ok(is_asked)
    }

    pub(super) async fn read_cancellations(&self) -> Result<Vec<CancellationRequest>, SqliteError> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        let found: Vec<(String, Option<String>)> =
            sqlx::query_as("SELECT run, reason FROM run_cancellations ORDER BY run")
                .fetch_all(readers)
                .await
                .map_err(|error| self.database.error("read", &error))?;
        Ok(found.into_iter().map(|(run, reason)| CancellationRequest { run, reason }).collect())
    }
}

/// Forgets who wanted a run ended that has ended.
pub(super) async fn run_ended(connection: &mut SqliteConnection, run: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM run_cancellations WHERE run = ?1").bind(run).execute(connection).await.map(|_| ())
}
