//! The one translation from errors to what a person or a script gets: code, sentence, hint, exit code.

use mangrove_app::{extensions::ExtensionError, scan, service::ServiceError, types::NotReady, vault::SecretError};
use mangrove_documents::{Concern, ErrorDocument, ErrorReport, FailureDocument, ReferenceErrorDocument, advice};
use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::{CatalogError, ObserveError, RunStoreError, StoreError},
    problem::{Code, Problem},
    time::Timestamp,
};

use crate::{
    compose::{ComposeError, StateDirectoryError},
    exit::Exit,
    human,
    printer::Printer,
};

/// Why a command ended without a result.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) exit: Exit,
    pub(crate) report: ErrorReport,
}

impl From<SecretError> for CommandError {
    fn from(error: SecretError) -> Self {
        match &error {
            SecretError::Unknown(problem) => {
                // The message says where it is.
                Self::answer(ErrorReport::problem(&Problem { position: None, ..problem.clone() }))
            }
            SecretError::Missing { .. }
            | SecretError::Refused { .. }
            | SecretError::Type { .. }
            | SecretError::Failed { .. } => {
                let report = ErrorReport::new(Some(error.code()), error.to_string());
                Self::answer(ErrorReport { hint: error.advice().map(advice::text), ..report })
            }
            SecretError::Files(files) => Self::fault("listing the vaults", &files.fault),
        }
    }
}

impl From<ExtensionError> for CommandError {
    fn from(error: ExtensionError) -> Self {
        let report = ErrorReport::from(&error);
        match &error {
            ExtensionError::Refused(_) => Self::answer(report),
            ExtensionError::Failed(fault) => match fault.code {
                Code::INVALID_INPUT => Self::mistake(report),
                // What was asked for cannot be had, and we have done what we can.
                Code::UNREADABLE
                | Code::PACKAGE_NOT_FOUND
                | Code::PACKAGE_MALFORMED
                | Code::INTEGRITY_MISMATCH
                | Code::IMPORT_OUTSIDE_ROOT
                | Code::REGISTRY_REFUSED
                | Code::OFFLINE => Self::answer(report),
                _ => Self::failed(report),
            },
        }
    }
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
        let report = ErrorReport { hint: hint.map(str::to_owned), ..ErrorReport::new(code, message) };
        Self { exit, report }
    }

    /// Understood, and the answer is no.
    pub(crate) const fn answer(report: ErrorReport) -> Self {
        Self { exit: Exit::No, report }
    }

    /// A mistake of usage or configuration.
    pub(crate) const fn mistake(report: ErrorReport) -> Self {
        Self { exit: Exit::Usage, report }
    }

    /// What Mangrove itself could not carry out.
    pub(crate) fn failed(report: ErrorReport) -> Self {
        let exit = match (report.code, report.class) {
            (Some(code), Some(class)) => exit_for(code, class),
            (_, _) => Exit::Failed,
        };
        Self { exit, report }
    }

    /// A mistake of usage or configuration that a problem describes.
    pub(crate) fn usage_problem(problem: &Problem) -> Self {
        // The message says where it is.
        let problem = Problem { position: None, ..problem.clone() };
        Self::mistake(ErrorReport::problem(&problem))
    }

    /// The run history cannot be used; one that does not even open says what helps.
    pub(crate) fn run_history(doing: &str, error: &RunStoreError) -> Self {
        Self::failed(ErrorReport::run_history(doing, error))
    }

    /// A fault that ends the command.
    pub(crate) fn fault(doing: &str, fault: &Fault) -> Self {
        Self::failed(ErrorReport::fault(doing, fault))
    }

    /// A type that cannot run.
    pub(crate) fn not_ready(not_ready: &NotReady, now: Timestamp) -> Self {
        let mut report = ErrorReport::not_ready(not_ready);
        if not_ready.fault.is_some() {
            return Self::failed(report);
        }
        let failure = not_ready.failure.as_ref().map(FailureDocument::from);
        report.details.extend(failure.map(|failure| retry_line(&failure, now)));
        let is_transient = report.class == Some(FailureClass::Transient);
        Self { exit: if is_transient { Exit::TryAgain } else { Exit::No }, report }
    }

    /// Prints it, as a document or as lines.
    pub(crate) fn print(&self, printer: &Printer, concern: Concern) {
        if printer.is_json_of_swamp() {
            printer.error_document(&ReferenceErrorDocument::new(&self.report, concern));
            return;
        }
        if printer.is_json() {
            printer.document(&ErrorDocument::from(&self.report));
        }
        let ErrorReport { code, message, details, .. } = &self.report;
        let head = code.map_or_else(|| "error".to_owned(), |code| format!("error[{code}]"));
        printer.error(&format!("{head}: {message}"), details, self.report.remedy().as_deref());
    }
}

/// How a command ends that Mangrove itself could not carry out.
pub(crate) const fn exit_for(code: Code, class: FailureClass) -> Exit {
    match (code, class) {
        (
            Code::NO_REPOSITORY
            | Code::MALFORMED_DOCUMENT
            | Code::INVALID_DOCUMENT
            | Code::CATALOG_NEWER
            | Code::CATALOG_ON_SERVER,
            _,
        ) => Exit::Usage,
        (_, FailureClass::Transient) => Exit::TryAgain,
        (_, FailureClass::Environment | FailureClass::Deterministic) => Exit::Failed,
    }
}

/// When a failure was seen last, and when it is tried again.
pub(crate) fn retry_line(failure: &FailureDocument, now: Timestamp) -> String {
    let next = match human::next_retry(failure, now) {
        Some(next) => format!("next retry {next}, or when a run needs the type"),
        None => "it is tried again when its source changes, or at the next scan".to_owned(),
    };
    format!("last tried {}; {next}", human::ago(failure.last_seen.0, now))
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
        Self::failed((&error).into())
    }
}

impl From<scan::Error> for CommandError {
    fn from(error: scan::Error) -> Self {
        Self::failed((&error).into())
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
