//! Reading all rows at once.
//!
//! Handing a row from the engine's thread to ours costs more than decoding it. So the engine puts a thousand rows
//! into one value, each with its lengths before it, and we take them apart.

use std::borrow::Cow;

use sqlx::SqliteConnection;

/// How many row numbers one value covers.
const CHUNK: i64 = 1024;

/// One row as it is stored.
pub(super) struct Stored<'a> {
    pub(super) root: Cow<'a, str>,
    pub(super) path: Cow<'a, str>,
    pub(super) revision: u64,
    pub(super) record: &'a [u8],
}

/// All rows of `sources`, packed.
pub(super) async fn chunks(connection: &mut SqliteConnection) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    let last: i64 =
        sqlx::query_scalar("SELECT coalesce(max(rowid), 0) FROM sources").fetch_one(&mut *connection).await?;
    let mut chunks = Vec::new();
    let mut first = 1;
    while first <= last {
        let chunk: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT CAST(group_concat(octet_length(root) || ' ' || octet_length(path) || ' ' || revision || ' ' || \
             octet_length(record) || ' ' || root || path || record, '') AS BLOB) \
             FROM sources WHERE rowid BETWEEN ?1 AND ?2",
        )
        .bind(first)
        .bind(first + CHUNK - 1)
        .fetch_one(&mut *connection)
        .await?;
        chunks.extend(chunk);
        first += CHUNK;
    }
    Ok(chunks)
}

/// The rows of one chunk. A text that is not UTF-8 comes with replacement characters: nobody knows such a
/// source, so its row counts as one that is gone.
pub(super) fn rows(chunk: &[u8]) -> impl Iterator<Item = Result<Stored<'_>, sqlx::Error>> {
    let mut rest = chunk;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let row = take_row(&mut rest);
        if row.is_none() {
            rest = &[];
        }
        Some(row.ok_or_else(|| sqlx::Error::Protocol("the packed rows cannot be taken apart".to_owned())))
    })
}

fn take_row<'a>(rest: &mut &'a [u8]) -> Option<Stored<'a>> {
    let root = usize::try_from(take_number(rest)?).ok()?;
    let path = usize::try_from(take_number(rest)?).ok()?;
    let revision = take_number(rest)?;
    let record = usize::try_from(take_number(rest)?).ok()?;
    Some(Stored {
        root: String::from_utf8_lossy(rest.split_off(..root)?),
        path: String::from_utf8_lossy(rest.split_off(..path)?),
        revision,
        record: rest.split_off(..record)?,
    })
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let end = rest.iter().position(|byte| *byte == b' ')?;
    let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    *rest = &rest[end + 1..];
    Some(number)
}
