//! Reading records.

use std::{collections::BTreeMap, time::Duration};

use mangrove_domain::{
    ports::{RunFilter, RunStoreError},
    run::{RunHeader, RunLookup, RunRecord},
};
use sqlx::{Connection as _, PgConnection};

use super::PostgresRuns;
use crate::{
    postgres::{PostgresError, text},
    run_records::{self, StoredHeader, StoredRecord, interrupted, parse_header},
};
#[cfg(feature = "sqlite")]
use mangrove_domain::{run::RunStatus, time::Timestamp};

/// How a run ended, as far as it has.
#[cfg(feature = "sqlite")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunEnd {
    pub(crate) status: RunStatus,
    pub(crate) finished_at: Option<Timestamp>,
}

#[cfg(feature = "sqlite")]
impl RunEnd {
    pub(crate) const fn of(record: &RunRecord) -> Self {
        Self { status: record.status, finished_at: record.finished_at }
    }

    /// True of what the machine of a run knows, if the server knows only that nothing was heard of it any more. Whoever went on with
    /// it later knows better.
    pub(crate) fn is_known_better_than(self, there: Self) -> bool {
        let is_later = self.finished_at > there.finished_at;
        let says_more = self.status != RunStatus::Interrupted && self.finished_at == there.finished_at;
        there.status == RunStatus::Interrupted && (is_later || says_more)
    }
}

/// A record as it is stored, and whether a process that lives has its run.
pub(super) struct Found {
    pub(super) record: StoredRecord,
    pub(super) has_process: bool,
}

impl Found {
    /// The record as it is shown: one whose process is gone is one that was interrupted.
    fn shown(&self) -> Result<RunRecord, RunStoreError> {
        let record = self.record.record()?;
        Ok(if record.is_open() && !self.has_process { interrupted(record) } else { record })
    }
}

/// True of a row of `runs` whose process lives; the lease in seconds is `$2`.
const HAS_PROCESS: &str = "EXISTS (SELECT 1 FROM processes WHERE processes.id = runs.process \
    AND processes.seen_at > clock_timestamp() - make_interval(secs => $2))";

/// The record of exactly this identifier.
pub(super) async fn stored(
    connection: &mut PgConnection,
    id: &str,
    lease: Duration,
) -> Result<Option<Found>, sqlx::Error> {
    Ok(matching(connection, "runs.id = $1", id, lease).await?.pop())
}

/// The records that a condition on `$1` lets through, at most two: the one of exactly this identifier first.
async fn matching(
    connection: &mut PgConnection,
    condition: &'static str,
    id: &str,
    lease: Duration,
) -> Result<Vec<Found>, sqlx::Error> {
    let query = format!(
        "SELECT runs.id, runs.record, {HAS_PROCESS} FROM runs WHERE {condition} ORDER BY runs.id <> $1, runs.id LIMIT 2"
    );
    let rows: Vec<(String, String, bool)> = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(text::storable(id))
        .bind(lease.as_secs_f64())
        .fetch_all(&mut *connection)
        .await?;
    let ids: Vec<&str> = rows.iter().map(|(id, ..)| id.as_str()).collect();
    let mut steps = steps_of(connection, &ids).await?;
    let found = |(id, json, has_process): (String, String, bool)| {
        let steps = steps.remove(&id).unwrap_or_default();
        let (id, json) = (text::stored(&id).into_owned(), text::stored(&json).into_owned());
        Found { record: StoredRecord { id, json, steps }, has_process }
    };
    Ok(rows.into_iter().map(found).collect())
}

/// The steps of runs as they are stored.
pub(super) async fn steps_of(
    connection: &mut PgConnection,
    ids: &[&str],
) -> Result<BTreeMap<String, Vec<(usize, String)>>, sqlx::Error> {
    let rows: Vec<(String, i64, String)> =
        sqlx::query_as("SELECT run, job, record FROM run_steps WHERE run = ANY($1) ORDER BY run, job, step")
            .bind(ids)
            .fetch_all(connection)
            .await?;
    let mut steps: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    for (run, job, json) in rows {
        steps.entry(run).or_default().push((run_records::place(job), text::stored(&json).into_owned()));
    }
    Ok(steps)
}

impl PostgresRuns {
    pub(super) async fn look_up(&self, id: &str) -> Result<RunLookup, RunStoreError> {
        let found = self
            .read(async |mut link| {
                let found = self.find(&mut link, id).await;
                (link, found)
            })
            .await?;
        let record = match found.as_slice() {
            [] => return Ok(RunLookup::Unknown),
            [found] => found.shown()?,
            [found, ..] if found.record.id == id => found.shown()?,
            [..] => return Ok(RunLookup::Ambiguous),
        };
        Ok(RunLookup::Found(Box::new(record)))
    }

    async fn find(&self, connection: &mut PgConnection, id: &str) -> Result<Vec<Found>, PostgresError> {
        let failed = self.failed("read");
        // The record and its steps as they are at one moment.
        let mut transaction =
            connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(&failed)?;
        let found = matching(&mut transaction, "runs.id ^@ $1", id, self.0.lease).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        Ok(found)
    }

    /// Of these runs, how those ended that are on record. A status that this version does not know is one of a run that goes on.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn ends_by_id(&self, ids: &[&str]) -> Result<BTreeMap<String, RunEnd>, RunStoreError> {
        let rows: Vec<(String, String, Option<i64>)> = self
            .read(async |mut link| {
                let query = sqlx::query_as("SELECT id, status, finished_millis FROM runs WHERE id = ANY($1)").bind(ids);
                let rows = query.fetch_all(&mut *link).await.map_err(self.failed("read"));
                (link, rows)
            })
            .await?;
        let end = |status: &str, finished: Option<i64>| RunEnd {
            status: RunStatus::parse(status).unwrap_or(RunStatus::Running),
            finished_at: finished.map(Timestamp::from_millis),
        };
        Ok(rows.into_iter().map(|(id, status, finished)| (id, end(&status, finished))).collect())
    }

    pub(super) async fn headers(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunStoreError> {
        let rows = self
            .read(async |mut link| {
                let rows = filtered(&mut link, filter, self.0.lease).await.map_err(self.failed("read"));
                (link, rows)
            })
            .await?;
        let mut headers = Vec::with_capacity(rows.len());
        for (stored, has_process) in rows {
            let header = match parse_header(stored) {
                // When it ended stands in its record.
                Ok(header) if header.is_open() && !has_process => {
                    self.look_up(&header.id).await.map(|found| found.found().map(|record| RunHeader::from(&record)))
                }
                other => other.map(Some),
            };
            match header {
                Ok(header) => headers.extend(header),
                // One record that cannot be read does not hide the others; `get` says what is wrong with it.
                Err(error) => tracing::warn!(%error, "a run is left out"),
            }
        }
        Ok(headers)
    }
}

async fn filtered(
    connection: &mut PgConnection,
    filter: &RunFilter,
    lease: Duration,
) -> Result<Vec<(StoredHeader, bool)>, sqlx::Error> {
    type Row = (String, String, String, String, i64, Option<i64>, bool);
    let query = format!(
        "SELECT id, name, trigger_name, status, started_millis, finished_millis, {HAS_PROCESS} FROM runs \
         WHERE ($1::text IS NULL OR name = $1) AND ($4::bigint IS NULL OR (started_millis, id) < ($4, $5)) \
         ORDER BY started_millis DESC, id DESC LIMIT $3"
    );
    let before = filter.before.as_ref();
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(filter.name.as_deref().map(text::storable))
        .bind(lease.as_secs_f64())
        .bind(filter.limit.map(i64::from))
        .bind(before.map(|place| place.started_at.as_millis()))
        .bind(before.map(|place| text::storable(&place.id)))
        .fetch_all(connection)
        .await?;
    let told = |text: String| text::stored(&text).into_owned();
    let header = |(id, name, trigger, status, started, finished, has_process): Row| {
        ((told(id), told(name), told(trigger), status, started, finished), has_process)
    };
    Ok(rows.into_iter().map(header).collect())
}
