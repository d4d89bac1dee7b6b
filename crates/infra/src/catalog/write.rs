//! Writing: one batch, one transaction.

use std::{collections::BTreeSet, path::Path};

use mangrove_domain::{
    digest::Digest,
    ports::{CatalogError, CommitOutcome},
    row::Row,
    source::SourceId,
};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::{SqliteCatalog, error, version};
use crate::{
    rows::{Batch, CACHED_ATTEMPTS, Current, Prepared, Written, record},
    sqlite::{SqliteError, is_unique_violation},
};

impl SqliteCatalog {
    /// Applies a batch in one transaction.
    ///
    /// A row that would break I2 is a conflict like any other: since it was planned, somebody else took the type.
    pub(super) async fn write(&self, batch: &Batch<'_>) -> Result<CommitOutcome, SqliteError> {
        let mut transaction = self.database.begin_write().await?;
        let outcome = apply(&mut transaction, batch).await.map_err(|error| self.database.error("write", &error))?;
        self.database.commit(transaction).await?;
        Ok(outcome)
    }

    pub(super) async fn write_cached(&self, key: Digest, found: &[u8]) -> Result<(), SqliteError> {
        let failed = |error| self.database.error("write", &error);
        let mut transaction = self.database.begin_write().await?;
        sqlx::query(
            "INSERT INTO inspections (key, inspection) VALUES (?1, ?2) \
             ON CONFLICT (key) DO UPDATE SET inspection = excluded.inspection",
        )
        .bind(key.as_bytes().as_slice())
        .bind(found)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        sqlx::query("DELETE FROM inspections WHERE id <= (SELECT max(id) FROM inspections) - ?1")
            .bind(CACHED_ATTEMPTS)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        self.database.commit(transaction).await
    }

    /// Replaces everything by what the catalog at `staged` holds, which nobody has open, in one transaction: readers see all
    /// of the one or all of the other. What was planned on a row that is replaced conflicts with what comes after it. The
    /// identity stays, so that the bundle store never belongs to another catalog, not even for the moment between two
    /// writes.
    pub(super) async fn replace_content(&self, staged: &Path) -> Result<(), SqliteError> {
        self.database.attach(staged).await?;
        let replaced = self.replace_content_by_attached().await;
        let detached = self.database.detach().await;
        replaced.and(detached)
    }

    async fn replace_content_by_attached(&self) -> Result<(), SqliteError> {
        let mut transaction = self.database.begin_write().await?;
        for statement in [
            "INSERT OR REPLACE INTO main.departed (root, path, revision) SELECT root, path, revision FROM main.sources",
            "UPDATE main.departed SET kind = NULL, type_name = NULL",
            "DELETE FROM main.sources",
            "DELETE FROM main.parts",
            "DELETE FROM main.descriptions",
            "DELETE FROM main.transitions",
            "DELETE FROM main.inspections",
            "INSERT INTO main.parts (digest, encoded) SELECT digest, encoded FROM staged.parts",
            "INSERT INTO main.descriptions (digest, json) SELECT digest, json FROM staged.descriptions",
            "INSERT INTO main.sources \
             (root, path, revision, kind, state, type_name, resolvable, description, record) \
             SELECT s.root, s.path, s.revision + coalesce((SELECT d.revision FROM main.departed AS d \
             WHERE d.root = s.root AND d.path = s.path), 0), s.kind, s.state, s.type_name, s.resolvable, \
             s.description, s.record FROM staged.sources AS s",
            "INSERT INTO main.transitions (root, path, from_state, to_state, reason, entry_digest, at_millis) \
             SELECT root, path, from_state, to_state, reason, entry_digest, at_millis \
             FROM staged.transitions ORDER BY id",
            "INSERT INTO main.inspections (key, inspection) SELECT key, inspection FROM staged.inspections ORDER BY id",
        ] {
            sqlx::query(statement)
                .execute(&mut *transaction)
                .await
                .map_err(|error| self.database.error("replace", &error))?;
        }
        self.database.commit(transaction).await
    }

    /// True if far more descriptions or parts are stored than rows can name.
    pub(super) async fn holds_much_garbage(&self) -> Result<bool, CatalogError> {
        self.read("read", async || {
            let Some(readers) = self.database.readers() else { return Ok(false) };
            sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM descriptions) > n + 256 OR (SELECT count(*) FROM parts) > 3 * n + 256 \
                 FROM (SELECT count(*) AS n FROM sources)",
            )
            .fetch_one(readers)
            .await
        })
        .await
    }

    /// Deletes descriptions and fingerprint parts that no row names. Done at open when there is much of it; a
    /// daemon does it daily. Not part of a commit: readers of an earlier snapshot may still ask for them.
    ///
    /// # Errors
    /// [`CatalogError`] if the catalog cannot be written.
    pub async fn sweep(&self) -> Result<(), CatalogError> {
        self.database.retry_while_busy(|| self.sweep_once()).await.map_err(|cause| error("sweep", cause))
    }

    async fn sweep_once(&self) -> Result<(), SqliteError> {
        let failed = |error| self.database.error("sweep", &error);
        let mut transaction = self.database.begin_write().await?;
        sqlx::query(
            "DELETE FROM descriptions WHERE NOT EXISTS \
             (SELECT 1 FROM sources WHERE sources.description = descriptions.digest)",
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        let records: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT record FROM sources").fetch_all(&mut *transaction).await.map_err(failed)?;
        // A row that cannot be read names nothing: it is replaced at the next scan.
        let named: BTreeSet<[u8; 32]> =
            records.iter().filter_map(|bytes| record::part_names(bytes).ok()).flatten().collect();
        let named: Vec<String> = named.into_iter().map(|digest| Digest::from_bytes(digest).to_string()).collect();
        sqlx::query("DELETE FROM parts WHERE digest NOT IN (SELECT unhex(value) FROM json_each(?1))")
            .bind(json_list(named))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        self.database.commit(transaction).await
    }
}

async fn apply(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<CommitOutcome, sqlx::Error> {
    for (digest, part) in &batch.parts {
        sqlx::query("INSERT INTO parts (digest, encoded) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING")
            .bind(digest.as_bytes().as_slice())
            .bind(&part.encoded()[..])
            .execute(&mut *connection)
            .await?;
    }
    for (digest, json) in &batch.descriptions {
        // What is there under this digest and differs is damaged.
        sqlx::query(
            "INSERT INTO descriptions (digest, json) VALUES (?1, ?2) \
             ON CONFLICT (digest) DO UPDATE SET json = excluded.json WHERE json IS NOT excluded.json",
        )
        .bind(digest.as_bytes().as_slice())
        .bind(json)
        .execute(&mut *connection)
        .await?;
    }
    let version_before = version::of(connection).await?;
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
    // again without it.
    let revisions = loop {
        let mut savepoint = connection.begin().await?;
        match write_rows(&mut savepoint, batch, &current, &refused).await? {
            Written::All(revisions) => {
                savepoint.commit().await?;
                break revisions;
            }
            Written::TypeIsTaken(index) => {
                savepoint.rollback().await?;
                if !release_damaged_holder(connection, &batch.changes[index]).await? {
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
        version: version::of(connection).await?,
    })
}

/// What the catalog has of each source of the batch, in its order.
async fn current(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<Vec<Current>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT k.key, coalesce(s.revision, 0), coalesce(s.resolvable, 0), coalesce(d.revision, 0) \
         FROM json_each(?1) AS k \
         LEFT JOIN sources AS s ON s.root = k.value ->> 0 AND s.path = k.value ->> 1 \
         LEFT JOIN departed AS d ON d.root = k.value ->> 0 AND d.path = k.value ->> 1",
    )
    .bind(keys(batch.changes.iter().map(|prepared| &prepared.change.source)))
    .fetch_all(connection)
    .await?;
    let mut current: Vec<Current> = batch.changes.iter().map(|_| Current::default()).collect();
    for row in rows {
        let index = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
        if let Some(current) = current.get_mut(index) {
            current.revision = u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0);
            current.is_resolvable = row.try_get::<i64, _>(2)? == 1;
            current.departed = u64::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0);
        }
    }
    Ok(current)
}

async fn write_rows(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    current: &[Current],
    refused: &BTreeSet<usize>,
) -> Result<Written, sqlx::Error> {
    let accepted = || {
        let changes = batch.changes.iter().zip(current).enumerate();
        changes.filter(|(index, _)| !refused.contains(index))
    };
    let giving_up: Vec<&SourceId> = accepted()
        .filter(|(_, (_, current))| current.is_resolvable)
        .map(|(_, (prepared, _))| &prepared.change.source)
        .collect();
    if !giving_up.is_empty() {
        sqlx::query(
            "UPDATE sources SET resolvable = 0 WHERE rowid IN (SELECT s.rowid FROM json_each(?1) AS k \
             CROSS JOIN sources AS s ON s.root = k.value ->> 0 AND s.path = k.value ->> 1)",
        )
        .bind(keys(giving_up))
        .execute(&mut *connection)
        .await?;
    }
    let leaving: Vec<&SourceId> = accepted()
        .filter(|(_, (prepared, _))| prepared.put.is_none())
        .map(|(_, (prepared, _))| &prepared.change.source)
        .collect();
    if !leaving.is_empty() {
        let keys = keys(leaving);
        sqlx::query(
            "INSERT OR REPLACE INTO departed (root, path, revision, kind, type_name) \
             SELECT s.root, s.path, s.revision, s.kind, s.type_name \
             FROM json_each(?1) AS k CROSS JOIN sources AS s ON s.root = k.value ->> 0 AND s.path = k.value ->> 1",
        )
        .bind(&keys)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "DELETE FROM sources WHERE rowid IN (SELECT s.rowid FROM json_each(?1) AS k \
             CROSS JOIN sources AS s ON s.root = k.value ->> 0 AND s.path = k.value ->> 1)",
        )
        .bind(&keys)
        .execute(&mut *connection)
        .await?;
    }
    let mut revisions = Vec::new();
    for (index, (prepared, current)) in accepted() {
        let Some((row, encoded)) = &prepared.put else { continue };
        let revision = current.revision.max(current.departed) + 1;
        match write_row(connection, row, encoded, revision).await {
            Ok(()) => revisions.push((row.source.clone(), revision)),
            Err(error) if is_unique_violation(&error) => return Ok(Written::TypeIsTaken(index)),
            Err(error) => return Err(error),
        }
    }
    Ok(Written::All(revisions))
}

async fn write_row(
    connection: &mut SqliteConnection,
    row: &Row,
    encoded: &[u8],
    revision: u64,
) -> Result<(), sqlx::Error> {
    let description = row.state.indexed().map(|indexed| indexed.description.as_bytes().as_slice());
    sqlx::query(
        "INSERT INTO sources (root, path, revision, kind, state, type_name, resolvable, description, record) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (root, path) DO UPDATE SET \
         revision = excluded.revision, kind = excluded.kind, state = excluded.state, \
         type_name = excluded.type_name, resolvable = excluded.resolvable, description = excluded.description, \
         record = excluded.record",
    )
    .bind(row.source.root.as_str())
    .bind(row.source.path.as_str())
    .bind(i64::try_from(revision).unwrap_or(i64::MAX))
    .bind(row.kind.as_str())
    .bind(row.state.name().as_str())
    .bind(row.type_name().map(mangrove_domain::type_name::TypeName::as_str))
    .bind(i64::from(row.is_resolvable()))
    .bind(description)
    .bind(encoded)
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_transitions(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    refused: &BTreeSet<usize>,
) -> Result<(), sqlx::Error> {
    let lines: Vec<serde_json::Value> = batch
        .changes
        .iter()
        .enumerate()
        .filter(|(index, _)| !refused.contains(index))
        .filter_map(|(_, prepared)| prepared.change.transition.as_ref().map(|line| (&prepared.change.source, line)))
        .map(|(source, transition)| {
            serde_json::json!([
                source.root.as_str(),
                source.path.as_str(),
                transition.from.map(mangrove_domain::state::StateName::as_str),
                transition.to.as_str(),
                transition.reason,
                transition.entry_digest.map(|digest| digest.to_string()),
                transition.at.as_millis(),
            ])
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO transitions (root, path, from_state, to_state, reason, entry_digest, at_millis) \
         SELECT k.value ->> 0, k.value ->> 1, k.value ->> 2, k.value ->> 3, k.value ->> 4, \
         unhex(k.value ->> 5), k.value ->> 6 FROM json_each(?1) AS k ORDER BY k.key",
    )
    .bind(serde_json::Value::Array(lines).to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the stored row of this source can be understood. One that cannot is left out of snapshots, so
/// nobody knows its revision; it is replaced by whoever comes with a new row.
async fn is_readable(connection: &mut SqliteConnection, source: &SourceId) -> Result<bool, sqlx::Error> {
    let stored: Option<Vec<u8>> = sqlx::query_scalar("SELECT record FROM sources WHERE root = ?1 AND path = ?2")
        .bind(source.root.as_str())
        .bind(source.path.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(stored) = stored else { return Ok(true) };
    let mut decoder = record::Decoder::default();
    for part in sqlx::query("SELECT digest, encoded FROM parts").fetch_all(connection).await? {
        if let Ok(digest) = part.try_get::<&[u8], _>(0)?.try_into() {
            decoder.add_part(digest, part.try_get::<&[u8], _>(1)?.into());
        }
    }
    Ok(decoder.row(source.root.as_str(), source.path.as_str(), 1, &stored).is_ok())
}

/// Takes a type away from a row that cannot be understood. False if its holder is in order.
async fn release_damaged_holder(
    connection: &mut SqliteConnection,
    prepared: &Prepared<'_>,
) -> Result<bool, sqlx::Error> {
    let Some((row, _)) = &prepared.put else { return Ok(false) };
    let holder = sqlx::query("SELECT root, path FROM sources WHERE kind = ?1 AND type_name = ?2 AND resolvable = 1")
        .bind(row.kind.as_str())
        .bind(row.type_name().map(mangrove_domain::type_name::TypeName::as_str))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(holder) = holder else { return Ok(false) };
    let (root, path): (String, String) = (holder.try_get(0)?, holder.try_get(1)?);
    if let Ok(relative) = mangrove_domain::source::RelativePath::parse(&path) {
        let source = SourceId { root: mangrove_domain::source::RootId::new(root.as_str()), path: relative };
        if is_readable(connection, &source).await? {
            return Ok(false);
        }
    }
    sqlx::query("UPDATE sources SET resolvable = 0 WHERE root = ?1 AND path = ?2")
        .bind(root)
        .bind(path)
        .execute(connection)
        .await?;
    Ok(true)
}

/// Keys as a JSON list of `[root, path]`.
pub(super) fn keys<'a>(sources: impl IntoIterator<Item = &'a SourceId>) -> String {
    let list = sources.into_iter().map(|source| serde_json::json!([source.root.as_str(), source.path.as_str()]));
    serde_json::Value::Array(list.collect()).to_string()
}

pub(super) fn json_list(items: impl IntoIterator<Item = String>) -> String {
    serde_json::Value::Array(items.into_iter().map(serde_json::Value::String).collect()).to_string()
}
