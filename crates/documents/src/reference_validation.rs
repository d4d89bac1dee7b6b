//! What is wrong with workflows, as scripts of swamp read it: `workflow validate --json=swamp`.

use mangrove_app::{service::Validation, workflow::Library};
use mangrove_domain::problem::{Code, Problem, Severity};
use serde::Serialize;

use crate::validation::{Subject, ValidationDocument, Warnings, validations};

/// What is looked at.
const SUBJECTS: [Subject; 6] = [
    ("Workflow", &[]),
    ("Names", &[Code::UNKNOWN_NAME, Code::AMBIGUOUS_NAME]),
    ("Model types", &[Code::UNKNOWN_TYPE]),
    ("Methods", &[Code::UNKNOWN_METHOD]),
    ("Inputs", &[Code::INVALID_INPUT]),
    ("Expressions", &[Code::INVALID_EXPRESSION]),
];

/// One workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceValidationDocument {
    /// A UUID; empty if its file says none.
    workflow_id: String,
    /// What people call it; its file if that says no name.
    workflow_name: String,
    validations: Vec<ValidationDocument>,
    total_warnings: usize,
    passed: bool,
}

/// All workflows, and other files in which something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceValidationsDocument {
    workflows: Vec<ReferenceValidationDocument>,
    total_passed: usize,
    total_failed: usize,
    total_warnings: usize,
    passed: bool,
}

impl ReferenceValidationDocument {
    /// The workflow of this name or identifier, with everything that was found.
    #[must_use]
    pub fn of_workflow(library: &Library, name: &str, validation: &Validation) -> Self {
        let usable = library.workflow(name).map(|workflow| (workflow.id.clone(), workflow.name.value.clone()));
        let named = usable.ok().or_else(|| {
            let broken = library.broken_workflow(name)?;
            Some((broken.id.clone().unwrap_or_default(), broken.name.clone()?))
        });
        let (id, name) = named.unwrap_or_else(|| (String::new(), name.to_owned()));
        Self::new(id, name, &validation.problems)
    }

    fn new(workflow_id: String, workflow_name: String, problems: &[Problem]) -> Self {
        let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
        Self {
            workflow_id,
            workflow_name,
            validations: validations(&SUBJECTS, problems, Warnings::Within),
            total_warnings: count(Severity::Warning),
            passed: count(Severity::Error) == 0,
        }
    }
}

impl ReferenceValidationsDocument {
    /// Everything that was found, by workflow.
    #[must_use]
    pub fn new(library: &Library, validation: &Validation) -> Self {
        let named = library.workflows.iter().map(|known| (&known.file, Some(&known.id), Some(&known.name.value)));
        let broken = library.broken_workflows.iter();
        let broken = broken.map(|broken| (&broken.file, broken.id.as_ref(), broken.name.as_ref()));
        let mut rest = validation.problems.clone();
        let mut workflows = Vec::new();
        for (file, id, name) in named.chain(broken) {
            let (own, others): (Vec<Problem>, Vec<Problem>) = rest.into_iter().partition(|it| it.subject == *file);
            rest = others;
            let text = |text: Option<&String>| text.cloned();
            let name = text(name).unwrap_or_else(|| file.clone());
            workflows.push(ReferenceValidationDocument::new(text(id).unwrap_or_default(), name, &own));
        }
        while let Some(subject) = rest.first().map(|problem| problem.subject.clone()) {
            let (own, others): (Vec<Problem>, Vec<Problem>) = rest.into_iter().partition(|it| it.subject == subject);
            rest = others;
            workflows.push(ReferenceValidationDocument::new(String::new(), subject, &own));
        }
        let total_passed = workflows.iter().filter(|workflow| workflow.passed).count();
        Self {
            total_passed,
            total_failed: workflows.len() - total_passed,
            total_warnings: workflows.iter().map(|workflow| workflow.total_warnings).sum(),
            passed: total_passed == workflows.len(),
            workflows,
        }
    }
}
