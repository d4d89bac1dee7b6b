//! The first half of the pipeline: everything that a plan is made of.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use mangrove_domain::{
    bundle::{BundleRef, Presence, StoredObject},
    digest::Digest,
    fingerprint::{Line, Part},
    observation::{CatalogView, DiskView, Entry},
    package::PackageRequest,
    plan::Scope,
    ports::ObserveRequest,
    row::Row,
    source::SourceId,
    survey::{Survey, SurveyStatistics},
    time::Timestamp,
};

use super::{
    descriptions,
    error::Error,
    needs::{self, Needs, Resolved},
    ports::Ports,
    request::{Detail, ScanRequest},
    seals::{self, Broken, Checked, Held, SealInputs},
    verify::verified,
};
use crate::loaders::Registry;

/// What a look at sources and catalog saw: everything that a plan is made of. Made by
/// [`Scanner::look`](super::Scanner::look), used up by [`Scanner::carry_out`](super::Scanner::carry_out).
#[derive(Debug)]
pub struct Observed {
    /// The sources, with what the store says of the bundles that rows name.
    pub disk: DiskView,
    /// The rows.
    pub catalog: CatalogView,
    /// Names what the catalog held, as of before its rows were read.
    pub(super) catalog_mark: Option<Digest>,
    /// What was asked for.
    pub(super) request: ScanRequest,
    pub(super) start: Start,
    pub(super) needs: BTreeMap<SourceId, Needs>,
    pub(super) statistics: SurveyStatistics,
    /// What a conclusion from all this would rest on; `None` if none can be sealed.
    pub(super) seal_inputs: Option<SealInputs>,
    /// True if sources and rows are those in the request's scope alone.
    pub(super) is_partial: bool,
}

impl Observed {
    /// True if it is of [edits](super::Scanner::look_at_edits), or of what a query means, and knows nothing of other sources.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Adds what an earlier survey cost for the same look.
    const fn add_cost(&mut self, earlier: SurveyStatistics) {
        let SurveyStatistics { files_read, directories_listed } = earlier;
        self.statistics.files_read += files_read;
        self.statistics.directories_listed += directories_listed;
    }
}

/// When a look began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) at: Timestamp,
    /// What had been published by then.
    pub(super) edition: u64,
}

/// What a look gave that may be cut short.
pub(super) enum ObserveOutcome {
    /// Nothing has changed since the latest scan.
    Unchanged(Box<Held>),
    /// Everything, to be planned on.
    Observed(Box<Observed>),
}

/// Looks only as far as it takes to see that nothing has changed, where that is all that was asked; else at everything.
pub(super) async fn look_or_repeat(
    ports: &Ports,
    loaders: &Registry,
    request: ScanRequest,
    start: Start,
) -> Result<ObserveOutcome, Error> {
    let survey_request = survey_request(loaders, &request);
    let mut broken = Broken::default();
    if let Some(digest) = seals::request_digest(loaders, &request).filter(|_| request.detail == Detail::Counts)
        && let Some(seal) = ports.seals.load().await.filter(|seal| seal.request == digest)
    {
        match seals::check(ports, seal, &survey_request).await? {
            Checked::Holds(held) => return Ok(ObserveOutcome::Unchanged(held)),
            Checked::Broken(seen) => broken = seen,
        }
    }
    let mut observed = observe(ports, loaders, (request, start), survey_request, broken.survey).await?;
    observed.add_cost(broken.cost);
    look_at_all_bundles(ports, &mut observed).await?;
    Ok(ObserveOutcome::Observed(Box::new(observed)))
}

/// Looks at everything.
pub(super) async fn look(
    ports: &Ports,
    loaders: &Registry,
    request: ScanRequest,
    start: Start,
) -> Result<Observed, Error> {
    let mut observed = look_at_sources(ports, loaders, request, start).await?;
    look_at_all_bundles(ports, &mut observed).await?;
    Ok(observed)
}

/// Looks at everything but bundles: all of them count as present.
pub(super) async fn look_at_sources(
    ports: &Ports,
    loaders: &Registry,
    request: ScanRequest,
    start: Start,
) -> Result<Observed, Error> {
    let survey_request = survey_request(loaders, &request);
    observe(ports, loaders, (request, start), survey_request, None).await
}

/// Adds what the store says of the bundles of these sources, and of those that are not there: one of them may be lost,
/// which depends on what is left of it.
pub(super) async fn look_at_bundles_of(
    ports: &Ports,
    observed: &mut Observed,
    sources: &BTreeSet<SourceId>,
) -> Result<(), Error> {
    let there: HashSet<&SourceId> = observed.disk.observations.iter().map(|seen| &seen.source).collect();
    let is_needed = |row: &&Row| sources.contains(&row.source) || !there.contains(&row.source);
    let rows: Vec<&Row> = observed.catalog.rows.iter().filter(is_needed).collect();
    observed.disk.presence = presence(ports, &rows).await?;
    Ok(())
}

async fn look_at_all_bundles(ports: &Ports, observed: &mut Observed) -> Result<(), Error> {
    let rows: Vec<&Row> = observed.catalog.rows.iter().collect();
    observed.disk.presence = presence(ports, &rows).await?;
    Ok(())
}

pub(super) fn survey_request(loaders: &Registry, request: &ScanRequest) -> ObserveRequest {
    ObserveRequest {
        kinds: loaders.layouts(),
        rehash: request.rehash,
        only: match &request.scope {
            Scope::Sources(sources) => sources.clone(),
            Scope::Everything | Scope::Kinds(_) => BTreeSet::new(),
        },
        ..ObserveRequest::default()
    }
}

/// Sources and catalog, without bundles.
async fn observe(
    ports: &Ports,
    loaders: &Registry,
    (request, start): (ScanRequest, Start),
    survey_request: ObserveRequest,
    known_survey: Option<Box<Survey>>,
) -> Result<Observed, Error> {
    // Before the rows are read: a commit in between leaves another mark than this one.
    let catalog_mark = ports.catalog.mark().await;
    let surveyed = async {
        match known_survey {
            Some(survey) => Ok(*survey),
            None => ports.tree.survey(&survey_request).await,
        }
    };
    let (survey, catalog) = futures::join!(surveyed, ports.catalog.snapshot());
    let (mut survey, mut catalog) = (survey.map_err(Error::Observe)?, catalog.map_err(Error::reading_catalog)?);
    if request.rehash {
        descriptions::check(ports.catalog.as_ref(), &mut catalog, |_| true).await?;
    }
    survey.disk.keep_known_identities(&catalog);
    let (statistics, survey_mark) = (survey.statistics, survey.mark);

    let resolved = needs::resolve(ports, &survey, BTreeMap::new()).await;
    let (disk, needs) = with_outside_parts(survey, &catalog, &resolved);
    let seal_inputs = seals::request_digest(loaders, &request).and_then(|request| {
        let needs = needs::digests(&resolved);
        Some(SealInputs { request, survey: survey_mark?, mark: catalog_mark, needs })
    });
    if request.rehash && !request.dry_run {
        discard_damaged(ports, &catalog).await?;
    }
    let is_partial = false;
    Ok(Observed { disk, catalog, catalog_mark, request, start, needs, statistics, seal_inputs, is_partial })
}

/// Some sources with their rows, out of what a look at edits, or at what a query means, found.
pub(super) async fn of_some(
    ports: &Ports,
    (request, start): (ScanRequest, Start),
    survey: Survey,
    catalog: CatalogView,
    sources: BTreeSet<SourceId>,
) -> Result<Observed, Error> {
    let statistics = survey.statistics;
    let resolved = needs::resolve(ports, &survey, BTreeMap::new()).await;
    let (disk, needs) = with_outside_parts(survey, &catalog, &resolved);
    let mut observed = Observed {
        disk,
        catalog,
        catalog_mark: None,
        request: ScanRequest { scope: Scope::Sources(sources), ..request },
        start,
        needs,
        statistics,
        seal_inputs: None,
        is_partial: true,
    };
    look_at_all_bundles(ports, &mut observed).await?;
    Ok(observed)
}

/// Fills in the parts of fingerprints that do not come from files.
pub(super) fn with_outside_parts(
    survey: Survey,
    catalog: &CatalogView,
    resolved: &BTreeMap<PackageRequest, Resolved>,
) -> (DiskView, BTreeMap<SourceId, Needs>) {
    let mut disk = survey.disk;
    let mut needs = BTreeMap::new();
    let mut remembered = None;
    for (observation, entry) in disk.observations.iter_mut().zip(survey.entries) {
        let Entry::Readable { inputs, .. } = &mut observation.entry else { continue };
        let packages = PackageRequest { specifiers: entry.specifiers, lock: entry.lock };
        let Some(resolved) = resolved.get(&packages) else { continue };
        let needed = Needs { packages, resolver: resolved.route.resolver.clone(), shipped: entry.shipped };
        inputs.bundler = resolved.route.identity.clone().unwrap_or_else(|| {
            let remembered = remembered.get_or_insert_with(|| remembered_bundlers(catalog));
            remembered.get(&observation.source).map_or_else(unavailable, |part| (*part).clone())
        });
        inputs.packages = needed.packages_part(resolved.packages.clone());
        needs.insert(observation.source.clone(), needed);
    }
    (disk, needs)
}

/// The bundler part of every row's latest inputs. What is compared with the observation comes first: that of the
/// bundle, else that of the attempt that failed.
fn remembered_bundlers(catalog: &CatalogView) -> BTreeMap<&SourceId, &Part> {
    let rows = catalog.rows.iter();
    rows.filter_map(|row| Some((&row.source, &row.built.as_ref().or(row.attempted.as_ref())?.bundler))).collect()
}

/// The bundler part of a source that was never built, while its bundler is unavailable.
fn unavailable() -> Part {
    Part::of([Line::new("adapter", "unavailable")])
}

/// What the store says of the bundles of these rows.
pub(super) fn presence<'a>(
    ports: &'a Ports,
    rows: &'a [&'a Row],
) -> BoxFuture<'a, Result<BTreeMap<SourceId, Presence>, Error>> {
    async move {
        let rows: Vec<(&SourceId, &BundleRef)> =
            rows.iter().filter_map(|row| Some((&row.source, row.bundle()?))).collect();
        let references: Vec<&BundleRef> = rows.iter().map(|(_, bundle)| *bundle).collect();
        let presence = ports.store.presence(&references).await.map_err(Error::reading_store)?;
        Ok(rows.into_iter().map(|(source, _)| source.clone()).zip(presence).collect())
    }
    .boxed()
}

/// Reads every byte, and takes damaged objects away, so that they count as missing.
async fn discard_damaged(ports: &Ports, catalog: &CatalogView) -> Result<(), Error> {
    let closures = catalog.rows.iter().filter_map(Row::bundle);
    let objects: BTreeSet<StoredObject> = closures.flat_map(|bundle| bundle.closure().copied()).collect();
    let mut verified = verified(Arc::clone(&ports.store), objects);
    while let Some((object, presence)) = verified.next().await {
        let presence = presence.map_err(Error::verifying_store)?;
        if matches!(presence, Presence::WrongSize { .. }) {
            ports.store.remove(object.key).await.map_err(Error::verifying_store)?;
        }
    }
    Ok(())
}
