//! Counters, gauges and histograms under their names.

use std::borrow::Cow;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// The name of a label and its value.
pub(super) type Label = (&'static str, Cow<'static, str>);

/// Counters that differ by labels.
pub(super) type Counters<const N: usize> = Family<[Label; N], Counter>;

/// Gauges that differ by labels.
pub(super) type Gauges<const N: usize> = Family<[Label; N], Gauge>;

/// A counter from 0. `name` is without `_total`, which is added to it.
pub(super) fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

/// Counters that differ by labels; `name` is without `_total`.
pub(super) fn counters<const N: usize>(registry: &mut Registry, name: &str, help: &str) -> Counters<N> {
    let counters = Counters::default();
    registry.register(name, help, counters.clone());
    counters
}

/// A gauge at 0.
pub(super) fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// Gauges that differ by labels.
pub(super) fn gauges<const N: usize>(registry: &mut Registry, name: &str, help: &str) -> Gauges<N> {
    let gauges = Gauges::default();
    registry.register(name, help, gauges.clone());
    gauges
}

/// A histogram of durations in seconds, with these upper bounds of its buckets.
pub(super) fn histogram(registry: &mut Registry, name: &str, help: &str, bounds: &[f64]) -> Histogram {
    let histogram = Histogram::new(bounds.iter().copied());
    registry.register(name, help, histogram.clone());
    histogram
}

/// A gauge that is always 1 and says something by its label.
pub(super) fn info(registry: &mut Registry, name: &str, help: &str, label: &'static str, value: &'static str) {
    let gauges = gauges::<1>(registry, name, help);
    gauges.get_or_create(&[(label, value.into())]).set(1);
}

/// A count as a gauge shows it.
pub(super) fn clamped(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
