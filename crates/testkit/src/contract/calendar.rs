//! What every `Calendar` must do.

use std::sync::Arc;

use mangrove_domain::{
    ports::{Calendar, CalendarPart, Recurrence},
    time::Timestamp,
};

use crate::instant::instant;

/// Holds an adapter to the contract of [`Calendar`]. The factory is given the default zone.
///
/// # Panics
/// If it breaks the contract.
pub fn calendar<C: Calendar>(factory: impl Fn(&str) -> C) {
    let utc = factory("UTC");
    assert_eq!((utc.default_zone(), factory("Asia/Tokyo").default_zone()), ("UTC", "Asia/Tokyo"));
    zones(&factory("Asia/Tokyo"));
    fields(&utc);
    nicknames(&utc);
    days(&utc);
    ends_of_years(&utc);
    both_ways_agree(&utc);
    missing_hours(&utc);
    repeated_hours(&utc);
    a_day_that_was_left_out(&utc);
    wrong_patterns(&utc);
    wrong_zones(&utc);
    hostile_texts(&utc);
}

fn read(port: &dyn Calendar, pattern: &str, zone: &str) -> Arc<dyn Recurrence> {
    port.recurrence(pattern, Some(zone)).unwrap_or_else(|error| panic!("{pattern} in {zone}: {error}"))
}

/// The instants that follow must be these, each the next one of the one before, and back again.
fn follow(port: &dyn Calendar, pattern: &str, zone: &str, from: &str, expected: &[&str]) {
    let recurrence = read(port, pattern, zone);
    let mut at = instant(from);
    let mut found = Vec::new();
    for expected in expected {
        let next = recurrence.next_after(at).unwrap_or_else(|| panic!("{pattern} in {zone} ends before {expected}"));
        assert_eq!(next, instant(expected), "{pattern} in {zone}: {found:?}, then {}", recurrence.wall_clock(next));
        found.push(recurrence.wall_clock(next));
        at = next;
    }
    for expected in expected.iter().rev() {
        let latest = recurrence.latest_until(at);
        assert_eq!(latest, Some(instant(expected)), "{pattern} in {zone}: backwards");
        at = before(instant(expected));
    }
}

fn before(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis() - 1)
}

fn zones(tokyo: &dyn Calendar) {
    let midnight = tokyo.recurrence("0 0 * * *", None).expect("a pattern");
    assert_eq!(midnight.zone(), "Asia/Tokyo");
    assert_eq!(midnight.next_after(instant("2026-11-28T00:00:00Z")), Some(instant("2026-11-28T15:00:00Z")));
    let lima = read(tokyo, "0 0 * * *", "America/Lima");
    assert_eq!(lima.next_after(instant("2026-11-28T00:00:00Z")), Some(instant("2026-11-28T05:00:00Z")));
    assert_eq!(lima.zone(), "America/Lima");
    let berlin = read(tokyo, "* * * * * *", "Europe/Berlin");
    assert_eq!(berlin.wall_clock(instant("2026-11-28T02:00:00Z")), "2026-11-28 03:00 CET");
    assert_eq!(berlin.wall_clock(instant("2026-07-01T02:00:07Z")), "2026-07-01 04:00:07 CEST");
}

fn fields(port: &dyn Calendar) {
    let from = "2026-11-28T10:20:30.500Z";
    follow(port, "* * * * *", "UTC", from, &["2026-11-28T10:21:00Z", "2026-11-28T10:22:00Z"]);
    follow(port, "* * * * * *", "UTC", from, &["2026-11-28T10:20:31Z", "2026-11-28T10:20:32Z"]);
    follow(port, "  */15   9-17 * * MON-FRI ", "UTC", from, &["2026-11-30T09:00:00Z", "2026-11-30T09:15:00Z"]);
    follow(port, "15,45 0 10 * * *", "UTC", from, &["2026-11-29T10:00:15Z", "2026-11-29T10:00:45Z"]);
    follow(port, "0 0 0 1 jan,JUL * 2027", "UTC", from, &["2027-01-01T00:00:00Z", "2027-07-01T00:00:00Z"]);
    let once = read(port, "0 0 0 1 1 * 2027", "UTC");
    assert_eq!(once.next_after(instant("2027-01-01T00:00:00Z")), None, "it ends");
    assert_eq!(once.latest_until(instant("2026-12-31T23:59:59Z")), None, "it did not begin");
    // What other programs write.
    follow(port, "0/20 * * * *", "UTC", from, &["2026-11-28T10:40:00Z", "2026-11-28T11:00:00Z"]);
    follow(port, "0 0 ? * ?", "UTC", from, &["2026-11-29T00:00:00Z"]);
    // An instant is not after itself, and is the latest until itself.
    let minutes = read(port, "* * * * *", "UTC");
    let due = instant("2026-11-28T10:21:00Z");
    assert_eq!(minutes.next_after(due), Some(instant("2026-11-28T10:22:00Z")));
    assert_eq!(minutes.latest_until(due), Some(due));
    assert_eq!(minutes.latest_until(before(due)), Some(instant("2026-11-28T10:20:00Z")));
    assert_eq!(minutes.next_after(before(due)), Some(due));
}

fn nicknames(port: &dyn Calendar) {
    let from = "2026-11-28T10:20:30Z";
    for name in ["@yearly", "@annually"] {
        follow(port, name, "UTC", from, &["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]);
    }
    follow(port, "@monthly", "UTC", from, &["2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"]);
    follow(port, "@weekly", "UTC", from, &["2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"]);
    for name in ["@daily", "@midnight", "@DAILY"] {
        follow(port, name, "UTC", from, &["2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z"]);
    }
    follow(port, "@hourly", "UTC", from, &["2026-11-28T11:00:00Z", "2026-11-28T12:00:00Z"]);
}

fn days(port: &dyn Calendar) {
    let from = "2026-01-31T12:00:00Z";
    follow(port, "0 0 L * *", "UTC", from, &["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z"]);
    follow(port, "0 0 * * FRI#2", "UTC", from, &["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z"]);
    for last_friday in ["0 0 * * 5#L", "0 0 * * 5L", "0 0 * * FRI#L"] {
        follow(port, last_friday, "UTC", from, &["2026-02-27T00:00:00Z", "2026-03-27T00:00:00Z"]);
    }
    // The 15th of February and the 15th of March are Sundays, the 15th of August is a Saturday.
    follow(
        port,
        "0 0 15W 2,3,8 *",
        "UTC",
        from,
        &["2026-02-16T00:00:00Z", "2026-03-16T00:00:00Z", "2026-08-14T00:00:00Z"],
    );
    for sunday in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun"] {
        follow(port, sunday, "UTC", from, &["2026-02-01T00:00:00Z", "2026-02-08T00:00:00Z"]);
    }
    follow(port, "0 0 * * SAT-SUN", "UTC", from, &["2026-02-01T00:00:00Z", "2026-02-07T00:00:00Z"]);
    // Either of the two, as cron has it; both of them, with a plus sign.
    follow(port, "0 0 13 * 5", "UTC", from, &["2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"]);
    follow(port, "0 0 13 * +5", "UTC", from, &["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z", "2026-11-13T00:00:00Z"]);
}

fn ends_of_years(port: &dyn Calendar) {
    follow(port, "0 0 1 1 *", "UTC", "2026-12-31T23:59:59.999Z", &["2027-01-01T00:00:00Z"]);
    follow(port, "59 59 23 31 12 *", "UTC", "2026-12-31T23:59:58Z", &["2026-12-31T23:59:59Z", "2027-12-31T23:59:59Z"]);
    follow(port, "0 0 1 1 *", "Pacific/Auckland", "2026-12-30T00:00:00Z", &["2026-12-31T11:00:00Z"]);
    follow(port, "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    follow(port, "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    follow(port, "0 0 29 2 +1", "UTC", "2026-01-01T00:00:00Z", &["2044-02-29T00:00:00Z"]);
    follow(port, "0 0 0 29 2 +1 2040-2080", "UTC", "2026-01-01T00:00:00Z", &["2044-02-29T00:00:00Z"]);
    follow(port, "0 0 29 2 +MON#5", "UTC", "2026-01-01T00:00:00Z", &["2044-02-29T00:00:00Z"]);
    let minutes = read(port, "* * * * *", "Europe/Berlin");
    for millis in [i64::MIN, -1, 0, i64::MAX - 1, i64::MAX] {
        let at = Timestamp::from_millis(millis);
        assert!(minutes.next_after(at).is_none_or(|next| next > at));
        assert!(minutes.latest_until(at).is_none_or(|latest| latest <= at));
        minutes.wall_clock(at);
    }
}

/// The one search and the other know the same instants, around every change of the clock of two years.
fn both_ways_agree(port: &dyn Calendar) {
    let patterns = ["*/30 * * * *", "0 */2 * * *", "30 2 * * *", "15 1,2 * * *", "*/7 30 0-3 * * *", "0 0 * * *"];
    for (zone, changes) in CHANGES {
        for pattern in patterns {
            let recurrence = read(port, pattern, zone);
            for change in *changes {
                let change = instant(change).as_millis();
                for minutes in (-1_500..1_500).step_by(19) {
                    let at = Timestamp::from_millis(change + minutes * 60_000 + 500);
                    let next = recurrence.next_after(at).expect("it never ends");
                    assert!(next > at, "{pattern} in {zone}");
                    assert_eq!(recurrence.latest_until(next), Some(next), "{pattern} in {zone} at {at:?}");
                    let latest = recurrence.latest_until(before(next)).expect("it always was");
                    assert!(latest <= at, "{pattern} in {zone}: nothing lies between {at:?} and {next:?}");
                    assert_eq!(recurrence.next_after(latest), Some(next), "{pattern} in {zone} at {at:?}");
                }
            }
        }
    }
}

/// The instants at which the clocks of three zones change in two years: forward and back in turn, or back and forward.
const CHANGES: &[(&str, &[&str])] = &[
    (
        "Europe/Berlin",
        &["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z"],
    ),
    (
        "America/New_York",
        &["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z", "2027-03-14T07:00:00Z", "2027-11-07T06:00:00Z"],
    ),
    // By half an hour, in the south.
    (
        "Australia/Lord_Howe",
        &["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z", "2027-04-03T15:00:00Z", "2027-10-02T15:30:00Z"],
    ),
];

/// A time of day that the clock leaves out comes at once when it goes on; what is due at intervals is left out.
fn missing_hours(port: &dyn Calendar) {
    let berlin = "Europe/Berlin";
    follow(
        port,
        "30 2 * * *",
        berlin,
        "2026-03-28T00:00:00Z",
        &["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    );
    follow(port, "0 3 * * *", berlin, "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"]);
    follow(port, "30 1 * * *", berlin, "2026-03-28T12:00:00Z", &["2026-03-29T00:30:00Z", "2026-03-29T23:30:00Z"]);
    follow(port, "0 */2 * * *", berlin, "2026-03-28T22:30:00Z", &["2026-03-28T23:00:00Z", "2026-03-29T02:00:00Z"]);
    follow(port, "*/30 * * * *", berlin, "2026-03-29T00:10:00Z", &["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"]);
    follow(
        port,
        "30 2 * * *",
        "America/New_York",
        "2026-03-08T00:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
    );
    follow(
        port,
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T00:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
    );
    // Two hours at once.
    follow(
        port,
        "30 1 * * *",
        "Antarctica/Troll",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T23:30:00Z"],
    );
}

/// A time of day that comes twice is due the first time only; what is due at intervals goes on.
fn repeated_hours(port: &dyn Calendar) {
    let berlin = "Europe/Berlin";
    follow(
        port,
        "30 2 * * *",
        berlin,
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"],
    );
    follow(
        port,
        "0 */2 * * *",
        berlin,
        "2026-10-24T21:30:00Z",
        &["2026-10-24T22:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T03:00:00Z"],
    );
    follow(
        port,
        "*/30 * * * *",
        berlin,
        "2026-10-25T00:10:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"],
    );
    follow(
        port,
        "30 1 * * *",
        "America/New_York",
        "2026-11-01T00:00:00Z",
        &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
    );
    follow(
        port,
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T00:00:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
    );
}

/// Samoa had no 30 December 2011.
fn a_day_that_was_left_out(port: &dyn Calendar) {
    let noon = read(port, "0 12 * * *", "Pacific/Apia");
    let before = instant("2011-12-29T22:00:00Z");
    let next = noon.next_after(before).expect("the day after");
    assert!(next > before && next <= instant("2011-12-30T22:00:00Z"), "{}", noon.wall_clock(next));
}

fn wrong_patterns(port: &dyn Calendar) {
    for (pattern, words) in [
        ("", "0 fields"),
        ("daily", "1 field"),
        ("* * * *", "4 fields"),
        ("* * * * * * * *", "8 fields"),
        ("60 * * * *", "`60` is no minute"),
        ("60 * * * * *", "`60` is no second"),
        ("0 24 * * *", "`24` is no hour"),
        ("0 0 0 * *", "`0` is no day of the month"),
        ("0 0 1 13 *", "`13` is no month"),
        ("0 0 1 JANFEB *", "`JANFEB` is no month"),
        ("0 0 * * 8", "`8` is no day of the week"),
        ("0 0 * * FRIDAY", "`FRIDAY` is no day of the week"),
        ("0 0 * * FRI#6", "`FRI#6` is no day of the week"),
        ("0 0 * * L", "`L` is no day of the week"),
        ("0 0 1 * +", "an empty value for the day of the week"),
        ("1,,2 * * * *", "an empty value for the minute"),
        (", * * * * *", "an empty value for the second"),
        ("30-10 * * * *", "`30-10` is no minute"),
        ("*/0 * * * *", "`*/0` is no minute"),
        ("*/x * * * *", "`*/X` is no minute"),
        ("-1 * * * *", "`-1` is no minute"),
        ("+1 * * * *", "`+1` is no minute"),
        ("0 0 15W3 * *", "`15W3` is no day of the month"),
        ("0 0 0 1 1 * 1969", "`1969` is no year"),
        ("@dayly", "unknown schedule `@dayly`"),
        ("@reboot", "unknown schedule `@reboot`"),
        ("0 0 30 2 *", "is never due"),
        ("0 0 31 2,4,6,9,11 *", "is never due"),
        ("0 0 1 * +MON#2", "is never due"),
        ("0 0 0 29 2 * 2027", "is never due"),
        ("0 0 0 29 2 * 2001-2061/2", "is never due"),
        ("0 0 31 2 *", "is never due"),
        ("0 0 29 2 +MON#1", "is never due"),
    ] {
        let error = port.recurrence(pattern, None).expect_err(pattern);
        assert_eq!(error.part, CalendarPart::Pattern, "{pattern}");
        assert!(error.message.contains(words), "{pattern}: {error}");
        assert!(error.advice.is_some(), "{pattern}: what to do");
    }
    let advice = |pattern| port.recurrence(pattern, None).expect_err(pattern).advice.unwrap_or_default();
    assert!(advice("@dayly").contains("`@daily`"), "{}", advice("@dayly"));
    assert!(advice("0 0 * * FRIDAY").contains("SUN"), "{}", advice("0 0 * * FRIDAY"));
}

fn wrong_zones(port: &dyn Calendar) {
    let error = |zone| port.recurrence("@daily", Some(zone)).expect_err(zone);
    let berlin = error("Europe/Berln");
    assert_eq!((berlin.part, berlin.message.as_str()), (CalendarPart::Zone, "unknown time zone `Europe/Berln`"));
    assert!(berlin.advice.as_ref().is_some_and(|advice| advice.contains("`Europe/Berlin`")), "{berlin:?}");
    for zone in ["", "Mars/Olympus", "+01:00", "../etc/passwd"] {
        assert_eq!(error(zone).part, CalendarPart::Zone);
        assert!(error(zone).advice.is_some());
    }
}

/// Whatever is written, it ends, and without a panic.
fn hostile_texts(port: &dyn Calendar) {
    let parts =
        ["*", "0", "59", "7", "L", "W", "#", "/", "-", ",", "SUN", "-SUN", "DEC", "?", "+", "65536", "ß", "\u{0}", "@"];
    let mut seed = 7_usize;
    let mut draw = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..2_000 {
        let fields = 4 + draw(5);
        let field =
            |draw: &mut dyn FnMut(usize) -> usize| (0..=draw(3)).map(|_| parts[draw(parts.len())]).collect::<String>();
        let pattern: Vec<String> = (0..fields).map(|_| field(&mut draw)).collect();
        let pattern = pattern.join(" ");
        if let Ok(recurrence) = port.recurrence(&pattern, Some("Europe/Berlin")) {
            let from = instant("2026-11-28T10:20:30Z");
            assert!(recurrence.next_after(from).is_none_or(|next| next > from), "{pattern}");
        }
    }
    port.recurrence(&"1,".repeat(100_000), None).expect_err("nobody wrote that");
}
