//! Failures of one cause heal together, so they are tried together: of all that fail for one cause, one is tried at a
//! time, and when it was answered all are.
//!
//! Which one is tried changes, so that one that is broken for ever keeps none of the others from healing; and the one that
//! was tried last says when the next one is due, so that a cause is asked as seldom for a thousand rows as for one
//! (`design/errors.md`).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    failure::{CauseKey, Failure, FailureClass},
    row::Row,
    source::SourceId,
    state::State,
    time::Timestamp,
};

/// The causes that were answered since something failed for them: what still fails for one of them is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered(BTreeSet<CauseKey>);

impl Answered {
    /// Learns from rows that changed: as they were, and as they are.
    pub fn learn<'a>(&mut self, changes: impl IntoIterator<Item = (Option<&'a Row>, Option<&'a Row>)>) {
        let changes: Vec<_> = changes.into_iter().collect();
        for (before, after) in &changes {
            let before = before.and_then(Row::failure).map(|failure| failure.last_seen);
            if let Some(failure) = after.and_then(Row::failure).filter(|failure| Some(failure.last_seen) != before) {
                self.0.remove(&failure.cause);
            }
        }
        // What succeeds beside what fails was answered as well.
        for (before, after) in changes {
            if let (Some(before), Some(after)) = (before, after)
                && let Some(failure) = timed_failure(before)
                && was_answered(before, after)
            {
                self.0.insert(failure.cause.clone());
            }
        }
    }

    pub(super) fn includes(&self, cause: &CauseKey) -> bool {
        self.0.contains(cause)
    }
}

/// True if a try of this row got past what it had failed for: it was built, or failed for what is in its source alone.
fn was_answered(before: &Row, after: &Row) -> bool {
    match after.failure() {
        // The undoing of a change that failed says nothing: its bundle is the one from before, and nothing was tried.
        None => after.built.is_some() && (after.built != before.built || after.built == before.attempted),
        Some(failure) => failure.class == FailureClass::Deterministic && Some(failure) != before.failure(),
    }
}

/// When one of these failures, which have one cause, is due: `None` if none waits for a timer. A time that has passed means
/// now.
pub(super) fn due_of<'a>(failures: impl IntoIterator<Item = &'a Failure>, now: Timestamp) -> Option<Timestamp> {
    let latest = failures.into_iter().max_by_key(|failure| (failure.last_seen, failure.next_retry))?;
    if latest.is_due(now) { Some(now) } else { latest.next_retry }
}

/// Since when what fails now fails, by cause: more than half of the rows that fail for it began to fail by then, or at that
/// moment. Neither one that is broken for ever nor one that was edited a moment ago counts for all.
#[must_use]
pub fn outages<'a>(rows: impl IntoIterator<Item = &'a Row>) -> BTreeMap<CauseKey, Timestamp> {
    let mut begun: BTreeMap<&CauseKey, Vec<Timestamp>> = BTreeMap::new();
    for failure in rows.into_iter().filter_map(timed_failure) {
        begun.entry(&failure.cause).or_default().push(failure.first_seen);
    }
    let median = |mut begun: Vec<Timestamp>| {
        begun.sort_unstable();
        begun.get(begun.len() / 2).copied()
    };
    begun.into_iter().filter_map(|(cause, begun)| Some((cause.clone(), median(begun)?))).collect()
}

/// The failure of an attempt that a timer repeats. An entry that cannot be read is looked at by every scan, and a type
/// that stricter rules reject waits for its author.
pub(super) fn timed_failure(row: &Row) -> Option<&Failure> {
    let failure = row.failure().filter(|failure| failure.class.longest_delay().is_some())?;
    let is_attempt = match &row.state {
        State::BundleBuildFailed { .. } => true,
        State::Indexed(_) => row.attempted.is_some() && failure.code != crate::problem::Code::RULES_TIGHTENED,
        State::Bundled { .. }
        | State::ValidationFailed { .. }
        | State::EntryPointUnreadable { .. }
        | State::OrphanedBundleOnly { .. }
        | State::Tombstoned { .. } => false,
    };
    is_attempt.then_some(failure)
}

/// Of these sources, which fail for one cause and could be tried, those that are tried now; and when the others are, if none
/// is.
pub(super) fn choose<'a>(
    cause: &CauseKey,
    failing: &[(&'a SourceId, &Failure)],
    answered: &Answered,
    now: Timestamp,
) -> (Vec<&'a SourceId>, Option<Timestamp>) {
    let due = due_of(failing.iter().map(|(_, failure)| *failure), now);
    if answered.includes(cause) {
        return (failing.iter().map(|(source, _)| *source).collect(), due);
    }
    if due != Some(now) {
        return (Vec::new(), due);
    }
    // Whoever was tried longest ago; of those that failed at one moment, the first.
    let next = failing.iter().min_by_key(|(source, failure)| (failure.last_seen, *source));
    (next.map(|(source, _)| *source).into_iter().collect(), due)
}
