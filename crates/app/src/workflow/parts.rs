//! The files that a library is made of: those of the repository, of other roots, and those that the program wrote.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use mangrove_domain::{
    definition::{Definition, Place},
    digest::Digest,
    ports::{DefinitionText, Documents, FileList, FileReading, FilesError, RepositoryFiles},
    source::Origin,
    workflow::{Workflow, WorkflowFile, WorkflowFiles},
};

use super::{
    files::is_named_so,
    library::Layout,
    outside::Outside,
    part::{Part, Request},
    read_file::{Folder, ReadFile},
};

/// Where files come from.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// Those of the repository.
    pub files: &'a dyn RepositoryFiles,
    /// Parses them.
    pub documents: &'a dyn Documents,
}

/// Everything that a library is made of.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) definitions: Part<Definition>,
    pub(super) workflows: Part<Workflow>,
    /// Workflows of other roots.
    pub(super) external: Vec<Arc<ReadFile<Workflow>>>,
    /// What is known of their roots.
    pub(super) outside: Outside,
    /// Definitions that were made for steps and commands.
    pub(super) automatic: Vec<Arc<ReadFile<Definition>>>,
}

impl Parts {
    pub(super) async fn read(&self, from: Files<'_>, layout: &Layout) -> Result<Self, FilesError> {
        let definitions = self.read_definitions(from, layout).await?;
        let workflows = self.read_workflows(from, layout).await?;
        Ok(Self { definitions, workflows, ..Self::default() })
    }

    pub(super) async fn read_definitions(
        &self,
        from: Files<'_>,
        layout: &Layout,
    ) -> Result<Part<Definition>, FilesError> {
        let places = layout.definition_places();
        let directories: Vec<&str> = places.iter().map(|(directory, _)| *directory).collect();
        let parse = |path: &str, text: &str| {
            let found = places.iter().find_map(|(directory, place)| Some((below(directory, path)?, *place)));
            let (below, place) = found.unwrap_or((path, Place::Written));
            let path_type = below.rsplit_once('/').map(|(folder, _)| folder);
            ReadFile::definition(from.documents, path, text, place, path_type)
        };
        let choose = |list: &FileList| list.paths.clone();
        let request = Request { files: from.files, directories: &directories, choose: &choose, parse: &parse };
        self.definitions.read(request).await
    }

    async fn read_workflows(&self, from: Files<'_>, layout: &Layout) -> Result<Part<Workflow>, FilesError> {
        let directories = [layout.workflows.as_str(), &layout.further_workflows, &layout.earlier_workflows];
        // What lies deeper is data, whether it can be read or not.
        let is_flat = |path: &str| below(&layout.workflows, path).is_some_and(|below| !below.contains('/'));
        let choose = |list: &FileList| {
            let of = |counts: &dyn Fn(&str) -> bool| -> Vec<String> {
                list.paths.iter().filter(|path| counts(path)).cloned().collect()
            };
            let further = |path: &str| below(&layout.further_workflows, path).is_some();
            let earlier = |path: &str| layout.is_earlier(path) && is_named_so(path);
            [of(&is_flat), of(&further), of(&earlier)].concat()
        };
        let parse = |path: &str, text: &str| {
            let folder = if is_flat(path) { Folder::Mixed } else { Folder::Workflows };
            ReadFile::workflow(from.documents, path, text, Origin::Local, folder)
        };
        let request = Request { files: from.files, directories: &directories, choose: &choose, parse: &parse };
        self.workflows.read(request).await
    }

    /// True if no file has come or gone in the directories of the repository, and these files in them are as they were.
    pub(super) async fn has_still(&self, files: &dyn RepositoryFiles, paths: &BTreeSet<&str>) -> bool {
        let known = [self.definitions.known(paths), self.workflows.known(paths)].concat();
        if known.len() != paths.len() {
            return false;
        }
        let is_unchanged = |reading: &FileReading| matches!(reading, FileReading::Unchanged);
        files.is_listed_so(&self.definitions.list).await
            && files.is_listed_so(&self.workflows.list).await
            && files.read_changed(known).await.iter().all(is_unchanged)
    }

    /// True if these are its automatic definitions.
    pub(super) fn has_automatic(&self, automatic: &[DefinitionText]) -> bool {
        self.automatic.len() == automatic.len()
            && self.automatic.iter().zip(automatic).all(|(known, now)| is_of(known, &now.file, &now.text))
    }

    pub(super) fn with_external(mut self, documents: &dyn Documents, external: WorkflowFiles, before: &Self) -> Self {
        self.outside =
            Outside { roots: external.roots, patterns: external.mount_patterns, problems: external.problems };
        let known = Known::of(&before.external);
        let read = |WorkflowFile { source, origin, text }| {
            let file = source.to_string();
            let is_same = |content: Origin| content == origin;
            let read = known.get(&file, &text).filter(|read| read.origin().is_none_or(is_same));
            read.unwrap_or_else(|| Arc::new(ReadFile::workflow(documents, &file, &text, origin, Folder::Workflows)))
        };
        self.external = external.files.into_iter().map(read).collect();
        self
    }

    pub(super) fn with_automatic(
        mut self,
        documents: &dyn Documents,
        automatic: Vec<DefinitionText>,
        before: &Self,
    ) -> Self {
        let known = Known::of(&before.automatic);
        let read = |DefinitionText { file, text }| {
            let parse = || ReadFile::definition(documents, &file, &text, Place::Automatic, None);
            known.get(&file, &text).unwrap_or_else(|| Arc::new(parse()))
        };
        self.automatic = automatic.into_iter().map(read).collect();
        self
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.definitions.is_same(&other.definitions)
            && self.workflows.is_same(&other.workflows)
            && self.outside == other.outside
            && is_same(&self.external, &other.external)
            && is_same(&self.automatic, &other.automatic)
    }
}

/// What was read before, by its files.
struct Known<'a, T>(HashMap<&'a str, &'a Arc<ReadFile<T>>>);

impl<'a, T> Known<'a, T> {
    fn of(before: &'a [Arc<ReadFile<T>>]) -> Self {
        Self(before.iter().map(|read| (read.file.as_str(), read)).collect())
    }

    /// What was read of a file that had this text before.
    fn get(&self, file: &str, text: &str) -> Option<Arc<ReadFile<T>>> {
        self.0.get(file).filter(|read| is_of(read, file, text)).map(|read| Arc::clone(read))
    }
}

/// True if this was read of that file with this text.
fn is_of<T>(read: &ReadFile<T>, file: &str, text: &str) -> bool {
    read.file == file && read.digest == Digest::of(text.as_bytes())
}

fn is_same<T>(some: &[Arc<ReadFile<T>>], others: &[Arc<ReadFile<T>>]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| Arc::ptr_eq(one, other))
}

fn below<'a>(directory: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(directory)?.strip_prefix('/')
}
