//! Writing records.

use mangrove_domain::{
    ports::{RunStoreError, ScheduleClaim},
    problem::Code,
    run::RunRecord,
    time::Timestamp,
};
use sqlx::{Connection as _, PgConnection};

use super::{PostgresRuns, lookup};
use crate::{
    postgres::{PostgresError, text},
    run_records::{Changes, interrupted, stored_place, to_json},
};

impl PostgresRuns {
    /// Writes a record; this process has its run from then on, or nobody has it.
    pub(super) async fn write(&self, record: &RunRecord, has_run: bool) -> Result<(), RunStoreError> {
        if has_run {
            self.announce().await?;
        }
        let claim = self.state().claimed.get(&record.id).cloned();
        if !record.is_open() {
            // A fail-over may have lost what was written before, and nothing follows that would write it again.
            self.0.written.doubt(&record.id);
        }
        let (changes, steps) = self.0.written.changes(record);
        let write = self.change(async |mut link| {
            let written = self.write_once(&mut link, record, has_run, &changes, claim.as_ref()).await;
            (link, written)
        });
        let written = write.await;
        if claim.is_some() {
            let mut state = self.state();
            state.claimed.remove(&record.id);
            if let Err(error) = &written
                && error.fault.code != Code::RUN_TAKEN_OVER
            {
                // Nobody knows whether it got there, and the run does not begin.
                state.retracted.insert(record.id.clone());
            }
        }
        written?;
        if has_run {
            self.0.written.keep(&record.id, steps);
        } else {
            self.state().takeovers.remove(&record.id);
        }
        Ok(())
    }

    async fn write_once(
        &self,
        connection: &mut PgConnection,
        record: &RunRecord,
        has_run: bool,
        changes: &Changes,
        claim: Option<&ScheduleClaim>,
    ) -> Result<(), PostgresError> {
        let mut transaction = connection.begin().await.map_err(self.failed("write"))?;
        // Whoever takes a claim over waits here, or is seen here: of two, one starts its run.
        if let Some(claim) = claim
            && !self.begin(&mut transaction, claim).await.map_err(self.failed("write"))?
        {
            return Err(self.taken_over(&record.id));
        }
        if !self.write_record(&mut transaction, record, has_run, changes, None).await.map_err(self.failed("write"))? {
            return Err(self.taken_over(&record.id));
        }
        transaction.commit().await.map_err(self.failed("write"))
    }

    /// Notes that the run of a claim begins. False if the claim is not for it any more.
    async fn begin(&self, connection: &mut PgConnection, claim: &ScheduleClaim) -> Result<bool, sqlx::Error> {
        let written = sqlx::query(
            "UPDATE schedule_claims SET is_begun = true WHERE workflow = $1 AND instant_millis = $2 AND run = $3",
        )
        .bind(text::storable(&claim.workflow))
        .bind(claim.instant.as_millis())
        .bind(text::storable(&claim.run))
        .execute(connection)
        .await?;
        Ok(written.rows_affected() > 0)
    }

    /// Writes a record and what has changed of its steps. False if another process, which lives, has its run, or has had it since this
    /// one had it.
    async fn write_record(
        &self,
        connection: &mut PgConnection,
        record: &RunRecord,
        has_run: bool,
        changes: &Changes,
        takeovers: Option<i64>,
    ) -> Result<bool, sqlx::Error> {
        let takeovers = takeovers.or_else(|| self.state().takeovers.get(&record.id).copied()).unwrap_or_default();
        let written = sqlx::query(
            "INSERT INTO runs (id, name, trigger_name, status, started_millis, finished_millis, record, process) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
             trigger_name = excluded.trigger_name, status = excluded.status, started_millis = excluded.started_millis, \
             finished_millis = excluded.finished_millis, record = excluded.record, process = excluded.process \
             WHERE runs.takeovers = $11 AND (runs.process IS NULL OR runs.process = $9 OR NOT EXISTS (SELECT 1 FROM processes \
             WHERE processes.id = runs.process AND processes.seen_at > clock_timestamp() - make_interval(secs => $10)))",
        )
        .bind(text::storable(&record.id))
        .bind(text::storable(&record.name))
        .bind(text::storable(&record.trigger))
        .bind(record.status.as_str())
        .bind(record.started_at.as_millis())
        .bind(record.finished_at.map(Timestamp::as_millis))
        .bind(text::storable(&to_json(record)))
        .bind(has_run.then_some(self.0.process.as_str()))
        .bind(&self.0.process)
        .bind(self.0.lease.as_secs_f64())
        .bind(takeovers)
        .execute(&mut *connection)
        .await?;
        if written.rows_affected() == 0 {
            return Ok(false);
        }
        write_steps(connection, &record.id, changes).await?;
        if !record.is_open() {
            // Nobody waits for its end any more.
            for statement in
                ["UPDATE schedule_claims SET run = NULL WHERE run = $1", "DELETE FROM run_cancellations WHERE run = $1"]
            {
                sqlx::query(statement).bind(text::storable(&record.id)).execute(&mut *connection).await?;
            }
        }
        Ok(true)
    }

    /// Writes a record if this one is still there and nobody has its run.
    pub(super) async fn write_in_place_of(
        &self,
        before: &RunRecord,
        record: &RunRecord,
    ) -> Result<bool, RunStoreError> {
        if record.is_open() {
            self.announce().await?;
        }
        self.0.written.doubt(&record.id);
        let (changes, steps) = self.0.written.changes(record);
        let replaced = self
            .change(async |mut link| {
                let replaced = self.replace_once(&mut link, before, record, &changes).await;
                (link, replaced)
            })
            .await?;
        let Some(takeovers) = replaced else { return Ok(false) };
        self.state().takeovers.insert(record.id.clone(), takeovers);
        if record.is_open() {
            self.0.written.keep(&record.id, steps);
        }
        Ok(true)
    }

    /// Gives how often the run was taken over by now.
    async fn replace_once(
        &self,
        connection: &mut PgConnection,
        before: &RunRecord,
        record: &RunRecord,
        changes: &Changes,
    ) -> Result<Option<i64>, PostgresError> {
        let failed = self.failed("write");
        let mut transaction = connection.begin().await.map_err(&failed)?;
        // Whoever had it before cannot write it any more, and what was asked of it then is over.
        let taken = sqlx::query_scalar("UPDATE runs SET takeovers = takeovers + 1 WHERE id = $1 RETURNING takeovers");
        let taken: Option<i64> =
            taken.bind(text::storable(&before.id)).fetch_optional(&mut *transaction).await.map_err(&failed)?;
        let forgotten = sqlx::query("DELETE FROM run_cancellations WHERE run = $1").bind(text::storable(&before.id));
        forgotten.execute(&mut *transaction).await.map_err(&failed)?;
        let Some(takeovers) = taken else { return Ok(None) };
        let found = lookup::stored(&mut transaction, &before.id, self.0.lease).await.map_err(&failed)?;
        let Some(found) = found.filter(|found| !found.has_process) else { return Ok(None) };
        // Nobody has it, so one that goes on was interrupted, and is shown so.
        let found = found.record.parsed().ok();
        let found = found.map(|found| if found.is_open() { interrupted(found) } else { found });
        if found.as_ref() != Some(before) {
            return Ok(None);
        }
        let (has_run, known) = (record.is_open(), Some(takeovers));
        if !self.write_record(&mut transaction, record, has_run, changes, known).await.map_err(&failed)? {
            return Ok(None);
        }
        transaction.commit().await.map_err(&failed)?;
        Ok(Some(takeovers))
    }
}

/// Writes what has changed of the steps of a run; its record is there.
pub(super) async fn write_steps(
    connection: &mut PgConnection,
    run: &str,
    changes: &Changes,
) -> Result<(), sqlx::Error> {
    if changes.is_all {
        let removed = sqlx::query("DELETE FROM run_steps WHERE run = $1").bind(text::storable(run));
        removed.execute(&mut *connection).await?;
    }
    if changes.steps.is_empty() {
        return Ok(());
    }
    let (mut jobs, mut places, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for step in &changes.steps {
        jobs.push(stored_place(step.job));
        places.push(stored_place(step.place));
        records.push(text::storable(&step.json));
    }
    sqlx::query(
        "INSERT INTO run_steps (run, job, step, record) SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::text[]) \
         ON CONFLICT (run, job, step) DO UPDATE SET record = excluded.record",
    )
    .bind(text::storable(run))
    .bind(jobs)
    .bind(places)
    .bind(records)
    .execute(connection)
    .await
    .map(drop)
}
