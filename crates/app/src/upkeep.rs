//! Upkeep of the bundle store: taking away what no row needs any more.

use std::collections::BTreeSet;

use mangrove_domain::{
    bundle,
    ports::{ObserveRequest, SHORTEST_GRACE, SweepOutcome, SweepRequest},
    problem::{Code, Problem, Severity},
    row::Row,
    source::SourceId,
};

use crate::scan::{self, Scanner};

/// What became of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// It was done, or in a dry run looked at.
    Done(SweepOutcome),
    /// Nothing was removed: the catalog does not know of every source what it needs. Why, for each such source, or
    /// in one sentence for those that were never scanned.
    Withheld(Vec<Problem>),
}

/// Removes the bundles that no row needs and that nobody put or touched for [`SHORTEST_GRACE`]; a dry run tells and
/// leaves them. Only a catalog that knows every source may say what is needed: where a row cannot be read, or a source
/// has none, because it was never scanned or the catalog is a new one, everything stays.
///
/// # Errors
/// Sources, catalog or store cannot be looked at; the store belongs to another catalog.
pub async fn sweep(scanner: &Scanner, is_dry_run: bool) -> Result<Sweep, scan::Error> {
    let ports = scanner.ports();
    let catalog_error = |source| scan::Error::Catalog { doing: "reading", source };
    let request = ObserveRequest { kinds: scanner.loaders().layouts(), ..ObserveRequest::default() };
    // Looked at first: a row that a scan writes meanwhile is in the snapshot or its bundle is young.
    let survey = ports.tree.survey(&request).await.map_err(scan::Error::Observe)?;
    let view = ports.catalog.snapshot().await.map_err(catalog_error)?;
    if !view.damaged.is_empty() {
        return Ok(Sweep::Withheld(view.damaged));
    }
    let known: BTreeSet<&SourceId> = view.rows.iter().map(|row| &row.source).collect();
    let observed = survey.disk.observations.iter().map(|seen| &seen.source);
    let mut unknown = observed.filter(|source| !known.contains(source));
    if let Some(first) = unknown.next() {
        return Ok(Sweep::Withheld(vec![never_scanned(first, unknown.count())]));
    }
    // A repository without sources whose catalog was never written has nothing that anybody could know of.
    let Some(catalog) = ports.catalog.identity().await.map_err(catalog_error)? else {
        return Ok(Sweep::Done(SweepOutcome::default()));
    };
    let request = SweepRequest {
        catalog,
        needed: bundle::needed(view.rows.iter().filter_map(Row::bundle)),
        now: ports.clock.now(),
        grace: SHORTEST_GRACE,
        is_dry_run,
    };
    let swept = ports.store.sweep(&request).await;
    swept.map(Sweep::Done).map_err(|source| scan::Error::Store { doing: "sweeping", source })
}

fn never_scanned(first: &SourceId, others: usize) -> Problem {
    let others = if others > 0 { format!(" and {others} more have") } else { " has".to_owned() };
    Problem {
        code: Code::SWEEP_WITHHELD,
        severity: Severity::Warning,
        subject: first.to_string(),
        position: None,
        message: format!("{first}{others} no row in the catalog, so that nobody knows which bundles are needed"),
        hint: Some("`mangrove scan` first".to_owned()),
    }
}
