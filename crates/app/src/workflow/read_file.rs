//! What the text of one definition or workflow says, whatever other files say.

use std::sync::Arc;

use mangrove_domain::{
    definition::{self, Definition, Place},
    digest::Digest,
    document::Document,
    form::Parsed,
    ports::Documents,
    problem::{Code, Problem},
    source::Origin,
    workflow::{self, Workflow},
};

use super::files::{BrokenFile, is_named_so, no_workflow};

/// A file that was read.
#[derive(Debug)]
pub(super) struct ReadFile<T> {
    /// The file, as people name it.
    pub(super) file: String,
    /// Of its text.
    pub(super) digest: Digest,
    /// What is wrong with it, in the order of its lines.
    pub(super) problems: Vec<Problem>,
    pub(super) content: Content<T>,
    /// Its text if it is a workflow that runs by itself and is in order.
    pub(super) text: Option<Arc<str>>,
}

/// What is in it.
#[derive(Debug)]
pub(super) enum Content<T> {
    Usable(Arc<T>),
    Broken(BrokenFile),
    /// Something else, and why.
    Other(Problem),
}

/// Where a workflow lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// Beside data that is no workflow.
    Mixed,
    /// Among workflows only.
    Workflows,
}

impl ReadFile<Definition> {
    pub(super) fn definition(
        documents: &dyn Documents,
        file: &str,
        text: &str,
        place: Place,
        path_type: Option<&str>,
    ) -> Self {
        let parse = |document: &Document| {
            let parsed = definition::parse(document, path_type);
            Parsed { value: parsed.value.map(|value| Definition { place, ..value }), problems: parsed.problems }
        };
        Self::parsed(documents, file, text, Origin::Local, parse)
    }
}

impl ReadFile<Workflow> {
    pub(super) fn workflow(documents: &dyn Documents, file: &str, text: &str, origin: Origin, folder: Folder) -> Self {
        let is_sure = folder == Folder::Workflows || is_named_so(file);
        if let Some(reason) = (!is_sure).then(|| no_workflow(documents, file, text)).flatten() {
            let (digest, content) = (Digest::of(text.as_bytes()), Content::Other(reason));
            return Self { file: file.to_owned(), digest, problems: Vec::new(), content, text: None };
        }
        let parse = |document: &Document| {
            let parsed = workflow::parse(document);
            Parsed { value: parsed.value.map(|value| Workflow { origin, ..value }), problems: parsed.problems }
        };
        let read = Self::parsed(documents, file, text, origin, parse);
        let runs_by_itself = |workflow: &Workflow| workflow.trigger.is_some() && !workflow.is_trigger_broken;
        let is_kept = matches!(&read.content, Content::Usable(workflow) if runs_by_itself(workflow));
        Self { text: is_kept.then(|| text.into()), ..read }
    }

    /// Where its root comes from; `None` for what is no workflow.
    pub(super) fn origin(&self) -> Option<Origin> {
        match &self.content {
            Content::Usable(workflow) => Some(workflow.origin),
            Content::Broken(broken) => Some(broken.origin),
            Content::Other(_) => None,
        }
    }

    /// What it says that its identifier is; `None` also if it is no document at all.
    pub(super) fn id(&self) -> Option<&str> {
        match &self.content {
            Content::Usable(workflow) => Some(&workflow.id),
            Content::Broken(broken) if !self.problems.iter().any(|known| known.code == Code::MALFORMED_DOCUMENT) => {
                broken.id.as_deref()
            }
            Content::Broken(_) | Content::Other(_) => None,
        }
    }
}

impl<T> ReadFile<T> {
    fn parsed(
        documents: &dyn Documents,
        file: &str,
        text: &str,
        origin: Origin,
        parse: impl Fn(&Document) -> Parsed<T>,
    ) -> Self {
        let parsed = match documents.parse(file, text) {
            Ok(document) => parse(&document),
            Err(error) => {
                let problem = Problem::error(Code::MALFORMED_DOCUMENT, file, error.message).at(error.position);
                Parsed { value: None, problems: vec![problem] }
            }
        };
        let content = match parsed.value {
            Some(value) => Content::Usable(Arc::new(value)),
            None => Content::Broken(BrokenFile::new(documents, file, text, origin)),
        };
        let (digest, problems) = (Digest::of(text.as_bytes()), parsed.problems);
        Self { file: file.to_owned(), digest, problems, content, text: None }
    }
}
