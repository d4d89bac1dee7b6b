//! The definitions and workflows of a repository.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use mangrove_domain::{
    advice::UserAction,
    definition::{self, Definition, Place},
    digest::Digest,
    document::Document,
    form::{Located, Parsed},
    nearest,
    ports::{DefinitionText, Documents, FilesError, RepositoryFiles},
    problem::{Code, Problem, Severity},
    source::Origin,
    type_name::TypeName,
    workflow::{self, Target, Task, Workflow, WorkflowFile, WorkflowFiles},
};

use super::definitions;

const ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// Where a repository keeps them, relative to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Definitions, in folders named like their type or not.
    pub definitions: String,
    /// Where definitions lie besides, in the order of their precedence.
    pub further_definitions: Vec<(String, Place)>,
    /// Workflows.
    pub workflows: Vec<String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            definitions: "models".to_owned(),
            further_definitions: vec![
                (".swamp/definitions".to_owned(), Place::Older),
                (".swamp/auto-definitions".to_owned(), Place::AutomaticBefore),
            ],
            workflows: vec!["workflows".to_owned(), "extensions/workflows".to_owned()],
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
    /// What is wrong, in the order of files and lines.
    pub problems: Vec<Problem>,
    digests: HashMap<String, Digest>,
    /// Where its definitions lie.
    definition_directories: Vec<String>,
    /// The files of other roots, and what is wrong with these: nothing that is corrected in this repository.
    foreign: HashSet<String>,
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
        let directories: Vec<&str> = layout.workflows.iter().map(String::as_str).collect();
        let list = files.list(&directories, &ENDINGS).await?;
        library.problems.extend(list.problems);
        for path in list.paths {
            if let Some(workflow) = library.read(files, documents, &path, workflow::parse).await {
                library.workflows.push(Arc::new(workflow));
            }
        }
        library.add_external(documents, external);
        let twins: Vec<Problem> = shared(&library.workflows).collect();
        library.problems.extend(twins);
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
            let parse = |document: &Document| definition::parse(document, path_type.as_deref());
            if let Some(definition) = self.read(files, documents, &path, parse).await {
                self.definitions.push(Arc::new(Definition { place, ..definition }));
            }
        }
        self.definition_directories = directories.into_iter().map(str::to_owned).collect();
        Ok(())
    }

    /// Adds definitions that were made for steps and commands.
    pub fn add_automatic(&mut self, documents: &dyn Documents, texts: Vec<DefinitionText>) {
        for DefinitionText { file, text } in texts {
            let parse = |document: &Document| definition::parse(document, None);
            if let Some(definition) = self.parse(documents, &file, &text, parse) {
                self.definitions.push(Arc::new(Definition { place: Place::Automatic, ..definition }));
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

    async fn read<T>(
        &mut self,
        files: &dyn RepositoryFiles,
        documents: &dyn Documents,
        path: &str,
        parse: impl Fn(&Document) -> Parsed<T>,
    ) -> Option<T> {
        let text = match files.read(path).await {
            Ok(text) => text?,
            Err(error) => {
                self.problems.push(Problem::error(
                    error.fault.code,
                    path.to_owned(),
                    format!("cannot be read: {}", error.fault),
                ));
                return None;
            }
        };
        self.parse(documents, path, &text, parse)
    }

    /// Adds workflows of other roots.
    fn add_external(&mut self, documents: &dyn Documents, external: WorkflowFiles) {
        self.unobservable.extend(external.problems.iter().map(|problem| problem.subject.clone()));
        self.foreign.extend(self.unobservable.iter().cloned());
        self.problems.extend(external.problems);
        for WorkflowFile { source, origin, text } in external.files {
            let path = source.to_string();
            if let Some(workflow) = self.parse(documents, &path, &text, workflow::parse) {
                self.workflows.push(Arc::new(Workflow { origin, ..workflow }));
            }
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

    /// The definition of this name, else of this identifier.
    ///
    /// # Errors
    /// The [`Problem`] that there is none, or that two files share its name or identifier.
    pub fn definition(&self, name: &str) -> Result<&Arc<Definition>, Problem> {
        definitions::find(&self.definitions, name).map_err(|problem| with_broken(problem, self.broken(false)))
    }

    /// The workflow of this name, else of this identifier.
    ///
    /// # Errors
    /// The [`Problem`] that there is none, or that two files share its name or identifier.
    pub fn workflow(&self, name: &str) -> Result<&Arc<Workflow>, Problem> {
        find(&self.workflows, name).map_err(|problem| with_broken(problem, self.broken(true)))
    }

    /// A file that cannot be used, of this repository before those of others, and what says why.
    fn broken(&self, is_elsewhere_too: bool) -> Option<(&Problem, UserAction)> {
        let is_broken = |known: &&Problem| {
            known.severity == Severity::Error && known.code != Code::AMBIGUOUS_NAME && !self.is_of_trigger(known)
        };
        let own = self.own_problems().find(is_broken).map(|broken| (broken, UserAction::ValidateWorkflows));
        let elsewhere = || self.problems.iter().find(is_broken).filter(|_| is_elsewhere_too);
        own.or_else(|| Some((elsewhere()?, UserAction::ListWorkflows)))
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

    /// What may be the reason that a name is not known: files that cannot be used, roots that cannot be looked into.
    pub fn hiding_problems(&self) -> impl Iterator<Item = &Problem> {
        let hides = |problem: &Problem| {
            let is_error = problem.severity == Severity::Error && !self.is_of_trigger(problem);
            is_error || self.unobservable.contains(&problem.subject)
        };
        self.problems.iter().filter(move |problem| hides(problem))
    }

    /// True for what is wrong with the trigger of a workflow, which can be run all the same.
    fn is_of_trigger(&self, problem: &Problem) -> bool {
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
                Task::Workflow { .. } => None,
            })
            .collect()
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

/// A name that nothing has may stand in a file that cannot be used: the advice says so.
fn with_broken(mut problem: Problem, broken: Option<(&Problem, UserAction)>) -> Problem {
    if let Some((broken, list)) = broken.filter(|_| problem.code == Code::UNKNOWN_NAME) {
        let place = format!("it may be in {}, which cannot be used: see ", broken.subject);
        let advice = match problem.advice.take() {
            Some(advice) => advice.and("; ").and(place),
            None => place.into(),
        };
        problem.advice = Some(advice.and(list));
    }
    problem
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let hint = nearest::hint(name, known.clone()).or_else(|| {
        let first: Vec<&str> = known.take(10).collect();
        let list = format!("known {what}s: {}", first.join(", "));
        Some(if first.is_empty() { format!("the repository has no {what}s") } else { list })
    });
    Problem::error(Code::UNKNOWN_NAME, name.to_owned(), format!("unknown {what} `{name}`")).advise_if(hint)
}

/// What has a name and an identifier of its own.
trait Named {
    /// What people call such a thing.
    const WHAT: &'static str;
    fn file(&self) -> &str;
    fn id(&self) -> &str;
    fn name(&self) -> &Located<String>;
    fn origin(&self) -> Origin;
}

impl Named for Workflow {
    const WHAT: &'static str = "workflow";

    fn file(&self) -> &str {
        &self.file
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &Located<String> {
        &self.name
    }

    fn origin(&self) -> Origin {
        self.origin
    }
}

fn find<'a, T: Named>(all: &'a [Arc<T>], name: &str) -> Result<&'a Arc<T>, Problem> {
    // The first in the order of their origins.
    let by_name = all.iter().filter(|known| known.name().value == name).min_by_key(|known| known.origin());
    let by_id = || all.iter().filter(|known| known.id() == name).min_by_key(|known| known.origin());
    let Some(found) = by_name.or_else(by_id) else {
        return Err(unknown(T::WHAT, name, all.iter().map(|known| known.name().value.as_str())));
    };
    match shadowed(all, found).or_else(|| ambiguous(all, found)) {
        None => Ok(found),
        Some((message, hint)) => Err(Problem::error(Code::AMBIGUOUS_NAME, name.to_owned(), message).advise(hint)),
    }
}

/// A name or an identifier, with the origin of who has it.
type Word<'a> = (Origin, &'a str);

/// The names and identifiers that more than one of an origin has.
fn repeated<T: Named>(all: &[Arc<T>]) -> (HashSet<Word<'_>>, HashSet<Word<'_>>) {
    let (mut names, mut ids) = (HashSet::new(), HashSet::new());
    let (mut seen_names, mut seen_ids) = (HashSet::new(), HashSet::new());
    for one in all {
        let (name, id) = ((one.origin(), one.name().value.as_str()), (one.origin(), one.id()));
        if !seen_names.insert(name) {
            names.insert(name);
        }
        if !seen_ids.insert(id) {
            ids.insert(id);
        }
    }
    (names, ids)
}

fn is_in<T: Named>((names, ids): &(HashSet<Word<'_>>, HashSet<Word<'_>>), one: &T) -> bool {
    names.contains(&(one.origin(), one.name().value.as_str())) || ids.contains(&(one.origin(), one.id()))
}

fn is_same<T: Named>(one: &T, other: &T) -> bool {
    one.name().value == other.name().value || one.id() == other.id()
}

/// The others of an origin with the name or the identifier of one.
fn twins<'a, T: Named>(all: &'a [Arc<T>], one: &'a Arc<T>) -> impl Iterator<Item = &'a Arc<T>> {
    let same = |known: &T| known.origin() == one.origin() && is_same(known, one.as_ref());
    all.iter().filter(move |known| !Arc::ptr_eq(known, one) && same(known))
}

/// The first one whose origin comes before that of this one, and that has its name or its identifier.
fn first_before<'a, T: Named>(all: &'a [Arc<T>], one: &T) -> Option<&'a Arc<T>> {
    let before = all.iter().filter(|known| known.origin() < one.origin() && is_same(known.as_ref(), one));
    before.min_by_key(|known| known.origin())
}

/// The sentence that another one comes before this one, and what to do; `None` if none does.
fn shadowed<T: Named>(all: &[Arc<T>], one: &Arc<T>) -> Option<(String, String)> {
    let winner = first_before(all, one.as_ref())?;
    let (what, field) = if winner.name().value == one.name().value { ("name", "name") } else { ("identifier", "id") };
    let (file, other, name) = (one.file(), winner.file(), &winner.name().value);
    let message = format!("{file} shares its {what} with `{name}` in {other}, which takes precedence");
    Some((message, format!("use `{name}`, or give one of the two another `{field}`")))
}

/// The sentence that one shares its name or identifier with others, and what to do; `None` if it does not.
fn ambiguous<T: Named>(all: &[Arc<T>], one: &Arc<T>) -> Option<(String, String)> {
    let others: Vec<&Arc<T>> = twins(all, one).collect();
    let has_name = others.iter().any(|other| other.name().value == one.name().value);
    let (name, id) = (format!("the name `{}`", one.name().value), format!("the identifier `{}`", one.id()));
    let has_id = others.iter().any(|other| other.id() == one.id());
    let (what, verb, field) = match (has_name, has_id) {
        (false, false) => return None,
        (true, false) => (name, "belongs", "name"),
        (false, true) => (id, "belongs", "id"),
        (true, true) => (format!("{name} and {id}"), "belong", "name and id"),
    };
    let mut files: Vec<&str> = others.iter().map(|other| other.file()).chain([one.file()]).collect();
    files.sort_unstable();
    let (last, first) = files.split_last()?;
    let message = format!("{what} {verb} to {} and {last}: neither can be used", first.join(", "));
    Some((message, format!("give one of them another `{}`", field.replace(" and ", "` and `"))))
}

/// A problem for each that shares its name or identifier.
fn shared<T: Named>(all: &[Arc<T>]) -> impl Iterator<Item = Problem> {
    let repeated = repeated(all);
    all.iter().filter(move |one| is_in(&repeated, one.as_ref())).filter_map(|one| {
        let (message, hint) = ambiguous(all, one)?;
        Some(
            Problem::error(Code::AMBIGUOUS_NAME, one.file().to_owned(), message)
                .at(one.name().position(one.file()))
                .advise(hint),
        )
    })
}
