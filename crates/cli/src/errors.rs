//! The one translation from errors to what a person or a script gets: code, sentence, hint, exit code.

use mangrove_app::{
    doctor, scan,
    service::ServiceError,
    types::{Departed, NotReady},
};
use mangrove_domain::{
    failure::{Failure, FailureClass, Fault},
    ports::{CatalogError, ObserveError, RunStoreError, StoreError},
    problem::{Code, Problem},
    source::Kind,
    time::Timestamp,
    type_name::TypeName,
};
use serde::Serialize;

use crate::{
    advice,
    compose::{ComposeError, StateDirectoryError},
    documents::{FailureDocument, ProblemDocument},
    exit::Exit,
    human,
    printer::Printer,
};

/// Why a command ended without a result.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) exit: Exit,
    pub(crate) code: Option<Code>,
    pub(crate) message: String,
    pub(crate) details: Vec<String>,
    pub(crate) hint: Option<String>,
    pub(crate) blocked: Option<Box<Blocked>>,
}

/// What is known of a type that cannot run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Blocked {
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    pub(crate) claimed_by: Option<String>,
    pub(crate) state: Option<&'static str>,
    pub(crate) failure: Option<FailureDocument>,
    /// Sources that claim it and were not scanned yet.
    pub(crate) unscanned: Vec<String>,
    /// Sources that claimed it before.
    pub(crate) departed: Vec<DepartedDocument>,
    /// Places that could not be read, where it may be.
    pub(crate) unobservable: Vec<ProblemDocument>,
    /// Names that are near.
    pub(crate) nearest: Vec<NamedDocument>,
}

/// A source that claimed a type before.
#[derive(Debug, Serialize)]
pub(crate) struct DepartedDocument {
    path: String,
    reason: String,
}

impl DepartedDocument {
    fn new(departed: &Departed) -> Self {
        Self { path: departed.source.to_string(), reason: departed.reason.clone() }
    }
}

/// A type by kind and name.
#[derive(Debug, Serialize)]
pub(crate) struct NamedDocument {
    kind: String,
    #[serde(rename = "type")]
    type_name: String,
}

impl NamedDocument {
    pub(crate) fn new((kind, type_name): &(Kind, TypeName)) -> Self {
        Self { kind: kind.to_string(), type_name: type_name.to_string() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorDocument<'a> {
    schema: &'static str,
    code: Option<String>,
    message: &'a str,
    details: &'a [String],
    hint: Option<&'a str>,
    #[serde(flatten)]
    blocked: Option<&'a Blocked>,
}

impl CommandError {
    /// A mistake of usage or configuration.
    pub(crate) fn usage(code: Option<Code>, message: impl Into<String>, hint: Option<&str>) -> Self {
        Self::new(Exit::Usage, code, message, hint)
    }

    /// Understood, and the answer is no.
    pub(crate) fn no(code: Option<Code>, message: impl Into<String>, hint: Option<&str>) -> Self {
        Self::new(Exit::No, code, message, hint)
    }

    fn new(exit: Exit, code: Option<Code>, message: impl Into<String>, hint: Option<&str>) -> Self {
        Self { exit, code, message: message.into(), details: Vec::new(), hint: hint.map(str::to_owned), blocked: None }
    }

    /// A mistake of usage or configuration that a problem describes.
    pub(crate) fn usage_problem(problem: &Problem) -> Self {
        let hint = problem.advice.as_ref().map(advice::text);
        Self::usage(Some(problem.code), problem.message.clone(), hint.as_deref())
    }

    /// The run history cannot be used; one that does not even open says what helps.
    pub(crate) fn run_history(doing: &str, error: &RunStoreError) -> Self {
        if error.operation != "open" {
            return Self::fault(doing, &error.fault);
        }
        let hint = doctor::unusable(doctor::RUNS, &error.fault).advice.as_ref().map(advice::text);
        Self { hint, ..Self::fault("opening the run history", &error.fault) }
    }

    /// A fault that ends the command.
    pub(crate) fn fault(doing: &str, fault: &Fault) -> Self {
        let exit = exit_for(fault.code, fault.class);
        let hint = hint_for(fault.code, fault.class);
        let fault_text = fault.to_string();
        let message = if doing.is_empty() { fault_text } else { format!("{doing}: {fault_text}") };
        Self::new(exit, Some(fault.code), message, Some(&hint))
    }

    /// A type that cannot run.
    pub(crate) fn not_ready(not_ready: &NotReady, now: Timestamp) -> Self {
        if let Some(fault) = &not_ready.fault {
            return Self::fault(&not_ready.headline(), fault);
        }
        let NotReady { type_name, claimed_by, failure, .. } = not_ready;
        let mut error = Self::new(Exit::No, Some(Code::UNKNOWN_TYPE), not_ready.headline(), None);
        error.details = not_ready.reasons();
        error.details.extend(failure.as_ref().map(|failure| retry_line(failure, now)));
        error.hint = Some(advice::text(&not_ready.advice()));
        if failure.as_ref().is_some_and(|failure| failure.class == FailureClass::Transient) {
            error.exit = Exit::TryAgain;
        }
        error.blocked = Some(Box::new(Blocked {
            type_name: type_name.to_string(),
            claimed_by: claimed_by.first().map(|row| row.source.to_string()),
            state: claimed_by.first().map(|row| row.state.name().as_str()),
            failure: failure.as_ref().map(FailureDocument::new),
            unscanned: not_ready.unclaimed.unscanned.iter().map(ToString::to_string).collect(),
            departed: not_ready.unclaimed.departed.iter().map(DepartedDocument::new).collect(),
            unobservable: not_ready.unclaimed.unobservable.iter().map(ProblemDocument::from).collect(),
            nearest: not_ready.nearest.iter().map(NamedDocument::new).collect(),
        }));
        error
    }

    /// What to do about it: its own hint, else what helps against every problem of its code.
    fn remedy(&self) -> Option<String> {
        self.hint.clone().or_else(|| advice::of_code(self.code?))
    }

    /// Prints it, as a document or as lines.
    pub(crate) fn print(&self, printer: &Printer) {
        if printer.is_json() {
            printer.document(&ErrorDocument {
                schema: "mangrove.error/1",
                code: self.code.map(|code| code.to_string()),
                message: &self.message,
                details: &self.details,
                hint: self.remedy().as_deref(),
                blocked: self.blocked.as_deref(),
            });
        }
        let head = self.code.map_or_else(|| "error".to_owned(), |code| format!("error[{code}]"));
        printer.error(&format!("{head}: {}", self.message), &self.details, self.remedy().as_deref());
    }
}

/// How a command ends that Mangrove itself could not carry out.
pub(crate) const fn exit_for(code: Code, class: FailureClass) -> Exit {
    match (code, class) {
        (Code::NO_REPOSITORY | Code::MALFORMED_DOCUMENT | Code::INVALID_DOCUMENT | Code::CATALOG_NEWER, _) => {
            Exit::Usage
        }
        (_, FailureClass::Transient) => Exit::TryAgain,
        (_, FailureClass::Environment | FailureClass::Deterministic) => Exit::Failed,
    }
}

/// What helps then. Making the catalog anew is advised only where it is the catalog that is broken.
pub(crate) fn hint_for(code: Code, class: FailureClass) -> String {
    let hint = match (code, class) {
        (Code::NO_REPOSITORY, _) => "`mangrove init` creates a repository here; `--repo DIR` names another one",
        (Code::CATALOG_NEWER, _) => {
            "use the version of Mangrove that wrote it, another `--state-dir`, or `mangrove catalog rebuild`"
        }
        (Code::CATALOG_BUSY, _) => "another process is writing; try again",
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

/// When a failure was seen last, and when it is tried again.
pub(crate) fn retry_line(failure: &Failure, now: Timestamp) -> String {
    let next = match human::next_retry(failure, now) {
        Some(next) => format!("next retry {next}, or when a run needs the type"),
        None => "it is tried again when its source changes, or at the next scan".to_owned(),
    };
    format!("last tried {}; {next}", human::ago(failure.last_seen, now))
}

impl From<ComposeError> for CommandError {
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::Observe(error) => error.into(),
            ComposeError::Configuration(problem) => Self::usage_problem(&problem),
            ComposeError::State(StateDirectoryError::NotWritable { ref source, .. }) => Self::usage(
                Some(Code::NOT_WRITABLE),
                format!("{error}: {source}"),
                Some("`--state-dir DIR` keeps the state elsewhere"),
            ),
            ComposeError::State(StateDirectoryError::LeadsOut { .. }) => Self::usage(
                Some(Code::LINK_OUTSIDE_ROOT),
                error.to_string(),
                Some("remove the link; `--state-dir DIR` keeps the whole state elsewhere"),
            ),
            ComposeError::Path { ref source, .. } | ComposeError::Program(ref source) => {
                let message = format!("{error}: {source}");
                let cause = "program:mangrove";
                Self::fault("", &Fault::environment(Code::WORKER_UNAVAILABLE, cause, message))
            }
        }
    }
}

impl From<ServiceError> for CommandError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Scan(error) => error.into(),
            ServiceError::Observe(error) => error.into(),
            ServiceError::Catalog(error) => error.into(),
            ServiceError::Files(error) => Self::fault("reading the definitions", &error.fault),
            ServiceError::Runs(error) => Self::run_history("reading the run history", &error),
            ServiceError::Failed { doing, fault } => Self::fault(doing, &fault),
            ServiceError::Without(_) => Self::new(Exit::Failed, None, error.to_string(), None),
        }
    }
}

impl From<scan::Error> for CommandError {
    fn from(error: scan::Error) -> Self {
        match &error {
            scan::Error::Observe(source) => source.into(),
            scan::Error::Catalog { doing, source } => Self::fault(&format!("{doing} the catalog"), source.fault()),
            scan::Error::Store { doing, source } => Self::fault(&format!("{doing} the bundle store"), source.fault()),
        }
    }
}

impl From<&ObserveError> for CommandError {
    fn from(error: &ObserveError) -> Self {
        Self::fault("", error.fault())
    }
}

impl From<ObserveError> for CommandError {
    fn from(error: ObserveError) -> Self {
        (&error).into()
    }
}

impl From<CatalogError> for CommandError {
    fn from(error: CatalogError) -> Self {
        Self::fault("catalog", error.fault())
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::fault("bundle store", error.fault())
    }
}
