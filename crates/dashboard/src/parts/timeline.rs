//! What became of a source, the latest first.

use mangrove_domain::{settle::AuditRecord, time::Timestamp};

use super::{
    badge::Badge,
    moment::{Form, When},
};

/// How many transitions are shown.
const LONGEST: usize = 50;

/// One transition.
pub(crate) struct Entry {
    pub(crate) at: When,
    pub(crate) badge: Badge,
    /// The state before; `None` if it was new.
    pub(crate) from: Option<&'static str>,
    pub(crate) reason: String,
    /// Whose, as people name it; `None` if all are of one source.
    pub(crate) source: Option<String>,
}

/// The latest transitions of some sources, and how many there are besides.
pub(crate) fn entries(mut records: Vec<AuditRecord>, now: Timestamp) -> (Vec<Entry>, usize) {
    // What happened at one moment is told backwards as well.
    records.reverse();
    records.sort_by_key(|record| std::cmp::Reverse(record.transition.at));
    let further = records.len().saturating_sub(LONGEST);
    let is_of_several = records.iter().any(|record| record.source != records[0].source);
    let entry = |record: AuditRecord| Entry {
        at: When { at: record.transition.at, now, form: Form::Ago },
        badge: Badge::of_state(record.transition.to),
        from: record.transition.from.map(Badge::word),
        reason: record.transition.reason,
        source: is_of_several.then(|| record.source.to_string()),
    };
    (records.into_iter().take(LONGEST).map(entry).collect(), further)
}
