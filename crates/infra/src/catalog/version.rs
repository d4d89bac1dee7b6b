//! The version of the rows: what a reader of some of them goes by (`design/decisions/0010-seals-of-what-rests.md`).

use mangrove_domain::digest::Digest;
use sqlx::SqliteConnection;

/// Names what the catalog holds; `None` in a layout that has no versions.
pub(super) async fn of(connection: &mut SqliteConnection) -> Result<Option<Digest>, sqlx::Error> {
    let named: Option<String> = sqlx::query_scalar(
        "SELECT i.value || ' ' || v.value FROM meta AS i, meta AS v WHERE i.name = 'identity' AND v.name = 'version'",
    )
    .fetch_optional(connection)
    .await?;
    Ok(named.map(|named| Digest::of(named.as_bytes())))
}
