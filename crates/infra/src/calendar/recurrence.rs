//! The instants of a pattern in a zone.

use std::ops::Range;

use chrono::{DateTime, Datelike as _, NaiveDate, Offset as _, TimeDelta, TimeZone as _, Timelike as _};
use chrono_tz::{OffsetName as _, Tz};
use croner::{Cron, Weekday, errors::CronError};
use mangrove_domain::{ports::Recurrence, time::Timestamp};

use super::field::YEARS;

/// Where the years begin that are looked at, in every zone.
const EARLIEST: Timestamp = Timestamp::from_millis(24 * 3_600_000);

/// In these years every weekday falls on every date.
const EVERY_CALENDAR: Range<u16> = 2000..2028;

/// What no zone ever left out at once.
const LONGEST_GAP_HOURS: i64 = 25;

/// A pattern in a zone.
#[derive(Debug)]
pub(super) struct CronRecurrence {
    pub(super) cron: Cron,
    pub(super) zone: Tz,
}

impl CronRecurrence {
    /// True if some date fits. A search for the next one would go on for three thousand years.
    pub(super) fn is_ever_due(&self) -> bool {
        let pattern = &self.cron.pattern;
        let mut years = pattern.years.values();
        if years.len() == usize::from(YEARS.1 - YEARS.0) + 1 {
            years = EVERY_CALENDAR.collect();
        }
        let fits = |day: NaiveDate| {
            let (year, month, date) = (day.year(), day.month(), day.day());
            let weekday = Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday());
            pattern.month_match(month).unwrap_or(false)
                && pattern.day_match(year, month, date, weekday).unwrap_or(false)
        };
        years.into_iter().any(|year| {
            let year = i32::from(year);
            let days = NaiveDate::from_ymd_opt(year, 1, 1).into_iter().flat_map(|first| first.iter_days());
            days.take_while(|day| day.year() == year).any(fits)
        })
    }

    fn at(&self, instant: Timestamp) -> Option<DateTime<Tz>> {
        self.zone.timestamp_opt(instant.as_millis().div_euclid(1000), 0).single()
    }
}

impl Recurrence for CronRecurrence {
    fn zone(&self) -> &str {
        self.zone.name()
    }

    fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let from = self.at(instant.max(EARLIEST))?;
        let found = find(from, 1, |from, included| self.cron.find_next_occurrence(from, included));
        found.map(|found| Timestamp::from_millis(found.timestamp_millis()))
    }

    fn latest_until(&self, instant: Timestamp) -> Option<Timestamp> {
        let found = find(self.at(instant)?, -1, |from, included| self.cron.find_previous_occurrence(from, included));
        found.map(|found| Timestamp::from_millis(found.timestamp_millis()))
    }

    fn wall_clock(&self, instant: Timestamp) -> String {
        let Some(at) = self.at(instant) else { return String::new() };
        let second = if at.second() == 0 { String::new() } else { format!(":{:02}", at.second()) };
        let offset = at.offset();
        let zone = offset.abbreviation().map_or_else(|| offset.fix().to_string(), str::to_owned);
        format!("{:04}-{:02}-{:02} {:02}:{:02}{second} {zone}", at.year(), at.month(), at.day(), at.hour(), at.minute())
    }
}

/// Looks for an instant, one way or the other. Where a whole day was left out, `croner` gives up within it: the
/// search goes on behind.
fn find(
    from: DateTime<Tz>,
    step: i64,
    look: impl Fn(&DateTime<Tz>, bool) -> Result<DateTime<Tz>, CronError>,
) -> Option<DateTime<Tz>> {
    match look(&from, step < 0) {
        Ok(found) => Some(found),
        Err(CronError::TimeSearchLimitExceeded) => (1..=LONGEST_GAP_HOURS).find_map(|hours| {
            let from = from.checked_add_signed(TimeDelta::try_hours(hours * step)?)?;
            look(&from, true).ok()
        }),
        Err(_) => None,
    }
}
