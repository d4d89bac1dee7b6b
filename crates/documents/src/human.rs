//! Dates, sizes and durations as people read them.

use std::time::Duration;

pub use mangrove_domain::run::without_styles;
use mangrove_domain::time::Timestamp;

use crate::failure::FailureDocument;

/// True for letters, digits and signs of ASCII alone, as most texts are: a terminal shows them as they are, one column each.
/// Lists of thousands of lines ask it of every cell.
// Not inlined: the crates that print are compiled to be small.
#[inline(never)]
#[must_use]
pub fn is_plain(text: &str) -> bool {
    // Without an early end, so that many bytes are looked at together.
    text.bytes().fold(true, |is_plain, byte| is_plain & matches!(byte, b' '..=b'~'))
}

/// `340 ms`, `1.2 s`, `12 s`, `2 min 52 s`, `3 h 5 min`, `5 d 2 h`: two units, the second one rounded down and left out where
/// it is zero.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis} ms"),
        1..10 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        10..120 => format!("{seconds} s"),
        120..7_200 => two_units((seconds, 60, "min"), (1, "s")),
        7_200..172_800 => two_units((seconds, 3_600, "h"), (60, "min")),
        _ => two_units((seconds, 86_400, "d"), (3_600, "h")),
    }
}

fn two_units((seconds, large, large_name): (u64, u64, &str), (small, small_name): (u64, &str)) -> String {
    let (whole, rest) = (seconds / large, seconds % large / small);
    if rest == 0 { format!("{whole} {large_name}") } else { format!("{whole} {large_name} {rest} {small_name}") }
}

/// `12 s ago`, or `just now` below a second.
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let elapsed = now.since(then);
    if elapsed < Duration::from_secs(1) { "just now".to_owned() } else { format!("{} ago", duration(elapsed)) }
}

/// When a timer tries again after this failure: `in 4 s`, or `due` if the moment has come, or lies so far ahead that the
/// clock must have been moved. `None` where no timer does.
#[must_use]
pub fn next_retry(failure: &FailureDocument, now: Timestamp) -> Option<String> {
    let left = failure.next_retry?.0.since(now);
    Some(if failure.is_due(now) { "due".to_owned() } else { format!("in {}", duration(left)) })
}

/// `812 B`, `4.2 KB`, `1.3 MB`: thousands.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = ["KB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut tenths = bytes / 100;
    while tenths >= 10_000 && unit + 1 < units.len() {
        tenths /= 1_000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
}

/// `1 source`, `2 sources`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Which versions there are, from their numbers in ascending order: `there are the versions 1 and 3 to 7`.
#[must_use]
pub fn versions(numbers: &[u32]) -> String {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match spans.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => spans.push((*number, *number)),
        }
    }
    let text = |(first, last): &(u32, u32)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    let texts: Vec<String> = spans.iter().map(text).collect();
    match (numbers, texts.split_last()) {
        ([only], _) => format!("there is only version {only}"),
        (_, None) => "there is no version of it".to_owned(),
        (_, Some((last, []))) => format!("there are the versions {last}"),
        (_, Some((last, first))) => format!("there are the versions {} and {last}", first.join(", ")),
    }
}

/// How long something took, from milliseconds; empty if that is not known.
#[must_use]
pub fn elapsed(millis: Option<u64>) -> String {
    millis.map(|millis| duration(Duration::from_millis(millis))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{
        failure::{Failure, FailureClass, Fault},
        problem::Code,
    };

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn failure(class: FailureClass, at: Timestamp) -> FailureDocument {
        (&Failure::record(None, Fault::new(class, Code::UNREADABLE, "test", "no"), at, 1.0)).into()
    }

    #[test]
    fn f25_a_clock_that_was_moved_makes_no_promise_of_years() {
        let then = Timestamp::from_millis(1_767_225_600_000);
        let environment = failure(FailureClass::Environment, then);
        assert_eq!(next_retry(&environment, then).as_deref(), Some("in 30 s"));
        assert_eq!(next_retry(&environment, then.plus(HOUR)).as_deref(), Some("due"));
        // It failed while the clock was nine years ahead.
        let failed_ahead = failure(FailureClass::Environment, then.plus(HOUR * 24 * 3_320));
        assert_eq!(next_retry(&failed_ahead, then).as_deref(), Some("due"));
        let a_little_ahead = failure(FailureClass::Transient, then.plus(Duration::from_mins(2)));
        assert_eq!(next_retry(&a_little_ahead, then).as_deref(), Some("due"));
        let within_reach = failure(FailureClass::Transient, then.plus(Duration::from_secs(20)));
        assert_eq!(next_retry(&within_reach, then).as_deref(), Some("in 21 s"));
        assert_eq!(next_retry(&failure(FailureClass::Deterministic, then), then), None);
    }

    #[test]
    fn durations_keep_two_units() {
        let told = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(duration(Duration::from_millis(340)), "340 ms");
        assert_eq!(duration(Duration::from_millis(1_299)), "1.2 s");
        assert_eq!((told(119), told(120), told(172)), ("119 s".into(), "2 min".into(), "2 min 52 s".into()));
        assert_eq!((told(7_199), told(7_200), told(11_159)), ("119 min 59 s".into(), "2 h".into(), "3 h 5 min".into()));
        assert_eq!((told(172_799), told(439_200)), ("47 h 59 min".into(), "5 d 2 h".into()));
    }

    #[test]
    fn versions_are_told_with_those_in_a_row_together() {
        assert_eq!(versions(&[]), "there is no version of it");
        assert_eq!(versions(&[3]), "there is only version 3");
        assert_eq!(versions(&[1, 2]), "there are the versions 1, 2");
        assert_eq!(versions(&[1, 3, 4, 5]), "there are the versions 1 and 3 to 5");
    }

    #[test]
    fn styles_of_programs_are_left_out_and_nothing_else() {
        for (text, expected) in [
            ("plain", "plain"),
            ("\u{1b}[1;31mred\u{1b}[0m and \u{1b}[38:5:12mblue\u{1b}[m", "red and blue"),
            ("\u{1b}[2J\u{1b}[3A", "\u{1b}[2J\u{1b}[3A"),
            ("\u{1b}[31", "\u{1b}[31"),
            ("\u{1b}[\u{1b}[0mx", "\u{1b}[x"),
        ] {
            assert_eq!(without_styles(text), expected);
        }
    }
}
