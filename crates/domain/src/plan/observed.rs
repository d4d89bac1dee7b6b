//! What to do about a source that is there.

use std::collections::BTreeSet;

use super::{
    action::{Action, Step},
    policy::{Policy, Retry},
};
use crate::{
    bundle::Presence,
    failure::{CauseKey, Failure},
    freshness::{Fresh, NotLookedAt, Stale, Verdict, decide, has_bundle},
    observation::{DiskView, Entry, Observation},
    row::Row,
    source::SourceId,
    state::StateName,
};

/// The causes of which a failure is due. Failures of one cause heal together, and are tried together.
pub(super) struct DueCauses<'a>(BTreeSet<&'a CauseKey>);

impl<'a> DueCauses<'a> {
    pub(super) fn of(retry: &Retry, rows: impl Iterator<Item = &'a Row>) -> Self {
        let Retry::Due(now) = retry else { return Self(BTreeSet::new()) };
        let due = rows.filter_map(Row::failure).filter(|failure| failure.is_due(*now));
        Self(due.map(|failure| &failure.cause).collect())
    }

    fn include(&self, failure: &Failure) -> bool {
        failure.class.longest_delay().is_some() && self.0.contains(&failure.cause)
    }
}

/// The step of a source that was observed.
pub(super) fn step(
    disk: &DiskView,
    policy: &Policy,
    due: &DueCauses<'_>,
    observation: &Observation,
    row: Option<&Row>,
) -> Step {
    let source = observation.source.clone();
    let not_looked_at =
        |reason| Step { source: source.clone(), verdict: Fresh::NotLookedAt(reason).into(), action: Action::Keep };
    if !policy.scope.contains(&observation.source, &observation.kind) {
        return not_looked_at(NotLookedAt::OutOfScope);
    }
    let Some(rule_version) = policy.kinds.get(&observation.kind).copied() else {
        return not_looked_at(NotLookedAt::NoLoader(observation.kind.clone()));
    };
    let presence = disk.presence_of(&observation.source);
    let verdict = decide(observation, row, presence, rule_version);
    let action = action_for(&verdict, observation, row, presence, (policy, due));
    Step { source, verdict, action }
}

fn action_for(
    verdict: &Verdict,
    observation: &Observation,
    row: Option<&Row>,
    presence: Presence,
    (policy, due): (&Policy, &DueCauses<'_>),
) -> Action {
    let stale = match verdict {
        Verdict::Fresh(_) => return Action::Keep,
        Verdict::Recovered => return Action::Recover,
        Verdict::Stale(stale) => stale,
    };
    match stale {
        Stale::New { .. } => match &observation.entry {
            Entry::Readable { .. } => Action::Build,
            Entry::Unreadable(fault) => Action::MarkUnreadable(fault.clone()),
        },
        Stale::Unreadable { fault, .. } | Stale::Unavailable { fault } => match row {
            Some(row) if row.state.name() == StateName::Indexed && has_bundle(row, presence) => {
                Action::Degrade(fault.clone())
            }
            Some(_) | None => Action::MarkUnreadable(fault.clone()),
        },
        Stale::SourceReappeared { unchanged: true } => Action::Adopt,
        Stale::SourceReappeared { unchanged: false }
        | Stale::SourceChanged { .. }
        | Stale::ConfigChanged { .. }
        | Stale::PackagesChanged { .. }
        | Stale::BundlerChanged { .. }
        | Stale::BundleMissing { .. }
        | Stale::BundleCorrupt { .. } => Action::Build,
        Stale::RulesChanged { .. } | Stale::InspectionPending => inspect_or_build(observation, row, presence),
        Stale::RetryFailedBuild { failure } => {
            let is_changed = row.and_then(|row| row.attempted.as_ref()) != observation.inputs();
            if is_changed || is_retried(&policy.retry, due, &observation.source, failure) {
                inspect_or_build(observation, row, presence)
            } else {
                Action::Defer { until: failure.next_retry }
            }
        }
        Stale::Removed { reason, .. } => Action::Tombstone(*reason),
    }
}

/// A bundle of these very inputs need not be built again.
fn inspect_or_build(observation: &Observation, row: Option<&Row>, presence: Presence) -> Action {
    let is_built = row.is_some_and(|row| has_bundle(row, presence) && row.built.as_ref() == observation.inputs());
    if is_built { Action::Inspect } else { Action::Build }
}

fn is_retried(retry: &Retry, due: &DueCauses<'_>, source: &SourceId, failure: &Failure) -> bool {
    match retry {
        Retry::All => true,
        Retry::Due(_) => due.include(failure),
        Retry::Only(sources) => sources.contains(source),
        Retry::None => false,
    }
}
