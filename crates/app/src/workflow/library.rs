//! The definitions and workflows of a repository.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use mangrove_domain::{
    definition::{Definition, Place},
    digest::Digest,
    problem::{Problem, Severity},
    source::Origin,
    type_name::TypeName,
    workflow::{Target, Task, Workflow},
};

use super::{
    definitions,
    files::BrokenFile,
    named::{Words, first_before, is_in, repeated},
    outside::Outside,
};

/// Where a repository keeps them, relative to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Definitions, in folders named like their type or not.
    pub definitions: String,
    /// Where definitions lie besides, in the order of their precedence.
    pub further_definitions: Vec<(String, Place)>,
    /// Workflows, beside data that is none.
    pub workflows: String,
    /// Workflows and nothing else, in any folder.
    pub further_workflows: String,
    /// Where earlier versions kept workflows: those with the identifier of one of the others are copies.
    pub earlier_workflows: String,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            definitions: "models".to_owned(),
            further_definitions: vec![
                (".swamp/definitions".to_owned(), Place::Older),
                (".swamp/auto-definitions".to_owned(), Place::AutomaticBefore),
            ],
            workflows: "workflows".to_owned(),
            further_workflows: "extensions/workflows".to_owned(),
            earlier_workflows: ".swamp/workflows".to_owned(),
        }
    }
}

impl Layout {
    /// Where definitions lie, in the order of their precedence.
    pub(crate) fn definition_places(&self) -> Vec<(&str, Place)> {
        let further = self.further_definitions.iter().map(|(directory, place)| (directory.as_str(), *place));
        [(self.definitions.as_str(), Place::Written)].into_iter().chain(further).collect()
    }

    /// True for what lies where earlier versions kept workflows.
    pub(super) fn is_earlier(&self, path: &str) -> bool {
        path.strip_prefix(&self.earlier_workflows).is_some_and(|below| below.starts_with('/'))
    }
}

/// Everything that could be read, and what could not.
#[derive(Debug, Default)]
pub struct Library {
    /// The definitions in the order of their files, those that share a name too.
    pub definitions: Vec<Arc<Definition>>,
    /// The workflows in the order of their files, those that share a name too.
    pub workflows: Vec<Arc<Workflow>>,
    /// The files of workflows that cannot be used.
    pub broken_workflows: Vec<BrokenFile>,
    /// The files of definitions that cannot be used.
    pub broken_definitions: Vec<BrokenFile>,
    /// What is wrong, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// The names and identifiers of its workflows.
    pub(super) words: Words,
    pub(super) digests: HashMap<String, Digest>,
    /// The texts of workflows that run by themselves and are in order, by their files.
    pub(super) texts: HashMap<String, Arc<str>>,
    /// Where its definitions lie.
    pub(super) definition_directories: Vec<String>,
    /// The files of other roots, and what is wrong with these: nothing that is corrected in this repository.
    pub(super) foreign: HashSet<String>,
    /// Why files that lie beside workflows are none. Nobody is told, unless one was a workflow before.
    pub(super) other_files: HashMap<String, Problem>,
    /// What is known of the other roots.
    pub(super) outside: Outside,
}

impl Library {
    /// The definitions that can be used by their name.
    pub fn usable_definitions(&self) -> impl Iterator<Item = &Arc<Definition>> {
        let first = definitions::First::of(&self.definitions);
        self.definitions.iter().filter(move |definition| first.is_alone_by_name(definition))
    }

    /// The workflows that can be run: their name and identifier are their own, and none comes before them.
    pub fn usable_workflows(&self) -> impl Iterator<Item = &Arc<Workflow>> {
        let repeated = repeated(&self.workflows);
        let mut first: HashMap<&str, Origin> = HashMap::new();
        for workflow in &self.workflows {
            for word in [workflow.name.value.as_str(), workflow.id.as_str()] {
                first
                    .entry(word)
                    .and_modify(|origin| *origin = workflow.origin.min(*origin))
                    .or_insert(workflow.origin);
            }
        }
        let comes_first = move |workflow: &Workflow| {
            [workflow.name.value.as_str(), workflow.id.as_str()]
                .iter()
                .all(|word| first.get(word) == Some(&workflow.origin))
        };
        let is_usable = move |workflow: &Workflow| !is_in(&repeated, workflow) && comes_first(workflow);
        self.workflows.iter().filter(move |workflow| is_usable(workflow))
    }

    /// The workflows of the repository itself.
    pub fn own_workflows(&self) -> impl Iterator<Item = &Arc<Workflow>> {
        self.workflows.iter().filter(|workflow| workflow.origin == Origin::Local)
    }

    /// What is wrong with files of the repository itself.
    pub fn own_problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| !self.foreign.contains(&problem.subject))
    }

    /// What is wrong with definitions.
    pub fn problems_of_definitions(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| self.is_of_definitions(problem))
    }

    /// What is wrong with workflows, and with the roots that they come from.
    pub fn problems_of_workflows(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| !self.is_of_definitions(problem))
    }

    /// True for what is wrong with the trigger of a workflow, which can be run all the same.
    pub(super) fn is_of_trigger(&self, problem: &Problem) -> bool {
        self.workflows.iter().any(|workflow| workflow.is_trigger_broken && workflow.file == problem.subject)
    }

    /// True for what is wrong with a definition, or with the directory of definitions or one in it.
    pub(super) fn is_of_definitions(&self, problem: &Problem) -> bool {
        let rest = |directory: &String| problem.subject.strip_prefix(directory.as_str());
        self.definition_directories.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What is wrong with definitions.
    pub fn definition_problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| self.is_of_definitions(problem))
    }

    /// What keeps workflows of other roots from being known.
    pub fn unobservable_problems(&self) -> impl Iterator<Item = &Problem> {
        self.outside.problems.iter()
    }

    /// Why files that lie beside workflows are none, by their names.
    #[must_use]
    pub const fn other_files(&self) -> &HashMap<String, Problem> {
        &self.other_files
    }

    /// The workflow that comes before this one, because its origin does and they share a name or an identifier.
    #[must_use]
    pub fn shadowing(&self, workflow: &Workflow) -> Option<&Arc<Workflow>> {
        first_before(&self.words.alike(&self.workflows, workflow), workflow)
    }

    /// Every model type that a definition names, or a step without an expression in a workflow of the repository.
    #[must_use]
    pub fn types(&self) -> BTreeSet<TypeName> {
        let definitions = self.definitions.iter().map(|definition| definition.type_name.value.clone());
        definitions.chain(self.own_workflows().flat_map(|workflow| self.types_of(workflow))).collect()
    }

    /// Every model type that a step of this workflow uses, as far as no expression decides it.
    #[must_use]
    pub fn types_of(&self, workflow: &Workflow) -> BTreeSet<TypeName> {
        let steps = workflow.jobs.iter().flat_map(|job| &job.steps);
        steps
            .filter_map(|step| match &step.task {
                Task::ModelMethod { target, .. } => match (self.definition(&target.name().value), target) {
                    (Ok(definition), _) => Some(definition.type_name.value.clone()),
                    (Err(_), Target::Instance { type_name, .. }) => TypeName::model(&type_name.value).ok(),
                    (Err(_), Target::Definition(_)) => None,
                },
                Task::Workflow { .. } | Task::Assert { .. } | Task::ManualApproval { .. } => None,
            })
            .collect()
    }

    /// The names of the reports that definitions and workflows insist on or leave out.
    #[must_use]
    pub fn reports(&self) -> BTreeSet<TypeName> {
        let of_definitions = self.definitions.iter().map(|definition| &definition.reports);
        let selections = of_definitions.chain(self.usable_workflows().map(|workflow| &workflow.reports));
        let names = selections.flat_map(|selection| selection.require.iter().chain(&selection.skip));
        names.filter_map(|name| TypeName::report(&name.value).ok()).collect()
    }

    /// The digest of a file's bytes, of definitions and workflows that were read.
    #[must_use]
    pub fn digest(&self, file: &str) -> Option<Digest> {
        self.digests.get(file).copied()
    }

    /// The text of the file of a workflow that runs by itself; `None` if it is not in order.
    #[must_use]
    pub fn text(&self, file: &str) -> Option<&Arc<str>> {
        self.texts.get(file)
    }

    /// The first error of one file.
    #[must_use]
    pub fn first_error<'a>(&'a self, file: &'a str) -> Option<&'a Problem> {
        self.problems_of(file).find(|problem| problem.severity == Severity::Error)
    }

    /// The problems of one file.
    pub fn problems_of<'a>(&'a self, file: &'a str) -> impl Iterator<Item = &'a Problem> {
        self.problems.iter().filter(move |problem| problem.subject == file)
    }
}
