//! Leases of builds in memory.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    ports::{BuildLease, BuildLeases, Leased},
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::lock;

/// Leases that all clones share, as nodes share those of a database.
#[derive(Clone, Debug, Default)]
pub struct MemoryBuildLeases(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    given_back: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<Digest, i64>,
    asked: usize,
    is_away: bool,
    is_impatient: bool,
    longest_patience: Duration,
}

impl MemoryBuildLeases {
    /// Nobody has any.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How often somebody asked since the last call.
    #[must_use]
    pub fn take_asked(&self) -> usize {
        std::mem::take(&mut lock(&self.0.state).asked)
    }

    /// How many are held.
    #[must_use]
    pub fn held(&self) -> usize {
        lock(&self.0.state).held.len()
    }

    /// From now on nobody can say who has what, or everybody again.
    pub fn be_away(&self, is_away: bool) {
        lock(&self.0.state).is_away = is_away;
        self.0.given_back.notify_waiters();
    }

    /// From now on the patience of whoever waits is at its end as soon as it begins.
    pub fn be_impatient(&self) {
        lock(&self.0.state).is_impatient = true;
    }

    /// The longest patience that anybody had.
    #[must_use]
    pub fn longest_patience(&self) -> Duration {
        lock(&self.0.state).longest_patience
    }

    /// Nothing was heard of any holder for too long: others may have what they have.
    pub fn expire(&self) {
        lock(&self.0.state).held.clear();
        self.0.given_back.notify_waiters();
    }
}

impl Inner {
    fn give_back(&self, fingerprint: Digest, number: i64) {
        let mut state = lock(&self.state);
        if state.held.get(&fingerprint) == Some(&number) {
            state.held.remove(&fingerprint);
            self.given_back.notify_waiters();
        }
    }
}

struct Held(Arc<Inner>, Digest, i64);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.give_back(self.1, self.2);
    }
}

#[async_trait]
impl BuildLeases for MemoryBuildLeases {
    async fn acquire(&self, fingerprint: Digest, patience: Duration) -> Leased {
        let end = Instant::now() + patience;
        loop {
            let given_back = self.0.given_back.notified();
            {
                let mut state = lock(&self.0.state);
                state.asked += 1;
                let number = i64::try_from(state.asked).unwrap_or(i64::MAX);
                state.longest_patience = state.longest_patience.max(patience);
                if state.is_away {
                    return Leased::Unavailable;
                }
                if let Entry::Vacant(free) = state.held.entry(fingerprint) {
                    free.insert(number);
                    let held = Held(Arc::clone(&self.0), fingerprint, number);
                    return Leased::Given(BuildLease::new(fingerprint, number, held));
                }
                if state.is_impatient {
                    return Leased::Held;
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if timeout(left, given_back).await.is_err() {
                return Leased::Held;
            }
        }
    }

    async fn give_back(&self, leases: Vec<BuildLease>) {
        drop(leases);
    }
}
