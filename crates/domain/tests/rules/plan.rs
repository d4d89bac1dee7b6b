//! Plans: policies, scopes, renames, the guardrail.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{
    failure::{CauseKey, Failure},
    fingerprint::Inputs,
    index::TypeIndex,
    observation::{CatalogView, DiskView, RootAccess, RootView},
    plan::{Action, Answered, GUARDED_ROOT_ROWS, Plan, Policy, Retry, Scope, next_due, plan},
    problem::Code,
    row::Row,
    source::{Extension, Origin, RootId},
    state::{State, TombstoneReason},
    time::Timestamp,
};

use crate::{
    notation::{NOW, fault, model, observation, row_at, source},
    world::kind,
};

fn policy() -> Policy {
    Policy {
        retry: Retry::All,
        kinds: [(model(), 1)].into(),
        scope: Scope::Everything,
        allow_mass_removal: false,
        believes_removals: false,
        prunes_orphans: false,
    }
}

fn local_root() -> (RootId, RootView) {
    let view = RootView {
        origin: Origin::Local,
        access: RootAccess::Reachable,
        incomplete: BTreeSet::new(),
        missing_directories: BTreeMap::new(),
        locked_files: BTreeSet::new(),
    };
    (RootId::local(), view)
}

fn disk(contents: &[(&str, &str)]) -> DiskView {
    DiskView {
        observations: contents.iter().map(|(path, content)| observation(path, content)).collect(),
        roots: [local_root()].into(),
        ..DiskView::default()
    }
}

fn catalog(rows: &[(&str, &str)]) -> CatalogView {
    CatalogView {
        rows: rows.iter().filter_map(|(path, words)| row_at(path, words)).collect(),
        ..CatalogView::default()
    }
}

fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for step in &plan.steps {
        writeln!(out, "{} {} {}: {}", step.source, step.verdict.name(), step.action.name(), step.verdict).unwrap();
    }
    for step in &plan.withheld {
        writeln!(out, "withheld {} {}", step.source, step.action.name()).unwrap();
    }
    for problem in &plan.problems {
        writeln!(out, "{}: {}", problem.code, problem.message).unwrap();
    }
    out
}

#[test]
fn a_cold_start_is_a_plan_over_an_empty_catalog() {
    let plan = plan(&disk(&[("b.ts", "s1"), ("a.ts", "EACCES")]), &CatalogView::default(), &policy());
    insta::assert_snapshot!(text(&plan), @r#"
    a.ts New mark-unreadable: never seen before
    b.ts New build: never seen before
    "#);
}

fn failed_action(retry: Retry, observed: &str) -> Action {
    let rows = catalog(&[("a.ts", "BundleBuildFailed attempted=s1")]);
    let plan = plan(&disk(&[("a.ts", observed)]), &rows, &Policy { retry, ..policy() });
    plan.steps[0].action.clone()
}

/// Faults 1 and 37: which failed rows with unchanged inputs are attempted, and that changed ones always are.
#[test]
fn fault_37_retry_policies() {
    let due = NOW.plus(Duration::from_secs(1));
    let only = |path: &str| Retry::Only([source(path)].into());
    let deferred = Action::Defer { until: Some(due) };
    assert_eq!(failed_action(Retry::All, "s1"), Action::Build);
    assert_eq!(failed_action(Retry::due(NOW), "s1"), deferred);
    assert_eq!(failed_action(Retry::due(due), "s1"), Action::Build);
    assert_eq!(failed_action(only("a.ts"), "s1"), Action::Build);
    assert_eq!(failed_action(only("b.ts"), "s1"), deferred);
    assert_eq!(failed_action(Retry::None, "s1"), deferred);
    for retry in [Retry::All, Retry::due(NOW), only("b.ts"), Retry::None] {
        assert_eq!(failed_action(retry, "s2"), Action::Build);
    }
}

fn failure_of(row: &mut Row) -> &mut Failure {
    let State::BundleBuildFailed { failure, .. } = &mut row.state else { panic!("a failed build") };
    failure
}

/// Fault 50: what heals together is tried one after the other, so that one probe serves all, until it is answered.
#[test]
fn fault_50_of_failures_of_one_cause_one_is_tried_until_it_is_answered() {
    let mut rows = catalog(&[
        ("a.ts", "BundleBuildFailed attempted=s1"),
        ("b.ts", "BundleBuildFailed attempted=s1"),
        ("c.ts", "BundleBuildFailed attempted=s1"),
    ]);
    let (due, later) = (NOW.plus(Duration::from_secs(1)), NOW.plus(Duration::from_secs(30)));
    for (row, cause) in rows.rows.iter_mut().zip(["registry:a:1", "registry:a:1", "registry:b:1"]) {
        failure_of(row).cause = CauseKey(cause.into());
    }
    failure_of(&mut rows.rows[1]).next_retry = Some(later);
    let actions = |rows: &CatalogView, retry: Retry| {
        let disk = disk(&[("a.ts", "s1"), ("b.ts", "s1"), ("c.ts", "s1")]);
        let plan = plan(&disk, rows, &Policy { retry, ..policy() });
        plan.steps.into_iter().map(|step| step.action).collect::<Vec<_>>()
    };
    let put_off = Action::Defer { until: Some(later) };
    assert_eq!(actions(&rows, Retry::due(due)), [put_off.clone(), put_off.clone(), Action::Build]);
    assert_eq!(actions(&rows, Retry::due(later)), [Action::Build, put_off.clone(), Action::Build]);
    // Who was tried longest ago is next, when the one that was tried last is due.
    let tried = failure_of(&mut rows.rows[0]);
    (tried.last_seen, tried.next_retry) = (due, Some(later));
    assert_eq!(actions(&rows, Retry::due(later)), [put_off.clone(), Action::Build, Action::Build]);

    let built = row_at("x.ts", "Indexed").unwrap();
    let mut answered = Answered::default();
    answered.learn([(Some(&rows.rows[1]), Some(&built))]);
    let retry = |answered: &Answered| Retry::Due { at: due, answered: answered.clone() };
    assert_eq!(actions(&rows, retry(&answered)), [Action::Build, Action::Build, Action::Build]);
    let mut failed_again = rows.rows[0].clone();
    failure_of(&mut failed_again).last_seen = later;
    answered.learn([(Some(&rows.rows[0]), Some(&failed_again))]);
    assert_eq!(actions(&rows, retry(&answered)), [put_off.clone(), put_off, Action::Build]);
}

#[test]
fn a_deterministic_failure_has_no_timer() {
    let rows = catalog(&[("a.ts", "BundleBuildFailed attempted=s1 failure=syntax")]);
    let later = NOW.plus(Duration::from_hours(1000));
    let plan = plan(&disk(&[("a.ts", "s1")]), &rows, &Policy { retry: Retry::due(later), ..policy() });
    assert_eq!(plan.steps[0].action, Action::Defer { until: None });
}

#[test]
fn what_is_out_of_scope_is_kept() {
    let disk = disk(&[("a.ts", "s2"), ("new.ts", "s1")]);
    let rows = catalog(&[("a.ts", "Indexed"), ("gone.ts", "Indexed")]);
    for scope in [Scope::Sources([source("other.ts")].into()), Scope::Kinds([kind("vault")].into())] {
        let plan = plan(&disk, &rows, &Policy { scope, ..policy() });
        assert_eq!(plan.steps.len(), 3);
        assert!(plan.steps.iter().all(|step| step.action == Action::Keep && step.verdict.name() == "OutOfScope"));
    }
    let plan = plan(&disk, &rows, &Policy { scope: Scope::Sources([source("gone.ts")].into()), ..policy() });
    let actions: Vec<&str> = plan.steps.iter().map(|step| step.action.name()).collect();
    assert_eq!(actions, ["keep", "tombstone", "keep"]);
}

#[test]
fn kinds_without_a_loader_are_untouched() {
    let rows = catalog(&[("a.ts", "Indexed kind=queue"), ("b.ts", "BundleBuildFailed attempted=s1 kind=queue")]);
    let plan = plan(&disk(&[]), &rows, &policy());
    assert!(plan.steps.iter().all(|step| step.action == Action::Keep && step.verdict.name() == "NoLoader"));
    assert!(plan.withheld.is_empty() && plan.problems.is_empty());
}

#[test]
fn a_rename_is_a_tombstone_and_a_new_row() {
    let rows = catalog(&[("old.ts", "Indexed"), ("older.ts", "Indexed"), ("other.ts", "Indexed built=s9")]);
    let plan = plan(&disk(&[("new.ts", "s1"), ("other.ts", "s9")]), &rows, &policy());
    insta::assert_snapshot!(text(&plan), @r#"
    new.ts New build: never seen before
    old.ts Renamed tombstone: the source was renamed to new.ts
    older.ts SourceDeleted tombstone: the source was deleted
    other.ts Unchanged keep: nothing changed since it was accepted
    "#);
}

#[test]
fn another_kind_under_the_same_name_is_no_rename() {
    let rows = catalog(&[("old.ts", "Indexed kind=vault")]);
    let kinds = [(model(), 1), (kind("vault"), 1)].into();
    let plan = plan(&disk(&[("new.ts", "s1")]), &rows, &Policy { kinds, ..policy() });
    assert_eq!(plan.steps[1].action, Action::Tombstone(TombstoneReason::SourceDeleted));
}

/// Fault 21: a directory that is found twice gives one step for each source.
#[test]
fn fault_21_a_source_that_is_observed_twice_has_one_step() {
    let mut disk = disk(&[("a.ts", "s1"), ("a.ts", "s1")]);
    disk.observations[1].kind = kind("vault");
    let kinds = [(model(), 1), (kind("vault"), 1)].into();
    let policy = Policy { kinds, ..policy() };
    let cold = plan(&disk, &CatalogView::default(), &policy);
    assert_eq!(cold.steps.len(), 1);
    disk.observations.reverse();
    assert_eq!(plan(&disk, &CatalogView::default(), &policy), cold);
    let warm = plan(&disk, &catalog(&[("a.ts", "Indexed kind=vault")]), &policy);
    assert_eq!(warm.steps[0].verdict.name(), "Unchanged");
}

fn ten_rows(gone: usize) -> (DiskView, CatalogView) {
    let names: Vec<String> = (0..GUARDED_ROOT_ROWS).map(|index| format!("m{index}.ts")).collect();
    let version = |index: usize| format!("s{}", index + 1);
    let contents: Vec<(&str, String)> =
        names.iter().enumerate().skip(gone).map(|(index, name)| (name.as_str(), version(index))).collect();
    let observed: Vec<(&str, &str)> = contents.iter().map(|(name, content)| (*name, content.as_str())).collect();
    let rows = names
        .iter()
        .enumerate()
        .filter_map(|(index, name)| row_at(name, &format!("Indexed built={}", version(index))))
        .collect();
    (disk(&observed), CatalogView { rows, ..CatalogView::default() })
}

/// Fault 20: most sources of a root vanish at once, because a disk is not mounted.
#[test]
fn fault_20_mass_removals_are_withheld_until_allowed() {
    let (disk, catalog) = ten_rows(6);
    let guarded = plan(&disk, &catalog, &policy());
    assert_eq!(guarded.withheld.len(), 6);
    assert_eq!(guarded.steps.len(), 10);
    assert!(guarded.steps.iter().all(|step| step.action == Action::Keep));
    assert_eq!(guarded.problems.len(), 1);
    assert_eq!(guarded.problems[0].code, Code::MASS_REMOVAL);

    let allowed = plan(&disk, &catalog, &Policy { allow_mass_removal: true, ..policy() });
    assert!(allowed.withheld.is_empty() && allowed.problems.is_empty());
    assert_eq!(allowed.steps.iter().filter(|step| matches!(step.action, Action::Tombstone(_))).count(), 6);

    let (disk, catalog) = ten_rows(5);
    assert!(plan(&disk, &catalog, &policy()).withheld.is_empty(), "half is not more than half");
}

#[test]
fn what_never_worked_is_not_counted_by_the_guardrail() {
    // Nine that never worked leave, one of ten working ones, too: nothing is lost.
    let (disk, mut catalog) = ten_rows(1);
    for index in 0..9 {
        catalog.rows.extend(row_at(&format!("failed{index}.ts"), "BundleBuildFailed attempted=s9"));
    }
    let plan_of_failed = plan(&disk, &catalog, &policy());
    assert!(plan_of_failed.withheld.is_empty(), "{:?}", plan_of_failed.problems);
    let left = plan_of_failed.steps.iter().filter(|step| matches!(step.action, Action::Tombstone(_)));
    assert_eq!(left.count(), 10);

    // Nor do they make what is lost look small.
    let (disk, mut catalog) = ten_rows(6);
    for index in 0..9 {
        catalog.rows.extend(row_at(&format!("failed{index}.ts"), "BundleBuildFailed attempted=s9"));
    }
    let mut disk = disk;
    disk.observations.extend((0..9).map(|index| observation(&format!("failed{index}.ts"), "s9")));
    assert_eq!(plan(&disk, &catalog, &policy()).withheld.len(), 6);
}

#[test]
fn the_guardrail_withholds_removals_and_nothing_else() {
    let (mut disk, catalog) = ten_rows(6);
    disk.observations[0] = observation("m6.ts", "s77");
    disk.observations.push(observation("new.ts", "s78"));
    let plan = plan(&disk, &catalog, &policy());
    assert_eq!(plan.withheld.len(), 6);
    assert_eq!(plan.steps.iter().filter(|step| step.action == Action::Build).count(), 2);
}

#[test]
fn small_roots_renames_and_migrations_do_not_count() {
    let (disk_without_one, mut nine) = ten_rows(10);
    nine.rows.pop();
    assert!(plan(&disk_without_one, &nine, &policy()).withheld.is_empty());

    let (mut renamed, rows) = ten_rows(0);
    for (index, seen) in renamed.observations.iter_mut().enumerate() {
        seen.source = source(&format!("moved/m{index}.ts"));
    }
    let plan_of_renames = plan(&renamed, &rows, &policy());
    assert!(plan_of_renames.withheld.is_empty());
    let is_renamed = |action: &Action| *action == Action::Tombstone(TombstoneReason::Renamed);
    assert_eq!(plan_of_renames.steps.iter().filter(|step| is_renamed(&step.action)).count(), 10);

    let (mut migrated, rows) = ten_rows(0);
    for seen in &mut migrated.observations {
        seen.extension = Extension { name: "@acme/renamed".into(), version: "2.0.0".into() };
    }
    let plan_of_migrations = plan(&migrated, &rows, &policy());
    assert!(plan_of_migrations.withheld.is_empty());
    assert!(plan_of_migrations.steps.iter().all(|step| step.action == Action::Keep));
}

#[test]
fn the_guardrail_counts_each_root_by_itself() {
    let (mut disk, mut catalog) = ten_rows(0);
    let mount = RootId::new("mount:shared");
    let mounted: Vec<Row> = (0..3)
        .filter_map(|index| row_at(&format!("x{index}.ts"), "Indexed origin=mounted"))
        .map(|mut row| {
            row.source.root = mount.clone();
            row.entry_digest = None;
            row
        })
        .collect();
    catalog.rows.extend(mounted);
    let (_, view) = local_root();
    disk.roots.insert(mount, RootView { origin: Origin::Mounted, ..view });
    let plan = plan(&disk, &catalog, &policy());
    assert!(plan.withheld.is_empty());
    assert_eq!(plan.steps.iter().filter(|step| matches!(step.action, Action::Tombstone(_))).count(), 3);
}

#[test]
fn unreachable_roots_and_an_unreadable_lockfile_are_reported() {
    let mut disk = disk(&[]);
    let (root, view) = local_root();
    disk.roots.insert(root, RootView { access: RootAccess::Unreachable(fault("root")), ..view });
    disk.lockfile_fault = Some(fault("EIO"));
    let plan = plan(&disk, &CatalogView::default(), &policy());
    let codes: Vec<Code> = plan.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::ROOT_UNREACHABLE, Code::UNREADABLE]);
}

/// Fault 8, at the level of plans: a file without any export has neither row nor step, so it is never stale.
#[test]
fn fault_08_helpers_have_no_step() {
    let mut disk = disk(&[("a.ts", "s1")]);
    disk.helpers.insert(source("lib.ts"));
    let plan = plan(&disk, &catalog(&[("a.ts", "Indexed")]), &policy());
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].action, Action::Keep);
}

#[test]
fn a_retry_inspects_only_if_that_is_what_is_missing() {
    let action = |rows: &str, observed: &str| {
        let plan = plan(&disk(&[("a.ts", observed)]), &catalog(&[("a.ts", rows)]), &policy());
        plan.steps[0].action.clone()
    };
    assert_eq!(action("BundleBuildFailed built=s1 attempted=s1 failure=throws", "s1"), Action::Inspect);
    assert_eq!(action("BundleBuildFailed attempted=s1", "s1"), Action::Build);
    assert_eq!(action("Indexed attempted=s1 degraded=registry", "s1"), Action::Inspect);
    assert_eq!(action("Indexed attempted=s2 degraded=throws", "s2"), Action::Build);
}

#[test]
fn inputs_say_what_changed() {
    let changed = |observed: &str| {
        let plan = plan(&disk(&[("a.ts", observed)]), &catalog(&[("a.ts", "Indexed")]), &policy());
        plan.steps[0].verdict.to_string()
    };
    let _: fn(&Inputs) -> _ = Inputs::digest;
    assert_eq!(changed("s2"), "a source file changed: models/a.ts from 1 to 2");
    assert_eq!(changed("s1/p3"), "a package changed: zod from 1 to 3");
}

fn due(rows: &[&str], now: Timestamp) -> Option<Timestamp> {
    let rows = rows.iter().enumerate().map(|(number, words)| row_at(&format!("m{number}.ts"), words).unwrap());
    next_due(&TypeIndex::build(rows.map(Arc::new)), &Answered::default(), now)
}

#[test]
fn the_next_retry_is_the_earliest_of_those_that_a_timer_tries() {
    let second = NOW.plus(Duration::from_secs(1));
    assert_eq!(due(&[], NOW), None);
    assert_eq!(due(&["Indexed", "BundleBuildFailed attempted=s1 failure=syntax"], NOW), None, "nothing has a timer");
    assert_eq!(
        due(&["BundleBuildFailed attempted=s1", "BundleBuildFailed attempted=s1 failure=EIO"], NOW),
        Some(second)
    );
    assert_eq!(due(&["Indexed attempted=s2 degraded=registry"], NOW), Some(second));
    let is_looked_at_anyway = ["EntryPointUnreadable", "Indexed degraded=EACCES"];
    assert_eq!(due(&is_looked_at_anyway, NOW), None, "every scan looks at what cannot be read");
}

#[test]
fn fault_01_a_retry_is_due_although_the_clock_was_set_back() {
    let failed = ["BundleBuildFailed attempted=s1"];
    let yesterday = Timestamp::from_millis(NOW.as_millis() - 24 * 3_600_000);
    assert_eq!(due(&failed, yesterday), Some(yesterday));
    let late = NOW.plus(Duration::from_hours(1));
    assert_eq!(due(&failed, late), Some(late), "what should have been tried long ago");
}
