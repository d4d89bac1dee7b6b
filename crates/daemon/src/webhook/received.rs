//! The webhooks of a running daemon: which routes there are, which requests were taken, how many runs go on.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use mangrove_app::workflow::LibraryWebhooks;
use mangrove_domain::{
    problem::Problem,
    workflow::{Workflow, webhook::SecretSource},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ReplayGuard;
use crate::queue_load::QueueLoad;

/// How many runs that webhooks start may wait for their turn. Further requests are to come again later.
const WAITING_RUNS: usize = 64;

/// How many requests are remembered, so that they are not taken twice.
const REMEMBERED_REQUESTS: usize = 10_000;

/// Finds the secrets of webhooks.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret that both sides know.
    ///
    /// # Errors
    /// Why it cannot be had, in one sentence without the secret.
    async fn find(&self, source: &SecretSource) -> Result<Vec<u8>, String>;
}

/// What the requests of all webhooks share.
pub struct Webhooks {
    routes: ArcSwap<LibraryWebhooks>,
    secrets: Arc<dyn Secrets>,
    guard: Mutex<ReplayGuard>,
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    parallel_runs: usize,
    /// The runs that go on or wait, by a number of their own.
    runs: Mutex<BTreeMap<u64, RouteRun>>,
}

#[derive(Clone, Debug)]
struct RouteRun {
    route: String,
    has_turn: bool,
    /// Its identifier, once it has one.
    run: Option<String>,
}

/// A route at one moment.
#[derive(Clone, Debug)]
pub struct RouteState {
    /// The route.
    pub route: String,
    /// What it starts.
    pub workflow: Arc<Workflow>,
    /// Why nothing is known of it now.
    pub problem: Option<Problem>,
    /// The runs that go on: their identifiers, once they have one.
    pub running: Vec<Option<String>>,
    /// How many runs wait for their turn.
    pub waiting: u64,
}

/// A run that waits for its turn or goes on, until this is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    webhooks: Arc<Webhooks>,
    number: u64,
}

impl Entered {
    /// It has its turn.
    pub(crate) fn has_turn(&self) {
        self.change(|run| run.has_turn = true);
    }

    /// It has this identifier.
    pub(crate) fn started(&self, id: &str) {
        self.change(|run| run.run = Some(id.to_owned()));
    }

    fn change(&self, change: impl FnOnce(&mut RouteRun)) {
        if let Some(run) = self.webhooks.runs().get_mut(&self.number) {
            change(run);
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.webhooks.runs().remove(&self.number);
    }
}

impl Webhooks {
    /// No webhook yet. Of the runs that they start, so many go on at once, at least 1.
    #[must_use]
    pub fn new(secrets: Arc<dyn Secrets>, parallel_runs: usize) -> Self {
        let parallel_runs = parallel_runs.max(1);
        Self {
            routes: ArcSwap::default(),
            secrets,
            guard: Mutex::new(ReplayGuard::new(REMEMBERED_REQUESTS)),
            waiting: Arc::new(Semaphore::new(WAITING_RUNS)),
            running: Arc::new(Semaphore::new(parallel_runs)),
            parallel_runs,
            runs: Mutex::default(),
        }
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<u64, RouteRun>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a run of a route that waits for its turn.
    pub(crate) fn enter(self: &Arc<Self>, route: &str) -> Entered {
        let mut runs = self.runs();
        let number = runs.last_key_value().map_or(0, |(number, _)| number + 1);
        runs.insert(number, RouteRun { route: route.to_owned(), has_turn: false, run: None });
        drop(runs);
        Entered { webhooks: Arc::clone(self), number }
    }

    /// The routes, with what goes on and what waits.
    #[must_use]
    pub fn states(&self) -> Vec<RouteState> {
        let runs: Vec<RouteRun> = self.runs().values().cloned().collect();
        let routes = self.routes.load();
        let state = |(route, workflow): (&str, &Arc<Workflow>)| {
            let own = || runs.iter().filter(|run| run.route == route);
            RouteState {
                route: route.to_owned(),
                workflow: Arc::clone(workflow),
                problem: routes.fault_of(route).cloned(),
                running: own().filter(|run| run.has_turn).map(|run| run.run.clone()).collect(),
                waiting: own().filter(|run| !run.has_turn).count() as u64,
            }
        };
        routes.iter().map(state).collect()
    }

    /// Goes by these routes from the next request on.
    pub fn replace(&self, routes: LibraryWebhooks) {
        for problem in &routes.problems {
            tracing::error!(workflow = problem.subject, "{}", problem.message);
        }
        self.routes.store(Arc::new(routes));
    }

    pub(crate) fn routes(&self) -> Arc<LibraryWebhooks> {
        self.routes.load_full()
    }

    pub(crate) fn secrets(&self) -> &dyn Secrets {
        self.secrets.as_ref()
    }

    pub(crate) fn guard(&self) -> MutexGuard<'_, ReplayGuard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to wait for a turn; `None` if too many wait.
    pub(crate) fn wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.waiting).try_acquire_owned().ok()
    }

    /// How many runs go on and wait.
    pub(crate) fn load(&self) -> QueueLoad {
        let taken = |all: usize, places: &Semaphore| all.saturating_sub(places.available_permits()) as u64;
        QueueLoad {
            running: taken(self.parallel_runs, &self.running),
            limit: self.parallel_runs as u64,
            waiting: taken(WAITING_RUNS, &self.waiting),
        }
    }

    /// Waits for the turn of a run.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.running).acquire_owned().await.ok()
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Webhooks").field("routes", &self.routes.load().iter().count()).finish_non_exhaustive()
    }
}
