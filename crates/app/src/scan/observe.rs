//! The first half of the pipeline: everything that a plan is made of.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::{FutureExt as _, future::BoxFuture};
use mangrove_domain::{
    bundle::{BundleRef, Presence, StoredObject},
    digest::Digest,
    fingerprint::Part,
    observation::{CatalogView, DiskView, Entry},
    package::PackageRequest,
    plan::Scope,
    ports::ObserveRequest,
    route::Resolver,
    row::Row,
    seal::SealedRows,
    shipped::Shipped,
    source::{Kind, SourceId},
    survey::{Survey, SurveyStatistics},
};

use super::{
    Detail, Error, Ports, Request,
    seals::{self, Checked, Ground},
};
use crate::loaders::Registry;

/// Both sides of a plan, and what each source needs from outside.
pub(super) struct Observed {
    pub(super) disk: DiskView,
    pub(super) catalog: CatalogView,
    pub(super) needs: BTreeMap<SourceId, Needs>,
    pub(super) statistics: SurveyStatistics,
    /// What a conclusion from all this would rest on; `None` if none can be sealed.
    pub(super) ground: Option<Ground>,
}

/// What one source needs from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    pub(super) packages: PackageRequest,
    /// What its extension ships, should nothing say which packages these are.
    pub(super) shipped: Option<Shipped>,
}

/// What a look gave.
pub(super) enum Looked {
    /// Nothing has changed since a scan that found nothing to do.
    AsSealed(BTreeMap<Kind, SealedRows>, SurveyStatistics),
    /// Everything, to be planned on.
    Anew(Box<Observed>),
}

/// Looks only as far as it takes to see that nothing has changed, where that is all that was asked; else at everything.
pub(super) async fn look(ports: &Ports, loaders: &Registry, request: &Request) -> Result<Looked, Error> {
    let observe = asked(loaders, request);
    let mut survey = None;
    if let Some(question) = seals::question(loaders, request).filter(|_| request.detail == Detail::Counts)
        && let Some(seal) = ports.seals.load().await.filter(|seal| seal.question == question)
    {
        match seals::check(ports, seal, &observe).await? {
            Checked::Holds(kinds, statistics) => return Ok(Looked::AsSealed(kinds, statistics)),
            Checked::Broken(seen) => survey = seen,
        }
    }
    observe_all(ports, loaders, request, &observe, survey, None).await.map(|observed| Looked::Anew(Box::new(observed)))
}

/// Looks at everything but the bundles of sources that are there and not among those that `asked` gives.
pub(super) async fn observe_for(
    ports: &Ports,
    loaders: &Registry,
    request: &Request,
    asked: Ask<'_>,
) -> Result<Observed, Error> {
    observe_all(ports, loaders, request, &self::asked(loaders, request), None, Some(asked)).await
}

/// Says which sources are asked about.
pub(super) type Ask<'a> = &'a (dyn Fn(&DiskView, &CatalogView) -> BTreeSet<SourceId> + Sync);

/// Looks at everything.
pub(super) async fn observe(ports: &Ports, loaders: &Registry, request: &Request) -> Result<Observed, Error> {
    observe_all(ports, loaders, request, &asked(loaders, request), None, None).await
}

fn asked(loaders: &Registry, request: &Request) -> ObserveRequest {
    ObserveRequest {
        kinds: loaders.layouts(),
        rehash: request.rehash,
        only: match &request.scope {
            Scope::Sources(sources) => sources.clone(),
            Scope::Everything | Scope::Kinds(_) => BTreeSet::new(),
        },
        unless: None,
    }
}

/// What one set of needs stands for at the moment.
struct Standing {
    /// `None` while the bundler is unavailable.
    bundler: Option<Part>,
    packages: Part,
}

async fn observe_all(
    ports: &Ports,
    loaders: &Registry,
    request: &Request,
    observe: &ObserveRequest,
    survey: Option<Box<Survey>>,
    ask: Option<Ask<'_>>,
) -> Result<Observed, Error> {
    // Before the rows are read: a commit in between leaves another mark than this one.
    let catalog_mark = ports.catalog.mark().await;
    let surveyed = async {
        match survey {
            Some(survey) => Ok(*survey),
            None => ports.tree.survey(observe).await,
        }
    };
    let (survey, catalog) = futures::join!(surveyed, ports.catalog.snapshot());
    let survey = survey.map_err(Error::Observe)?;
    let catalog = catalog.map_err(|source| Error::Catalog { doing: "reading", source })?;

    let mut disk = survey.disk;
    disk.keep_known_identities(&catalog);
    let mut needs = BTreeMap::new();
    let mut standings: BTreeMap<PackageRequest, Standing> = BTreeMap::new();
    let mut known = None;
    for (observation, entry) in disk.observations.iter_mut().zip(survey.entries) {
        let needed = PackageRequest { specifiers: entry.specifiers, lock: entry.lock };
        if let Entry::Readable { inputs, .. } = &mut observation.entry {
            if !standings.contains_key(&needed) {
                standings.insert(needed.clone(), standing(ports, &needed).await);
            }
            if let Some(standing) = standings.get(&needed) {
                inputs.bundler = standing.bundler.clone().unwrap_or_else(|| {
                    let known = known.get_or_insert_with(|| remembered(&catalog));
                    known.get(&observation.source).map_or_else(unavailable, |part| (*part).clone())
                });
                inputs.packages = standing.packages.clone();
            }
            if let Some(shipped) = &entry.shipped {
                inputs.packages = shipped.added_to(&inputs.packages);
            }
        }
        needs.insert(observation.source.clone(), Needs { packages: needed, shipped: entry.shipped });
    }
    let ground = seals::question(loaders, request).and_then(|question| {
        let needs = standings.iter().map(|(needed, standing)| Some((needed.clone(), standing.digest()?)));
        Some(Ground { question, survey: survey.mark?, catalog: catalog_mark?, needs: needs.collect::<Option<_>>()? })
    });

    if request.rehash && !request.dry_run {
        discard_damaged(ports, &catalog).await?;
    }
    disk.presence = match ask {
        None => presence(ports, &catalog.rows.iter().collect::<Vec<_>>()).await?,
        Some(ask) => {
            let asked = ask(&disk, &catalog);
            // A source that is not there may be one that is lost, which depends on what is left of it.
            let there: HashSet<&SourceId> = disk.observations.iter().map(|seen| &seen.source).collect();
            let is_needed = |row: &&Row| asked.contains(&row.source) || !there.contains(&row.source);
            presence(ports, &catalog.rows.iter().filter(is_needed).collect::<Vec<_>>()).await?
        }
    };
    Ok(Observed { disk, catalog, needs, statistics: survey.statistics, ground })
}

/// The bundler part of every row's latest inputs. What is compared with the observation comes first: that of the
/// bundle, else that of the attempt that failed.
fn remembered(catalog: &CatalogView) -> BTreeMap<&SourceId, &Part> {
    let rows = catalog.rows.iter();
    rows.filter_map(|row| Some((&row.source, &row.built.as_ref().or(row.attempted.as_ref())?.bundler))).collect()
}

/// The bundler part of a source that was never built, while its bundler is unavailable.
fn unavailable() -> Part {
    Part::of([mangrove_domain::fingerprint::Line::new("adapter", "unavailable")])
}

/// What the store says of the bundles of these rows.
fn presence<'a>(ports: &'a Ports, rows: &'a [&'a Row]) -> BoxFuture<'a, Result<BTreeMap<SourceId, Presence>, Error>> {
    async move {
        let rows: Vec<(&SourceId, &BundleRef)> =
            rows.iter().filter_map(|row| Some((&row.source, row.bundle()?))).collect();
        let references: Vec<&BundleRef> = rows.iter().map(|(_, bundle)| *bundle).collect();
        let presence = ports.store.presence(&references).await;
        let presence = presence.map_err(|source| Error::Store { doing: "reading", source })?;
        Ok(rows.into_iter().map(|(source, _)| source.clone()).zip(presence).collect())
    }
    .boxed()
}

/// A look at existence and size does not see flipped bits; this one reads every byte, and takes damaged
/// objects away, so that they count as missing.
async fn discard_damaged(ports: &Ports, catalog: &CatalogView) -> Result<(), Error> {
    let store_error = |source| Error::Store { doing: "verifying", source };
    let closures = catalog.rows.iter().filter_map(Row::bundle);
    let objects: BTreeSet<StoredObject> = closures.flat_map(|bundle| bundle.closure().copied()).collect();
    for object in objects {
        if matches!(ports.store.verify(&object).await.map_err(store_error)?, Presence::WrongSize { .. }) {
            ports.store.remove(object.key).await.map_err(store_error)?;
        }
    }
    Ok(())
}

/// What these needs stand for now; `None` while the bundler is unavailable.
pub(super) async fn digest_of_needs(ports: &Ports, needed: &PackageRequest) -> Option<Digest> {
    standing(ports, needed).await.digest()
}

async fn standing(ports: &Ports, needed: &PackageRequest) -> Standing {
    let route = ports.bundler.route(needed).await;
    let packages = match route.resolver {
        Resolver::Bundler(part) => part,
        Resolver::Packages => closure(ports, needed).await,
    };
    Standing { bundler: route.identity, packages }
}

impl Standing {
    fn digest(&self) -> Option<Digest> {
        let parts = [self.bundler.as_ref()?.digest(), self.packages.digest()];
        Some(Digest::of(&parts.map(|digest| *digest.as_bytes()).concat()))
    }
}

/// A closure that cannot be told counts as one of its own: the build that follows says why.
async fn closure(ports: &Ports, request: &PackageRequest) -> Part {
    match ports.packages.closure(request).await {
        Ok(part) => part,
        Err(fault) => {
            tracing::debug!(%fault, "the package closure is not known");
            Part::of([mangrove_domain::fingerprint::Line::new("closure", "unknown")])
        }
    }
}
