//! Which files are workflows, and what those say of themselves that cannot be used.

use mangrove_domain::{
    document::Document,
    form::scalar_text,
    ports::Documents,
    problem::{Code, Problem},
};

/// How the names of files begin that are workflows whatever is in them.
const NAME_OF_WORKFLOWS: &str = "workflow-";

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
pub(super) fn line_of(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}
