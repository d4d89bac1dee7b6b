//! When a timer has something to do.

use std::collections::BTreeMap;

use super::groups::{Answered, due_of, timed_failure};
use crate::{
    failure::{CauseKey, Failure},
    index::TypeIndex,
    time::Timestamp,
};

/// When the earliest retry among these rows is due: `now` if one is due already, `None` if no row waits for a timer.
/// Rows that fail for one cause are due together, when the one that was tried last is; and now, if the cause was answered since.
/// What is due is decided by [`Failure::is_due`], so that a clock that was set back delays nothing for ever.
///
/// Then a plan with [`Retry::Due`](super::Retry::Due) tries a row, unless its source cannot be looked at; in that case
/// the time stays what it is. Whoever waits for it should therefore wait for a shortest time, too.
#[must_use]
pub fn next_due(index: &TypeIndex, answered: &Answered, now: Timestamp) -> Option<Timestamp> {
    let mut groups: BTreeMap<&CauseKey, Vec<&Failure>> = BTreeMap::new();
    for failure in index.rows().filter_map(|row| timed_failure(row)) {
        groups.entry(&failure.cause).or_default().push(failure);
    }
    let due = |(cause, failures): (&CauseKey, Vec<&Failure>)| {
        if answered.includes(cause) { Some(now) } else { due_of(failures, now) }
    };
    groups.into_iter().filter_map(due).min()
}
