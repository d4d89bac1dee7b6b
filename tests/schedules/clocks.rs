//! Time zones whose clocks change, and clocks that are set.

use std::{collections::BTreeSet, time::Duration};

use mangrove_daemon::schedule::Schedule;
use mangrove_domain::{time::Timestamp, workflow::Misfire};
use mangrove_testkit::instant::instant;

use crate::{fired_until, run, schedule, scheduler_of};

const ZONES: [&str; 3] = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];
const FROM: &str = "2026-01-01T12:00:30Z";
const UNTIL: &str = "2028-01-01T12:00:30Z";

#[test]
fn a_time_of_day_runs_once_on_every_day_of_two_years() {
    // Each of them is left out or repeated somewhere on some day, but for the last.
    for pattern in ["30 2 * * *", "0 2 * * *", "30 1 * * *", "45 1 * * *", "15 2 * * *", "0 3 * * *", "0 12 * * *"] {
        for zone in ZONES {
            let daily = schedule(pattern, zone);
            let recurrence = daily.recurrence.clone();
            let fired = fired_until(&mut scheduler_of(daily, instant(FROM)), instant(UNTIL));
            let days: Vec<String> = fired.iter().map(|at| recurrence.wall_clock(*at)[..10].to_owned()).collect();
            let distinct: BTreeSet<&String> = days.iter().collect();
            assert_eq!(days.len(), distinct.len(), "{pattern} in {zone}: twice on one day");
            assert_eq!(days.len(), 730, "{pattern} in {zone}: every day");
            for pair in fired.windows(2) {
                let hours = pair[1].since(pair[0]).as_secs_f64() / 3_600.0;
                assert!((22.0..=26.0).contains(&hours), "{pattern} in {zone}: {hours} h");
            }
        }
    }
}

#[test]
fn an_interval_goes_on_through_every_change_of_two_years() {
    for (pattern, seconds) in [("*/30 * * * *", 1_800), ("0 */10 * * * *", 600)] {
        for zone in ZONES {
            let fired = fired_until(&mut scheduler_of(schedule(pattern, zone), instant(FROM)), instant(UNTIL));
            for pair in fired.windows(2) {
                assert_eq!(pair[1].since(pair[0]).as_secs(), seconds, "{pattern} in {zone} at {:?}", pair[0]);
            }
            assert_eq!(fired.len() as u64, 730 * 86_400 / seconds, "{pattern} in {zone}");
        }
    }
}

/// Around each change, the clock is set back again and again.
#[test]
fn a_clock_that_is_set_during_a_change_runs_nothing_twice() {
    let changes = [
        ("Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2027-03-14T07:00:00Z"),
        ("America/New_York", "2027-11-07T06:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ];
    for (zone, change) in changes {
        for pattern in ["30 2 * * *", "45 1 * * *", "*/20 * * * *", "*/20 1-3 * * *"] {
            for back_minutes in [2, 45, 200] {
                let schedule = schedule(pattern, zone);
                let recurrence = schedule.recurrence.clone();
                let change = instant(change).as_millis();
                let at = |minutes: i64| Timestamp::from_millis(change + minutes * 60_000);
                let (start, end) = (at(-300), at(300));
                let mut scheduler = scheduler_of(schedule, start);
                let mut fired = Vec::new();
                let mut minutes = -300;
                let mut set_back_at: Vec<i64> = (-6..=6).map(|tens| tens * 10).rev().collect();
                while minutes < 300 {
                    minutes += 1;
                    fired.extend(run(&mut scheduler, at(minutes)).into_iter().map(|fire| fire.due));
                    if set_back_at.last() == Some(&minutes) {
                        set_back_at.pop();
                        minutes -= back_minutes;
                    }
                }
                let distinct: BTreeSet<Timestamp> = fired.iter().copied().collect();
                assert_eq!(fired.len(), distinct.len(), "{pattern} in {zone}, back by {back_minutes} min");
                let mut expected = BTreeSet::new();
                let mut next = recurrence.next_after(start);
                while let Some(due) = next.filter(|due| *due <= end) {
                    expected.insert(due);
                    next = recurrence.next_after(due);
                }
                assert_eq!(distinct, expected, "{pattern} in {zone}, back by {back_minutes} min: none is lost");
            }
        }
    }
}

#[test]
fn a_machine_that_sleeps_over_a_change_makes_up_once() {
    let schedule = Schedule { misfire: Misfire::RunOnce, ..schedule("30 2 * * *", "Europe/Berlin") };
    let mut scheduler = scheduler_of(schedule, instant("2026-03-27T12:00:00Z"));
    let fires = run(&mut scheduler, instant("2026-03-31T12:00:00Z"));
    assert_eq!(fires.iter().map(|fire| fire.due).collect::<Vec<_>>(), [instant("2026-03-31T00:30:00Z")]);
    assert!(fires[0].makes_up);
    let late = instant("2026-04-01T00:30:00Z").plus(Duration::from_millis(3));
    assert_eq!(run(&mut scheduler, late).len(), 1, "and goes on");
}
