//! Forgetting runs that ended long ago, and what they logged.

use mangrove_domain::time::Timestamp;

use super::{SqliteRuns, stored, write};
use crate::{run_records::Changes, sqlite::SqliteError};

/// How many records are removed in one transaction: others want to write as well.
const REMOVED_AT_ONCE: u32 = 100;
/// How many records are read at once for their lines.
const READ_AT_ONCE: u32 = 32;

/// Removes the runs that ended before this time.
pub(super) async fn forget(runs: &SqliteRuns, before: Timestamp) -> Result<u64, SqliteError> {
    let mut forgotten = 0;
    loop {
        let removed = runs.database.retry_while_busy(|| forget_some(runs, before)).await?;
        forgotten += removed;
        if removed < u64::from(REMOVED_AT_ONCE) {
            return Ok(forgotten);
        }
    }
}

async fn forget_some(runs: &SqliteRuns, before: Timestamp) -> Result<u64, SqliteError> {
    let mut transaction = runs.database.begin_write().await?;
    let removed = sqlx::query(
        "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE finished_millis < ?1 \
         AND status NOT IN ('pending', 'running') LIMIT ?2)",
    )
    .bind(before.as_millis())
    .bind(REMOVED_AT_ONCE)
    .execute(&mut *transaction)
    .await
    .map_err(|error| runs.database.error("write", &error))?;
    runs.database.commit(transaction).await?;
    Ok(removed.rows_affected())
}

/// Takes out what the runs logged that ended before this time. A record that cannot be understood is left as it is.
pub(super) async fn forget_lines(runs: &SqliteRuns, before: Timestamp) -> Result<u64, SqliteError> {
    let mut forgotten = 0;
    let mut last = String::new();
    loop {
        let found = runs.database.retry_while_busy(|| ended(runs, before, &last)).await?;
        let Some((id, _)) = found.last() else { return Ok(forgotten) };
        last.clone_from(id);
        for (id, json) in &found {
            forgotten += u64::from(runs.database.retry_while_busy(|| forget_lines_of(runs, id, json)).await?);
        }
    }
}

/// Some of the runs that ended before this time, by their identifiers after this one.
async fn ended(runs: &SqliteRuns, before: Timestamp, after: &str) -> Result<Vec<(String, String)>, SqliteError> {
    let Some(readers) = runs.database.readers() else { return Ok(Vec::new()) };
    sqlx::query_as(
        "SELECT id, record FROM runs WHERE id > ?1 AND finished_millis < ?2 AND status NOT IN ('pending', 'running') \
         ORDER BY id LIMIT ?3",
    )
    .bind(after)
    .bind(before.as_millis())
    .bind(READ_AT_ONCE)
    .fetch_all(readers)
    .await
    .map_err(|error| runs.database.error("read", &error))
}

/// Takes out what a run logged, if its record is still this one. True if there was anything.
async fn forget_lines_of(runs: &SqliteRuns, id: &str, json: &str) -> Result<bool, SqliteError> {
    let failed = |error| runs.database.error("write", &error);
    let mut transaction = runs.database.begin_write().await?;
    let Some(found) = stored(&mut transaction, id).await.map_err(failed)?.filter(|found| found.json == json) else {
        return Ok(false);
    };
    let Ok(mut record) = found.parsed() else { return Ok(false) };
    if !record.forget_lines() {
        return Ok(false);
    }
    write(&mut transaction, &record, &Changes::all(&record.jobs)).await.map_err(failed)?;
    runs.database.commit(transaction).await?;
    Ok(true)
}
