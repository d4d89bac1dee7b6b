//! Runs that somebody wants ended.

use mangrove_domain::ports::{CancellationRequest, RunStoreError};
use sqlx::PgConnection;

use super::PostgresRuns;
use crate::postgres::text;

impl PostgresRuns {
    /// Writes a request down, if a process that lives has the run.
    pub(super) async fn write_cancellation(&self, request: &CancellationRequest) -> Result<bool, RunStoreError> {
        self.change(async |mut link| {
            let written = self.insert_cancellation(&mut link, request).await.map_err(self.failed("write"));
            (link, written)
        })
        .await
    }

    async fn insert_cancellation(
        &self,
        connection: &mut PgConnection,
        request: &CancellationRequest,
    ) -> Result<bool, sqlx::Error> {
        let written = sqlx::query(
            "INSERT INTO run_cancellations (run, reason) SELECT runs.id, $2 FROM runs \
             JOIN processes ON processes.id = runs.process \
             WHERE runs.id = $1 AND runs.status IN ('pending', 'running') \
             AND processes.seen_at > clock_timestamp() - make_interval(secs => $3) \
             ON CONFLICT (run) DO UPDATE SET reason = run_cancellations.reason",
        )
        .bind(text::storable(&request.run))
        .bind(request.reason.as_deref().map(text::storable))
        .bind(self.0.lease.as_secs_f64())
        .execute(connection)
        .await?;
        Ok(written.rows_affected() > 0)
    }

    /// What others want of the runs of this process.
    pub(super) async fn read_cancellations(&self) -> Result<Vec<CancellationRequest>, RunStoreError> {
        let found: Vec<(String, Option<String>)> = self
            .read(async |mut link| {
                let query = sqlx::query_as(
                    "SELECT runs.id, run_cancellations.reason FROM run_cancellations \
                     JOIN runs ON runs.id = run_cancellations.run \
                     WHERE runs.process = $1 AND runs.status IN ('pending', 'running') ORDER BY runs.id",
                );
                let found = query.bind(&self.0.process).fetch_all(&mut *link).await.map_err(self.failed("read"));
                (link, found)
            })
            .await?;
        let told = |text: String| text::stored(&text).into_owned();
        let request =
            |(run, reason): (String, Option<String>)| CancellationRequest { run: told(run), reason: reason.map(told) };
        Ok(found.into_iter().map(request).collect())
    }
}
