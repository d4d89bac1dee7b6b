//! Definitions and workflows by their names, and what is said of names that nothing usable has.

use std::sync::Arc;

use mangrove_domain::{
    advice::UserAction,
    definition::Definition,
    problem::{Code, Problem, Severity},
    workflow::Workflow,
};

use super::{definitions, files::BrokenFile, library::Library, named};

impl Library {
    /// The definition of this name, else of this identifier.
    ///
    /// # Errors
    /// The [`Problem`] that there is none, that two files share its name or identifier, or what is wrong with its file.
    pub fn definition(&self, name: &str) -> Result<&Arc<Definition>, Problem> {
        definitions::find(&self.definitions, name)
            .map_err(|problem| self.wrong(problem, self.broken_definition(name), false))
    }

    /// The workflow of this name, else of this identifier.
    ///
    /// # Errors
    /// The [`Problem`] that there is none, that two files share its name or identifier, or what is wrong with its file.
    pub fn workflow(&self, name: &str) -> Result<&Arc<Workflow>, Problem> {
        let broken = self.broken_workflows.iter().filter_map(|broken| broken.name.as_deref());
        let found = named::find((&self.workflows, &self.words), name, broken);
        found.map_err(|problem| self.wrong(problem, self.broken_workflow(name), true))
    }

    /// The file that says that it is the workflow of this name, else of this identifier, and cannot be used.
    #[must_use]
    pub fn broken_workflow(&self, name: &str) -> Option<&BrokenFile> {
        BrokenFile::find(&self.broken_workflows, name)
    }

    /// As [`broken_workflow`](Self::broken_workflow), of definitions.
    #[must_use]
    pub fn broken_definition(&self, name: &str) -> Option<&BrokenFile> {
        BrokenFile::find(&self.broken_definitions, name)
    }

    /// What else is to be said of a name that cannot be used: what is wrong with its file beside the first error, or which
    /// roots cannot be looked into.
    #[must_use]
    pub fn hiding_problems<'a>(&'a self, wrong: &'a Problem) -> Vec<&'a Problem> {
        if wrong.code == Code::UNKNOWN_NAME {
            return self.unobservable_problems().collect();
        }
        let is_broken = self.broken_files().any(|broken| broken.file == wrong.subject);
        self.problems_of(&wrong.subject).filter(|problem| is_broken && *problem != wrong).collect()
    }

    fn broken_files(&self) -> impl Iterator<Item = &BrokenFile> {
        self.broken_workflows.iter().chain(&self.broken_definitions)
    }

    /// What is wrong with a name: the mistake in the file that has it, if nothing else has, else with the files that may.
    fn wrong(&self, problem: Problem, broken: Option<&BrokenFile>, of_workflows: bool) -> Problem {
        let broken = broken.filter(|_| problem.code == Code::UNKNOWN_NAME);
        let wrong = broken.and_then(|broken| self.first_error(&broken.file));
        wrong.cloned().unwrap_or_else(|| with_broken(problem, self.may_have_it(of_workflows)))
    }

    /// The files of workflows, or of definitions, that cannot be used and do not say what their name is, those of this
    /// repository before others, and what says why.
    fn may_have_it(&self, of_workflows: bool) -> (Vec<&str>, UserAction) {
        let is_nameless = |file: &str| !self.broken_files().any(|broken| broken.file == file && broken.name.is_some());
        let is_broken = |known: &&Problem| {
            let is_wrong = known.severity == Severity::Error && known.code != Code::AMBIGUOUS_NAME;
            is_wrong
                && !self.is_of_trigger(known)
                && self.is_of_definitions(known) != of_workflows
                && is_nameless(&known.subject)
        };
        let mut files: Vec<&str> = self.own_problems().filter(is_broken).map(|known| known.subject.as_str()).collect();
        let action = if files.is_empty() { UserAction::ListWorkflows } else { UserAction::ValidateWorkflows };
        if files.is_empty() && of_workflows {
            files = self.problems.iter().filter(is_broken).map(|known| known.subject.as_str()).collect();
        }
        files.dedup();
        (files, action)
    }
}

/// A name that nothing has may stand in a file that cannot be used: the advice says so.
fn with_broken(mut problem: Problem, (files, list): (Vec<&str>, UserAction)) -> Problem {
    if let Some(first) = files.first().filter(|_| problem.code == Code::UNKNOWN_NAME) {
        let place = match files.len() - 1 {
            0 => format!("it may be in {first}, which cannot be used: see "),
            1 => format!("it may be in {first} or one more file that cannot be used: see "),
            others => format!("it may be in {first} or one of {others} more files that cannot be used: see "),
        };
        let advice = match problem.advice.take() {
            Some(advice) => advice.and("; ").and(place),
            None => place.into(),
        };
        problem.advice = Some(advice.and(list));
    }
    problem
}
