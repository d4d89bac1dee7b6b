//! Each rule of single flight in many orders of what happens at once (design/drills.md).

mod attempts;
mod planted;
mod rules;

use std::env;

use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

use crate::attempts::{Answer, flight};

flight!(mangrove_explore_single_flight);

type Shipped = mangrove_explore_single_flight::SingleFlight<&'static str, Answer>;

/// How many schedules of each of two sorts a rule is run in, unless `MANGROVE_SCHEDULES` says otherwise (`cargo xtask
/// explore` does).
const SCHEDULES: usize = 2_000;

/// What the schedules are drawn from, unless `MANGROVE_SEED` says otherwise.
const SEED: u64 = 20_261_201;

/// How many changes of who is preferred a schedule of the second sort has at most.
const CHANGES: usize = 3;

/// Runs a rule of what ships in as many schedules as are asked for.
fn holds(rule: fn()) {
    explore(rule, setting("MANGROVE_SCHEDULES", SCHEDULES), setting("MANGROVE_SEED", SEED));
}

/// Runs a rule in schedules of both sorts: in one everybody goes on with the same chance at every step, in the other one
/// somebody is preferred until that changes (probabilistic concurrency testing).
fn explore(rule: impl Fn() + Clone + Send + Sync + 'static, schedules: usize, seed: u64) {
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(10_000);
    Runner::new(RandomScheduler::new_from_seed(seed, schedules), config.clone()).run(rule.clone());
    Runner::new(PctScheduler::new_from_seed(seed, CHANGES, schedules), config).run(rule);
}

/// A number from the environment.
fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}"))
}

#[test]
fn one_attempt_is_shared() {
    holds(rules::one_attempt_is_shared::<Shipped>);
}

#[test]
fn an_outcome_is_not_remembered() {
    holds(rules::an_outcome_is_not_remembered::<Shipped>);
}

#[test]
fn who_goes_away_stops_nothing() {
    holds(rules::who_goes_away_stops_nothing::<Shipped>);
}

#[test]
fn keys_do_not_wait_for_each_other() {
    holds(rules::keys_do_not_wait_for_each_other::<Shipped>);
}

#[test]
fn an_attempt_may_ask() {
    holds(rules::an_attempt_may_ask::<Shipped>);
}
