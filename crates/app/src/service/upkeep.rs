//! What a long-lived service does once a day: it lets go of what nobody needs any more.

use std::time::Duration;

use mangrove_domain::{problem::Problem, time::Timestamp};

use super::{
    base::Service,
    cache::{Locked, PruneError, Pruned},
    error::ServiceError,
};

/// Claims of schedules are kept this long. The latest of each workflow is kept for ever.
const KEPT_CLAIMS: Duration = Duration::from_hours(7 * 24);

/// How long history is kept; `None` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Runs, from their end.
    pub runs: Option<Duration>,
    /// What the steps of runs logged, from the end of the run. The rest of the record is kept as long as the run.
    pub logs: Option<Duration>,
    /// Changes of states of sources. The latest of each source is kept for ever.
    pub transitions: Option<Duration>,
}

impl Default for Retention {
    /// Runs and transitions for 90 days, lines of logs for 30.
    fn default() -> Self {
        let days = |days: u64| Some(Duration::from_hours(24 * days));
        Self { runs: days(90), logs: days(30), transitions: days(90) }
    }
}

/// What upkeep did. A part that failed keeps no other one from being done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// What was removed from the caches of packages and bundles.
    pub pruned: Pruned,
    /// Runs that were removed.
    pub runs: u64,
    /// Runs whose lines were removed.
    pub logs: u64,
    /// Transitions that were removed.
    pub transitions: u64,
    /// Claims of schedules that were removed.
    pub claims: u64,
    /// Versions of data that were removed: those that have expired, and those beyond what is kept.
    pub data: u64,
    /// What could not be done: what was being done, and what came back.
    pub failures: Vec<(&'static str, String)>,
}

impl Upkeep {
    fn note<T>(&mut self, doing: &'static str, outcome: Result<T, impl std::fmt::Display>) -> Option<T> {
        outcome.map_err(|error| self.failures.push((doing, error.to_string()))).ok()
    }
}

impl Service {
    /// Removes bundles and packages that nothing needs, as [`prune`](Self::prune) does except for what is locked, and history that is older than
    /// it is to be kept. What goes on, and what a row or a run needs, stays. Builds and runs may go on meanwhile.
    pub async fn keep_up(&self, retention: &Retention) -> Upkeep {
        let mut upkeep = Upkeep::default();
        match self.prune_with(Locked::Nothing, false).await {
            Ok(pruned) => upkeep.pruned = pruned,
            // It is known again at some later time.
            Err(error @ PruneError::Unobservable(_)) => {
                upkeep.pruned.withheld = vec![withheld(&error)];
            }
            Err(PruneError::Service(ServiceError::Without(_))) => {}
            Err(error) => upkeep.failures.push(("sweeping the stores", error.to_string())),
        }
        let now = self.clock().now();
        let before = |kept: Option<Duration>| kept.map(|kept| now.minus(kept));
        if let (Ok(runs), Some(before)) = (self.run_store(), before(retention.runs)) {
            let forgotten = runs.forget(before).await;
            upkeep.runs = upkeep.note("removing old runs", forgotten).unwrap_or_default();
        }
        if let (Ok(runs), Some(before)) = (self.run_store(), before(retention.logs)) {
            let forgotten = runs.forget_lines(before).await;
            upkeep.logs = upkeep.note("removing old lines of runs", forgotten).unwrap_or_default();
        }
        if let Some(before) = before(retention.transitions) {
            let forgotten = self.scanner.ports().catalog.forget_history(before).await;
            upkeep.transitions = upkeep.note("removing old transitions", forgotten).unwrap_or_default();
        }
        self.sweep_claims(now, &mut upkeep).await;
        // After the runs: data may be kept as long as the record of one.
        match self.sweep_data(false).await {
            Ok(swept) => upkeep.data = swept.versions,
            Err(ServiceError::Without(_)) => {}
            Err(error) => upkeep.failures.push(("sweeping data", error.to_string())),
        }
        upkeep
    }

    async fn sweep_claims(&self, now: Timestamp, upkeep: &mut Upkeep) {
        let Ok(leases) = self.leases() else { return };
        let swept = leases.sweep(now.minus(KEPT_CLAIMS)).await;
        upkeep.claims = upkeep.note("removing old claims of schedules", swept).unwrap_or_default();
    }
}

fn withheld(error: &PruneError) -> Problem {
    Problem::warning(mangrove_domain::problem::Code::SWEEP_WITHHELD, "upkeep", error.to_string())
}
