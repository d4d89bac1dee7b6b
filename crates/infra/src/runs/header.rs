//! What stands in the columns beside a record: all that lists need. A record can be long; it is not read for them.

use mangrove_domain::{
    ports::{RunFilter, RunStoreError},
    run::{RunHeader, RunStatus},
    time::Timestamp,
};
use sqlx::SqlitePool;

use super::{damaged, record::ParseError};

/// Identifier, name, trigger, status, and the times in milliseconds.
pub(super) type Stored = (String, String, String, String, i64, Option<i64>);

/// The headers that a filter lets through, newest first.
pub(super) async fn list(readers: &SqlitePool, filter: &RunFilter) -> Result<Vec<Stored>, sqlx::Error> {
    let columns = "SELECT count(*) FROM pragma_table_info('runs') WHERE name = 'trigger_name'";
    let query = if sqlx::query_scalar::<_, i64>(columns).fetch_one(readers).await? > 0 {
        "SELECT id, name, trigger_name, status, started_millis, finished_millis FROM runs \
         WHERE (?1 IS NULL OR name = ?1) AND (?3 IS NULL OR (started_millis, id) < (?3, ?4)) \
         ORDER BY started_millis DESC, id DESC LIMIT ?2"
    } else {
        // The first layout, which may be read as it is, has the rest in the record only.
        "SELECT id, name, iif(json_valid(record), record ->> '$.trigger', ''), status, started_millis, \
         iif(json_valid(record), record ->> '$.finishedAt', NULL) FROM runs \
         WHERE (?1 IS NULL OR name = ?1) AND (?3 IS NULL OR (started_millis, id) < (?3, ?4)) \
         ORDER BY started_millis DESC, id DESC LIMIT ?2"
    };
    let limit = filter.limit.map_or(-1, i64::from);
    let before = filter.before.as_ref();
    sqlx::query_as(query)
        .bind(filter.name.as_deref())
        .bind(limit)
        .bind(before.map(|place| place.started_at.as_millis()))
        .bind(before.map(|place| place.id.as_str()))
        .fetch_all(readers)
        .await
}

pub(super) fn parse(stored: Stored) -> Result<RunHeader, RunStoreError> {
    let (id, name, trigger, status, started_at, finished_at) = stored;
    let Some(status) = RunStatus::parse(&status) else {
        return Err(damaged(&id, &ParseError::Word { what: "status", word: status }));
    };
    let (started_at, finished_at) = (Timestamp::from_millis(started_at), finished_at.map(Timestamp::from_millis));
    Ok(RunHeader { id, name, trigger, status, started_at, finished_at })
}
