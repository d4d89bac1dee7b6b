//! The conclusion of a scan that found nothing to do: when the next one may repeat it.
//!
//! What is compared, and why nothing is missing: `design/decisions/0007-sealed-scans.md`.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_domain::{
    bundle::{BundleRef, StoredObject},
    digest::Digest,
    observation::CatalogView,
    package::PackageRequest,
    plan::{Plan, Scope},
    ports::ObserveRequest,
    problem::Problem,
    row::Row,
    seal::{self, Seal, SealedRows},
    source::Kind,
    survey::{Survey, SurveyStatistics},
};

use super::{Error, Ports, Request, observe};
use crate::loaders::Registry;

/// What a conclusion rests on besides the bundles of its rows.
pub(super) struct Ground {
    pub(super) question: Digest,
    pub(super) survey: Digest,
    pub(super) catalog: Digest,
    pub(super) needs: BTreeMap<PackageRequest, Digest>,
}

/// Whether what a seal says still holds.
pub(super) enum Checked {
    Holds(BTreeMap<Kind, SealedRows>, SurveyStatistics),
    /// With the survey, if that is what differs and there is one now.
    Broken(Option<Box<Survey>>),
}

/// Names what is asked of a scan that can be sealed; `None` for any other. Where layouts and environment matter, they
/// are part of the survey's mark.
pub(super) fn question(loaders: &Registry, request: &Request) -> Option<Digest> {
    let is_plain = request.scope == Scope::Everything && !request.rehash;
    is_plain.then(|| Digest::of(format!("{:?}", loaders.rule_versions()).as_bytes()))
}

/// Looks at everything that the seal rests on, the cheapest first. All of it is looked at in the same way as for a
/// plan; only what is the same again is not taken apart.
pub(super) async fn check(ports: &Ports, seal: Seal, observe: &ObserveRequest) -> Result<Checked, Error> {
    if ports.catalog.mark().await != Some(seal.catalog) {
        return Ok(Checked::Broken(None));
    }
    for (needed, known) in &seal.needs {
        if observe::digest_of_needs(ports, needed).await != Some(*known) {
            return Ok(Checked::Broken(None));
        }
    }
    let request = ObserveRequest { unless: Some(seal.survey), ..observe.clone() };
    let survey = ports.tree.survey(&request).await.map_err(Error::Observe)?;
    if survey.mark != Some(seal.survey) {
        return Ok(Checked::Broken(Some(Box::new(survey))));
    }
    let holds = ports.store.holds(&seal.objects).await;
    if holds.map_err(|source| Error::Store { doing: "reading", source })? {
        Ok(Checked::Holds(seal.kinds, survey.statistics))
    } else {
        Ok(Checked::Broken(None))
    }
}

/// The seal of a scan, if there is nothing that the next one would have to do or say.
pub(super) fn conclude(ground: Ground, plan: &Plan, catalog: &CatalogView, problems: &[Problem]) -> Option<Seal> {
    let kinds = seal::conclude(plan, catalog, problems)?;
    let Ground { question, survey, catalog: mark, needs } = ground;
    let closures = catalog.rows.iter().filter_map(Row::bundle).flat_map(BundleRef::closure);
    let objects: BTreeSet<StoredObject> = closures.copied().collect();
    Some(Seal { question, survey, catalog: mark, needs, objects: objects.into_iter().collect(), kinds })
}
