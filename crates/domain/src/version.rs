//! Calendar versions, as models and manifests carry them.

use std::fmt;

/// A version `YYYY.MM.DD.N` with a real date of the Gregorian calendar; ordered by date, then number. What publishes from
/// continuous integration writes seconds or microseconds since 1970 for the number, so it is as long as a whole number can be
/// here: 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CalendarVersion {
    year: u16,
    month: u8,
    day: u8,
    number: u128,
}

/// The text is no calendar version.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a version `YYYY.MM.DD.N` with a real date, found {0:?}")]
pub struct VersionError(String);

impl CalendarVersion {
    /// Parses `2026.05.23.1`.
    ///
    /// # Errors
    /// [`VersionError`] if the form is another or the day does not exist.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError(text.to_owned());
        let parts: Vec<&str> = text.split('.').collect();
        let [year, month, day, number] = parts.as_slice() else {
            return Err(error());
        };
        let is_number = |part: &&str, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(year, 4..=4) || !is_number(month, 2..=2) || !is_number(day, 2..=2) || !is_number(number, 1..=38) {
            return Err(error());
        }
        let version = Self {
            year: year.parse().map_err(|_| error())?,
            month: month.parse().map_err(|_| error())?,
            day: day.parse().map_err(|_| error())?,
            number: number.parse().map_err(|_| error())?,
        };
        if version.day == 0 || version.day > days_in_month(version.year, version.month) {
            return Err(error());
        }
        Ok(version)
    }
}

/// Days of a month; 0 for a month that does not exist.
fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

impl fmt::Display for CalendarVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}.{:02}.{:02}.{}", self.year, self.month, self.day, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_has_as_many_digits_as_a_clock_gives() {
        let version = |text: &str| CalendarVersion::parse(text).ok();
        let number = "9".repeat(38);
        for text in
            ["2026.08.06.1", "2026.08.06.1784424438", "2026.08.06.1784424438123456", &format!("2026.08.06.{number}")]
        {
            assert_eq!(version(text).map(|version| version.to_string()).as_deref(), Some(text));
        }
        assert!(version("2026.08.06.9") < version("2026.08.06.1784424438"));
        assert!(version("2026.08.06.1784424438") < version("2026.08.07.1"));
        for text in ["2026.08.06.", "2026.08.06.1a", "2026.08.06.-1", "2026.8.6.1", "2026.02.29.1", "2026.08.06.1.1"] {
            assert!(version(text).is_none(), "{text}");
        }
    }
}
