//! The doctor: looks at everything, changes nothing (fault 40). What it finds, [`repair`] repairs (`design/doctor.md`).

mod duplicates;
mod needs;
pub mod repair;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::StreamExt as _;
use mangrove_domain::{
    advice::{Advice, UserAction},
    bundle::{self, ObjectKey, Presence, StoredObject},
    claims,
    drift::Drift,
    failure::Fault,
    index::TypeIndex,
    observation::{CatalogView, DiskView},
    permission::Permissions,
    plan::{Action, Step},
    ports::{Calendar, Expressions, SchemaValidator},
    problem::{Code, Problem, Severity},
    row::Row,
    source::{Kind, SourceId},
    state::StateName,
    type_name::TypeName,
};

pub use duplicates::{Claimant, Duplicate};
pub use needs::Need;

use crate::{
    attachment, catalogue,
    health::{self, Summary},
    scan::{self, Observed, ScanRequest, Scanner},
    upkeep::{self, SourceInventory, Sweep},
    workflow::{self, CatalogTypes, Library, validate::Tools},
};

/// What the doctor is given before it examines anything.
#[derive(Default)]
pub struct Examination {
    /// What is known to be wrong already.
    pub found: Vec<Problem>,
    /// What the repository grants.
    pub permissions: Permissions,
    /// The definitions and workflows of the repository; `None` if there are none to look at.
    pub documents: Option<Documents>,
}

/// The definitions and workflows of a repository, and what it takes to check them.
pub struct Documents {
    /// What was loaded.
    pub library: Arc<Library>,
    /// Parses expressions.
    pub expressions: Arc<dyn Expressions>,
    /// Checks inputs.
    pub schemas: Arc<dyn SchemaValidator>,
    /// Understands schedules; without one, they are not looked at.
    pub calendar: Option<Arc<dyn Calendar>>,
}

/// How many definitions and workflows there are, and which are in error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentHealth {
    /// Definitions that could be read.
    pub definitions: u64,
    /// Workflows that could be read.
    pub workflows: u64,
    /// The files that are in error, sorted.
    pub broken: Vec<String>,
}

/// What the doctor found.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The health of every kind.
    pub kinds: BTreeMap<Kind, Summary>,
    /// Everything that is wrong, worst first.
    pub problems: Vec<Problem>,
    /// The types that rows have or claim, by the subject of their problems.
    pub types: BTreeMap<String, String>,
    /// Types that several sources claim.
    pub duplicates: Vec<Duplicate>,
    /// Rows of which only a bundle that was never accepted is left.
    pub orphans: Vec<SourceId>,
    /// Add-ons whose type does not resolve.
    pub waiting: Vec<SourceId>,
    /// Rows that a scan would remove and the guardrail keeps.
    pub withheld: Vec<SourceId>,
    /// Differences between pulled extensions and the lockfile.
    pub drift: Vec<Drift>,
    /// Pulled extensions that the lockfile does not name: their directories.
    pub unlocked: Vec<String>,
    /// The definitions and workflows; `None` if nobody could look at them.
    pub documents: Option<DocumentHealth>,
    /// What types need from the machine, and what is granted to them.
    pub needs: Vec<Need>,
    /// Where the bundles lie, where it is not the state directory.
    pub store_place: Option<String>,
    /// Objects that rows need and that are missing or damaged.
    pub damaged: BTreeMap<ObjectKey, Presence>,
    /// Objects of the store that no row names.
    pub unreferenced: Vec<StoredObject>,
    /// Those among them that are beyond the grace period.
    pub sweepable: Vec<StoredObject>,
    /// Sources whose next scan would do something.
    pub pending: u64,
    /// What all of this was derived from, for a [`repair`]; `None` if not everything could be looked at.
    seen: Option<(DiskView, CatalogView)>,
}

impl Diagnosis {
    /// True if every row works on its newest source, and nothing else is wrong beyond warnings.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.kinds.values().all(Summary::is_healthy)
            && self.problems.iter().all(|problem| problem.severity < Severity::Error)
    }
}

/// What the sources and the catalog say.
#[derive(Default)]
struct Seen {
    /// `None` if the sources cannot be looked at.
    disk: Option<DiskView>,
    /// `None` if the catalog cannot be read.
    catalog: Option<CatalogView>,
    withheld: Vec<SourceId>,
    pending: u64,
}

/// Looks once at sources and catalog, at every byte of the store, and at definitions and workflows. What cannot be
/// looked at is a problem like any other, and the rest is looked at all the same.
pub async fn diagnose(scanner: &Scanner, examination: Examination) -> Diagnosis {
    let Examination { found: mut problems, permissions, documents } = examination;
    let Seen { disk, catalog, withheld, pending } = look(scanner, &mut problems).await;
    let drift = drift(scanner, &mut problems).await;
    let unlocked = of(Code::NOT_LOCKED, &problems).map(str::to_owned).collect();
    let mut diagnosis = Diagnosis { withheld, drift, unlocked, pending, ..Diagnosis::default() };
    if let Some(CatalogView { rows, .. }) = &catalog {
        let index = Arc::new(TypeIndex::build(rows.iter().cloned().map(Arc::new)));
        examine_rows(scanner, rows, &index, &permissions, &mut problems, &mut diagnosis).await;
        let look = disk.as_ref().map(SourceInventory::of);
        examine_store(scanner, rows, look.as_ref(), &mut problems, &mut diagnosis).await;
        if let Some(documents) = &documents {
            let known = known(scanner, index, disk.as_ref(), rows).await;
            diagnosis.documents = examine_documents(documents, known, &mut problems);
        }
    }
    diagnosis.seen = disk.zip(catalog);
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.subject.cmp(&other.subject)));
    problems.dedup();
    Diagnosis { problems, ..diagnosis }
}

/// The types that there are. One whose source nobody scanned yet is not called unknown.
async fn known(
    scanner: &Scanner,
    index: Arc<TypeIndex>,
    disk: Option<&DiskView>,
    rows: &[Row],
) -> Result<CatalogTypes, scan::Error> {
    let (disk, rows) = (disk.cloned().unwrap_or_default(), rows.to_vec());
    let unclaimed =
        move |kind: &Kind, name: &TypeName| catalogue::unclaimed(&[(kind.clone(), name.clone())], &disk, &rows);
    CatalogTypes::of(scanner.ports().catalog.as_ref(), index, unclaimed).await
}

/// What `workflow validate` says, of everything.
fn examine_documents(
    documents: &Documents,
    known: Result<CatalogTypes, scan::Error>,
    problems: &mut Vec<Problem>,
) -> Option<DocumentHealth> {
    let Documents { library, expressions, schemas, calendar } = documents;
    let known = match known {
        Ok(known) => known,
        Err(error) => {
            problems.push(unlooked(&error));
            return None;
        }
    };
    let tools = Tools {
        types: &known,
        expressions: expressions.as_ref(),
        schemas: schemas.as_ref(),
        calendar: calendar.as_deref(),
        is_before_run: false,
    };
    let found = workflow::validate(library, tools);
    let errors = found.iter().filter(|problem| problem.severity == Severity::Error);
    let broken: BTreeSet<&String> = errors.map(|problem| &problem.subject).collect();
    let health = DocumentHealth {
        definitions: library.definitions.len() as u64,
        workflows: library.workflows.len() as u64,
        broken: broken.into_iter().cloned().collect(),
    };
    problems.extend(found);
    Some(health)
}

/// The subjects of the problems of one code.
fn of(code: Code, problems: &[Problem]) -> impl Iterator<Item = &str> {
    problems.iter().filter(move |problem| problem.code == code).map(|problem| problem.subject.as_str())
}

/// The rows, and what a scan would do about the sources.
async fn look(scanner: &Scanner, problems: &mut Vec<Problem>) -> Seen {
    let error = match scanner.look(&ScanRequest::dry_run()).await {
        Ok(mut observed) => {
            check_descriptions(scanner, &mut observed.catalog, problems).await;
            let plan = scanner.plan(&observed);
            let Observed { disk, catalog, .. } = observed;
            problems.extend(disk.problems.iter().cloned());
            problems.extend(catalog.damaged.iter().cloned());
            problems.extend(plan.problems);
            let is_done = |step: &&Step| !matches!(step.action, Action::Keep | Action::Defer { .. });
            let pending = plan.steps.iter().filter(is_done).count();
            return Seen {
                disk: Some(disk),
                catalog: Some(catalog),
                withheld: plan.withheld.into_iter().map(|step| step.source).collect(),
                pending: u64::try_from(pending).unwrap_or(u64::MAX),
            };
        }
        Err(error) => error,
    };
    problems.push(unlooked(&error));
    // One of them stands in the way; what the catalog has can be reported without the others.
    match scanner.ports().catalog.snapshot().await {
        Ok(mut catalog) => {
            check_descriptions(scanner, &mut catalog, problems).await;
            problems.extend(catalog.damaged.iter().cloned());
            Seen { catalog: Some(catalog), ..Seen::default() }
        }
        Err(error) => {
            problems.push(unusable(CATALOG, error.fault()));
            Seen::default()
        }
    }
}

async fn check_descriptions(scanner: &Scanner, catalog: &mut CatalogView, problems: &mut Vec<Problem>) {
    let checked = scan::descriptions::check(scanner.ports().catalog.as_ref(), catalog, |_| true).await;
    problems.extend(checked.err().as_ref().map(unlooked));
}

async fn drift(scanner: &Scanner, problems: &mut Vec<Problem>) -> Vec<Drift> {
    match scanner.ports().tree.drift().await {
        Ok(drift) => {
            problems.extend(drift.iter().filter_map(Drift::problem));
            drift
        }
        Err(error) => {
            problems.push(unusable(SOURCES, error.fault()));
            Vec::new()
        }
    }
}

async fn examine_rows(
    scanner: &Scanner,
    rows: &[Row],
    index: &TypeIndex,
    permissions: &Permissions,
    problems: &mut Vec<Problem>,
    diagnosis: &mut Diagnosis,
) {
    let catalog = scanner.ports().catalog.as_ref();
    problems.extend(rows.iter().filter_map(health::problem));
    problems.extend(rows.iter().filter_map(health::shipped));
    let claims = claims::resolve(rows);
    diagnosis.duplicates = duplicates::find(rows, &claims);
    problems.extend(claims.problems);
    diagnosis.waiting = index.waiting_add_ons().map(|row| row.source.clone()).collect();
    match attachment::problems(catalog, index).await {
        Ok(found) => problems.extend(found),
        Err(error) => problems.push(unusable(CATALOG, error.fault())),
    }
    match needs::find(catalog, rows, permissions).await {
        Ok(needs) => diagnosis.needs = needs,
        Err(error) => problems.push(unusable(CATALOG, error.fault())),
    }
    let is_orphan = |row: &&Row| row.state.name() == StateName::OrphanedBundleOnly;
    diagnosis.orphans = rows.iter().filter(is_orphan).map(|row| row.source.clone()).collect();
    diagnosis.types =
        rows.iter().filter_map(|row| Some((row.source.to_string(), row.type_name()?.to_string()))).collect();
    diagnosis.kinds = health::by_kind(rows);
}

fn unlooked(error: &scan::Error) -> Problem {
    match error {
        scan::Error::Catalog { source, .. } => unusable(CATALOG, source.fault()),
        scan::Error::Store { source, .. } => unusable(STORE, source.fault()),
        scan::Error::Observe(source) => unusable(SOURCES, source.fault()),
    }
}

/// Compares every object that rows name with what the store has, and finds those that none names.
async fn examine_store(
    scanner: &Scanner,
    rows: &[Row],
    look: Option<&SourceInventory>,
    problems: &mut Vec<Problem>,
    diagnosis: &mut Diagnosis,
) {
    let store = &scanner.ports().store;
    diagnosis.store_place = store.place();
    // The bundle of a rejected export is never loaded again: that it is gone harms nobody, and nothing builds it.
    let used = rows.iter().filter(|row| row.state.name() != StateName::ValidationFailed).filter_map(Row::bundle);
    let used: BTreeSet<StoredObject> = used.flat_map(|bundle| bundle.closure().copied()).collect();
    let mut verified = scan::verified(Arc::clone(store), used);
    // A server that does not answer says the same of every object.
    let mut told = BTreeSet::new();
    while let Some((object, presence)) = verified.next().await {
        match presence {
            Ok(Presence::Present) => {}
            Ok(presence) => {
                problems.extend(store_problem(object.key, presence));
                diagnosis.damaged.insert(object.key, presence);
            }
            Err(error) if told.insert(error.to_string()) => problems.push(unusable(STORE, error.fault())),
            Err(_) => {}
        }
    }
    match store.list().await {
        Ok(objects) => {
            let keys = bundle::needed(rows.iter().filter_map(Row::bundle));
            diagnosis.unreferenced = objects.into_iter().filter(|object| !keys.contains(&object.key)).collect();
        }
        Err(error) => problems.push(unusable(STORE, error.fault())),
    }
    // Where the sources cannot be looked at, nobody knows what is needed.
    let Some(look) = look else { return };
    match upkeep::sweep(scanner, look, true).await {
        Ok(Sweep::Done(swept)) => diagnosis.sweepable = swept.objects,
        // The damaged rows are reported already, and so are the sources that were never scanned.
        Ok(Sweep::Withheld(_)) => {}
        Err(error) => problems.push(unlooked(&error)),
    }
}

/// What the doctor calls the catalog.
pub const CATALOG: &str = "catalog.db";
const STORE: &str = "bundles";
const SOURCES: &str = "sources";
/// What the doctor calls the definitions and workflows.
pub const DOCUMENTS: &str = "definitions and workflows";
/// What the doctor calls what other nodes run from.
pub const CHECKOUTS: &str = "checkouts of nodes";
/// What the doctor calls the history of runs.
pub const RUNS: &str = "runs.db";

/// What is reported of a part that cannot be used.
#[must_use]
pub fn unusable(subject: &str, fault: &Fault) -> Problem {
    let advice = match (subject, fault.code) {
        (CATALOG, Code::CATALOG_NEWER) => Advice::new("use the version of Mangrove that wrote it, or replace it with ")
            .and(UserAction::RebuildCatalog),
        (CATALOG, Code::CATALOG_CORRUPT | Code::CATALOG_FAILED) => {
            Advice::new(UserAction::RebuildCatalog).and(" builds it again from the sources")
        }
        (RUNS, Code::CATALOG_NEWER) => "use the version of Mangrove that wrote it, or another state directory".into(),
        (RUNS, Code::CATALOG_CORRUPT) => "the next run sets it aside and begins a new history".into(),
        (_, Code::CATALOG_BUSY) => "another process is writing; try again".into(),
        (_, Code::DATABASE_UNREACHABLE) => "try again when the server answers".into(),
        (_, code) => Advice::new(UserAction::Explain(code)).and(" describes this error"),
    };
    Problem::error(fault.code, subject.to_owned(), fault.to_string()).advise(advice)
}

fn store_problem(key: ObjectKey, presence: Presence) -> Option<Problem> {
    let (code, message) = match presence {
        Presence::Present => return None,
        Presence::Missing(_) => (Code::BUNDLE_MISSING, "is not in the store".to_owned()),
        Presence::WrongSize { recorded_bytes, found_bytes, .. } if recorded_bytes == found_bytes => {
            (Code::BUNDLE_CORRUPT, "has content that does not match its digest".to_owned())
        }
        Presence::WrongSize { recorded_bytes, found_bytes, .. } => {
            (Code::BUNDLE_CORRUPT, format!("has {found_bytes} bytes instead of {recorded_bytes}"))
        }
    };
    Some(Problem::error(code, key.to_string(), message).advise(Advice::new(UserAction::Repair).and(" builds it again")))
}
