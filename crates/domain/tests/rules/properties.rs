//! What holds for every history: random edits, faults and scans in a small world.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mangrove_domain::{
    failure::{Failure, FailureClass},
    freshness::{Stale, Verdict},
    index::TypeIndex,
    observation::{CatalogView, DiskView},
    plan::{Action, Answered, Retry, next_due, plan},
    row::Row,
    state::{Event, State, StateName, next},
    time::Timestamp,
};
use proptest::prelude::*;

use crate::{
    notation::{NOW, failure, inputs, inputs_text},
    world::{Content, World},
};

const PATHS: [&str; 5] = ["a.ts", "b.ts", "c.ts", "y.ts", "z.ts"];

#[derive(Clone, Debug)]
enum Happening {
    Edit(usize, Content),
    LoseBundle(usize),
    Network(bool),
    Workers(bool),
    Root(bool),
    Upgrade { bundler: bool },
    Wait,
    Scan(Retrying),
}

#[derive(Clone, Copy, Debug)]
enum Retrying {
    All,
    Due,
    None,
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        4 => (0_u8..3).prop_map(Content::Good),
        1 => Just(Content::Rejected),
        1 => Just(Content::SyntaxError),
        1 => Just(Content::Throws),
        1 => Just(Content::RejectedLater),
        1 => Just(Content::Unreadable),
        1 => Just(Content::Absent),
        1 => Just(Content::Helper),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        5 => (0..PATHS.len(), content()).prop_map(|(path, content)| Happening::Edit(path, content)),
        2 => (0..PATHS.len()).prop_map(Happening::LoseBundle),
        1 => any::<bool>().prop_map(Happening::Network),
        1 => any::<bool>().prop_map(Happening::Workers),
        1 => any::<bool>().prop_map(Happening::Root),
        1 => any::<bool>().prop_map(|bundler| Happening::Upgrade { bundler }),
        1 => Just(Happening::Wait),
        6 => prop_oneof![Just(Retrying::All), Just(Retrying::Due), Just(Retrying::None)].prop_map(Happening::Scan),
    ]
}

fn retry(world: &World, retrying: Retrying) -> Retry {
    match retrying {
        Retrying::All => Retry::All,
        Retrying::Due => Retry::due(world.now),
        Retrying::None => Retry::None,
    }
}

fn happen(world: &mut World, happening: &Happening) {
    match happening {
        Happening::Edit(path, content) => {
            world.files.insert(PATHS[*path].to_owned(), *content);
        }
        Happening::LoseBundle(path) => world.lose_bundle(PATHS[*path]),
        Happening::Network(up) => world.network = *up,
        Happening::Workers(up) => world.workers = *up,
        Happening::Root(there) => world.root_is_there = *there,
        Happening::Upgrade { bundler } => {
            world.rules += 1;
            world.bundler += u8::from(*bundler);
        }
        Happening::Wait => world.now = world.now.plus(std::time::Duration::from_hours(1)),
        Happening::Scan(retrying) => checked_scan(world, *retrying),
    }
}

/// A scan with everything that must hold around it.
fn checked_scan(world: &mut World, retrying: Retrying) {
    let before: Vec<(Row, bool)> = world.rows.values().map(|row| (row.clone(), world.has_bundle(row))).collect();
    let retry = retry(world, retrying);
    let plan = world.scan(retry.clone());
    assert!(plan.withheld.is_empty());

    for (row, had_bundle) in &before {
        let is_working = row.state.name() == StateName::Indexed && *had_bundle;
        let after = world.rows.get(&row.source);
        let content = world.files.get(row.source.path.as_str()).copied();
        if is_working && after.is_none_or(|after| after.state.name() != StateName::Indexed) {
            let by_its_author = matches!(
                content,
                None | Some(Content::Absent | Content::Helper | Content::Rejected | Content::RejectedLater)
            );
            assert!(by_its_author, "a working type was taken away by {content:?}: {after:?}");
        }
        if is_working && after.is_some_and(|after| after.degraded.is_some()) {
            assert_eq!(after.and_then(Row::bundle), row.bundle(), "a degraded row keeps the bundle that worked");
        }
    }
    for row in world.rows.values() {
        assert_eq!(row.built.is_some(), row.bundle().is_some(), "built inputs belong to a bundle: {row:?}");
        if let Some(built) = &row.built {
            assert_eq!(row.bundle(), Some(&crate::notation::bundle_of(built)), "never new inputs beside old code");
        }
        match &row.state {
            State::Indexed(_) => assert!(world.has_bundle(row), "I7: {row:?}"),
            State::Bundled { .. } | State::Tombstoned { .. } => panic!("never in the catalog: {row:?}"),
            State::ValidationFailed { violations, .. } => assert!(!violations.is_empty()),
            State::BundleBuildFailed { .. } | State::EntryPointUnreadable { .. } | State::OrphanedBundleOnly { .. } => {
            }
        }
        assert!(row.degraded.is_none() || row.state.name() == StateName::Indexed);
    }
    let resolving = ["@acme/a", "@acme/b", "@acme/c", "@acme/shared"].map(|name| {
        let resolves = |row: &&Row| row.is_resolvable() && row.type_name().is_some_and(|known| known.as_str() == name);
        world.rows.values().filter(resolves).count()
    });
    assert!(resolving.iter().all(|count| *count <= 1), "I2");

    let again = world.plan(match retrying {
        Retrying::All | Retrying::Due => Retry::due(world.now),
        Retrying::None => Retry::None,
    });
    let mut asked = BTreeSet::new();
    for step in again.steps {
        // After one that was tried, another one of its cause may be due: whichever was tried longest ago, behind others
        // that wait.
        let is_next = match &step.verdict {
            Verdict::Stale(Stale::RetryFailedBuild { failure }) if step.action.is_attempt() => {
                matches!(retrying, Retrying::Due) && asked.insert(failure.cause.clone())
            }
            _ => false,
        };
        assert!(is_next || matches!(step.action, Action::Keep | Action::Defer { .. }), "not settled: {step:?}");
    }
    if matches!(retrying, Retrying::All) {
        assert_due(world);
    }
}

/// A timer has nothing to do before the time that is told, and something at that time.
fn assert_due(world: &World) {
    let index = TypeIndex::build(world.rows.values().cloned().map(Arc::new));
    let is_tried = |at| world.plan(Retry::due(at)).steps.iter().any(|step| step.action.is_attempt());
    match next_due(&index, &Answered::default(), world.now) {
        None => assert!(!is_tried(world.now.plus(Duration::from_hours(24))), "nothing is ever due"),
        Some(due) => {
            // A source that cannot be looked at is not tried, and its row does not say which of its failures came last.
            let is_everything_seen = world.root_is_there && !world.files.values().any(|it| *it == Content::Unreadable);
            assert!(!is_everything_seen || (due > world.now && is_tried(due)), "something is due, and not yet");
            // A moment that has passed says nothing: seen from there, the longest delay lies too far ahead, as if the
            // clock had been set back.
            let before = Timestamp::from_millis(due.as_millis() - 1);
            assert!(before < world.now || !is_tried(before), "nothing is due before");
        }
    }
}

fn assert_transitions_are_legal(world: &World) {
    for (source, line) in &world.audit {
        let reaches = |from: Option<StateName>| Event::ALL.into_iter().any(|event| next(from, event) == Some(line.to));
        let by_bundled = next(line.from, Event::Built) == Some(StateName::Bundled) && reaches(Some(StateName::Bundled));
        assert!(reaches(line.from) || by_bundled, "{source}: {:?} to {}", line.from, line.to);
        assert_ne!(line.from, Some(line.to));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_invariants_and_heals(happenings in prop::collection::vec(happening(), 1..40)) {
        let mut world = World::new(PATHS.map(|path| (path, Content::Good(0))));
        for happening in &happenings {
            happen(&mut world, happening);
        }
        assert_transitions_are_legal(&world);

        // After the last fault, every row becomes healthy in bounded steps: one scan here.
        for path in PATHS {
            world.files.insert(path.to_owned(), Content::Good(1));
        }
        (world.network, world.workers, world.root_is_there) = (true, true, true);
        world.scan(Retry::All);
        for row in world.rows.values() {
            prop_assert_eq!(row.state.name(), StateName::Indexed);
            prop_assert!(row.degraded.is_none() && row.attempted.is_none() && row.rejected_before.is_empty());
        }

        // Cold equals warm.
        let mut cold = World::new(PATHS.map(|path| (path, Content::Good(1))));
        (cold.rules, cold.bundler) = (world.rules, world.bundler);
        cold.scan(Retry::All);
        let rows = |world: &World| -> Vec<Row> {
            world.rows.values().map(|row| Row { revision: 0, ..row.clone() }).collect()
        };
        prop_assert_eq!(rows(&cold), rows(&world));
    }

    #[test]
    fn a_running_daemon_heals_by_its_timers(happenings in prop::collection::vec(happening(), 1..40)) {
        let mut world = World::new(PATHS.map(|path| (path, Content::Good(0))));
        for happening in &happenings {
            happen(&mut world, happening);
        }
        (world.network, world.workers, world.root_is_there) = (true, true, true);
        for content in world.files.values_mut() {
            if *content == Content::Unreadable {
                *content = Content::Good(2);
            }
        }
        world.now = world.now.plus(std::time::Duration::from_secs(601));
        // One of each cause; then what is known to be answered; then what fails for another cause by now.
        for _ in 0..3 {
            world.scan(world.due());
        }
        for row in world.rows.values() {
            let failure = row.failure();
            let is_authors = failure.is_none_or(|failure| failure.class == FailureClass::Deterministic);
            prop_assert!(is_authors, "still failing by the environment: {:?}", row);
        }
    }

    #[test]
    fn cold_equals_warm_without_retained_history(happenings in prop::collection::vec(happening(), 1..30)) {
        let mut world = World::new(PATHS.map(|path| (path, Content::Good(0))));
        for happening in &happenings {
            happen(&mut world, happening);
        }
        (world.network, world.workers, world.root_is_there) = (true, true, true);
        world.scan(Retry::All);
        let mut cold = World::new([]);
        cold.files.clone_from(&world.files);
        (cold.rules, cold.bundler) = (world.rules, world.bundler);
        cold.scan(Retry::All);
        for (source, row) in &world.rows {
            if row.failure().is_none() && row.rejected_before.is_empty() {
                let again = &cold.rows[source];
                let judged = |row: &Row| (row.state.clone(), row.built.clone(), row.claimed_type.clone());
                prop_assert_eq!(judged(row), judged(again));
            }
        }
        prop_assert!(cold.rows.keys().all(|source| world.rows.contains_key(source)), "I5");
    }

    #[test]
    fn the_order_of_input_does_not_matter(
        happenings in prop::collection::vec(happening(), 1..20),
        order in Just((0..PATHS.len()).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut world = World::new(PATHS.map(|path| (path, Content::Good(0))));
        for happening in &happenings {
            happen(&mut world, happening);
        }
        let (disk, catalog) = (world.look(), world.catalog());
        let shuffled = |count: usize| order.iter().copied().filter(move |index| *index < count);
        let other_disk = DiskView {
            observations: shuffled(disk.observations.len()).map(|index| disk.observations[index].clone()).collect(),
            ..disk.clone()
        };
        let other_catalog =
            CatalogView { rows: shuffled(catalog.rows.len()).map(|index| catalog.rows[index].clone()).collect(), ..CatalogView::default() };
        let policy = world.policy(Retry::All);
        let planned = plan(&disk, &catalog, &policy);
        prop_assert_eq!(&plan(&other_disk, &other_catalog, &policy), &planned);
        let sources: Vec<_> = planned.steps.iter().map(|step| step.source.clone()).collect();
        prop_assert!(sources.is_sorted());
    }

    #[test]
    fn failed_rows_are_attempted_at_every_scan_and_rejected_ones_at_none(
        contents in prop::collection::vec(content(), PATHS.len()),
        scans in 1_usize..4,
    ) {
        let mut world = World::new(PATHS.into_iter().zip(contents));
        world.scan(Retry::All);
        for _ in 0..scans {
            let failing: Vec<String> = world
                .rows
                .values()
                .filter(|row| row.state.name() == StateName::BundleBuildFailed)
                .map(|row| row.source.path.as_str().to_owned())
                .collect();
            world.scan(Retry::All);
            let attempted: Vec<String> = world.attempts.iter().map(|(path, _)| path.clone()).collect();
            prop_assert_eq!(attempted, failing);
        }
        world.scan(Retry::None);
        prop_assert!(world.attempts.is_empty());
    }

    #[test]
    fn a_revert_clears_degraded_without_a_build(broken in prop_oneof![
        Just(Content::SyntaxError), Just(Content::Throws), Just(Content::Unreadable)
    ], scans in 1_usize..4) {
        let mut world = World::new([("a.ts", Content::Good(0))]);
        world.scan(Retry::All);
        world.files.insert("a.ts".to_owned(), broken);
        for _ in 0..scans {
            world.scan(Retry::All);
            prop_assert!(world.row("a.ts").degraded.is_some());
        }
        world.files.insert("a.ts".to_owned(), Content::Good(0));
        world.scan(Retry::None);
        prop_assert!(world.attempts.is_empty());
        prop_assert_eq!(world.row("a.ts").degraded.clone(), None);
        prop_assert_eq!(world.row("a.ts").attempted.clone(), None);
    }

    #[test]
    fn retries_come_in_time_even_when_the_clock_jumps(
        seconds in 0_u64..100_000,
        jitter in 0.0_f64..=1.0,
        jump in -4_000_000_000_000_i64..4_000_000_000_000,
        class in prop::sample::select(FailureClass::ALL.to_vec()),
    ) {
        let failing_for = std::time::Duration::from_secs;
        let failed = Failure {
            class,
            next_retry: class.delay(failing_for(seconds), jitter).map(|delay| NOW.plus(delay)),
            ..failure("registry")
        };
        let Some(longest) = class.longest_delay() else {
            prop_assert_eq!(failed.next_retry, None);
            prop_assert!(!failed.is_due(NOW.plus(std::time::Duration::from_secs(1_000_000))));
            return Ok(());
        };
        // Wherever the clock stands after the jump, the next try is at most the longest delay away.
        let jumped = mangrove_domain::time::Timestamp::from_millis(NOW.as_millis() + jump);
        prop_assert!(failed.is_due(jumped) || failed.is_due(jumped.plus(longest)));
        let delay = class.delay(failing_for(seconds), jitter).expect("a timer");
        prop_assert!(delay <= longest);
        prop_assert!(class.delay(failing_for(seconds), 1.0) <= class.delay(failing_for(seconds + 1), 1.0));
    }

    #[test]
    fn the_notation_of_inputs_is_read_as_it_is_written(s in 1_u8..9, c in 1_u8..9, p in 1_u8..9, b in 1_u8..9) {
        let read = inputs(&format!("s{s}/c{c}/p{p}/b{b}"));
        prop_assert_eq!(inputs(&inputs_text(&read)), read);
    }
}

#[test]
fn of_rows_that_fail_for_one_cause_the_one_that_was_tried_longest_ago_is_due() {
    let mut world = World::new(PATHS.map(|path| (path, Content::Good(0))));
    for happening in [
        Happening::Workers(false),
        Happening::Scan(Retrying::All),
        Happening::Wait,
        // The first one is tried once more than the others, and fails for the same cause.
        Happening::Edit(0, Content::Good(1)),
        Happening::LoseBundle(0),
        Happening::Scan(Retrying::None),
        Happening::Wait,
        Happening::Network(false),
        Happening::Scan(Retrying::Due),
    ] {
        happen(&mut world, &happening);
    }
    assert_eq!(world.attempts, [("b.ts".to_owned(), true)]);
    let again = world.plan(Retry::due(world.now));
    let tried = again.steps.iter().filter(|step| step.action.is_attempt()).map(|step| step.source.path.as_str());
    assert_eq!(tried.collect::<Vec<_>>(), ["c.ts"], "the one before has failed for another cause");
}
