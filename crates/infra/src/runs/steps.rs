//! The steps of records, each in a row of its own: of a run that goes on, only those are written that have changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mangrove_domain::run::{JobRecord, RunRecord, StepRecord};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::record;

/// How many steps are written with one statement.
const WRITTEN_AT_ONCE: usize = 1_000;

/// What is on record of the runs that this process carries out. Nobody else writes these.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<HashMap<String, Steps>>);

/// The steps of a run, by job.
type Steps = Vec<Vec<Arc<StepRecord>>>;

/// What has to be written of the steps of a record.
pub(super) struct Changes {
    /// True if nothing is known of what is there.
    pub(super) is_all: bool,
    /// Job, place in the job, and document.
    steps: Vec<(usize, usize, String)>,
}

impl Written {
    /// What a record has that is not written. Until [`keep`](Self::keep) says that this has been written, nothing is known of
    /// what is there.
    pub(super) fn changes(&self, record: &RunRecord) -> (Changes, Steps) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&record.id);
        // A job whose steps have become others has other rows.
        let known = known.filter(|known| {
            known.len() == record.jobs.len()
                && known.iter().zip(&record.jobs).all(|(known, job)| known.len() == job.steps.len())
        });
        let is_all = known.is_none();
        let mut known = known.unwrap_or_else(|| vec![Vec::new(); record.jobs.len()]);
        let mut steps = Vec::new();
        for (number, (known, job)) in known.iter_mut().zip(&record.jobs).enumerate() {
            for (place, step) in job.steps.iter().enumerate() {
                match known.get_mut(place) {
                    Some(known) if Arc::ptr_eq(known, step) || known == step => continue,
                    Some(known) => *known = Arc::clone(step),
                    None => known.push(Arc::clone(step)),
                }
                steps.push((number, place, record::step_to_json(step)));
            }
        }
        (Changes { is_all, steps }, known)
    }

    /// These steps are on record, and this process goes on writing them.
    pub(super) fn keep(&self, run: &str, steps: Steps) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(run.to_owned(), steps);
    }
}

impl Changes {
    /// All steps.
    pub(super) fn all(jobs: &[JobRecord]) -> Self {
        let steps = jobs.iter().enumerate().flat_map(|(number, job)| {
            job.steps.iter().enumerate().map(move |(place, step)| (number, place, record::step_to_json(step)))
        });
        Self { is_all: true, steps: steps.collect() }
    }

    /// Writes them; the record of the run is there.
    pub(super) async fn write(&self, connection: &mut SqliteConnection, run: &str) -> Result<(), sqlx::Error> {
        if self.is_all {
            sqlx::query("DELETE FROM run_steps WHERE run = ?1").bind(run).execute(&mut *connection).await?;
        }
        for part in self.steps.chunks(WRITTEN_AT_ONCE) {
            let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO run_steps (run, job, step, record) ");
            query.push_values(part, |mut row, (job, place, json)| {
                row.push_bind(run).push_bind(number(*job)).push_bind(number(*place)).push_bind(json.as_str());
            });
            query.push(" ON CONFLICT (run, job, step) DO UPDATE SET record = excluded.record");
            query.build().execute(&mut *connection).await?;
        }
        Ok(())
    }
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
    Ok(rows.into_iter().map(|(job, json)| (usize::try_from(job).unwrap_or(usize::MAX), json)).collect())
}

fn number(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}
