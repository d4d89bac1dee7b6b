//! Sources that the walk did not meet: the whole table, for every origin and kind of listing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use mangrove_domain::{
    glob::Glob,
    observation::{CatalogView, DiskView, RootAccess, RootView},
    plan::{Policy, Retry, Scope, plan},
    source::{Origin, RelativePath, RootId, SourceId},
};

use crate::notation::{fault, look, model, row};

#[derive(Clone, Copy)]
enum Listing {
    Complete,
    IncompleteParent,
    IncompleteElsewhere,
    IncompleteRoot,
    MissingDirectory,
    Unreachable,
    NotConfigured,
}

const LISTINGS: [(Listing, &str); 7] = [
    (Listing::Complete, "listed completely"),
    (Listing::IncompleteParent, "parent incomplete"),
    (Listing::IncompleteElsewhere, "sibling incomplete"),
    (Listing::IncompleteRoot, "root incomplete"),
    (Listing::MissingDirectory, "directory missing"),
    (Listing::Unreachable, "root unreachable"),
    (Listing::NotConfigured, "root not configured"),
];

const ROWS: [&str; 8] = [
    "Indexed",
    "Indexed degraded=root",
    "BundleBuildFailed attempted=s1",
    "BundleBuildFailed attempted=s1 built=s1 failure=throws",
    "ValidationFailed",
    "EntryPointUnreadable failure=root",
    "EntryPointUnreadable failure=EIO built=s1",
    "OrphanedBundleOnly",
];

struct Case {
    origin: Origin,
    listing: Listing,
    row: &'static str,
    bundle: &'static str,
    locked: bool,
    helper: bool,
    lockfile_is_broken: bool,
}

fn decided(case: &Case) -> String {
    let root = RootId::new(match case.origin {
        Origin::Local => "local",
        Origin::Mounted => "mount:shared",
        Origin::Pulled => "pulled:@acme/tools",
    });
    let mut row = row(case.row).unwrap();
    row.origin = case.origin;
    row.source = SourceId { root: root.clone(), path: RelativePath::parse("models/a.ts").unwrap() };
    let directory = match case.listing {
        Listing::IncompleteParent => Some("models"),
        Listing::IncompleteElsewhere => Some("models-old"),
        Listing::IncompleteRoot => Some(""),
        Listing::Complete | Listing::MissingDirectory | Listing::Unreachable | Listing::NotConfigured => None,
    };
    let view = RootView {
        origin: case.origin,
        access: match case.listing {
            Listing::Unreachable => RootAccess::Unreachable(fault("root")),
            Listing::Complete
            | Listing::IncompleteParent
            | Listing::IncompleteElsewhere
            | Listing::IncompleteRoot
            | Listing::MissingDirectory
            | Listing::NotConfigured => RootAccess::Reachable,
        },
        incomplete: directory.map(str::to_owned).into_iter().collect(),
        missing_directories: match case.listing {
            Listing::MissingDirectory => [(model(), "models".to_owned())].into(),
            Listing::Complete
            | Listing::IncompleteParent
            | Listing::IncompleteElsewhere
            | Listing::IncompleteRoot
            | Listing::Unreachable
            | Listing::NotConfigured => BTreeMap::new(),
        },
        locked_files: if case.locked { [row.source.path.clone()].into() } else { BTreeSet::new() },
    };
    let mut disk = DiskView {
        presence: [(row.source.clone(), look(&format!("s1 bundle={}", case.bundle)).presence)].into(),
        lockfile_fault: case.lockfile_is_broken.then(|| fault("EIO")),
        ..DiskView::default()
    };
    if !matches!(case.listing, Listing::NotConfigured) {
        disk.roots.insert(root, view);
    }
    if case.helper {
        disk.helpers.insert(row.source.clone());
    }
    let policy = Policy {
        retry: Retry::All,
        kinds: [(model(), 1)].into(),
        scope: Scope::Everything,
        allow_mass_removal: false,
        believes_removals: false,
        prunes_orphans: false,
    };
    let plan = plan(&disk, &CatalogView { rows: vec![row], ..CatalogView::default() }, &policy);
    format!("{}, {}", plan.steps[0].verdict.name(), plan.steps[0].action.name())
}

/// Origins × listings, for a working row: faults 15, 20 and 45.
#[test]
fn fault_45_nothing_is_gone_unless_somebody_looked_there_completely() {
    let mut table = String::new();
    for origin in Origin::ALL {
        for (listing, words) in LISTINGS {
            write!(table, "{:<8} {words:<20}", origin.as_str()).unwrap();
            for (locked, helper, broken, note) in [
                (false, false, false, ""),
                (true, false, false, "locked: "),
                (false, true, false, "no export: "),
                (false, false, true, "lockfile unreadable: "),
            ] {
                if (locked || broken) && origin != Origin::Pulled {
                    continue;
                }
                let case = Case {
                    origin,
                    listing,
                    row: "Indexed",
                    bundle: "present",
                    locked,
                    helper,
                    lockfile_is_broken: broken,
                };
                write!(table, " | {note}{}", decided(&case)).unwrap();
            }
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table, @r#"
    local    listed completely    | SourceDeleted, tombstone | no export: NoLongerEntryPoint, tombstone
    local    parent incomplete    | IncompleteListing, keep | no export: IncompleteListing, keep
    local    sibling incomplete   | SourceDeleted, tombstone | no export: NoLongerEntryPoint, tombstone
    local    root incomplete      | IncompleteListing, keep | no export: IncompleteListing, keep
    local    directory missing    | MissingDirectory, keep | no export: MissingDirectory, keep
    local    root unreachable     | Unavailable, degrade | no export: NoLongerEntryPoint, tombstone
    local    root not configured  | OutOfScope, keep | no export: OutOfScope, keep
    mounted  listed completely    | SourceDeleted, tombstone | no export: NoLongerEntryPoint, tombstone
    mounted  parent incomplete    | IncompleteListing, keep | no export: IncompleteListing, keep
    mounted  sibling incomplete   | SourceDeleted, tombstone | no export: NoLongerEntryPoint, tombstone
    mounted  root incomplete      | IncompleteListing, keep | no export: IncompleteListing, keep
    mounted  directory missing    | MissingDirectory, keep | no export: MissingDirectory, keep
    mounted  root unreachable     | Unavailable, degrade | no export: NoLongerEntryPoint, tombstone
    mounted  root not configured  | ExtensionRemoved, tombstone | no export: ExtensionRemoved, tombstone
    pulled   listed completely    | SourceDeleted, tombstone | locked: Unavailable, degrade | no export: NoLongerEntryPoint, tombstone | lockfile unreadable: LockfileUnreadable, keep
    pulled   parent incomplete    | IncompleteListing, keep | locked: IncompleteListing, keep | no export: IncompleteListing, keep | lockfile unreadable: IncompleteListing, keep
    pulled   sibling incomplete   | SourceDeleted, tombstone | locked: Unavailable, degrade | no export: NoLongerEntryPoint, tombstone | lockfile unreadable: LockfileUnreadable, keep
    pulled   root incomplete      | IncompleteListing, keep | locked: IncompleteListing, keep | no export: IncompleteListing, keep | lockfile unreadable: IncompleteListing, keep
    pulled   directory missing    | MissingDirectory, keep | locked: MissingDirectory, keep | no export: MissingDirectory, keep | lockfile unreadable: MissingDirectory, keep
    pulled   root unreachable     | Unavailable, degrade | locked: Unavailable, degrade | no export: NoLongerEntryPoint, tombstone | lockfile unreadable: LockfileUnreadable, keep
    pulled   root not configured  | ExtensionRemoved, tombstone | locked: ExtensionRemoved, tombstone | no export: ExtensionRemoved, tombstone | lockfile unreadable: LockfileUnreadable, keep
    "#);
}

/// A mount that nothing matches any more, by what is configured now: faults 20 and 22.
#[test]
fn fault_20_a_mount_leaves_only_when_nothing_that_is_configured_covers_it() {
    let decided = |patterns: &[&str], fault_of_list: bool| {
        let mut row = row("Indexed").unwrap();
        row.origin = Origin::Mounted;
        row.source.root = RootId::mount("../exts/aws");
        let disk = DiskView {
            mounts_fault: fault_of_list.then(|| fault("EIO")),
            mount_patterns: patterns.iter().map(|pattern| Glob::parse(pattern).unwrap()).collect(),
            ..DiskView::default()
        };
        let policy = Policy {
            retry: Retry::All,
            kinds: [(model(), 1)].into(),
            scope: Scope::Everything,
            allow_mass_removal: false,
            believes_removals: false,
            prunes_orphans: false,
        };
        let plan = plan(&disk, &CatalogView { rows: vec![row], ..CatalogView::default() }, &policy);
        format!("{}, {}", plan.steps[0].verdict.name(), plan.steps[0].action.name())
    };
    assert_eq!(decided(&[], false), "ExtensionRemoved, tombstone");
    assert_eq!(decided(&["../exts/g*", "../ext?/azure"], false), "ExtensionRemoved, tombstone");
    assert_eq!(decided(&["../other", "../exts/{aws,gcp}"], false), "Unavailable, degrade");
    assert_eq!(decided(&["../*/aws"], false), "Unavailable, degrade");
    assert_eq!(decided(&[], true), "MountsUnreadable, keep");
}

/// What becomes of rows in each state when their source is lost for now.
#[test]
fn lost_for_now() {
    let mut table = String::new();
    for row in ROWS {
        writeln!(table, "{row}").unwrap();
        for bundle in ["present", "missing"] {
            let case = |origin, listing, locked| {
                decided(&Case { origin, listing, row, bundle, locked, helper: false, lockfile_is_broken: false })
            };
            writeln!(
                table,
                "    bundle {bundle:<8} mount unreachable: {}",
                case(Origin::Mounted, Listing::Unreachable, false)
            )
            .unwrap();
            writeln!(
                table,
                "    bundle {bundle:<8} missing but locked: {}",
                case(Origin::Pulled, Listing::Complete, true)
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(table, @r#"
    Indexed
        bundle present  mount unreachable: Unavailable, degrade
        bundle present  missing but locked: Unavailable, degrade
        bundle missing  mount unreachable: Unavailable, mark-unreadable
        bundle missing  missing but locked: Unavailable, mark-unreadable
    Indexed degraded=root
        bundle present  mount unreachable: StillUnreadable, keep
        bundle present  missing but locked: Unavailable, degrade
        bundle missing  mount unreachable: Unavailable, mark-unreadable
        bundle missing  missing but locked: Unavailable, mark-unreadable
    BundleBuildFailed attempted=s1
        bundle present  mount unreachable: Unavailable, mark-unreadable
        bundle present  missing but locked: Unavailable, mark-unreadable
        bundle missing  mount unreachable: Unavailable, mark-unreadable
        bundle missing  missing but locked: Unavailable, mark-unreadable
    BundleBuildFailed attempted=s1 built=s1 failure=throws
        bundle present  mount unreachable: Unavailable, orphan
        bundle present  missing but locked: Unavailable, mark-unreadable
        bundle missing  mount unreachable: Unavailable, mark-unreadable
        bundle missing  missing but locked: Unavailable, mark-unreadable
    ValidationFailed
        bundle present  mount unreachable: Unavailable, orphan
        bundle present  missing but locked: Unavailable, mark-unreadable
        bundle missing  mount unreachable: Unavailable, mark-unreadable
        bundle missing  missing but locked: Unavailable, mark-unreadable
    EntryPointUnreadable failure=root
        bundle present  mount unreachable: StillUnreadable, keep
        bundle present  missing but locked: Unavailable, mark-unreadable
        bundle missing  mount unreachable: StillUnreadable, keep
        bundle missing  missing but locked: Unavailable, mark-unreadable
    EntryPointUnreadable failure=EIO built=s1
        bundle present  mount unreachable: Unavailable, orphan
        bundle present  missing but locked: Unavailable, mark-unreadable
        bundle missing  mount unreachable: Unavailable, mark-unreadable
        bundle missing  missing but locked: Unavailable, mark-unreadable
    OrphanedBundleOnly
        bundle present  mount unreachable: StillOrphaned, keep
        bundle present  missing but locked: StillOrphaned, keep
        bundle missing  mount unreachable: Unavailable, mark-unreadable
        bundle missing  missing but locked: Unavailable, mark-unreadable
    "#);
}

/// Orphans stay until somebody asks for them to be removed; a working type stays even then.
#[test]
fn fault_22_orphans_leave_only_on_request() {
    let mut table = String::new();
    for text in ["Indexed", "ValidationFailed", "OrphanedBundleOnly"] {
        for prunes_orphans in [false, true] {
            let mut row = row(text).unwrap();
            row.origin = Origin::Mounted;
            row.source.root = RootId::mount("../exts/aws");
            let disk = DiskView { mount_patterns: vec![Glob::parse("../exts/*").unwrap()], ..DiskView::default() };
            let policy = Policy {
                retry: Retry::All,
                kinds: [(model(), 1)].into(),
                scope: Scope::Everything,
                allow_mass_removal: false,
                believes_removals: false,
                prunes_orphans,
            };
            let plan = plan(&disk, &CatalogView { rows: vec![row], ..CatalogView::default() }, &policy);
            let step = &plan.steps[0];
            writeln!(table, "{text} {prunes_orphans}: {}, {}", step.verdict.name(), step.action.name()).unwrap();
        }
    }
    insta::assert_snapshot!(table, @r"
    Indexed false: Unavailable, degrade
    Indexed true: Unavailable, degrade
    ValidationFailed false: Unavailable, orphan
    ValidationFailed true: Pruned, tombstone
    OrphanedBundleOnly false: StillOrphaned, keep
    OrphanedBundleOnly true: Pruned, tombstone
    ");
}
