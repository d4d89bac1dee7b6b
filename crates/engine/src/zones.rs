//! Time zones, for `Date`: how far they are from universal time, and what American English calls them.

use std::{str::FromStr as _, sync::OnceLock};

use chrono::{DateTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::{OffsetComponents as _, Tz};

/// The first and the last second, since the epoch, of which the rules of zones are told: 1970 and 2037, as far as the tables of
/// zones agree.
const ZONED_SECONDS: std::ops::Range<i64> = 0..2_145_916_800;
/// The first second of which names are told: 2000. Many zones had another name before.
const NAMED_SECONDS: i64 = 946_684_800;

/// Zones that have had the same two names since 2000: in standard time, and in summer if they have that.
const NAMES: &[(&str, &str, &[&str])] = &[
    (
        "Central European Standard Time",
        "Central European Summer Time",
        &[
            "Europe/Amsterdam",
            "Europe/Belgrade",
            "Europe/Berlin",
            "Europe/Bratislava",
            "Europe/Brussels",
            "Europe/Budapest",
            "Europe/Copenhagen",
            "Europe/Ljubljana",
            "Europe/Luxembourg",
            "Europe/Madrid",
            "Europe/Malta",
            "Europe/Monaco",
            "Europe/Oslo",
            "Europe/Paris",
            "Europe/Prague",
            "Europe/Rome",
            "Europe/Stockholm",
            "Europe/Vienna",
            "Europe/Warsaw",
            "Europe/Zagreb",
            "Europe/Zurich",
        ],
    ),
    (
        "Eastern European Standard Time",
        "Eastern European Summer Time",
        &[
            "Europe/Athens",
            "Europe/Bucharest",
            "Europe/Helsinki",
            "Europe/Kiev",
            "Europe/Kyiv",
            "Europe/Riga",
            "Europe/Sofia",
            "Europe/Tallinn",
            "Europe/Vilnius",
        ],
    ),
    ("Western European Standard Time", "Western European Summer Time", &["Europe/Lisbon"]),
    ("Greenwich Mean Time", "British Summer Time", &["Europe/London"]),
    ("Atlantic Standard Time", "Atlantic Daylight Time", &["America/Halifax"]),
    ("Eastern Standard Time", "Eastern Daylight Time", &["America/New_York", "America/Toronto", "America/Detroit"]),
    ("Central Standard Time", "Central Daylight Time", &["America/Chicago", "America/Winnipeg"]),
    ("Mountain Standard Time", "Mountain Daylight Time", &["America/Denver", "America/Edmonton"]),
    ("Pacific Standard Time", "Pacific Daylight Time", &["America/Los_Angeles"]),
    ("Mountain Standard Time", "", &["America/Phoenix"]),
    (
        "Australian Eastern Standard Time",
        "Australian Eastern Daylight Time",
        &["Australia/Melbourne", "Australia/Sydney"],
    ),
    ("New Zealand Standard Time", "New Zealand Daylight Time", &["Pacific/Auckland"]),
    ("China Standard Time", "", &["Asia/Shanghai"]),
    ("Gulf Standard Time", "", &["Asia/Dubai"]),
    ("India Standard Time", "", &["Asia/Calcutta", "Asia/Kolkata"]),
    ("Japan Standard Time", "", &["Asia/Tokyo"]),
    ("Korean Standard Time", "", &["Asia/Seoul"]),
    ("Singapore Standard Time", "", &["Asia/Singapore"]),
    ("South Africa Standard Time", "", &["Africa/Johannesburg"]),
];

/// True if it is known how far a zone is from universal time, at most instants.
pub(super) fn is_known(zone: &str) -> bool {
    is_utc(zone) || Tz::from_str(zone).is_ok()
}

/// How many seconds a zone is ahead of universal time at an instant, in milliseconds since the epoch.
pub(super) fn offset(zone: &str, millis: f64) -> Option<i32> {
    if is_utc(zone) {
        return Some(0);
    }
    let (zone, instant) = (Tz::from_str(zone).ok()?, instant(millis)?);
    Some(zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
}

/// Whether the machine's own zone is universal time.
pub(super) fn machine_is_in_utc() -> bool {
    machine_zone().is_some_and(is_utc)
}

/// What the machine's own zone is called at an instant, in milliseconds since the epoch.
pub(super) fn name_here(millis: f64) -> Option<&'static str> {
    name(machine_zone()?, millis)
}

fn name(zone: &str, millis: f64) -> Option<&'static str> {
    if is_utc(zone) {
        return Some("Coordinated Universal Time");
    }
    let (standard, summer, _) = NAMES.iter().find(|(_, _, zones)| zones.contains(&zone))?;
    let (zone, instant) = (Tz::from_str(zone).ok()?, instant(millis)?);
    if instant.timestamp() < NAMED_SECONDS {
        return None;
    }
    let is_summer = !zone.offset_from_utc_datetime(&instant.naive_utc()).dst_offset().is_zero();
    Some(if is_summer { *summer } else { *standard }).filter(|name| !name.is_empty())
}

/// It is looked at once: processes of this engine live shortly.
fn machine_zone() -> Option<&'static str> {
    static ZONE: OnceLock<Option<String>> = OnceLock::new();
    ZONE.get_or_init(|| iana_time_zone::get_timezone().ok()).as_deref()
}

fn is_utc(zone: &str) -> bool {
    ["UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"].contains(&zone)
}

fn instant(millis: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "what is too large is out of range anyway")]
    let seconds = (millis / 1000.0).floor() as i64;
    DateTime::from_timestamp(seconds, 0).filter(|_| ZONED_SECONDS.contains(&seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JANUARY: f64 = 1_768_435_200_000.0;
    const JULY: f64 = 1_784_073_600_000.0;

    #[test]
    fn zones_have_two_names_and_two_offsets() {
        assert_eq!(name("Europe/Berlin", JANUARY), Some("Central European Standard Time"));
        assert_eq!(name("Europe/Berlin", JULY), Some("Central European Summer Time"));
        assert_eq!(name("Asia/Tokyo", JULY), Some("Japan Standard Time"));
        assert_eq!(name("Australia/Sydney", JANUARY), Some("Australian Eastern Daylight Time"));
        assert_eq!(
            (offset("America/New_York", JANUARY), offset("America/New_York", JULY)),
            (Some(-18_000), Some(-14_400))
        );
        assert_eq!((offset("UTC", -1e15), name("Etc/UTC", -1e15)), (Some(0), Some("Coordinated Universal Time")));
    }

    #[test]
    fn what_is_not_known_has_none() {
        assert_eq!(name("Europe/Istanbul", JANUARY), None, "it had another name once");
        assert_eq!(name("Europe/Berlin", 0.0), None);
        assert_eq!(
            (offset("Mars/Base", JULY), offset("Europe/Berlin", -1.0), offset("Europe/Berlin", 4e12)),
            (None, None, None)
        );
        assert!(NAMES.iter().flat_map(|(_, _, zones)| *zones).all(|zone| Tz::from_str(zone).is_ok()));
    }
}
