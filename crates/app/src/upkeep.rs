//! Looking after the bundle store: what no row needs any more goes.

use mangrove_domain::{
    bundle,
    ports::{SHORTEST_GRACE, SweepOutcome, SweepRequest},
    problem::Problem,
    row::Row,
};

use crate::scan::{self, Scanner};

/// What became of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// It was done, or in a dry run looked at.
    Done(SweepOutcome),
    /// Nothing was removed, since the catalog does not know of every source what it needs: why.
    Withheld(Vec<Problem>),
}

/// Removes the objects that no row of the catalog needs and that are older than the grace period, or tells which ones
/// these are. Without a catalog nothing is known to be unneeded, and nothing goes.
pub async fn sweep(scanner: &Scanner, is_dry_run: bool) -> Result<Sweep, scan::Error> {
    let ports = scanner.ports();
    let reading = |source| scan::Error::Catalog { doing: "reading", source };
    let Some(catalog) = ports.catalog.identity().await.map_err(reading)? else {
        return Ok(Sweep::Done(SweepOutcome::default()));
    };
    let view = ports.catalog.snapshot().await.map_err(reading)?;
    if !view.damaged.is_empty() {
        return Ok(Sweep::Withheld(view.damaged));
    }
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
