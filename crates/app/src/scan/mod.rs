//! The one pipeline: observe → plan → build → inspect → settle + claims → commit → publish.
//!
//! Cold start, warm start, reconcile, dry run, `retry` and "this type was asked for and is not ready" are all
//! calls of [`Scanner::scan`] with another [`Request`]; there is no second path (`design/freshness.md`).

mod attempt;
mod observe;
mod seals;
mod shipped;
mod writer;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use mangrove_domain::{
    bundle::Presence,
    index::TypeIndex,
    observation::{CatalogView, DiskView, Observation},
    plan::{self, Action, Plan, Policy, Retry, Scope, Step},
    ports::{
        BundleStore, Bundler, Catalog, CatalogError, Clock, Entropy, Event, ExportInspector, ObserveError, Packages,
        Phase, Progress, Seals, SourceTree, StoreError,
    },
    problem::{Code, Problem, Severity},
    row::Row,
    settle::{self, Moment, Settled},
    source::{Kind, SourceId},
};

use tokio::{sync::Semaphore, task::JoinSet};

pub(crate) use attempt::prepare;

use crate::{
    cancel::Cancellation,
    health::{self, Summary},
    loaders::Registry,
};
use attempt::Attempt;
use observe::{Looked, Needs, Observed};
use writer::Writer;

/// The adapters that the pipeline works through.
#[derive(Clone)]
pub struct Ports {
    /// Sources and module graphs.
    pub tree: Arc<dyn SourceTree>,
    /// Packages.
    pub packages: Arc<dyn Packages>,
    /// Bundles are built by it.
    pub bundler: Arc<dyn Bundler>,
    /// Bundles are kept in it.
    pub store: Arc<dyn BundleStore>,
    /// Looks at exports.
    pub inspector: Arc<dyn ExportInspector>,
    /// Rows are kept in it.
    pub catalog: Arc<dyn Catalog>,
    /// Keeps the conclusion of the latest scan that found nothing to do.
    pub seals: Arc<dyn Seals>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for retry timers.
    pub entropy: Arc<dyn Entropy>,
    /// Hears how far a scan is.
    pub progress: Arc<dyn Progress>,
}

impl Ports {
    /// Takes a damaged object out of the store, so that the next build puts a good one there. Failing to
    /// do so is no error here: the build that follows meets the same obstacle and reports it.
    pub(crate) async fn discard_unusable(&self, error: &StoreError) {
        if let StoreError::Unusable { key, .. } = error
            && let Err(error) = self.store.remove(*key).await
        {
            tracing::debug!(%error, "a damaged object could not be removed");
        }
    }
}

/// What a scan shall do.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which failed rows with unchanged inputs are tried.
    pub retry: RetryMode,
    /// Which sources are in scope.
    pub scope: Scope,
    /// Plan and report, write nothing.
    pub dry_run: bool,
    /// Read every file, whatever its stat says.
    pub rehash: bool,
    /// Let removals pass that the guardrail would withhold.
    pub allow_mass_removal: bool,
    /// Remove orphans instead of keeping them until their source is back.
    pub prunes_orphans: bool,
    /// What the caller wants to know if nothing has changed.
    pub detail: Detail,
    /// Ends the scan before its time: what is settled is committed, what is not is left for the next one.
    pub cancellation: Cancellation,
}

/// What a scan is about, told from its own look at sources and catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The sources in scope.
    pub sources: BTreeSet<SourceId>,
    /// Those among them that are tried although their inputs did not change.
    pub retried: BTreeSet<SourceId>,
}

/// Chooses; see [`Scanner::scan_chosen`].
type Choose<'a> = &'a (dyn Fn(&DiskView, &CatalogView) -> Choice + Sync);

/// Which failed rows with unchanged inputs are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryMode {
    /// All of them: a scan on the command line, the start of a daemon.
    All,
    /// Those whose time has come.
    Due,
    /// These: a type that was asked for, `retry`.
    Only(BTreeSet<SourceId>),
    /// None: dry runs and looks.
    None,
}

/// What a caller wants to know of a scan that finds nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Every row and every step; and the snapshot is published.
    #[default]
    Rows,
    /// How many there are. If nothing has changed since a scan that found nothing to do, no row is read, and nothing
    /// is published.
    Counts,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            retry: RetryMode::All,
            scope: Scope::Everything,
            dry_run: false,
            rehash: false,
            allow_mass_removal: false,
            prunes_orphans: false,
            detail: Detail::Rows,
            cancellation: Cancellation::default(),
        }
    }
}

/// What a scan did and found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many rows there are now, and in which condition.
    pub kinds: BTreeMap<Kind, Summary>,
    /// All rows as they are now, sorted by source; none where counts are enough ([`Detail::Counts`]) and nothing has
    /// changed.
    pub rows: Vec<Arc<Row>>,
    /// What was decided for each source, sorted; none where there are no rows.
    pub steps: Vec<Step>,
    /// Steps that the guardrail withheld.
    pub withheld: Vec<Step>,
    /// Sources whose row was written, deleted, or could not be.
    pub changed: BTreeSet<SourceId>,
    /// What is wrong besides the rows' own failures.
    pub problems: Vec<Problem>,
    /// What it cost.
    pub statistics: Statistics,
    /// True if it was cancelled before everything was settled.
    pub is_cancelled: bool,
}

/// What a scan cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Builds that were started.
    pub built: u64,
    /// Inspections that were started.
    pub inspected: u64,
    /// Files that were opened.
    pub files_read: u64,
    /// Directories that were listed.
    pub directories_listed: u64,
    /// From start to end.
    pub duration: Duration,
}

/// A scan that could not be carried out. A broken extension never is a reason.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository could not be looked at.
    #[error("scan: looking at the sources")]
    Observe(#[source] ObserveError),
    /// The catalog could not be read or written.
    #[error("scan: {doing} the catalog")]
    Catalog {
        /// What was being done.
        doing: &'static str,
        /// What came back.
        #[source]
        source: CatalogError,
    },
    /// The bundle store could not be read or written.
    #[error("scan: {doing} the bundle store")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What came back.
        #[source]
        source: StoreError,
    },
}

/// How often sources that move under a scan, or rows that others write, are looked at again.
const MAXIMUM_PASSES: usize = 4;

/// Carries scans out and publishes their outcome.
pub struct Scanner {
    ports: Ports,
    loaders: Registry,
    index: ArcSwap<TypeIndex>,
    /// Held while a batch is committed and published; counts what was published.
    edition: tokio::sync::Mutex<Edition>,
    parallel_builds: usize,
}

/// Numbers the snapshots that a process published.
type Edition = u64;

impl Scanner {
    /// A scanner over these adapters that runs at most `parallel_builds` builds at once.
    #[must_use]
    pub fn new(ports: Ports, loaders: Registry, parallel_builds: usize) -> Self {
        Self {
            ports,
            loaders,
            index: ArcSwap::from_pointee(TypeIndex::default()),
            edition: tokio::sync::Mutex::default(),
            parallel_builds: parallel_builds.max(1),
        }
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

    /// The snapshot that was published last.
    #[must_use]
    pub fn index(&self) -> Arc<TypeIndex> {
        self.index.load_full()
    }

    /// Publishes what the catalog says now, without looking at sources.
    pub async fn load(&self) -> Result<Arc<TypeIndex>, Error> {
        let mut edition = self.edition.lock().await;
        let view = self.snapshot().await?;
        *edition += 1;
        self.publish(view.rows.into_iter().map(Arc::new));
        Ok(self.index())
    }

    /// Looks at sources and catalog and plans, without doing anything.
    pub async fn look(&self, request: &Request) -> Result<(DiskView, CatalogView, Plan), Error> {
        let observed = observe::observe(&self.ports, &self.loaders, request).await?;
        let plan = plan::plan(&observed.disk, &observed.catalog, &self.policy(request));
        Ok((observed.disk, observed.catalog, plan))
    }

    /// As [`look`](Self::look), for a caller that wants to know of some sources only, told from the look itself. The plan
    /// is the same for these; of other sources that are there, the bundles count as present.
    pub async fn look_for(
        &self,
        request: &Request,
        asked: impl Fn(&DiskView, &CatalogView) -> BTreeSet<SourceId> + Sync,
    ) -> Result<(DiskView, CatalogView, Plan), Error> {
        let observed = observe::observe_for(&self.ports, &self.loaders, request, &asked).await?;
        let plan = plan::plan(&observed.disk, &observed.catalog, &self.policy(request));
        Ok((observed.disk, observed.catalog, plan))
    }

    /// Carries a scan out. A source that never comes to rest is a problem of the report; the rest is settled.
    pub async fn scan(&self, request: &Request) -> Result<Report, Error> {
        self.repeat(request, None).await
    }

    /// Carries a scan out whose scope is chosen from what it sees itself, so that nobody has to look twice. The
    /// request's own scope says what is looked at; its retry mode is not used.
    pub async fn scan_chosen(
        &self,
        request: &Request,
        choose: impl Fn(&DiskView, &CatalogView) -> Choice + Sync,
    ) -> Result<Report, Error> {
        self.repeat(request, Some(&choose)).await
    }

    async fn repeat(&self, request: &Request, mut choose: Option<Choose<'_>>) -> Result<Report, Error> {
        let started = self.ports.clock.now();
        let mut report = Report::default();
        let mut request = request.clone();
        for pass in 1.. {
            let again = self.pass(&mut request, choose.take(), &mut report).await?;
            if again.is_empty() || report.is_cancelled {
                break;
            }
            if pass == MAXIMUM_PASSES {
                report.problems.extend(again.iter().map(moving));
                break;
            }
            tracing::debug!(sources = again.len(), "looking again at sources that moved");
            request.retry = RetryMode::Only(again.clone());
            request.scope = Scope::Sources(again);
        }
        report.statistics.duration = self.ports.clock.now().since(started);
        Ok(report)
    }

    /// One round of the pipeline; gives the sources that must be looked at again.
    async fn pass(
        &self,
        request: &mut Request,
        choose: Option<Choose<'_>>,
        report: &mut Report,
    ) -> Result<BTreeSet<SourceId>, Error> {
        self.ports.progress.event(&Event::Started { phase: Phase::Observe, total: None });
        let edition = *self.edition.lock().await;
        let looked = tokio::select! {
            looked = self.observe(request, choose.is_some()) => looked?,
            () = request.cancellation.requested() => {
                report.is_cancelled = true;
                return Ok(BTreeSet::new());
            }
        };
        let observed = match looked {
            Looked::Anew(observed) => *observed,
            Looked::AsSealed(kinds, statistics) => {
                report.statistics.files_read += statistics.files_read;
                report.statistics.directories_listed += statistics.directories_listed;
                self.ports.progress.event(&Event::Finished { phase: Phase::Observe });
                tracing::info!("nothing has changed since a scan that found nothing to do");
                report.kinds = kinds.into_iter().map(|(kind, rows)| (kind, Summary::of_sealed(rows))).collect();
                return Ok(BTreeSet::new());
            }
        };
        let Observed { disk, catalog, needs, statistics, ground } = observed;
        if let Some(choose) = choose {
            let choice = choose(&disk, &catalog);
            request.scope = Scope::Sources(choice.sources);
            request.retry = RetryMode::Only(choice.retried);
        }
        self.ports.progress.event(&Event::Finished { phase: Phase::Observe });
        report.statistics.files_read += statistics.files_read;
        report.statistics.directories_listed += statistics.directories_listed;

        let plan = plan::plan(&disk, &catalog, &self.policy(request));
        report.merge(&plan, disk.problems.clone());
        let seal = ground.and_then(|ground| seals::conclude(ground, &plan, &catalog, &report.problems));
        let mut writer = Writer::new(self, catalog.rows, edition);
        tracing::info!(
            sources = disk.observations.len(),
            roots = disk.roots.len(),
            files_read = statistics.files_read,
            rows = plan.steps.len(),
            "looked at the sources"
        );

        if !request.dry_run {
            self.carry_out(&plan, (&disk, &needs), &request.cancellation, &mut writer, report).await?;
        }
        let again = writer.finish(report).await?;
        report.kinds = health::by_kind(report.rows.iter().map(AsRef::as_ref));
        if let Some(seal) = seal
            && report.problems.is_empty()
            && report.changed.is_empty()
            && !request.dry_run
            && let Err(fault) = self.ports.seals.save(&seal).await
        {
            tracing::debug!(%fault, "the conclusion cannot be kept; the next scan plans again");
        }
        Ok(again)
    }

    /// Looks; only as far as needed where nobody has to choose from what is seen.
    async fn observe(&self, request: &Request, is_chosen: bool) -> Result<Looked, Error> {
        if is_chosen {
            let observed = observe::observe(&self.ports, &self.loaders, request).await?;
            return Ok(Looked::Anew(Box::new(observed)));
        }
        observe::look(&self.ports, &self.loaders, request).await
    }

    async fn carry_out(
        &self,
        plan: &Plan,
        (disk, needs): (&DiskView, &BTreeMap<SourceId, Needs>),
        cancellation: &Cancellation,
        writer: &mut Writer<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let observations: BTreeMap<&SourceId, &Observation> =
            disk.observations.iter().map(|observation| (&observation.source, observation)).collect();
        let steps: BTreeMap<&SourceId, &Step> = plan.steps.iter().map(|step| (&step.source, step)).collect();
        let mut attempts = Vec::new();
        for step in &plan.steps {
            let observation = observations.get(&step.source).copied();
            if step.action.is_attempt() {
                if let Some(observation) = observation {
                    attempts.push((step, observation, writer.row(&step.source).cloned()));
                }
            } else {
                let settled = writer.settle(step, |row| settle::apply(row, observation, &step.action, self.moment()));
                writer.accept(step, settled, None, report).await?;
            }
        }
        if attempts.is_empty() {
            return Ok(());
        }
        let total = u64::try_from(attempts.len()).ok();
        self.ports.progress.event(&Event::Started { phase: Phase::Build, total });
        // Tasks of their own, not futures of one stream: they must go on while a batch is committed, since a commit
        // can wait for what they hold.
        let places = Arc::new(Semaphore::new(self.parallel_builds));
        let mut running = JoinSet::new();
        for (step, observation, row) in attempts {
            let attempt = Attempt {
                ports: self.ports.clone(),
                loaders: self.loaders.clone(),
                needs: needs.get(&step.source).cloned().unwrap_or_default(),
                observation: observation.clone(),
                row,
            };
            let (places, action) = (Arc::clone(&places), step.action.clone());
            let reason = step.verdict.to_string();
            running.spawn(async move {
                let _place = places.acquire().await;
                tracing::info!(source = %attempt.observation.source, reason, "{}", action.name());
                let ended = attempt.run(&action).await;
                (attempt.observation, ended)
            });
        }
        loop {
            let joined = tokio::select! {
                joined = running.join_next() => joined,
                () = cancellation.requested() => {
                    // Dropping the set stops the builds; what they would have been is found out by the next scan.
                    report.is_cancelled = true;
                    break;
                }
            };
            let Some(joined) = joined else { break };
            let (observation, ended) = match joined {
                Ok(ended) => ended,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // Nobody cancels them; a runtime that shuts down takes this task with it too.
                    Err(_) => continue,
                },
            };
            let Some(step) = steps.get(&observation.source) else { continue };
            report.statistics.built += u64::from(ended.built);
            report.statistics.inspected += u64::from(ended.inspected);
            let rule_version = self.loaders.get(&observation.kind).map_or(0, |loader| loader.rule_version());
            let presence = disk.presence.get(&step.source).copied().unwrap_or(Presence::Present);
            let settled = writer.settle(step, |row| {
                settle::settle(row, &observation, presence, ended.outcome, rule_version, self.moment())
            });
            let healthy = matches!(&settled, Settled::Write(row) if row.failure().is_none()
                && matches!(row.state, mangrove_domain::state::State::Indexed(_)));
            self.ports.progress.event(&Event::Done { source: &step.source, healthy });
            tracing::info!(source = %step.source, healthy, "done");
            writer.accept(step, settled, ended.description, report).await?;
        }
        self.ports.progress.event(&Event::Finished { phase: Phase::Build });
        Ok(())
    }

    /// What a plan for this request may do.
    pub(crate) fn policy(&self, request: &Request) -> Policy {
        let retry = match &request.retry {
            RetryMode::All => Retry::All,
            RetryMode::Due => Retry::Due(self.ports.clock.now()),
            RetryMode::Only(sources) => Retry::Only(sources.clone()),
            RetryMode::None => Retry::None,
        };
        Policy {
            retry,
            kinds: self.loaders.rule_versions(),
            scope: request.scope.clone(),
            allow_mass_removal: request.allow_mass_removal,
            prunes_orphans: request.prunes_orphans,
        }
    }

    fn moment(&self) -> Moment {
        Moment { now: self.ports.clock.now(), jitter: self.ports.entropy.fraction() }
    }

    async fn snapshot(&self) -> Result<CatalogView, Error> {
        self.ports.catalog.snapshot().await.map_err(|source| Error::Catalog { doing: "reading", source })
    }

    fn publish(&self, rows: impl Iterator<Item = Arc<Row>>) {
        self.index.store(Arc::new(TypeIndex::build(rows)));
    }
}

/// What is told of a source that was another one at each look.
fn moving(source: &SourceId) -> Problem {
    Problem {
        code: Code::SOURCE_MOVING,
        severity: Severity::Error,
        subject: source.to_string(),
        position: None,
        message: format!("changed at each of {MAXIMUM_PASSES} looks; its row is left as it was"),
        hint: Some("`mangrove scan` again when it has come to rest".to_owned()),
    }
}

impl Report {
    /// A later pass replaces what an earlier one said of the same sources.
    fn merge(&mut self, plan: &Plan, problems: Vec<Problem>) {
        if self.steps.is_empty() {
            self.steps.clone_from(&plan.steps);
        } else {
            for step in plan.steps.iter().filter(|step| !matches!(step.action, Action::Keep)) {
                match self.steps.binary_search_by(|known| known.source.cmp(&step.source)) {
                    Ok(index) => self.steps[index] = step.clone(),
                    Err(index) => self.steps.insert(index, step.clone()),
                }
            }
        }
        self.withheld.extend(plan.withheld.iter().cloned());
        for problem in problems.into_iter().chain(plan.problems.iter().cloned()) {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }
}
