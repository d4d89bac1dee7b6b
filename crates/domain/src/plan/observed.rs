//! What to do about a source that is there.

use std::collections::BTreeMap;

use super::{
    action::{Action, Step},
    groups,
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

/// The step of a source that was observed.
pub(super) fn step(disk: &DiskView, policy: &Policy, observation: &Observation, row: Option<&Row>) -> Step {
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
    let action = action_for(&verdict, observation, row, presence, policy);
    Step { source, verdict, action }
}

fn action_for(
    verdict: &Verdict,
    observation: &Observation,
    row: Option<&Row>,
    presence: Presence,
    policy: &Policy,
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
            if is_changed || is_retried(&policy.retry, &observation.source) {
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

fn is_retried(retry: &Retry, source: &SourceId) -> bool {
    match retry {
        Retry::All => true,
        Retry::Only(sources) => sources.contains(source),
        // Those that are due are chosen from all that fail.
        Retry::Due { .. } | Retry::None => false,
    }
}

/// Tries of the failed builds that were put off those whose time has come.
pub(super) fn try_due(
    steps: &mut BTreeMap<&SourceId, Step>,
    disk: &DiskView,
    policy: &Policy,
    rows: &BTreeMap<&SourceId, &Row>,
    observations: &BTreeMap<&SourceId, &Observation>,
) {
    let Retry::Due { at, answered } = &policy.retry else { return };
    let mut failing: BTreeMap<&CauseKey, Vec<(&SourceId, &Failure)>> = BTreeMap::new();
    for (source, step) in steps.iter() {
        let is_put_off = matches!(step.verdict, Verdict::Stale(Stale::RetryFailedBuild { .. }))
            && matches!(step.action, Action::Defer { .. });
        let failure = rows.get(source).and_then(|row| row.failure()).filter(|_| is_put_off);
        if let Some(failure) = failure.filter(|failure| failure.class.longest_delay().is_some()) {
            failing.entry(&failure.cause).or_default().push((source, failure));
        }
    }
    for (cause, failing) in failing {
        let (tried, until) = groups::choose(cause, &failing, answered, *at);
        for (source, _) in failing {
            let (Some(step), Some(observation)) = (steps.get_mut(source), observations.get(source)) else { continue };
            step.action = if tried.contains(&source) {
                inspect_or_build(observation, rows.get(source).copied(), disk.presence_of(source))
            } else {
                Action::Defer { until }
            };
        }
    }
}
