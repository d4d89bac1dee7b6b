//! Each planted bug is found in the schedules of the gate.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use mangrove_explore_single_flight::planted;

use crate::{
    SCHEDULES, SEED,
    attempts::{Answer, flight},
    explore, rules,
};

/// A rule is broken by a bug, for the reason that is looked for.
macro_rules! found {
    ($bug:ident, $rule:ident, $reason:literal) => {
        flight!(planted::$bug);

        #[test]
        fn $bug() {
            found(rules::$rule::<planted::$bug::SingleFlight<&'static str, Answer>>, $reason);
        }
    };
}

found!(told_before_it_is_forgotten, an_outcome_is_not_remembered, "whose outcome somebody had");
found!(forgotten_before_it_ends, an_outcome_is_not_remembered, "at once");
found!(forgotten_twice, an_outcome_is_not_remembered, "at once");
found!(told_without_waking, one_attempt_is_shared, "deadlock");
found!(looked_for_and_put_under_two_locks, an_outcome_is_not_remembered, "at once");
found!(run_by_who_asks, who_goes_away_stops_nothing, "the outcome was lost");
found!(panics_are_remembered, an_outcome_is_not_remembered, "whose outcome somebody had");

/// Explores the rule, which has to be broken with this reason.
fn found(rule: fn(), reason: &str) {
    let schedules = Arc::new(AtomicUsize::new(0));
    let counted = {
        let schedules = Arc::clone(&schedules);
        move || {
            schedules.fetch_add(1, SeqCst);
            rule();
        }
    };
    let explored = catch_unwind(AssertUnwindSafe(|| explore(counted, SCHEDULES, SEED)));
    let panic = explored.expect_err("no schedule broke the rule");
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let text = text.expect("a panic with a text");
    assert!(text.contains(reason), "broken for another reason: {text}");
    println!("found by schedule {}: {text}", schedules.load(SeqCst));
}
