//! The one form in which the HTTP API says what went wrong: problem+json (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{error::BlockedDocument, error_report::ErrorReport, problem::ProblemDocument};

/// What went wrong with a request, as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDetails {
    /// The page of the code, `/problems/MG0101`, relative to the address of the daemon; `about:blank` without a code.
    #[serde(rename = "type")]
    pub page: String,
    /// What the code stands for, or the phrase of the status.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened, in one sentence.
    pub detail: String,
    /// The code, such as `MG0101`; `null` if there is none.
    pub code: Option<String>,
    /// What to do about it; `null` if nothing is known.
    pub hint: Option<String>,
    /// More of what happened, a sentence each.
    pub details: Vec<String>,
    /// What is wrong with files of the repository, if that is the reason.
    pub problems: Vec<ProblemDocument>,
    /// What is known of a type that cannot run, if it is about one. A member of its own: `type` is the page here.
    pub blocked: Option<BlockedDocument>,
}

impl ProblemDetails {
    /// What an error report says, for an answer with this status; `phrase` is what the status is called.
    #[must_use]
    pub fn new(status: u16, phrase: &str, report: &ErrorReport) -> Self {
        Self {
            page: report.code.map_or_else(|| "about:blank".to_owned(), |code| format!("/problems/{code}")),
            title: report.code.map_or(phrase, |code| code.title()).to_owned(),
            status,
            detail: report.message.clone(),
            code: report.code.map(|code| code.to_string()),
            hint: report.remedy(),
            details: report.details.clone(),
            problems: Vec::new(),
            blocked: report.blocked.as_deref().cloned(),
        }
    }

    /// The same with what is wrong with files of the repository.
    #[must_use]
    pub fn with_problems(self, problems: Vec<ProblemDocument>) -> Self {
        Self { problems, ..self }
    }
}
