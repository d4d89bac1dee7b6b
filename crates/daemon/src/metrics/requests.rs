//! Requests over HTTP.

use std::time::Duration;

use prometheus_client::{metrics::histogram::Histogram, registry::Registry};

use super::instruments::{Counters, counters, histogram};

/// From an answer out of memory to the limit of a request (30 s).
const ANSWERING: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0, 30.0];

/// Requests that were answered.
#[derive(Debug)]
pub(crate) struct Requests {
    durations: Histogram,
    answered: Counters<2>,
}

impl Requests {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let durations = histogram(
            registry,
            "mangrove_http_request_seconds",
            "How long it took until the answer to a request began",
            &ANSWERING,
        );
        let answered =
            counters(registry, "mangrove_http_requests", "Requests by the template of their route and class of status");
        Self { durations, answered }
    }

    /// One more was answered with this status. `route` is the template of its route; `None` where there is none.
    pub(crate) fn add(&self, route: Option<&str>, status: u16, duration: Duration) {
        self.durations.observe(duration.as_secs_f64());
        let class = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        let route = route.unwrap_or("none").to_owned();
        self.answered.get_or_create(&[("route", route.into()), ("status", class.into())]).inc();
    }
}
