//! Settling: from the outcome of an attempt to the next row (`design/freshness.md`).

use crate::{
    bundle::BundleRef,
    description::Violation,
    digest::Digest,
    failure::Fault,
    fingerprint::Inputs,
    row::Row,
    state::{Indexed, StateName, TombstoneReason},
    time::Timestamp,
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
    /// The files read while building are not the ones observed: nothing is stored, observe again.
    InputsMoved,
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
