//! From the bundler's typed diagnostics to faults. Class and code come from the kind of event, never from text.

use std::path::Path;

use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::BuildFailure,
    position::Position,
    problem::Code,
};
use rolldown_error::{BatchedBuildDiagnostic, DiagnosticOptions, EventKind, Severity};

/// One error with its rendering for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) fault: Fault,
    pub(super) rendered: String,
}

/// The errors of a batch, in an order that does not depend on threads.
///
/// `directory` is what file names are relative to; `source` gives the text of a file by its relative name.
pub(super) fn findings(
    batch: BatchedBuildDiagnostic,
    directory: &Path,
    source: &dyn Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let options = DiagnosticOptions { cwd: directory.to_owned() };
    let mut findings: Vec<Finding> = batch
        .into_vec()
        .into_iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .map(|diagnostic| {
            let (class, code) = classify(diagnostic.kind());
            let full = diagnostic.to_diagnostic_with(&options);
            let message = first_line(&diagnostic.to_message_with(&options));
            let rendered = full.convert_to_string(false).trim_end().to_owned();
            let message = if message.is_empty() { first_line(&rendered) } else { message };
            let position = full.get_primary_location().and_then(|(file, line, column, _)| {
                let column = characters(&source(&file)?, line, column);
                Some(Position { file, line: u32::try_from(line).ok()?, column })
            });
            let cause = position.as_ref().map_or_else(
                || diagnostic.id().map_or_else(|| "bundler".to_owned(), |id| format!("source:{id}")),
                |position| format!("source:{}", position.file),
            );
            let fault = Fault::new(class, code, cause, message);
            Finding { fault: if let Some(position) = position { fault.at(position) } else { fault }, rendered }
        })
        .collect();
    sort(&mut findings);
    findings
}

/// Sorts by place, then by text.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by_cached_key(|finding| {
        let place = finding.fault.position.as_ref().map(|at| (at.file.clone(), at.line, at.column));
        (place.is_none(), place, finding.rendered.clone())
    });
}

/// The failure of a build with these findings.
pub(super) fn failure(findings: Vec<Finding>) -> BuildFailure {
    let first = findings.first().map(|finding| finding.fault.clone());
    BuildFailure {
        fault: first.unwrap_or_else(|| {
            Fault::environment(Code::BUNDLE_FAILED, "bundler", "the bundler failed without a message")
        }),
        diagnostics: findings.into_iter().map(|finding| finding.rendered).collect(),
    }
}

/// A finding of ours at a place in `text`, rendered with its line.
pub(super) fn at(fault: Fault, position: Position, text: &str) -> Finding {
    let line_index = usize::try_from(position.line).unwrap_or(1).saturating_sub(1);
    let line: String = text.lines().nth(line_index).unwrap_or_default().chars().take(200).collect();
    let number = position.line.to_string();
    let before: usize = usize::try_from(position.column).unwrap_or(1).saturating_sub(1);
    let rendered = format!(
        "{position}: {}\n {number} | {line}\n {} | {}^",
        fault.message,
        " ".repeat(number.len()),
        " ".repeat(before.min(200)),
    );
    Finding { fault: fault.at(position), rendered }
}

/// The line and column, both from 1, the latter in characters, of a byte offset.
pub(super) fn position(file: &str, text: &str, offset: usize) -> Position {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position {
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}

/// The column in characters, from 1, of a column in UTF-16 units, from 0.
fn characters(text: &str, line: usize, utf16: usize) -> u32 {
    let line = text.split('\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let mut units = 0;
    let before = line.chars().take_while(|character| {
        let inside = units < utf16;
        units += character.len_utf16();
        inside
    });
    u32::try_from(before.count() + 1).unwrap_or(u32::MAX)
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

/// True for the assignment to a constant or an import.
pub(super) fn is_of_assignment(kind: EventKind) -> bool {
    matches!(kind, EventKind::AssignToImportError | EventKind::IllegalReassignmentError)
}

fn classify(kind: EventKind) -> (FailureClass, Code) {
    match kind {
        EventKind::ParseError | EventKind::JsonParseError => (FailureClass::Deterministic, Code::SYNTAX),
        EventKind::UnresolvedEntry
        | EventKind::UnresolvedImport
        | EventKind::ResolveError
        | EventKind::FileNotFoundError
        | EventKind::UnloadableDependencyError => (FailureClass::Deterministic, Code::UNRESOLVED_IMPORT),
        EventKind::AmbiguousExternalNamespaceError
        | EventKind::AssignToImportError
        | EventKind::CannotCallNamespace
        | EventKind::CircularReexportError
        | EventKind::IllegalIdentifierAsNameError
        | EventKind::IllegalReassignmentError
        | EventKind::MissingExportError
        | EventKind::RequireTlaError
        | EventKind::TransformError
        | EventKind::UnsupportedFeatureError => (FailureClass::Deterministic, Code::BUNDLE_FAILED),
        // The bundler's own trouble and kinds of later versions: nothing that the author could fix.
        _ => (FailureClass::Environment, Code::BUNDLE_FAILED),
    }
}

#[cfg(test)]
mod tests {
    use super::{characters, position};

    #[test]
    fn columns_count_characters() {
        assert_eq!(characters("a\nxé😀y", 2, 4), 4);
        assert_eq!(position("f", "a\né😀y", "a\né😀".len()).to_string(), "f:2:3");
    }
}
