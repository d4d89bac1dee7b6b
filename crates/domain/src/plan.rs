//! The plan: what to do about every source, decided before anything is done.
//!
//! One pure function for cold start, warm start, reconcile, dry run, doctor, hot reload and "this type was asked
//! for" (`design/freshness.md`). The order of observations and rows never matters.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    bundle::Presence,
    digest::Digest,
    failure::{Failure, Fault},
    freshness::{Fresh, NotLookedAt, Stale, Verdict, decide, has_bundle},
    not_met,
    observation::{CatalogView, DiskView, Entry, Observation, RootAccess},
    problem::{Code, Problem, Severity},
    row::Row,
    source::{Kind, Origin, RootId, SourceId},
    state::{StateName, TombstoneReason},
    time::Timestamp,
};

/// Fewer working rows than this in a root are never guarded against removal.
pub const GUARDED_ROOT_ROWS: usize = 10;

/// What a plan may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Which failed rows with unchanged inputs are attempted again. Changed inputs always are.
    pub retry: Retry,
    /// The kinds that have a registered loader, with the versions of their rules.
    pub kinds: BTreeMap<Kind, u32>,
    /// What the plan is about; everything else is kept as it is.
    pub scope: Scope,
    /// Lets removals pass that the guardrail would withhold.
    pub allow_mass_removal: bool,
    /// Removes orphans, and what would become one, instead of keeping them until their source is back.
    pub prunes_orphans: bool,
}

/// Which failed rows with unchanged inputs are attempted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Every one: a scan on the command line, the start of a daemon.
    All,
    /// Those whose timer has run out at this instant: a daemon's timer, hot reload, periodic rescan.
    Due(Timestamp),
    /// These: an explicit retry, or a type that is asked for.
    Only(BTreeSet<SourceId>),
    /// None: dry run, doctor, why, types, describe.
    None,
}

/// What a plan is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every source.
    Everything,
    /// These sources.
    Sources(BTreeSet<SourceId>),
    /// Every source of these kinds.
    Kinds(BTreeSet<Kind>),
}

impl Scope {
    fn contains(&self, source: &SourceId, kind: &Kind) -> bool {
        match self {
            Scope::Everything => true,
            Scope::Sources(sources) => sources.contains(source),
            Scope::Kinds(kinds) => kinds.contains(kind),
        }
    }
}

/// What to do about one source.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing, but for a changed extension or origin, which [`apply`](crate::settle::apply) carries over.
    Keep,
    /// Build and inspect.
    Build,
    /// Inspect the bundle that is there.
    Inspect,
    /// Inspect the bundle that is there and take it up again.
    Adopt,
    /// Clear the failure of a degraded row.
    Recover,
    /// Keep the working type and remember this failure beside it.
    Degrade(Fault),
    /// Record that the entry cannot be read.
    MarkUnreadable(Fault),
    /// Record that only a bundle is left.
    Orphan,
    /// Remove the row.
    Tombstone(TombstoneReason),
    /// Stale, and not attempted by this plan.
    Defer {
        /// When a timer tries; `None` where none does.
        until: Option<Timestamp>,
    },
}

impl Action {
    /// The name that JSON documents use: `keep`, `build`, …, `defer`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Keep => "keep",
            Action::Build => "build",
            Action::Inspect => "inspect",
            Action::Adopt => "adopt",
            Action::Recover => "recover",
            Action::Degrade(_) => "degrade",
            Action::MarkUnreadable(_) => "mark-unreadable",
            Action::Orphan => "orphan",
            Action::Tombstone(_) => "tombstone",
            Action::Defer { .. } => "defer",
        }
    }

    /// True if the action runs a bundler or an inspector and is settled with an
    /// [`Outcome`](crate::settle::Outcome); every other is applied as it is.
    #[must_use]
    pub const fn is_attempt(&self) -> bool {
        matches!(self, Action::Build | Action::Inspect | Action::Adopt)
    }
}

/// What is true of one source, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which source.
    pub source: SourceId,
    /// What is true.
    pub verdict: Verdict,
    /// What to do.
    pub action: Action,
}

/// Everything to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// One step for every observation and every row, sorted by source.
    pub steps: Vec<Step>,
    /// The removals that the guardrail holds back, sorted by source. Their sources have a step with
    /// [`Action::Keep`], too.
    pub withheld: Vec<Step>,
    /// What planning itself found: withheld removals, unreachable roots, an unreadable lockfile. Does not repeat
    /// [`DiskView::problems`].
    pub problems: Vec<Problem>,
}

/// Compares the disk with the catalog and says what to do. See the [module](self).
#[must_use]
pub fn plan(disk: &DiskView, catalog: &CatalogView, policy: &Policy) -> Plan {
    let rows = rows_by_source(catalog);
    let observations = observations_by_source(disk, &rows);
    let mut steps: BTreeMap<&SourceId, Step> = BTreeMap::new();
    for (source, observation) in &observations {
        let row = rows.get(source).copied();
        steps.insert(source, observed_step(disk, policy, observation, row));
    }
    for (source, row) in &rows {
        if !observations.contains_key(source) {
            steps.insert(source, not_met_step(disk, policy, row));
        }
    }
    mark_renames(&mut steps, &rows, &observations);
    let (withheld, mut problems) = withhold_mass_removals(&mut steps, &rows, policy);
    problems.extend(out_of_sight(disk));
    Plan { steps: steps.into_values().collect(), withheld, problems }
}

fn rows_by_source(catalog: &CatalogView) -> BTreeMap<&SourceId, &Row> {
    let mut rows: BTreeMap<&SourceId, &Row> = BTreeMap::new();
    for row in &catalog.rows {
        let slot = rows.entry(&row.source).or_insert(row);
        if row.revision > slot.revision {
            *slot = row;
        }
    }
    rows
}

/// One observation for each source, whatever their order: a directory that two kinds share, or that is configured
/// twice, must not give two steps (fault 21). The kind that the catalog knows wins, then the first by name.
fn observations_by_source<'a>(
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

fn observed_step(disk: &DiskView, policy: &Policy, observation: &Observation, row: Option<&Row>) -> Step {
    let source = observation.source.clone();
    let not_looked_at =
        |reason| Step { source: source.clone(), verdict: Fresh::NotLookedAt(reason).into(), action: Action::Keep };
    if !policy.scope.contains(&observation.source, &observation.kind) {
        return not_looked_at(NotLookedAt::OutOfScope);
    }
    let Some(rule_version) = policy.kinds.get(&observation.kind).copied() else {
        return not_looked_at(NotLookedAt::NoLoader(observation.kind.clone()));
    };
    let presence = disk.presence_of(&observation.source);
    let verdict = decide(observation, row, presence, rule_version);
    let action = observed_action(&verdict, observation, row, presence, policy);
    Step { source, verdict, action }
}

fn observed_action(
    verdict: &Verdict,
    observation: &Observation,
    row: Option<&Row>,
    presence: Presence,
    policy: &Policy,
) -> Action {
    let stale = match verdict {
        Verdict::Fresh(_) => return Action::Keep,
        Verdict::Recovered => return Action::Recover,
        Verdict::Stale(stale) => stale,
    };
    match stale {
        Stale::New { .. } => match &observation.entry {
            Entry::Readable { .. } => Action::Build,
            Entry::Unreadable(fault) => Action::MarkUnreadable(fault.clone()),
        },
        Stale::Unreadable { fault, .. } | Stale::Unavailable { fault } => match row {
            Some(row) if row.state.name() == StateName::Indexed && has_bundle(row, presence) => {
                Action::Degrade(fault.clone())
            }
            Some(_) | None => Action::MarkUnreadable(fault.clone()),
        },
        Stale::SourceReappeared { unchanged: true } => Action::Adopt,
        Stale::SourceReappeared { unchanged: false }
        | Stale::SourceChanged { .. }
        | Stale::ConfigChanged { .. }
        | Stale::PackagesChanged { .. }
        | Stale::BundlerChanged { .. }
        | Stale::BundleMissing { .. }
        | Stale::BundleCorrupt { .. } => Action::Build,
        Stale::RulesChanged { .. } | Stale::InspectionPending => inspect_or_build(observation, row, presence),
        Stale::RetryFailedBuild { failure } => {
            let is_changed = row.and_then(|row| row.attempted.as_ref()) != observation.inputs();
            if is_changed || is_retried(&policy.retry, &observation.source, failure) {
                inspect_or_build(observation, row, presence)
            } else {
                Action::Defer { until: failure.next_retry }
            }
        }
        Stale::Removed { reason, .. } => Action::Tombstone(*reason),
    }
}

/// A bundle of these very inputs need not be built again.
fn inspect_or_build(observation: &Observation, row: Option<&Row>, presence: Presence) -> Action {
    let is_built = row.is_some_and(|row| has_bundle(row, presence) && row.built.as_ref() == observation.inputs());
    if is_built { Action::Inspect } else { Action::Build }
}

fn is_retried(retry: &Retry, source: &SourceId, failure: &Failure) -> bool {
    match retry {
        Retry::All => true,
        Retry::Due(now) => failure.is_due(*now),
        Retry::Only(sources) => sources.contains(source),
        Retry::None => false,
    }
}

fn not_met_step(disk: &DiskView, policy: &Policy, row: &Row) -> Step {
    let verdict = if !policy.scope.contains(&row.source, &row.kind) {
        Fresh::NotLookedAt(NotLookedAt::OutOfScope).into()
    } else if policy.kinds.contains_key(&row.kind) {
        not_met::judge(row, disk, disk.presence_of(&row.source))
    } else {
        Fresh::NotLookedAt(NotLookedAt::NoLoader(row.kind.clone())).into()
    };
    let action = match &verdict {
        Verdict::Stale(Stale::Removed { reason, .. }) => Action::Tombstone(*reason),
        Verdict::Stale(Stale::Unavailable { fault }) => {
            not_met::loss_action(row, disk, disk.presence_of(&row.source), fault)
        }
        Verdict::Stale(_) | Verdict::Fresh(_) | Verdict::Recovered => Action::Keep,
    };
    if policy.prunes_orphans && not_met::is_orphan(row, &verdict, &action) {
        let reason = TombstoneReason::Pruned;
        let verdict = Stale::Removed { reason, renamed_to: None }.into();
        return Step { source: row.source.clone(), verdict, action: Action::Tombstone(reason) };
    }
    Step { source: row.source.clone(), verdict, action }
}

/// A deleted source and a new one with the same entry bytes and kind are one that was renamed. Several of the same
/// bytes are paired in the order of their names.
fn mark_renames(
    steps: &mut BTreeMap<&SourceId, Step>,
    rows: &BTreeMap<&SourceId, &Row>,
    observations: &BTreeMap<&SourceId, &Observation>,
) {
    let mut appeared: BTreeMap<(&Kind, Digest), Vec<&SourceId>> = BTreeMap::new();
    for (source, observation) in observations.iter().rev() {
        let is_new = steps.get(source).is_some_and(|step| matches!(step.verdict, Verdict::Stale(Stale::New { .. })));
        if let (true, Some(digest)) = (is_new, observation.entry_digest()) {
            appeared.entry((&observation.kind, digest)).or_default().push(source);
        }
    }
    for (source, step) in steps.iter_mut() {
        let (Action::Tombstone(TombstoneReason::SourceDeleted), Some(row)) = (&step.action, rows.get(source)) else {
            continue;
        };
        let target =
            row.entry_digest.and_then(|digest| appeared.get_mut(&(&row.kind, digest))).and_then(Vec::pop).cloned();
        if target.is_some() {
            step.verdict = Stale::Removed { reason: TombstoneReason::Renamed, renamed_to: target }.into();
            step.action = Action::Tombstone(TombstoneReason::Renamed);
        }
    }
}

/// True for what the guardrail counts. A renamed source is not lost: its bytes are there under another name.
fn is_removal(action: &Action) -> bool {
    match action {
        Action::Orphan => true,
        Action::Tombstone(reason) => match reason {
            TombstoneReason::SourceDeleted
            | TombstoneReason::ExtensionRemoved
            | TombstoneReason::NoLongerEntryPoint
            | TombstoneReason::Pruned => true,
            TombstoneReason::Renamed => false,
        },
        Action::Keep
        | Action::Build
        | Action::Inspect
        | Action::Adopt
        | Action::Recover
        | Action::Degrade(_)
        | Action::MarkUnreadable(_)
        | Action::Defer { .. } => false,
    }
}

fn withhold_mass_removals(
    steps: &mut BTreeMap<&SourceId, Step>,
    rows: &BTreeMap<&SourceId, &Row>,
    policy: &Policy,
) -> (Vec<Step>, Vec<Problem>) {
    let mut counts: BTreeMap<&RootId, (usize, usize)> = BTreeMap::new();
    for (source, row) in rows {
        // Of what never worked nothing is lost.
        if row.state.name() == StateName::Indexed {
            let (live, removed) = counts.entry(&source.root).or_default();
            *live += 1;
            *removed += usize::from(steps.get(source).is_some_and(|step| is_removal(&step.action)));
        }
    }
    counts
        .retain(|_, (live, removed)| !policy.allow_mass_removal && *live >= GUARDED_ROOT_ROWS && *removed * 2 > *live);
    let mut withheld = Vec::new();
    for (source, step) in steps.iter_mut() {
        if counts.contains_key(&source.root) && is_removal(&step.action) {
            withheld.push(step.clone());
            step.action = Action::Keep;
        }
    }
    let problems = counts
        .into_iter()
        .map(|(root, (live, removed))| Problem {
            code: Code::MASS_REMOVAL,
            severity: Severity::Error,
            subject: root.to_string(),
            position: None,
            message: format!(
                "{removed} of the {live} working sources of the root {root} would be removed at once; all are kept"
            ),
            hint: Some(
                "if they were removed on purpose, run `mangrove scan --allow-mass-removal`, or let `mangrove doctor --repair \
                 --apply` remove them; if not, look whether the disk is there"
                    .to_owned(),
            ),
        })
        .collect();
    (withheld, problems)
}

/// What could not be looked into: roots that are configured and cannot be reached, lists that cannot be read. Whatever
/// lies there is not known to be gone, and a type that nobody claims may be there.
#[must_use]
pub fn out_of_sight(disk: &DiskView) -> Vec<Problem> {
    let mut problems: Vec<Problem> = disk
        .roots
        .iter()
        .filter_map(|(root, view)| match &view.access {
            RootAccess::Reachable => None,
            RootAccess::Unreachable(fault) => {
                Some(problem_of(fault, root_severity(view.origin), root.to_string(), root_hint(view.origin)))
            }
        })
        .collect();
    let reported = [
        (&disk.lockfile_fault, "lockfile", "correct the lockfile; until then no pulled extension is added or removed"),
        (&disk.mounts_fault, "source mounts", "correct .swamp-sources.yaml; until then no mount is added or removed"),
    ];
    problems.extend(reported.into_iter().filter_map(|(fault, subject, hint)| {
        fault.as_ref().map(|fault| problem_of(fault, Severity::Error, subject.to_owned(), hint))
    }));
    problems
}

/// A mount that is away is a thing of every day; what was locked or is the repository itself should be there.
const fn root_severity(origin: Origin) -> Severity {
    match origin {
        Origin::Mounted => Severity::Warning,
        Origin::Local | Origin::Pulled => Severity::Error,
    }
}

const fn root_hint(origin: Origin) -> &'static str {
    match origin {
        Origin::Mounted => {
            "mount it or check it out again, or take it out of .swamp-sources.yaml; then `mangrove scan`"
        }
        Origin::Pulled => "pull the extension again, or take it out of the lockfile; then `mangrove scan`",
        Origin::Local => "look whether the directory is there and can be read; then `mangrove scan`",
    }
}

fn problem_of(fault: &Fault, severity: Severity, subject: String, hint: &str) -> Problem {
    Problem {
        code: fault.code,
        severity,
        subject,
        position: fault.position.clone(),
        message: fault.message.clone(),
        hint: Some(hint.to_owned()),
    }
}
