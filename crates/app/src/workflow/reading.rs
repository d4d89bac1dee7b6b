//! Reading the definitions and workflows of a repository, again and again.

use std::sync::Arc;

use arc_swap::ArcSwap;
use mangrove_domain::{
    ports::{DefinitionText, Documents, FilesError, LastGoodWorkflow},
    workflow::WorkflowFiles,
};

use super::{
    library::{Layout, Library},
    parts::{Files, Parts},
    read_file::{Folder, ReadFile},
};

/// Reads the library of one repository and knows it again: of what has not changed, nothing is opened or parsed.
#[derive(Debug, Default)]
pub struct LibraryReader {
    layout: Layout,
    latest: ArcSwap<Latest>,
}

/// What was read last; no library before that.
#[derive(Debug, Default)]
struct Latest {
    parts: Parts,
    library: Option<Arc<Library>>,
}

impl LibraryReader {
    /// The definitions and workflows as they are now, with workflows of other roots and automatic definitions. It is the
    /// very same as before if nothing of it has changed.
    ///
    /// # Errors
    /// [`FilesError`] if nothing can be listed. A directory that cannot be is a problem.
    pub async fn read(
        &self,
        from: Files<'_>,
        external: WorkflowFiles,
        automatic: Vec<DefinitionText>,
    ) -> Result<Arc<Library>, FilesError> {
        // Whoever reads at the same time goes by what is there, too: a stamp proves what was read, whoever read it.
        let before = self.latest.load_full();
        let parts = before.parts.read(from, &self.layout).await?;
        let parts = parts.with_external(from.documents, external, &before.parts);
        let parts = parts.with_automatic(from.documents, automatic, &before.parts);
        let same = before.library.clone().filter(|_| parts.is_same(&before.parts));
        let library = same.unwrap_or_else(|| Arc::new(Library::of(&parts, &self.layout)));
        self.latest.store(Arc::new(Latest { parts, library: Some(Arc::clone(&library)) }));
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
