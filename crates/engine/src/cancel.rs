//! Telling a call under way that it is to end.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Raised by whoever called; a call that sees it tells the code by the `signal` of its context, once.
#[derive(Clone, Debug, Default)]
pub struct CancelSignal(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_raised: Mutex<bool>,
    changed: Condvar,
}

impl CancelSignal {
    /// The call under way is to end.
    pub fn raise(&self) {
        *self.lock() = true;
        self.0.changed.notify_all();
    }

    /// Another call begins: what was raised was meant for an earlier one.
    pub fn lower(&self) {
        *self.lock() = false;
    }

    /// True if it was raised since the last time that it was taken.
    pub(super) fn take(&self) -> bool {
        std::mem::take(&mut *self.lock())
    }

    /// Waits so long, or until it is raised.
    pub(super) fn wait(&self, duration: Duration) {
        let _ = self.0.changed.wait_timeout_while(self.lock(), duration, |is_raised| !*is_raised);
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.is_raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
