//! Which files are workflows, and what those say of themselves that cannot be used.

use mangrove_domain::{
    document::Document,
    form::scalar_text,
    ports::Documents,
    problem::{Code, Problem},
    source::Origin,
};

/// How the names of files begin that are workflows whatever is in them.
const NAME_OF_WORKFLOWS: &str = "workflow-";

/// The file of a workflow or a definition that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenFile {
    /// The file, as people name it.
    pub file: String,
    /// Where its root comes from.
    pub origin: Origin,
    /// What it says that its name is.
    pub name: Option<String>,
    /// What it says that its identifier is.
    pub id: Option<String>,
}

impl BrokenFile {
    /// What a text says of itself, whether it can be parsed or not.
    pub(super) fn new(documents: &dyn Documents, path: &str, text: &str, origin: Origin) -> Self {
        let document = documents.parse(path, text).ok();
        let said = |key: &str| match &document {
            Some(document) => text_at(document, key),
            None => line_of(text, key),
        };
        Self { file: path.to_owned(), origin, name: said("name"), id: said("id") }
    }

    /// The one that says that this is its name, else its identifier.
    pub(super) fn find<'a>(all: &'a [Self], name: &str) -> Option<&'a Self> {
        let by_name = all.iter().find(|broken| broken.name.as_deref() == Some(name));
        by_name.or_else(|| all.iter().find(|broken| broken.id.as_deref() == Some(name)))
    }
}

/// True for the files whose names say that they are workflows.
pub(super) fn is_named_so(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with(NAME_OF_WORKFLOWS)
}

/// Why a text is no workflow; `None` if it has jobs, or would have if it could be read.
pub(super) fn no_workflow(documents: &dyn Documents, path: &str, text: &str) -> Option<Problem> {
    match documents.parse(path, text) {
        Ok(document) if document.root.get("jobs").is_some() => None,
        Ok(_) => Some(Problem::error(Code::INVALID_DOCUMENT, path, "it has no `jobs`, so it is no workflow")),
        Err(_) if text.lines().any(|line| line.starts_with("jobs:")) => None,
        Err(error) => Some(Problem::error(Code::MALFORMED_DOCUMENT, path, error.message).at(error.position)),
    }
}

pub(super) fn text_at(document: &Document, key: &str) -> Option<String> {
    document.root.get(key).and_then(scalar_text)
}

/// What a line of a text that cannot be read says of a key.
fn line_of(text: &str, key: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    // Which of two is meant is not clear.
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let value = value.trim().trim_matches(['"', '\'']);
    // More than a plain text takes a parser.
    (!value.is_empty() && !value.starts_with(['&', '*', '!', '|', '>', '[', '{'])).then(|| value.to_owned())
}
