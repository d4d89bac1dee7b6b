//! Whether files may have changed of which nobody looks at each.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is told of changes in the directories of definitions and workflows.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// True while every change is told.
    is_complete: bool,
    /// How often something was told.
    edition: u64,
}

impl Watched {
    /// From now on every change is told, or not.
    pub(super) fn set(&self, is_complete: bool) {
        let mut state = self.state();
        // What changed before it was watched, nobody has told.
        state.edition += 1;
        state.is_complete = is_complete;
    }

    /// Something has changed.
    pub(super) fn changed(&self) {
        self.state().edition += 1;
    }

    /// Numbers what there is: whatever was read since this number was asked for first is as it was read, as long as it is the
    /// answer. `None` where changes are not told.
    pub(super) fn edition(&self) -> Option<u64> {
        let state = self.state();
        state.is_complete.then_some(state.edition)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
