//! The last part of the pipeline: settled rows go to the catalog in batches and are published.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{
    bundle::UNLIKE_DENO,
    claims,
    description::Description,
    digest::Digest,
    foreign_state::ForeignState,
    index::{Replaced, TypeIndex},
    observation::CatalogView,
    plan::Step,
    ports::{Change, Commit, Write},
    problem::{Code, Problem},
    row::Row,
    seal,
    settle::{self, AuditRecord, Settled, Transition},
    source::{Kind, SourceId},
    time::Timestamp,
    type_name::TypeName,
};
use tokio::time::Instant;

use super::{
    error::Error,
    ports::Ports,
    publisher::{Publisher, Publishing},
    report::Report,
    rivals::Held,
};
use crate::attachment;

/// A batch is committed when it has this many rows …
const BATCH_ROWS: usize = 256;
/// … or its oldest row is this old, whatever the scan still waits for.
const BATCH_AGE: Duration = Duration::from_secs(1);

/// Collects settled rows and commits them.
pub(super) struct Writer<'a> {
    ports: &'a Ports,
    publisher: &'a Publisher,
    /// The rows as they are after everything accepted so far.
    index: TypeIndex,
    /// The rows that the steps were planned on, and the revisions that our own commits gave to some of them since.
    planned: TypeIndex,
    committed: HashMap<SourceId, u64>,
    pending: BTreeMap<SourceId, Pending>,
    descriptions: Vec<Description>,
    /// When the batch began, and when it is due although nothing more comes; `None` while it is empty.
    opened: Option<(Timestamp, Instant)>,
    /// The types whose claims must be resolved with the next batch.
    touched: Touched,
    again: Again,
    /// Until the batch is committed.
    held: Held,
    /// Sources whose rows were read again since the latest publication of this writer.
    elsewhere: BTreeSet<SourceId>,
    /// What had been published when the rows were read.
    edition: u64,
    /// Names what the catalog holds if the index is of that; `None` when others have committed since.
    version: Option<Digest>,
    reach: Reach,
}

/// Which rows the index holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reach {
    /// All.
    Whole,
    /// Those that are tried. What is known of all others holds while these keep their standing.
    Tried {
        rest: Rest,
        /// One of them did not keep its standing.
        is_disturbed: bool,
    },
}

/// What is to be known of the rows that are tried, and of all others, to tell whether these mean the same for those as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// Problems of others quote what the failures of these say.
    pub(super) is_quoted: bool,
    /// The sources among them that were edited.
    pub(super) edited: BTreeSet<SourceId>,
    /// The types that rows add to.
    pub(super) extended: BTreeSet<(Kind, TypeName)>,
}

/// What is left when everything is committed.
pub(super) struct Finished {
    /// The sources that must be looked at again.
    pub(super) again: Again,
    /// The rows as they are now, sorted by source.
    pub(super) rows: Vec<Arc<Row>>,
    /// True if these are all rows; else no row of a tried source has another standing than before.
    pub(super) is_whole: bool,
    /// Names what the catalog holds, if these rows are of that and nobody else has committed meanwhile.
    pub(super) version: Option<Digest>,
    /// What is wrong among all rows: claims, and add-ons. Empty if not all rows are known.
    pub(super) claimed: Vec<Problem>,
}

/// What the next batch does to one row: writes it as it is in the index, or deletes it if it is not there.
struct Pending {
    /// The revision that the row must have.
    expected_revision: u64,
    transition: Option<Transition>,
}

/// Sources that must be looked at again.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// They, or their rows, moved under this scan: what it tried is tried again.
    pub(super) moved: BTreeSet<SourceId>,
    /// Another process tried them meanwhile. If that failed, it is not tried again for it.
    pub(super) made_elsewhere: BTreeSet<SourceId>,
}

impl Again {
    pub(super) fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.made_elsewhere.is_empty()
    }
}

/// Types whose claimants changed.
enum Touched {
    /// Any: rows came from elsewhere.
    All,
    /// These.
    Types(BTreeSet<(Kind, TypeName)>),
}

impl Touched {
    fn add(&mut self, row: &Row) {
        if let (Touched::Types(types), Some(type_name)) = (self, row.type_name()) {
            types.insert((row.kind.clone(), type_name.clone()));
        }
    }
}

impl<'a> Writer<'a> {
    /// A writer on top of `index`, which holds the rows that the plan was made of: all rows, of this version of the catalog.
    /// `edition` says what had been published when they were read.
    pub(super) fn new(
        ports: &'a Ports,
        publisher: &'a Publisher,
        index: TypeIndex,
        (edition, version): (u64, Option<Digest>),
    ) -> Self {
        Self {
            version,
            reach: Reach::Whole,
            ports,
            publisher,
            planned: index.clone(),
            committed: HashMap::new(),
            index,
            pending: BTreeMap::new(),
            descriptions: Vec::new(),
            opened: None,
            touched: Touched::All,
            again: Again::default(),
            held: Held::default(),
            elsewhere: BTreeSet::new(),
            edition,
        }
    }

    /// A writer on top of what was published as this edition, whose claims are settled.
    pub(super) fn over_published(
        ports: &'a Ports,
        publisher: &'a Publisher,
        index: TypeIndex,
        begun: (u64, Option<Digest>),
    ) -> Self {
        Self { touched: Touched::Types(BTreeSet::new()), ..Self::new(ports, publisher, index, begun) }
    }

    /// A writer on top of the rows of the sources that are tried, where what is known of all others is known to hold. All
    /// rows are read as soon as one of these means something else for them.
    pub(super) fn over_rest(
        ports: &'a Ports,
        publisher: &'a Publisher,
        index: TypeIndex,
        (edition, version): (u64, Digest),
        rest: Rest,
    ) -> Self {
        let reach = Reach::Tried { rest, is_disturbed: false };
        Self { reach, ..Self::new(ports, publisher, index, (edition, Some(version))) }
    }

    /// The row as it is now.
    pub(super) fn row(&self, source: &SourceId) -> Option<&Arc<Row>> {
        self.index.row(source)
    }

    /// What becomes of the row of a step. A row that somebody else committed since the step was planned on it is
    /// observed again instead: what was found out may be about a row that is no longer there (I9).
    pub(super) fn settle(&self, step: &Step, settle: impl FnOnce(Option<&Row>) -> Settled) -> Settled {
        let settled = settle(self.row(&step.source).map(AsRef::as_ref));
        let is_silent = settled == Settled::Unchanged && !step.action.is_attempt();
        if is_silent || !self.has_moved(&step.source) { settled } else { Settled::ObserveAgain }
    }

    fn has_moved(&self, source: &SourceId) -> bool {
        self.row(source).map(|row| row.revision) != self.planned_revision(source)
    }

    /// The revision that steps for this source are planned on. Our own commits move it, nobody else's do.
    fn planned_revision(&self, source: &SourceId) -> Option<u64> {
        self.committed.get(source).copied().or_else(|| Some(self.planned.row(source)?.revision))
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
                self.again.moved.insert(step.source.clone());
                return Ok(());
            }
            Settled::Write(_) | Settled::Delete(_) => {}
        }
        let now = self.ports.clock.now();
        let before = self.row(&step.source).map(Arc::clone);
        let transition = settle::transition(before.as_deref(), &settled, &step.verdict.to_string(), now);
        if let Some(before) = &before {
            self.touched.add(before);
        }
        self.note_standing(before.as_deref(), &settled);
        if let Settled::Write(row) = settled {
            self.touched.add(&row);
            self.index.put(Arc::from(row));
        } else {
            self.index.remove(&step.source);
        }
        let is_foreign = |note: &String| ForeignState::of_remark(note);
        if let Some(foreign) = description.iter().flat_map(|description| &description.notes).find_map(is_foreign) {
            report.add_problems([foreign.problem(&step.source.to_string())]);
        }
        let notes = description.iter().flat_map(|description| &description.notes);
        let unlike_deno = notes.filter(|note| note.starts_with(UNLIKE_DENO)).map(|note| {
            let hint = "correct the source, or check that nothing depends on it";
            Problem::warning(Code::UNLIKE_DENO, step.source.to_string(), note.clone()).advise(hint)
        });
        report.add_problems(unlike_deno);
        self.descriptions.extend(description);
        let expected_revision = before.map_or(0, |row| row.revision);
        self.pending.insert(step.source.clone(), Pending { expected_revision, transition });
        let (opened, _) = *self.opened.get_or_insert_with(|| (now, Instant::now() + BATCH_AGE));
        if self.pending.len() >= BATCH_ROWS || now.since(opened) >= BATCH_AGE {
            self.commit(report).await?;
        }
        Ok(())
    }

    fn note_standing(&mut self, before: Option<&Row>, settled: &Settled) {
        if let Reach::Tried { rest, is_disturbed } = &mut self.reach {
            let keeps = match (before, settled) {
                (Some(before), Settled::Write(row)) => {
                    let keeps_claims =
                        rest.edited.contains(&row.source) && seal::keeps_claims(before, row, &rest.extended);
                    keeps_claims || seal::keeps_standing(before, row, rest.is_quoted)
                }
                _ => false,
            };
            *is_disturbed |= !keeps;
        }
    }

    /// As [`accept`](Self::accept), for what was found out while this was held.
    pub(super) async fn accept_held(
        &mut self,
        step: &Step,
        settled: Settled,
        description: Option<Description>,
        held: Held,
        report: &mut Report,
    ) -> Result<(), Error> {
        self.held.add(held);
        self.accept(step, settled, description, report).await?;
        if self.pending.is_empty() {
            self.held.let_go(self.ports).await;
        }
        Ok(())
    }

    /// Leaves a source to the next pass, because another process made its attempt.
    pub(super) fn look_again(&mut self, source: SourceId) {
        self.again.made_elsewhere.insert(source);
    }

    /// Returns when the batch is old enough to be committed; never while it is empty.
    pub(super) async fn batch_is_due(&self) {
        match self.opened {
            Some((_, due)) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Commits what is left.
    pub(super) async fn finish(mut self, report: &mut Report) -> Result<Finished, Error> {
        if !self.pending.is_empty() {
            self.commit(report).await?;
        }
        let is_whole = self.reach == Reach::Whole;
        let mut claimed = Vec::new();
        if is_whole {
            claimed = claims::resolve(self.index.rows().map(AsRef::as_ref)).problems;
            let attached = attachment::problems(self.ports.catalog.as_ref(), &self.index).await;
            claimed.extend(attached.map_err(Error::reading_catalog)?);
        }
        let rows = self.index.rows().map(Arc::clone).collect();
        Ok(Finished { again: self.again, rows, is_whole, version: self.version, claimed })
    }

    /// Files first, then the rows that name them, then the readers.
    pub(super) async fn commit(&mut self, report: &mut Report) -> Result<(), Error> {
        self.ports.store.sync().await.map_err(Error::writing_store)?;
        // One commit at a time, each on top of the one before: claims are resolved among all rows, and a snapshot that
        // is published later must not be older.
        let mut publishing = self.publisher.lock().await;
        if publishing.edition() != self.edition {
            self.catch_up().await?;
        } else if matches!(self.reach, Reach::Tried { is_disturbed: true, .. }) {
            self.read_all(&mut publishing).await?;
        }
        if self.reach == Reach::Whole {
            self.apply_claims();
        }
        let commit = self.take_batch();
        let mut changed: BTreeSet<SourceId> = commit.changes.iter().map(|change| change.source.clone()).collect();
        report.changed.extend(changed.iter().cloned());
        let mut transitions = transitions(&commit);
        let outcome = self.ports.catalog.commit(commit).await.map_err(Error::writing_catalog)?;
        let is_ours = self.version.is_some() && self.version == outcome.version_before;
        self.version = outcome.version.filter(|_| is_ours);
        for (source, revision) in outcome.revisions {
            if let Some(row) = self.index.row(&source) {
                let committed = Row { revision, ..Row::clone(row) };
                if self.planned_revision(&source).unwrap_or(0) == row.revision {
                    self.committed.insert(source, revision);
                }
                self.index.put(Arc::new(committed));
            }
        }
        self.take_back(&outcome.conflicts).await?;
        for refused in &outcome.conflicts {
            changed.remove(refused);
            transitions.retain(|record| record.source != *refused);
        }
        self.again.moved.extend(outcome.conflicts);
        self.held.let_go(self.ports).await;
        self.opened = None;
        let elsewhere = std::mem::take(&mut self.elsewhere);
        // Of a few rows no snapshot can be made; whoever publishes one finds what was committed.
        if self.reach != Reach::Whole {
            return Ok(());
        }
        publishing.publish((&self.index, self.version), changed, transitions, &elsewhere, self.ports.clock.now());
        self.edition = publishing.edition();
        Ok(())
    }

    fn take_batch(&mut self) -> Commit {
        let now = self.ports.clock.now();
        let mut changes: Vec<Change> = std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(source, Pending { expected_revision, transition })| {
                let row = self.index.row(&source);
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
        let held = self.ports.catalog.snapshot().await.map_err(Error::reading_catalog)?;
        let version = version_of(&held);
        let ours = self.pending_rows();
        let replaced = self.index.replace(held.rows);
        self.elsewhere.extend(replaced.iter().filter_map(Replaced::source).cloned());
        self.put_back(ours, version);
        Ok(())
    }

    /// Reads all rows, where only those that are tried were known, and publishes them as a scan does that begins with
    /// them.
    async fn read_all(&mut self, publishing: &mut Publishing<'_>) -> Result<(), Error> {
        let mark = self.ports.catalog.mark().await;
        let held = self.ports.catalog.snapshot().await.map_err(Error::reading_catalog)?;
        let version = version_of(&held);
        let ours = self.pending_rows();
        publishing.replace((held.rows, held.version), mark, self.ports.clock.now());
        self.edition = publishing.edition();
        self.index = TypeIndex::clone(&self.publisher.current());
        self.put_back(ours, version);
        Ok(())
    }

    fn pending_rows(&self) -> Vec<(SourceId, Option<Arc<Row>>)> {
        self.pending.keys().map(|source| (source.clone(), self.index.row(source).map(Arc::clone))).collect()
    }

    /// Puts the rows of this batch on top of all rows, which were read when the catalog had this version.
    fn put_back(&mut self, ours: Vec<(SourceId, Option<Arc<Row>>)>, version: Option<Digest>) {
        for (source, row) in ours {
            match row {
                Some(row) => self.index.put(row),
                None => self.index.remove(&source),
            };
        }
        self.touched = Touched::All;
        self.version = version;
        self.reach = Reach::Whole;
    }

    /// What the catalog refused was not written: the rows are what it holds, and nothing else is reported.
    async fn take_back(&mut self, refused: &[SourceId]) -> Result<(), Error> {
        if refused.is_empty() {
            return Ok(());
        }
        let held = self.ports.catalog.snapshot().await.map_err(Error::reading_catalog)?.rows;
        for source in refused {
            self.index.remove(source);
            self.elsewhere.insert(source.clone());
        }
        for row in held.into_iter().filter(|row| refused.contains(&row.source)) {
            self.index.put(Arc::new(row));
        }
        self.touched = Touched::All;
        self.version = None;
        Ok(())
    }

    /// Who resolves is known only now that types are: rows whose claim changed join the batch. Claims of one type do
    /// not depend on other types, so that those whose claimants did not change are left alone.
    fn apply_claims(&mut self) {
        let rows: Vec<Arc<Row>> = match std::mem::replace(&mut self.touched, Touched::Types(BTreeSet::new())) {
            Touched::All => self.index.rows().map(Arc::clone).collect(),
            Touched::Types(types) => {
                let claimants = types.iter().flat_map(|(kind, name)| self.index.claimants(kind, name));
                // Those that claim no type any more, too.
                let pending = self.pending.keys().filter_map(|source| self.index.row(source)).map(Arc::clone);
                let rows = claimants.chain(pending).map(|row| (row.source.clone(), row));
                rows.collect::<BTreeMap<_, _>>().into_values().collect()
            }
        };
        let claims = claims::resolve(rows.iter().map(AsRef::as_ref));
        for row in rows {
            let is_marked = claims.shadowed_by.get(&row.source) == row.shadowed_by.as_ref()
                && claims.fallbacks.contains(&row.source) == row.shadow_fallback;
            if is_marked {
                continue;
            }
            let expected_revision = row.revision;
            let mut row = Row::clone(&row);
            claims.mark(&mut row);
            self.pending.entry(row.source.clone()).or_insert(Pending { expected_revision, transition: None });
            self.index.put(Arc::new(row));
        }
    }
}

/// Names rows that could all be read.
fn version_of(view: &CatalogView) -> Option<Digest> {
    view.version.filter(|_| view.damaged.is_empty() && view.unreadable.is_empty())
}

fn transitions(commit: &Commit) -> Vec<AuditRecord> {
    let transitions = commit.changes.iter().filter_map(|change| {
        Some(AuditRecord { source: change.source.clone(), transition: change.transition.clone()? })
    });
    transitions.collect()
}
