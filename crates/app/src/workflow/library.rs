//! The definitions and workflows of a repository.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use mangrove_domain::{
    definition::{self, Definition},
    digest::Digest,
    form::Parsed,
    nearest,
    ports::{Document, Documents, FilesError, RepositoryFiles},
    problem::{Code, Problem, Severity},
    type_name::TypeName,
    workflow::{self, Target, Task, Workflow},
};

const ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// Where a repository keeps them, relative to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Definitions, in folders named like their type.
    pub definitions: String,
    /// Workflows; the first one wins if two have one name.
    pub workflows: Vec<String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            definitions: "models".to_owned(),
            workflows: vec!["workflows".to_owned(), "extensions/workflows".to_owned()],
        }
    }
}

/// Everything that could be read, and what could not.
#[derive(Debug, Default)]
pub struct Library {
    /// The definitions in the order of their files.
    pub definitions: Vec<Arc<Definition>>,
    /// The workflows in the order of their files.
    pub workflows: Vec<Arc<Workflow>>,
    /// What is wrong, in the order of files and lines.
    pub problems: Vec<Problem>,
    digests: HashMap<String, Digest>,
}

impl Library {
    /// Reads all definitions and workflows. A file that cannot be read is a problem of that file alone.
    ///
    /// # Errors
    /// [`FilesError`] if a directory cannot be listed.
    pub async fn load(
        files: &dyn RepositoryFiles,
        documents: &dyn Documents,
        layout: &Layout,
    ) -> Result<Self, FilesError> {
        let mut library = Self::default();
        for path in files.list(&layout.definitions, true, &ENDINGS).await? {
            let below = path.strip_prefix(layout.definitions.as_str()).unwrap_or(&path).trim_start_matches('/');
            let path_type = below.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let parse = |document: &Document| definition::parse(document, path_type.as_deref());
            if let Some(definition) = library.read(files, documents, &path, parse).await {
                library.add_definition(definition);
            }
        }
        for directory in &layout.workflows {
            for path in files.list(directory, true, &ENDINGS).await? {
                if let Some(workflow) = library.read(files, documents, &path, workflow::parse).await {
                    library.add_workflow(workflow);
                }
            }
        }
        Ok(library)
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
                self.problems.push(Problem {
                    code: error.fault.code,
                    severity: Severity::Error,
                    subject: path.to_owned(),
                    position: None,
                    message: error.to_string(),
                    hint: None,
                });
                return None;
            }
        };
        match documents.parse(path, &text) {
            Ok(document) => {
                self.digests.insert(path.to_owned(), Digest::of(text.as_bytes()));
                let parsed = parse(&document);
                self.problems.extend(parsed.problems);
                parsed.value
            }
            Err(error) => {
                self.problems.push(Problem {
                    code: Code::MALFORMED_DOCUMENT,
                    severity: Severity::Error,
                    subject: path.to_owned(),
                    position: Some(error.position),
                    message: error.message,
                    hint: None,
                });
                None
            }
        }
    }

    fn add_definition(&mut self, definition: Definition) {
        let same = |known: &&Arc<Definition>| known.name.value == definition.name.value || known.id == definition.id;
        if let Some(first) = self.definitions.iter().find(same) {
            let what =
                if first.id == definition.id { ("identifier", &definition.id) } else { ("name", &first.name.value) };
            let problem = taken("definition", what, &first.file, &definition.file, &definition.name);
            self.problems.push(problem);
        } else {
            self.definitions.push(Arc::new(definition));
        }
    }

    fn add_workflow(&mut self, workflow: Workflow) {
        let same = |known: &&Arc<Workflow>| known.name.value == workflow.name.value || known.id == workflow.id;
        if let Some(first) = self.workflows.iter().find(same) {
            let what = if first.id == workflow.id { ("identifier", &workflow.id) } else { ("name", &first.name.value) };
            let problem = taken("workflow", what, &first.file, &workflow.file, &workflow.name);
            self.problems.push(problem);
        } else {
            self.workflows.push(Arc::new(workflow));
        }
    }

    /// The definition of this name or identifier.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<&Arc<Definition>> {
        let by_name = self.definitions.iter().find(|definition| definition.name.value == name);
        by_name.or_else(|| self.definitions.iter().find(|definition| definition.id == name))
    }

    /// The workflow of this name or identifier.
    #[must_use]
    pub fn workflow(&self, name: &str) -> Option<&Arc<Workflow>> {
        let by_name = self.workflows.iter().find(|workflow| workflow.name.value == name);
        by_name.or_else(|| self.workflows.iter().find(|workflow| workflow.id == name))
    }

    /// Every model type that a definition names, or a step without an expression in it.
    #[must_use]
    pub fn types(&self) -> BTreeSet<TypeName> {
        let steps = self.workflows.iter().flat_map(|workflow| &workflow.jobs).flat_map(|job| &job.steps);
        let instances = steps.filter_map(|step| match &step.task {
            Task::ModelMethod { target: Target::Instance { type_name, .. }, .. } => {
                TypeName::model(&type_name.value).ok()
            }
            Task::ModelMethod { target: Target::Definition(_), .. } | Task::Workflow { .. } => None,
        });
        let definitions = self.definitions.iter().map(|definition| definition.type_name.value.clone());
        definitions.chain(instances).collect()
    }

    /// The digest of a file's bytes, of definitions and workflows that were read.
    #[must_use]
    pub fn digest(&self, file: &str) -> Option<Digest> {
        self.digests.get(file).copied()
    }

    /// The problem that there is no definition of this name.
    #[must_use]
    pub fn unknown_definition(&self, name: &str) -> Problem {
        unknown("definition", name, self.definitions.iter().map(|known| known.name.value.as_str()))
    }

    /// The problem that there is no workflow of this name.
    #[must_use]
    pub fn unknown_workflow(&self, name: &str) -> Problem {
        unknown("workflow", name, self.workflows.iter().map(|known| known.name.value.as_str()))
    }

    /// The problems of one file.
    pub fn problems_of<'a>(&'a self, file: &'a str) -> impl Iterator<Item = &'a Problem> {
        self.problems.iter().filter(move |problem| problem.subject == file)
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let hint = nearest::hint(name, known.clone()).or_else(|| {
        let first: Vec<&str> = known.take(10).collect();
        let list = if first.is_empty() { "none".to_owned() } else { first.join(", ") };
        Some(format!("there are: {list}"))
    });
    Problem {
        code: Code::UNKNOWN_NAME,
        severity: Severity::Error,
        subject: name.to_owned(),
        position: None,
        message: format!("there is no {what} `{name}`"),
        hint,
    }
}

fn taken(
    what: &str,
    (field, value): (&str, &String),
    first: &str,
    file: &str,
    at: &mangrove_domain::form::Located<String>,
) -> Problem {
    Problem {
        code: Code::INVALID_DOCUMENT,
        severity: Severity::Error,
        subject: file.to_owned(),
        position: Some(at.position(file)),
        message: format!("the {field} `{value}` belongs to the {what} in {first} already; this file is left out"),
        hint: Some(format!("give one of the two another {field}")),
    }
}
