//! What a plan consists of.

use crate::{
    failure::Fault,
    freshness::{Stale, Verdict},
    problem::Problem,
    source::SourceId,
    state::TombstoneReason,
    time::Timestamp,
};

/// What to do about one source.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing, but for a changed extension or origin, which [`apply`](crate::settle::apply) carries over.
    Keep,
    /// Build and inspect.
    Build,
    /// Inspect the bundle that is there.
    Inspect,
    /// Inspect the bundle that is there and take it up again.
    Adopt,
    /// Clear the failure of a degraded row.
    Recover,
    /// Keep the working type and remember this failure beside it.
    Degrade(Fault),
    /// Record that the entry cannot be read.
    MarkUnreadable(Fault),
    /// Record that only a bundle is left.
    Orphan,
    /// Remove the row.
    Tombstone(TombstoneReason),
    /// Stale, and not attempted by this plan.
    Defer {
        /// When a timer tries, or another look may believe a removal; `None` where none does.
        until: Option<Timestamp>,
    },
}

impl Action {
    /// The name that JSON documents use: `keep`, `build`, …, `defer`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Keep => "keep",
            Action::Build => "build",
            Action::Inspect => "inspect",
            Action::Adopt => "adopt",
            Action::Recover => "recover",
            Action::Degrade(_) => "degrade",
            Action::MarkUnreadable(_) => "mark-unreadable",
            Action::Orphan => "orphan",
            Action::Tombstone(_) => "tombstone",
            Action::Defer { .. } => "defer",
        }
    }

    /// True if the action runs a bundler or an inspector and is settled with an
    /// [`Outcome`](crate::settle::Outcome); every other is applied as it is.
    #[must_use]
    pub const fn is_attempt(&self) -> bool {
        matches!(self, Action::Build | Action::Inspect | Action::Adopt)
    }
}

/// What is true of one source, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which source.
    pub source: SourceId,
    /// What is true.
    pub verdict: Verdict,
    /// What to do.
    pub action: Action,
}

/// Everything to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// One step for every observation and every row, sorted by source.
    pub steps: Vec<Step>,
    /// The removals that the guardrail holds back, sorted by source. Their sources have a step with
    /// [`Action::Keep`], too.
    pub withheld: Vec<Step>,
    /// What planning itself found: withheld removals, unreachable roots, an unreadable lockfile. Does not repeat
    /// [`DiskView::problems`](crate::observation::DiskView::problems).
    pub problems: Vec<Problem>,
}

impl Plan {
    /// When another look may believe a removal that was put off; `None` if none was.
    #[must_use]
    pub fn second_look(&self) -> Option<Timestamp> {
        let put_off = self.steps.iter().filter(|step| matches!(step.verdict, Verdict::Stale(Stale::Removed { .. })));
        put_off.filter_map(|step| if let Action::Defer { until } = step.action { until } else { None }).min()
    }
}
