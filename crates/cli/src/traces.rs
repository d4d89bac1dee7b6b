//! Traces for `OpenTelemetry`, by its standard `OTEL_…` variables: nothing is made where none of them names a collector.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry::{Context, trace::TracerProvider as _};
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor, Tracer},
};

use crate::compose;

/// How long the end of the program waits for the latest spans to be taken.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long it waits before that for spans that have not ended: whoever carried out a command of one, such as the thread of a
/// database, may hold it for a moment after the answer.
const LAST_MOMENT: Duration = Duration::from_millis(250);

/// The variables that name a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Sends spans until it is dropped.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    open: OpenSpans,
    is_failing: Arc<AtomicBool>,
}

/// How many spans have begun and not ended.
#[derive(Clone, Debug, Default)]
struct OpenSpans(Arc<(Mutex<usize>, Condvar)>);

impl OpenSpans {
    fn change(&self, change: impl FnOnce(usize) -> usize) {
        let (count, changed) = &*self.0;
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = change(*count);
        changed.notify_all();
    }

    /// Waits until there are none, but not for long.
    fn wait(&self) {
        let (count, changed) = &*self.0;
        let count = count.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that go on when the program ends are lost.
        drop(changed.wait_timeout_while(count, LAST_MOMENT, |count| *count > 0));
    }
}

impl SpanProcessor for OpenSpans {
    fn on_start(&self, _: &mut Span, _: &Context) {
        self.change(|count| count.saturating_add(1));
    }

    fn on_end(&self, _: SpanData) {
        self.change(|count| count.saturating_sub(1));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Traces {
    /// Begins if the environment asks for it. Gives also why it did not although it was asked to.
    pub(crate) fn start(environment: &BTreeMap<String, String>) -> (Option<Self>, Option<String>) {
        if !is_wanted(environment) {
            return (None, None);
        }
        compose::use_cryptography();
        let exporter = match OtlpExporter::builder().with_http().build() {
            Ok(exporter) => exporter,
            Err(error) => return (None, Some(error.to_string())),
        };
        let is_failing = Arc::<AtomicBool>::default();
        let exporter =
            WatchedExporter { exporter, is_failing: Arc::clone(&is_failing), was_told: AtomicBool::new(false) };
        let open = OpenSpans::default();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_span_processor(open.clone())
            .with_resource(resource(environment))
            .build();
        (Some(Self { provider, open, is_failing }), None)
    }

    /// Makes spans.
    pub(crate) fn tracer(&self) -> Tracer {
        self.provider.tracer("mangrove")
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.open.wait();
        // Whoever did not take the spans before must not hold up the end.
        let farewell = if self.is_failing.load(Ordering::Relaxed) { Duration::ZERO } else { FAREWELL };
        if let Err(error) = self.provider.shutdown_with_timeout(farewell) {
            tracing::debug!(%error, "the latest spans are lost");
        }
    }
}

fn is_wanted(environment: &BTreeMap<String, String>) -> bool {
    let value = |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let is_off = value("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || value("OTEL_TRACES_EXPORTER").is_some_and(|value| value != "otlp");
    !is_off && ENDPOINTS.iter().any(|name| value(name).is_some())
}

/// What the spans are of: what the environment says, and the name `mangrove` if it says none.
fn resource(environment: &BTreeMap<String, String>) -> Resource {
    let has_name = environment.contains_key("OTEL_SERVICE_NAME")
        || environment.get("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| attributes.contains("service.name="));
    let builder = Resource::builder();
    let builder = if has_name { builder } else { builder.with_service_name("mangrove") };
    builder.build()
}

/// Says once that spans are not taken.
#[derive(Debug)]
struct WatchedExporter {
    exporter: OtlpExporter,
    is_failing: Arc<AtomicBool>,
    was_told: AtomicBool,
}

impl SpanExporter for WatchedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let outcome = self.exporter.export(batch).await;
        self.is_failing.store(outcome.is_err(), Ordering::Relaxed);
        if outcome.is_err() && !self.was_told.swap(true, Ordering::Relaxed) {
            // What comes back may have the address in it, with a password.
            tracing::warn!("the collector does not take the traces, which are lost; this is said once");
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_turns_traces_on_and_two_variables_turn_them_off() {
        let wanted = |pairs: &[(&str, &str)]| {
            is_wanted(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let address = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        assert!(!wanted(&[]));
        assert!(!wanted(&[("OTEL_SERVICE_NAME", "me")]));
        assert!(!wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]));
        assert!(wanted(&[address]));
        assert!(wanted(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4318/v1/traces")]));
        assert!(wanted(&[address, ("OTEL_TRACES_EXPORTER", "otlp")]));
        assert!(!wanted(&[address, ("OTEL_TRACES_EXPORTER", "none")]));
        assert!(!wanted(&[address, ("OTEL_SDK_DISABLED", "TRUE")]));
    }
}
