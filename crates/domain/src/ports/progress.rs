//! Reporting how far a scan is.

use std::time::Duration;

use crate::{failure::FailureClass, source::SourceId};

/// Receives events. Implementations MUST return at once and never fail.
pub trait Progress: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A phase begins; `total` is how many [`Event::Done`] will come, if that is known.
    Started {
        /// Which one.
        phase: Phase,
        /// How many items it has.
        total: Option<u64>,
    },
    /// One item of the build phase is done.
    Done {
        /// Which one.
        source: &'a SourceId,
        /// Whether it ended as `Indexed`.
        healthy: bool,
        /// The class of the failure that it ended with, if it did.
        failure: Option<FailureClass>,
        /// What it took.
        times: AttemptTimes,
    },
    /// The phase is over.
    Finished {
        /// Which one.
        phase: Phase,
    },
}

/// How long the parts of one attempt took; `None` of those that it did not come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptTimes {
    /// Making its packages ready, with all waiting for a network.
    pub preparing: Option<Duration>,
    /// Building its bundle.
    pub building: Option<Duration>,
    /// Looking at what the bundle exports.
    pub inspecting: Option<Duration>,
}

/// The phases of the pipeline that take time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Looking at files.
    Observe,
    /// Building and inspecting.
    Build,
}
