//! Mass removals are withheld: a disk that is not mounted must not empty the catalog (fault 20).

use std::collections::BTreeMap;

use super::{
    action::{Action, Step},
    policy::Policy,
};
use crate::{
    advice::{Advice, UserAction},
    problem::{Code, Problem},
    row::Row,
    source::{RootId, SourceId},
    state::{StateName, TombstoneReason},
};

/// Fewer working rows than this in a root are never guarded against removal.
pub const GUARDED_ROOT_ROWS: usize = 10;

/// True for what the guardrail counts. A renamed source is not lost: its bytes are there under another name.
pub(super) fn is_removal(action: &Action) -> bool {
    match action {
        Action::Orphan => true,
        Action::Tombstone(reason) => match reason {
            TombstoneReason::SourceDeleted
            | TombstoneReason::ExtensionRemoved
            | TombstoneReason::NoLongerEntryPoint
            | TombstoneReason::Pruned => true,
            TombstoneReason::Renamed => false,
        },
        Action::Keep
        | Action::Build
        | Action::Inspect
        | Action::Adopt
        | Action::Recover
        | Action::Degrade(_)
        | Action::MarkUnreadable(_)
        | Action::Defer { .. } => false,
    }
}

/// Turns the removals of a root that would lose more than half of its working rows into [`Action::Keep`]. Gives the
/// steps as they were, and what is to be said of it.
pub(super) fn withhold(
    steps: &mut BTreeMap<&SourceId, Step>,
    rows: &BTreeMap<&SourceId, &Row>,
    policy: &Policy,
) -> (Vec<Step>, Vec<Problem>) {
    let mut counts: BTreeMap<&RootId, (usize, usize)> = BTreeMap::new();
    for (source, row) in rows {
        // Only indexed rows count: a row that never worked has nothing to lose.
        if row.state.name() == StateName::Indexed {
            let (live, removed) = counts.entry(&source.root).or_default();
            *live += 1;
            *removed += usize::from(steps.get(source).is_some_and(|step| is_removal(&step.action)));
        }
    }
    counts
        .retain(|_, (live, removed)| !policy.allow_mass_removal && *live >= GUARDED_ROOT_ROWS && *removed * 2 > *live);
    let mut withheld = Vec::new();
    for (source, step) in steps.iter_mut() {
        if counts.contains_key(&source.root) && is_removal(&step.action) {
            withheld.push(step.clone());
            step.action = Action::Keep;
        }
    }
    let problems = counts.into_iter().map(|(root, (live, removed))| withheld_removals(root, live, removed)).collect();
    (withheld, problems)
}

fn withheld_removals(root: &RootId, live: usize, removed: usize) -> Problem {
    let message =
        format!("{removed} of the {live} working sources of the root {root} would be removed at once; all are kept");
    Problem::error(Code::MASS_REMOVAL, root.to_string(), message).advise(
        Advice::new("if they were removed on purpose, run ")
            .and(UserAction::ScanAllowingMassRemoval)
            .and(", or let ")
            .and(UserAction::Repair)
            .and(" remove them; if not, check that the disk is mounted"),
    )
}
