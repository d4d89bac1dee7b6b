//! Upkeep of the bundle store: taking away what no row needs any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use mangrove_domain::{
    advice::{Advice, UserAction},
    bundle::{self, BundleRef, Presence},
    claims,
    description::Description,
    digest::Digest,
    fingerprint::Part,
    observation::{DiskView, Entry, RootAccess, RootView},
    ports::{Catalog, CatalogError, Change, Commit, ObserveRequest, SHORTEST_GRACE, SweepOutcome, SweepRequest, Write},
    problem::{Code, Problem},
    row::Row,
    source::SourceId,
    state::State,
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

/// What a look at the repository says about what may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceInventory {
    /// The sources that there are.
    sources: BTreeSet<SourceId>,
    /// The files that lock packages of theirs, beside those of the repository itself.
    pub locks: BTreeSet<PathBuf>,
    /// The specifiers of packages that they import.
    pub specifiers: BTreeSet<String>,
    /// What of the repository cannot be looked into now, in words; `None` if everything can.
    pub unobservable: Option<String>,
}

impl SourceInventory {
    /// Looks at the whole repository.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub async fn take(scanner: &Scanner) -> Result<Self, scan::Error> {
        let request = ObserveRequest { kinds: scanner.loaders().layouts(), ..ObserveRequest::default() };
        let survey = scanner.ports().tree.survey(&request).await.map_err(scan::Error::Observe)?;
        let (mut locks, mut specifiers) = (BTreeSet::new(), BTreeSet::new());
        for entry in survey.entries {
            locks.extend(entry.lock);
            specifiers.extend(entry.specifiers);
        }
        Ok(Self { locks, specifiers, ..Self::of(&survey.disk) })
    }

    /// What a look that was taken for something else says, without locks and specifiers.
    pub(crate) fn of(disk: &DiskView) -> Self {
        Self {
            sources: disk.observations.iter().map(|seen| seen.source.clone()).collect(),
            locks: BTreeSet::new(),
            specifiers: BTreeSet::new(),
            unobservable: unobservable(disk),
        }
    }
}

fn unobservable(disk: &DiskView) -> Option<String> {
    if disk.lockfile_fault.is_some() || disk.mounts_fault.is_some() {
        return Some("the list of mounts or of pulled extensions cannot be read".to_owned());
    }
    let is_whole = |view: &RootView| {
        view.access == RootAccess::Reachable && view.incomplete.is_empty() && view.missing_directories.is_empty()
    };
    let partly = disk.roots.iter().find(|(_, view)| !is_whole(view));
    if let Some((root, _)) = partly {
        return Some(format!("{root} can only be read in part"));
    }
    let unreadable = disk.observations.iter().find(|seen| matches!(seen.entry, Entry::Unreadable(_)));
    unreadable.map(|seen| format!("{} cannot be read", seen.source))
}

/// Removes the bundles that no row needs and that nobody put or touched for [`SHORTEST_GRACE`]; a dry run tells and
/// leaves them. Only a catalog that knows every source may say what is needed: where a row cannot be read, or a source
/// of the look has none, because it was never scanned or the catalog is a new one, everything stays.
///
/// # Errors
/// Catalog or store cannot be looked at; the store belongs to another catalog.
pub async fn sweep(scanner: &Scanner, look: &SourceInventory, is_dry_run: bool) -> Result<Sweep, scan::Error> {
    let ports = scanner.ports();
    // After the look: a row that a scan wrote meanwhile is in the snapshot or its bundle is young.
    let view = ports.catalog.snapshot().await.map_err(scan::Error::reading_catalog)?;
    if !view.damaged.is_empty() {
        return Ok(Sweep::Withheld(view.damaged));
    }
    let known: BTreeSet<&SourceId> = view.rows.iter().map(|row| &row.source).collect();
    let mut unknown = look.sources.iter().filter(|source| !known.contains(source));
    if let Some(first) = unknown.next() {
        return Ok(Sweep::Withheld(vec![never_scanned(first, unknown.count())]));
    }
    // A repository without sources whose catalog was never written has nothing that anybody could know of.
    let Some(catalog) = ports.catalog.identity().await.map_err(scan::Error::reading_catalog)? else {
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

/// The packages, as `name@version`, of which bundles in use and latest attempts were made.
///
/// # Errors
/// The catalog cannot be read.
pub async fn packages_in_use(scanner: &Scanner) -> Result<BTreeSet<String>, scan::Error> {
    let view = scanner.ports().catalog.snapshot().await.map_err(scan::Error::reading_catalog)?;
    let parts = view.rows.iter().flat_map(|row| row.built.iter().chain(&row.attempted)).map(|inputs| &inputs.packages);
    // Many sources have one set of packages.
    let distinct: BTreeMap<Digest, &Part> = parts.map(|part| (part.digest(), part)).collect();
    // What cannot be decoded is damaged, and then nothing is removed for other reasons.
    let lines = distinct.into_values().flat_map(|part| part.lines().unwrap_or_default());
    Ok(lines.map(|line| line.key).collect())
}

fn never_scanned(first: &SourceId, others: usize) -> Problem {
    let others = if others > 0 { format!(" and {others} more have") } else { " has".to_owned() };
    Problem::warning(
        Code::SWEEP_WITHHELD,
        first.to_string(),
        format!("{first}{others} no row in the catalog, so it is not known which bundles are needed"),
    )
    .advise(Advice::new(UserAction::Scan).and(" first"))
}

/// What a new catalog takes over from an earlier one: the rows that run on an earlier bundle, which no source can give
/// back.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    rows: Vec<Row>,
    descriptions: Vec<Description>,
}

impl Earlier {
    /// The degraded rows of a catalog, with what describes them.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn of(catalog: &dyn Catalog) -> Result<Self, CatalogError> {
        let mut earlier = Self::default();
        for row in catalog.snapshot().await?.rows {
            if let (State::Indexed(indexed), Some(_)) = (&row.state, &row.degraded)
                && let Some(description) = catalog.description(indexed.description).await?
            {
                earlier.descriptions.push(description);
                earlier.rows.push(row);
            }
        }
        Ok(earlier)
    }
}

/// Writes the rows of an earlier catalog into a new one, before its first scan: those whose bundles are in the store to
/// the last byte. The scan judges them like all others; that their source fails takes nothing away then. Gives the
/// sources.
///
/// # Errors
/// Catalog or store cannot be used.
pub async fn take_over(scanner: &Scanner, earlier: Earlier) -> Result<Vec<SourceId>, scan::Error> {
    let ports = scanner.ports();
    let Earlier { rows, descriptions } = earlier;
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        let mut is_whole = true;
        for object in row.bundle().into_iter().flat_map(BundleRef::closure) {
            is_whole &= ports.store.verify(object).await.map_err(scan::Error::verifying_store)? == Presence::Present;
        }
        if is_whole {
            kept.push(Row { revision: 0, ..row });
        }
    }
    let claims = claims::resolve(&kept);
    for row in &mut kept {
        claims.mark(row);
    }
    // Losers of a claim are written before its winner.
    kept.sort_by_key(Row::is_resolvable);
    let sources: Vec<SourceId> = kept.iter().map(|row| row.source.clone()).collect();
    let change = |row: Row| Change {
        source: row.source.clone(),
        expected_revision: 0,
        write: Write::Put(Box::new(row)),
        transition: None,
    };
    let commit = Commit { changes: kept.into_iter().map(change).collect(), descriptions };
    if commit.changes.is_empty() {
        return Ok(sources);
    }
    ports.store.sync().await.map_err(scan::Error::verifying_store)?;
    let outcome = ports.catalog.commit(commit).await.map_err(scan::Error::writing_catalog)?;
    // Another process was first to scan: what it found counts.
    Ok(sources.into_iter().filter(|source| !outcome.conflicts.contains(source)).collect())
}
