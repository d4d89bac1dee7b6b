//! `retry`: failed and degraded sources are tried now, whatever their timers say.

use std::collections::BTreeSet;

use mangrove_domain::{observation::CatalogView, plan, problem::Problem, row::Row, source::SourceId};

use crate::{
    health,
    scan::{self, Choice, Report, ScanRequest, Scanner},
    source_query::SourceQuery,
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
    /// What could not be looked into, if nothing has the name.
    pub unobservable: Vec<Problem>,
}

impl Retried {
    /// The rows among those that were meant that are still not healthy.
    pub fn unhealthy(&self) -> impl Iterator<Item = &Row> {
        let meant = self.report.rows.iter().filter(|row| self.sources.contains(&row.source));
        meant.map(AsRef::as_ref).filter(|row| health::problem(row).is_some())
    }
}

/// Tries the sources that have this path or type, or everything that failed or is degraded.
pub async fn retry(
    scanner: &Scanner,
    query: Option<&SourceQuery>,
    request: &ScanRequest,
) -> Result<Retried, scan::Error> {
    let Some(observed) = request.cancellation.run_until_cancelled(scanner.look(request)).await.transpose()? else {
        return Ok(Retried { report: Report::cancelled(), ..Retried::default() });
    };
    let sources = match query {
        None => failed(&observed.catalog),
        Some(query) => query.sources(scanner.loaders(), &observed.disk, &observed.catalog),
    };
    let unknown = query.filter(|_| sources.is_empty());
    let nearest = unknown.and_then(|query| query.nearest(&observed.disk, &observed.catalog));
    let unobservable = unknown.map_or_else(Vec::new, |_| plan::unobservable(&observed.disk));
    let choice = Choice { sources: sources.clone(), retried: sources.clone() };
    let report = scanner.carry_out(observed, choice).await?;
    Ok(Retried { report, sources, nearest, unobservable })
}

fn failed(catalog: &CatalogView) -> BTreeSet<SourceId> {
    let unhealthy = catalog.rows.iter().filter(|row| health::problem(row).is_some());
    unhealthy.map(|row| row.source.clone()).collect()
}
