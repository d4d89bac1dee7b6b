//! The published snapshot, and everything that happens to it.

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwap;
use mangrove_domain::{
    digest::Digest,
    index::{Replaced, TypeIndex},
    plan::Answered,
    row::Row,
    settle::{AuditRecord, Transition},
    source::SourceId,
    state::StateName,
    time::Timestamp,
};
use tokio::sync::{Mutex, MutexGuard, broadcast, watch};

/// How many publications a subscriber may be behind before it misses the oldest.
const KEPT_PUBLICATIONS: usize = 256;

/// Publishes snapshots of all rows, one after the other: each is made on top of the one before it.
///
/// A reader has the current one without a lock. Who must know of changes subscribes to snapshots, which skip what was
/// replaced meanwhile, or to publications, each with the transitions that led to it.
pub struct Publisher {
    current: ArcSwap<TypeIndex>,
    snapshots: watch::Sender<Arc<TypeIndex>>,
    publications: broadcast::Sender<Arc<Publication>>,
    /// What was answered, of what rows failed for.
    answered: ArcSwap<Answered>,
    /// Held while a batch is committed and published.
    state: Mutex<State>,
}

/// One step from a snapshot to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Counts the publications of this process from 1. A gap says that some were missed.
    pub edition: u64,
    /// The sources whose row is another one, is new or is gone; sorted.
    pub changed: Vec<SourceId>,
    /// The states that changed. Of what another process committed, the reason says only that; the history in the catalog
    /// has the real one. The first publication of a process has none: nothing happened, it only began to look.
    pub transitions: Vec<AuditRecord>,
}

#[derive(Default)]
struct State {
    edition: u64,
    /// Names the content of the catalog that is published; `None` if that is not known, as after each commit of ours:
    /// what others commit at the same moment has the same mark.
    mark: Option<Digest>,
    /// Names the rows that are published ([`CatalogView::version`](mangrove_domain::observation::CatalogView::version)), if
    /// that is known: also after a commit of ours, as long as nobody else commits between ours.
    version: Option<Digest>,
}

impl Default for Publisher {
    fn default() -> Self {
        let empty = Arc::new(TypeIndex::default());
        Self {
            current: ArcSwap::new(Arc::clone(&empty)),
            snapshots: watch::Sender::new(empty),
            publications: broadcast::Sender::new(KEPT_PUBLICATIONS),
            answered: ArcSwap::default(),
            state: Mutex::default(),
        }
    }
}

impl Publisher {
    /// The snapshot that was published last; empty before the first. Takes no lock.
    #[must_use]
    pub fn current(&self) -> Arc<TypeIndex> {
        self.current.load_full()
    }

    /// The current snapshot and those to come. A slow subscriber skips to the latest one.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<Arc<TypeIndex>> {
        self.snapshots.subscribe()
    }

    /// The publications to come. A subscriber that is more than 256 of them behind gets
    /// [`Lagged`](broadcast::error::RecvError::Lagged) once, with the number of those that it missed, and goes on with
    /// the oldest that is kept; the snapshot itself is never missed.
    #[must_use]
    pub fn publications(&self) -> broadcast::Receiver<Arc<Publication>> {
        self.publications.subscribe()
    }

    /// The causes of failures that were answered since, by what was published.
    pub(super) fn answered(&self) -> Arc<Answered> {
        self.answered.load_full()
    }

    /// Numbers what was published last.
    pub(super) async fn edition(&self) -> u64 {
        self.state.lock().await.edition
    }

    /// Keeps all others from committing and publishing.
    pub(super) async fn lock(&self) -> Publishing<'_> {
        Publishing { publisher: self, state: self.state.lock().await }
    }
}

/// The right to commit and publish.
pub(super) struct Publishing<'a> {
    publisher: &'a Publisher,
    state: MutexGuard<'a, State>,
}

impl Publishing<'_> {
    pub(super) fn edition(&self) -> u64 {
        self.state.edition
    }

    /// The mark of the catalog whose content is published, if that is known.
    pub(super) fn mark(&self) -> Option<Digest> {
        self.state.mark
    }

    /// Names the rows that are published, if that is known.
    pub(super) fn version(&self) -> Option<Digest> {
        self.state.version
    }

    /// What is published is what the catalog held when it had this mark.
    pub(super) fn set_mark(&mut self, mark: Option<Digest>) {
        self.state.mark = mark;
    }

    /// Publishes what this process has committed: the sources that it wrote, with the transitions. `elsewhere` names
    /// those whose rows were read again, because others may have committed them; `version` names all rows as they are now.
    pub(super) fn publish(
        &mut self,
        (index, version): (&TypeIndex, Option<Digest>),
        mut changed: BTreeSet<SourceId>,
        mut transitions: Vec<AuditRecord>,
        elsewhere: &BTreeSet<SourceId>,
        now: Timestamp,
    ) {
        let current = self.publisher.current();
        let own = changed.clone();
        for source in elsewhere.difference(&own) {
            let row = |index: &TypeIndex| index.row(source).map(Arc::clone);
            let change = Replaced { before: row(&current), after: row(index) };
            if change.before != change.after {
                changed.insert(source.clone());
                transitions.extend(transition(&change, now));
            }
        }
        (self.state.mark, self.state.version) = (None, version);
        self.send(index.clone(), changed.into_iter().collect(), transitions);
    }

    /// Publishes rows that were read from the catalog with this version, if they are others than those that are
    /// published. `mark` was taken before they were read. True if they are others.
    pub(super) fn replace(
        &mut self,
        (rows, version): (Vec<Row>, Option<Digest>),
        mark: Option<Digest>,
        now: Timestamp,
    ) -> bool {
        let mut index = TypeIndex::clone(&self.publisher.current.load());
        let replaced = index.replace(rows);
        (self.state.mark, self.state.version) = (mark, version);
        if replaced.is_empty() {
            return false;
        }
        let is_first = self.state.edition == 0;
        let mut changed: Vec<SourceId> = replaced.iter().filter_map(Replaced::source).cloned().collect();
        changed.sort_unstable();
        let transitions = replaced.iter().filter(|_| !is_first).filter_map(|change| transition(change, now)).collect();
        self.send(index, changed, transitions);
        true
    }

    fn send(&mut self, index: TypeIndex, changed: Vec<SourceId>, transitions: Vec<AuditRecord>) {
        self.state.edition += 1;
        let before = self.publisher.current();
        let mut answered = Answered::clone(&self.publisher.answered());
        let row = |index: &TypeIndex, source| index.row(source).map(Arc::clone);
        let rows: Vec<_> = changed.iter().map(|source| (row(&before, source), row(&index, source))).collect();
        answered.learn(rows.iter().map(|(before, after)| (before.as_deref(), after.as_deref())));
        self.publisher.answered.store(Arc::new(answered));
        let index = Arc::new(index);
        self.publisher.current.store(Arc::clone(&index));
        self.publisher.snapshots.send_replace(index);
        let publication = Publication { edition: self.state.edition, changed, transitions };
        // An error says only that nobody has subscribed.
        let _nobody = self.publisher.publications.send(Arc::new(publication));
    }
}

/// The transition that another process made; `None` where the state is the same.
fn transition(change: &Replaced, at: Timestamp) -> Option<AuditRecord> {
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    let to = after.map_or(StateName::Tombstoned, |row| row.state.name());
    let is_same_kind = |row: &&Row| after.is_none_or(|after| after.kind == row.kind);
    let from = before.filter(is_same_kind).map(|row| row.state.name());
    let reason = "another process committed it".to_owned();
    let entry_digest = after.or(before)?.entry_digest;
    let record =
        AuditRecord { source: change.source()?.clone(), transition: Transition { from, to, reason, entry_digest, at } };
    (from != Some(to)).then_some(record)
}
