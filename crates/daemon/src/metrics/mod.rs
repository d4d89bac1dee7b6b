//! What a daemon counts and measures, in the text format of Prometheus: `/metrics` (`design/http-api.md`).
//!
//! Labels have a bounded number of values, however many types, files and runs there are: kinds, states, classes, routes.
//! What only ever grows is counted where it happens; what goes up and down is set when somebody asks ([`Sample`]).

mod attempts;
mod instruments;
mod looks;
mod requests;
mod runs;
mod sample;
mod upkeep;

use std::fmt;

use mangrove_domain::ports::{Event, Progress};
use prometheus_client::{encoding::prometheus_text, registry::Registry};

pub use self::sample::Sample;
use self::{
    attempts::Attempts, instruments::info, looks::Looks, requests::Requests, runs::Runs, sample::SampledGauges,
    upkeep::UpkeepFigures,
};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Everything that one daemon counts and measures.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    attempts: Attempts,
    pub(crate) looks: Looks,
    pub(crate) requests: Requests,
    pub(crate) runs: Runs,
    pub(crate) upkeep: UpkeepFigures,
    sampled: SampledGauges,
}

impl Default for Metrics {
    /// Nothing is counted yet.
    fn default() -> Self {
        let mut registry = Registry::default();
        info(
            &mut registry,
            "mangrove_build_info",
            "The version of Mangrove that runs; always 1",
            "version",
            env!("CARGO_PKG_VERSION"),
        );
        Self {
            attempts: Attempts::registered(&mut registry),
            looks: Looks::registered(&mut registry),
            requests: Requests::registered(&mut registry),
            runs: Runs::registered(&mut registry),
            upkeep: UpkeepFigures::registered(&mut registry),
            sampled: SampledGauges::registered(&mut registry),
            registry,
        }
    }
}

impl Metrics {
    /// Everything as text, with what a look at the daemon says now.
    ///
    /// # Errors
    /// It cannot be written, which would be a fault in Mangrove itself.
    pub fn text(&self, sample: &Sample<'_>) -> Result<String, fmt::Error> {
        self.sampled.set(sample);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Every scan and every build on demand tells of its attempts.
impl Progress for Metrics {
    fn event(&self, event: &Event<'_>) {
        if let Event::Done { failure, times, .. } = event {
            self.attempts.add(*failure, times);
        }
    }
}
