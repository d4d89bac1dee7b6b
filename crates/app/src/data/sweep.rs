//! What is not kept any longer.

use std::collections::HashMap;

use mangrove_domain::{
    data::{DataHandle, Lifetime, Retention},
    ports::{DataError, DataStore, RunStore, RunStoreError},
    run::RunLookup,
    time::Timestamp,
};

/// What a sweep removed, or in a dry run would.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Swept {
    /// The latest versions of items that went entirely.
    pub expired: Vec<DataHandle>,
    /// How many versions went, those of expired items included.
    pub versions: u64,
    /// Their contents together.
    pub bytes: u64,
}

/// Data or runs cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Runs.
    #[error(transparent)]
    Runs(#[from] RunStoreError),
}

/// Removes items whose lifetime has passed, and versions that are more or older than their author wants to keep. The
/// lifetime is that of the newest version. What the store has not written itself stays, and so does what says that the thing
/// behind it is gone.
///
/// # Errors
/// [`SweepError`]; a part may be removed by then.
pub async fn sweep(
    store: &dyn DataStore,
    runs: &dyn RunStore,
    now: Timestamp,
    is_dry_run: bool,
) -> Result<Swept, SweepError> {
    let mut swept = Swept::default();
    let mut known = Runs { runs, states: HashMap::new() };
    for model in store.models().await? {
        for latest in store.list(&model).await? {
            let versions = store.versions(&model, &latest.name).await?;
            let is_expired = !latest.is_gone()
                && versions.iter().all(|handle| store.is_removable(handle))
                && known.is_over(&latest, now).await?;
            let going: Vec<&DataHandle> = if is_expired {
                versions.iter().collect()
            } else {
                superfluous(&versions, &latest, now).filter(|handle| store.is_removable(handle)).collect()
            };
            for handle in &going {
                swept.versions += 1;
                swept.bytes += handle.size_bytes;
                if !is_dry_run && !is_expired {
                    store.delete(&model, &latest.name, Some(handle.version)).await?;
                }
            }
            if is_expired {
                if !is_dry_run {
                    store.delete(&model, &latest.name, None).await?;
                }
                swept.expired.push(latest);
            }
        }
    }
    Ok(swept)
}

/// The versions that the author does not want to keep. The newest is never among them.
fn superfluous<'a>(
    versions: &'a [DataHandle],
    latest: &DataHandle,
    now: Timestamp,
) -> impl Iterator<Item = &'a DataHandle> {
    let retention = Retention::parse(&latest.garbage_collection);
    let count = versions.len();
    versions.iter().enumerate().filter_map(move |(place, handle)| {
        let later = count - 1 - place;
        let goes = match retention {
            None => false,
            Some(Retention::Newest(kept)) => later >= usize::try_from(kept).unwrap_or(usize::MAX),
            Some(Retention::Younger(age)) => later > 0 && now.since(handle.written_at) > age,
        };
        goes.then_some(handle)
    })
}

/// The runs that were asked about.
struct Runs<'a> {
    runs: &'a dyn RunStore,
    states: HashMap<String, State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Gone,
}

impl Runs<'_> {
    async fn is_over(&mut self, latest: &DataHandle, now: Timestamp) -> Result<bool, RunStoreError> {
        Ok(match Lifetime::parse(&latest.lifetime) {
            // What is not understood is kept.
            None | Some(Lifetime::Infinite) => false,
            Some(Lifetime::Within(age)) => now.since(latest.written_at) > age,
            Some(Lifetime::Job | Lifetime::Workflow) => self.state(&latest.run_id).await? == State::Gone,
            Some(Lifetime::Ephemeral) => self.state(&latest.run_id).await? != State::Open,
        })
    }

    async fn state(&mut self, run: &str) -> Result<State, RunStoreError> {
        if run.is_empty() {
            return Ok(State::Open);
        }
        if let Some(state) = self.states.get(run) {
            return Ok(*state);
        }
        let state = match self.runs.get(run).await? {
            RunLookup::Found(record) if record.is_open() => State::Open,
            RunLookup::Found(_) | RunLookup::Ambiguous => State::Ended,
            RunLookup::Unknown => State::Gone,
        };
        self.states.insert(run.to_owned(), state);
        Ok(state)
    }
}
