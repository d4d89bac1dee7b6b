//! How long a database that others hold, or that does not answer, is waited for, all operations together.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::BusyPolicy;

/// What is waited at least, in milliseconds: others hold a lock for as long as that all the time.
#[cfg(feature = "sqlite")]
const SHORTEST_WAIT: u64 = 50;

/// The patience of one process with one database. Once it was busy for as long as its policy says, whatever comes next
/// waits hardly at all, until somebody gets through: a command that writes often fails as soon as one that writes once.
/// Where nobody asked for as long, it is back.
#[derive(Debug)]
pub(crate) struct Patience {
    policy: BusyPolicy,
    busy: Mutex<Option<Busy>>,
    /// What the connection that writes waits now, in milliseconds.
    #[cfg(feature = "sqlite")]
    set: std::sync::atomic::AtomicU64,
}

/// A time in which nobody got through.
#[derive(Clone, Copy, Debug)]
struct Busy {
    since: Instant,
    /// When that was found out about last.
    last: Instant,
}

impl Patience {
    pub(crate) fn new(policy: BusyPolicy) -> Self {
        Self {
            policy,
            busy: Mutex::default(),
            #[cfg(feature = "sqlite")]
            set: std::sync::atomic::AtomicU64::new(millis(policy.busy_timeout)),
        }
    }

    /// How long one attempt waits.
    #[cfg(feature = "postgres")]
    pub(crate) const fn attempt(&self) -> Duration {
        self.policy.busy_timeout
    }

    /// True if whoever begins an attempt now waits no longer than the attempt takes.
    #[cfg(feature = "postgres")]
    pub(crate) fn is_spent(&self, now: Instant) -> bool {
        self.left(now).is_zero()
    }

    /// What an attempt that begins now may wait, in milliseconds, if the connection has to be told.
    #[cfg(feature = "sqlite")]
    pub(crate) fn next_wait(&self, now: Instant) -> Option<u64> {
        let usual = millis(self.policy.busy_timeout);
        let wait = millis(self.left(now)).clamp(SHORTEST_WAIT.min(usual), usual);
        (self.set.swap(wait, std::sync::atomic::Ordering::Relaxed) != wait).then_some(wait)
    }

    /// Notes that an attempt which began at the one moment has found the file busy at the other. True if it may be made
    /// again.
    pub(crate) fn was_busy(&self, began: Instant, now: Instant) -> bool {
        let since = self.busy_since(began).unwrap_or(began);
        *self.busy() = Some(Busy { since, last: now });
        !self.left(now).is_zero()
    }

    /// Notes that somebody got through.
    pub(crate) fn got_through(&self) {
        *self.busy() = None;
    }

    fn left(&self, now: Instant) -> Duration {
        let waited = self.busy_since(now).map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.longest().saturating_sub(waited)
    }

    fn longest(&self) -> Duration {
        self.policy.busy_timeout.saturating_mul(self.policy.attempts.max(1))
    }

    fn busy_since(&self, now: Instant) -> Option<Instant> {
        let busy = *self.busy();
        busy.filter(|busy| now.saturating_duration_since(busy.last) < self.longest()).map(|busy| busy.since)
    }

    fn busy(&self) -> MutexGuard<'_, Option<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "sqlite")]
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn f05_patience_ends_for_all_and_comes_back_to_who_asks_later() {
        let patience = Patience::new(BusyPolicy::default());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(patience.next_wait(at(0)), None, "as the connections are opened");
        for attempt in 0..3 {
            assert!(patience.was_busy(at(5 * attempt), at(5 * attempt + 5)), "attempt {attempt}");
            assert_eq!(patience.next_wait(at(5 * attempt + 5)), None);
        }
        assert!(!patience.was_busy(at(15), at(20)), "the 20 seconds have passed");
        for second in 20..60 {
            assert_eq!(patience.next_wait(at(second)), (second == 20).then_some(50), "whoever comes next hardly waits");
            assert!(!patience.was_busy(at(second), at(second)));
        }
        assert_eq!(patience.next_wait(at(79)), Some(5_000), "nobody asked for 20 seconds");
        assert!(patience.was_busy(at(79), at(84)));
        assert_eq!(patience.next_wait(at(94)), None);
        patience.got_through();
        assert!(patience.was_busy(at(100), at(105)), "somebody got through");
    }

    #[test]
    fn f05_what_is_left_of_it_is_what_is_waited() {
        let patience = Patience::new(BusyPolicy::default());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(patience.was_busy(at(0), at(18)));
        assert_eq!(patience.next_wait(at(18)), Some(2_000));
        let impatient = Patience::new(BusyPolicy { busy_timeout: Duration::from_millis(20), attempts: 2 });
        assert!(!impatient.was_busy(at(0), at(1)));
        assert_eq!(impatient.next_wait(at(1)), None, "never longer than the policy says");
    }
}
