//! Attempts of one scan, so many at once.

use std::sync::Arc;

use mangrove_domain::{observation::Observation, plan::Action};
use tokio::{sync::Semaphore, task::JoinSet};

use super::attempt::{Attempt, Ended};

/// Attempts that wait, run or have ended. They end when this is dropped.
pub(super) struct Builds(JoinSet<(Observation, Ended)>);

impl Builds {
    /// Begins these attempts, at most `parallel` of them at once. Each comes with the reason for it.
    ///
    /// They are tasks of their own, not futures of one stream: they must go on while a batch is committed, since a
    /// commit can wait for what they hold.
    pub(super) fn start(attempts: Vec<(Attempt, Action, String)>, parallel: usize) -> Self {
        let places = Arc::new(Semaphore::new(parallel));
        let mut running = JoinSet::new();
        for (attempt, action, reason) in attempts {
            let places = Arc::clone(&places);
            running.spawn(async move {
                let _place = places.acquire().await;
                tracing::info!(source = %attempt.observation.source, reason, "{}", action.name());
                let ended = attempt.run(&action).await;
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
