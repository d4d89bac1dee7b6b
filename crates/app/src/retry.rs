//! `retry`: failed and degraded sources are tried now, whatever their timers say. One call of the one pipeline.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use mangrove_domain::{
    nearest,
    observation::{CatalogView, DiskView},
    row::Row,
    source::SourceId,
    type_name::TypeName,
};

use crate::{
    health,
    scan::{self, Choice, Report, Request, Scanner},
};

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Retried {
    /// What the scan did.
    pub report: Report,
    /// The sources that were meant; empty if nothing has failed, or if nothing has the name.
    pub sources: BTreeSet<SourceId>,
    /// A sentence with names that are near, if nothing has the name.
    pub nearest: Option<String>,
}

impl Retried {
    /// The rows among those that were meant that are still not healthy.
    pub fn unhealthy(&self) -> impl Iterator<Item = &Row> {
        let meant = self.report.rows.iter().filter(|row| self.sources.contains(&row.source));
        meant.map(AsRef::as_ref).filter(|row| health::problem(row).is_some())
    }
}

/// Tries the sources that have this path or type, or everything that failed or is degraded.
pub async fn retry(scanner: &Scanner, query: Option<&str>, request: &Request) -> Result<Retried, scan::Error> {
    let query = query.map(|query| query.trim_start_matches("./"));
    let seen: Mutex<(BTreeSet<SourceId>, Option<String>)> = Mutex::default();
    let choose = |disk: &DiskView, catalog: &CatalogView| {
        let sources = match query {
            None => failed(catalog),
            Some(query) => named(query, disk, catalog),
        };
        let nearest = query.filter(|_| sources.is_empty()).and_then(|query| near(query, disk, catalog));
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = (sources.clone(), nearest);
        Choice { retried: sources.clone(), sources }
    };
    let report = scanner.scan_chosen(request, choose).await?;
    let (sources, nearest) = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Retried { report, sources, nearest })
}

fn failed(catalog: &CatalogView) -> BTreeSet<SourceId> {
    let unhealthy = catalog.rows.iter().filter(|row| health::problem(row).is_some());
    unhealthy.map(|row| row.source.clone()).collect()
}

/// Every source with the types that it has or claims.
fn names<'a>(
    disk: &'a DiskView,
    catalog: &'a CatalogView,
) -> impl Iterator<Item = (&'a SourceId, Option<&'a TypeName>)> {
    let rows = catalog.rows.iter().map(|row| (&row.source, row.type_name()));
    rows.chain(disk.observations.iter().map(|seen| (&seen.source, seen.claimed_type.as_ref())))
}

fn named(query: &str, disk: &DiskView, catalog: &CatalogView) -> BTreeSet<SourceId> {
    names(disk, catalog)
        .filter(|(source, type_name)| {
            source.path.as_str() == query
                || source.to_string() == query
                || type_name.is_some_and(|name| name.as_str() == query)
        })
        .map(|(source, _)| source.clone())
        .collect()
}

fn near(query: &str, disk: &DiskView, catalog: &CatalogView) -> Option<String> {
    let known: BTreeSet<String> = names(disk, catalog)
        .flat_map(|(source, type_name)| [Some(source.to_string()), type_name.map(ToString::to_string)])
        .flatten()
        .collect();
    nearest::hint(query, known.iter().map(String::as_str))
}
