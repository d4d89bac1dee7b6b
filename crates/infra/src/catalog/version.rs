//! The version of the rows: what a reader of some of them goes by (`design/decisions/0010-seals-of-what-rests.md`).

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use mangrove_domain::digest::Digest;
use sqlx::SqliteConnection;

/// What the file of every database of `SQLite` begins with.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Names what the catalog holds; `None` in a layout that has no versions.
pub(super) async fn of(connection: &mut SqliteConnection) -> Result<Option<Digest>, sqlx::Error> {
    let named: Option<String> = sqlx::query_scalar(
        "SELECT i.value || ' ' || v.value FROM meta AS i, meta AS v WHERE i.name = 'identity' AND v.name = 'version'",
    )
    .fetch_optional(connection)
    .await?;
    Ok(named.map(|named| Digest::of(named.as_bytes())))
}

/// False if what lies in the file is no database any more. As long as the log holds every page, whoever has to read some
/// rows does not notice.
pub(super) fn is_database(path: &Path) -> bool {
    let mut header = [0; HEADER.len()];
    let read = |header: &mut [u8]| -> io::Result<()> { File::open(path)?.read_exact(header) };
    read(&mut header).is_ok() && header == *HEADER
}
