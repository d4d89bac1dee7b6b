//! What a scan that found nothing to do leaves for the next one.
//!
//! A seal is the conclusion "all is well" together with everything that it rests on. It is broken by any change of
//! any of it, and then the ordinary plan is made. It can say nothing else than that every row is fresh and healthy:
//! a failure, a rejection or a warning is never sealed (`design/decisions/0007-sealed-scans.md`).

use std::collections::BTreeMap;

use crate::{
    bundle::StoredObject,
    digest::Digest,
    freshness::{Fresh, Verdict},
    observation::CatalogView,
    package::PackageRequest,
    plan::{Action, Plan},
    problem::Problem,
    row::Row,
    source::Kind,
};

/// The conclusion of a scan and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What was asked: the kinds with the versions of their rules.
    pub request: Digest,
    /// Names the survey ([`Survey::mark`](crate::survey::Survey::mark)).
    pub survey: Digest,
    /// Names the content of the catalog ([`Catalog::mark`](crate::ports::Catalog::mark)), as of before its rows were
    /// read.
    pub catalog: Digest,
    /// What entries need from outside, each with the digest of what it stands for: bundler and packages part.
    pub needs: BTreeMap<PackageRequest, Digest>,
    /// The closures of all rows' bundles, each object once.
    pub objects: Vec<StoredObject>,
    /// The rows, all of them indexed and none degraded.
    pub kinds: BTreeMap<Kind, SealedRows>,
}

/// How many healthy rows there are of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealedRows {
    /// All of them.
    pub indexed: u64,
    /// Those among them whose type another row resolves.
    pub shadowed: u64,
}

/// The rows of a plan that has nothing to do and nothing to say, by kind; `None` for every other plan.
///
/// `problems` are those of the whole scan, the plan's among them.
#[must_use]
pub fn conclude(plan: &Plan, catalog: &CatalogView, problems: &[Problem]) -> Option<BTreeMap<Kind, SealedRows>> {
    let is_idle = plan.steps.len() == catalog.rows.len()
        && plan.withheld.is_empty()
        && problems.is_empty()
        && plan.problems.is_empty()
        && catalog.damaged.is_empty()
        && catalog.unreadable.is_empty()
        && plan
            .steps
            .iter()
            .all(|step| matches!((&step.action, &step.verdict), (Action::Keep, Verdict::Fresh(Fresh::Unchanged))));
    if !is_idle {
        return None;
    }
    let mut kinds: BTreeMap<Kind, SealedRows> = BTreeMap::new();
    for row in &catalog.rows {
        if !is_healthy(row) {
            return None;
        }
        let rows = kinds.entry(row.kind.clone()).or_default();
        rows.indexed += 1;
        rows.shadowed += u64::from(row.shadowed_by.is_some());
    }
    Some(kinds)
}

fn is_healthy(row: &Row) -> bool {
    row.state.indexed().is_some() && row.failure().is_none()
}
