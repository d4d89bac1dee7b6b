//! The one pipeline: observe → plan → build → inspect → settle + claims → commit → publish.
//!
//! Cold start, warm start, reconcile, dry run, `retry` and "this type was asked for and is not ready" are all calls of
//! one [`Scanner`]; there is no second path (`design/freshness.md`). A scan is two calls: [`Scanner::look`] gives what
//! sources and catalog hold, and [`Scanner::carry_out`] does what follows from it for the sources that the caller
//! chooses. [`Scanner::scan`] is both, for the scope of its request.

mod attempt;
mod builds;
mod carry_out;
pub(crate) mod descriptions;
mod edits;
mod error;
mod named;
mod needs;
mod observe;
mod overtaken;
mod ports;
mod publisher;
mod report;
mod request;
mod rivals;
mod sealed;
mod seals;
mod shipped;
mod verify;
mod writer;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mangrove_domain::{
    advice::{Advice, UserAction},
    digest::Digest,
    failure::CauseKey,
    index::TypeIndex,
    observation::{CatalogView, DiskView},
    plan::{self, Answered, Plan, Policy, Removals, Retry, Scope},
    ports::{AttemptCache, Catalog, Event, Phase},
    problem::{Code, Problem},
    seal::Seal,
    source::SourceId,
    time::Timestamp,
};
use tracing::Instrument as _;

#[expect(clippy::module_name_repetitions, reason = "several parts have requests; the name says whose this one is")]
pub use self::request::ScanRequest;
use self::{
    carry_out::CarryOut,
    needs::Needs,
    observe::{ObserveOutcome, Start},
    publisher::Publishing,
    rivals::Rivalry,
    writer::{Again, Finished, Writer},
};
pub use self::{
    error::Error,
    observe::Observed,
    ports::Ports,
    publisher::{Publication, Publisher},
    report::{Report, Statistics},
    request::{Choice, Detail, RetryMode},
};
use crate::{health, loaders::Registry};

pub(crate) use self::{needs::prepare, verify::verified};

/// How often sources that move under a scan, or rows that others write, are looked at again.
const MAXIMUM_PASSES: usize = 4;

/// Carries scans out and publishes their outcome.
pub struct Scanner {
    ports: Ports,
    loaders: Registry,
    publisher: Publisher,
    parallel_builds: usize,
    /// What looks have seen removed and was not believed; `None` if everything is believed.
    removals: Mutex<Option<Removals>>,
}

impl Scanner {
    /// A scanner over these adapters that runs at most `parallel_builds` builds at once.
    #[must_use]
    pub fn new(ports: Ports, loaders: Registry, parallel_builds: usize) -> Self {
        Self {
            ports,
            loaders,
            publisher: Publisher::default(),
            parallel_builds: parallel_builds.max(1),
            removals: Mutex::default(),
        }
    }

    /// From now on looks do not wait until what they saw is written down: for a process that looks again and again.
    pub fn expect_more_looks(&self) {
        self.ports.tree.expect_more_surveys();
    }

    /// From now on a working type is not taken away at the first look that misses its source, but when another look misses it
    /// too ([`Removals`]). For who looks again and again; a plan says when the next look is worth it
    /// ([`Plan::second_look`]).
    pub fn doubt_removals(&self) {
        self.removals().get_or_insert_default();
    }

    fn removals(&self) -> MutexGuard<'_, Option<Removals>> {
        self.removals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same pipeline over another catalog, which has its own publisher.
    #[must_use]
    pub(crate) fn over(&self, catalog: Arc<dyn Catalog>, cache: &Arc<dyn AttemptCache>) -> Self {
        let ports = self.ports.clone();
        let inspector =
            ports.inspector.remembering_in(Arc::clone(cache)).unwrap_or_else(|| Arc::clone(&ports.inspector));
        let bundler = ports.bundler.remembering_in(Arc::clone(cache)).unwrap_or_else(|| Arc::clone(&ports.bundler));
        // What is committed there is seen by nobody yet.
        let ports = Ports { bundler, inspector, catalog, leases: None, ..ports };
        Self::new(ports, self.loaders.clone(), self.parallel_builds)
    }

    /// The adapters.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The loaders in force.
    #[must_use]
    pub const fn loaders(&self) -> &Registry {
        &self.loaders
    }

    /// What this scanner publishes.
    #[must_use]
    pub const fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// The snapshot that was published last.
    #[must_use]
    pub fn index(&self) -> Arc<TypeIndex> {
        self.publisher.current()
    }

    /// Publishes what the catalog says now, without looking at sources.
    pub async fn load(&self) -> Result<Arc<TypeIndex>, Error> {
        let mut publishing = self.publisher.lock().await;
        let mark = self.ports.catalog.mark().await;
        self.publish_catalog(&mut publishing, mark).await?;
        drop(publishing);
        Ok(self.index())
    }

    /// Publishes what other processes committed since the catalog was read last; true if there was something. A daemon
    /// calls this each second. Where nothing was committed, by anybody, it costs a look at the catalog's
    /// [mark](mangrove_domain::ports::Catalog::mark); after a commit of this process it asks for the version of the rows, and
    /// after one of another process it reads all rows once.
    ///
    /// Whoever looks at sources need not call it before: the rows that a scan reads are published before it builds.
    pub async fn publish_foreign_commits(&self) -> Result<bool, Error> {
        let (edition, published, version) = {
            let publishing = self.publisher.lock().await;
            (publishing.edition(), publishing.mark(), publishing.version())
        };
        let mark = self.ports.catalog.mark().await;
        if mark.is_some() && mark == published {
            return Ok(false);
        }
        if version.is_some() {
            let now = self.ports.catalog.rows(&BTreeSet::new()).await.map_err(Error::reading_catalog)?.version;
            let mut publishing = self.publisher.lock().await;
            if now == version && publishing.edition() == edition {
                publishing.set_mark(mark);
                return Ok(false);
            }
        }
        // Whoever has something to publish does not wait until all rows are read.
        let view = self.ports.catalog.snapshot().await.map_err(Error::reading_catalog)?;
        let mut publishing = self.publisher.lock().await;
        if publishing.edition() == edition {
            return Ok(publishing.replace((view.rows, view.version), mark, self.ports.clock.now()));
        }
        // What was published meanwhile is newer than what was read.
        let mark = self.ports.catalog.mark().await;
        self.publish_catalog(&mut publishing, mark).await
    }

    async fn publish_catalog(&self, publishing: &mut Publishing<'_>, mark: Option<Digest>) -> Result<bool, Error> {
        let view = self.ports.catalog.snapshot().await.map_err(Error::reading_catalog)?;
        Ok(publishing.replace((view.rows, view.version), mark, self.ports.clock.now()))
    }

    /// When the earliest retry of what is published is due; see [`plan::next_due`]. Then a scan with
    /// [`RetryMode::Due`] tries something.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        plan::next_due(&self.index(), &self.publisher.answered(), self.ports.clock.now())
    }

    /// Looks at sources, catalog and bundles. The request's scope says at which sources, and its rehash at how much of
    /// them. Changes nothing, but that a rehash which is no dry run takes damaged objects out of the store. To cancel
    /// it, drop it.
    pub async fn look(&self, request: &ScanRequest) -> Result<Observed, Error> {
        let start = self.start(request).await;
        let looking = observe::look(&self.ports, &self.loaders, request.clone(), start);
        let observed = looking.instrument(tracing::info_span!("look")).await?;
        request.progress.event(&Event::Finished { phase: Phase::Observe });
        Ok(observed)
    }

    /// As [`look`](Self::look), for a caller that wants to know of some sources only: of all others, the bundles count as
    /// present until [`look_at_bundles_of`](Self::look_at_bundles_of) was called for the sources in question.
    pub(crate) async fn look_at_sources(&self, request: &ScanRequest) -> Result<Observed, Error> {
        let start = self.start(request).await;
        let observed = observe::look_at_sources(&self.ports, &self.loaders, request.clone(), start).await?;
        request.progress.event(&Event::Finished { phase: Phase::Observe });
        Ok(observed)
    }

    /// Adds what the store says of the bundles of these sources, and of all that are not there.
    pub(crate) async fn look_at_bundles_of(
        &self,
        observed: &mut Observed,
        sources: &BTreeSet<SourceId>,
    ) -> Result<(), Error> {
        observe::look_at_bundles_of(&self.ports, observed, sources).await
    }

    /// What a scan with the request of this look would do.
    #[must_use]
    pub fn plan(&self, observed: &Observed) -> Plan {
        let policy = self.policy(&observed.request);
        let mut plan = plan::plan(&observed.disk, &observed.catalog, &policy);
        // Of what it is not about, a look does not say that it is there.
        if !observed.is_partial
            && let Some(removals) = self.removals().as_mut()
        {
            removals.put_off(&mut plan, &observed.catalog.rows, &policy, observed.start.at);
        }
        plan
    }

    /// Does what follows from a look, for the sources that were chosen from it: the second half of a scan. The choice
    /// replaces scope and retry mode of the look's request; the rest of the request stays in force. A source that never
    /// comes to rest is a problem of the report; the rest is settled.
    pub async fn carry_out(&self, mut observed: Observed, choice: Choice) -> Result<Report, Error> {
        let Choice { mut sources, retried } = choice;
        if let Scope::Sources(seen) = &observed.request.scope {
            sources.retain(|source| seen.contains(source));
        }
        observed.request.scope = Scope::Sources(sources);
        observed.request.retry = RetryMode::Only(retried);
        // What is not carried out is concluded by nobody.
        observed.seal_inputs = None;
        let (request, start) = (observed.request.clone(), observed.start);
        self.repeat(ObserveOutcome::Observed(Box::new(observed)), request, start).await
    }

    /// Looks and carries out, for all sources in the request's scope.
    pub async fn scan(&self, request: &ScanRequest) -> Result<Report, Error> {
        self.scan_in_span(request).instrument(tracing::info_span!("scan")).await
    }

    async fn scan_in_span(&self, request: &ScanRequest) -> Result<Report, Error> {
        let start = self.start(request).await;
        let looking = observe::look_or_repeat(&self.ports, &self.loaders, request.clone(), start);
        let looking = looking.instrument(tracing::info_span!("look"));
        let Some(looked) = request.cancellation.run_until_cancelled(looking).await else {
            return Ok(self.timed(Report::cancelled(), start));
        };
        let looked = looked?;
        request.progress.event(&Event::Finished { phase: Phase::Observe });
        self.repeat(looked, request.clone(), start).await
    }

    async fn start(&self, request: &ScanRequest) -> Start {
        request.progress.event(&Event::Started { phase: Phase::Observe, total: None });
        Start { at: self.ports.clock.now(), edition: self.publisher.edition().await }
    }

    fn timed(&self, mut report: Report, start: Start) -> Report {
        report.statistics.duration = self.ports.clock.now().since(start.at);
        report
    }

    /// Carries out; sources that moved meanwhile are looked at again.
    async fn repeat(
        &self,
        mut looked: ObserveOutcome,
        mut request: ScanRequest,
        start: Start,
    ) -> Result<Report, Error> {
        let mut report = Report::default();
        for pass in 1.. {
            let rivalry = if pass == MAXIMUM_PASSES { Rivalry::GoOn } else { Rivalry::LookAgain };
            let again = async {
                match looked {
                    ObserveOutcome::Observed(observed) => self.pass(*observed, &mut report, rivalry).await,
                    ObserveOutcome::Unchanged(held) => self.pass_over_seal(*held, &request, start, &mut report).await,
                }
            };
            let again = again.instrument(tracing::info_span!("carry-out")).await?;
            if again.is_empty() || report.is_cancelled {
                break;
            }
            if pass == MAXIMUM_PASSES {
                report.problems.extend(again.moved.iter().map(moving));
                break;
            }
            let Again { moved, made_elsewhere } = again;
            tracing::debug!(moved = moved.len(), made_elsewhere = made_elsewhere.len(), "looking again at sources");
            request.scope = Scope::Sources(moved.union(&made_elsewhere).cloned().collect());
            request.retry = RetryMode::Only(moved);
            match request.cancellation.run_until_cancelled(self.look(&request)).await {
                Some(seen) => looked = ObserveOutcome::Observed(Box::new(seen?)),
                None => {
                    report.is_cancelled = true;
                    break;
                }
            }
        }
        Ok(self.timed(report, start))
    }

    /// One round of the second half; gives the sources that must be looked at again.
    async fn pass(&self, observed: Observed, report: &mut Report, rivalry: Rivalry) -> Result<Again, Error> {
        let plan = self.plan(&observed);
        let Observed { mut disk, catalog, catalog_mark, request, start, needs, statistics, seal_inputs, is_partial } =
            observed;
        report.add_cost(statistics);
        report.add_problems(disk.problems.iter().cloned());
        report.merge(&plan);
        report.looked_at = report.looked_at.max(plan.steps.len() as u64);
        let is_catalog_whole = catalog.damaged.is_empty() && catalog.unreadable.is_empty();
        let outages = plan::outages(&catalog.rows);
        let mut writer = if is_partial {
            self.writer_over_published(catalog, start).await
        } else {
            self.writer(catalog, catalog_mark, start).await
        };
        tracing::info!(
            sources = disk.observations.len(),
            roots = disk.roots.len(),
            files_read = statistics.files_read,
            rows = plan.steps.len(),
            "looked at the sources"
        );
        if !request.dry_run {
            self.work(&request, &plan, (&disk, &needs), rivalry, outages).run(&mut writer, report).await?;
        }
        let Finished { again, rows, version, claimed, .. } = writer.finish(report).await?;
        report.add_problems(claimed.iter().cloned());
        report.kinds = health::by_kind(rows.iter().map(AsRef::as_ref));
        if let (Some(inputs), Some(version)) = (seal_inputs, version)
            && is_catalog_whole
            && again.is_empty()
            && !report.is_cancelled
            && !request.dry_run
        {
            // What was written since was put into the store before.
            disk.presence.retain(|source, _| !report.changed.contains(source));
            let plan = report.changed.is_empty().then_some(plan);
            let kinds = self.loaders.rule_versions();
            let known = seals::Known { plan, disk, kinds, needs: &needs, rows: &rows, version, claimed };
            if let Some(seal) = seals::seal_for(inputs, known) {
                self.save_seal(&seal).await;
            }
        }
        report.rows = rows;
        Ok(again)
    }

    async fn save_seal(&self, seal: &Seal) {
        if let Err(fault) = self.ports.seals.save(seal).await {
            tracing::debug!(%fault, "the conclusion cannot be kept; the next scan plans again");
        }
    }

    /// What it takes to carry out a plan.
    fn work<'a>(
        &'a self,
        request: &'a ScanRequest,
        plan: &'a Plan,
        (disk, needs): (&'a DiskView, &'a BTreeMap<SourceId, Needs>),
        rivalry: Rivalry,
        outages: BTreeMap<CauseKey, Timestamp>,
    ) -> CarryOut<'a> {
        CarryOut {
            ports: &self.ports,
            loaders: &self.loaders,
            parallel_builds: self.parallel_builds,
            request,
            plan,
            disk,
            needs,
            rivalry,
            jitter: self.ports.entropy.fraction(),
            outages,
            is_sealed: false,
        }
    }

    /// What a plan for this request may do.
    pub(crate) fn policy(&self, request: &ScanRequest) -> Policy {
        let retry = match &request.retry {
            RetryMode::All => Retry::All,
            RetryMode::Due => {
                Retry::Due { at: self.ports.clock.now(), answered: Answered::clone(&self.publisher.answered()) }
            }
            RetryMode::Only(sources) => Retry::Only(sources.clone()),
            RetryMode::None => Retry::None,
        };
        Policy {
            retry,
            kinds: self.loaders.rule_versions(),
            scope: request.scope.clone(),
            allow_mass_removal: request.allow_mass_removal,
            believes_removals: request.believes_removals,
            prunes_orphans: request.prunes_orphans,
        }
    }

    /// A writer on top of what is published, with these rows, which a plan was made of.
    async fn writer_over_published(&self, catalog: CatalogView, start: Start) -> Writer<'_> {
        let publishing = self.publisher.lock().await;
        let version = publishing.version().filter(|_| publishing.edition() == start.edition);
        let mut index = TypeIndex::clone(&self.publisher.current());
        for row in catalog.rows {
            index.put(Arc::new(row));
        }
        Writer::over_published(&self.ports, &self.publisher, index, (start.edition, version))
    }

    /// A writer on top of these rows. If nothing was published since before they were read, they are the newest that
    /// this process knows of, and are published; what is published later than that is newer than they are.
    async fn writer(&self, catalog: CatalogView, mark: Option<Digest>, start: Start) -> Writer<'_> {
        let CatalogView { rows, version, .. } = catalog;
        let mut publishing = self.publisher.lock().await;
        let mut index = TypeIndex::clone(&self.publisher.current());
        if publishing.edition() == start.edition {
            publishing.replace((rows, version), mark, self.ports.clock.now());
            index = TypeIndex::clone(&self.publisher.current());
            return Writer::new(&self.ports, &self.publisher, index, (publishing.edition(), version));
        }
        index.replace(rows);
        Writer::new(&self.ports, &self.publisher, index, (start.edition, version))
    }
}

/// What is reported of a source that was another one at each look.
fn moving(source: &SourceId) -> Problem {
    Problem::error(
        Code::SOURCE_MOVING,
        source.to_string(),
        format!("changed at each of {MAXIMUM_PASSES} looks; its row is left as it was"),
    )
    .advise(Advice::new(UserAction::Scan).and(" again when it has come to rest"))
}
