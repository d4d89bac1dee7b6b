//! Which types were looked at only just now.

use std::{collections::HashMap, time::Duration};

use mangrove_domain::{problem::Problem, source::Kind, time::Timestamp, type_name::TypeName};

/// How long a type that is ready is given out without another look at its sources: the steps of a workflow follow
/// each other faster than people save files.
const READY_FOR: Duration = Duration::from_secs(1);

/// How long a type that could not be made ready is not tried again.
const NOT_READY_FOR: Duration = Duration::from_millis(250);

/// So many looks are remembered at most; one that is forgotten costs another look.
const MAXIMUM_LOOKS: usize = 256;

/// The latest looks by the type that they were about. What is too old to count is forgotten, so that nothing grows with
/// the names that are asked for.
#[derive(Debug, Default)]
pub(super) struct RecentLooks(HashMap<(Kind, TypeName), RecentLook>);

#[derive(Debug)]
struct RecentLook {
    ended: Timestamp,
    unobservable: Vec<Problem>,
}

impl RecentLooks {
    /// Remembers that a look at a type ended, and what it could not look into.
    pub(super) fn remember(&mut self, key: (Kind, TypeName), ended: Timestamp, unobservable: Vec<Problem>) {
        self.forget_old(ended);
        if self.0.len() >= MAXIMUM_LOOKS
            && let Some(oldest) = self.0.iter().min_by_key(|(_, look)| look.ended).map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
        self.0.insert(key, RecentLook { ended, unobservable });
    }

    /// True if the latest look at this type is so recent that another one would only cost.
    pub(super) fn is_recent(&self, key: &(Kind, TypeName), is_ready: bool, now: Timestamp) -> bool {
        let longest = if is_ready { READY_FOR } else { NOT_READY_FOR };
        self.0.get(key).is_some_and(|look| is_younger(look, longest, now))
    }

    /// What the latest look at this type could not look into.
    pub(super) fn unobservable(&self, key: &(Kind, TypeName)) -> Vec<Problem> {
        self.0.get(key).map_or_else(Vec::new, |look| look.unobservable.clone())
    }

    pub(super) fn forget_old(&mut self, now: Timestamp) {
        self.0.retain(|_, look| is_younger(look, READY_FOR, now));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A clock that was set back says nothing of how long ago something was.
fn is_younger(look: &RecentLook, longest: Duration, now: Timestamp) -> bool {
    now >= look.ended && now.since(look.ended) < longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> (Kind, TypeName) {
        (Kind::new("model"), TypeName::stored(format!("@acme/t{number}")))
    }

    #[test]
    fn what_is_too_old_to_count_is_forgotten() {
        let (mut looks, start) = (RecentLooks::default(), Timestamp::from_millis(1_000_000));
        looks.remember(key(1), start, Vec::new());
        assert!(looks.is_recent(&key(1), true, start.plus(Duration::from_millis(999))));
        assert!(!looks.is_recent(&key(1), false, start.plus(Duration::from_millis(250))));
        looks.remember(key(2), start.plus(READY_FOR), Vec::new());
        assert_eq!(looks.len(), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_recent() {
        let (mut looks, start) = (RecentLooks::default(), Timestamp::from_millis(1_000_000));
        looks.remember(key(1), start, Vec::new());
        let earlier = Timestamp::from_millis(999_999);
        assert!(!looks.is_recent(&key(1), true, earlier));
        looks.forget_old(earlier);
        assert_eq!(looks.len(), 0);
    }

    #[test]
    fn no_more_looks_are_remembered_than_the_maximum() {
        let (mut looks, start) = (RecentLooks::default(), Timestamp::from_millis(1_000_000));
        for number in 0..900 {
            looks.remember(key(number), start.plus(Duration::from_millis(number as u64)), Vec::new());
        }
        assert_eq!(looks.len(), MAXIMUM_LOOKS);
        let now = start.plus(Duration::from_millis(900));
        assert!(looks.is_recent(&key(899), true, now));
        assert!(!looks.is_recent(&key(0), true, now), "the oldest are forgotten first");
    }
}
