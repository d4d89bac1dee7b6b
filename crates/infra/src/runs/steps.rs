//! The steps of records in their table.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::run_records::{self, Changes, stored_place};

/// How many steps are written with one statement.
const WRITTEN_AT_ONCE: usize = 1_000;

/// Writes what has changed; the record of the run is there.
pub(super) async fn write(connection: &mut SqliteConnection, run: &str, changes: &Changes) -> Result<(), sqlx::Error> {
    if changes.is_all {
        sqlx::query("DELETE FROM run_steps WHERE run = ?1").bind(run).execute(&mut *connection).await?;
    }
    for part in changes.steps.chunks(WRITTEN_AT_ONCE) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO run_steps (run, job, step, record) ");
        query.push_values(part, |mut row, step| {
            row.push_bind(run)
                .push_bind(stored_place(step.job))
                .push_bind(stored_place(step.place))
                .push_bind(step.json.as_str());
        });
        query.push(" ON CONFLICT (run, job, step) DO UPDATE SET record = excluded.record");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// The steps of a run as they are stored: the place of the job and the document of each, in their order.
pub(super) async fn read(connection: &mut SqliteConnection, run: &str) -> Result<Vec<(usize, String)>, sqlx::Error> {
    // An earlier layout, which may be read as it is, has them in the record.
    let tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'run_steps'";
    if sqlx::query_scalar::<_, i64>(tables).fetch_one(&mut *connection).await? == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT job, record FROM run_steps WHERE run = ?1 ORDER BY job, step")
            .bind(run)
            .fetch_all(&mut *connection)
            .await?;
    Ok(rows.into_iter().map(|(job, json)| (run_records::place(job), json)).collect())
}
