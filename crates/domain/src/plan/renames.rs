//! Sources that only have another name.

use std::collections::BTreeMap;

use super::action::{Action, Step};
use crate::{
    digest::Digest,
    freshness::{Stale, Verdict},
    observation::Observation,
    row::Row,
    source::{Kind, SourceId},
    state::TombstoneReason,
};

/// A deleted source and a new one with the same entry bytes and kind are one that was renamed. Several of the same
/// bytes are paired in the order of their names.
pub(super) fn mark(
    steps: &mut BTreeMap<&SourceId, Step>,
    rows: &BTreeMap<&SourceId, &Row>,
    observations: &BTreeMap<&SourceId, &Observation>,
) {
    let mut appeared: BTreeMap<(&Kind, Digest), Vec<&SourceId>> = BTreeMap::new();
    for (source, observation) in observations.iter().rev() {
        let is_new = steps.get(source).is_some_and(|step| matches!(step.verdict, Verdict::Stale(Stale::New { .. })));
        if let (true, Some(digest)) = (is_new, observation.entry_digest()) {
            appeared.entry((&observation.kind, digest)).or_default().push(source);
        }
    }
    for (source, step) in steps.iter_mut() {
        let (Action::Tombstone(TombstoneReason::SourceDeleted), Some(row)) = (&step.action, rows.get(source)) else {
            continue;
        };
        let target =
            row.entry_digest.and_then(|digest| appeared.get_mut(&(&row.kind, digest))).and_then(Vec::pop).cloned();
        if target.is_some() {
            step.verdict = Stale::Removed { reason: TombstoneReason::Renamed, renamed_to: target }.into();
            step.action = Action::Tombstone(TombstoneReason::Renamed);
        }
    }
}
