//! Reading the audit of state changes.

use mangrove_domain::{
    ports::{CatalogError, NumberedRecord},
    settle::{AuditRecord, Transition},
    source::{RelativePath, RootId, SourceId},
    time::Timestamp,
};
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{SqliteCatalog, error};
use crate::{
    rows,
    sqlite::{self, SqliteError},
};

/// The history of one source, oldest first.
pub(super) async fn of_source(catalog: &SqliteCatalog, source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError> {
    let rows = catalog
        .read("read", async || {
            let Some(readers) = catalog.database.readers() else { return Ok(Vec::new()) };
            sqlx::query(
                "SELECT from_state, to_state, reason, entry_digest, at_millis FROM transitions \
                 WHERE root = ?1 AND path = ?2 ORDER BY id",
            )
            .bind(source.root.as_str())
            .bind(source.path.as_str())
            .fetch_all(readers)
            .await
        })
        .await?;
    rows.iter()
        .map(|row| {
            let transition = transition(row)
                .map_err(|problem| error("read", catalog.database.error("read", &problem)))?
                .ok_or_else(|| CatalogError::Row {
                    source_id: source.to_string(),
                    fault: sqlite::failed("read", catalog.database.path(), "an audit line names an unknown state"),
                })?;
            Ok(AuditRecord { source: source.clone(), transition })
        })
        .collect()
}

/// The history of all sources, newest first.
pub(super) async fn page(
    catalog: &SqliteCatalog,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<NumberedRecord>, CatalogError> {
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let rows = catalog
        .read("read", async || {
            let Some(readers) = catalog.database.readers() else { return Ok(Vec::new()) };
            sqlx::query(
                "SELECT from_state, to_state, reason, entry_digest, at_millis, id, root, path FROM transitions \
                 WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
            )
            .bind(before)
            .bind(limit)
            .fetch_all(readers)
            .await
        })
        .await?;
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        let line = numbered(row).map_err(|problem| error("read", catalog.database.error("read", &problem)))?;
        // One line that cannot be understood does not hide the others.
        page.extend(line);
    }
    Ok(page)
}

/// How many lines are forgotten in one transaction: others want to write as well.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

/// Forgets what happened before this time, but for the latest line of each source.
pub(super) async fn forget(catalog: &SqliteCatalog, before: Timestamp) -> Result<u64, CatalogError> {
    let mut forgotten = 0;
    loop {
        let removed = catalog.database.retry_while_busy(|| forget_some(catalog, before)).await;
        let removed = removed.map_err(|cause| error("write", cause))?;
        forgotten += removed;
        if removed < u64::from(FORGOTTEN_AT_ONCE) {
            return Ok(forgotten);
        }
    }
}

async fn forget_some(catalog: &SqliteCatalog, before: Timestamp) -> Result<u64, SqliteError> {
    let mut transaction = catalog.database.begin_write().await?;
    let removed = sqlx::query(
        "DELETE FROM transitions WHERE id IN (SELECT old.id FROM transitions AS old WHERE old.at_millis < ?1 \
         AND EXISTS (SELECT 1 FROM transitions AS later WHERE later.root = old.root AND later.path = old.path \
         AND later.id > old.id) LIMIT ?2)",
    )
    .bind(before.as_millis())
    .bind(FORGOTTEN_AT_ONCE)
    .execute(&mut *transaction)
    .await
    .map_err(|problem| catalog.database.error("write", &problem))?;
    catalog.database.commit(transaction).await?;
    Ok(removed.rows_affected())
}

/// `None` if it cannot be understood.
fn numbered(row: &SqliteRow) -> Result<Option<NumberedRecord>, sqlx::Error> {
    let (Ok(number), Ok(path)) = (u64::try_from(row.try_get::<i64, _>(5)?), RelativePath::parse(row.try_get(7)?))
    else {
        return Ok(None);
    };
    let source = SourceId { root: RootId::new(row.try_get::<&str, _>(6)?), path };
    Ok(transition(row)?.map(|transition| NumberedRecord { number, record: AuditRecord { source, transition } }))
}

/// `None` if a state is none of ours.
fn transition(row: &SqliteRow) -> Result<Option<Transition>, sqlx::Error> {
    Ok(rows::transition(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?))
}
