//! The definitions and workflows of a repository.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use mangrove_domain::{
    definition::{self, Definition, Place},
    digest::Digest,
    document::Document,
    form::Parsed,
    ports::{DefinitionText, Documents, FilesError, RepositoryFiles},
    problem::{Code, Problem, Severity},
    source::Origin,
    type_name::TypeName,
    workflow::{self, Target, Task, Workflow, WorkflowFile, WorkflowFiles},
};

use super::{
    definitions,
    files::{BrokenFile, is_named_so, no_workflow, text_at},
    named::{first_before, is_in, repeated, shared},
};

const ENDINGS: [&str; 2] = [".yaml", ".yml"];

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
    digests: HashMap<String, Digest>,
    /// Where its definitions lie.
    definition_directories: Vec<String>,
    /// The files of other roots, and what is wrong with these: nothing that is corrected in this repository.
    foreign: HashSet<String>,
    /// Why files that lie beside workflows are none. Nobody is told, unless one was a workflow before.
    other_files: HashMap<String, Problem>,
    /// Roots that could not be looked into, and files that could not be read.
    unobservable: HashSet<String>,
}

impl Library {
    /// Reads all definitions and workflows of the repository, and adds the workflows of other roots. A
    /// file that cannot be read is a problem of that file alone.
    ///
    /// # Errors
    /// [`FilesError`] if nothing can be listed. A directory that cannot be is a problem.
    pub async fn load(
        files: &dyn RepositoryFiles,
        documents: &dyn Documents,
        layout: &Layout,
        external: WorkflowFiles,
    ) -> Result<Self, FilesError> {
        let mut library = Self::default();
        library.load_definitions(files, documents, layout).await?;
        library.load_workflows(files, documents, layout).await?;
        library.add_external(documents, external);
        let twins: Vec<Problem> = shared(&library.workflows).collect();
        library.problems.extend(twins);
        library.settle_definitions();
        Ok(library)
    }

    /// Reads the definitions alone.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn load_only_definitions(
        files: &dyn RepositoryFiles,
        documents: &dyn Documents,
        layout: &Layout,
    ) -> Result<Self, FilesError> {
        let mut library = Self::default();
        library.load_definitions(files, documents, layout).await?;
        library.settle_definitions();
        Ok(library)
    }

    async fn load_definitions(
        &mut self,
        files: &dyn RepositoryFiles,
        documents: &dyn Documents,
        layout: &Layout,
    ) -> Result<(), FilesError> {
        let mut places = vec![(layout.definitions.as_str(), Place::Written)];
        places.extend(layout.further_definitions.iter().map(|(directory, place)| (directory.as_str(), *place)));
        let directories: Vec<&str> = places.iter().map(|(directory, _)| *directory).collect();
        // All at once, so that a link from one of them to another is one file.
        let list = files.list(&directories, &ENDINGS).await?;
        self.problems.extend(list.problems);
        for path in list.paths {
            let below = |directory: &str| path.strip_prefix(directory)?.strip_prefix('/');
            let found = places.iter().find_map(|(directory, place)| Some((below(directory)?, *place)));
            let (below, place) = found.unwrap_or((&path, Place::Written));
            let path_type = below.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let Some(text) = self.text_of(files, &path).await else { continue };
            let parse = |document: &Document| definition::parse(document, path_type.as_deref());
            match self.parse(documents, &path, &text, parse) {
                Some(definition) => self.definitions.push(Arc::new(Definition { place, ..definition })),
                None => self.broken_definitions.push(BrokenFile::new(documents, &path, &text, Origin::Local)),
            }
        }
        self.definition_directories = directories.into_iter().map(str::to_owned).collect();
        Ok(())
    }

    /// Adds definitions that were made for steps and commands.
    pub fn add_automatic(&mut self, documents: &dyn Documents, texts: Vec<DefinitionText>) {
        for DefinitionText { file, text } in texts {
            let parse = |document: &Document| definition::parse(document, None);
            match self.parse(documents, &file, &text, parse) {
                Some(definition) => {
                    self.definitions.push(Arc::new(Definition { place: Place::Automatic, ..definition }));
                }
                None => self.broken_definitions.push(BrokenFile::new(documents, &file, &text, Origin::Local)),
            }
            self.definition_directories.push(file);
        }
        self.settle_definitions();
    }

    /// Says which of several definitions counts.
    fn settle_definitions(&mut self) {
        self.definitions = definitions::without_older_copies(std::mem::take(&mut self.definitions));
        let kept: HashSet<&str> = self.definitions.iter().map(|definition| definition.file.as_str()).collect();
        let is_twin =
            |problem: &Problem| problem.code == Code::AMBIGUOUS_NAME && kept.contains(problem.subject.as_str());
        self.problems.retain(|problem| !is_twin(problem));
        self.problems.extend(definitions::twins(&self.definitions));
    }

    async fn load_workflows(
        &mut self,
        files: &dyn RepositoryFiles,
        documents: &dyn Documents,
        layout: &Layout,
    ) -> Result<(), FilesError> {
        let below = |directory: &str, path: &str| -> Option<String> {
            path.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned)
        };
        // All at once, so that a link from one of them to another is one file.
        let directories = [layout.workflows.as_str(), &layout.further_workflows, &layout.earlier_workflows];
        let list = files.list(&directories, &ENDINGS).await?;
        // What lies deeper is data, whether it can be read or not.
        let counts = |subject: &str| subject == layout.workflows || subject.starts_with(&layout.further_workflows);
        self.problems.extend(list.problems.into_iter().filter(|problem| counts(&problem.subject)));
        let is_flat = |path: &&String| below(&layout.workflows, path).is_some_and(|below| !below.contains('/'));
        for path in list.paths.iter().filter(is_flat) {
            let Some(text) = self.text_of(files, path).await else { continue };
            match no_workflow(documents, path, &text).filter(|_| !is_named_so(path)) {
                None => self.add_workflow(documents, path, &text, Origin::Local),
                Some(reason) => {
                    self.other_files.insert(path.clone(), reason);
                }
            }
        }
        for path in list.paths.iter().filter(|path| below(&layout.further_workflows, path).is_some()) {
            if let Some(text) = self.text_of(files, path).await {
                self.add_workflow(documents, path, &text, Origin::Local);
            }
        }
        let is_earlier = |path: &&String| below(&layout.earlier_workflows, path).is_some() && is_named_so(path);
        for path in list.paths.iter().filter(is_earlier) {
            let Some(text) = self.text_of(files, path).await else { continue };
            let id = documents.parse(path, &text).ok().and_then(|document| text_at(&document, "id"));
            if !self.workflows.iter().any(|known| Some(&known.id) == id.as_ref()) {
                self.add_workflow(documents, path, &text, Origin::Local);
            }
        }
        Ok(())
    }

    fn add_workflow(&mut self, documents: &dyn Documents, path: &str, text: &str, origin: Origin) {
        if let Some(workflow) = self.parse(documents, path, text, workflow::parse) {
            self.workflows.push(Arc::new(Workflow { origin, ..workflow }));
            return;
        }
        self.broken_workflows.push(BrokenFile::new(documents, path, text, origin));
    }

    async fn text_of(&mut self, files: &dyn RepositoryFiles, path: &str) -> Option<String> {
        match files.read(path).await {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot be read: {}", error.fault);
                self.problems.push(Problem::error(error.fault.code, path.to_owned(), message));
                None
            }
        }
    }

    /// Adds workflows of other roots.
    fn add_external(&mut self, documents: &dyn Documents, external: WorkflowFiles) {
        self.unobservable.extend(external.problems.iter().map(|problem| problem.subject.clone()));
        self.foreign.extend(self.unobservable.iter().cloned());
        self.problems.extend(external.problems);
        for WorkflowFile { source, origin, text } in external.files {
            let path = source.to_string();
            self.add_workflow(documents, &path, &text, origin);
            self.foreign.insert(path);
        }
    }

    fn parse<T>(
        &mut self,
        documents: &dyn Documents,
        path: &str,
        text: &str,
        parse: impl Fn(&Document) -> Parsed<T>,
    ) -> Option<T> {
        match documents.parse(path, text) {
            Ok(document) => {
                self.digests.insert(path.to_owned(), Digest::of(text.as_bytes()));
                let parsed = parse(&document);
                self.problems.extend(parsed.problems);
                parsed.value
            }
            Err(error) => {
                self.problems
                    .push(Problem::error(Code::MALFORMED_DOCUMENT, path.to_owned(), error.message).at(error.position));
                None
            }
        }
    }

    /// The definitions that can be used by their name.
    pub fn usable_definitions(&self) -> impl Iterator<Item = &Arc<Definition>> {
        let is_found = |known: &Definition| {
            definitions::find(&self.definitions, &known.name.value).is_ok_and(|found| found.file == known.file)
        };
        self.definitions.iter().filter(move |definition| is_found(definition.as_ref()))
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
        self.problems.iter().filter(|problem| self.unobservable.contains(&problem.subject))
    }

    /// Why files that lie beside workflows are none, by their names.
    #[must_use]
    pub const fn other_files(&self) -> &HashMap<String, Problem> {
        &self.other_files
    }

    /// The workflow that comes before this one, because its origin does and they share a name or an identifier.
    #[must_use]
    pub fn shadowing(&self, workflow: &Workflow) -> Option<&Arc<Workflow>> {
        first_before(&self.workflows, workflow)
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
