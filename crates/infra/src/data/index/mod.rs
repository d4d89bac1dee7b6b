//! An index of data in `SQLite`, so that searches need not read all files (`design/data.md`).
//!
//! The files are the truth; the index is what they said when they looked so. Every answer first looks at all that it rests
//! on, reads again what has moved, and is then taken from rows of exactly that state: each transaction that writes makes a
//! new *generation*, and a mirror of one generation in memory says by which looks its rows are proved. Whatever goes wrong
//! with the index, the files answer.

mod aside;
mod mirror;
mod parallel;
mod stored;
mod tables;

use std::{path::PathBuf, sync::Arc, time::Duration};

use mangrove_domain::{
    data::DataHandle,
    failure::Fault,
    ports::{DataField, DataSearch, FoundData},
    problem::Code,
};
use mangrove_fs::directory;
use sqlx::sqlite::SqliteSynchronous;
use tokio::sync::Mutex;

use super::{
    evidence::Looker,
    files::{self, Files, Listing},
};
use crate::sqlite::{self, BusyPolicy, Database, Layout, OpenMode, SqliteError, migrations};
use aside::Aside;
use mirror::{Mirror, Stale};
use tables::{Changes, Query, StoredVersion};

/// The name of its file in the state directory.
pub(super) const FILE_NAME: &str = "data-index.db";

/// How often a question is asked anew because others write meanwhile, before the files answer.
const ATTEMPTS: u32 = 6;
/// How many items are written in one transaction.
const WRITTEN_AT_ONCE: usize = 5_000;
/// How many items may have moved before reading all files is no more than reading those.
const MOST_ASIDE: usize = 5_000;

/// The files answer sooner than whoever waits for a lock.
const BUSY: BusyPolicy = BusyPolicy { busy_timeout: Duration::from_millis(200), attempts: 1 };

const LAYOUT: Layout = Layout {
    version: 1,
    readable_from: 1,
    steps: migrations::DATA_INDEX,
    // What is lost with the power is read from the files again.
    synchronous: SqliteSynchronous::Normal,
    objects: &["models", "items", "items_generation", "versions", "versions_model_name", "versions_workflow_run"],
    later_objects: &[],
    probe: "SELECT count(*) FROM models",
};

/// The index of one store.
pub(super) struct Index {
    path: PathBuf,
    mode: OpenMode,
    from_items: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    database: Option<Arc<Database>>,
    /// Questions hold it while they look, without the lock.
    mirror: Arc<Mirror>,
}

/// What the index says.
pub(super) enum Answer<T> {
    /// What was asked for.
    Found(T),
    /// The files have to say it, and this was listed of them to find that out.
    InFiles(Option<Listing>),
}

/// Why the index gives no answer.
#[derive(Debug)]
enum IndexError {
    /// The files cannot be read: so it is without an index, too.
    Files(Fault),
    /// Its file cannot be used.
    Database(SqliteError),
    /// It cannot say what the files say, such as a path that is no text.
    Unusable,
}

impl From<sqlx::Error> for IndexError {
    fn from(error: sqlx::Error) -> Self {
        let message = format!("cannot write the index of data: {error}");
        Self::Database(SqliteError::Other(Fault::environment(Code::CATALOG_FAILED, "data:index", message)))
    }
}

impl Index {
    /// The index in this file. To be written, it is made by the first question about at least so many items; to be read, what
    /// has moved since it was written is read by each process for itself.
    pub(super) fn new(path: PathBuf, mode: OpenMode, from_items: usize) -> Self {
        Self { path, mode, from_items, state: Mutex::default() }
    }

    /// What a search finds.
    pub(super) async fn find(&self, files: &Files, search: &DataSearch) -> Result<Answer<Vec<FoundData>>, Fault> {
        // One look for each model says where items of one name lie.
        if files::wanted(search, &DataField::Name).is_some() {
            return Ok(Answer::InFiles(None));
        }
        let scope = files::wanted(search, &DataField::ModelId);
        let wanted = Arc::new(search.clone());
        self.answer(files, scope, &Query::Search(search.clone()), move |files, version| {
            let handle = stored::decode(&version.handle).ok_or(IndexError::Unusable)?;
            if !files::fits(&wanted, &handle, version.is_latest) {
                return Ok(None);
            }
            if !wanted.wants_content {
                return Ok(Some(FoundData { handle, is_latest: version.is_latest, content: None }));
            }
            let content = files.found_content(&version.place, &handle)?;
            Ok(content.map(|content| FoundData { handle, is_latest: version.is_latest, content: Some(content) }))
        })
        .await
    }

    /// The latest versions of all items of a model.
    pub(super) async fn list(&self, files: &Files, model_id: &str) -> Result<Answer<Vec<DataHandle>>, Fault> {
        let query = Query::Newest(model_id.to_owned());
        let found = self.answer(files, Some(model_id), &query, |_, version| {
            stored::decode(&version.handle).map(Some).ok_or(IndexError::Unusable)
        });
        let mut found = found.await?;
        if let Answer::Found(handles) = &mut found {
            files::sort(handles);
        }
        Ok(found)
    }

    async fn answer<T: Send + 'static>(
        &self,
        files: &Files,
        scope: Option<&str>,
        query: &Query,
        tell: impl Fn(&Files, &StoredVersion) -> Result<Option<T>, IndexError> + Clone + Send + Sync + 'static,
    ) -> Result<Answer<Vec<T>>, Fault> {
        {
            let state = self.state.lock().await;
            if state.database.is_none() {
                if self.mode == OpenMode::ReadOnly && !self.path.exists() {
                    return Ok(Answer::InFiles(None));
                }
                match self.listed_if_little(files, scope).await {
                    Ok(None) => {}
                    Ok(listing) => return Ok(Answer::InFiles(listing)),
                    Err(IndexError::Files(fault)) => return Err(fault),
                    Err(IndexError::Database(_) | IndexError::Unusable) => return Ok(Answer::InFiles(None)),
                }
            }
        }
        let error = match self.ask(files, scope, query, tell).await {
            Ok(Some(found)) => return Ok(Answer::Found(found)),
            Ok(None) => return Ok(Answer::InFiles(None)),
            Err(error) => error,
        };
        let mut state = self.state.lock().await;
        // Whatever was under way, the mirror may not be that of the file any more.
        state.mirror = Arc::default();
        match error {
            // The files decide: not everything that was read here has to be read for the answer.
            IndexError::Files(_) | IndexError::Unusable => Ok(Answer::InFiles(None)),
            IndexError::Database(error) => {
                if let (SqliteError::Corrupt(_), Some(database)) = (&error, state.database.take()) {
                    database.mark_suspect();
                }
                state.database = None;
                tracing::warn!(
                    error = error.into_fault().message,
                    "the index of data cannot be used; the files are read"
                );
                Ok(Answer::InFiles(None))
            }
        }
    }

    /// Looks, selects and tells. Where nothing has moved, the lock is held for a moment only, so that searches do not wait for
    /// each other; whoever writes has it to the end of that.
    async fn ask<T: Send + 'static>(
        &self,
        files: &Files,
        scope: Option<&str>,
        query: &Query,
        tell: impl Fn(&Files, &StoredVersion) -> Result<Option<T>, IndexError> + Clone + Send + Sync + 'static,
    ) -> Result<Option<Vec<T>>, IndexError> {
        let mut has_failed = false;
        for _ in 0..ATTEMPTS {
            let (database, mirror) = self.current(&mut *self.state.lock().await).await?;
            let looker = Arc::new(files.looker());
            let moved = check(&mirror, files, &looker, scope).await?;
            let mut generation = mirror.generation;
            // Whoever writes would have to copy what others still hold.
            drop(mirror);
            let aside = match self.mode {
                _ if moved.is_empty() => Aside::default(),
                OpenMode::ReadOnly if moved.items.len() > MOST_ASIDE => return Ok(None),
                OpenMode::ReadOnly => set_aside(files, &looker, moved).await?,
                OpenMode::ReadWrite => match self.brought_up_to_date(files, scope).await? {
                    Some(written) => {
                        generation = written;
                        Aside::default()
                    }
                    None => continue,
                },
            };
            let counts = |model: &str, name: &str| !aside.hides(model, name);
            let selected = tables::select(&database, files, generation, query, &counts).await?;
            let Some(mut versions) = selected else { continue };
            versions.extend(aside.versions(query));
            let (files, tell) = (files.clone(), tell.clone());
            let told = blocking(move || {
                let told = parallel::map(&versions, |version| tell(&files, version));
                told.into_iter().filter_map(Result::transpose).collect::<Result<Vec<T>, IndexError>>()
            });
            match told.await {
                // What was there a moment ago may be gone.
                Err(IndexError::Files(_)) if !has_failed => has_failed = true,
                told => return told.map(Some),
            }
        }
        Ok(None)
    }

    /// The file, and the mirror as that is now.
    async fn current(&self, state: &mut State) -> Result<(Arc<Database>, Arc<Mirror>), IndexError> {
        self.open(state).await?;
        let State { database: Some(database), mirror } = state else { return Err(IndexError::Unusable) };
        let failed = |error: sqlx::Error| IndexError::Database(database.error("read", &error));
        let Some(readers) = database.readers() else { return Err(IndexError::Unusable) };
        let mut transaction = readers.begin().await.map_err(failed)?;
        if tables::generation(&mut transaction).await.map_err(failed)? != mirror.generation {
            tables::load(&mut transaction, Arc::make_mut(mirror)).await.map_err(failed)?;
        }
        Ok((Arc::clone(database), Arc::clone(mirror)))
    }

    /// Reads what has moved and writes it into the file and the mirror, one at a time. Gives the generation that this makes;
    /// `None` if it has to be tried again.
    async fn brought_up_to_date(&self, files: &Files, scope: Option<&str>) -> Result<Option<i64>, IndexError> {
        let mut state = self.state.lock().await;
        // Another search may have written it while this one waited for its turn.
        let (database, mirror) = self.current(&mut state).await?;
        let looker = Arc::new(files.looker());
        let moved = check(&mirror, files, &looker, scope).await?;
        drop(mirror);
        let mirror = Arc::make_mut(&mut state.mirror);
        let is_written = write(&database, mirror, files, &looker, moved).await?;
        Ok(is_written.then_some(mirror.generation))
    }

    /// All that a question is about, if it is so little that reading it is no matter.
    async fn listed_if_little(&self, files: &Files, scope: Option<&str>) -> Result<Option<Listing>, IndexError> {
        let (files, scope, enough) = (files.clone(), scope.map(str::to_owned), self.from_items);
        blocking(move || Ok(files.listed(scope.as_deref(), enough)?)).await
    }

    /// Opens the file, if it is not open, or if another one lies in its place.
    async fn open(&self, state: &mut State) -> Result<(), IndexError> {
        if state.database.as_ref().is_some_and(|database| database.is_in_place()) {
            return Ok(());
        }
        *state = State::default();
        let (database, damaged) = sqlite::open(&self.path, self.mode, &LAYOUT, BUSY).await?;
        if let Some(damaged) = damaged {
            tracing::warn!("the index of data was damaged, and is made anew");
            if let Some(directory) = damaged.parent() {
                // Best effort: nobody needs it, and it costs space.
                let _ = directory::remove_file(directory, &damaged);
            }
        }
        state.database = Some(Arc::new(database));
        Ok(())
    }
}

/// Says what has moved since the mirror was written.
async fn check(
    mirror: &Arc<Mirror>,
    files: &Files,
    looker: &Arc<Looker>,
    scope: Option<&str>,
) -> Result<Stale, IndexError> {
    let (mirror, files, looker) = (Arc::clone(mirror), files.clone(), Arc::clone(looker));
    let scope = scope.map(str::to_owned);
    blocking(move || mirror.check(&files, &looker, scope.as_deref())).await
}

/// Reads what has moved, and writes it into the file and the mirror. False if that has to be tried again.
async fn write(
    database: &Database,
    mirror: &mut Mirror,
    files: &Files,
    looker: &Arc<Looker>,
    stale: Stale,
) -> Result<bool, IndexError> {
    if stale.is_empty() {
        return Ok(true);
    }
    let Stale { gone_models, gone_items, items, models } = stale;
    let mut changes = Changes { gone_models, gone_items, ..Changes::default() };
    let mut is_complete = true;
    let mut left = items.into_iter();
    loop {
        let chunk: Vec<_> = left.by_ref().take(WRITTEN_AT_ONCE).collect();
        let is_last = chunk.len() < WRITTEN_AT_ONCE;
        let (copy, looker) = (files.clone(), Arc::clone(looker));
        changes.items = blocking(move || mirror::read(&copy, &looker, &chunk)).await?;
        changes.items.retain(|fresh| !mirror.has(fresh));
        if is_last && is_complete {
            // Only now are all items there.
            changes.models.clone_from(&models);
        }
        if !changes.is_empty() {
            is_complete &= tables::write(database, files, mirror, std::mem::take(&mut changes)).await?;
        }
        if is_last {
            return Ok(is_complete);
        }
    }
}

/// Reads what has moved, for this one question.
async fn set_aside(files: &Files, looker: &Arc<Looker>, stale: Stale) -> Result<Aside, IndexError> {
    let (files, looker) = (files.clone(), Arc::clone(looker));
    blocking(move || Aside::read(&files, &looker, stale)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    match mangrove_fs::blocking(work).await {
        Ok(outcome) => outcome,
        // It panicked, or the runtime ends.
        Err(_) => Err(IndexError::Unusable),
    }
}

#[cfg(test)]
mod tests;
