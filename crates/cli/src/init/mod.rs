//! A new repository that works: what `mangrove init` writes.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

/// One file of a new repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its path below the repository, with forward slashes.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The identifiers that make a new repository differ from every other; each a UUID in its usual spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identifiers {
    /// Keeps the repository's identity when it is cloned or moved.
    pub(crate) repository: String,
    /// Names the definition, and is its file's name.
    pub(crate) definition: String,
    /// Names the workflow.
    pub(crate) workflow: String,
}

/// The repository could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// There is a marker already: this is a repository.
    #[error("{} already exists: the directory is a repository", .0.display())]
    Exists(PathBuf),
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The files of a new repository, the marker last: a directory without its marker is not a repository yet, so an
/// interrupted `init` can be repeated.
#[must_use]
pub(crate) fn files(identifiers: &Identifiers) -> Vec<File> {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let definition = include_str!("template/definition.yaml").replace("{definition-id}", &identifiers.definition);
    let workflow = include_str!("template/hello.yaml").replace("{workflow-id}", &identifiers.workflow);
    let marker = include_str!("template/mangrove.yaml").replace("{repository-id}", &identifiers.repository);
    vec![
        file(".gitignore", include_str!("template/gitignore")),
        file("extensions/models/_lib/schema.ts", include_str!("template/schema.ts")),
        file("extensions/models/greeter.ts", include_str!("template/greeter.ts")),
        file("extensions/vaults/memory.ts", include_str!("template/vault.ts")),
        file("extensions/reports/summary.ts", include_str!("template/report.ts")),
        file(&format!("models/@local/greeter/{}.yaml", identifiers.definition), &definition),
        file("workflows/hello.yaml", &workflow),
        file("mangrove.yaml", &marker),
    ]
}

/// What [`write()`] did, as paths below the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Files that were written.
    pub(crate) written: Vec<String>,
    /// Files that were there already and were left alone.
    pub(crate) kept: Vec<String>,
}

/// Writes a new repository into `directory`, which is made if it does not exist. Files that exist are left alone.
///
/// # Errors
/// [`WriteError::Exists`] if there is a marker, [`WriteError::Write`] if a file cannot be written.
#[expect(clippy::disallowed_methods, reason = "a file that is new is never one that stands there, nor a link to one")]
pub(crate) fn write(directory: &Path, identifiers: &Identifiers) -> Result<Outcome, WriteError> {
    for marker in ["mangrove.yaml", ".swamp.yaml"] {
        let marker = directory.join(marker);
        if marker.exists() {
            return Err(WriteError::Exists(marker));
        }
    }
    let mut outcome = Outcome::default();
    for file in files(identifiers) {
        let path = directory.join(&file.path);
        let failed = |source| WriteError::Write { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut opened) => {
                opened.write_all(file.text.as_bytes()).map_err(failed)?;
                outcome.written.push(file.path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => outcome.kept.push(file.path),
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifiers() -> Identifiers {
        Identifiers { repository: "r-1".to_owned(), definition: "d-2".to_owned(), workflow: "w-3".to_owned() }
    }

    #[test]
    fn every_placeholder_is_filled() {
        for file in files(&identifiers()) {
            assert!(!file.text.contains("-id}"), "{} has a placeholder left", file.path);
        }
    }

    #[test]
    fn the_marker_comes_last_and_is_never_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let Outcome { written, kept } = write(directory.path(), &identifiers()).expect("a new repository");
        assert_eq!(kept, Vec::<String>::new());
        assert_eq!(written.last().map(String::as_str), Some("mangrove.yaml"));
        let marker = std::fs::read_to_string(directory.path().join("mangrove.yaml")).expect("the marker");
        assert!(marker.contains("repoId: r-1\n"), "{marker}");
        assert!(matches!(write(directory.path(), &identifiers()), Err(WriteError::Exists(_))));
    }

    #[test]
    fn a_repository_of_the_other_marker_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(".swamp.yaml"), "repoId: x\n").expect("a marker");
        assert!(matches!(write(directory.path(), &identifiers()), Err(WriteError::Exists(_))));
        assert!(!directory.path().join("mangrove.yaml").exists());
    }

    #[test]
    fn files_that_exist_are_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(".gitignore"), "mine\n").expect("a file");
        let Outcome { written, kept } = write(directory.path(), &identifiers()).expect("a new repository");
        assert_eq!(kept, [".gitignore"]);
        assert!(!written.contains(&".gitignore".to_owned()));
        assert_eq!(std::fs::read_to_string(directory.path().join(".gitignore")).expect("a file"), "mine\n");
    }

    #[test]
    fn the_example_and_the_template_share_their_schema_library() {
        let example = include_str!("../../../../examples/quickstart/extensions/models/_lib/schema.ts");
        assert_eq!(include_str!("template/schema.ts"), example);
    }
}
