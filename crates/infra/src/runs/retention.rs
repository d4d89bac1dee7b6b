//! Forgetting runs that ended long ago, and what they logged.

use mangrove_domain::time::Timestamp;

use super::{SqliteRuns, record};
use crate::sqlite::SqliteError;

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
            let Ok(mut record) = record::parse(json) else { continue };
            if record.forget_lines() {
                let json_without = record::to_json(&record);
                runs.database.retry_while_busy(|| replace(runs, id, json, &json_without)).await?;
                forgotten += 1;
            }
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

/// Replaces a record, if it is still this one.
async fn replace(runs: &SqliteRuns, id: &str, old: &str, new: &str) -> Result<(), SqliteError> {
    let mut transaction = runs.database.begin_write().await?;
    sqlx::query("UPDATE runs SET record = ?3 WHERE id = ?1 AND record = ?2")
        .bind(id)
        .bind(old)
        .bind(new)
        .execute(&mut *transaction)
        .await
        .map_err(|error| runs.database.error("write", &error))?;
    runs.database.commit(transaction).await
}
