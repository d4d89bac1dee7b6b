//! What a scan leaves for the next one, and whether it still holds.
//!
//! What is compared, and why nothing is missing: `design/decisions/0010-seals-of-what-rests.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    bundle::StoredObject,
    digest::Digest,
    observation::{CatalogView, DiskView},
    package::PackageRequest,
    plan::{self, Plan, Policy, Retry, Scope},
    ports::ObserveRequest,
    problem::Problem,
    row::Row,
    seal::{self, Seal},
    source::{Kind, SourceId},
    survey::{Survey, SurveyStatistics},
};

use super::{
    error::Error,
    needs::{self, Needs, Resolved},
    ports::Ports,
    request::ScanRequest,
};
use crate::loaders::Registry;

/// What a conclusion rests on besides the rows and their bundles.
#[derive(Debug)]
pub(super) struct SealInputs {
    /// Names what was asked; see [`request_digest`].
    pub(super) request: Digest,
    pub(super) survey: Digest,
    /// Names what the catalog held, as of before its rows were read, if it could be named.
    pub(super) mark: Option<Digest>,
    pub(super) needs: BTreeMap<PackageRequest, Digest>,
}

/// Whether what a seal says still holds.
pub(super) enum Checked {
    Holds(Box<Held>),
    Broken(Broken),
}

/// What is left of the look at a seal that does not hold.
#[derive(Default)]
pub(super) struct Broken {
    /// The survey, if that is what differs.
    pub(super) survey: Option<Box<Survey>>,
    /// What another survey cost, whose content is left out because it is as before: what it read, no later one reads again.
    pub(super) cost: SurveyStatistics,
}

/// A seal that holds.
pub(super) struct Held {
    pub(super) seal: Seal,
    /// Names what the catalog held, as of before anything of it was read.
    pub(super) mark: Option<Digest>,
    /// The rows that the seal names, sorted by source. They are those that it was made from.
    pub(super) rows: Vec<Row>,
    /// What entries need from outside, as it is now.
    pub(super) resolved: BTreeMap<PackageRequest, Resolved>,
    /// What looking cost.
    pub(super) statistics: SurveyStatistics,
    /// What follows from edits of modules since the seal; the rows of these sources are among `rows`. `None` where nothing
    /// has changed.
    pub(super) edits: Option<Box<Survey>>,
}

/// Names what is asked of a scan that can be sealed: the kinds with the versions of their rules, and what a plan may do
/// with what is not there. `None` for any other scan. Where layouts and environment matter, they are part of the survey's
/// mark.
pub(super) fn request_digest(loaders: &Registry, request: &ScanRequest) -> Option<Digest> {
    let is_plain = request.scope == Scope::Everything && !request.rehash && !request.prunes_orphans;
    is_plain.then(|| {
        let versions = loaders.rule_versions();
        let mut encoded = String::from("mangrove-scan 2\n");
        for (kind, version) in &versions {
            encoded.push_str(&format!("{}:{kind}{version}\n", kind.as_str().len()));
        }
        Digest::of(encoded.as_bytes())
    })
}

/// Looks at everything that the seal rests on, the cheapest first. All of it is looked at in the same way as for a
/// plan; only what is the same again is not taken apart.
pub(super) async fn check(ports: &Ports, mut seal: Seal, survey_request: &ObserveRequest) -> Result<Checked, Error> {
    let mark = ports.catalog.mark().await;
    let mut resolved = BTreeMap::new();
    for (needed, known) in &seal.needs {
        let now = Resolved::now(ports, needed).await;
        if now.digest() != *known {
            return Ok(Checked::Broken(Broken::default()));
        }
        resolved.insert(needed.clone(), now);
    }
    let request = ObserveRequest { unless: Some(seal.survey), ..survey_request.clone() };
    let told = seal.conclusion.told();
    // A seal of a scan that wrote has no mark: what was read before a commit does not name what is there after it.
    let is_marked = mark.is_some() && mark == seal.mark;
    if mark.is_some() && seal.mark.is_some() && seal.is_mark_settled && !is_marked {
        tracing::debug!("the seal is broken: the catalog is another one");
        return Ok(Checked::Broken(Broken::default()));
    }
    let rows = async {
        let is_told_by_mark = is_marked && told.is_empty();
        if is_told_by_mark { Some(Vec::new()) } else { rows_of_version(ports, &told, seal.version).await }
    };
    let (survey, rows) = futures::join!(ports.tree.survey(&request), rows);
    let mut survey = survey.map_err(Error::Observe)?;
    let is_edited = survey.since == Some(seal.survey);
    if survey.mark != Some(seal.survey) && !is_edited {
        let survey = survey.since.is_none().then(|| Box::new(survey));
        tracing::debug!("the seal is broken: the sources are others");
        return Ok(Checked::Broken(Broken { survey, ..Broken::default() }));
    }
    let statistics = survey.statistics;
    let broken = Broken { survey: None, cost: statistics };
    let Some(mut rows) = rows else {
        tracing::debug!("the seal is broken: the rows are others");
        return Ok(Checked::Broken(broken));
    };
    if is_edited {
        let edited = survey.disk.observations.iter().map(|observation| observation.source.clone());
        let unread: BTreeSet<SourceId> = edited.filter(|source| !told.contains(source)).collect();
        if !unread.is_empty() {
            let Some(edited) = rows_of_version(ports, &unread, seal.version).await else {
                tracing::debug!("the seal is broken: the rows of edited sources are others");
                return Ok(Checked::Broken(broken));
            };
            rows.extend(edited);
            rows.sort_by(|left, right| left.source.cmp(&right.source));
        }
        let catalog = CatalogView { rows, ..CatalogView::default() };
        survey.disk.keep_known_identities(&catalog);
        rows = catalog.rows;
        resolved = needs::resolve(ports, &survey, resolved).await;
        seal.needs = needs::digests(&resolved);
    }
    let objects: Vec<StoredObject> = seal.conclusion.objects.iter().map(|(object, _)| *object).collect();
    if !ports.store.holds(&objects).await.map_err(Error::reading_store)? {
        tracing::debug!("the seal is broken: a bundle is missing");
        return Ok(Checked::Broken(broken));
    }
    let edits = is_edited.then(|| Box::new(survey));
    Ok(Checked::Holds(Box::new(Held { seal, mark, rows, resolved, statistics, edits })))
}

/// These rows, if the catalog is as it was when it had this version: read with the version, in one look. What goes wrong
/// is met again by whoever reads all rows, and told there.
async fn rows_of_version(ports: &Ports, sources: &BTreeSet<SourceId>, version: Digest) -> Option<Vec<Row>> {
    let view = match ports.catalog.rows(sources).await {
        Ok(view) => view,
        Err(error) => {
            tracing::debug!(%error, "the rows that a seal names cannot be read");
            return None;
        }
    };
    let is_whole = view.version == Some(version) && view.damaged.is_empty() && view.rows.len() == sources.len();
    let mut rows = view.rows;
    rows.sort_by(|left, right| left.source.cmp(&right.source));
    is_whole.then_some(rows)
}

/// What a scan knows when it is over.
pub(super) struct Known<'a> {
    /// The plan that was made, if nothing was written since; else another one is made of the rows that there are now.
    pub(super) plan: Option<Plan>,
    pub(super) disk: DiskView,
    /// The kinds with the versions of their rules.
    pub(super) kinds: BTreeMap<Kind, u32>,
    pub(super) needs: &'a BTreeMap<SourceId, Needs>,
    /// All rows as they are now, sorted by source.
    pub(super) rows: &'a [Arc<Row>],
    pub(super) version: Digest,
    pub(super) claimed: Vec<Problem>,
}

/// The seal of a scan, if the next one would have nothing to do but to try again what failed.
pub(super) fn seal_for(inputs: SealInputs, known: Known<'_>) -> Option<Seal> {
    let Known { plan, disk, kinds, needs, rows, version, claimed } = known;
    let SealInputs { request, survey, mark, needs: needed } = inputs;
    // What was read before a commit of ours does not name what is there now.
    let mark = if plan.is_some() { mark } else { None };
    let plan = plan.unwrap_or_else(|| {
        let rows = rows.iter().map(|row| Row::clone(row)).collect();
        plan::plan(&disk, &CatalogView { rows, ..CatalogView::default() }, &next_policy(kinds))
    });
    let needs_of = |source: &SourceId| needs.get(source).map(Needs::outside);
    let found = disk.problems.iter().chain(&plan.problems).cloned().collect();
    let conclusion = seal::conclude(&plan, &disk, rows.iter().map(AsRef::as_ref), needs_of)?;
    Some(Seal { request, survey, version, mark, is_mark_settled: false, needs: needed, conclusion, found, claimed })
}

/// What the next scan may do, whatever this one was allowed to: it is about everything, tries whatever failed, and guards
/// removals.
pub(super) const fn next_policy(kinds: BTreeMap<Kind, u32>) -> Policy {
    Policy {
        retry: Retry::All,
        kinds,
        scope: Scope::Everything,
        allow_mass_removal: false,
        believes_removals: false,
        prunes_orphans: false,
    }
}
