//! Runs that were started with an `Idempotency-Key`: one key, one run, however often a client sends its request because it
//! did not get the answer. What is known is kept in memory, for a day, and is gone after a restart.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mangrove_domain::time::Timestamp;
use tokio::sync::OnceCell;

/// How long a key is remembered.
const KEPT: Duration = Duration::from_hours(24);

/// How many keys are remembered. Beyond that a request with a new key is refused: forgetting one early would break what it
/// promises.
const KEYS: usize = 10_000;

/// The longest key, in bytes.
pub(super) const LONGEST_KEY: usize = 255;

/// A key, of one sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) sender: String,
    pub(super) key: String,
}

/// The runs that were started with a key.
#[derive(Debug, Default)]
pub(super) struct StartedRuns {
    entries: Mutex<HashMap<Key, Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Digest of what was asked for.
    request: [u8; 32],
    at: Timestamp,
    /// The identifier of the run, once it is on record.
    run: Arc<OnceCell<String>>,
}

/// Why no run was started or found for a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused<E> {
    /// The key was used for something else.
    OtherRequest,
    /// Too many keys are remembered.
    Full,
    /// The run did not start. The key is free again.
    NotStarted(E),
}

impl StartedRuns {
    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The identifier of the run of this key: of the one that was started with it before, or of the one that `start` starts
    /// now. Requests at the same time start one. Must not be dropped before it has come back.
    pub(super) async fn run<E>(
        &self,
        key: Key,
        request: [u8; 32],
        now: Timestamp,
        start: impl AsyncFnOnce() -> Result<String, E>,
    ) -> Result<String, Refused<E>> {
        let run = self.entry(&key, request, now)?;
        let started = run.get_or_try_init(|| start()).await.cloned();
        started.map_err(|error| {
            // A failure is no answer for the next request. Whoever waits for the same cell tries in its place; the key is
            // free if nobody does: the cell is held by its entry and by this request alone.
            let mut entries = self.entries();
            let is_alone = Arc::strong_count(&run) == 2 && !run.initialized();
            if is_alone && entries.get(&key).is_some_and(|entry| Arc::ptr_eq(&entry.run, &run)) {
                entries.remove(&key);
            }
            Refused::NotStarted(error)
        })
    }

    fn entry<E>(&self, key: &Key, request: [u8; 32], now: Timestamp) -> Result<Arc<OnceCell<String>>, Refused<E>> {
        let mut entries = self.entries();
        // A clock that is set back makes no key older.
        if let Some(entry) = entries.get(key).filter(|entry| now.since(entry.at) < KEPT) {
            return if entry.request == request { Ok(Arc::clone(&entry.run)) } else { Err(Refused::OtherRequest) };
        }
        if entries.len() >= KEYS {
            entries.retain(|_, entry| now.since(entry.at) < KEPT);
        }
        if entries.len() >= KEYS {
            return Err(Refused::Full);
        }
        let entry = Entry { request, at: now, run: Arc::default() };
        entries.insert(key.clone(), entry.clone());
        Ok(entry.run)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, convert::Infallible};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn key(name: &str) -> Key {
        Key { sender: "ci".to_owned(), key: name.to_owned() }
    }

    #[tokio::test]
    async fn one_key_starts_one_run_for_a_day() {
        let runs = StartedRuns::default();
        let started = Cell::new(0);
        let start = async || {
            started.set(started.get() + 1);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(format!("run {}", started.get()))
        };
        let (one, two) = tokio::join!(runs.run(key("a"), [1; 32], NOW, start), runs.run(key("a"), [1; 32], NOW, start));
        assert_eq!((one, two), (Ok("run 1".to_owned()), Ok("run 1".to_owned())), "at the same time");
        assert_eq!(runs.run(key("a"), [1; 32], NOW, start).await, Ok("run 1".to_owned()), "later");
        assert_eq!(runs.run(key("a"), [2; 32], NOW, start).await, Err(Refused::OtherRequest));
        assert_eq!(runs.run(key("b"), [1; 32], NOW, start).await, Ok("run 2".to_owned()));
        let other = Key { sender: "wall".to_owned(), key: "a".to_owned() };
        assert_eq!(
            runs.run(other, [1; 32], NOW, start).await,
            Ok("run 3".to_owned()),
            "another sender's key is another key"
        );
        assert_eq!(
            runs.run(key("a"), [1; 32], NOW.plus(KEPT), start).await,
            Ok("run 4".to_owned()),
            "a day later it is forgotten"
        );
    }

    #[tokio::test]
    async fn a_run_that_did_not_start_is_tried_again() {
        let runs = StartedRuns::default();
        assert_eq!(runs.run(key("a"), [1; 32], NOW, async || Err("busy")).await, Err(Refused::NotStarted("busy")));
        assert_eq!(
            runs.run(key("a"), [2; 32], NOW, async || Ok::<_, &str>("run".to_owned())).await,
            Ok("run".to_owned())
        );
    }

    #[tokio::test]
    async fn who_waits_for_a_start_that_fails_starts_in_its_place_and_the_key_stays_with_that_run() {
        let runs = StartedRuns::default();
        let failing = runs.run(key("a"), [1; 32], NOW, async || {
            tokio::task::yield_now().await;
            Err("busy")
        });
        let waiting = runs.run(key("a"), [1; 32], NOW, async || {
            tokio::task::yield_now().await;
            Ok::<_, &str>("second".to_owned())
        });
        let (one, two) = tokio::join!(failing, waiting);
        assert_eq!((one, two), (Err(Refused::NotStarted("busy")), Ok("second".to_owned())));
        let third = runs.run(key("a"), [1; 32], NOW, async || Ok::<_, &str>("third".to_owned())).await;
        assert_eq!(third, Ok("second".to_owned()));
    }

    #[tokio::test]
    async fn no_key_is_forgotten_early_for_want_of_room() {
        let runs = StartedRuns::default();
        let start = async || Ok::<_, Infallible>("run".to_owned());
        for number in 0..KEYS {
            runs.run(key(&number.to_string()), [1; 32], NOW, start).await.expect("there is room");
        }
        assert_eq!(runs.run(key("one more"), [1; 32], NOW, start).await, Err(Refused::Full));
        assert_eq!(runs.run(key("0"), [1; 32], NOW, start).await, Ok("run".to_owned()));
        assert_eq!(runs.run(key("one more"), [1; 32], NOW.plus(KEPT), start).await, Ok("run".to_owned()));
        assert_eq!(runs.entries().len(), 1);
    }
}
