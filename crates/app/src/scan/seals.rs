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

use super::{error::Error, needs::Resolved, ports::Ports, request::ScanRequest};
use crate::loaders::Registry;

/// What a conclusion rests on besides the bundles of its rows.
#[derive(Debug)]
pub(super) struct SealInputs {
    /// Names what was asked; see [`request_digest`].
    pub(super) request: Digest,
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

/// Names what is asked of a scan that can be sealed: the kinds with the versions of their rules. `None` for any other
/// scan. Where layouts and environment matter, they are part of the survey's mark.
pub(super) fn request_digest(loaders: &Registry, request: &ScanRequest) -> Option<Digest> {
    let is_plain = request.scope == Scope::Everything && !request.rehash;
    is_plain.then(|| {
        let versions = loaders.rule_versions();
        let mut encoded = String::from("mangrove-scan 1\n");
        for (kind, version) in &versions {
            encoded.push_str(&format!("{}:{kind}{version}\n", kind.as_str().len()));
        }
        Digest::of(encoded.as_bytes())
    })
}

/// Looks at everything that the seal rests on, the cheapest first. All of it is looked at in the same way as for a
/// plan; only what is the same again is not taken apart.
pub(super) async fn check(ports: &Ports, seal: Seal, survey_request: &ObserveRequest) -> Result<Checked, Error> {
    if ports.catalog.mark().await != Some(seal.catalog) {
        return Ok(Checked::Broken(None));
    }
    for (needed, known) in &seal.needs {
        if Resolved::now(ports, needed).await.digest() != Some(*known) {
            return Ok(Checked::Broken(None));
        }
    }
    let request = ObserveRequest { unless: Some(seal.survey), ..survey_request.clone() };
    let survey = ports.tree.survey(&request).await.map_err(Error::Observe)?;
    if survey.mark != Some(seal.survey) {
        return Ok(Checked::Broken(Some(Box::new(survey))));
    }
    if ports.store.holds(&seal.objects).await.map_err(Error::reading_store)? {
        Ok(Checked::Holds(seal.kinds, survey.statistics))
    } else {
        Ok(Checked::Broken(None))
    }
}

/// The seal of a scan, if there is nothing that the next one would have to do or say.
pub(super) fn seal_for(inputs: SealInputs, plan: &Plan, catalog: &CatalogView, problems: &[Problem]) -> Option<Seal> {
    let kinds = seal::conclude(plan, catalog, problems)?;
    let SealInputs { request, survey, catalog: mark, needs } = inputs;
    let closures = catalog.rows.iter().filter_map(Row::bundle).flat_map(BundleRef::closure);
    let objects: BTreeSet<StoredObject> = closures.copied().collect();
    Some(Seal { request, survey, catalog: mark, needs, objects: objects.into_iter().collect(), kinds })
}
