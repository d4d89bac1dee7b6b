//! Whether whoever called wants the call to end.

use futures::future::{self, BoxFuture};
use mangrove_domain::ports::MethodHost;

/// Says once that the call under way is to end.
pub(crate) struct Cancellation<'a>(Option<BoxFuture<'a, ()>>);

impl<'a> Cancellation<'a> {
    /// That of a call of this host.
    pub(crate) fn of(host: &'a dyn MethodHost) -> Self {
        Self(Some(host.cancelled()))
    }

    /// That of what nobody ends.
    pub(crate) const fn never() -> Self {
        Self(None)
    }

    /// True if the call was told to end.
    pub(crate) const fn was_requested(&self) -> bool {
        self.0.is_none()
    }

    /// Returns when the call is to end, and never again. May be given up and asked for anew.
    pub(crate) async fn requested(&mut self) {
        match &mut self.0 {
            Some(cancelled) => {
                cancelled.await;
                self.0 = None;
            }
            None => future::pending().await,
        }
    }
}
