//! Instants as texts.

use mangrove_domain::time::Timestamp;

/// The instant of a text such as `2026-03-29T01:00:00Z`, with `.500` before the `Z` or without.
///
/// # Panics
/// On any other text.
#[must_use]
pub fn instant(text: &str) -> Timestamp {
    let number = |from: usize, to: usize| -> i64 {
        let digits = text.get(from..to).unwrap_or_else(|| panic!("{text}: too short"));
        digits.parse().unwrap_or_else(|_| panic!("{text}: {digits} is no number"))
    };
    let millis = match text.len() {
        20 => 0,
        24 => number(20, 23),
        _ => panic!("{text}: expected 2026-03-29T01:00:00Z"),
    };
    assert!(text.ends_with('Z') && text.as_bytes()[10] == b'T', "{text}: expected 2026-03-29T01:00:00Z");
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Years that begin in March: the day that leap years add is their last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19);
    Timestamp::from_millis(seconds * 1_000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_calendar() {
        let millis = |text| instant(text).as_millis();
        assert_eq!(millis("1970-01-01T00:00:00Z"), 0);
        assert_eq!(millis("2000-02-29T12:30:15.250Z"), 951_827_415_250);
        assert_eq!(millis("2026-11-28T22:36:17Z"), 1_795_905_377_000);
        assert_eq!(millis("2100-03-01T00:00:00Z") - millis("2100-02-28T00:00:00Z"), 86_400_000);
    }
}
