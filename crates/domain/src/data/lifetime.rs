//! How long data is kept.

use std::time::Duration;

use crate::json::Json;

/// How long an item is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the run that wrote it has ended.
    Ephemeral,
    /// As long as the record of the run whose job wrote it.
    Job,
    /// As long as the record of the run of the workflow that wrote it.
    Workflow,
    /// So long after its newest version.
    Within(Duration),
    /// For ever.
    Infinite,
}

impl Lifetime {
    /// The lifetime that an author wrote; a duration of zero counts as [`Workflow`](Self::Workflow).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "ephemeral" => Self::Ephemeral,
            "job" => Self::Job,
            "workflow" => Self::Workflow,
            "infinite" => Self::Infinite,
            text => match parse_days(text)? {
                Duration::ZERO => Self::Workflow,
                duration => Self::Within(duration),
            },
        })
    }
}

/// How many versions of an item are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// The newest so many, at least one.
    Newest(u32),
    /// Those that are younger, and the newest.
    Younger(Duration),
}

impl Retention {
    /// What an author wrote: a number of versions or a duration. `None` for what is neither; then all are kept.
    #[must_use]
    pub fn parse(value: &Json) -> Option<Self> {
        if let Some(number) = value.as_integer() {
            return Some(Self::Newest(u32::try_from(number).ok()?.max(1)));
        }
        let text = value.as_str()?.trim();
        match text.parse::<u32>() {
            Ok(number) => Some(Self::Newest(number.max(1))),
            Err(_) => parse_days(text).filter(|duration| !duration.is_zero()).map(Self::Younger),
        }
    }
}

/// Digits with `m`, `h`, `d`, `w`, `mo` (30 days) or `y` (365 days).
fn parse_days(text: &str) -> Option<Duration> {
    let unit_at = text.find(|character: char| !character.is_ascii_digit())?;
    let minutes = match &text[unit_at..] {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        "w" => 7 * 24 * 60,
        "mo" => 30 * 24 * 60,
        "y" => 365 * 24 * 60,
        _ => return None,
    };
    let seconds = text[..unit_at].parse::<u64>().ok()?.checked_mul(minutes)?.checked_mul(60)?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_words_or_durations() {
        let days = |days: u64| Some(Lifetime::Within(Duration::from_hours(days * 24)));
        for (text, lifetime) in [
            ("infinite", Some(Lifetime::Infinite)),
            ("workflow", Some(Lifetime::Workflow)),
            ("job", Some(Lifetime::Job)),
            ("ephemeral", Some(Lifetime::Ephemeral)),
            ("90m", Some(Lifetime::Within(Duration::from_mins(90)))),
            ("2w", days(14)),
            ("1mo", days(30)),
            ("1y", days(365)),
            ("0d", Some(Lifetime::Workflow)),
            ("1s", None),
            ("d", None),
            ("soon", None),
        ] {
            assert_eq!(Lifetime::parse(text), lifetime, "{text}");
        }
    }

    #[test]
    fn versions_are_kept_by_number_or_age() {
        assert_eq!(Retention::parse(&Json::from(10)), Some(Retention::Newest(10)));
        assert_eq!(Retention::parse(&Json::from("5")), Some(Retention::Newest(5)));
        assert_eq!(Retention::parse(&Json::from(0)), Some(Retention::Newest(1)));
        assert_eq!(Retention::parse(&Json::from("1d")), Some(Retention::Younger(Duration::from_hours(24))));
        for none in [Json::Null, Json::from("0d"), Json::from("all"), Json::from(-1)] {
            assert_eq!(Retention::parse(&none), None, "{none}");
        }
    }
}
