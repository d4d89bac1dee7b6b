//! Requests that come a second time.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use mangrove_domain::time::Timestamp;

use super::signature::Accepted;

/// Remembers requests as long as they could be sent again and be believed. Its memory is bounded: beyond that, no further
/// request is taken before an old one is forgotten.
#[derive(Debug)]
pub struct ReplayGuard {
    most: usize,
    /// Until when each is remembered, by route and signature.
    seen: HashMap<Key, Timestamp>,
    /// The same, in the order in which they came.
    order: VecDeque<(Timestamp, Key)>,
}

type Key = (String, [u8; 32]);

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Repeated {
    /// It came before.
    #[error("the request came before")]
    Seen,
    /// So many came that no further one can be remembered.
    #[error("too many requests came within their replay window")]
    Full,
}

impl ReplayGuard {
    /// A guard that remembers so many requests, at least 1.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), seen: HashMap::new(), order: VecDeque::new() }
    }

    /// Takes a request that comes for the first time within the window of its webhook. One whose run could not begin
    /// is to be [forgotten](Self::forget), so that its sender can try again.
    ///
    /// # Errors
    /// [`Repeated`].
    pub fn take(&mut self, route: &str, accepted: Accepted, window: Duration, now: Timestamp) -> Result<(), Repeated> {
        self.forget_old(now);
        let key = (route.to_owned(), accepted.signature);
        if self.seen.contains_key(&key) {
            return Err(Repeated::Seen);
        }
        if self.seen.len() >= self.most {
            return Err(Repeated::Full);
        }
        // A request may be signed that much ahead of our clock, and that much later it is still believed.
        let until = now.plus(window.saturating_mul(2));
        self.seen.insert(key.clone(), until);
        self.order.push_back((until, key));
        Ok(())
    }

    /// Forgets a request.
    pub fn forget(&mut self, route: &str, accepted: Accepted) {
        let key = (route.to_owned(), accepted.signature);
        self.seen.remove(&key);
        self.order.retain(|(_, known)| *known != key);
    }

    /// Windows differ, so what came first need not be forgotten first; what is kept too long is bounded all the same.
    fn forget_old(&mut self, now: Timestamp) {
        while let Some((until, _)) = self.order.front() {
            if *until > now {
                break;
            }
            if let Some((_, key)) = self.order.pop_front() {
                self.seen.remove(&key);
            }
        }
        if self.seen.len() >= self.most {
            self.order.retain(|(until, _)| *until > now);
            self.seen.retain(|_, until| *until > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    const WINDOW: Duration = Duration::from_mins(5);

    fn request(number: u8) -> Accepted {
        Accepted { signature: [number; 32] }
    }

    #[test]
    fn a_request_is_taken_once_within_its_window() {
        let mut guard = ReplayGuard::new(10);
        guard.take("r", request(1), WINDOW, at(0)).expect("the first time");
        assert_eq!(guard.take("r", request(1), WINDOW, at(299)), Err(Repeated::Seen));
        guard.take("other", request(1), WINDOW, at(299)).expect("another route has another secret");
        guard.take("r", request(2), WINDOW, at(299)).expect("another request");
        assert_eq!(guard.take("r", request(1), WINDOW, at(599)), Err(Repeated::Seen), "its time may lie ahead");
        guard.take("r", request(1), WINDOW, at(600)).expect("nobody would believe it by now");
    }

    #[test]
    fn a_request_whose_run_did_not_begin_can_come_again() {
        let mut guard = ReplayGuard::new(10);
        guard.take("r", request(1), WINDOW, at(0)).expect("the first time");
        guard.forget("r", request(1));
        guard.take("r", request(1), WINDOW, at(1)).expect("again");
    }

    #[test]
    fn its_memory_is_bounded() {
        let mut guard = ReplayGuard::new(2);
        guard.take("r", request(1), WINDOW * 100, at(0)).expect("one");
        guard.take("r", request(2), WINDOW, at(0)).expect("two");
        assert_eq!(guard.take("r", request(3), WINDOW, at(1)), Err(Repeated::Full));
        guard.take("r", request(3), WINDOW, at(600)).expect("the second one is forgotten, behind the first");
        assert_eq!((guard.seen.len(), guard.order.len()), (2, 2));
    }
}
