//! Reading rows: all of them at once, or some.
//!
//! Handing a row from the engine's thread to ours costs more than decoding it. So the engine puts hundreds of rows
//! into one value, each with its lengths before it, and we take them apart.

use std::{
    collections::BTreeSet,
    io,
    sync::mpsc::{self, Receiver, Sender},
};

use mangrove_domain::{observation::CatalogView, ports::Names, source::SourceId};
use sqlx::{Row as _, Sqlite, SqliteConnection, query::Query, sqlite::SqliteArguments};

use super::{SqliteCatalog, version, write};
use crate::rows::{Stored, add_row, record};

/// How many row numbers one value covers.
const CHUNK: i64 = 512;

impl SqliteCatalog {
    pub(super) async fn snapshot_once(&self) -> Result<CatalogView, sqlx::Error> {
        let Some(readers) = self.database.readers() else { return Ok(CatalogView::default()) };
        // One read transaction, so that the parts are those of the rows.
        let mut transaction = readers.begin().await?;
        let view = CatalogView { version: version::of(&mut transaction).await?, ..CatalogView::default() };
        let mut decoder = record::Decoder::default();
        for part in sqlx::query("SELECT digest, encoded FROM parts").fetch_all(&mut *transaction).await? {
            add_part(&mut decoder, &part)?;
        }
        let undescribed: BTreeSet<(String, String)> = sqlx::query_as(
            "SELECT root, path FROM sources WHERE description IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM descriptions WHERE digest = sources.description)",
        )
        .fetch_all(&mut *transaction)
        .await?
        .into_iter()
        .collect();
        // The engine's thread packs the next rows while these are taken apart.
        let (sender, chunks) = mpsc::channel();
        let decoding = mangrove_fs::blocking(move || decode(&chunks, view, decoder, &undescribed));
        let (sent, taken_apart) = futures::join!(send_chunks(&mut transaction, sender), decoding);
        sent?;
        transaction.commit().await?;
        taken_apart.map_err(|error| sqlx::Error::Io(io::Error::other(error)))?
    }

    pub(super) async fn rows_once(&self, sources: &BTreeSet<SourceId>) -> Result<CatalogView, sqlx::Error> {
        // The order of a cross join is kept: the keys come first, and each row is looked up by its own.
        let query = sqlx::query(
            "SELECT s.root, s.path, s.revision, s.record, s.description IS NULL \
             OR EXISTS (SELECT 1 FROM descriptions AS d WHERE d.digest = s.description) \
             FROM json_each(?1) AS k CROSS JOIN sources AS s \
             WHERE s.root = k.value ->> 0 AND s.path = k.value ->> 1 ORDER BY s.root, s.path",
        );
        self.some_rows(query.bind(write::keys(sources))).await
    }

    pub(super) async fn rows_named_once(&self, names: &Names) -> Result<CatalogView, sqlx::Error> {
        let query = sqlx::query(
            "SELECT s.root, s.path, s.revision, s.record, s.description IS NULL \
             OR EXISTS (SELECT 1 FROM descriptions AS d WHERE d.digest = s.description) \
             FROM sources AS s WHERE s.type_name IN (SELECT value FROM json_each(?1)) \
             OR s.path IN (SELECT value FROM json_each(?2)) ORDER BY s.root, s.path",
        );
        let types = write::json_list(names.types.iter().map(ToString::to_string));
        let paths = write::json_list(names.paths.iter().map(ToString::to_string));
        self.some_rows(query.bind(types).bind(paths)).await
    }

    /// The rows that this query selects, with the parts that they name and no others.
    async fn some_rows(&self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<CatalogView, sqlx::Error> {
        let Some(readers) = self.database.readers() else { return Ok(CatalogView::default()) };
        let mut transaction = readers.begin().await?;
        let mut view = CatalogView { version: version::of(&mut transaction).await?, ..CatalogView::default() };
        let found = query.fetch_all(&mut *transaction).await?;
        let mut decoder = record::Decoder::default();
        let mut known = BTreeSet::new();
        for row in &found {
            // What cannot be taken apart is told below, as a row that cannot be read.
            for name in record::part_names(row.try_get(3)?).unwrap_or_default() {
                if known.insert(name) {
                    let part = sqlx::query("SELECT digest, encoded FROM parts WHERE digest = ?1").bind(name.as_slice());
                    for part in part.fetch_all(&mut *transaction).await? {
                        add_part(&mut decoder, &part)?;
                    }
                }
            }
        }
        transaction.commit().await?;
        for row in &found {
            let (root, path): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            let revision = u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0);
            let stored = Stored { root: root.into(), path: path.into(), revision, record: row.try_get(3)? };
            add_row(&mut view, &mut decoder, &stored, row.try_get(4)?);
        }
        Ok(view)
    }
}

fn add_part(decoder: &mut record::Decoder, part: &sqlx::sqlite::SqliteRow) -> Result<(), sqlx::Error> {
    let digest: &[u8] = part.try_get(0)?;
    let encoded: &[u8] = part.try_get(1)?;
    if let Ok(digest) = digest.try_into() {
        decoder.add_part(digest, encoded.into());
    }
    Ok(())
}

/// Sends all rows of `sources`, packed.
async fn send_chunks(connection: &mut SqliteConnection, sender: Sender<Vec<u8>>) -> Result<(), sqlx::Error> {
    let last: i64 =
        sqlx::query_scalar("SELECT coalesce(max(rowid), 0) FROM sources").fetch_one(&mut *connection).await?;
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
        if let Some(chunk) = chunk
            && sender.send(chunk).is_err()
        {
            // Whoever takes them apart has met what is no row, and says so.
            break;
        }
        first += CHUNK;
    }
    Ok(())
}

/// Takes apart what is sent, until nothing more is.
fn decode(
    chunks: &Receiver<Vec<u8>>,
    mut view: CatalogView,
    mut decoder: record::Decoder,
    undescribed: &BTreeSet<(String, String)>,
) -> Result<CatalogView, sqlx::Error> {
    for chunk in chunks {
        for stored in rows(&chunk) {
            let stored = stored?;
            let is_described =
                undescribed.is_empty() || !undescribed.contains(&(stored.root.to_string(), stored.path.to_string()));
            add_row(&mut view, &mut decoder, &stored, is_described);
        }
    }
    Ok(view)
}

/// The rows of one chunk. A text that is not UTF-8 comes with replacement characters: nobody knows such a
/// source, so its row counts as one that is gone.
fn rows(chunk: &[u8]) -> impl Iterator<Item = Result<Stored<'_>, sqlx::Error>> {
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
