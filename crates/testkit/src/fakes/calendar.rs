//! A calendar without dates.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mangrove_domain::{
    ports::{Calendar, CalendarError, CalendarPart, Recurrence},
    time::Timestamp,
};

/// Understands `every 60s`: due at every multiple of that since 1970, in every zone.
#[derive(Clone, Debug, Default)]
pub struct PeriodicCalendar {
    questions: Arc<AtomicU64>,
}

impl PeriodicCalendar {
    /// How often its recurrences were asked for an instant.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.questions.load(Ordering::Relaxed)
    }
}

impl Calendar for PeriodicCalendar {
    fn default_zone(&self) -> &'static str {
        "UTC"
    }

    fn recurrence(&self, pattern: &str, zone: Option<&str>) -> Result<Arc<dyn Recurrence>, CalendarError> {
        let seconds = pattern.strip_prefix("every ").and_then(|text| text.strip_suffix('s'));
        let Some(period) = seconds.and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0) else {
            let message = format!("`{pattern}` is no period");
            return Err(CalendarError { part: CalendarPart::Pattern, message, advice: None });
        };
        let (zone, questions) = (zone.unwrap_or("UTC").to_owned(), Arc::clone(&self.questions));
        Ok(Arc::new(Periodic { period: Duration::from_secs(period), zone, questions }))
    }
}

#[derive(Debug)]
struct Periodic {
    period: Duration,
    zone: String,
    questions: Arc<AtomicU64>,
}

impl Periodic {
    fn multiple(&self, instant: Timestamp) -> Timestamp {
        self.questions.fetch_add(1, Ordering::Relaxed);
        let period = i64::try_from(self.period.as_millis()).expect("a period that a test needs");
        Timestamp::from_millis(instant.as_millis().div_euclid(period) * period)
    }
}

impl Recurrence for Periodic {
    fn zone(&self) -> &str {
        &self.zone
    }

    fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        Some(self.multiple(instant).plus(self.period))
    }

    fn latest_until(&self, instant: Timestamp) -> Option<Timestamp> {
        Some(self.multiple(instant))
    }

    fn wall_clock(&self, instant: Timestamp) -> String {
        format!("{} {}", instant.as_millis(), self.zone)
    }
}
