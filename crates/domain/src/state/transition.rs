//! The transition table and the methods that move a state along it.

use std::fmt;

use super::{Indexed, State, StateName, TombstoneReason};
use crate::{bundle::BundleRef, description::Violation, failure::Failure};

/// What can happen to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// A bundle was built, or one that is in the store was taken up again.
    Built,
    /// The bundle's export keeps the rules of its kind.
    Accepted,
    /// The bundle's export breaks the rules of its kind.
    Rejected,
    /// A bundle is there and could not be inspected.
    InspectionFailed,
    /// No bundle came out, and there is no good one.
    BuildFailed,
    /// Something failed that does not touch the last good bundle.
    Degraded,
    /// The entry cannot be read, and there is no good bundle.
    EntryLost,
    /// The source cannot be reached; a bundle that was never accepted is left.
    SourceLost,
    /// The source leaves.
    Removed,
}

impl Event {
    /// Every event, in the order in which a source meets them.
    pub const ALL: [Event; 9] = [
        Event::Built,
        Event::Accepted,
        Event::Rejected,
        Event::InspectionFailed,
        Event::BuildFailed,
        Event::Degraded,
        Event::EntryLost,
        Event::SourceLost,
        Event::Removed,
    ];

    /// The event in a few words that follow "cannot be": `built`, `accepted`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Event::Built => "built",
            Event::Accepted => "accepted",
            Event::Rejected => "rejected",
            Event::InspectionFailed => "failed in inspection",
            Event::BuildFailed => "failed in building",
            Event::Degraded => "degraded",
            Event::EntryLost => "unreadable",
            Event::SourceLost => "orphaned",
            Event::Removed => "removed",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A transition that the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a source {} cannot be {event}", .from.map_or_else(|| "without a row".to_owned(), |name| format!("in state {name}")))]
pub struct IllegalTransition {
    /// The state before; `None` for a source without a row.
    pub from: Option<StateName>,
    /// What was to happen.
    pub event: Event,
}

/// The transition table: the state after `event`; `None` if it cannot happen to a source in this state. `from` is
/// `None` for a source without a row.
#[must_use]
pub const fn next(from: Option<StateName>, event: Event) -> Option<StateName> {
    let to = match event {
        Event::Built => StateName::Bundled,
        Event::Accepted | Event::Degraded => StateName::Indexed,
        Event::Rejected => StateName::ValidationFailed,
        Event::InspectionFailed | Event::BuildFailed => StateName::BundleBuildFailed,
        Event::EntryLost => StateName::EntryPointUnreadable,
        Event::SourceLost => StateName::OrphanedBundleOnly,
        Event::Removed => StateName::Tombstoned,
    };
    let is_legal = match from {
        None => match event {
            Event::Built | Event::BuildFailed | Event::EntryLost => true,
            Event::Accepted
            | Event::Rejected
            | Event::InspectionFailed
            | Event::Degraded
            | Event::SourceLost
            | Event::Removed => false,
        },
        Some(StateName::Indexed) => match event {
            Event::Built | Event::BuildFailed | Event::Degraded | Event::EntryLost | Event::Removed => true,
            Event::Accepted | Event::Rejected | Event::InspectionFailed | Event::SourceLost => false,
        },
        Some(StateName::Bundled) => match event {
            Event::Built
            | Event::Accepted
            | Event::Rejected
            | Event::InspectionFailed
            | Event::BuildFailed
            | Event::EntryLost
            | Event::SourceLost
            | Event::Removed => true,
            Event::Degraded => false,
        },
        Some(
            StateName::BundleBuildFailed
            | StateName::ValidationFailed
            | StateName::EntryPointUnreadable
            | StateName::OrphanedBundleOnly,
        ) => match event {
            Event::Built | Event::BuildFailed | Event::EntryLost | Event::SourceLost | Event::Removed => true,
            Event::Accepted | Event::Rejected | Event::InspectionFailed | Event::Degraded => false,
        },
        Some(StateName::Tombstoned) => match event {
            Event::Built
            | Event::Accepted
            | Event::Rejected
            | Event::InspectionFailed
            | Event::BuildFailed
            | Event::Degraded
            | Event::EntryLost
            | Event::SourceLost
            | Event::Removed => false,
        },
    };
    if is_legal { Some(to) } else { None }
}

fn check(before: Option<&State>, event: Event) -> Result<(), IllegalTransition> {
    let from = before.map(State::name);
    next(from, event).map(|_| ()).ok_or(IllegalTransition { from, event })
}

/// The transitions. Each takes the state before (`None` for a source without a row) and gives the next one, or
/// says that the table does not have it.
impl State {
    /// A bundle was built, or taken up again from the store.
    ///
    /// # Errors
    /// [`IllegalTransition`] from `Tombstoned`.
    pub fn built(before: Option<&State>, bundle: BundleRef) -> Result<State, IllegalTransition> {
        check(before, Event::Built)?;
        Ok(State::Bundled { bundle })
    }

    /// The loader accepted the export.
    ///
    /// # Errors
    /// [`IllegalTransition`] from every state but `Bundled`.
    pub fn accepted(&self, indexed: Indexed) -> Result<State, IllegalTransition> {
        self.leave_bundled(Event::Accepted, |_| State::Indexed(indexed))
    }

    /// The loader rejected the export.
    ///
    /// # Errors
    /// [`IllegalTransition`] from every state but `Bundled`.
    pub fn rejected(&self, violations: Vec<Violation>) -> Result<State, IllegalTransition> {
        self.leave_bundled(Event::Rejected, |bundle| State::ValidationFailed { bundle, violations })
    }

    /// The bundle could not be inspected.
    ///
    /// # Errors
    /// [`IllegalTransition`] from every state but `Bundled`.
    pub fn inspection_failed(&self, failure: Failure) -> Result<State, IllegalTransition> {
        self.leave_bundled(Event::InspectionFailed, |bundle| State::BundleBuildFailed { failure, bundle: Some(bundle) })
    }

    fn leave_bundled(&self, event: Event, to: impl FnOnce(BundleRef) -> State) -> Result<State, IllegalTransition> {
        check(Some(self), event)?;
        match self {
            State::Bundled { bundle } => Ok(to(bundle.clone())),
            State::Indexed(_)
            | State::BundleBuildFailed { .. }
            | State::ValidationFailed { .. }
            | State::EntryPointUnreadable { .. }
            | State::OrphanedBundleOnly { .. }
            | State::Tombstoned { .. } => Err(IllegalTransition { from: Some(self.name()), event }),
        }
    }

    /// No bundle came out, and there is no good one to keep.
    ///
    /// # Errors
    /// [`IllegalTransition`] from `Tombstoned`.
    pub fn build_failed(before: Option<&State>, failure: Failure) -> Result<State, IllegalTransition> {
        check(before, Event::BuildFailed)?;
        Ok(State::BundleBuildFailed { failure, bundle: None })
    }

    /// Something failed beside the last good bundle: the state stays what it is.
    ///
    /// # Errors
    /// [`IllegalTransition`] from every state but `Indexed`.
    pub fn degraded(&self) -> Result<State, IllegalTransition> {
        check(Some(self), Event::Degraded)?;
        Ok(self.clone())
    }

    /// The entry cannot be read, and there is no good bundle to keep. Whatever bundle is left stays with the row.
    ///
    /// # Errors
    /// [`IllegalTransition`] from `Tombstoned`.
    pub fn entry_lost(before: Option<&State>, failure: Failure) -> Result<State, IllegalTransition> {
        check(before, Event::EntryLost)?;
        Ok(State::EntryPointUnreadable { failure, bundle: before.and_then(State::bundle).cloned() })
    }

    /// The source cannot be reached, and a bundle that was never accepted is left.
    ///
    /// # Errors
    /// [`IllegalTransition`] from `Indexed`, which degrades instead, from `Tombstoned`, and from any state without a
    /// bundle.
    pub fn source_lost(&self) -> Result<State, IllegalTransition> {
        check(Some(self), Event::SourceLost)?;
        match self.bundle() {
            Some(bundle) => Ok(State::OrphanedBundleOnly { bundle: bundle.clone() }),
            None => Err(IllegalTransition { from: Some(self.name()), event: Event::SourceLost }),
        }
    }

    /// The source leaves.
    ///
    /// # Errors
    /// [`IllegalTransition`] from `Tombstoned`, which nothing leaves.
    pub fn removed(&self, reason: TombstoneReason) -> Result<State, IllegalTransition> {
        check(Some(self), Event::Removed)?;
        Ok(State::Tombstoned { reason })
    }
}
