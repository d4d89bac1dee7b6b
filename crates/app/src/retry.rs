//! `retry`: failed and degraded sources are tried now, whatever their timers say. One call of the one pipeline.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use mangrove_domain::{
    observation::{CatalogView, DiskView},
    plan,
    problem::Problem,
    row::Row,
    source::SourceId,
};

use crate::{
    health,
    scan::{self, Choice, Report, Request, Scanner},
    sought::Sought,
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
    pub hidden: Vec<Problem>,
}

/// What was chosen, and what is to be said if it is nothing.
#[derive(Default)]
struct Seen {
    sources: BTreeSet<SourceId>,
    nearest: Option<String>,
    hidden: Vec<Problem>,
}

impl Retried {
    /// The rows among those that were meant that are still not healthy.
    pub fn unhealthy(&self) -> impl Iterator<Item = &Row> {
        let meant = self.report.rows.iter().filter(|row| self.sources.contains(&row.source));
        meant.map(AsRef::as_ref).filter(|row| health::problem(row).is_some())
    }
}

/// Tries the sources that have this path or type, or everything that failed or is degraded.
pub async fn retry(scanner: &Scanner, sought: Option<&Sought>, request: &Request) -> Result<Retried, scan::Error> {
    let seen: Mutex<Seen> = Mutex::default();
    let choose = |disk: &DiskView, catalog: &CatalogView| {
        let sources = match sought {
            None => failed(catalog),
            Some(sought) => sought.sources(scanner.loaders(), disk, catalog),
        };
        let lost = sought.filter(|_| sources.is_empty());
        let nearest = lost.and_then(|sought| sought.nearest(disk, catalog));
        let hidden = lost.map_or_else(Vec::new, |_| plan::out_of_sight(disk));
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { sources: sources.clone(), nearest, hidden };
        Choice { retried: sources.clone(), sources }
    };
    let report = scanner.scan_chosen(request, choose).await?;
    let Seen { sources, nearest, hidden } = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Retried { report, sources, nearest, hidden })
}

fn failed(catalog: &CatalogView) -> BTreeSet<SourceId> {
    let unhealthy = catalog.rows.iter().filter(|row| health::problem(row).is_some());
    unhealthy.map(|row| row.source.clone()).collect()
}
