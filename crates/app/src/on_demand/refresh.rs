//! Bringing types up to date: one look at the repository, then what it takes for these types and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_domain::{
    failure::FailureClass,
    observation::{CatalogView, DiskView, Observation},
    plan,
    problem::Problem,
    row::Row,
    source::{Kind, SourceId},
    type_name::TypeName,
};

use crate::scan::{self, Choice, ScanRequest, Scanner, descriptions};

/// Scans the sources that are, claim or might be one of these types, with one look at the repository. Gives what that
/// look could not see.
///
/// # Errors
/// Sources, catalog or store cannot be looked at.
pub async fn refresh_all(
    scanner: &Scanner,
    kind: &Kind,
    type_names: &BTreeSet<TypeName>,
    request: &ScanRequest,
) -> Result<Vec<Problem>, scan::Error> {
    let mut observed = scanner.look(request).await?;
    let unobservable = plan::unobservable(&observed.disk);
    let choice = choose(kind, type_names, &observed.disk, &observed.catalog);
    let catalog = scanner.ports().catalog.as_ref();
    descriptions::check(catalog, &mut observed.catalog, |source| choice.sources.contains(source)).await?;
    scanner.carry_out(observed, choice).await?;
    Ok(unobservable)
}

fn choose(kind: &Kind, type_names: &BTreeSet<TypeName>, disk: &DiskView, catalog: &CatalogView) -> Choice {
    let rows: BTreeMap<&SourceId, &Row> =
        catalog.rows.iter().filter(|row| row.kind == *kind).map(|row| (&row.source, row)).collect();
    let observed = || disk.observations.iter().filter(|observation| observation.kind == *kind);
    let mut sources: BTreeSet<SourceId> = BTreeSet::new();
    let mut claimed: BTreeSet<&TypeName> = BTreeSet::new();
    let known = rows.iter().map(|(source, row)| (*source, row.type_name()));
    let texts = observed().map(|observation| (&observation.source, observation.claimed_type.as_ref()));
    for (source, type_name) in known.chain(texts) {
        if let Some(type_name) = type_name.filter(|name| type_names.contains(*name)) {
            sources.insert(source.clone());
            claimed.insert(type_name);
        }
    }
    // An add-on whose target is computed may add to any of them.
    let is_unnamed_add_on =
        |observation: &&Observation| observation.claimed_type.is_none() && observation.claims_add_on;
    let is_known = |source: &SourceId| rows.get(source).is_some_and(|row| row.type_name().is_some());
    let unnamed = observed().filter(is_unnamed_add_on).filter(|observation| !is_known(&observation.source));
    sources.extend(unnamed.map(|observation| observation.source.clone()));
    if claimed.len() < type_names.len() {
        // A type whose name is computed says so only when it is inspected. One that was inspected has its name.
        let unnamed = observed().filter(|observation| observation.claimed_type.is_none());
        sources.extend(unnamed.map(|observation| observation.source.clone()));
    }
    // The same inputs fail in the same way where the failure is the source's own.
    let is_worth_it = |source: &&SourceId| {
        let failure = rows.get(*source).and_then(|row| row.failure());
        failure.is_none_or(|failure| failure.class != FailureClass::Deterministic)
    };
    let retried = sources.iter().filter(is_worth_it).cloned().collect();
    Choice { sources, retried }
}
