//! Looks at all sources.

use std::time::Duration;

use mangrove_domain::time::Timestamp;
use prometheus_client::{
    metrics::{gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::instruments::{Counters, counters, gauge, histogram};

/// From a repository in which nothing changed to one whose disk does not answer.
const LOOKING: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Looks that have ended.
#[derive(Debug)]
pub(crate) struct Looks {
    durations: Histogram,
    ended: Counters<1>,
    last_success: Gauge,
}

impl Looks {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let durations = histogram(registry, "mangrove_look_seconds", "How long a look at all sources took", &LOOKING);
        let ended = counters(registry, "mangrove_looks", "Looks at all sources that ended");
        for outcome in ["succeeded", "failed"] {
            ended.get_or_create(&[("outcome", outcome.into())]).inc_by(0);
        }
        let last_success = gauge(
            registry,
            "mangrove_last_successful_look_timestamp_seconds",
            "When a look at all sources ended last that did not fail, as Unix time; 0 before the first",
        );
        Self { durations, ended, last_success }
    }

    /// One more has ended.
    pub(crate) fn add(&self, duration: Duration, has_failed: bool, now: Timestamp) {
        self.durations.observe(duration.as_secs_f64());
        let outcome = if has_failed { "failed" } else { "succeeded" };
        self.ended.get_or_create(&[("outcome", outcome.into())]).inc();
        if !has_failed {
            self.last_success.set(now.as_millis() / 1_000);
        }
    }
}
