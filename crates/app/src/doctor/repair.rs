//! What the doctor repairs: removals that the guardrail withholds, orphans, rows that nobody can read, damaged bundles,
//! bundles that nothing needs. A scan with a scope of its own; healthy rows are never in it.

use std::collections::BTreeSet;

use mangrove_domain::{
    bundle::{BundleRef, Presence, StoredObject},
    observation::{CatalogView, DiskView},
    plan::{self, Action, Plan, Step},
    ports::{Change, Commit, Write},
    source::SourceId,
    state::TombstoneReason,
};

use super::Diagnosis;
use crate::{
    scan::{self, Choice, Report, RetryMode, ScanRequest, Scanner},
    upkeep::{self, SourceInventory, Sweep},
};

/// What a repair does, or would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Repair {
    /// Rows that leave, and bundles that are made again.
    pub steps: Vec<Step>,
    /// Rows of the catalog that cannot be understood and whose source is not there: they leave.
    pub unreadable: BTreeSet<SourceId>,
    /// Objects of the store that nothing needs, beyond the grace period.
    pub objects: Vec<StoredObject>,
    /// Files that interrupted writes left behind.
    pub leftovers: usize,
}

impl Repair {
    /// True if there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.unreadable.is_empty() && self.objects.is_empty() && self.leftovers == 0
    }

    async fn sweep(&mut self, scanner: &Scanner, look: &SourceInventory, is_dry_run: bool) -> Result<(), scan::Error> {
        match upkeep::sweep(scanner, look, is_dry_run).await? {
            Sweep::Done(swept) => (self.objects, self.leftovers) = (swept.objects, swept.leftovers),
            // Somebody has to scan first; until then nobody knows what is needed.
            Sweep::Withheld(_) => {}
        }
        Ok(())
    }
}

/// What a repair did.
#[derive(Clone, Debug, Default)]
pub struct Repaired {
    /// What it was about.
    pub repair: Repair,
    /// What the pipeline made of it.
    pub report: Report,
}

/// What would be done about what was found, derived from the observations of the diagnosis. Where that could not see
/// everything, nothing is proposed.
///
/// # Errors
/// The catalog or the store cannot be looked at.
pub async fn propose(scanner: &Scanner, diagnosis: &Diagnosis) -> Result<Repair, scan::Error> {
    let Some((disk, catalog)) = &diagnosis.seen else { return Ok(Repair::default()) };
    let request = ScanRequest { dry_run: true, ..repairing(ScanRequest::default()) };
    let mut disk = disk.clone();
    for row in &catalog.rows {
        let mut closure = row.bundle().into_iter().flat_map(BundleRef::closure);
        if let Some(presence) = closure.find_map(|object| diagnosis.damaged.get(&object.key)) {
            disk.presence.insert(row.source.clone(), *presence);
        }
    }
    let plan = plan::plan(&disk, catalog, &scanner.policy(&request));
    let mut repair =
        Repair { steps: choose(&plan, &disk, catalog), unreadable: lost(&disk, catalog), ..Repair::default() };
    repair.sweep(scanner, &SourceInventory::of(&disk), true).await?;
    Ok(repair)
}

/// Does it. What is chosen comes from the scan's own look, so a second repair finds nothing to do. Of the request,
/// cancellation and progress count.
///
/// # Errors
/// Sources, catalog or store cannot be looked at or written.
pub async fn apply(scanner: &Scanner, request: &ScanRequest) -> Result<Repaired, scan::Error> {
    // Reads every byte of the store, and takes damaged objects out of it before it looks who misses them.
    let request = ScanRequest { rehash: true, ..repairing(request.clone()) };
    let Some(observed) = request.cancellation.run_until_cancelled(scanner.look(&request)).await.transpose()? else {
        return Ok(Repaired { report: Report::cancelled(), ..Repaired::default() });
    };
    let steps = choose(&scanner.plan(&observed), &observed.disk, &observed.catalog);
    let unreadable = lost(&observed.disk, &observed.catalog);
    let look = SourceInventory::of(&observed.disk);
    let choice = Choice { sources: steps.iter().map(|step| step.source.clone()).collect(), retried: BTreeSet::new() };
    let report = scanner.carry_out(observed, choice).await?;
    let mut repair = Repair { steps, ..Repair::default() };
    if !report.is_cancelled {
        discard(scanner, &unreadable).await?;
        repair.unreadable = unreadable;
        repair.sweep(scanner, &look, false).await?;
    }
    Ok(Repaired { repair, report })
}

fn repairing(request: ScanRequest) -> ScanRequest {
    ScanRequest { retry: RetryMode::None, allow_mass_removal: true, prunes_orphans: true, ..request }
}

/// The steps of a plan that repair something. A source that is new, or was edited, or failed, is the business of a
/// scan; so is one that was renamed, whose new name must be built by the same scan.
fn choose(plan: &Plan, disk: &DiskView, catalog: &CatalogView) -> Vec<Step> {
    let damaged: BTreeSet<&str> = catalog.damaged.iter().map(|problem| problem.subject.as_str()).collect();
    let is_damaged = |source: &SourceId| {
        disk.presence_of(source) != Presence::Present || damaged.contains(source.to_string().as_str())
    };
    let repairs = |step: &&Step| match &step.action {
        Action::Tombstone(reason) => *reason != TombstoneReason::Renamed,
        Action::Build | Action::Inspect | Action::Adopt => is_damaged(&step.source),
        Action::Keep
        | Action::Recover
        | Action::Degrade(_)
        | Action::MarkUnreadable(_)
        | Action::Orphan
        | Action::Defer { .. } => false,
    };
    plan.steps.iter().filter(repairs).cloned().collect()
}

/// Unreadable rows that no build replaces, because their source is not there.
fn lost(disk: &DiskView, catalog: &CatalogView) -> BTreeSet<SourceId> {
    let observed: BTreeSet<&SourceId> = disk.observations.iter().map(|observation| &observation.source).collect();
    catalog.unreadable.iter().filter(|source| !observed.contains(*source)).cloned().collect()
}

/// Nothing is known of such a row, not even its revision; the catalog lets it go only if it really cannot be read.
async fn discard(scanner: &Scanner, unreadable: &BTreeSet<SourceId>) -> Result<(), scan::Error> {
    if unreadable.is_empty() {
        return Ok(());
    }
    let change = |source: &SourceId| Change {
        source: source.clone(),
        expected_revision: 0,
        write: Write::Delete,
        transition: None,
    };
    let commit = Commit { changes: unreadable.iter().map(change).collect(), descriptions: Vec::new() };
    let committed = scanner.ports().catalog.commit(commit).await;
    committed.map(drop).map_err(scan::Error::writing_catalog)
}
