//! Which types were checked only just now.

use std::{collections::HashMap, time::Duration};

use mangrove_domain::{problem::Problem, source::Kind, time::Timestamp, type_name::TypeName};

/// How long a type that is ready is given out without another check of its sources: the steps of a workflow follow
/// each other faster than people save files.
pub(super) const READY_FOR: Duration = Duration::from_secs(1);

/// How long a type that could not be made ready is not tried again.
const NOT_READY_FOR: Duration = Duration::from_millis(250);

/// So many checks are remembered at most; one that is forgotten costs another check.
const MAXIMUM_CHECKS: usize = 256;

/// The latest checks by the type that they were about. What is too old to count is forgotten, so that nothing grows with
/// the names that are asked for.
#[derive(Debug, Default)]
pub(super) struct RecentChecks(HashMap<(Kind, TypeName), RecentCheck>);

#[derive(Debug)]
struct RecentCheck {
    ended: Timestamp,
    unobservable: Vec<Problem>,
}

impl RecentChecks {
    /// Remembers that a check of a type ended, and what it could not read.
    pub(super) fn remember(&mut self, key: (Kind, TypeName), ended: Timestamp, unobservable: Vec<Problem>) {
        self.forget_old(ended);
        if self.0.len() >= MAXIMUM_CHECKS
            && let Some(oldest) = self.0.iter().min_by_key(|(_, check)| check.ended).map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
        self.0.insert(key, RecentCheck { ended, unobservable });
    }

    /// True if the latest check of this type is so recent that another one would only cost.
    pub(super) fn is_recent(&self, key: &(Kind, TypeName), is_ready: bool, now: Timestamp) -> bool {
        let longest = if is_ready { READY_FOR } else { NOT_READY_FOR };
        self.0.get(key).is_some_and(|check| is_younger(check, longest, now))
    }

    /// What the latest check of this type could not read.
    pub(super) fn unobservable(&self, key: &(Kind, TypeName)) -> Vec<Problem> {
        self.0.get(key).map_or_else(Vec::new, |check| check.unobservable.clone())
    }

    pub(super) fn forget_old(&mut self, now: Timestamp) {
        self.0.retain(|_, check| is_younger(check, READY_FOR, now));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A clock that was set back says nothing of how long ago something was.
fn is_younger(check: &RecentCheck, longest: Duration, now: Timestamp) -> bool {
    now >= check.ended && now.since(check.ended) < longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> (Kind, TypeName) {
        (Kind::new("model"), TypeName::stored(format!("@acme/t{number}")))
    }

    #[test]
    fn what_is_too_old_to_count_is_forgotten() {
        let (mut checks, start) = (RecentChecks::default(), Timestamp::from_millis(1_000_000));
        checks.remember(key(1), start, Vec::new());
        assert!(checks.is_recent(&key(1), true, start.plus(Duration::from_millis(999))));
        assert!(!checks.is_recent(&key(1), false, start.plus(Duration::from_millis(250))));
        checks.remember(key(2), start.plus(READY_FOR), Vec::new());
        assert_eq!(checks.len(), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_recent() {
        let (mut checks, start) = (RecentChecks::default(), Timestamp::from_millis(1_000_000));
        checks.remember(key(1), start, Vec::new());
        let earlier = Timestamp::from_millis(999_999);
        assert!(!checks.is_recent(&key(1), true, earlier));
        checks.forget_old(earlier);
        assert_eq!(checks.len(), 0);
    }

    #[test]
    fn no_more_checks_are_remembered_than_the_maximum() {
        let (mut checks, start) = (RecentChecks::default(), Timestamp::from_millis(1_000_000));
        for number in 0..900 {
            checks.remember(key(number), start.plus(Duration::from_millis(number as u64)), Vec::new());
        }
        assert_eq!(checks.len(), MAXIMUM_CHECKS);
        let now = start.plus(Duration::from_millis(900));
        assert!(checks.is_recent(&key(899), true, now));
        assert!(!checks.is_recent(&key(0), true, now), "the oldest are forgotten first");
    }
}
