//! What attempts found.

use mangrove_domain::digest::Digest;
use sqlx::PgConnection;

use crate::rows::CACHED_ATTEMPTS;

pub(super) async fn read(connection: &mut PgConnection, key: Digest) -> Result<Option<Vec<u8>>, sqlx::Error> {
    // The table has its name from the time when it held nothing else.
    let query = sqlx::query_scalar("SELECT inspection FROM inspections WHERE key = $1");
    query.bind(key.as_bytes().as_slice()).fetch_optional(connection).await
}

/// In one statement: what is remembered, and what leaves for it.
pub(super) async fn write(connection: &mut PgConnection, key: Digest, found: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH remembered AS (INSERT INTO inspections (key, inspection) VALUES ($1, $2) \
         ON CONFLICT (key) DO UPDATE SET inspection = excluded.inspection RETURNING id) \
         DELETE FROM inspections WHERE id <= (SELECT max(id) FROM inspections) - $3 AND key <> $1",
    )
    .bind(key.as_bytes().as_slice())
    .bind(found)
    .bind(CACHED_ATTEMPTS)
    .execute(connection)
    .await
    .map(drop)
}
