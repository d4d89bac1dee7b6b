//! Attempts to build and inspect sources.

use mangrove_domain::{failure::FailureClass, ports::AttemptTimes};
use prometheus_client::{metrics::histogram::Histogram, registry::Registry};

use super::instruments::{Counters, counters, histogram};

/// From a small source to the limits of a build (2 min) and of what a network makes wait.
const BUILDING: [f64; 13] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
/// An inspection ends after 10 s at the latest.
const INSPECTING: [f64; 11] = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Attempts that have ended.
#[derive(Debug)]
pub(super) struct Attempts {
    preparing: Histogram,
    building: Histogram,
    inspecting: Histogram,
    failed: Counters<1>,
}

impl Attempts {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let mut durations = |name, help, bounds: &[f64]| histogram(registry, name, help, bounds);
        let preparing = durations(
            "mangrove_package_preparation_seconds",
            "How long it took to have the packages of a source ready, with all waiting for a network",
            &BUILDING,
        );
        let building = durations("mangrove_build_seconds", "How long building the bundle of a source took", &BUILDING);
        let inspecting =
            durations("mangrove_inspection_seconds", "How long looking at the exports of a bundle took", &INSPECTING);
        let failed = counters(registry, "mangrove_failed_attempts", "Attempts for a source that ended with a failure");
        for class in FailureClass::ALL {
            failed.get_or_create(&[("class", class.as_str().into())]).inc_by(0);
        }
        Self { preparing, building, inspecting, failed }
    }

    /// One more has ended.
    pub(super) fn add(&self, failure: Option<FailureClass>, times: &AttemptTimes) {
        let AttemptTimes { preparing, building, inspecting } = times;
        let durations = [(&self.preparing, preparing), (&self.building, building), (&self.inspecting, inspecting)];
        for (histogram, duration) in durations {
            if let Some(duration) = duration {
                histogram.observe(duration.as_secs_f64());
            }
        }
        if let Some(class) = failure {
            self.failed.get_or_create(&[("class", class.as_str().into())]).inc();
        }
    }
}
