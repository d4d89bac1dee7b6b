//! Sources that the walk did not find: kept, lost for now, or gone (`design/freshness.md`).
//!
//! Nothing counts as gone unless somebody looked exactly there and completely (faults 15, 20, 45).

use super::{
    action::{Action, Step},
    policy::Policy,
};
use crate::{
    bundle::Presence,
    failure::Fault,
    freshness::{Fresh, NotLookedAt, Stale, Verdict, has_bundle, repeats_recorded_loss},
    observation::{DiskView, RootAccess},
    problem::Code,
    row::Row,
    source::{Origin, RootId},
    state::{State, StateName, TombstoneReason},
};

/// The step of a row whose source was not observed.
pub(super) fn step(disk: &DiskView, policy: &Policy, row: &Row) -> Step {
    let verdict = if !policy.scope.contains(&row.source, &row.kind) {
        Fresh::NotLookedAt(NotLookedAt::OutOfScope).into()
    } else if policy.kinds.contains_key(&row.kind) {
        decide(row, disk, disk.presence_of(&row.source))
    } else {
        Fresh::NotLookedAt(NotLookedAt::NoLoader(row.kind.clone())).into()
    };
    let action = match &verdict {
        Verdict::Stale(Stale::Removed { reason, .. }) => Action::Tombstone(*reason),
        Verdict::Stale(Stale::Unavailable { fault }) => loss_action(row, disk, disk.presence_of(&row.source), fault),
        Verdict::Stale(_) | Verdict::Fresh(_) | Verdict::Recovered => Action::Keep,
    };
    if policy.prunes_orphans && is_orphan(row, &verdict, &action) {
        let reason = TombstoneReason::Pruned;
        let verdict = Stale::Removed { reason, renamed_to: None }.into();
        return Step { source: row.source.clone(), verdict, action: Action::Tombstone(reason) };
    }
    Step { source: row.source.clone(), verdict, action }
}

/// The verdict on a row in scope, of a registered kind, whose source was not among the observations. First match:
///
/// 1. a directory on the way was listed incompletely, or the configured directory of the kind is not there → kept;
/// 2. the lockfile, or the list of mounts, cannot be read → everything pulled, or mounted, is kept;
/// 3. the root is no longer configured or locked → removed with its extension; but if a pattern of the configured
///    mounts covers it, and nothing matches any more → lost for now;
/// 4. the file is there and exports none of the kind's names → no longer an entry point;
/// 5. the root is unreachable, or the file is missing but still locked → lost for now;
/// 6. the parent was completely listed and the file is not there → deleted.
#[must_use]
pub fn decide(row: &Row, disk: &DiskView, presence: Presence) -> Verdict {
    if let State::Tombstoned { reason } = row.state {
        return removed(reason);
    }
    let root = disk.roots.get(&row.source.root);
    if let Some(directory) =
        root.and_then(|root| root.incomplete.iter().find(|directory| row.source.path.is_inside(directory)))
    {
        return Fresh::NotLookedAt(NotLookedAt::IncompleteListing { directory: directory.clone() }).into();
    }
    if let Some(directory) = root.and_then(|root| root.missing_directories.get(&row.kind)) {
        return Fresh::NotLookedAt(NotLookedAt::MissingDirectory { directory: directory.clone() }).into();
    }
    if let (Origin::Pulled, Some(fault)) = (row.origin, &disk.lockfile_fault) {
        return Fresh::NotLookedAt(NotLookedAt::LockfileUnreadable { fault: fault.clone() }).into();
    }
    if let (Origin::Mounted, Some(fault)) = (row.origin, &disk.mounts_fault) {
        return Fresh::NotLookedAt(NotLookedAt::MountsUnreadable { fault: fault.clone() }).into();
    }
    let Some(root) = root else {
        // The repository itself is always configured: without a view of it, nobody looked.
        return match row.origin {
            Origin::Local => Fresh::NotLookedAt(NotLookedAt::OutOfScope).into(),
            Origin::Mounted if is_awaited(&row.source.root, disk) => {
                unavailable(row, vanished_match(&row.source.root), presence)
            }
            Origin::Mounted | Origin::Pulled => removed(TombstoneReason::ExtensionRemoved),
        };
    };
    if disk.helpers.contains(&row.source) {
        return removed(TombstoneReason::NoLongerEntryPoint);
    }
    let is_locked = root.locked_files.contains(&row.source.path);
    match &root.access {
        RootAccess::Unreachable(fault) => unavailable(row, fault.clone(), presence),
        RootAccess::Reachable if is_locked => unavailable(row, missing_locked_file(row), presence),
        RootAccess::Reachable => removed(TombstoneReason::SourceDeleted),
    }
}

fn removed(reason: TombstoneReason) -> Verdict {
    Stale::Removed { reason, renamed_to: None }.into()
}

fn is_awaited(root: &RootId, disk: &DiskView) -> bool {
    root.mount_path().is_some_and(|path| disk.mount_patterns.iter().any(|pattern| pattern.matches(path)))
}

fn vanished_match(root: &RootId) -> Fault {
    Fault::environment(
        Code::ROOT_UNREACHABLE,
        format!("root:{root}"),
        format!("{root} matches a configured pattern, but does not exist"),
    )
}

fn missing_locked_file(row: &Row) -> Fault {
    Fault::environment(
        Code::UNREADABLE,
        "locked-file-missing",
        format!("{} is listed in the lockfile, but does not exist", row.source),
    )
}

fn unavailable(row: &Row, fault: Fault, presence: Presence) -> Verdict {
    if row.state.name() == StateName::OrphanedBundleOnly && has_bundle(row, presence) {
        Fresh::StillOrphaned.into()
    } else if repeats_recorded_loss(row, &fault, presence) {
        Fresh::StillUnreadable { fault }.into()
    } else {
        Stale::Unavailable { fault }.into()
    }
}

/// What to do about a source that is lost for now. A working type stays, degraded. Of the others, a bundle that was
/// never accepted makes an orphan of a row whose file nobody promised; without a bundle there is nothing to be an
/// orphan of.
fn loss_action(row: &Row, disk: &DiskView, presence: Presence, fault: &Fault) -> Action {
    let is_locked = disk.roots.get(&row.source.root).is_some_and(|root| root.locked_files.contains(&row.source.path));
    let keeps_bundle = has_bundle(row, presence);
    match row.state.name() {
        StateName::Indexed if keeps_bundle => Action::Degrade(fault.clone()),
        StateName::Indexed => Action::MarkUnreadable(fault.clone()),
        StateName::Bundled
        | StateName::BundleBuildFailed
        | StateName::ValidationFailed
        | StateName::EntryPointUnreadable
        | StateName::OrphanedBundleOnly => {
            if keeps_bundle && !is_locked {
                Action::Orphan
            } else {
                Action::MarkUnreadable(fault.clone())
            }
        }
        StateName::Tombstoned => Action::Keep,
    }
}

/// True if nothing but a bundle that was never accepted is left of a row, or would be after this action: the source is
/// away, and that is not only because nobody could look.
fn is_orphan(row: &Row, verdict: &Verdict, action: &Action) -> bool {
    let is_away = match verdict {
        Verdict::Fresh(Fresh::StillOrphaned) | Verdict::Stale(Stale::Unavailable { .. }) => true,
        Verdict::Fresh(_) | Verdict::Stale(_) | Verdict::Recovered => false,
    };
    *action == Action::Orphan || (is_away && row.state.name() == StateName::OrphanedBundleOnly)
}
