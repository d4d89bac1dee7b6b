//! The audit of state changes.

use mangrove_domain::{
    failure::Fault,
    ports::{CatalogError, NumberedRecord},
    problem::Code,
    settle::{AuditRecord, Transition},
    source::SourceId,
    time::Timestamp,
};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{PostgresCatalog, source, text};
use crate::rows;

/// How many lines are forgotten in one transaction: others want to write as well.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

/// The history of one source, oldest first.
pub(super) async fn of_source(catalog: &PostgresCatalog, source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError> {
    let lines: Vec<Option<Transition>> = catalog
        .run("read", async |mut link| {
            let lines = read_source(&mut link, source).await.map_err(catalog.failed("read"));
            (link, lines)
        })
        .await?;
    let record = |line: Option<Transition>| {
        let transition = line.ok_or_else(|| CatalogError::Row {
            source_id: source.to_string(),
            fault: Fault::environment(
                Code::CATALOG_FAILED,
                "catalog:engine",
                format!("cannot read {}: an audit line names an unknown state", catalog.address()),
            ),
        })?;
        Ok(AuditRecord { source: source.clone(), transition })
    };
    lines.into_iter().map(record).collect()
}

async fn read_source(connection: &mut PgConnection, source: &SourceId) -> Result<Vec<Option<Transition>>, sqlx::Error> {
    let query = sqlx::query(
        "SELECT from_state, to_state, reason, entry_digest, at_millis FROM transitions \
         WHERE root = $1 AND path = $2 ORDER BY id",
    );
    let query = query.bind(text::storable(source.root.as_str())).bind(text::storable(source.path.as_str()));
    query.fetch_all(connection).await?.iter().map(transition).collect()
}

/// The history of all sources, newest first.
pub(super) async fn page(
    catalog: &PostgresCatalog,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<NumberedRecord>, CatalogError> {
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    catalog
        .run("read", async |mut link| {
            let page = read_page(&mut link, before, limit).await.map_err(catalog.failed("read"));
            (link, page)
        })
        .await
}

async fn read_page(connection: &mut PgConnection, before: i64, limit: u32) -> Result<Vec<NumberedRecord>, sqlx::Error> {
    let query = sqlx::query(
        "SELECT from_state, to_state, reason, entry_digest, at_millis, id, root, path FROM transitions \
         WHERE id < $1 ORDER BY id DESC LIMIT $2",
    );
    let rows = query.bind(before).bind(i64::from(limit)).fetch_all(connection).await?;
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        // One line that cannot be understood does not hide the others.
        page.extend(numbered(row)?);
    }
    Ok(page)
}

/// Forgets what happened before this time, but for the latest line of each source.
pub(super) async fn forget(catalog: &PostgresCatalog, before: Timestamp) -> Result<u64, CatalogError> {
    let mut forgotten = 0;
    loop {
        let removed: u64 = catalog
            .change("write", async |mut link| {
                let removed = forget_some(&mut link, before).await.map_err(catalog.failed("write"));
                (link, removed)
            })
            .await?;
        forgotten += removed;
        if removed < u64::from(FORGOTTEN_AT_ONCE) {
            return Ok(forgotten);
        }
    }
}

async fn forget_some(connection: &mut PgConnection, before: Timestamp) -> Result<u64, sqlx::Error> {
    let removed = sqlx::query(
        "DELETE FROM transitions WHERE id IN (SELECT old.id FROM transitions AS old WHERE old.at_millis < $1 \
         AND EXISTS (SELECT 1 FROM transitions AS later WHERE later.root = old.root AND later.path = old.path \
         AND later.id > old.id) LIMIT $2)",
    )
    .bind(before.as_millis())
    .bind(i64::from(FORGOTTEN_AT_ONCE))
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}

/// `None` if it cannot be understood.
fn numbered(row: &PgRow) -> Result<Option<NumberedRecord>, sqlx::Error> {
    let (Ok(number), Some(source)) =
        (u64::try_from(row.try_get::<i64, _>(5)?), source(row.try_get(6)?, row.try_get(7)?))
    else {
        return Ok(None);
    };
    Ok(transition(row)?.map(|transition| NumberedRecord { number, record: AuditRecord { source, transition } }))
}

/// `None` if a state is none of ours.
fn transition(row: &PgRow) -> Result<Option<Transition>, sqlx::Error> {
    let reason = text::stored(row.try_get(2)?);
    Ok(rows::transition(row.try_get(0)?, row.try_get(1)?, &reason, row.try_get(3)?, row.try_get(4)?))
}
