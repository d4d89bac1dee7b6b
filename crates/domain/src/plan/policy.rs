//! What a plan may do.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::Answered;
use crate::{
    source::{Kind, SourceId},
    time::Timestamp,
};

/// What a plan may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Which failed rows with unchanged inputs are attempted again. Changed inputs always are.
    pub retry: Retry,
    /// The kinds that have a registered loader, with the versions of their rules.
    pub kinds: BTreeMap<Kind, u32>,
    /// What the plan is about; everything else is kept as it is.
    pub scope: Scope,
    /// Lets removals pass that the guardrail would withhold.
    pub allow_mass_removal: bool,
    /// Believes every removal at once ([`Removals`](super::Removals)).
    pub believes_removals: bool,
    /// Removes orphans, and what would become one, instead of keeping them until their source is back.
    pub prunes_orphans: bool,
}

/// Which failed rows with unchanged inputs are attempted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Every one: a scan on the command line, the start of a daemon.
    All,
    /// Those whose timer has run out: of all that fail for one cause one, since they heal together, and all of them when
    /// that cause was answered. A daemon's timer, hot reload, periodic rescan.
    Due {
        /// Now.
        at: Timestamp,
        /// What was answered lately.
        answered: Answered,
    },
    /// These: an explicit retry, or a type that is asked for.
    Only(BTreeSet<SourceId>),
    /// None: dry run, doctor, why, types, describe.
    None,
}

impl Retry {
    /// Those whose timer has run out at this instant, where nothing is known to have been answered lately.
    #[must_use]
    pub fn due(at: Timestamp) -> Self {
        Retry::Due { at, answered: Answered::default() }
    }
}

/// What a plan is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every source.
    Everything,
    /// These sources.
    Sources(BTreeSet<SourceId>),
    /// Every source of these kinds.
    Kinds(BTreeSet<Kind>),
}

impl Scope {
    pub(super) fn contains(&self, source: &SourceId, kind: &Kind) -> bool {
        match self {
            Scope::Everything => true,
            Scope::Sources(sources) => sources.contains(source),
            Scope::Kinds(kinds) => kinds.contains(kind),
        }
    }
}
