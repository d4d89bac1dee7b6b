//! Removals are believed when a second look sees them too.

use std::{collections::BTreeMap, time::Duration};

use mangrove_domain::{
    observation::{CatalogView, DiskView, RootAccess, RootView},
    plan::{Action, LONGEST_DOUBT, Plan, Policy, Removals, Retry, SECOND_LOOK_AFTER, Scope, plan},
    source::{Origin, RootId},
    state::TombstoneReason,
    time::Timestamp,
};

use crate::notation::{NOW, model, observation, row_at, source};

/// Somebody who looks again and again at this many working rows.
struct Watching {
    catalog: CatalogView,
    removals: Removals,
}

fn path(number: usize) -> String {
    format!("m{number:03}.ts")
}

impl Watching {
    fn of(rows: usize) -> Self {
        let rows = (0..rows).filter_map(|number| row_at(&path(number), "Indexed"));
        Self { catalog: CatalogView { rows: rows.collect(), ..CatalogView::default() }, removals: Removals::default() }
    }

    /// The plan of a look that finds these and misses the others.
    fn look(&mut self, there: impl IntoIterator<Item = usize>, at: Timestamp, believes_removals: bool) -> Plan {
        let view = RootView {
            origin: Origin::Local,
            access: RootAccess::Reachable,
            incomplete: [].into(),
            missing_directories: BTreeMap::new(),
            locked_files: [].into(),
        };
        let disk = DiskView {
            observations: there.into_iter().map(|number| observation(&path(number), "s1")).collect(),
            roots: [(RootId::local(), view)].into(),
            ..DiskView::default()
        };
        let policy = Policy {
            retry: Retry::All,
            kinds: [(model(), 1)].into(),
            scope: Scope::Everything,
            allow_mass_removal: false,
            believes_removals,
            prunes_orphans: false,
        };
        let mut plan = plan(&disk, &self.catalog, &policy);
        self.removals.put_off(&mut plan, &self.catalog.rows, &policy, at);
        plan
    }

    /// Carries the removals of a plan out; gives how many there are.
    fn carry_out(&mut self, plan: &Plan) -> usize {
        let before = self.catalog.rows.len();
        let is_removed = |path| {
            let step = plan.steps.iter().find(|step| step.source == path);
            step.is_some_and(|step| matches!(step.action, Action::Tombstone(_)))
        };
        self.catalog.rows.retain(|row| !is_removed(row.source.clone()));
        before - self.catalog.rows.len()
    }
}

fn after(duration: Duration) -> Timestamp {
    NOW.plus(duration)
}

fn action(plan: &Plan, number: usize) -> Action {
    let step = plan.steps.iter().find(|step| step.source == source(&path(number)));
    step.expect("a step").action.clone()
}

const GONE: Action = Action::Tombstone(TombstoneReason::SourceDeleted);

#[test]
fn a_working_type_is_taken_away_by_a_second_look_and_not_by_the_first() {
    let mut watching = Watching::of(3);
    let until = after(SECOND_LOOK_AFTER);
    let first = watching.look([0, 1], NOW, false);
    assert_eq!(action(&first, 2), Action::Defer { until: Some(until) });
    assert_eq!(first.second_look(), Some(until));
    let too_soon = watching.look([0, 1], after(SECOND_LOOK_AFTER.saturating_sub(Duration::from_millis(1))), false);
    assert_eq!(action(&too_soon, 2), Action::Defer { until: Some(until) });
    let second = watching.look([0, 1], until, false);
    assert_eq!((action(&second, 2), second.second_look()), (GONE, None));
}

#[test]
fn what_is_back_at_the_second_look_was_never_away() {
    let mut watching = Watching::of(2);
    watching.look([0], NOW, false);
    let back = watching.look([0, 1], after(Duration::from_secs(1)), false);
    assert_eq!((action(&back, 1), back.second_look()), (Action::Keep, None));
    let away = watching.look([0], after(Duration::from_secs(2)), false);
    assert!(matches!(action(&away, 1), Action::Defer { .. }), "that it was missed once before says nothing");
}

#[test]
fn who_asks_for_a_scan_is_told_at_once() {
    let plan = Watching::of(2).look([0], NOW, true);
    assert_eq!((action(&plan, 1), plan.second_look()), (GONE, None));
}

#[test]
fn a_row_that_does_not_work_has_nothing_to_lose() {
    let mut watching = Watching::of(1);
    watching.catalog.rows.extend(row_at(&path(1), "BundleBuildFailed attempted=s1"));
    assert_eq!(action(&watching.look([0], NOW, false), 1), GONE);
}

#[test]
fn fault_20_a_tree_that_vanishes_file_by_file_does_not_escape_the_guardrail() {
    let mut watching = Watching::of(100);
    let mut removed = 0;
    for round in 0..40_usize {
        // Five more are gone at each look, until nothing is left.
        let at = after(Duration::from_millis(200) * u32::try_from(round).expect("small"));
        let plan = watching.look((5 * (round + 1)).min(100)..100, at, false);
        removed += watching.carry_out(&plan);
    }
    assert_eq!(removed, 0, "of a tree of which nothing is left, nothing is believed");
}

#[test]
fn who_removes_something_all_the_time_puts_nothing_off_for_ever() {
    let mut watching = Watching::of(1_000);
    let mut first_removed = None;
    for round in 0..100_usize {
        let at = after(Duration::from_millis(200) * u32::try_from(round).expect("small"));
        let plan = watching.look(round + 1..1_000, at, false);
        if watching.carry_out(&plan) > 0 {
            first_removed.get_or_insert(at);
        }
    }
    assert_eq!(first_removed, Some(after(LONGEST_DOUBT)));
}

#[test]
fn a_clock_that_is_set_back_delays_no_removal_by_more_than_a_second_look() {
    let mut watching = Watching::of(2);
    watching.look([0], after(Duration::from_hours(24)), false);
    watching.look([0], NOW, false);
    assert_eq!(action(&watching.look([0], after(SECOND_LOOK_AFTER), false), 1), GONE);
}
