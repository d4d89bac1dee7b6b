//! The second half of the pipeline: settled rows go to the catalog in batches and are published.

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
    settle::{self, Settled},
    source::SourceId,
    time::Timestamp,
};

use super::{Edition, Error, Report, Scanner};
use crate::attachment;

/// A batch is committed when it has this many rows …
const BATCH_ROWS: usize = 256;
/// … or its oldest row is this old.
const BATCH_AGE: Duration = Duration::from_secs(1);

/// Collects settled rows and commits them.
pub(super) struct Writer<'a> {
    scanner: &'a Scanner,
    /// The rows as they are after everything accepted so far.
    rows: BTreeMap<SourceId, Row>,
    /// The revision of each row that the steps were planned on; our own commits move it, nobody else's do.
    planned: BTreeMap<SourceId, u64>,
    pending: BTreeMap<SourceId, Pending>,
    descriptions: Vec<Description>,
    opened: Option<Timestamp>,
    again: BTreeSet<SourceId>,
    /// What had been published when `rows` were read.
    edition: Edition,
}

/// What the next batch does to one row.
struct Pending {
    before: Option<Row>,
    settled: Settled,
    reason: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(scanner: &'a Scanner, rows: Vec<Row>, edition: Edition) -> Self {
        Self {
            scanner,
            planned: rows.iter().map(|row| (row.source.clone(), row.revision)).collect(),
            rows: rows.into_iter().map(|row| (row.source.clone(), row)).collect(),
            pending: BTreeMap::new(),
            descriptions: Vec::new(),
            opened: None,
            again: BTreeSet::new(),
            edition,
        }
    }

    /// The row as it is now.
    pub(super) fn row(&self, source: &SourceId) -> Option<&Row> {
        self.rows.get(source)
    }

    /// What becomes of the row of a step. A row that somebody else committed since the step was planned on it is
    /// observed again instead: what was found out may be about a row that is no longer there (I9).
    pub(super) fn settle(&self, step: &Step, settle: impl FnOnce(Option<&Row>) -> Settled) -> Settled {
        let settled = settle(self.row(&step.source));
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
        let before = self.rows.remove(&step.source);
        if let Settled::Write(row) = &settled {
            self.rows.insert(step.source.clone(), (**row).clone());
        }
        self.descriptions.extend(description);
        self.pending.insert(step.source.clone(), Pending { before, settled, reason: step.verdict.to_string() });
        let now = self.scanner.ports.clock.now();
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
        let claimed = claims::resolve(self.rows.values()).problems;
        report.rows = std::mem::take(&mut self.rows).into_values().map(Arc::new).collect();
        if *edition == self.edition {
            *edition += 1;
            self.scanner.publish(report.rows.iter().cloned());
        }
        drop(edition);
        let index = TypeIndex::build(report.rows.iter().cloned());
        let attached = attachment::problems(self.scanner.ports.catalog.as_ref(), &index).await?;
        for problem in claimed.into_iter().chain(attached) {
            // An earlier pass may have said so already.
            if !report.problems.contains(&problem) {
                report.problems.push(problem);
            }
        }
        Ok(self.again)
    }

    /// Files first, then the rows that name them, then the readers.
    async fn commit(&mut self, report: &mut Report) -> Result<(), Error> {
        let scanner = self.scanner;
        scanner.ports.store.sync().await.map_err(|source| Error::Store { doing: "writing", source })?;
        // One commit at a time, each on top of the one before: claims are told from all rows, and a snapshot that is
        // published later must not be older.
        let mut edition = scanner.edition.lock().await;
        if *edition != self.edition {
            self.catch_up().await?;
        }
        self.apply_claims();
        let pending = std::mem::take(&mut self.pending);
        let now = scanner.ports.clock.now();
        let mut changes: Vec<Change> = pending
            .into_iter()
            .map(|(source, pending)| {
                let transition = settle::transition(pending.before.as_ref(), &pending.settled, &pending.reason, now);
                let write = match pending.settled {
                    Settled::Write(_) => {
                        self.rows.get(&source).map_or(Write::Delete, |row| Write::Put(Box::new(row.clone())))
                    }
                    Settled::Delete(_) | Settled::Unchanged | Settled::ObserveAgain => Write::Delete,
                };
                let expected_revision = pending.before.map_or(0, |row| row.revision);
                Change { source, expected_revision, write, transition }
            })
            .collect();
        changes.sort_by_key(|change| match &change.write {
            Write::Delete => 0,
            Write::Put(row) => 1 + u8::from(row.is_resolvable()),
        });
        report.changed.extend(changes.iter().map(|change| change.source.clone()));
        let commit = Commit { changes, descriptions: std::mem::take(&mut self.descriptions) };
        let outcome =
            scanner.ports.catalog.commit(commit).await.map_err(|source| Error::Catalog { doing: "writing", source })?;
        for (source, revision) in outcome.revisions {
            if let Some(row) = self.rows.get_mut(&source) {
                if self.planned.get(&source).copied().unwrap_or(0) == row.revision {
                    self.planned.insert(source, revision);
                }
                row.revision = revision;
            }
        }
        self.take_back(&outcome.conflicts).await?;
        self.again.extend(outcome.conflicts);
        self.opened = None;
        self.publish(&mut edition);
        Ok(())
    }

    /// Takes over what other scans committed since our rows were read. A row of this batch that they changed too
    /// keeps the revision that it was planned on: the catalog refuses it, and it is planned again (I9).
    async fn catch_up(&mut self) -> Result<(), Error> {
        let mut rows = std::mem::take(&mut self.rows);
        let snapshot = self.scanner.snapshot().await?.rows;
        self.rows = snapshot.into_iter().map(|row| (row.source.clone(), row)).collect();
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
        let held = held.into_iter().filter(|row| refused.contains(&row.source));
        self.rows.extend(held.map(|row| (row.source.clone(), row)));
        Ok(())
    }

    /// Who resolves is known only now that types are: rows whose claim changed join the batch.
    fn apply_claims(&mut self) {
        let claims = claims::resolve(self.rows.values());
        for row in self.rows.values_mut() {
            let (shadowed_by, shadow_fallback) = (row.shadowed_by.clone(), row.shadow_fallback);
            if claims.mark(row) {
                let before = Row { shadowed_by, shadow_fallback, ..row.clone() };
                let settled = Settled::Write(Box::new(row.clone()));
                let reason = row.shadowed_by.as_ref().map_or_else(
                    || "no other source claims its type before it".to_owned(),
                    |winner| format!("{winner} claims its type before it"),
                );
                self.pending.entry(row.source.clone()).or_insert(Pending { before: Some(before), settled, reason });
            }
        }
    }

    fn publish(&mut self, edition: &mut Edition) {
        *edition += 1;
        self.edition = *edition;
        self.scanner.publish(self.rows.values().map(|row| Arc::new(row.clone())));
    }
}
