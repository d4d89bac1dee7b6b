//! Reporting how far a scan is.

use crate::source::SourceId;

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
    },
    /// The phase is over.
    Finished {
        /// Which one.
        phase: Phase,
    },
}

/// The phases of the pipeline that take time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Looking at files.
    Observe,
    /// Building and inspecting.
    Build,
}
