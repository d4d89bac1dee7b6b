//! When schedules are due.

use std::{fmt, sync::Arc};

use crate::time::Timestamp;

/// Understands cron patterns and time zones.
///
/// Implementations MUST take 5 fields, or 6 with seconds first, or 7 with years last, and `@yearly`, `@annually`,
/// `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`; MUST refuse a pattern that no date fits; MUST follow the
/// changes of the clock of each zone (`design/schedules.md`); MUST end in bounded time. Contract:
/// `testkit::contract::calendar`.
pub trait Calendar: Send + Sync {
    /// The zone of schedules that name none: an IANA name.
    fn default_zone(&self) -> &str;

    /// When a pattern is due in a zone; without one, in the default zone.
    ///
    /// # Errors
    /// [`CalendarError`], in words.
    fn recurrence(&self, pattern: &str, zone: Option<&str>) -> Result<Arc<dyn Recurrence>, CalendarError>;
}

/// The instants at which a schedule is due: whole seconds, in rising order.
///
/// Implementations MUST NOT panic, whatever the instant.
pub trait Recurrence: fmt::Debug + Send + Sync {
    /// Its zone: an IANA name.
    fn zone(&self) -> &str;

    /// The first instant after this one; `None` if there is none any more.
    fn next_after(&self, instant: Timestamp) -> Option<Timestamp>;

    /// The latest instant that is not after this one; `None` if there was none yet.
    fn latest_until(&self, instant: Timestamp) -> Option<Timestamp>;

    /// What clocks of the zone show, such as `2026-11-29 03:00 CET`; with seconds where they are not zero.
    fn wall_clock(&self, instant: Timestamp) -> String;
}

/// Why a schedule cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct CalendarError {
    /// What is wrong.
    pub part: CalendarPart,
    /// In what way, as one sentence.
    pub message: String,
    /// What to do about it, as one sentence.
    pub advice: Option<String>,
}

/// What is wrong with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarPart {
    /// The cron pattern.
    Pattern,
    /// The time zone.
    Zone,
}
