//! The one translation from errors to what a person or a program is told: code, sentence, details, hint. The command
//! line adds an exit code to it, the HTTP API a status.

use std::collections::BTreeSet;

use mangrove_app::{
    doctor, missing_type, scan,
    service::{RunError, ServiceError},
    types::NotReady,
    workflow::StartError,
};
use mangrove_domain::{
    failure::{FailureClass, Fault},
    nearest,
    ports::RunStoreError,
    problem::{Code, Problem},
    source::Kind,
    type_name::TypeName,
};

use crate::{
    advice,
    error::{BlockedDocument, ErrorDocument},
};

/// What is told of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    /// Names the page that explains it.
    pub code: Option<Code>,
    /// The class of the fault or failure behind it; `None` if none is.
    pub class: Option<FailureClass>,
    /// What happened, in one sentence.
    pub message: String,
    /// More of it, a sentence each.
    pub details: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What is known of a type that cannot run, if it is about one.
    pub blocked: Option<Box<BlockedDocument>>,
}

impl ErrorReport {
    /// A sentence, and what it is about.
    pub fn new(code: Option<Code>, message: impl Into<String>) -> Self {
        Self { code, class: None, message: message.into(), details: Vec::new(), hint: None, blocked: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn advise(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// A fault that kept something from being done.
    #[must_use]
    pub fn fault(doing: &str, fault: &Fault) -> Self {
        let text = fault.to_string();
        let message = if doing.is_empty() { text } else { format!("{doing}: {text}") };
        let report = Self::new(Some(fault.code), message).advise(hint_for(fault.code, fault.class));
        Self { class: Some(fault.class), ..report }
    }

    /// The run history cannot be used; one that does not even open says what helps.
    #[must_use]
    pub fn run_history(doing: &str, error: &RunStoreError) -> Self {
        if error.operation != "open" {
            return Self::fault(doing, &error.fault);
        }
        let hint = doctor::unusable(doctor::RUNS, &error.fault).advice.as_ref().map(advice::text);
        Self { hint, ..Self::fault("opening the run history", &error.fault) }
    }

    /// A problem of one name or input, with its place.
    #[must_use]
    pub fn problem(problem: &Problem) -> Self {
        let report = Self::new(Some(problem.code), problem.placed_message());
        Self { hint: problem.advice.as_ref().map(advice::text), ..report }
    }

    /// A type that cannot run. What it says of times is left to whoever knows how to say them.
    #[must_use]
    pub fn not_ready(not_ready: &NotReady) -> Self {
        if let Some(fault) = &not_ready.fault {
            return Self::fault(&not_ready.headline(), fault);
        }
        Self {
            code: Some(Code::UNKNOWN_TYPE),
            class: not_ready.failure.as_ref().map(|failure| failure.class),
            message: not_ready.headline(),
            details: not_ready.reasons(),
            hint: Some(advice::text(&not_ready.advice())),
            blocked: Some(Box::new(not_ready.into())),
        }
    }

    /// A run that did not begin.
    #[must_use]
    pub fn not_started(error: &RunError) -> Self {
        match error {
            RunError::Unknown { problem, .. } | RunError::State(problem) => Self::problem(problem),
            RunError::Start(StartError::Problems(problems)) => {
                let [first, more @ ..] = problems.as_slice() else {
                    return Self::new(Some(Code::INVALID_INPUT), "the run cannot start");
                };
                let mut report = Self::problem(first);
                report.details.extend(more.iter().map(|problem| match &problem.advice {
                    Some(advice) => format!("{}; {}", problem.message, advice::text(advice)),
                    None => problem.message.clone(),
                }));
                report
            }
            RunError::Start(StartError::NotRecorded(error)) => {
                Self::run_history("the run cannot be recorded", &error.source)
            }
            RunError::Service(error) => error.into(),
        }
    }

    /// Several kinds have a type of this name; there is at least one.
    #[must_use]
    pub fn ambiguous_type(query: &str, kinds: &[Kind]) -> Self {
        let names: Vec<&str> = kinds.iter().map(Kind::as_str).collect();
        let report = Self::new(None, format!("several kinds have a type `{query}`: {}", names.join(", ")));
        match names.first() {
            Some(first) => report.advise(format!("name one with `--kind {first}`")),
            None => report,
        }
    }

    /// A text that cannot be the name of a type, with the names that are near.
    #[must_use]
    pub fn no_type_name(query: &str, nearest: &[(Kind, TypeName)]) -> Self {
        let names: BTreeSet<&str> = nearest.iter().map(|(_, name)| name.as_str()).collect();
        let hint = nearest::hint(query, names);
        Self::new(Some(Code::UNKNOWN_TYPE), format!("`{query}` is not a type name"))
            .advise(hint.unwrap_or_else(|| "type names have at least two segments, such as `@acme/dns`".to_owned()))
    }

    /// A query that no source matches: with a sentence of names that are near, and with what could not be looked into.
    #[must_use]
    pub fn unknown_source(query: &str, nearest: Option<String>, unobservable: &[Problem]) -> Self {
        // What it is a query for is not known: a name with a scope is that of a type.
        let unobservable = if query.starts_with('@') {
            missing_type::places_of(query, unobservable.to_vec())
        } else {
            unobservable.to_vec()
        };
        let hint = nearest.or_else(|| missing_type::advice(query, &unobservable).as_ref().map(advice::text));
        let hint = hint.unwrap_or_else(|| "`mangrove types --all` lists all sources".to_owned());
        let message = format!("no source has the path or type `{query}`");
        let mut report = Self::new(Some(Code::UNKNOWN_NAME), message).advise(hint);
        if !unobservable.is_empty() {
            report.details.push("it may be in one of these places, which cannot be read now:".to_owned());
            let line = |problem: &Problem| format!("  {}: {} [{}]", problem.subject, problem.message, problem.code);
            report.details.extend(unobservable.iter().map(line));
        }
        report
    }

    /// No run has an identifier that begins like this.
    #[must_use]
    pub fn unknown_run(id: &str) -> Self {
        Self::new(Some(Code::UNKNOWN_NAME), format!("no run has an identifier that begins with `{id}`"))
            .advise("`mangrove run list` lists the runs")
    }

    /// More than one run has an identifier that begins like this.
    #[must_use]
    pub fn ambiguous_run(id: &str) -> Self {
        Self::new(Some(Code::UNKNOWN_NAME), format!("more than one run has an identifier that begins with `{id}`"))
            .advise("give more of the identifier; `mangrove run list` lists the runs")
    }

    /// What to do about it: its own hint, else what helps against every problem of its code.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        self.hint.clone().or_else(|| advice::of_code(self.code?))
    }
}

impl From<&ServiceError> for ErrorReport {
    fn from(error: &ServiceError) -> Self {
        match error {
            ServiceError::Scan(error) => error.into(),
            ServiceError::Observe(error) => Self::fault("", error.fault()),
            ServiceError::Catalog(error) => Self::fault("catalog", error.fault()),
            ServiceError::Files(error) => Self::fault("reading the definitions", &error.fault),
            ServiceError::Runs(error) => Self::run_history("reading the run history", error),
            ServiceError::Failed { doing, fault } => Self::fault(doing, fault),
            ServiceError::Without(_) => Self::new(None, error.to_string()),
        }
    }
}

impl From<&scan::Error> for ErrorReport {
    fn from(error: &scan::Error) -> Self {
        match error {
            scan::Error::Observe(source) => Self::fault("", source.fault()),
            scan::Error::Catalog { doing, source } => Self::fault(&format!("{doing} the catalog"), source.fault()),
            scan::Error::Store { doing, source } => Self::fault(&format!("{doing} the bundle store"), source.fault()),
        }
    }
}

impl From<&ErrorReport> for ErrorDocument {
    fn from(report: &ErrorReport) -> Self {
        Self {
            schema: "mangrove.error/1".to_owned(),
            code: report.code.map(|code| code.to_string()),
            message: report.message.clone(),
            details: report.details.clone(),
            hint: report.remedy(),
            blocked: report.blocked.as_deref().cloned(),
        }
    }
}

/// What helps against a fault of this code and class. Making the catalog anew is advised only where it is the catalog
/// that is broken.
#[must_use]
pub fn hint_for(code: Code, class: FailureClass) -> String {
    let hint = match (code, class) {
        (Code::NO_REPOSITORY, _) => "`mangrove init` creates a repository here; `--repo DIR` names another one",
        (Code::CATALOG_NEWER, _) => {
            "use the version of Mangrove that wrote it, another `--state-dir`, or `mangrove catalog rebuild`"
        }
        (Code::CATALOG_BUSY, _) => "another process is writing; try again",
        (Code::DATABASE_UNREACHABLE, _) => {
            "try again when the server answers; a daemon does so by itself, and goes on with what it knows meanwhile"
        }
        (Code::DATABASE_UNPREPARED, _) => {
            "run `mangrove catalog migrate` with a role that may create tables; `--grant ROLE` lets another one use them"
        }
        (Code::CATALOG_ON_SERVER, _) => {
            "use the tools of the server, such as `pg_dump`; `mangrove scan` brings rows up to date"
        }
        (Code::CATALOG_FAILED, FailureClass::Transient) => "try again",
        (Code::CATALOG_FAILED, _) => "`mangrove doctor` shows the details",
        (Code::CATALOG_CORRUPT, _) => {
            "`mangrove doctor` shows the details; `mangrove catalog rebuild` builds the catalog again"
        }
        (Code::DISK_FULL, _) => "free some space, or keep the state elsewhere with `--state-dir DIR`; then try again",
        (Code::STORE_FOREIGN, _) => {
            "if no other repository uses the store, `mangrove catalog rebuild` assigns it to this repository"
        }
        (code, _) => {
            return advice::of_code(code).unwrap_or_else(|| format!("`mangrove explain {code}` describes this error"));
        }
    };
    hint.to_owned()
}
