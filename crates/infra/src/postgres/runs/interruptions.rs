//! Runs whose process is gone: shown as interrupted at once, and written down as that by whoever lives.

use std::sync::atomic::Ordering;

use mangrove_domain::{run::RunRecord, time::Timestamp};
use sqlx::{Connection as _, PgConnection};

use super::{Inner, lookup, write};
use crate::{
    postgres::{PostgresError, text},
    run_records::{Changes, interrupted, to_json},
};

/// How many runs are ended in one look.
const ENDED_AT_ONCE: i64 = 1_000;

/// A run that goes on as far as it says, and the process that had it.
type Open = (String, Option<String>);

impl Inner {
    /// Writes down the end of runs whose process is gone. What their own machines know better they tell later (decision 0014).
    pub(super) async fn end_interrupted(&self) {
        match self.try_end_interrupted().await {
            Ok(0) => {}
            Ok(runs) => tracing::warn!(runs, "runs were interrupted: their processes ended before they did"),
            Err(error) => tracing::debug!(?error, "the runs of processes that are gone are not known"),
        }
    }

    async fn try_end_interrupted(&self) -> Result<usize, PostgresError> {
        let failed = |error| self.tables.server().error("write", &error);
        let open = self
            .tables
            .change("write", async |mut link| {
                let open = without_process(&mut link, self.lease.as_secs_f64()).await.map_err(failed);
                (link, open)
            })
            .await?;
        let mut ended = 0;
        for run in open {
            let written = self.tables.change("write", async |mut link| {
                let written = self.end_one(&mut link, &run).await.map_err(failed);
                (link, written)
            });
            ended += usize::from(written.await?);
        }
        Ok(ended)
    }

    /// Ends a run, unless somebody has it. As long as this looks, its process can neither say that it lives nor write.
    async fn end_one(&self, connection: &mut PgConnection, (run, process): &Open) -> Result<bool, sqlx::Error> {
        let lease = self.lease.as_secs_f64();
        let mut transaction = connection.begin().await?;
        let lives: Option<bool> = sqlx::query_scalar(
            "SELECT seen_at > clock_timestamp() - make_interval(secs => $2) FROM processes WHERE id = $1 FOR UPDATE",
        )
        .bind(process)
        .bind(lease)
        .fetch_optional(&mut *transaction)
        .await?;
        if lives == Some(true) {
            return Ok(false);
        }
        let still = sqlx::query("SELECT FROM runs WHERE id = $1 AND process IS NOT DISTINCT FROM $2 FOR UPDATE");
        if still.bind(run).bind(process).fetch_optional(&mut *transaction).await?.is_none() {
            return Ok(false);
        }
        let stored = lookup::stored(&mut transaction, &text::stored(run), self.lease).await?;
        // A record that cannot be understood is left as it is; `get` says what is wrong with it.
        let record = stored.and_then(|found| found.record.parsed().ok());
        let Some(record) = record.filter(RunRecord::is_open).map(interrupted) else { return Ok(false) };
        // The claim stays the run's: it may go on where the server cannot be reached, and then it is one that overlaps.
        sqlx::query("UPDATE runs SET status = $2, finished_millis = $3, record = $4, process = NULL WHERE id = $1")
            .bind(run)
            .bind(record.status.as_str())
            .bind(record.finished_at.map(Timestamp::as_millis))
            .bind(text::storable(&to_json(&record)))
            .execute(&mut *transaction)
            .await?;
        write::write_steps(&mut transaction, &record.id, &Changes::all(&record.jobs)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// After so long without a sign of this process, somebody may have ended its runs: what is on record of their steps is not known.
    pub(super) fn doubt_after_silence(&self) {
        let is_silent = self.state().signed.is_some_and(|signed| signed.elapsed() >= self.lease);
        if is_silent && self.is_announced.load(Ordering::Relaxed) {
            self.written.doubt_all();
        }
    }
}

async fn without_process(connection: &mut PgConnection, lease: f64) -> Result<Vec<Open>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, process FROM runs WHERE status IN ('pending', 'running') AND NOT EXISTS (SELECT 1 FROM processes \
         WHERE processes.id = runs.process AND processes.seen_at > clock_timestamp() - make_interval(secs => $1)) \
         ORDER BY id LIMIT $2",
    )
    .bind(lease)
    .bind(ENDED_AT_ONCE)
    .fetch_all(connection)
    .await
}
