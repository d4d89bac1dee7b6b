//! How long a child is waited for.

use std::{fs, time::Duration};

use mangrove_fs::read::{self, FileKind, Within};

/// However crowded the machine is, a job ends after so many times its limit.
const LONGEST: u32 = 10;

/// The shortest time between two looks at a child that is over its limit by the wall clock.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// The time that one exchange may take.
///
/// What counts is the time in which the child works or does nothing; the time in which it is ready to work and waits for
/// a processor does not. So a busy machine fails no innocent job, the engine's own limit of processor time always
/// comes before this one, and a child that hangs without working is not waited for any longer.
#[derive(Debug)]
pub(super) struct AdaptiveTimeout {
    limit: Duration,
    look_again: Duration,
    /// Wall time that does not count, as of the last look.
    excused: Duration,
}

impl AdaptiveTimeout {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, look_again: limit, excused: Duration::ZERO }
    }

    /// The wall time after the beginning at which [`is_over`](Self::is_over) is to be asked.
    pub(super) const fn look_again(&self) -> Duration {
        self.look_again
    }

    /// True if the child has had its time: `elapsed` on the wall, in which it used this.
    pub(super) fn is_over(&mut self, elapsed: Duration, used: ProcessorTime) -> bool {
        // With several threads, one may wait while another one works.
        let idle_or_waiting = elapsed.saturating_sub(used.running);
        self.excused = used.waiting.min(idle_or_waiting);
        let rest = self.rest(elapsed);
        let longest = self.limit.saturating_mul(LONGEST);
        if rest.is_zero() || elapsed >= longest {
            return true;
        }
        self.look_again = (elapsed + rest.max(SHORTEST_WAIT)).min(longest);
        false
    }

    /// What is left of the limit after so much wall time.
    pub(super) fn rest(&self, elapsed: Duration) -> Duration {
        self.limit.saturating_sub(elapsed.saturating_sub(self.excused))
    }
}

/// What the threads of a process had of the processors, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessorTime {
    /// Time in which they ran.
    pub(super) running: Duration,
    /// Time in which they were ready to run and another one had the processor.
    pub(super) waiting: Duration,
}

impl ProcessorTime {
    /// What a process has used so far; `None` where the system does not say.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let mut total = Self::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
            // A thread that has just ended has none any more.
            let Ok(line) = read::text(thread.ok()?.path().join("schedstat"), Within::Anywhere, FileKind::State) else {
                continue;
            };
            let mut fields = line.split_ascii_whitespace().map(|field| field.parse().map(Duration::from_nanos));
            let (Some(Ok(running)), Some(Ok(waiting))) = (fields.next(), fields.next()) else { return None };
            total.running += running;
            total.waiting += waiting;
        }
        Some(total)
    }

    /// What was used between two looks. Nothing, so that no wait is excused, if one of them failed.
    pub(super) fn since(before: Option<Self>, now: Option<Self>) -> Self {
        match (before, now) {
            (Some(before), Some(now)) => Self {
                running: now.running.saturating_sub(before.running),
                waiting: now.waiting.saturating_sub(before.waiting),
            },
            (None, _) | (_, None) => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn seconds(running: u64, waiting: u64) -> ProcessorTime {
        ProcessorTime { running: Duration::from_secs(running), waiting: Duration::from_secs(waiting) }
    }

    #[test]
    fn work_and_idleness_count_alike() {
        for used in [seconds(30, 0), seconds(0, 0), seconds(10, 0), ProcessorTime::default()] {
            let mut patience = AdaptiveTimeout::new(LIMIT);
            assert_eq!(patience.look_again(), LIMIT);
            assert!(patience.is_over(LIMIT, used), "{used:?}");
            assert_eq!(patience.rest(LIMIT), Duration::ZERO);
        }
    }

    #[test]
    fn waiting_for_a_processor_does_not_count() {
        let mut patience = AdaptiveTimeout::new(LIMIT);
        assert!(!patience.is_over(LIMIT, seconds(6, 24)));
        assert_eq!(patience.rest(LIMIT), Duration::from_secs(24));
        assert_eq!(patience.look_again(), Duration::from_secs(54));
        assert!(!patience.is_over(Duration::from_secs(54), seconds(11, 43)));
        assert!(patience.is_over(Duration::from_secs(150), seconds(30, 120)));
    }

    #[test]
    fn a_thread_that_waits_does_not_excuse_one_that_works() {
        let mut patience = AdaptiveTimeout::new(LIMIT);
        assert!(patience.is_over(LIMIT, seconds(30, 90)));
        assert!(!AdaptiveTimeout::new(LIMIT).is_over(LIMIT, seconds(29, 90)));
    }

    #[test]
    fn nobody_waits_for_ever() {
        let mut patience = AdaptiveTimeout::new(LIMIT);
        assert!(!patience.is_over(Duration::from_secs(299), seconds(1, 298)));
        assert_eq!(patience.look_again(), Duration::from_mins(5));
        assert!(patience.is_over(Duration::from_mins(5), seconds(1, 299)));
    }

    #[test]
    fn a_look_that_fails_excuses_nothing() {
        assert_eq!(ProcessorTime::since(None, Some(seconds(1, 9))), ProcessorTime::default());
        assert_eq!(ProcessorTime::since(Some(seconds(1, 9)), None), ProcessorTime::default());
        assert_eq!(ProcessorTime::since(Some(seconds(1, 9)), Some(seconds(4, 10))), seconds(3, 1));
    }
}
