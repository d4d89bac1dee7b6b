//! Reading the definitions and workflows of a repository, again and again.

use std::sync::Arc;

use arc_swap::ArcSwap;
use mangrove_domain::{
    ports::{DefinitionText, Documents, FilesError, LastGoodWorkflow, RepositoryFiles},
    workflow::WorkflowFiles,
};

use super::{
    library::{Layout, Library},
    parts::{Files, Parts},
    read_file::{Folder, ReadFile},
    watched::Watched,
};

/// Reads the library of one repository and knows it again: of what has not changed, nothing is opened or parsed.
#[derive(Debug, Default)]
pub struct LibraryReader {
    layout: Layout,
    latest: ArcSwap<Latest>,
    watched: Watched,
}

/// What was read last; no library before that.
#[derive(Debug, Default)]
struct Latest {
    parts: Parts,
    library: Option<Arc<Library>>,
    /// The [edition](LibraryReader::edition) that it was read in.
    edition: Option<u64>,
}

impl LibraryReader {
    /// From now on [`changed`](Self::changed) is called after every change in the directories of definitions and workflows, or
    /// not. Nobody does so at first.
    pub fn watch(&self, is_complete: bool) {
        self.watched.set(is_complete);
    }

    /// Something has changed in the directories of definitions and workflows, or may have.
    pub fn changed(&self) {
        self.watched.changed();
    }

    /// Numbers what there is. It is another number after a change, and `None` where nobody tells of changes.
    #[must_use]
    pub fn edition(&self) -> Option<u64> {
        self.watched.edition()
    }

    /// What was read last, with these automatic definitions, if it is what [`read`](Self::read) would give for a run of this
    /// workflow: nobody has told of a change since, nothing has come or gone, and the files that the run goes by are as they
    /// were. All others are not looked at.
    pub async fn for_run(
        &self,
        files: &dyn RepositoryFiles,
        automatic: &[DefinitionText],
        workflow: &str,
    ) -> Option<Arc<Library>> {
        let latest = self.latest.load_full();
        if latest.edition.is_none() || latest.edition != self.edition() {
            return None;
        }
        let library = latest.library.as_ref()?;
        let reached = library.reached_files(workflow)?;
        let is_it = latest.parts.has_automatic(automatic) && latest.parts.has_still(files, &reached).await;
        is_it.then(|| Arc::clone(library))
    }

    /// The definitions and workflows as they are now, with workflows of other roots and automatic definitions. It is the
    /// very same as before if nothing of it has changed. `edition` was asked for before the first of them was looked at.
    ///
    /// # Errors
    /// [`FilesError`] if nothing can be listed. A directory that cannot be is a problem.
    pub async fn read(
        &self,
        from: Files<'_>,
        external: WorkflowFiles,
        automatic: Vec<DefinitionText>,
        edition: Option<u64>,
    ) -> Result<Arc<Library>, FilesError> {
        // Whoever reads at the same time goes by what is there, too: a stamp proves what was read, whoever read it.
        let before = self.latest.load_full();
        let parts = before.parts.read(from, &self.layout).await?;
        let parts = parts.with_external(from.documents, external, &before.parts);
        let parts = parts.with_automatic(from.documents, automatic, &before.parts);
        let same = before.library.clone().filter(|_| parts.is_same(&before.parts));
        let library = same.unwrap_or_else(|| Arc::new(Library::of(&parts, &self.layout)));
        self.latest.store(Arc::new(Latest { parts, library: Some(Arc::clone(&library)), edition }));
        Ok(library)
    }
}

impl Library {
    /// Reads all definitions and workflows of the repository once, and adds the workflows of other roots. A
    /// file that cannot be read is a problem of that file alone.
    ///
    /// # Errors
    /// As [`LibraryReader::read`].
    pub async fn load(from: Files<'_>, layout: &Layout, external: WorkflowFiles) -> Result<Self, FilesError> {
        let nothing = Parts::default();
        let parts = nothing.read(from, layout).await?.with_external(from.documents, external, &nothing);
        Ok(Self::of(&parts, layout))
    }

    /// A library of workflows with these texts and nothing else.
    #[must_use]
    pub fn of_workflows(documents: &dyn Documents, workflows: &[LastGoodWorkflow]) -> Self {
        let read = |LastGoodWorkflow { file, origin, text }: &LastGoodWorkflow| {
            Arc::new(ReadFile::workflow(documents, file, text, *origin, Folder::Workflows))
        };
        let parts = Parts { external: workflows.iter().map(read).collect(), ..Parts::default() };
        Self::of(&parts, &Layout::default())
    }

    /// Reads the definitions alone, with automatic ones.
    ///
    /// # Errors
    /// As [`LibraryReader::read`].
    pub async fn load_only_definitions(
        from: Files<'_>,
        layout: &Layout,
        automatic: Vec<DefinitionText>,
    ) -> Result<Self, FilesError> {
        let nothing = Parts::default();
        let definitions = nothing.read_definitions(from, layout).await?;
        let parts = Parts { definitions, ..Parts::default() };
        Ok(Self::of(&parts.with_automatic(from.documents, automatic, &nothing), layout))
    }
}
