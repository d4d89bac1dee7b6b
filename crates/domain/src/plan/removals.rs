//! Removals that nobody should believe at once: a file is without content for a moment while a slow writer fills it, a list
//! of mounts while it is replaced, and a tree that is being removed loses one file after the other.

use std::{collections::BTreeMap, time::Duration};

use super::{
    action::{Action, Plan, Step},
    guardrail::is_removal,
    policy::Policy,
};
use crate::{
    freshness::{Fresh, NotLookedAt, Verdict},
    row::Row,
    source::SourceId,
    state::StateName,
    time::Timestamp,
};

/// How long no further removal must have been seen before a look believes those that it sees.
pub const SECOND_LOOK_AFTER: Duration = Duration::from_millis(500);

/// A removal that every look has seen for this long is believed, whatever else is removed meanwhile.
pub const LONGEST_DOUBT: Duration = Duration::from_secs(10);

/// The removals of working rows that looks have seen and that were not believed yet: what somebody remembers who looks
/// again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removals {
    /// When each was seen first.
    seen: BTreeMap<SourceId, Timestamp>,
}

impl Removals {
    /// Puts off the removals of a plan that were not seen for long enough: they become [`Action::Defer`] until the time at which
    /// another look may believe them. `looked_at` is when the look began that the plan was made from.
    ///
    /// Only rows that work are meant; what takes nothing away is done at once. A renamed source is there under its new name.
    pub fn put_off(&mut self, plan: &mut Plan, rows: &[Row], policy: &Policy, looked_at: Timestamp) {
        let working: BTreeMap<&SourceId, &Row> =
            rows.iter().filter(|row| row.state.name() == StateName::Indexed).map(|row| (&row.source, row)).collect();
        let is_meant = |step: &Step| is_removal(&step.action) && working.contains_key(&step.source);
        let mut seen = BTreeMap::new();
        for step in &plan.steps {
            let before = self.seen.get(&step.source).copied();
            let first = if is_meant(step) {
                // The clock may have been set back.
                Some(before.map_or(looked_at, |first| first.min(looked_at)))
            } else {
                before.filter(|_| !was_looked_at(step))
            };
            seen.extend(first.map(|first| (step.source.clone(), first)));
        }
        self.seen = seen;
        if policy.believes_removals {
            return;
        }
        let Some(latest) = self.seen.values().max().copied() else { return };
        let quiet = latest.plus(SECOND_LOOK_AFTER);
        for step in plan.steps.iter_mut().filter(|step| is_meant(step)) {
            let first = self.seen.get(&step.source).copied().unwrap_or(looked_at);
            let until = quiet.min(first.plus(LONGEST_DOUBT));
            if looked_at < until {
                step.action = Action::Defer { until: Some(until) };
            }
        }
    }
}

const fn was_looked_at(step: &Step) -> bool {
    !matches!(step.verdict, Verdict::Fresh(Fresh::NotLookedAt(NotLookedAt::OutOfScope)))
}
