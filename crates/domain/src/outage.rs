//! What could not be reached while one plan is carried out, so that what depends on it does not wait for it in turn.
//!
//! The rule (`design/packages.md`, "Outages"): the first failure makes a cause suspect. Of all that depend on it, one
//! tries again, and the others wait for what comes of that. A second failure makes it certain, and the rest of the plan
//! fails at once. Any answer ends the outage. Nothing is known from one plan to the next.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::failure::CauseKey;

/// The outages of one plan, by cause. All attempts of the plan share one.
#[derive(Debug, Default)]
pub struct Outages(Mutex<BTreeMap<CauseKey, Outage>>);

/// What is known of a cause that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outage {
    /// It failed once, in these words. Who asks next may try once more.
    Suspected(Arc<str>),
    /// It failed again. Nobody tries any more; this is what the first failure said.
    Certain(Arc<str>),
}

impl Outages {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The outage of this cause; `None` if it did not fail, or was reached since.
    #[must_use]
    pub fn of(&self, cause: &CauseKey) -> Option<Outage> {
        self.lock().get(cause).cloned()
    }

    /// It could not be reached. A failure of those that were under way already when another one failed says nothing
    /// new.
    pub fn suspect(&self, cause: &CauseKey, message: &str) {
        self.lock().entry(cause.clone()).or_insert_with(|| Outage::Suspected(message.into()));
    }

    /// It could not be reached again by the one that tried once more.
    pub fn confirm(&self, cause: &CauseKey, message: &str) {
        let mut outages = self.lock();
        let first = match outages.get(cause) {
            Some(Outage::Suspected(first) | Outage::Certain(first)) => Arc::clone(first),
            None => message.into(),
        };
        outages.insert(cause.clone(), Outage::Certain(first));
    }

    /// It was reached, whatever it answered.
    pub fn end(&self, cause: &CauseKey) {
        self.lock().remove(cause);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CauseKey, Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_failure_is_certain_and_an_answer_ends_it() {
        let (outages, cause) = (Outages::new(), CauseKey("registry:a:1".into()));
        assert_eq!(outages.of(&cause), None);
        outages.suspect(&cause, "silent");
        outages.suspect(&cause, "silent too, and under way at the same time");
        assert_eq!(outages.of(&cause), Some(Outage::Suspected("silent".into())));
        outages.confirm(&cause, "still silent");
        assert_eq!(outages.of(&cause), Some(Outage::Certain("silent".into())));
        assert_eq!(outages.of(&CauseKey("registry:b:1".into())), None, "others are not concerned");
        outages.end(&cause);
        assert_eq!(outages.of(&cause), None);
    }
}
