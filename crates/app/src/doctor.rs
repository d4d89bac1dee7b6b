//! The doctor: looks at everything, changes nothing (fault 40).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    bundle::{ObjectKey, Presence, StoredObject},
    claims,
    failure::Fault,
    index::TypeIndex,
    plan::{Action, Step},
    problem::{Code, Problem, Severity},
    row::Row,
    source::Kind,
};

use crate::{
    attachment,
    health::{self, Summary},
    scan::{self, Request, RetryMode, Scanner},
};

/// What the doctor found.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The health of every kind.
    pub kinds: BTreeMap<Kind, Summary>,
    /// Everything that is wrong, worst first.
    pub problems: Vec<Problem>,
    /// The types that rows have or claim, by the subject of their problems.
    pub types: BTreeMap<String, String>,
    /// Objects of the store that no row names.
    pub unreferenced: Vec<StoredObject>,
    /// Sources whose next scan would do something.
    pub pending: u64,
}

impl Diagnosis {
    /// True if every row works on its newest source, and nothing else is wrong beyond warnings.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.kinds.values().all(Summary::is_healthy)
            && self.problems.iter().all(|problem| problem.severity < Severity::Error)
    }
}

/// Looks at sources, catalog and every byte of the store. What cannot be looked at is a problem like any other, and
/// the rest is looked at all the same; `found` is what is known to be wrong already.
pub async fn diagnose(scanner: &Scanner, found: Vec<Problem>) -> Diagnosis {
    let mut problems = found;
    let (rows, pending) = look(scanner, &mut problems).await;
    problems.extend(rows.iter().filter_map(health::problem));
    problems.extend(claims::resolve(&rows).problems);
    let index = TypeIndex::build(rows.iter().cloned().map(Arc::new));
    match attachment::problems(scanner.ports().catalog.as_ref(), &index).await {
        Ok(found) => problems.extend(found),
        Err(error) => problems.push(unlooked(&error)),
    }
    let unreferenced = examine_store(scanner, &rows, &mut problems).await;
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.subject.cmp(&other.subject)));
    problems.dedup();
    let types = rows.iter().filter_map(|row| Some((row.source.to_string(), row.type_name()?.to_string()))).collect();
    Diagnosis { kinds: health::by_kind(&rows), problems, types, unreferenced, pending }
}

/// The rows, and how many sources a scan would do something about.
async fn look(scanner: &Scanner, problems: &mut Vec<Problem>) -> (Vec<Row>, u64) {
    let request = Request { retry: RetryMode::None, dry_run: true, ..Request::default() };
    let error = match scanner.look(&request).await {
        Ok((disk, catalog, plan)) => {
            problems.extend(disk.problems);
            problems.extend(catalog.damaged);
            problems.extend(plan.problems);
            let is_done = |step: &&Step| !matches!(step.action, Action::Keep | Action::Defer { .. });
            let pending = plan.steps.iter().filter(is_done).count();
            return (catalog.rows, u64::try_from(pending).unwrap_or(u64::MAX));
        }
        Err(error) => error,
    };
    problems.push(unlooked(&error));
    // One of them stands in the way; what the catalog has can be told without the others.
    match scanner.ports().catalog.snapshot().await {
        Ok(catalog) => {
            problems.extend(catalog.damaged);
            (catalog.rows, 0)
        }
        Err(error) => {
            problems.push(unusable(CATALOG, error.fault()));
            (Vec::new(), 0)
        }
    }
}

fn unlooked(error: &scan::Error) -> Problem {
    match error {
        scan::Error::Catalog { source, .. } => unusable(CATALOG, source.fault()),
        scan::Error::Store { source, .. } => unusable(STORE, source.fault()),
        scan::Error::Observe(source) => unusable(SOURCES, source.fault()),
    }
}

/// Compares every object that rows name with what the store has; gives those that none names.
async fn examine_store(scanner: &Scanner, rows: &[Row], problems: &mut Vec<Problem>) -> Vec<StoredObject> {
    let store = &scanner.ports().store;
    let referenced: BTreeSet<StoredObject> =
        rows.iter().filter_map(Row::bundle).flat_map(|bundle| bundle.closure().copied()).collect();
    for object in &referenced {
        match store.verify(object).await {
            Ok(presence) => problems.extend(store_problem(object.key, presence)),
            Err(error) => problems.push(unusable(STORE, error.fault())),
        }
    }
    match store.list().await {
        Ok(objects) => {
            let keys: BTreeSet<ObjectKey> = referenced.iter().map(|object| object.key).collect();
            objects.into_iter().filter(|object| !keys.contains(&object.key)).collect()
        }
        Err(error) => {
            problems.push(unusable(STORE, error.fault()));
            Vec::new()
        }
    }
}

/// How the doctor calls the parts of the state directory.
/// The catalog.
pub const CATALOG: &str = "catalog.db";
const STORE: &str = "bundles";
const SOURCES: &str = "sources";
/// The history of runs.
pub const RUNS: &str = "runs.db";

/// What is told of a part that cannot be used.
#[must_use]
pub fn unusable(subject: &str, fault: &Fault) -> Problem {
    let hint = match (subject, fault.code) {
        (CATALOG, Code::CATALOG_NEWER) => {
            "use the version of Mangrove that wrote it, or make it anew with `mangrove catalog rebuild`".to_owned()
        }
        (CATALOG, Code::CATALOG_CORRUPT | Code::CATALOG_FAILED) => {
            "`mangrove catalog rebuild` makes it anew from the sources".to_owned()
        }
        (RUNS, Code::CATALOG_NEWER) => "use the version of Mangrove that wrote it, or another `--state-dir`".to_owned(),
        (RUNS, Code::CATALOG_CORRUPT) => "the next run sets it aside and begins a new history".to_owned(),
        (_, Code::CATALOG_BUSY) => "another process is writing; try again".to_owned(),
        (_, code) => format!("`mangrove explain {code}` says more"),
    };
    Problem {
        code: fault.code,
        severity: Severity::Error,
        subject: subject.to_owned(),
        position: None,
        message: fault.to_string(),
        hint: Some(hint),
    }
}

fn store_problem(key: ObjectKey, presence: Presence) -> Option<Problem> {
    let (code, message) = match presence {
        Presence::Present => return None,
        Presence::Missing(_) => (Code::BUNDLE_MISSING, "is not in the store".to_owned()),
        Presence::WrongSize { recorded_bytes, found_bytes, .. } if recorded_bytes == found_bytes => {
            (Code::BUNDLE_CORRUPT, "has other content than its name says".to_owned())
        }
        Presence::WrongSize { recorded_bytes, found_bytes, .. } => {
            (Code::BUNDLE_CORRUPT, format!("has {found_bytes} bytes instead of {recorded_bytes}"))
        }
    };
    Some(Problem {
        code,
        severity: Severity::Error,
        subject: key.to_string(),
        position: None,
        message,
        hint: Some("`mangrove scan` builds it again".to_owned()),
    })
}
