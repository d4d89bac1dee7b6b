//! The plan: what to do about every source, decided before anything is done.
//!
//! One pure function for cold start, warm start, reconcile, dry run, doctor, hot reload and "this type was asked
//! for" (`design/freshness.md`). The order of observations and rows never matters.

pub mod absent;
mod action;
mod groups;
mod guardrail;
mod next_due;
mod observed;
mod policy;
mod removals;
mod renames;
mod unobservable;

use std::collections::BTreeMap;

pub use self::{
    action::{Action, Plan, Step},
    groups::{Answered, outages},
    guardrail::GUARDED_ROOT_ROWS,
    next_due::next_due,
    policy::{Policy, Retry, Scope},
    removals::{LONGEST_DOUBT, Removals, SECOND_LOOK_AFTER},
    unobservable::unobservable,
};
use crate::{
    observation::{CatalogView, DiskView, Observation},
    row::Row,
    source::SourceId,
};

/// Compares the disk with the catalog and says what to do. See the [module](self).
#[must_use]
pub fn plan(disk: &DiskView, catalog: &CatalogView, policy: &Policy) -> Plan {
    let rows = rows_by_source(&catalog.rows);
    let observations = observations_by_source(disk, &rows);
    let mut steps: BTreeMap<&SourceId, Step> = BTreeMap::new();
    for (source, observation) in &observations {
        let row = rows.get(source).copied();
        steps.insert(source, observed::step(disk, policy, observation, row));
    }
    for (source, row) in &rows {
        if !observations.contains_key(source) {
            steps.insert(source, absent::step(disk, policy, row));
        }
    }
    observed::try_due(&mut steps, disk, policy, &rows, &observations);
    renames::mark(&mut steps, &rows, &observations);
    let (withheld, mut problems) = guardrail::withhold(&mut steps, &rows, policy);
    problems.extend(unobservable(disk));
    Plan { steps: steps.into_values().collect(), withheld, problems }
}

pub(crate) fn rows_by_source<'a>(all: impl IntoIterator<Item = &'a Row>) -> BTreeMap<&'a SourceId, &'a Row> {
    let mut rows: BTreeMap<&SourceId, &Row> = BTreeMap::new();
    for row in all {
        let slot = rows.entry(&row.source).or_insert(row);
        if row.revision > slot.revision {
            *slot = row;
        }
    }
    rows
}

/// One observation for each source, whatever their order: a directory that two kinds share, or that is configured
/// twice, must not give two steps (fault 21). The kind that the catalog knows wins, then the first by name.
pub(crate) fn observations_by_source<'a>(
    disk: &'a DiskView,
    rows: &BTreeMap<&SourceId, &Row>,
) -> BTreeMap<&'a SourceId, &'a Observation> {
    let mut observations: BTreeMap<&SourceId, &Observation> = BTreeMap::new();
    for observation in &disk.observations {
        let known_kind = rows.get(&observation.source).map(|row| &row.kind);
        let rank = |candidate: &'a Observation| {
            let entry_digest = candidate.inputs().map(crate::fingerprint::Inputs::digest);
            (known_kind != Some(&candidate.kind), &candidate.kind, candidate.origin, &candidate.extension, entry_digest)
        };
        let slot = observations.entry(&observation.source).or_insert(observation);
        if rank(observation) < rank(slot) {
            *slot = observation;
        }
    }
    observations
}
