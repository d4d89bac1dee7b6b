//! What upkeep removed.

use std::time::Duration;

use mangrove_app::service::Upkeep;
use mangrove_domain::time::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::instruments::{Counters, counter, counters, gauge, histogram};

/// From stores in which nothing is to be done to large ones on a slow disk.
const KEEPING_UP: [f64; 8] = [0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0];

/// Everything that upkeep removes.
const WHAT: [&str; 8] = ["bundles", "packages", "leftovers", "runs", "logs", "transitions", "claims", "data"];

/// Upkeep that has ended.
#[derive(Debug)]
pub(crate) struct UpkeepFigures {
    durations: Histogram,
    removed: Counters<1>,
    removed_bytes: Counter,
    failures: Counter,
    last_success: Gauge,
}

impl UpkeepFigures {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let durations = histogram(registry, "mangrove_upkeep_seconds", "How long daily upkeep took", &KEEPING_UP);
        let removed = counters(registry, "mangrove_upkeep_removed", "What daily upkeep removed, by what it is");
        for what in WHAT {
            removed.get_or_create(&[("what", what.into())]).inc_by(0);
        }
        let removed_bytes =
            counter(registry, "mangrove_upkeep_removed_bytes", "Bytes of the bundles and packages that upkeep removed");
        let failures = counter(registry, "mangrove_upkeep_failures", "Parts of daily upkeep that failed");
        let last_success = gauge(
            registry,
            "mangrove_last_successful_upkeep_timestamp_seconds",
            "When daily upkeep ended last without a failure, as Unix time; 0 before the first",
        );
        Self { durations, removed, removed_bytes, failures, last_success }
    }

    /// It has ended once more.
    pub(crate) fn add(&self, upkeep: &Upkeep, duration: Duration, now: Timestamp) {
        let Upkeep { pruned, runs, logs, transitions, claims, data, failures } = upkeep;
        self.durations.observe(duration.as_secs_f64());
        let (bundles, packages) = (pruned.bundles.files, pruned.packages.files);
        let counts = [bundles, packages, pruned.leftovers, *runs, *logs, *transitions, *claims, *data];
        for (what, count) in WHAT.into_iter().zip(counts) {
            self.removed.get_or_create(&[("what", what.into())]).inc_by(count);
        }
        self.removed_bytes.inc_by(pruned.bundles.bytes + pruned.packages.bytes);
        self.failures.inc_by(failures.len() as u64);
        if failures.is_empty() {
            self.last_success.set(now.as_millis() / 1_000);
        }
    }
}
