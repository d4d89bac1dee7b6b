//! Single flight: requests for one thing at one time share one attempt.

use std::{collections::HashMap, future::Future, hash::Hash, sync::Arc};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use mangrove_domain::{failure::Fault, problem::Code};
use std::sync::{Mutex, PoisonError};

type Attempt<V> = Shared<BoxFuture<'static, Result<V, Fault>>>;

/// Attempts that are under way. An attempt runs in a task of its own, so it is not cancelled with the
/// request that first wanted it; its outcome, good or bad, is forgotten as soon as it is there.
pub(super) struct Flights<K, V> {
    running: Arc<Mutex<HashMap<K, Attempt<V>>>>,
}

impl<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + Sync + 'static> Flights<K, V> {
    pub(super) fn new() -> Self {
        Self { running: Arc::default() }
    }

    /// Joins the attempt for `key`, or starts it.
    pub(super) async fn join<F>(&self, key: K, start: impl FnOnce() -> F + Send) -> Result<V, Fault>
    where
        F: Future<Output = Result<V, Fault>> + Send + 'static,
    {
        let attempt = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(attempt) = running.get(&key) {
                attempt.clone()
            } else {
                let finished = Landing { running: Arc::clone(&self.running), key: Some(key.clone()) };
                let work = start();
                let task = tokio::spawn(async move {
                    let _finished = finished;
                    work.await
                });
                let attempt = async move { task.await.unwrap_or_else(|error| Err(died(&error))) }.boxed().shared();
                running.insert(key, attempt.clone());
                attempt
            }
        };
        attempt.await
    }
}

/// Forgets the attempt when its task ends, however it ends.
struct Landing<K: Eq + Hash, V: Clone> {
    running: Arc<Mutex<HashMap<K, Attempt<V>>>>,
    key: Option<K>,
}

impl<K: Eq + Hash, V: Clone> Drop for Landing<K, V> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
    }
}

fn died(error: &tokio::task::JoinError) -> Fault {
    let message = format!("the attempt to prepare a package ended unexpectedly: {error}");
    Fault::environment(Code::BUNDLE_FAILED, "packages:attempt", message)
}
