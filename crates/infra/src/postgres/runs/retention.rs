//! Forgetting runs that ended long ago, and what they logged.

use mangrove_domain::{ports::RunStoreError, time::Timestamp};
use sqlx::{Connection as _, PgConnection};

use super::{PostgresRuns, lookup, write};
use crate::{
    postgres::{PostgresError, text},
    run_records::{Changes, StoredRecord, to_json},
};

/// How many records are removed in one transaction: others want to write as well.
const REMOVED_AT_ONCE: u32 = 100;
/// How many records are read at once for their lines.
const READ_AT_ONCE: i64 = 32;

impl PostgresRuns {
    /// Removes the runs that ended before this time, and those that began before it and of whose process nothing is heard any more.
    pub(super) async fn remove_ended(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        let mut forgotten = 0;
        loop {
            let removed = self
                .change(async |mut link| {
                    let removed = self.remove_some(&mut link, before).await.map_err(self.failed("write"));
                    (link, removed)
                })
                .await?;
            forgotten += removed;
            if removed < u64::from(REMOVED_AT_ONCE) {
                return Ok(forgotten);
            }
        }
    }

    async fn remove_some(&self, connection: &mut PgConnection, before: Timestamp) -> Result<u64, sqlx::Error> {
        let removed = sqlx::query(
            "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE finished_millis < $1 \
             AND status NOT IN ('pending', 'running') OR started_millis < $1 AND status IN ('pending', 'running') \
             AND NOT EXISTS (SELECT 1 FROM processes WHERE processes.id = runs.process \
             AND processes.seen_at > clock_timestamp() - make_interval(secs => $3)) LIMIT $2)",
        );
        let removed =
            removed.bind(before.as_millis()).bind(i64::from(REMOVED_AT_ONCE)).bind(self.0.lease.as_secs_f64());
        Ok(removed.execute(connection).await?.rows_affected())
    }

    /// Takes out what the runs logged that ended before this time. A record that cannot be understood is left as it is.
    pub(super) async fn remove_lines(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        let mut forgotten = 0;
        let mut last = String::new();
        loop {
            let found = self
                .change(async |mut link| {
                    let found = self.remove_some_lines(&mut link, before, &last).await;
                    (link, found)
                })
                .await?;
            let Some((id, removed)) = found else { return Ok(forgotten) };
            last = id;
            forgotten += removed;
        }
    }

    /// Takes lines out of some of the runs after this identifier; gives the last of them and of how many there was anything.
    async fn remove_some_lines(
        &self,
        connection: &mut PgConnection,
        before: Timestamp,
        after: &str,
    ) -> Result<Option<(String, u64)>, PostgresError> {
        let failed = self.failed("write");
        let mut transaction = connection.begin().await.map_err(&failed)?;
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT id, record FROM runs WHERE id > $1 AND finished_millis < $2 AND status NOT IN ('pending', 'running') \
             ORDER BY id LIMIT $3 FOR UPDATE",
        )
        .bind(after)
        .bind(before.as_millis())
        .bind(READ_AT_ONCE)
        .fetch_all(&mut *transaction)
        .await
        .map_err(&failed)?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        let last = last.clone();
        let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
        let mut steps = lookup::steps_of(&mut transaction, &ids).await.map_err(&failed)?;
        let mut forgotten = 0;
        for (id, json) in &rows {
            let (steps, json) = (steps.remove(id).unwrap_or_default(), text::stored(json).into_owned());
            let Ok(mut record) = (StoredRecord { id: id.clone(), json, steps }).parsed() else { continue };
            if !record.forget_lines() {
                continue;
            }
            let update = sqlx::query("UPDATE runs SET record = $2 WHERE id = $1");
            let update = update.bind(id).bind(text::storable(&to_json(&record)).into_owned());
            update.execute(&mut *transaction).await.map_err(&failed)?;
            let changes = Changes::all(&record.jobs);
            write::write_steps(&mut transaction, &record.id, &changes).await.map_err(&failed)?;
            forgotten += 1;
        }
        transaction.commit().await.map_err(&failed)?;
        Ok(Some((last, forgotten)))
    }
}
