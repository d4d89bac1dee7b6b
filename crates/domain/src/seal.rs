//! What a scan leaves for the next one: what that would find if nothing changed.
//!
//! A seal is the plan of the next scan together with everything that it rests on. It is broken by any change of any of
//! it, and then the ordinary plan is made. What rests is remembered with what is to be said of it. A failed build never
//! rests: a seal names it, so that it is tried (`design/decisions/0010-seals-of-what-rests.md`).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    bundle::{BundleRef, StoredObject},
    digest::Digest,
    freshness::{Fresh, NotLookedAt, Stale, Verdict},
    observation::{DiskView, Observation},
    package::PackageRequest,
    plan::{self, Action, Plan, Step},
    problem::Problem,
    row::Row,
    shipped::Shipped,
    source::{Kind, SourceId},
    state::State,
    type_name::TypeName,
};

/// What the next scan finds if nothing changes, and what that rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Seal {
    /// What was asked: the kinds with the versions of their rules, and whatever else a plan depends on.
    pub request: Digest,
    /// Names the survey ([`Survey::mark`](crate::survey::Survey::mark)).
    pub survey: Digest,
    /// Names the rows ([`CatalogView::version`](crate::observation::CatalogView::version)).
    pub version: Digest,
    /// Names the content of the catalog ([`Catalog::mark`](crate::ports::Catalog::mark)), as of before this version was
    /// read: with the same mark, the version need not be asked for. `None` where there was none.
    pub mark: Option<Digest>,
    /// True if the mark was seen again since the catalog was closed. Closing it may move what the mark names, so until then
    /// another mark proves nothing, and the version has to be asked for.
    pub is_mark_settled: bool,
    /// What entries need from outside, each with the digest of what it stands for: bundler and packages part.
    pub needs: BTreeMap<PackageRequest, Digest>,
    /// The rows.
    pub conclusion: Conclusion,
    /// What is wrong with roots, files and lists.
    pub found: Vec<Problem>,
    /// What is wrong among the rows: claims, and add-ons.
    pub claimed: Vec<Problem>,
}

/// What the next scan finds of all rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conclusion {
    /// The rows that are fresh and of which nothing is to be said.
    pub healthy: BTreeMap<Kind, SealedRows>,
    /// The other rows that are fresh, with the reason: rejected exports, entries that cannot be read, ….
    pub answers: BTreeMap<SourceId, Fresh>,
    /// The sources whose latest build failed, sorted: they are tried.
    pub failing: Vec<Failing>,
    /// The closures of the bundles that fresh rows must have: each object once, sorted, with the number of rows that need it.
    pub objects: Vec<(StoredObject, u32)>,
    /// The types that rows add to, or try to.
    pub extended: BTreeSet<(Kind, TypeName)>,
}

/// How many healthy rows there are of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealedRows {
    /// All of them.
    pub indexed: u64,
    /// Those among them whose type another row resolves.
    pub shadowed: u64,
}

/// A source whose latest build failed, as it was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failing {
    /// The source. Bundler and packages part count as unknown: they are asked for again.
    pub observation: Observation,
    /// What it needs from outside.
    pub packages: PackageRequest,
    /// What its extension ships for it.
    pub shipped: Option<Shipped>,
}

impl Conclusion {
    /// The sources whose rows are wanted to repeat it.
    #[must_use]
    pub fn told(&self) -> BTreeSet<SourceId> {
        let failing = self.failing.iter().map(|failing| failing.observation.source.clone());
        self.answers.keys().cloned().chain(failing).collect()
    }

    /// Takes out what it says of a row that it was made from, as that was then.
    pub fn take_out(&mut self, row: &Row) {
        let fresh = match self.answers.remove(&row.source) {
            Some(fresh) => fresh,
            None if self.is_failing(&row.source) => {
                self.failing.retain(|failing| failing.observation.source != row.source);
                return;
            }
            None => {
                if let Some(rows) = self.healthy.get_mut(&row.kind) {
                    rows.indexed = rows.indexed.saturating_sub(1);
                    rows.shadowed = rows.shadowed.saturating_sub(u64::from(row.shadowed_by.is_some()));
                }
                self.healthy.retain(|_, rows| rows.indexed > 0);
                Fresh::Unchanged
            }
        };
        if !depends_on_bundle(row, &fresh) {
            return;
        }
        for object in row.bundle().into_iter().flat_map(BundleRef::closure) {
            if let Ok(place) = self.objects.binary_search_by(|(known, _)| known.cmp(object)) {
                let rows = &mut self.objects[place].1;
                *rows = rows.saturating_sub(1);
                if *rows == 0 {
                    self.objects.remove(place);
                }
            }
        }
    }

    /// Adds what is concluded of other rows.
    pub fn add(&mut self, other: Self) {
        for (kind, SealedRows { indexed, shadowed }) in other.healthy {
            let rows = self.healthy.entry(kind).or_default();
            rows.indexed += indexed;
            rows.shadowed += shadowed;
        }
        self.answers.extend(other.answers);
        self.failing.extend(other.failing);
        self.failing.sort_by(|left, right| left.observation.source.cmp(&right.observation.source));
        for (object, rows) in other.objects {
            match self.objects.binary_search_by(|(known, _)| known.cmp(&object)) {
                Ok(place) => self.objects[place].1 = self.objects[place].1.saturating_add(rows),
                Err(place) => self.objects.insert(place, (object, rows)),
            }
        }
        self.extended.extend(other.extended);
    }

    fn is_failing(&self, source: &SourceId) -> bool {
        self.failing.iter().any(|failing| failing.observation.source == *source)
    }
}

/// What a scan would find that meets these rows and makes this plan of them; `None` if it would do anything else than try
/// what has failed already. `rows` are sorted by source, and so are the plan's steps; `needs` gives what a source needs
/// from outside, and what is shipped for it.
pub fn conclude<'a>(
    plan: &Plan,
    disk: &DiskView,
    rows: impl IntoIterator<Item = &'a Row>,
    needs: impl Fn(&SourceId) -> Option<(PackageRequest, Option<Shipped>)>,
) -> Option<Conclusion> {
    let rows: Vec<&Row> = rows.into_iter().collect();
    if plan.steps.len() != rows.len() || !plan.withheld.is_empty() {
        return None;
    }
    let observations = plan::observations_by_source(disk, &plan::rows_by_source(rows.iter().copied()));
    let mut conclusion = Conclusion::default();
    let mut objects: BTreeMap<StoredObject, u32> = BTreeMap::new();
    for (step, row) in plan.steps.iter().zip(rows) {
        let observation = observations.get(&row.source).copied();
        if let Some(type_name) = row.type_name().filter(|_| row.is_add_on()) {
            conclusion.extended.insert((row.kind.clone(), type_name.clone()));
        }
        if step.source != row.source || observation.is_some_and(|observation| moves_identity(observation, row)) {
            return None;
        }
        match &step.verdict {
            // Nobody knows whether that rests.
            Verdict::Fresh(Fresh::NotLookedAt(NotLookedAt::OutOfScope)) => return None,
            Verdict::Fresh(fresh) if step.action == Action::Keep => {
                if depends_on_bundle(row, fresh) {
                    for object in row.bundle().into_iter().flat_map(BundleRef::closure) {
                        *objects.entry(*object).or_default() += 1;
                    }
                }
                if is_healthy(row) && *fresh == Fresh::Unchanged {
                    let rows = conclusion.healthy.entry(row.kind.clone()).or_default();
                    rows.indexed += 1;
                    rows.shadowed += u64::from(row.shadowed_by.is_some());
                } else {
                    conclusion.answers.insert(row.source.clone(), fresh.clone());
                }
            }
            Verdict::Stale(Stale::RetryFailedBuild { .. }) => {
                let (packages, shipped) = needs(&row.source)?;
                let observation = observation?.without_outside_parts();
                conclusion.failing.push(Failing { observation, packages, shipped });
            }
            Verdict::Fresh(_) | Verdict::Stale(_) | Verdict::Recovered => return None,
        }
    }
    conclusion.objects = objects.into_iter().collect();
    Some(conclusion)
}

/// Whoever keeps a row writes it all the same if it moved to another extension.
fn moves_identity(observation: &Observation, row: &Row) -> bool {
    observation.origin != row.origin || observation.extension != row.extension
}

/// True if the row is fresh only as long as its bundle is there. What was rejected stays rejected without it.
fn depends_on_bundle(row: &Row, fresh: &Fresh) -> bool {
    match fresh {
        Fresh::Unchanged | Fresh::StillOrphaned => true,
        Fresh::StillRejected | Fresh::StillUnreadable { .. } => row.state.indexed().is_some(),
        Fresh::NotLookedAt(_) => false,
    }
}

fn is_healthy(row: &Row) -> bool {
    row.state.indexed().is_some() && row.failure().is_none()
}

/// True if the row of an edited source became another one that means the same for all others: it has a bundle and claims what it
/// claimed, stands in nobody's place and behind nobody, and no add-on meets another description. `extended` are the types that
/// rows add to.
#[must_use]
pub fn keeps_claims(before: &Row, after: &Row, extended: &BTreeSet<(Kind, TypeName)>) -> bool {
    let claim = |row: &Row| {
        let indexed = row.state.indexed().filter(|indexed| !indexed.is_add_on)?;
        let stands_alone = row.shadowed_by.is_none() && !row.shadow_fallback;
        stands_alone.then(|| (indexed.type_name.clone(), indexed.version.clone()))
    };
    let (Some(claimed), Some(claims)) = (claim(before), claim(after)) else { return false };
    let identity = |row: &Row| (row.source.clone(), row.origin, row.extension.clone(), row.kind.clone());
    let is_described_alike = || {
        let description = |row: &Row| row.state.indexed().map(|indexed| indexed.description);
        description(before) == description(after) || !extended.contains(&(after.kind.clone(), claims.0.clone()))
    };
    claimed == claims && identity(before) == identity(after) && is_described_alike()
}

/// True if an attempt left the row as it was but for how often and when its failure was seen: nothing that is concluded
/// from it is another. `are_words_quoted` says that what the failure says is part of a conclusion.
#[must_use]
pub fn keeps_standing(before: &Row, after: &Row, are_words_quoted: bool) -> bool {
    let plain = |row: &Row| {
        let mut row = Row { revision: 0, ..row.clone() };
        let failure = match &mut row.state {
            State::BundleBuildFailed { failure, .. } | State::EntryPointUnreadable { failure, .. } => Some(failure),
            State::Indexed(_)
            | State::Bundled { .. }
            | State::ValidationFailed { .. }
            | State::OrphanedBundleOnly { .. }
            | State::Tombstoned { .. } => row.degraded.as_mut(),
        };
        if let Some(failure) = failure {
            failure.attempts = 1;
            failure.last_seen = failure.first_seen;
            failure.next_retry = None;
            if !are_words_quoted {
                failure.latest_message.clear();
            }
        }
        row
    };
    plain(before) == plain(after)
}

/// The step of a row that rests.
#[must_use]
pub fn resting_step(source: &SourceId, fresh: &Fresh) -> Step {
    Step { source: source.clone(), verdict: fresh.clone().into(), action: Action::Keep }
}
