//! Lists of runs, from the columns beside their records.

use mangrove_domain::ports::RunFilter;
use sqlx::SqlitePool;

use crate::run_records::StoredHeader;

/// The headers that a filter lets through, newest first.
pub(super) async fn list(readers: &SqlitePool, filter: &RunFilter) -> Result<Vec<StoredHeader>, sqlx::Error> {
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
