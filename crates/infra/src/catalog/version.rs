//! The version of the rows: what a reader of some of them goes by (`design/decisions/0010-seals-of-what-rests.md`).

use mangrove_domain::digest::Digest;
use sqlx::SqliteConnection;

use crate::sqlite;

/// Names what the catalog holds; `None` in a layout that has no versions.
pub(super) async fn of(connection: &mut SqliteConnection) -> Result<Option<Digest>, sqlx::Error> {
    let [identity, version] =
        [sqlite::meta(&mut *connection, "identity").await?, sqlite::meta(&mut *connection, "version").await?];
    let named = identity.zip(version);
    Ok(named.map(|(identity, version)| Digest::of(format!("{identity} {version}").as_bytes())))
}
