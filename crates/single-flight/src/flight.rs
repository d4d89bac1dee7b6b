//! The attempts under way, and what joins them.

use std::{
    any::Any,
    collections::{HashMap, hash_map::Entry},
    future::Future,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError},
};

use futures::FutureExt as _;
use tokio::sync::watch;

use crate::sync::{Mutex, MutexGuard};

/// Why there is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The attempt panicked.
    #[error("the attempt panicked: {message}")]
    Panicked {
        /// The message of the panic.
        message: String,
    },
    /// The runtime that it ran on was shut down.
    #[error("the attempt was stopped, because its runtime was shut down")]
    ShutDown,
}

/// What becomes of an attempt; `None` while it is under way.
type Outcome<V> = Option<Result<V, Lost>>;

type Attempts<K, V> = Mutex<HashMap<K, watch::Receiver<Outcome<V>>>>;

/// The attempts that are under way, by what they are about.
pub struct SingleFlight<K, V> {
    attempts: Arc<Attempts<K, V>>,
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self { attempts: Arc::default() }
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Nothing is under way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The outcome of the attempt for `key` that is under way, or else of a new one, which `start` begins. It must be
    /// called in a tokio runtime.
    ///
    /// # Errors
    /// [`Lost`] if the attempt panicked or was stopped.
    pub async fn join<S, F>(&self, key: K, start: S) -> Result<V, Lost>
    where
        S: FnOnce() -> F + Send + 'static,
        F: Future<Output = V> + Send + 'static,
    {
        let (mut outcome, begun) = match lock(&self.attempts).entry(key) {
            Entry::Occupied(running) => (running.get().clone(), None),
            Entry::Vacant(slot) => {
                let (sender, receiver) = watch::channel(None);
                let forget = ForgetOnDrop { attempts: Arc::clone(&self.attempts), key: slot.key().clone() };
                slot.insert(receiver.clone());
                (receiver, Some((sender, forget)))
            }
        };
        // The lock is free by now: whatever happens to the task while it is begun, its key can be forgotten.
        if let Some((sender, forget)) = begun {
            tokio::spawn(async move {
                let attempt = AssertUnwindSafe(async move { start().await });
                let outcome = attempt.catch_unwind().await.map_err(|panic| Lost::Panicked { message: text(&*panic) });
                // First forgotten, then reported: who has the outcome and asks again starts again.
                drop(forget);
                sender.send_replace(Some(outcome));
            });
        }
        let outcome = match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        };
        outcome.unwrap_or(Err(Lost::ShutDown))
    }

    /// How many attempts are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        lock(&self.attempts).len()
    }
}

/// Forgets the attempt when its task ends, however it ends.
struct ForgetOnDrop<K: Eq + Hash, V> {
    attempts: Arc<Attempts<K, V>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for ForgetOnDrop<K, V> {
    fn drop(&mut self) {
        lock(&self.attempts).remove(&self.key);
    }
}

/// No attempt runs under this lock, so that its panic leaves nothing half done behind it.
fn lock<K, V>(attempts: &Attempts<K, V>) -> MutexGuard<'_, HashMap<K, watch::Receiver<Outcome<V>>>> {
    attempts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic says.
fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
