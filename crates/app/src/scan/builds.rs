//! Attempts of one scan, so many at once.

use std::sync::Arc;

use mangrove_domain::{observation::Observation, outage::Outages, plan::Action, route::Resolver};
use tokio::{sync::Semaphore, task::JoinSet};

use super::attempt::{Attempt, Ended};

/// Attempts that wait, run or have ended. They end when this is dropped.
pub(super) struct Builds(JoinSet<(Observation, Ended)>);

/// Places for work. Waiting for a network takes none, so that whoever can work does, whatever others wait for.
struct Places {
    /// For bundles from packages that are there, and for inspections.
    embedded: Semaphore,
    /// For entries whose bundler fetches packages itself: such a build may wait for a network at any time.
    fetching: Semaphore,
}

impl Builds {
    /// Begins these attempts of one plan, at most `parallel` of them at once. Each comes with the reason for it.
    ///
    /// They are tasks of their own, not futures of one stream: they must go on while a batch is committed, since a
    /// commit can wait for what they hold.
    pub(super) fn start(attempts: Vec<(Attempt, Action, String)>, parallel: usize) -> Self {
        let places = Arc::new(Places { embedded: Semaphore::new(parallel), fetching: Semaphore::new(parallel) });
        let outages = Arc::new(Outages::new());
        let mut running = JoinSet::new();
        for (attempt, action, reason) in attempts {
            let (places, outages) = (Arc::clone(&places), Arc::clone(&outages));
            running.spawn(async move {
                let ended = places.run(&attempt, &action, &reason, &outages).await;
                (attempt.observation, ended)
            });
        }
        Self(running)
    }

    /// The next one that ends; `None` if all have.
    pub(super) async fn next(&mut self) -> Option<(Observation, Ended)> {
        loop {
            match self.0.join_next().await? {
                Ok(ended) => return Some(ended),
                Err(error) => {
                    if let Ok(panic) = error.try_into_panic() {
                        std::panic::resume_unwind(panic);
                    }
                    // Nobody cancels them; a runtime that shuts down takes this task with it too.
                }
            }
        }
    }
}

impl Places {
    async fn run(&self, attempt: &Attempt, action: &Action, reason: &str, outages: &Arc<Outages>) -> Ended {
        let begin = || tracing::info!(source = %attempt.observation.source, reason, "{}", action.name());
        if matches!(action, Action::Inspect | Action::Adopt) {
            let _place = self.embedded.acquire().await;
            begin();
            if let Some(ended) = attempt.look_at_kept().await {
                return ended;
            }
        }
        let prepared = attempt.prepare(outages).await;
        let _place = match attempt.needs.resolver {
            Resolver::Packages => self.embedded.acquire().await,
            Resolver::Bundler(_) => self.fetching.acquire().await,
        };
        begin();
        attempt.build(prepared).await
    }
}
