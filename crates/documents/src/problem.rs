//! Problems.

use mangrove_domain::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::advice;

/// What is wrong with something that a person wrote or keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument {
    /// Names the page that explains it, such as `MG0602`.
    pub code: String,
    /// `info`, `warning` or `error`.
    pub severity: String,
    /// The file that it is in, or whatever else it is about.
    pub path: String,
    /// The line in that file, from 1; `null` if there is none.
    pub line: Option<u32>,
    /// The column in that line, from 1; `null` if there is none.
    pub column: Option<u32>,
    /// The type that it is about, if that is known.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// One sentence: what is wrong.
    pub message: String,
    /// What to do about it; `null` if nothing is known.
    pub hint: Option<String>,
}

impl From<&Problem> for ProblemDocument {
    fn from(problem: &Problem) -> Self {
        let position = problem.position.as_ref();
        Self {
            code: problem.code.to_string(),
            severity: problem.severity.as_str().to_owned(),
            path: position.map_or_else(|| problem.subject.clone(), |position| position.file.clone()),
            line: position.map(|position| position.line),
            column: position.map(|position| position.column),
            type_name: None,
            message: problem.message.clone(),
            hint: problem.remedy().as_ref().map(advice::text),
        }
    }
}

impl ProblemDocument {
    /// The same, about this type.
    #[must_use]
    pub fn of_type(mut self, type_name: Option<&String>) -> Self {
        self.type_name = type_name.cloned();
        self
    }
}

/// The documents of these problems.
pub fn problems<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Vec<ProblemDocument> {
    problems.into_iter().map(ProblemDocument::from).collect()
}
