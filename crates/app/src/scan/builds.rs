//! Attempts of one scan, so many at once.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    failure::{Failure, FailureClass, Fault},
    observation::Observation,
    outage::Outages,
    package::PreparedPackages,
    plan::Action,
    ports::{Acquired, AttemptTimes, BuildLock, Leased},
    route::Resolver,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    task::JoinSet,
    time::timeout,
};
use tracing::Instrument as _;

use super::{
    attempt::{Attempt, Building, Ended},
    rivals::{Held, Leasing, Rivalry},
};

/// How long an attempt waits for another process or node that is at the same: as long as a build may take. Then it is made
/// here as well.
const PATIENCE: Duration = Duration::from_mins(2);

/// How many attempts make their packages ready ahead of the places for work, for each place. What they got ready is memory.
const AHEAD_OF_EACH_PLACE: usize = 16;

/// How many have a place, for each that works: what is read and stored here leaves a worker free for the next.
const PLACES_FOR_EACH: usize = 2;

/// Packages that take longer than this to make ready wait for a network, or build something: whoever waits for them holds no
/// room that others could use meanwhile.
const READY_AT_ONCE: Duration = Duration::from_millis(100);

/// Attempts of one plan: those that are to come, those that run, and those that have ended. They end when this is dropped.
pub(super) struct Builds<'a> {
    /// Made when they begin: thousands that wait would be memory.
    to_come: Box<dyn Iterator<Item = Planned> + Send + 'a>,
    running: JoinSet<(Observation, Attempted, AttemptTimes)>,
    places: Arc<Places>,
    /// Permits of attempts that make ready what they need and wait for a place with it.
    ahead: Arc<Semaphore>,
    outages: Arc<Outages>,
    rivalry: Rivalry,
}

/// An attempt, what it is to do, and the reason for it.
pub(super) type Planned = (Attempt, Action, String);

/// What came of an attempt.
pub(super) enum Attempted {
    /// It was made. What is held is to be kept until its outcome is committed.
    Here(Box<Ended>, Held),
    /// Another process or node made it while this one waited for it: what it found is in the catalog by now, or never will be.
    Elsewhere,
}

/// Places for work. Waiting for a network takes none, so that whoever can work does, whatever others wait for.
struct Places {
    /// For bundles from packages that are there, and for inspections.
    embedded: Semaphore,
    /// For entries whose bundler fetches packages itself: such a build may wait for a network at any time.
    fetching: Semaphore,
}

impl<'a> Builds<'a> {
    /// These attempts of one plan, of which about `parallel` work at once. `failures` are those that they are tried again for.
    pub(super) fn new<'f>(
        attempts: impl Iterator<Item = Planned> + Send + 'a,
        failures: impl Iterator<Item = &'f Failure>,
        parallel: usize,
        rivalry: Rivalry,
    ) -> Self {
        Self {
            to_come: Box::new(attempts),
            running: JoinSet::new(),
            places: Arc::new(Places {
                embedded: Semaphore::new(parallel * PLACES_FOR_EACH),
                fetching: Semaphore::new(parallel),
            }),
            ahead: Arc::new(Semaphore::new(parallel * AHEAD_OF_EACH_PLACE)),
            outages: Arc::new(suspected(failures)),
            rivalry,
        }
    }

    /// The next one that ends; `None` if all have. Those that are to come begin meanwhile, as far as there is room for them.
    pub(super) async fn next(&mut self) -> Option<(Observation, Attempted, AttemptTimes)> {
        let mut all_began = false;
        loop {
            tokio::select! {
                biased;
                Ok(permit) = Arc::clone(&self.ahead).acquire_owned(), if !all_began => {
                    match self.to_come.next() {
                        Some(planned) => self.begin(planned, permit),
                        None => all_began = true,
                    }
                }
                ended = self.running.join_next(), if all_began || !self.running.is_empty() => match ended? {
                    Ok(ended) => return Some(ended),
                    Err(error) => {
                        if let Ok(panic) = error.try_into_panic() {
                            std::panic::resume_unwind(panic);
                        }
                        // Nobody cancels them; a runtime that shuts down takes this task with it too.
                    }
                },
            }
        }
    }

    /// Begins an attempt as a task of its own: it must go on while a batch is committed, since a commit can wait for what it
    /// holds.
    fn begin(&mut self, (attempt, action, reason): Planned, ahead: OwnedSemaphorePermit) {
        let (places, outages, rivalry) = (Arc::clone(&self.places), Arc::clone(&self.outages), self.rivalry);
        let span = tracing::info_span!("attempt", source = %attempt.observation.source, action = action.name());
        let running_attempt = async move {
            let attempted = places.run(&attempt, &action, &reason, ahead, &outages, rivalry).await;
            let times = attempt.times();
            (attempt.observation, attempted, times)
        };
        self.running.spawn(running_attempt.instrument(span));
    }
}

/// What did not answer when these attempts failed last. The first of them that asks it asks for all.
fn suspected<'f>(failures: impl Iterator<Item = &'f Failure>) -> Outages {
    let outages = Outages::new();
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
        ahead: OwnedSemaphorePermit,
        outages: &Arc<Outages>,
        rivalry: Rivalry,
    ) -> Attempted {
        let begin = || tracing::info!(source = %attempt.observation.source, reason, "{}", action.name());
        let (mut held, mut ahead) = (None, Some(ahead));
        if matches!(action, Action::Inspect | Action::Adopt) {
            let Some(Turn { place, lock }) = self.turn(&self.embedded, ahead.take(), attempt, rivalry).await else {
                return Attempted::Elsewhere;
            };
            begin();
            if let Some(ended) = Box::pin(attempt.look_at_kept()).await {
                return Attempted::Here(Box::new(ended), with(lock));
            }
            drop(place);
            held = lock;
        }
        let (prepared, ahead) = prepare(attempt, ahead, outages).await;
        let (places, ahead) = match attempt.needs.resolver {
            Resolver::Packages => (&self.embedded, ahead),
            // They have nothing ready, and may wait long for their places.
            Resolver::Bundler(_) => (&self.fetching, None),
        };
        let turn = if let Some(lock) = held {
            Turn { place: places.acquire().await.ok(), lock: Some(lock) }
        } else {
            let Some(turn) = self.turn(places, ahead, attempt, rivalry).await else { return Attempted::Elsewhere };
            begin();
            turn
        };
        build(attempt, (&prepared, outages), (places, turn), rivalry).await
    }

    /// Waits for a place and a lock; `None` if another process made the attempt meanwhile.
    ///
    /// The lock is taken by who has a place: of what this process cannot begin yet, others may begin. Who has one is not
    /// `ahead` of the others any more.
    async fn turn<'a>(
        &self,
        places: &'a Semaphore,
        ahead: Option<OwnedSemaphorePermit>,
        attempt: &Attempt,
        rivalry: Rivalry,
    ) -> Option<Turn<'a>> {
        let place = places.acquire().await.ok();
        drop(ahead);
        let contested = attempt.contested();
        let lock = match contested.lock(Duration::ZERO).await {
            Acquired::AtOnce(lock) | Acquired::AfterOthers(lock) => lock,
            Acquired::Unavailable => return Some(Turn { place, lock: None }),
            Acquired::Busy => {
                drop(place);
                let lock = match contested.lock(PATIENCE).await {
                    Acquired::AtOnce(_) | Acquired::AfterOthers(_) if rivalry == Rivalry::LookAgain => return None,
                    Acquired::AtOnce(lock) | Acquired::AfterOthers(lock) => Some(lock),
                    Acquired::Busy | Acquired::Unavailable => None,
                };
                return Some(Turn { place: places.acquire().await.ok(), lock });
            }
        };
        if rivalry == Rivalry::LookAgain && contested.is_overtaken().await {
            return None;
        }
        Some(Turn { place, lock: Some(lock) })
    }
}

/// Builds. Waiting for another node takes no place either.
async fn build(
    attempt: &Attempt,
    (prepared, outages): (&Result<PreparedPackages, Fault>, &Arc<Outages>),
    (places, Turn { mut place, lock }): (&Semaphore, Turn<'_>),
    rivalry: Rivalry,
) -> Attempted {
    let mut leasing = Leasing::Asks(rivalry);
    loop {
        match Box::pin(attempt.build(prepared, outages, leasing)).await {
            Building::Ended(ended, lease) => {
                let leases = lease.into_iter().collect();
                return Attempted::Here(ended, Held { leases, ..with(lock) });
            }
            Building::Elsewhere => return Attempted::Elsewhere,
            Building::Busy => drop(place),
        }
        let contested = attempt.contested();
        leasing = match contested.lease(PATIENCE).await {
            Leased::Given(lease) if rivalry == Rivalry::LookAgain => {
                contested.leave(lease).await;
                return Attempted::Elsewhere;
            }
            Leased::Given(lease) => Leasing::HasWaited(Some(lease)),
            Leased::Held | Leased::Unavailable => Leasing::HasWaited(None),
        };
        place = places.acquire().await.ok();
    }
}

fn with(lock: Option<BuildLock>) -> Held {
    Held { locks: lock.into_iter().collect(), leases: Vec::new() }
}

/// Makes the packages of an attempt ready. Only so many do that `ahead` of the places for work, but for those that wait for a
/// network: they are no reason for others to wait.
async fn prepare(
    attempt: &Attempt,
    ahead: Option<OwnedSemaphorePermit>,
    outages: &Arc<Outages>,
) -> (Result<PreparedPackages, Fault>, Option<OwnedSemaphorePermit>) {
    let mut preparing = Box::pin(attempt.prepare(outages));
    if let Ok(prepared) = timeout(READY_AT_ONCE, &mut preparing).await {
        return (prepared, ahead);
    }
    drop(ahead);
    (preparing.await, None)
}

/// What it takes to work.
struct Turn<'a> {
    place: Option<SemaphorePermit<'a>>,
    /// None where locks cannot be kept, or another process keeps this one for too long.
    lock: Option<BuildLock>,
}
