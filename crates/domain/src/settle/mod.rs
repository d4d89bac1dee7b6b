//! Settling: from the outcome of an attempt to the next row (`design/freshness.md`).
//!
//! [`settle`] takes what came of a build, an inspection or an adoption, [`apply`] every other action of a plan. Both
//! are total. The rule behind both: no failure of the environment takes a working type away; only its author can.

// A new state or outcome must be decided about wherever one is matched.
#![warn(clippy::wildcard_enum_match_arm)]

mod next;

use next::Next;

use crate::{
    bundle::{BundleRef, Presence},
    description::Violation,
    digest::Digest,
    failure::Fault,
    fingerprint::Inputs,
    observation::Observation,
    plan::Action,
    row::Row,
    shipped::Acceptance,
    source::SourceId,
    state::{IllegalTransition, Indexed, StateName, TombstoneReason},
    time::Timestamp,
    type_name::TypeName,
};

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Built (or adopted), inspected, accepted by the loader.
    Accepted {
        /// The payload of the next state.
        indexed: Indexed,
        /// The inputs that were really used: the observed ones, with the packages as they resolved.
        inputs: Inputs,
    },
    /// Built and inspected; the loader found violations.
    Rejected {
        /// What was inspected.
        bundle: BundleRef,
        /// Every rule that is broken.
        violations: Vec<Violation>,
        /// The type that the inspected export names, if it names one.
        claimed_type: Option<TypeName>,
        /// The inputs that were really used.
        inputs: Inputs,
    },
    /// No bundle came out.
    BuildFailed {
        /// Why.
        fault: Fault,
    },
    /// A bundle came out, and it could not be inspected: it throws, never ends, ….
    InspectionFailed {
        /// Why.
        fault: Fault,
        /// What was built.
        bundle: BundleRef,
        /// The inputs that were really used.
        inputs: Inputs,
    },
    /// The same of the bundle that the extension ships, taken because nothing could be built.
    Shipped {
        /// What the row remembers of it from now on.
        acceptance: Acceptance,
        /// How the attempt ended.
        outcome: Box<Outcome>,
    },
    /// The files read while building are not the ones observed: nothing is stored, observe again.
    InputsMoved,
}

impl Outcome {
    /// Why nothing came of the attempt, if it was not the author's doing or ours.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Outcome::BuildFailed { fault } | Outcome::InspectionFailed { fault, .. } => Some(fault),
            Outcome::Shipped { outcome, .. } => outcome.fault(),
            Outcome::Accepted { .. } | Outcome::Rejected { .. } | Outcome::InputsMoved => None,
        }
    }
}

/// What a row becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// The row to write, with the revision that it was planned on.
    Write(Box<Row>),
    /// The row is deleted, with this reason in the audit.
    Delete(TombstoneReason),
    /// Nothing is written.
    Unchanged,
    /// The attempt is void; the source must be observed again.
    ObserveAgain,
}

/// What settling needs beside row and outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// A random number in 0..=1 for the retry timer.
    pub jitter: f64,
    /// Since when others fail for the cause of this failure, if they do.
    pub outage: Option<Timestamp>,
}

/// One line of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before; `None` for a new row.
    pub from: Option<StateName>,
    /// The state after.
    pub to: StateName,
    /// One sentence: why.
    pub reason: String,
    /// The entry's digest at that time.
    pub entry_digest: Option<Digest>,
    /// When.
    pub at: Timestamp,
}

/// One line of a source's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Whose.
    pub source: SourceId,
    /// What happened.
    pub transition: Transition,
}

/// The next row after an attempt. `row` is the one that was planned on, `presence` what the store said of its bundle
/// before the attempt, `rule_version` the version of the rules that judged.
///
/// Gives [`Settled::ObserveAgain`] if the inputs moved, or if the attempt does not fit row and observation.
#[must_use]
pub fn settle(
    row: Option<&Row>,
    observation: &Observation,
    presence: Presence,
    outcome: Outcome,
    rule_version: u32,
    moment: Moment,
) -> Settled {
    let Some(observed) = observation.inputs() else {
        return Settled::ObserveAgain;
    };
    let Some(next) = Next::after_attempt(row, observation, presence, rule_version, moment) else {
        return Settled::ObserveAgain;
    };
    match outcome {
        Outcome::Accepted { indexed, inputs } => written(next.accepted(indexed, inputs)),
        Outcome::Rejected { bundle, violations, claimed_type, inputs } => {
            written(next.rejected(bundle, violations, claimed_type, inputs))
        }
        Outcome::BuildFailed { fault } => written(next.build_failed(fault, observed.clone())),
        Outcome::InspectionFailed { fault, bundle, inputs } => written(next.inspection_failed(fault, bundle, inputs)),
        Outcome::Shipped { acceptance, outcome } => {
            match settle(row, observation, presence, *outcome, rule_version, moment) {
                Settled::Write(row) => Settled::Write(Box::new(Row { shipped: Some(acceptance), ..*row })),
                settled @ (Settled::Delete(_) | Settled::Unchanged | Settled::ObserveAgain) => settled,
            }
        }
        Outcome::InputsMoved => Settled::ObserveAgain,
    }
}

/// The next row after an action that attempts nothing. `observation` is `None` for a source that the walk did not meet.
///
/// [`Action::Keep`] and [`Action::Defer`] write only if the extension or the origin moved (an identity migration);
/// so does an attempt, which [`settle`] is for. Gives [`Settled::ObserveAgain`] if the action does
/// not fit the row.
#[must_use]
pub fn apply(row: Option<&Row>, observation: Option<&Observation>, action: &Action, moment: Moment) -> Settled {
    if let Action::Tombstone(reason) = action {
        return if row.is_some() { Settled::Delete(*reason) } else { Settled::Unchanged };
    }
    let Some(next) = Next::after_action(row, observation, moment) else {
        return Settled::Unchanged;
    };
    match action {
        Action::Keep | Action::Defer { .. } | Action::Build | Action::Inspect | Action::Adopt => next.migrated(),
        Action::Recover => written(next.recovered()),
        Action::Degrade(fault) => written(next.degraded(fault.clone())),
        Action::MarkUnreadable(fault) => written(next.entry_lost(fault.clone())),
        Action::Orphan => written(next.source_lost()),
        Action::Tombstone(reason) => Settled::Delete(*reason),
    }
}

fn written(next: Result<Row, IllegalTransition>) -> Settled {
    match next {
        Ok(row) => Settled::Write(Box::new(row)),
        // What was decided does not fit the state any more: never overwrite, look again.
        Err(IllegalTransition { .. }) => Settled::ObserveAgain,
    }
}

/// The line that the audit keeps of a change; `None` where the state stays what it is.
#[must_use]
pub fn transition(before: Option<&Row>, settled: &Settled, reason: &str, at: Timestamp) -> Option<Transition> {
    let (kind, to, entry_digest) = match settled {
        Settled::Write(row) => (Some(&row.kind), row.state.name(), row.entry_digest),
        Settled::Delete(_) => (None, StateName::Tombstoned, before?.entry_digest),
        Settled::Unchanged | Settled::ObserveAgain => return None,
    };
    // A row of another kind is another row, even under the same path.
    let from = before.filter(|row| kind.is_none_or(|kind| row.kind == *kind)).map(|row| row.state.name());
    if from == Some(to) {
        return None;
    }
    Some(Transition { from, to, reason: reason.to_owned(), entry_digest, at })
}
