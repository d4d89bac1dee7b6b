//! What was looked at in a file, and what is wrong with it: the form that scripts of swamp read.

use mangrove_domain::problem::{Code, Problem, Severity};
use serde::Serialize;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValidationDocument {
    /// What.
    pub name: String,
    /// True if nothing of it is wrong.
    pub passed: bool,
    /// What works and should be looked at; left out if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// What is wrong; left out if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is looked at, and the codes of the problems that belong to it. What belongs to nothing else belongs to the one
/// without codes.
pub(crate) type Subject = (&'static str, &'static [Code]);

/// Whether warnings stand where they belong, or somewhere else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Warnings {
    Within,
    Apart,
}

/// What became of each subject.
pub(crate) fn validations(subjects: &[Subject], problems: &[Problem], warnings: Warnings) -> Vec<ValidationDocument> {
    let told = |codes: &[Code], severity: Severity| {
        let is_of_others = |code: Code| subjects.iter().any(|(_, others)| others.contains(&code));
        let belongs = |code: Code| if codes.is_empty() { !is_of_others(code) } else { codes.contains(&code) };
        let told = problems.iter().filter(|problem| problem.severity == severity && belongs(problem.code));
        let told: Vec<String> = told.map(placed).collect();
        (!told.is_empty()).then(|| told.join("; "))
    };
    subjects
        .iter()
        .map(|(name, codes)| {
            let error = told(codes, Severity::Error);
            let warning = told(codes, Severity::Warning).filter(|_| warnings == Warnings::Within);
            ValidationDocument { name: (*name).to_owned(), passed: error.is_none(), warning, error }
        })
        .collect()
}

/// The message with the place, or the file, that it is about.
pub(crate) fn placed(problem: &Problem) -> String {
    let place = problem.position.as_ref().map_or_else(|| problem.subject.clone(), ToString::to_string);
    format!("{place}: {}", problem.message)
}
