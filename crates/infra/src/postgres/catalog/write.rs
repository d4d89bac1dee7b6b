//! Writing: one batch, one transaction.

use std::collections::BTreeSet;

use mangrove_domain::{ports::CommitOutcome, row::Row, source::SourceId, state::StateName, type_name::TypeName};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::{
    LAYOUT, PostgresCatalog, PostgresError, changes, keys::Keys, read, source, text::storable, version::Version,
};
use crate::rows::{Batch, Current, Prepared, Written};

/// Why a batch was not written.
enum Failed {
    Sql(sqlx::Error),
    /// A row was written by somebody who did not wait for this commit.
    Moved,
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Failed::Sql(error)
    }
}

impl PostgresCatalog {
    /// Applies a batch in one transaction.
    ///
    /// A row that would break I2 is a conflict like any other: since it was planned, somebody else took the type.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        batch: &Batch<'_>,
    ) -> Result<CommitOutcome, PostgresError> {
        let failed = self.failed("write");
        let mut transaction = connection.begin().await.map_err(&failed)?;
        // Before anything is read: what is read after it is what the commit before has left.
        Version::lock(&mut transaction).await.map_err(&failed)?;
        self.tables.server().check("write", &mut transaction, LAYOUT).await?;
        let outcome = apply(&mut transaction, batch).await.map_err(|error| match error {
            Failed::Sql(error) => failed(error),
            Failed::Moved => PostgresError::moved("write", self.address()),
        })?;
        changes::tell(&mut transaction).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        Ok(outcome)
    }
}

async fn apply(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<CommitOutcome, Failed> {
    write_parts(connection, batch).await?;
    write_descriptions(connection, batch).await?;
    let version_before = Version::read(connection).await?.digest();
    let current = current(connection, batch).await?;
    let mut refused = BTreeSet::new();
    for (index, (prepared, current)) in batch.changes.iter().zip(&current).enumerate() {
        let expected = prepared.change.expected_revision;
        let is_replaceable =
            expected == 0 && current.revision > 0 && !is_readable(connection, &prepared.change.source).await?;
        if current.revision != expected && !is_replaceable {
            refused.insert(index);
        }
    }
    // A row may take a type that another row of the batch gives up, in whatever order: so first every row gives
    // up its type, then the rows are written. One that breaks I2 all the same is refused, and the rest is tried
    // again without it. All rows go in one statement; only to find out which one it was, each has its own.
    let mut at_once = usize::MAX;
    let revisions = loop {
        let mut savepoint = connection.begin().await?;
        match write_rows(&mut savepoint, batch, &current, &refused, at_once).await? {
            Written::All(revisions) => {
                savepoint.commit().await?;
                break revisions;
            }
            Written::TypeIsTaken(index) => {
                savepoint.rollback().await?;
                if at_once > 1 {
                    at_once = 1;
                } else if !release_damaged_holder(connection, &batch.changes[index]).await? {
                    refused.insert(index);
                }
            }
        }
    };
    write_transitions(connection, batch, &refused).await?;
    Ok(CommitOutcome {
        conflicts: refused.iter().map(|index| batch.changes[*index].change.source.clone()).collect(),
        revisions,
        version_before,
        version: Version::read(connection).await?.digest(),
    })
}

async fn write_parts(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    if batch.parts.is_empty() {
        return Ok(());
    }
    let digests: Vec<&[u8]> = batch.parts.keys().map(|digest| digest.as_bytes().as_slice()).collect();
    let encoded: Vec<&[u8]> = batch.parts.values().map(|part| &part.encoded()[..]).collect();
    sqlx::query(
        "INSERT INTO parts (digest, encoded) SELECT * FROM unnest($1::bytea[], $2::bytea[]) \
         ON CONFLICT (digest) DO NOTHING",
    )
    .bind(digests)
    .bind(encoded)
    .execute(connection)
    .await
    .map(drop)
}

async fn write_descriptions(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    // One statement must not touch a row twice.
    let descriptions: std::collections::BTreeMap<&[u8], &str> =
        batch.descriptions.iter().map(|(digest, json)| (digest.as_bytes().as_slice(), json.as_str())).collect();
    if descriptions.is_empty() {
        return Ok(());
    }
    let (digests, texts): (Vec<&[u8]>, Vec<&str>) = descriptions.into_iter().unzip();
    // What is there under this digest and differs is damaged.
    sqlx::query(
        "INSERT INTO descriptions (digest, json) SELECT * FROM unnest($1::bytea[], $2::text[]) \
         ON CONFLICT (digest) DO UPDATE SET json = excluded.json \
         WHERE descriptions.json IS DISTINCT FROM excluded.json",
    )
    .bind(digests)
    .bind(texts)
    .execute(connection)
    .await
    .map(drop)
}

/// What the catalog has of each source of the batch, in its order.
async fn current(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<Vec<Current>, sqlx::Error> {
    let keys = Keys::of(batch.changes.iter().map(|prepared| &prepared.change.source));
    let rows = sqlx::query(
        "SELECT k.number, coalesce(s.revision, 0), coalesce(s.resolvable, false), coalesce(d.revision, 0) \
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (root, path, number) \
         LEFT JOIN sources AS s ON s.root = k.root AND s.path = k.path \
         LEFT JOIN departed AS d ON d.root = k.root AND d.path = k.path",
    )
    .bind(keys.roots)
    .bind(keys.paths)
    .fetch_all(connection)
    .await?;
    let mut current: Vec<Current> = batch.changes.iter().map(|_| Current::default()).collect();
    for row in rows {
        let number = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
        if let Some(current) = current.get_mut(number.wrapping_sub(1)) {
            current.revision = u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0);
            current.is_resolvable = row.try_get(2)?;
            current.departed = u64::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0);
        }
    }
    Ok(current)
}

async fn write_rows(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
    current: &[Current],
    refused: &BTreeSet<usize>,
    at_once: usize,
) -> Result<Written, Failed> {
    let accepted = || {
        let changes = batch.changes.iter().zip(current).enumerate();
        changes.filter(|(index, _)| !refused.contains(index))
    };
    let giving_up = Keys::of(
        accepted().filter(|(_, (_, current))| current.is_resolvable).map(|(_, (prepared, _))| &prepared.change.source),
    );
    if !giving_up.roots.is_empty() {
        sqlx::query(
            "UPDATE sources AS s SET resolvable = false FROM unnest($1::text[], $2::text[]) AS k (root, path) \
             WHERE s.root = k.root AND s.path = k.path",
        )
        .bind(giving_up.roots)
        .bind(giving_up.paths)
        .execute(&mut *connection)
        .await?;
    }
    let leaving: Vec<(&SourceId, u64)> = accepted()
        .filter(|(_, (prepared, _))| prepared.put.is_none())
        .map(|(_, (prepared, current))| (&prepared.change.source, current.revision))
        .collect();
    if !leaving.is_empty() {
        delete_rows(connection, &leaving).await?;
    }
    let puts: Vec<Put<'_>> = accepted()
        .filter_map(|(index, (prepared, current))| {
            let (row, encoded) = prepared.put.as_ref()?;
            let next = current.revision.max(current.departed) + 1;
            Some(Put { index, row, encoded, current: current.revision, next })
        })
        .collect();
    for some in puts.chunks(at_once.min(puts.len()).max(1)) {
        if !put_rows(connection, some).await? {
            return Ok(Written::TypeIsTaken(some[0].index));
        }
    }
    Ok(Written::All(puts.iter().map(|put| (put.row.source.clone(), put.next)).collect()))
}

async fn delete_rows(connection: &mut PgConnection, leaving: &[(&SourceId, u64)]) -> Result<(), Failed> {
    let keys = Keys::of(leaving.iter().map(|(source, _)| *source));
    let revisions: Vec<i64> = leaving.iter().map(|(_, revision)| stored_revision(*revision)).collect();
    sqlx::query(
        "INSERT INTO departed (root, path, revision, kind, type_name) \
         SELECT s.root, s.path, s.revision, s.kind, s.type_name FROM unnest($1::text[], $2::text[]) AS k (root, path) \
         JOIN sources AS s ON s.root = k.root AND s.path = k.path ON CONFLICT (root, path) DO UPDATE SET \
         revision = excluded.revision, kind = excluded.kind, type_name = excluded.type_name",
    )
    .bind(&keys.roots)
    .bind(&keys.paths)
    .execute(&mut *connection)
    .await?;
    let deleted = sqlx::query(
        "DELETE FROM sources AS s USING unnest($1::text[], $2::text[], $3::bigint[]) AS k (root, path, revision) \
         WHERE s.root = k.root AND s.path = k.path AND s.revision = k.revision",
    )
    .bind(keys.roots)
    .bind(keys.paths)
    .bind(&revisions)
    .execute(connection)
    .await?;
    let expected = revisions.iter().filter(|revision| **revision > 0).count() as u64;
    if deleted.rows_affected() == expected { Ok(()) } else { Err(Failed::Moved) }
}

/// A row that is to be written.
struct Put<'a> {
    /// Which change of the batch it is.
    index: usize,
    row: &'a Row,
    encoded: &'a [u8],
    /// The revision of what is there; 0 if nothing is.
    current: u64,
    next: u64,
}

/// Rows as columns.
#[derive(Default)]
struct Columns<'a> {
    keys: Keys,
    current: Vec<i64>,
    next: Vec<i64>,
    kinds: Vec<String>,
    states: Vec<&'static str>,
    types: Vec<Option<String>>,
    resolvable: Vec<bool>,
    descriptions: Vec<Option<&'a [u8]>>,
    records: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(puts: impl Iterator<Item = &'a Put<'a>>) -> Self {
        let mut columns = Self::default();
        for Put { row, encoded, current, next, .. } in puts {
            columns.keys.push(&row.source);
            columns.current.push(stored_revision(*current));
            columns.next.push(stored_revision(*next));
            columns.kinds.push(storable(row.kind.as_str()).into_owned());
            columns.states.push(row.state.name().as_str());
            columns.types.push(row.type_name().map(|name| storable(name.as_str()).into_owned()));
            columns.resolvable.push(row.is_resolvable());
            columns.descriptions.push(row.state.indexed().map(|indexed| indexed.description.as_bytes().as_slice()));
            columns.records.push(encoded);
        }
        columns
    }
}

const UPDATE: &str = "UPDATE sources AS s SET revision = k.next, kind = k.kind, state = k.state, type_name = k.type_name, \
    resolvable = k.resolvable, description = k.description, record = k.record \
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::boolean[], \
    $9::bytea[], $10::bytea[]) \
    AS k (root, path, current, next, kind, state, type_name, resolvable, description, record) \
    WHERE s.root = k.root AND s.path = k.path AND s.revision = k.current";

const INSERT: &str = "INSERT INTO sources (root, path, revision, kind, state, type_name, resolvable, description, record) \
    SELECT k.root, k.path, k.next, k.kind, k.state, k.type_name, k.resolvable, k.description, k.record \
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::boolean[], \
    $9::bytea[], $10::bytea[]) \
    AS k (root, path, current, next, kind, state, type_name, resolvable, description, record) \
    ON CONFLICT (root, path) DO NOTHING";

/// Writes rows, if what is there has the revision that it was found to have. False if one of them breaks I2.
async fn put_rows(connection: &mut PgConnection, puts: &[Put<'_>]) -> Result<bool, Failed> {
    for (statement, are_new) in [(UPDATE, false), (INSERT, true)] {
        let columns = Columns::of(puts.iter().filter(|put| (put.current == 0) == are_new));
        let expected = columns.records.len() as u64;
        if expected == 0 {
            continue;
        }
        let written = sqlx::query(statement)
            .bind(columns.keys.roots)
            .bind(columns.keys.paths)
            .bind(columns.current)
            .bind(columns.next)
            .bind(columns.kinds)
            .bind(columns.states)
            .bind(columns.types)
            .bind(columns.resolvable)
            .bind(columns.descriptions)
            .bind(columns.records)
            .execute(&mut *connection)
            .await;
        match written {
            Ok(written) if written.rows_affected() == expected => {}
            Ok(_) => return Err(Failed::Moved),
            Err(error) if is_taken(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// True if the statement would break I2.
fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.is_unique_violation() && error.constraint() == Some("sources_resolvable"))
}

fn stored_revision(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

async fn write_transitions(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
    refused: &BTreeSet<usize>,
) -> Result<(), sqlx::Error> {
    let lines: Vec<_> = batch
        .changes
        .iter()
        .enumerate()
        .filter(|(index, _)| !refused.contains(index))
        .filter_map(|(_, prepared)| prepared.change.transition.as_ref().map(|line| (&prepared.change.source, line)))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let keys = Keys::of(lines.iter().map(|(source, _)| *source));
    let column = |of: fn(StateName) -> &'static str| lines.iter().map(|(_, line)| of(line.to)).collect::<Vec<_>>();
    let digests: Vec<Option<&[u8]>> =
        lines.iter().map(|(_, line)| line.entry_digest.as_ref().map(|digest| digest.as_bytes().as_slice())).collect();
    sqlx::query(
        "INSERT INTO transitions (root, path, from_state, to_state, reason, entry_digest, at_millis) \
         SELECT k.root, k.path, k.from_state, k.to_state, k.reason, k.entry_digest, k.at_millis \
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bigint[]) \
         WITH ORDINALITY AS k (root, path, from_state, to_state, reason, entry_digest, at_millis, number) \
         ORDER BY k.number",
    )
    .bind(keys.roots)
    .bind(keys.paths)
    .bind(lines.iter().map(|(_, line)| line.from.map(StateName::as_str)).collect::<Vec<_>>())
    .bind(column(StateName::as_str))
    .bind(lines.iter().map(|(_, line)| storable(&line.reason).into_owned()).collect::<Vec<_>>())
    .bind(digests)
    .bind(lines.iter().map(|(_, line)| line.at.as_millis()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// Whether the stored row of this source can be understood. One that cannot is left out of snapshots, so
/// nobody knows its revision; it is replaced by whoever comes with a new row.
async fn is_readable(connection: &mut PgConnection, source: &SourceId) -> Result<bool, sqlx::Error> {
    let stored: Option<Vec<u8>> = sqlx::query_scalar("SELECT record FROM sources WHERE root = $1 AND path = $2")
        .bind(storable(source.root.as_str()))
        .bind(storable(source.path.as_str()))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(stored) = stored else { return Ok(true) };
    let parts = sqlx::query("SELECT digest, encoded FROM parts").fetch_all(connection).await?;
    Ok(read::decoder(&parts)?.row(source.root.as_str(), source.path.as_str(), 1, &stored).is_ok())
}

/// Takes a type away from a row that cannot be understood. False if its holder is in order.
async fn release_damaged_holder(connection: &mut PgConnection, prepared: &Prepared<'_>) -> Result<bool, sqlx::Error> {
    let Some((row, _)) = &prepared.put else { return Ok(false) };
    let holder: Option<(String, String)> =
        sqlx::query_as("SELECT root, path FROM sources WHERE kind = $1 AND type_name = $2 AND resolvable")
            .bind(storable(row.kind.as_str()))
            .bind(row.type_name().map(TypeName::as_str).map(storable))
            .fetch_optional(&mut *connection)
            .await?;
    let Some((root, path)) = holder else { return Ok(false) };
    if let Some(holder) = source(&root, &path)
        && is_readable(connection, &holder).await?
    {
        return Ok(false);
    }
    sqlx::query("UPDATE sources SET resolvable = false WHERE root = $1 AND path = $2")
        .bind(root)
        .bind(path)
        .execute(connection)
        .await?;
    Ok(true)
}
