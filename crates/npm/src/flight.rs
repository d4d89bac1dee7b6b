//! Shared attempts whose outcome can be a fault: requests for one package at one time share one.

use std::{future::Future, hash::Hash};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_single_flight::{Lost, SingleFlight};
use tracing::{Instrument as _, Span};

/// Attempts that are under way. An attempt is not cancelled with the request that first wanted it; its outcome, good or
/// bad, is forgotten as soon as it is there.
pub(super) struct Flights<K, V>(SingleFlight<K, Result<V, Fault>>);

impl<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + Sync + 'static> Flights<K, V> {
    pub(super) fn new() -> Self {
        Self(SingleFlight::new())
    }

    /// Joins the attempt for `key`, or starts it.
    pub(super) async fn join<F>(&self, key: K, start: impl FnOnce() -> F + Send + 'static) -> Result<V, Fault>
    where
        F: Future<Output = Result<V, Fault>> + Send + 'static,
    {
        // Of those who share it, the first one has it in its trace.
        let span = Span::current();
        let start = || start().instrument(span);
        self.0.join(key, start).await.unwrap_or_else(|lost| Err(fault(&lost)))
    }
}

fn fault(lost: &Lost) -> Fault {
    let message = format!("preparing a package: {lost}");
    Fault::environment(Code::BUNDLE_FAILED, "packages:attempt", message)
}
