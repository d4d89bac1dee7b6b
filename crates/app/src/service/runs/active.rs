//! The runs of this process that have not ended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mangrove_domain::{
    ports::{CancellationRequest, Clock, RunStore},
    problem::{Code, Problem},
    run::RunRecord,
};
use tokio::{
    sync::{broadcast, oneshot},
    task::{JoinError, JoinHandle},
};

use super::{
    handle::RunHandle,
    live::{LiveRun, RunEvents, panic_message},
};
use crate::{
    secrets::Environment,
    workflow::{
        events::{Observer, RunEvent},
        library::Library,
        run::{Beginning, Engine, NotRecorded, RecordedRun, StartError},
    },
};

/// The runs that are under way, by their identifiers.
#[derive(Debug)]
pub(in crate::service) struct ActiveRuns {
    runs: Mutex<BTreeMap<String, Arc<LiveRun>>>,
    feed: broadcast::Sender<RunEvent>,
    /// True while somebody looks for what other processes want of these runs.
    is_watched: AtomicBool,
}

/// How often is looked for what other processes want.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// How many events a subscriber of all runs may be behind before it misses the oldest.
const KEPT_EVENTS: usize = 1_024;

impl Default for ActiveRuns {
    fn default() -> Self {
        Self { runs: Mutex::default(), feed: broadcast::Sender::new(KEPT_EVENTS), is_watched: AtomicBool::new(false) }
    }
}

/// A run that is about to begin.
pub(in crate::service) struct Start {
    pub(in crate::service) engine: Engine,
    pub(in crate::service) library: Arc<Library>,
    pub(in crate::service) beginning: Beginning,
    pub(in crate::service) environment: Environment,
    pub(in crate::service) runs: Arc<dyn RunStore>,
    pub(in crate::service) clock: Arc<dyn Clock>,
}

impl ActiveRuns {
    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, Arc<LiveRun>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a run and lets it begin; gives all of its events. It goes on when whoever asked for it goes away, even
    /// before this has come back.
    pub(in crate::service) async fn start(
        self: &Arc<Self>,
        start: Start,
    ) -> Result<(RunHandle, RunEvents), StartError> {
        let live = Arc::new(LiveRun::new(self.feed.clone()));
        let events = live.subscribe();
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(Arc::clone(self).supervise(start, Arc::clone(&live), sender));
        match receiver.await {
            Ok(Ok(id)) => Ok((RunHandle::new(id, live), events)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StartError::Problems(vec![broken_off()])),
        }
    }

    /// Runs it in a task of its own, so that a panic ends that task and nothing else.
    async fn supervise(
        self: Arc<Self>,
        start: Start,
        live: Arc<LiveRun>,
        started: oneshot::Sender<Result<String, StartError>>,
    ) {
        let Start { engine, library, beginning, environment, runs, clock } = start;
        let engine = engine.with_cancellation(live.cancellation.clone()).with_cancel_reason(live.cancel_reason.clone());
        let environment = Arc::new(environment);
        let observer: Arc<dyn Observer> = Arc::clone(&live) as _;
        let recorded: JoinHandle<Result<RecordedRun, StartError>> = tokio::spawn({
            let (engine, environment) = (engine.clone(), Arc::clone(&environment));
            let (library, observer) = (Arc::clone(&library), Arc::clone(&observer));
            async move {
                match beginning {
                    Beginning::New(request) => engine.record(&library, *request, &environment, observer.as_ref()).await,
                    Beginning::Again(run) => engine.record_again(&library, *run, &environment, observer.as_ref()).await,
                }
            }
        });
        let recorded = match recorded.await {
            Ok(Ok(recorded)) => recorded,
            Ok(Err(error)) => {
                // Whoever asked may be gone; nothing runs.
                let _ = started.send(Err(error));
                return;
            }
            Err(error) => return self.end_after_panic(&live, error, &environment, runs.as_ref(), clock.as_ref()).await,
        };
        let id = recorded.record().id.clone();
        self.runs().insert(id.clone(), Arc::clone(&live));
        self.watch(&runs);
        // Whoever asked may be gone; the run is on record and begins.
        let _ = started.send(Ok(id.clone()));
        let work: JoinHandle<Result<RunRecord, NotRecorded>> = tokio::spawn({
            let environment = Arc::clone(&environment);
            async move { engine.carry_out(&library, recorded, &environment, &observer).await }
        });
        match work.await {
            Ok(outcome) => live.end(outcome.map(Arc::new).map_err(Arc::new)),
            Err(error) => self.end_after_panic(&live, error, &environment, runs.as_ref(), clock.as_ref()).await,
        }
        self.runs().remove(&id);
    }

    /// Ends the runs that other processes want ended, as long as there are any.
    fn watch(self: &Arc<Self>, runs: &Arc<dyn RunStore>) {
        if self.is_watched.swap(true, Ordering::AcqRel) {
            return;
        }
        let (active, runs) = (Arc::clone(self), Arc::clone(runs));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(BETWEEN_LOOKS).await;
                if active.is_idle() {
                    return;
                }
                let requests = runs.requested_cancellations().await.unwrap_or_else(|error| {
                    tracing::debug!(%error, "what other processes want of the runs of this one is not known");
                    Vec::new()
                });
                for CancellationRequest { run, reason } in requests {
                    let Some(run) = active.get(&run) else { continue };
                    match reason {
                        Some(reason) => run.cancel_because(reason),
                        None => run.cancel(),
                    }
                }
            }
        });
    }

    /// True if there are no runs, and nobody watches them any more.
    fn is_idle(&self) -> bool {
        if !self.runs().is_empty() {
            return false;
        }
        self.is_watched.store(false, Ordering::Release);
        // One that began at this moment has found that somebody watches.
        self.runs().is_empty() || self.is_watched.swap(true, Ordering::AcqRel)
    }

    async fn end_after_panic(
        &self,
        live: &LiveRun,
        error: JoinError,
        environment: &Environment,
        runs: &dyn RunStore,
        clock: &dyn Clock,
    ) {
        // Nobody cancels the task; a runtime that shuts down takes this one with it.
        let Ok(panic) = error.try_into_panic() else { return };
        let message = environment.mask(panic_message(panic.as_ref()));
        tracing::error!(message, "the task of a run panicked");
        live.end_after_panic(runs, clock, &message).await;
    }

    /// The runs under way as they were recorded last, the one that began first first.
    pub(in crate::service) fn list(&self) -> Vec<Arc<RunRecord>> {
        let mut records: Vec<Arc<RunRecord>> = self.runs().values().filter_map(|run| run.record()).collect();
        records.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        records
    }

    /// What happens in all of them from now on, but for what they log.
    pub(in crate::service) fn subscribe(&self) -> broadcast::Receiver<RunEvent> {
        self.feed.subscribe()
    }

    /// The run of this identifier, if it is under way.
    pub(in crate::service) fn get(&self, id: &str) -> Option<RunHandle> {
        let live = Arc::clone(self.runs().get(id)?);
        Some(RunHandle::new(id.to_owned(), live))
    }
}

/// The run was not recorded, and nobody said why: the task that would have done it is gone.
fn broken_off() -> Problem {
    let message = "the run did not begin, because of a fault in Mangrove itself";
    Problem::error(Code::RUN_PANICKED, "run", message)
}
