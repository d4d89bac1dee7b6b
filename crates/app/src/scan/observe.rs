//! The first half of the pipeline: everything that a plan is made of.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt as _, future::BoxFuture};
use mangrove_domain::{
    bundle::{BundleRef, Presence, StoredObject},
    fingerprint::Part,
    observation::{CatalogView, DiskView, Entry},
    plan::Scope,
    ports::{ObserveRequest, PackageRequest, Resolver, SurveyStatistics},
    row::Row,
    shipped::Shipped,
    source::SourceId,
};

use super::{Error, Ports, Request};
use crate::loaders::Registry;

/// Both sides of a plan, and what each source needs from outside.
pub(super) struct Observed {
    pub(super) disk: DiskView,
    pub(super) catalog: CatalogView,
    pub(super) needs: BTreeMap<SourceId, Needs>,
    pub(super) statistics: SurveyStatistics,
}

/// What one source needs from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    pub(super) packages: PackageRequest,
    /// What its extension ships, should nothing say which packages these are.
    pub(super) shipped: Option<Shipped>,
}

pub(super) async fn observe(ports: &Ports, loaders: &Registry, request: &Request) -> Result<Observed, Error> {
    let observe = ObserveRequest {
        kinds: loaders.layouts(),
        rehash: request.rehash,
        only: match &request.scope {
            Scope::Sources(sources) => sources.clone(),
            Scope::Everything | Scope::Kinds(_) => BTreeSet::new(),
        },
    };
    let (survey, catalog) = futures::join!(ports.tree.survey(&observe), ports.catalog.snapshot());
    let survey = survey.map_err(Error::Observe)?;
    let catalog = catalog.map_err(|source| Error::Catalog { doing: "reading", source })?;

    let mut disk = survey.disk;
    disk.keep_known_identities(&catalog);
    let mut needs = BTreeMap::new();
    let mut closures: BTreeMap<PackageRequest, Part> = BTreeMap::new();
    let mut known = None;
    for (observation, entry) in disk.observations.iter_mut().zip(survey.entries) {
        let needed = PackageRequest { specifiers: entry.specifiers, lock: entry.lock };
        if let Entry::Readable { inputs, .. } = &mut observation.entry {
            let route = ports.bundler.route(&needed).await;
            inputs.bundler = route.identity.unwrap_or_else(|| {
                let known = known.get_or_insert_with(|| remembered(&catalog));
                known.get(&observation.source).map_or_else(unavailable, |part| (*part).clone())
            });
            inputs.packages = match route.resolver {
                Resolver::Bundler(part) => part,
                Resolver::Packages => match closures.get(&needed) {
                    Some(part) => part.clone(),
                    None => {
                        let part = closure(ports, &needed).await;
                        closures.insert(needed.clone(), part.clone());
                        part
                    }
                },
            };
            if let Some(shipped) = &entry.shipped {
                inputs.packages = shipped.added_to(&inputs.packages);
            }
        }
        needs.insert(observation.source.clone(), Needs { packages: needed, shipped: entry.shipped });
    }

    if request.rehash && !request.dry_run {
        discard_damaged(ports, &catalog).await?;
    }
    disk.presence = presence(ports, &catalog).await?;
    Ok(Observed { disk, catalog, needs, statistics: survey.statistics })
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

/// What the store says of every row's bundle.
fn presence<'a>(
    ports: &'a Ports,
    catalog: &'a CatalogView,
) -> BoxFuture<'a, Result<BTreeMap<SourceId, Presence>, Error>> {
    async move {
        let rows: Vec<(&SourceId, &BundleRef)> =
            catalog.rows.iter().filter_map(|row| Some((&row.source, row.bundle()?))).collect();
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
