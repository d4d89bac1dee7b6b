//! When a timer has something to do.

use crate::{failure::Failure, index::TypeIndex, problem::Code, row::Row, state::State, time::Timestamp};

/// When the earliest retry among these rows is due: `now` if one is due already, `None` if no row waits for a timer.
/// What is due is decided by [`Failure::is_due`], so that a clock that was set back delays nothing for ever.
///
/// Then a plan with [`Retry::Due`](super::Retry::Due) tries the row, unless its source cannot be looked at; in that case
/// the time stays what it is. Whoever waits for it should therefore wait for a shortest time, too.
#[must_use]
pub fn next_due(index: &TypeIndex, now: Timestamp) -> Option<Timestamp> {
    let failures = index.rows().filter_map(|row| timed_failure(row));
    failures.filter_map(|failure| if failure.is_due(now) { Some(now) } else { failure.next_retry }).min()
}

/// The failure of an attempt that a timer repeats. An entry that cannot be read is looked at by every scan, and a type
/// that stricter rules reject waits for its author.
fn timed_failure(row: &Row) -> Option<&Failure> {
    let failure = row.failure().filter(|failure| failure.class.longest_delay().is_some())?;
    let is_attempt = match &row.state {
        State::BundleBuildFailed { .. } => true,
        State::Indexed(_) => row.attempted.is_some() && failure.code != Code::RULES_TIGHTENED,
        State::Bundled { .. }
        | State::ValidationFailed { .. }
        | State::EntryPointUnreadable { .. }
        | State::OrphanedBundleOnly { .. }
        | State::Tombstoned { .. } => false,
    };
    is_attempt.then_some(failure)
}
