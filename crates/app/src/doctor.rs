//! The doctor: looks at everything, changes nothing (fault 40).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    bundle::{ObjectKey, Presence, StoredObject},
    claims,
    index::TypeIndex,
    plan::Action,
    problem::{Code, Problem, Severity},
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

/// Looks at sources, catalog and every byte of the store.
pub async fn diagnose(scanner: &Scanner) -> Result<Diagnosis, scan::Error> {
    let request = Request { retry: RetryMode::None, dry_run: true, ..Request::default() };
    let (disk, catalog, plan) = scanner.look(&request).await?;
    let mut problems = disk.problems;
    problems.extend(plan.problems);
    problems.extend(catalog.rows.iter().filter_map(health::problem));
    problems.extend(claims::resolve(&catalog.rows).problems);
    let index = TypeIndex::build(catalog.rows.iter().cloned().map(Arc::new));
    problems.extend(attachment::problems(scanner.ports().catalog.as_ref(), &index).await?);

    let store = &scanner.ports().store;
    let store_error = |source| scan::Error::Store { doing: "reading", source };
    let mut referenced: BTreeSet<StoredObject> = BTreeSet::new();
    for row in &catalog.rows {
        referenced.extend(row.bundle().into_iter().flat_map(mangrove_domain::bundle::BundleRef::closure));
    }
    for object in &referenced {
        let presence = store.verify(object).await.map_err(store_error)?;
        problems.extend(store_problem(object.key, presence));
    }
    let keys: BTreeSet<ObjectKey> = referenced.iter().map(|object| object.key).collect();
    let unreferenced =
        store.list().await.map_err(store_error)?.into_iter().filter(|object| !keys.contains(&object.key)).collect();

    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.subject.cmp(&other.subject)));
    problems.dedup();
    let pending = plan.steps.iter().filter(|step| !matches!(step.action, Action::Keep | Action::Defer { .. })).count();
    Ok(Diagnosis {
        kinds: health::by_kind(&catalog.rows),
        problems,
        unreferenced,
        pending: u64::try_from(pending).unwrap_or(u64::MAX),
    })
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
