//! When a daemon looks after its stores: once a day, at a quiet moment.

use std::time::Duration;

use mangrove_app::service::{Retention, Service, Upkeep};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::event::Event;

/// How long after the one before it is due again, and up to how much later.
const BETWEEN: Duration = Duration::from_hours(24);
const SPREAD_BETWEEN: Duration = Duration::from_hours(1);
/// How long it waits for runs to end before it goes on beside them. It does wait for looks and builds.
const PATIENCE_WITH_RUNS: Duration = Duration::from_hours(6);

/// When upkeep is due.
#[derive(Debug)]
pub(crate) struct UpkeepTimer {
    due: Instant,
    is_running: bool,
}

/// What a daemon is doing at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Sources are being looked at, built or inspected, or a look is wanted.
    pub(crate) looks: bool,
    /// Workflows or methods run.
    pub(crate) runs: bool,
}

impl UpkeepTimer {
    /// Of a daemon that starts now; first due after `first`, and up to twice as much later: daemons of one machine that
    /// start together do not do it together. `chance` lies in 0..=1.
    pub(crate) fn new(now: Instant, first: Duration, chance: f64) -> Self {
        Self { due: now + first + spread(2 * first, chance), is_running: false }
    }

    /// True if upkeep begins now.
    pub(crate) fn begin(&mut self, now: Instant, activity: Activity) -> bool {
        let waits_for_runs = activity.runs && now < self.due + PATIENCE_WITH_RUNS;
        let begins = now >= self.due && !activity.looks && !waits_for_runs && !self.is_running;
        self.is_running |= begins;
        begins
    }

    /// It ended. `chance` lies in 0..=1.
    pub(crate) fn ended(&mut self, now: Instant, chance: f64) {
        self.is_running = false;
        self.due = now + BETWEEN + spread(SPREAD_BETWEEN, chance);
    }
}

/// A number in 0..=1.
pub(crate) fn chance(service: &Service) -> f64 {
    service.scanner().ports().entropy.fraction()
}

fn spread(most: Duration, chance: f64) -> Duration {
    most.mul_f64(chance.clamp(0.0, 1.0))
}

/// Begins with it; it ends with an event, unless the daemon stops.
pub(crate) fn start(service: Service, retention: Retention, sender: mpsc::Sender<Event>, stopping: CancellationToken) {
    let begun = Instant::now();
    let keeping = tokio::spawn(stopping.run_until_cancelled_owned(async move { service.keep_up(&retention).await }));
    tokio::spawn(async move {
        let upkeep = match keeping.await {
            Ok(Some(upkeep)) => upkeep,
            Ok(None) => return,
            Err(error) => {
                let failures = vec![("a part of Mangrove itself", error.to_string())];
                Upkeep { failures, ..Upkeep::default() }
            }
        };
        // The owner may have ended.
        let _ = sender.send(Event::KeptUp(Box::new(upkeep), begun.elapsed())).await;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Activity = Activity { looks: false, runs: false };
    const LOOKS: Activity = Activity { looks: true, runs: false };
    const RUNS: Activity = Activity { looks: false, runs: true };

    fn minutes(minutes: u64) -> Duration {
        Duration::from_mins(minutes)
    }

    #[test]
    fn it_is_done_some_time_after_the_start_and_then_once_a_day() {
        let start = Instant::now();
        for (chance, first, later) in [(0.0, 10, 24 * 60), (0.5, 20, 24 * 60 + 30), (1.0, 30, 25 * 60)] {
            let mut timer = UpkeepTimer::new(start, minutes(10), chance);
            assert!(!timer.begin(start + minutes(first) - Duration::from_millis(1), QUIET), "{chance}");
            assert!(timer.begin(start + minutes(first), QUIET), "{chance}");
            assert!(!timer.begin(start + minutes(first + 1), QUIET), "one at a time");
            let end = start + minutes(first + 5);
            timer.ended(end, chance);
            assert!(!timer.begin(end + minutes(later) - Duration::from_millis(1), QUIET), "{chance}");
            assert!(timer.begin(end + minutes(later), QUIET), "{chance}");
        }
    }

    #[test]
    fn it_waits_for_looks_and_for_a_while_for_runs() {
        let start = Instant::now();
        let mut timer = UpkeepTimer::new(start, minutes(10), 0.0);
        assert!(!timer.begin(start + minutes(10), RUNS));
        assert!(!timer.begin(start + minutes(10 + 6 * 60) - Duration::from_millis(1), RUNS));
        assert!(!timer.begin(start + minutes(48 * 60), LOOKS), "never beside a look");
        assert!(timer.begin(start + minutes(10 + 6 * 60), RUNS), "there may always be one");
    }
}
