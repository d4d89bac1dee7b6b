//! The catalog in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use mangrove_domain::{
    description::Description,
    digest::Digest,
    observation::CatalogView,
    ports::{AttemptCache, Catalog, CatalogError, Commit, CommitOutcome, Names, NumberedRecord, Write},
    problem::{Code, Problem},
    row::Row,
    settle::AuditRecord,
    source::{Kind, SourceId},
    state::State,
    time::Timestamp,
    type_name::TypeName,
};

use super::{MemoryStore, lock};

/// A catalog in memory that panics on whatever its callers must not do:
///
/// - a row that is `Bundled` or `Tombstoned`, or stands in a change of another source, or twice in one batch;
/// - an `Indexed` row without its description, or, [with a store](Self::with_store), with a bundle whose
///   closure was not put and synced before (I7);
/// - two resolvable rows of one kind and type (I2), unless a refused change of the same batch is the reason,
///   or [many write](Self::for_many_writers).
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    identity: Identity,
    content: Mutex<Content>,
    store: Option<Arc<MemoryStore>>,
    for_many_writers: bool,
    failures: Mutex<VecDeque<CatalogError>>,
    reads: Mutex<Vec<Option<BTreeSet<SourceId>>>>,
}

#[derive(Debug)]
struct Identity(String);

impl Default for Identity {
    fn default() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        Self(format!("memory {}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    rows: BTreeMap<SourceId, Row>,
    departed: BTreeMap<SourceId, Row>,
    descriptions: HashMap<Digest, Description>,
    transitions: Vec<NumberedRecord>,
    forgotten: u64,
    attempts: HashMap<Digest, Vec<u8>>,
    commits: usize,
    damaged: Vec<Problem>,
}

impl MemoryCatalog {
    /// An empty catalog that one process writes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty catalog that checks bundles against this store.
    #[must_use]
    pub fn with_store(store: Arc<MemoryStore>) -> Self {
        Self { store: Some(store), ..Self::default() }
    }

    /// The same catalog, written by several processes that do not know of each other: a type that is taken is
    /// a conflict.
    #[must_use]
    pub fn for_many_writers(self) -> Self {
        Self { for_many_writers: true, ..self }
    }

    /// Makes the next commit fail; several queue up.
    pub fn fail_next_commit(&self, error: CatalogError) {
        lock(&self.failures).push_back(error);
    }

    /// Makes the record of this row unreadable: snapshots leave it out and say so.
    pub fn damage(&self, source: &SourceId) {
        let mut content = lock(&self.content);
        content.rows.remove(source);
        content.damaged.push(Problem::warning(Code::CATALOG_ROW, source.to_string(), "cannot be read"));
    }

    /// Loses the description of this row, or damages it beyond use.
    ///
    /// # Panics
    /// If the row is not indexed.
    pub fn lose_description(&self, source: &SourceId) {
        let mut content = lock(&self.content);
        let row = content.rows.get(source);
        let Some(indexed) = row.and_then(|row| row.state.indexed()) else { panic!("{source} is not indexed") };
        let digest = indexed.description;
        content.descriptions.remove(&digest);
    }

    /// How many commits were applied.
    #[must_use]
    pub fn commits(&self) -> usize {
        lock(&self.content).commits
    }

    /// All rows, sorted by source.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        lock(&self.content).rows.values().cloned().collect()
    }

    /// Every transition in the order of the commits.
    #[must_use]
    pub fn audit(&self) -> Vec<AuditRecord> {
        lock(&self.content).transitions.iter().map(|numbered| numbered.record.clone()).collect()
    }

    /// What was read since the last call: these rows, or all of them (`None`).
    pub fn take_reads(&self) -> Vec<Option<BTreeSet<SourceId>>> {
        std::mem::take(&mut *lock(&self.reads))
    }

    fn view_of(&self, content: &Content) -> CatalogView {
        CatalogView {
            rows: content.rows.values().cloned().collect(),
            damaged: content.damaged.clone(),
            version: Some(self.version_of(content)),
            ..CatalogView::default()
        }
    }

    fn version_of(&self, content: &Content) -> Digest {
        let Content { commits, damaged, descriptions, .. } = content;
        let version = format!("{} {commits} {} {}", self.identity.0, damaged.len(), descriptions.len());
        Digest::of(version.as_bytes())
    }

    fn check(&self, commit: &Commit, content: &Content) {
        let mut seen = BTreeSet::new();
        for change in &commit.changes {
            assert!(seen.insert(&change.source), "{} stands twice in one batch", change.source);
            let Write::Put(row) = &change.write else { continue };
            assert_eq!(row.source, change.source, "a change carries the row of another source");
            match &row.state {
                State::Bundled { .. } | State::Tombstoned { .. } => {
                    panic!("{} is {} and must not be stored", row.source, row.state.name());
                }
                State::Indexed(indexed) => {
                    assert!(
                        content.descriptions.contains_key(&indexed.description)
                            || commit.descriptions.iter().any(|known| known.digest() == indexed.description),
                        "{} is Indexed and its description is nowhere",
                        row.source
                    );
                    for object in self.store.iter().flat_map(|_| indexed.bundle.closure()) {
                        assert!(
                            self.store.as_ref().is_none_or(|store| store.is_durable(object)),
                            "{} is Indexed (I7), but {} was not put and synced before",
                            row.source,
                            object.key
                        );
                    }
                }
                State::BundleBuildFailed { .. }
                | State::ValidationFailed { .. }
                | State::EntryPointUnreadable { .. }
                | State::OrphanedBundleOnly { .. } => {}
            }
        }
    }
}

/// The rows that hold a type that another resolvable row of the batch wants too.
fn taken(rows: &BTreeMap<SourceId, Row>, written: &[SourceId]) -> Option<SourceId> {
    let mut holders: BTreeMap<_, &SourceId> = BTreeMap::new();
    // Rows that are not of this batch hold first.
    let (foreign, own): (Vec<&Row>, Vec<&Row>) = rows.values().partition(|row| !written.contains(&row.source));
    for row in foreign.into_iter().chain(own).filter(|row| row.is_resolvable()) {
        if holders.insert((&row.kind, row.type_name()), &row.source).is_some() {
            return Some(row.source.clone());
        }
    }
    None
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn identity(&self) -> Result<Option<String>, CatalogError> {
        Ok(Some(self.identity.0.clone()))
    }

    async fn snapshot(&self) -> Result<CatalogView, CatalogError> {
        let content = lock(&self.content);
        lock(&self.reads).push(None);
        Ok(self.view_of(&content))
    }

    async fn rows(&self, sources: &BTreeSet<SourceId>) -> Result<CatalogView, CatalogError> {
        lock(&self.reads).push(Some(sources.clone()));
        let mut view = self.view_of(&lock(&self.content));
        view.rows.retain(|row| sources.contains(&row.source));
        let subjects: BTreeSet<String> = sources.iter().map(ToString::to_string).collect();
        view.damaged.retain(|problem| subjects.contains(&problem.subject));
        Ok(view)
    }

    async fn rows_named(&self, names: &Names) -> Result<CatalogView, CatalogError> {
        let mut view = self.view_of(&lock(&self.content));
        view.rows.retain(|row| names.is_one(&row.source.path, row.type_name()));
        // Nobody knows what a row goes by that cannot be read.
        view.damaged.clear();
        lock(&self.reads).push(Some(view.rows.iter().map(|row| row.source.clone()).collect()));
        Ok(view)
    }

    async fn mark(&self) -> Option<Digest> {
        let content = lock(&self.content);
        Some(Digest::of(format!("{} {} {}", self.identity.0, content.commits, content.damaged.len()).as_bytes()))
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, CatalogError> {
        if let Some(error) = lock(&self.failures).pop_front() {
            return Err(error);
        }
        let mut content = lock(&self.content);
        self.check(&commit, &content);
        let mut refused: BTreeSet<SourceId> = commit
            .changes
            .iter()
            .filter(|change| content.rows.get(&change.source).map_or(0, |row| row.revision) != change.expected_revision)
            .map(|change| change.source.clone())
            .collect();
        let (next, revisions) = loop {
            let mut next = content.clone();
            let mut revisions = Vec::new();
            for change in commit.changes.iter().filter(|change| !refused.contains(&change.source)) {
                match &change.write {
                    Write::Put(row) => {
                        let departed = next.departed.get(&change.source).map_or(0, |row| row.revision);
                        let revision = change.expected_revision.max(departed) + 1;
                        next.rows.insert(change.source.clone(), Row { revision, ..(**row).clone() });
                        revisions.push((change.source.clone(), revision));
                    }
                    Write::Delete => {
                        if let Some(row) = next.rows.remove(&change.source) {
                            next.departed.insert(change.source.clone(), row);
                        }
                    }
                }
                if let Some(transition) = &change.transition {
                    let transition = transition.clone();
                    let record = AuditRecord { source: change.source.clone(), transition };
                    let number = next.forgotten + next.transitions.len() as u64 + 1;
                    next.transitions.push(NumberedRecord { number, record });
                }
            }
            let written: Vec<SourceId> = revisions.iter().map(|(source, _)| source.clone()).collect();
            let Some(loser) = taken(&next.rows, &written) else { break (next, revisions) };
            assert!(
                self.for_many_writers || !refused.is_empty(),
                "{loser} takes a type that another resolvable row holds (I2)"
            );
            refused.insert(loser);
        };
        let version_before = Some(self.version_of(&content));
        *content = next;
        content.descriptions.extend(commit.descriptions.iter().map(|known| (known.digest(), known.clone())));
        content.commits += 1;
        let conflicts = commit.changes.iter().map(|change| &change.source).filter(|source| refused.contains(*source));
        let version = Some(self.version_of(&content));
        Ok(CommitOutcome { conflicts: conflicts.cloned().collect(), revisions, version_before, version })
    }

    async fn description(&self, digest: Digest) -> Result<Option<Description>, CatalogError> {
        Ok(lock(&self.content).descriptions.get(&digest).cloned())
    }

    async fn transitions(&self, source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError> {
        let content = lock(&self.content);
        let records = content.transitions.iter().map(|numbered| &numbered.record);
        Ok(records.filter(|record| record.source == *source).cloned().collect())
    }

    async fn history(&self, before: Option<u64>, limit: u32) -> Result<Vec<NumberedRecord>, CatalogError> {
        let content = lock(&self.content);
        let numbered = content.transitions.iter();
        let wanted = numbered.filter(|numbered| before.is_none_or(|before| numbered.number < before));
        let mut page: Vec<NumberedRecord> = wanted.cloned().collect();
        page.reverse();
        page.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(page)
    }

    async fn departed(&self, kind: &Kind, type_name: &TypeName) -> Result<Vec<SourceId>, CatalogError> {
        let content = lock(&self.content);
        let had = content.departed.values().filter(|row| row.kind == *kind && row.type_name() == Some(type_name));
        Ok(had.map(|row| row.source.clone()).filter(|source| !content.rows.contains_key(source)).collect())
    }

    async fn forget_history(&self, before: Timestamp) -> Result<u64, CatalogError> {
        let mut content = lock(&self.content);
        let latest: HashMap<SourceId, u64> =
            content.transitions.iter().map(|numbered| (numbered.record.source.clone(), numbered.number)).collect();
        let all = content.transitions.len();
        content.transitions.retain(|NumberedRecord { number, record }| {
            record.transition.at >= before || latest.get(&record.source) == Some(number)
        });
        let forgotten = (all - content.transitions.len()) as u64;
        content.forgotten += forgotten;
        Ok(forgotten)
    }
}

#[async_trait]
impl AttemptCache for MemoryCatalog {
    async fn cached(&self, key: Digest) -> Result<Option<Vec<u8>>, CatalogError> {
        Ok(lock(&self.content).attempts.get(&key).cloned())
    }

    async fn cache(&self, key: Digest, found: &[u8]) -> Result<(), CatalogError> {
        lock(&self.content).attempts.insert(key, found.to_vec());
        Ok(())
    }
}
