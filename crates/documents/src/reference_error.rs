//! Errors as scripts of swamp read them: `--json=swamp`.

use mangrove_domain::problem::Code;
use serde::Serialize;

use crate::error_report::ErrorReport;

/// Why a command ended without a result: what `--json=swamp` prints to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReferenceErrorDocument {
    /// What happened, with what is known besides and what to do about it.
    pub error: String,
    /// A word for it; left out where the format has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

/// What a command was about: the same code of ours has another word where no model is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Models and their data.
    Models,
    /// Workflows.
    Workflows,
    /// Something else.
    Others,
}

impl ReferenceErrorDocument {
    /// The error of a command.
    #[must_use]
    pub fn new(report: &ErrorReport, concern: Concern) -> Self {
        let details = report.details.iter().map(|detail| format!("; {}", detail.trim_start()));
        let hint = report.remedy().map(|hint| format!("; {hint}"));
        let error = std::iter::once(report.message.clone()).chain(details).chain(hint).collect();
        Self { error, code: report.code.and_then(|code| word(code, concern)) }
    }

    /// The error of a run that did not succeed, of a workflow or of one method.
    #[must_use]
    pub fn of_run(message: &str, code: Option<Code>, concern: Concern) -> Self {
        let failed = match concern {
            Concern::Models => "method_execution_failed",
            Concern::Workflows | Concern::Others => "workflow_execution_failed",
        };
        // What a step of a workflow lacks is not what the command was given.
        let own = code.filter(|code| concern == Concern::Models || *code == Code::RUN_CANCELLED);
        Self { error: message.to_owned(), code: own.and_then(|code| word(code, concern)).or(Some(failed)) }
    }
}

/// The word of the format for a code of ours.
const fn word(code: Code, concern: Concern) -> Option<&'static str> {
    Some(match (code, concern) {
        (Code::UNKNOWN_NAME, Concern::Models) => "model_not_found",
        (Code::UNKNOWN_TYPE, _) => "unknown_model_type",
        (Code::UNKNOWN_METHOD, _) => "unknown_method",
        (Code::INVALID_INPUT, _) => "input_validation_failed",
        (Code::INVALID_DOCUMENT | Code::MALFORMED_DOCUMENT | Code::INVALID_EXPRESSION | Code::WORKFLOW_CYCLE, _) => {
            "validation_failed"
        }
        (Code::CATALOG_BUSY, _) => "lock_timeout",
        (Code::RUN_CANCELLED, _) => "cancelled",
        _ => return None,
    })
}
