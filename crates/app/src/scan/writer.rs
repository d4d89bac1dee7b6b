//! The last part of the pipeline: settled rows go to the catalog in batches and are published.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{
    claims,
    description::Description,
    index::TypeIndex,
    plan::Step,
    ports::{Change, Commit, Write},
    row::Row,
    settle::{self, Settled, Transition},
    source::SourceId,
    time::Timestamp,
};

use super::{Edition, Scanner, error::Error, report::Report};
use crate::attachment;

/// A batch is committed when it has this many rows …
const BATCH_ROWS: usize = 256;
/// … or its oldest row is this old.
const BATCH_AGE: Duration = Duration::from_secs(1);

/// Collects settled rows and commits them.
pub(super) struct Writer<'a> {
    scanner: &'a Scanner,
    /// The rows as they are after everything accepted so far.
    rows: BTreeMap<SourceId, Arc<Row>>,
    /// The revision of each row that the steps were planned on; our own commits move it, nobody else's do.
    planned: BTreeMap<SourceId, u64>,
    pending: BTreeMap<SourceId, Pending>,
    descriptions: Vec<Description>,
    opened: Option<Timestamp>,
    again: BTreeSet<SourceId>,
    /// What had been published when `rows` were read.
    edition: Edition,
}

/// What the next batch does to one row: writes it as it is in `rows`, or deletes it if it is not there.
struct Pending {
    /// The revision that the row must have.
    expected_revision: u64,
    transition: Option<Transition>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(scanner: &'a Scanner, rows: Vec<Row>, edition: Edition) -> Self {
        Self {
            scanner,
            planned: rows.iter().map(|row| (row.source.clone(), row.revision)).collect(),
            rows: by_source(rows),
            pending: BTreeMap::new(),
            descriptions: Vec::new(),
            opened: None,
            again: BTreeSet::new(),
            edition,
        }
    }

    /// The row as it is now.
    pub(super) fn row(&self, source: &SourceId) -> Option<&Arc<Row>> {
        self.rows.get(source)
    }

    /// What becomes of the row of a step. A row that somebody else committed since the step was planned on it is
    /// observed again instead: what was found out may be about a row that is no longer there (I9).
    pub(super) fn settle(&self, step: &Step, settle: impl FnOnce(Option<&Row>) -> Settled) -> Settled {
        let settled = settle(self.row(&step.source).map(AsRef::as_ref));
        let is_silent = settled == Settled::Unchanged && !step.action.is_attempt();
        if is_silent || !self.has_moved(&step.source) { settled } else { Settled::ObserveAgain }
    }

    fn has_moved(&self, source: &SourceId) -> bool {
        self.rows.get(source).map(|row| row.revision) != self.planned.get(source).copied()
    }

    /// Takes the outcome of one step; commits when a batch is full or old.
    pub(super) async fn accept(
        &mut self,
        step: &Step,
        settled: Settled,
        description: Option<Description>,
        report: &mut Report,
    ) -> Result<(), Error> {
        match &settled {
            Settled::Unchanged => return Ok(()),
            Settled::ObserveAgain => {
                self.again.insert(step.source.clone());
                return Ok(());
            }
            Settled::Write(_) | Settled::Delete(_) => {}
        }
        let now = self.scanner.ports.clock.now();
        let before = self.rows.remove(&step.source);
        let transition = settle::transition(before.as_deref(), &settled, &step.verdict.to_string(), now);
        if let Settled::Write(row) = settled {
            self.rows.insert(step.source.clone(), Arc::from(row));
        }
        self.descriptions.extend(description);
        let expected_revision = before.map_or(0, |row| row.revision);
        self.pending.insert(step.source.clone(), Pending { expected_revision, transition });
        let opened = *self.opened.get_or_insert(now);
        if self.pending.len() >= BATCH_ROWS || now.since(opened) >= BATCH_AGE {
            self.commit(report).await?;
        }
        Ok(())
    }

    /// Commits what is left, publishes, and gives the sources that must be looked at again.
    pub(super) async fn finish(mut self, report: &mut Report) -> Result<BTreeSet<SourceId>, Error> {
        if !self.pending.is_empty() {
            self.commit(report).await?;
        }
        // Nothing was committed since our rows were read, by us or by another scan: they are the world, as far as
        // this process knows. Otherwise what is published is newer than they are.
        let mut edition = self.scanner.edition.lock().await;
        let claimed = claims::resolve(self.rows.values().map(AsRef::as_ref)).problems;
        report.rows = std::mem::take(&mut self.rows).into_values().collect();
        if *edition == self.edition {
            *edition += 1;
            self.scanner.publish(report.rows.iter().cloned());
        }
        drop(edition);
        let index = TypeIndex::build(report.rows.iter().cloned());
        let attached = attachment::problems(self.scanner.ports.catalog.as_ref(), &index).await;
        report.add_problems(claimed.into_iter().chain(attached.map_err(Error::reading_catalog)?));
        Ok(self.again)
    }

    /// Files first, then the rows that name them, then the readers.
    async fn commit(&mut self, report: &mut Report) -> Result<(), Error> {
        let scanner = self.scanner;
        scanner.ports.store.sync().await.map_err(Error::writing_store)?;
        // One commit at a time, each on top of the one before: claims are told from all rows, and a snapshot that is
        // published later must not be older.
        let mut edition = scanner.edition.lock().await;
        if *edition != self.edition {
            self.catch_up().await?;
        }
        self.apply_claims();
        let commit = self.take_batch();
        report.changed.extend(commit.changes.iter().map(|change| change.source.clone()));
        let outcome = scanner.ports.catalog.commit(commit).await.map_err(Error::writing_catalog)?;
        for (source, revision) in outcome.revisions {
            if let Some(row) = self.rows.get_mut(&source) {
                if self.planned.get(&source).copied().unwrap_or(0) == row.revision {
                    self.planned.insert(source, revision);
                }
                Arc::make_mut(row).revision = revision;
            }
        }
        self.take_back(&outcome.conflicts).await?;
        self.again.extend(outcome.conflicts);
        self.opened = None;
        self.publish(&mut edition);
        Ok(())
    }

    fn take_batch(&mut self) -> Commit {
        let now = self.scanner.ports.clock.now();
        let mut changes: Vec<Change> = std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(source, Pending { expected_revision, transition })| {
                let row = self.rows.get(&source);
                let write = row.map_or(Write::Delete, |row| Write::Put(Box::new(Row::clone(row))));
                let transition = transition.map(|transition| Transition { at: now, ..transition });
                Change { source, expected_revision, write, transition }
            })
            .collect();
        changes.sort_by_key(|change| match &change.write {
            Write::Delete => 0,
            Write::Put(row) => 1 + u8::from(row.is_resolvable()),
        });
        Commit { changes, descriptions: std::mem::take(&mut self.descriptions) }
    }

    /// Takes over what other scans committed since our rows were read. A row of this batch that they changed too
    /// keeps the revision that it was planned on: the catalog refuses it, and it is planned again (I9).
    async fn catch_up(&mut self) -> Result<(), Error> {
        let held = by_source(self.scanner.snapshot().await?.rows);
        let mut rows = std::mem::replace(&mut self.rows, held);
        for source in self.pending.keys() {
            match rows.remove(source) {
                Some(row) => self.rows.insert(source.clone(), row),
                None => self.rows.remove(source),
            };
        }
        Ok(())
    }

    /// What the catalog refused was not written: the rows are what it holds, and nobody is told otherwise.
    async fn take_back(&mut self, refused: &[SourceId]) -> Result<(), Error> {
        if refused.is_empty() {
            return Ok(());
        }
        let held = self.scanner.snapshot().await?.rows;
        for source in refused {
            self.rows.remove(source);
        }
        self.rows.extend(by_source(held.into_iter().filter(|row| refused.contains(&row.source))));
        Ok(())
    }

    /// Who resolves is known only now that types are: rows whose claim changed join the batch.
    fn apply_claims(&mut self) {
        let claims = claims::resolve(self.rows.values().map(AsRef::as_ref));
        for (source, row) in &mut self.rows {
            let is_as_claimed = claims.shadowed_by.get(source) == row.shadowed_by.as_ref()
                && claims.fallbacks.contains(source) == row.shadow_fallback;
            if !is_as_claimed && claims.mark(Arc::make_mut(row)) {
                let expected_revision = row.revision;
                self.pending.entry(source.clone()).or_insert(Pending { expected_revision, transition: None });
            }
        }
    }

    fn publish(&mut self, edition: &mut Edition) {
        *edition += 1;
        self.edition = *edition;
        self.scanner.publish(self.rows.values().cloned());
    }
}

fn by_source(rows: impl IntoIterator<Item = Row>) -> BTreeMap<SourceId, Arc<Row>> {
    rows.into_iter().map(|row| (row.source.clone(), Arc::new(row))).collect()
}
