//! Freshness: whether what the catalog remembers of a source is still true.
//!
//! # Meaning
//! [`decide`] compares one [`Observation`] with the [`Row`] of the same source and says what is *true*: fresh,
//! recovered, or stale and why. It never says whether to act *now*; that is [`plan`](crate::plan)'s business,
//! which knows about retry timers, scopes and guardrails. The first condition that holds wins; their order is the
//! one of `design/freshness.md`, where each is argued for.
//!
//! # Inputs
//! The entry's readability, the four parts of its fingerprint, what the store says of the row's bundle, and the
//! version of the kind's rules. Nothing else: no clock, no file system, no history beyond the row.
//!
//! Two sets of inputs are kept in a row. `built` belongs to the bundle, `attempted` to the latest failed try. With
//! one alone, a failed rebuild would either hide the edit for ever (fault 4) or look like a new edit for ever
//! (fault 37).
//!
//! # The rule that the product exists for
//! Equal inputs do not make a failed build fresh: a failure is never a cached answer (fault 1). A rejected export
//! is one, because the same bytes would be rejected again.
//!
//! # Deliberately left out
//! - Time: a failed row is stale whether or not its retry is due.
//! - Other rows: who shadows whom is settled in [`claims`](crate::claims).
//! - Bundle content: presence and size only. A digest is checked when a bundle is loaded, and by `doctor`.
//! - Sources that the walk did not find: [`plan::absent`](crate::plan::absent) decides about these.
//!
//! # Known holes
//! - Code that depends on more than its inputs (the time of day while it loads) may be accepted once and rejected
//!   the next time. It is looked at again only when an input changes.

mod verdict;

pub use verdict::{Fresh, NotLookedAt, Stale, Verdict};

use crate::{
    bundle::Presence,
    failure::Fault,
    fingerprint::{Inputs, Part, PartName},
    observation::{Entry, Observation},
    problem::Code,
    row::Row,
    state::{State, StateName},
};

/// What is true of one source. `presence` is what the store says of the row's bundle, `rule_version` the version of
/// the registered loader's rules. A row of another kind, or one that is leaving, counts as none.
#[must_use]
pub fn decide(observation: &Observation, row: Option<&Row>, presence: Presence, rule_version: u32) -> Verdict {
    let Some(row) = row.filter(|row| row.state.name() != StateName::Tombstoned) else {
        return Stale::New { formerly: None }.into();
    };
    if row.kind != observation.kind {
        return Stale::New { formerly: Some(row.kind.clone()) }.into();
    }
    match &observation.entry {
        Entry::Unreadable(fault) => unreadable(row, fault, presence),
        Entry::Readable { inputs, .. } => readable(row, inputs, presence, rule_version),
    }
}

fn unreadable(row: &Row, fault: &Fault, presence: Presence) -> Verdict {
    if repeats_recorded_loss(row, fault, presence) {
        Fresh::StillUnreadable { fault: fault.clone() }.into()
    } else {
        Stale::Unreadable { before: row.failure().map(|failure| failure.latest_message.clone()), fault: fault.clone() }
            .into()
    }
}

/// True if the row records this very loss already, so that nothing need be written. An `Indexed` row whose bundle
/// went away meanwhile has more to record: it cannot stay `Indexed` (I7).
pub(crate) fn repeats_recorded_loss(row: &Row, fault: &Fault, presence: Presence) -> bool {
    let recorded = match row.state.name() {
        StateName::Indexed if has_bundle(row, presence) => row.degraded.as_ref(),
        StateName::EntryPointUnreadable => row.state.failure(),
        StateName::Indexed
        | StateName::Bundled
        | StateName::BundleBuildFailed
        | StateName::ValidationFailed
        | StateName::OrphanedBundleOnly
        | StateName::Tombstoned => None,
    };
    recorded.is_some_and(|failure| failure.cause == fault.cause && failure.code == fault.code)
}

/// True if the row names a bundle and the store has all of it.
pub(crate) fn has_bundle(row: &Row, presence: Presence) -> bool {
    row.bundle().is_some() && presence == Presence::Present
}

fn readable(row: &Row, observed: &Inputs, presence: Presence, rule_version: u32) -> Verdict {
    let is_as_built = row.built.as_ref() == Some(observed);
    let is_as_attempted = row.attempted.as_ref() == Some(observed);
    let rules_moved = row.rule_version != rule_version;
    let is_tightened = row.degraded.as_ref().is_some_and(|failure| failure.code == Code::RULES_TIGHTENED);

    if matches!(row.state, State::EntryPointUnreadable { .. } | State::OrphanedBundleOnly { .. }) {
        return Stale::SourceReappeared { unchanged: is_as_built && has_bundle(row, presence) }.into();
    }
    // The last attempt judged other inputs than these, or none: the failing change was undone. An attempt on
    // these very inputs (an inspection that could not be carried out) is not forgiven here but tried again below.
    if row.degraded.is_some()
        && !is_tightened
        && is_as_built
        && !is_as_attempted
        && !rules_moved
        && has_bundle(row, presence)
    {
        return Verdict::Recovered;
    }
    // The bundler moved on together with the rules, which reject what it built of the author's unchanged inputs.
    if is_tightened && is_as_attempted && !rules_moved && has_bundle(row, presence) {
        return Fresh::StillRejected.into();
    }
    // A working row that has lost its bundle meanwhile cannot wait for its timer: it has nothing to run (I7).
    let can_wait = row.state.name() != StateName::Indexed || has_bundle(row, presence);
    if let Some(failure) = row.failure()
        && is_as_attempted
        && !is_tightened
        && can_wait
    {
        return Stale::RetryFailedBuild { failure: failure.clone() }.into();
    }
    if let Some(changed) = changed_part(row, observed) {
        return changed.into();
    }
    match &row.state {
        State::BundleBuildFailed { failure, .. } => Stale::RetryFailedBuild { failure: failure.clone() }.into(),
        State::ValidationFailed { .. } | State::Indexed(_) if rules_moved => {
            Stale::RulesChanged { before: row.rule_version, after: rule_version }.into()
        }
        State::ValidationFailed { .. } => Fresh::StillRejected.into(),
        State::Indexed(_) => match presence {
            Presence::Present if is_tightened => Fresh::StillRejected.into(),
            Presence::Present => Fresh::Unchanged.into(),
            Presence::Missing(object) => Stale::BundleMissing { object }.into(),
            Presence::WrongSize { key, recorded_bytes, found_bytes } => {
                Stale::BundleCorrupt { object: key, recorded_bytes, found_bytes }.into()
            }
        },
        State::Bundled { .. } => Stale::InspectionPending.into(),
        State::EntryPointUnreadable { .. } | State::OrphanedBundleOnly { .. } => {
            Stale::SourceReappeared { unchanged: false }.into()
        }
        State::Tombstoned { .. } => Stale::New { formerly: None }.into(),
    }
}

/// The first part that differs from what the bundle was made from, or from the latest attempt if there is none.
fn changed_part(row: &Row, observed: &Inputs) -> Option<Stale> {
    let baseline = row.built.as_ref().or(row.attempted.as_ref());
    PartName::ALL.into_iter().find_map(|name| {
        let now = observed.part(name);
        let before = baseline.map_or_else(Part::default, |inputs| inputs.part(name).clone());
        if baseline.is_some() && before == *now {
            return None;
        }
        let changes = before.changes(now);
        Some(match name {
            PartName::Source => Stale::SourceChanged { changes },
            PartName::Config => Stale::ConfigChanged { changes },
            PartName::Packages => Stale::PackagesChanged { changes },
            PartName::Bundler => Stale::BundlerChanged { changes },
        })
    })
}
