//! The tables of the index.

use std::collections::HashSet;

use mangrove_domain::{
    json::Json,
    ports::{DataField, DataSearch},
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{
    super::{
        Place,
        evidence::Root,
        files::{Files, Told},
    },
    IndexError,
    mirror::{FreshItem, FreshVersion, ItemEntry, Mirror},
};
use crate::sqlite::{Database, SqliteError, meta};

/// What is written in one transaction.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) gone_models: Vec<String>,
    pub(super) gone_items: Vec<(String, String)>,
    pub(super) items: Vec<FreshItem>,
    pub(super) models: Vec<(String, Box<[u8]>)>,
}

/// What others have written since a mirror was made.
pub(super) enum Touched {
    Nothing,
    These(HashSet<(String, Option<String>)>),
    Everything,
}

/// What is asked of the index.
pub(super) enum Query {
    /// Versions as a search wants them, perhaps more.
    Search(DataSearch),
    /// The newest version of each item of a model.
    Newest(String),
}

/// A version as it is stored.
pub(super) struct StoredVersion {
    pub(super) place: Place,
    pub(super) is_latest: bool,
    pub(super) handle: Vec<u8>,
}

/// Brings a mirror up to date with the file.
pub(super) async fn load(connection: &mut SqliteConnection, mirror: &mut Mirror) -> Result<Touched, sqlx::Error> {
    let generation = number(connection, "generation").await?;
    if generation == mirror.generation {
        return Ok(Touched::Nothing);
    }
    let is_all = number(connection, "removal").await? > mirror.generation || generation < mirror.generation;
    if is_all {
        *mirror = Mirror::default();
    }
    let mut touched = HashSet::new();
    let models: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT id, evidence FROM models WHERE generation > ?1")
        .bind(mirror.generation)
        .fetch_all(&mut *connection)
        .await?;
    for (id, evidence) in models {
        mirror.models.entry(id.clone()).or_default().evidence = Some(evidence.into());
        touched.insert((id, None));
    }
    let items: Vec<(String, String, u8, Vec<u8>)> =
        sqlx::query_as("SELECT model, name, sides, evidence FROM items WHERE generation > ?1")
            .bind(mirror.generation)
            .fetch_all(&mut *connection)
            .await?;
    for (model, name, sides, evidence) in items {
        if !is_all {
            touched.insert((model.clone(), Some(name.clone())));
        }
        let entry = ItemEntry { sides, evidence: evidence.into() };
        mirror.models.entry(model).or_default().items.insert(name, entry);
    }
    mirror.generation = generation;
    Ok(if is_all { Touched::Everything } else { Touched::These(touched) })
}

/// The generation of the file.
pub(super) async fn generation(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    number(connection, "generation").await
}

async fn number(connection: &mut SqliteConnection, name: &str) -> Result<i64, sqlx::Error> {
    Ok(meta(connection, name).await?.and_then(|text| text.parse().ok()).unwrap_or_default())
}

/// Writes what was read, and into the mirror. False if others have written something of it meanwhile: that stays.
pub(super) async fn write(
    database: &Database,
    files: &Files,
    mirror: &mut Mirror,
    mut changes: Changes,
) -> Result<bool, IndexError> {
    let failed = |error: sqlx::Error| IndexError::Database(database.error("write", &error));
    let mut transaction = database.begin_write().await?;
    let is_complete = match load(&mut transaction, mirror).await.map_err(failed)? {
        Touched::Nothing => true,
        Touched::Everything => {
            transaction.rollback().await.map_err(failed)?;
            return Ok(false);
        }
        Touched::These(touched) => changes.leave_out(&touched),
    };
    let generation = mirror.generation + 1;
    put(&mut transaction, files, &changes, generation).await?;
    // The mirror is as the file was until here: if the commit fails, it is dropped with the error.
    database.commit(transaction).await?;
    changes.apply(mirror);
    mirror.generation = generation;
    Ok(is_complete)
}

impl Changes {
    fn leave_out(&mut self, touched: &HashSet<(String, Option<String>)>) -> bool {
        let before = self.count();
        let is_touched =
            |model: &str, name: Option<&str>| touched.contains(&(model.to_owned(), name.map(str::to_owned)));
        self.gone_models.retain(|id| touched.iter().all(|(model, _)| model != id));
        self.gone_items.retain(|(model, name)| !is_touched(model, Some(name)));
        self.items.retain(|item| !is_touched(&item.model, Some(&item.name)));
        // All of its items must be there first.
        let is_complete = self.count() == before;
        if !is_complete {
            self.models.clear();
        }
        self.models.retain(|(id, _)| !is_touched(id, None));
        is_complete && self.count() == before
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        self.gone_models.len() + self.gone_items.len() + self.items.len() + self.models.len()
    }

    fn apply(self, mirror: &mut Mirror) {
        for id in self.gone_models {
            mirror.models.remove(&id);
        }
        for (model, name) in self.gone_items {
            if let Some(model) = mirror.models.get_mut(&model) {
                model.items.remove(&name);
            }
        }
        for FreshItem { model, name, sides, evidence, .. } in self.items {
            mirror.models.entry(model).or_default().items.insert(name, ItemEntry { sides, evidence });
        }
        for (id, evidence) in self.models {
            mirror.models.entry(id).or_default().evidence = Some(evidence);
        }
    }
}

async fn put(
    connection: &mut SqliteConnection,
    files: &Files,
    changes: &Changes,
    generation: i64,
) -> Result<(), IndexError> {
    for id in &changes.gone_models {
        sqlx::query("DELETE FROM models WHERE id = ?1").bind(id).execute(&mut *connection).await?;
        sqlx::query("DELETE FROM items WHERE model = ?1").bind(id).execute(&mut *connection).await?;
    }
    for (model, name) in &changes.gone_items {
        sqlx::query("DELETE FROM items WHERE model = ?1 AND name = ?2")
            .bind(model)
            .bind(name)
            .execute(&mut *connection)
            .await?;
    }
    for item in &changes.items {
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO items (model, name, sides, evidence, generation) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (model, name) DO UPDATE SET sides = excluded.sides, evidence = excluded.evidence, \
             generation = excluded.generation RETURNING id",
        )
        .bind(&item.model)
        .bind(&item.name)
        .bind(item.sides)
        .bind(&*item.evidence)
        .bind(generation)
        .fetch_one(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM versions WHERE item = ?1").bind(id).execute(&mut *connection).await?;
        // The newest comes first.
        for (rank, version) in (0..).zip(&item.versions) {
            put_version(connection, files, id, rank, version).await?;
        }
    }
    for (id, evidence) in &changes.models {
        sqlx::query(
            "INSERT INTO models (id, evidence, generation) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET evidence = excluded.evidence, generation = excluded.generation",
        )
        .bind(id)
        .bind(&**evidence)
        .bind(generation)
        .execute(&mut *connection)
        .await?;
    }
    set(connection, "generation", generation).await?;
    if !changes.gone_models.is_empty() || !changes.gone_items.is_empty() {
        set(connection, "removal", generation).await?;
    }
    Ok(())
}

async fn set(connection: &mut SqliteConnection, name: &str, value: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE meta SET value = ?2 WHERE name = ?1")
        .bind(name)
        .bind(value.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_version(
    connection: &mut SqliteConnection,
    files: &Files,
    item: i64,
    rank: i64,
    version: &FreshVersion,
) -> Result<(), IndexError> {
    let Told { place, handle, is_latest } = &version.told;
    let (place, path) = stored_place(files, place)?;
    let tags = Json::object(handle.tags.iter().map(|(name, value)| (name.as_str(), Json::from(value.as_str()))));
    sqlx::query(
        "INSERT INTO versions (item, rank, is_latest, is_gone, place, path, model_name, model_type, spec_name, workflow_run, \
         step_name, tags, handle) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )
    .bind(item)
    .bind(rank)
    .bind(is_latest)
    .bind(handle.is_gone())
    .bind(place)
    .bind(path)
    .bind(DataField::ModelName.of(handle))
    .bind(DataField::ModelType.of(handle))
    .bind(DataField::SpecName.of(handle))
    .bind(DataField::WorkflowRun.of(handle))
    .bind(DataField::Step.of(handle))
    .bind(tags.to_string())
    .bind(&version.handle)
    .execute(connection)
    .await?;
    Ok(())
}

fn stored_place<'a>(files: &Files, place: &'a Place) -> Result<(u8, &'a str), IndexError> {
    let (number, root, path) = match (place, &files.existing) {
        (Place::Ours(path), _) => (0, files.ours.root(), path),
        (Place::First(path), _) => (1, files.ours.root(), path),
        (Place::Existing(path), Some(existing)) => (2, existing.root(), path),
        (Place::Existing(_), None) => return Err(IndexError::Unusable),
    };
    root.relative(path).map(|path| (number, path)).ok_or(IndexError::Unusable)
}

fn restored_place(files: &Files, number: u8, path: &str) -> Option<Place> {
    let below = |root: &Root| root.path.join(path);
    Some(match (number, &files.existing) {
        (0, _) => Place::Ours(below(files.ours.root())),
        (1, _) => Place::First(below(files.ours.root())),
        (2, Some(existing)) => Place::Existing(below(existing.root())),
        _ => return None,
    })
}

/// The versions that are asked for, of items of models and names that count, as the generation of a mirror has them; `None` if the file has another one by now.
pub(super) async fn select(
    database: &Database,
    files: &Files,
    generation: i64,
    query: &Query,
    counts: &(dyn Fn(&str, &str) -> bool + Sync),
) -> Result<Option<Vec<StoredVersion>>, IndexError> {
    let failed = |error: sqlx::Error| IndexError::Database(database.error("read", &error));
    let Some(readers) = database.readers() else { return Err(IndexError::Unusable) };
    let mut transaction = readers.begin().await.map_err(failed)?;
    if number(&mut transaction, "generation").await.map_err(failed)? != generation {
        return Ok(None);
    }
    let mut text = text_of(query);
    let rows: Vec<(String, String, u8, String, bool, Vec<u8>)> =
        text.build_query_as().fetch_all(&mut *transaction).await.map_err(failed)?;
    let rows = rows.into_iter().filter(|(model, name, ..)| counts(model, name));
    let stored = rows.map(|(_, _, place, path, is_latest, handle)| {
        let place = restored_place(files, place, &path).ok_or(IndexError::Unusable)?;
        Ok(StoredVersion { place, is_latest, handle })
    });
    stored.collect::<Result<_, _>>().map(Some)
}

fn text_of(query: &Query) -> QueryBuilder<Sqlite> {
    // Only what was loaded into the mirror was looked at.
    let mut text = QueryBuilder::new(
        "SELECT items.model, items.name, place, path, is_latest, handle FROM versions JOIN items ON items.id = item WHERE items.generation >= 0 AND ",
    );
    let search = match query {
        Query::Newest(model) => {
            text.push("rank = 0 AND items.model = ").push_bind(model.clone());
            return text;
        }
        Query::Search(search) => search,
    };
    text.push("is_gone = 0");
    if !search.wants_every_version {
        text.push(" AND is_latest = 1");
    }
    for (field, value) in &search.equal {
        let column = match field {
            DataField::ModelName => "model_name = ",
            DataField::ModelType => "model_type = ",
            DataField::SpecName => "spec_name = ",
            DataField::WorkflowRun => "workflow_run = ",
            DataField::Step => "step_name = ",
            DataField::ModelId => "items.model = ",
            DataField::Name => "items.name = ",
            // Other names would have to be escaped; who asks looks again anyway.
            DataField::Tag(name) if is_plain(name) => {
                text.push(" AND coalesce(json_extract(tags, ").push_bind(format!("$.\"{name}\"")).push("), '') = ");
                text.push_bind(value.clone());
                continue;
            }
            DataField::Tag(_) => continue,
        };
        text.push(" AND ").push(column).push_bind(value.clone());
    }
    text
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/@ ".contains(&byte))
}

impl From<SqliteError> for IndexError {
    fn from(error: SqliteError) -> Self {
        Self::Database(error)
    }
}
