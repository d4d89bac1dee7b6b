//! The version of the rows: what a reader of some of them goes by (`design/decisions/0010-seals-of-what-rests.md`).

use mangrove_domain::digest::Digest;
use sqlx::PgConnection;

/// What names the content of the catalog.
#[derive(Default)]
pub(super) struct Version(Option<String>);

impl Version {
    /// As of this statement.
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let named = sqlx::query_scalar(
            "SELECT i.value || ' ' || v.value FROM meta AS i, meta AS v WHERE i.name = 'identity' AND v.name = 'version'",
        );
        Ok(Self(named.fetch_optional(connection).await?))
    }

    /// Waits for every other commit to end, and keeps others waiting until this one does. The triggers write this row, so
    /// that a commit which does not ask waits as well.
    pub(super) async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT FROM meta WHERE name = 'version' FOR UPDATE").execute(connection).await.map(drop)
    }

    /// `None` if there is none.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.0.as_ref().map(|named| Digest::of(named.as_bytes()))
    }
}
