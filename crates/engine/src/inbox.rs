//! What arrives from outside while a call is under way: that it is to end, and what became of its requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::web::WebEvent;

/// Filled by whoever called, from any thread; a call looks into it when it has nothing else to do.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<State>);

#[derive(Debug, Default)]
struct State {
    content: Mutex<Content>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    is_to_end: bool,
    events: VecDeque<(u32, WebEvent)>,
}

impl Inbox {
    /// The call under way is to end: its code is told by the `signal` of its context, once.
    pub fn end(&self) {
        self.lock().is_to_end = true;
        self.0.changed.notify_all();
    }

    /// Something became of the request of this number.
    pub fn deliver(&self, number: u32, event: WebEvent) {
        self.lock().events.push_back((number, event));
        self.0.changed.notify_all();
    }

    /// Another call begins: what is in here was meant for an earlier one.
    pub fn clear(&self) {
        *self.lock() = Content::default();
    }

    /// True if the call is to end, and that was not taken yet.
    pub(super) fn take_end(&self) -> bool {
        std::mem::take(&mut self.lock().is_to_end)
    }

    /// What became of a request, oldest first.
    pub(super) fn take_event(&self) -> Option<(u32, WebEvent)> {
        self.lock().events.pop_front()
    }

    /// Waits until something is in here, so long at most. True if something is.
    pub(super) fn wait(&self, longest: Option<Duration>) -> bool {
        let is_empty = |content: &mut Content| !content.is_to_end && content.events.is_empty();
        let content = self.lock();
        let mut content = match longest {
            Some(longest) => {
                self.0.changed.wait_timeout_while(content, longest, is_empty).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.0.changed.wait_while(content, is_empty).unwrap_or_else(PoisonError::into_inner),
        };
        !is_empty(&mut content)
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
