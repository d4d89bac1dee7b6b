//! Attempts of one scan, so many at once.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    failure::FailureClass,
    observation::Observation,
    outage::Outages,
    plan::Action,
    ports::{Acquired, AttemptTimes, BuildLock},
    route::Resolver,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
};
use tracing::Instrument as _;

use super::attempt::{Attempt, Ended};

/// How long an attempt waits for another process that is at the same: as long as a build may take. Then it is made here
/// as well.
const PATIENCE: Duration = Duration::from_mins(2);

/// Attempts that wait, run or have ended. They end when this is dropped.
pub(super) struct Builds(JoinSet<(Observation, Attempted, AttemptTimes)>);

/// What came of an attempt.
pub(super) enum Attempted {
    /// It was made. The lock is to be kept until its outcome is committed.
    Here(Box<Ended>, Option<BuildLock>),
    /// Another process made it while this one waited for it: what it found is in the catalog by now, or never will be.
    Elsewhere,
}

/// What attempts do if another process is at the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rivalry {
    /// They wait, and leave it to the next pass to look what there is.
    LookAgain,
    /// They wait and are made all the same: there is no next pass.
    GoOn,
}

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
    pub(super) fn start(attempts: Vec<(Attempt, Action, String)>, parallel: usize, rivalry: Rivalry) -> Self {
        let places = Arc::new(Places { embedded: Semaphore::new(parallel), fetching: Semaphore::new(parallel) });
        let outages = Arc::new(suspected(&attempts));
        let mut running = JoinSet::new();
        for (attempt, action, reason) in attempts {
            let (places, outages) = (Arc::clone(&places), Arc::clone(&outages));
            let span = tracing::info_span!("attempt", source = %attempt.observation.source, action = action.name());
            let running_attempt = async move {
                let attempted = places.run(&attempt, &action, &reason, &outages, rivalry).await;
                let times = attempt.times();
                (attempt.observation, attempted, times)
            };
            running.spawn(running_attempt.instrument(span));
        }
        Self(running)
    }

    /// The next one that ends; `None` if all have.
    pub(super) async fn next(&mut self) -> Option<(Observation, Attempted, AttemptTimes)> {
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

/// What did not answer when these attempts failed last. The first of them that asks it asks for all.
fn suspected(attempts: &[(Attempt, Action, String)]) -> Outages {
    let outages = Outages::new();
    let failures = attempts.iter().filter_map(|(attempt, ..)| attempt.row.as_deref()?.failure());
    for failure in failures.filter(|failure| failure.class == FailureClass::Transient) {
        outages.suspect(&failure.cause, &failure.latest_message);
    }
    outages
}

impl Places {
    /// One attempt. What it waits for, a network or another process, takes no place.
    ///
    /// What works is boxed: of thousands of attempts only a few do at a time, and the others should hold no room for it.
    async fn run(
        &self,
        attempt: &Attempt,
        action: &Action,
        reason: &str,
        outages: &Arc<Outages>,
        rivalry: Rivalry,
    ) -> Attempted {
        let begin = || tracing::info!(source = %attempt.observation.source, reason, "{}", action.name());
        let mut held = None;
        if matches!(action, Action::Inspect | Action::Adopt) {
            let Some(Turn { place, lock }) = self.turn(&self.embedded, attempt, rivalry).await else {
                return Attempted::Elsewhere;
            };
            begin();
            if let Some(ended) = Box::pin(attempt.look_at_kept()).await {
                return Attempted::Here(Box::new(ended), lock);
            }
            drop(place);
            held = lock;
        }
        let prepared = Box::pin(attempt.prepare(outages)).await;
        let places = match attempt.needs.resolver {
            Resolver::Packages => &self.embedded,
            Resolver::Bundler(_) => &self.fetching,
        };
        if let Some(lock) = held {
            let _place = places.acquire().await;
            return Attempted::Here(Box::new(Box::pin(attempt.build(prepared, outages)).await), Some(lock));
        }
        let Some(Turn { place: _place, lock }) = self.turn(places, attempt, rivalry).await else {
            return Attempted::Elsewhere;
        };
        begin();
        Attempted::Here(Box::new(Box::pin(attempt.build(prepared, outages)).await), lock)
    }

    /// Waits for a place and a lock; `None` if another process made the attempt meanwhile.
    ///
    /// The lock is taken by who has a place: of what this process cannot begin yet, others may begin.
    async fn turn<'a>(&self, places: &'a Semaphore, attempt: &Attempt, rivalry: Rivalry) -> Option<Turn<'a>> {
        let place = places.acquire().await.ok();
        let lock = match attempt.lock(Duration::ZERO).await {
            Acquired::AtOnce(lock) | Acquired::AfterOthers(lock) => lock,
            Acquired::Unavailable => return Some(Turn { place, lock: None }),
            Acquired::Busy => {
                drop(place);
                let lock = match attempt.lock(PATIENCE).await {
                    Acquired::AtOnce(_) | Acquired::AfterOthers(_) if rivalry == Rivalry::LookAgain => return None,
                    Acquired::AtOnce(lock) | Acquired::AfterOthers(lock) => Some(lock),
                    Acquired::Busy | Acquired::Unavailable => None,
                };
                return Some(Turn { place: places.acquire().await.ok(), lock });
            }
        };
        if rivalry == Rivalry::LookAgain && attempt.is_overtaken().await {
            return None;
        }
        Some(Turn { place, lock: Some(lock) })
    }
}

/// What it takes to work.
struct Turn<'a> {
    place: Option<SemaphorePermit<'a>>,
    /// None where locks cannot be kept, or another process keeps this one for too long.
    lock: Option<BuildLock>,
}
