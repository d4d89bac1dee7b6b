//! Is a row healthy, and if not, what does a person need to know.

use std::collections::BTreeMap;

use mangrove_domain::{
    advice::{Advice, UserAction},
    failure::{Failure, FailureClass},
    problem::{Code, Problem, Severity},
    row::Row,
    seal::SealedRows,
    source::Kind,
    state::{State, StateName},
};

/// How many rows of one kind are in which condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows by state; every state is there.
    pub states: BTreeMap<StateName, u64>,
    /// Rows that run on an earlier bundle.
    pub degraded: u64,
    /// Rows whose type another row resolves.
    pub shadowed: u64,
}

impl Summary {
    fn empty() -> Self {
        Self { states: StateName::ALL.into_iter().map(|state| (state, 0)).collect(), ..Self::default() }
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.states.values().sum()
    }

    /// True if every row works on its newest source.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.degraded == 0 && self.states.iter().all(|(state, count)| *count == 0 || *state == StateName::Indexed)
    }
}

/// The health of every kind that has rows.
pub fn by_kind<'a>(rows: impl IntoIterator<Item = &'a Row>) -> BTreeMap<Kind, Summary> {
    let mut kinds: BTreeMap<Kind, Summary> = BTreeMap::new();
    for row in rows {
        let health = kinds.entry(row.kind.clone()).or_insert_with(Summary::empty);
        *health.states.entry(row.state.name()).or_default() += 1;
        health.degraded += u64::from(row.degraded.is_some());
        health.shadowed += u64::from(row.shadowed_by.is_some());
    }
    kinds
}

/// Adds rows of one kind that are all healthy.
pub(crate) fn add_sealed(kinds: &mut BTreeMap<Kind, Summary>, kind: &Kind, rows: SealedRows) {
    let health = kinds.entry(kind.clone()).or_insert_with(Summary::empty);
    *health.states.entry(StateName::Indexed).or_default() += rows.indexed;
    health.shadowed += rows.shadowed;
}

/// What is wrong with a row; `None` if nothing is. A shadowed row is not wrong.
#[must_use]
pub fn problem(row: &Row) -> Option<Problem> {
    let subject = row.source.to_string();
    let describe =
        |code, severity, message, advice: Advice| Problem::new(severity, code, subject.clone(), message).advise(advice);
    match &row.state {
        State::Indexed(_) => {
            let failure = row.degraded.as_ref()?;
            let message = format!("runs on its last good bundle: {}", failure.latest_message);
            Some(describe(failure.code, Severity::Warning, message, advice(failure, &subject)))
        }
        State::BundleBuildFailed { failure, .. } | State::EntryPointUnreadable { failure, .. } => {
            Some(describe(failure.code, Severity::Error, failure.latest_message.clone(), advice(failure, &subject)))
        }
        State::ValidationFailed { violations, .. } => {
            let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
            let advice = "correct the export; the next scan reads the file again".into();
            Some(describe(Code::EXPORT_REJECTED, Severity::Error, all.join("; "), advice))
        }
        State::OrphanedBundleOnly { .. } => Some(describe(
            Code::ROOT_UNREACHABLE,
            Severity::Warning,
            "its source cannot be found; only its bundle is left".to_owned(),
            Advice::new("restore the source, or let ").and(UserAction::Repair).and(" remove what is left"),
        )),
        State::Bundled { .. } | State::Tombstoned { .. } => None,
    }
}

/// What is to be said of a row whose bundle was not built here but shipped by its extension; `None` of every other row.
#[must_use]
pub fn shipped(row: &Row) -> Option<Problem> {
    let digest = row.shipped_bundle()?;
    let acceptance = row.shipped.as_ref()?;
    let names: Vec<String> = acceptance.unmapped.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "its bundle is the one that the extension ships ({}, version {}); it was not built here, because nothing says \
         which package {} means",
        digest.short(),
        acceptance.pull,
        names.join(" or "),
    );
    let advice =
        "a `deno.json` in the extension's directory that maps the name replaces it: the next scan builds the source";
    Some(Problem::information(Code::SHIPPED_IN_USE, row.source.to_string(), message).advise(advice))
}

/// What to do about a failure of the thing that people call `subject`.
#[must_use]
pub fn advice(failure: &Failure, subject: &str) -> Advice {
    match (failure.code, failure.class) {
        // A lock of ours: nobody has to remove a file.
        (Code::MALFORMED_DOCUMENT | Code::INVALID_DOCUMENT, _) if &*failure.cause.0 == "lock:npm.lock" => {
            Advice::new(UserAction::UpdateLocks { is_committed: false })
                .and(" sets a damaged lock aside, and what it locked is resolved again")
        }
        (Code::MALFORMED_DOCUMENT | Code::INVALID_DOCUMENT, _) if &*failure.cause.0 == "lock:mangrove.lock" => {
            Advice::new("restore it from version control, or let ")
                .and(UserAction::UpdateLocks { is_committed: true })
                .and(" set a damaged one aside and write it again")
        }
        (Code::SHIPPED_CHANGED, _) => {
            "pull the extension again, so that the lockfile records the version, or restore the earlier file".into()
        }
        (_, FailureClass::Transient) => Advice::new("the next scan or run tries it again; ")
            .and(UserAction::Why { subject: subject.to_owned() })
            .and(" shows the details"),
        // The command that installs the program, not the page that names it.
        (Code::RUNTIME_MISSING, _) => {
            Advice::new(UserAction::InstallDeno).and(" installs it; then run ").and(UserAction::Scan)
        }
        (code, FailureClass::Environment) => {
            Advice::new(UserAction::Explain(code)).and(" describes what is missing; then run ").and(UserAction::Scan)
        }
        (code, FailureClass::Deterministic) => {
            Advice::new("correct the source; ").and(UserAction::Explain(code)).and(" describes this error")
        }
    }
}
