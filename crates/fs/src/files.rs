//! The data files of a repository on disk (port `RepositoryFiles`).

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::{FilesError, RepositoryFiles},
    problem::Code,
    source::RelativePath,
};

use crate::blocking;

/// How deep directories are searched; also what ends a circle of links.
const MAX_DEPTH: usize = 32;
/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Reads below one directory.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone, Debug)]
pub struct DiskFiles {
    root: PathBuf,
}

impl DiskFiles {
    /// The files of the repository in this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl RepositoryFiles for DiskFiles {
    async fn list(&self, directory: &str, recursive: bool, endings: &[&str]) -> Result<Vec<String>, FilesError> {
        let root = self.root.clone();
        let directory = checked("list", directory)?;
        let endings: Vec<String> = endings.iter().map(|ending| (*ending).to_owned()).collect();
        let depth = if recursive { MAX_DEPTH } else { 1 };
        in_background("list", directory.clone(), move || {
            let mut found = Vec::new();
            walk(&root, &directory, depth, &endings, &mut found)?;
            found.sort();
            Ok(found)
        })
        .await
    }

    async fn read(&self, path: &str) -> Result<Option<String>, FilesError> {
        let path = checked("read", path)?;
        let file = self.root.join(&path);
        in_background("read", path.clone(), move || {
            let failed = |error: &io::Error| failure("read", &path, error);
            match std::fs::metadata(&file) {
                Ok(metadata) if metadata.len() > MAX_BYTES => {
                    let message = format!("larger than {MAX_BYTES} bytes");
                    return Err(failed(&io::Error::new(io::ErrorKind::FileTooLarge, message)));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return absent(&file, &path),
                Err(error) => return Err(failed(&error)),
            }
            std::fs::read_to_string(&file).map(Some).map_err(|error| failed(&error))
        })
        .await
    }
}

/// Paths come from our own lists or from people; none may leave the repository.
fn checked(operation: &'static str, path: &str) -> Result<String, FilesError> {
    match RelativePath::parse(path) {
        Ok(path) => Ok(path.as_str().to_owned()),
        Err(error) => Err(failure(operation, path, &io::Error::new(io::ErrorKind::InvalidInput, error))),
    }
}

async fn in_background<T: Send + 'static>(
    operation: &'static str,
    path: String,
    work: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    match blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(failure(operation, &path, &io::Error::other(error))),
    }
}

fn walk(
    root: &Path,
    directory: &str,
    depth: usize,
    endings: &[String],
    found: &mut Vec<String>,
) -> Result<(), FilesError> {
    let failed = |error: &io::Error| failure("list", directory, error);
    let entries = match std::fs::read_dir(root.join(directory)) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(failed(&error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| failed(&error))?;
        let name = entry.file_name();
        // A name that is not UTF-8 is listed as it can be shown; reading it says what is wrong.
        let name = name.to_string_lossy();
        let name = name.as_ref();
        if name.starts_with(['.', '_']) {
            continue;
        }
        let path = format!("{directory}/{name}");
        // A link whose target is gone is listed too, for the same reason.
        if std::fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
            if depth > 1 && Path::new(name).file_name() != Some(OsStr::new("node_modules")) {
                walk(root, &path, depth - 1, endings, found)?;
            }
        } else if endings.iter().any(|ending| name.ends_with(ending.as_str())) {
            found.push(path);
        }
    }
    Ok(())
}

/// A file that is not there; a [`FilesError`] if it was listed all the same.
fn absent(file: &Path, path: &str) -> Result<Option<String>, FilesError> {
    let told = |code, message: &str| {
        let fault = Fault::environment(code, format!("path:{path}"), message);
        Err(FilesError { operation: "read", path: path.to_owned(), fault })
    };
    if path.contains(char::REPLACEMENT_CHARACTER) {
        told(Code::NAME_NOT_UTF8, "the name is not UTF-8")
    } else if std::fs::symlink_metadata(file).is_ok() {
        told(Code::UNREADABLE, "the link leads nowhere")
    } else {
        Ok(None)
    }
}

fn failure(operation: &'static str, path: &str, error: &io::Error) -> FilesError {
    let (class, code) = match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge => {
            (FailureClass::Deterministic, Code::MALFORMED_DOCUMENT)
        }
        _ => (FailureClass::Environment, Code::UNREADABLE),
    };
    let message = if error.kind() == io::ErrorKind::InvalidData { "not UTF-8".to_owned() } else { error.to_string() };
    FilesError { operation, path: path.to_owned(), fault: Fault::new(class, code, format!("path:{path}"), message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
    }

    #[test]
    fn keeps_the_contract() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &[u8]| {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            std::fs::write(file, text).expect("a file");
        };
        for (path, text) in mangrove_testkit::contract::REPOSITORY_FILES {
            write(path, text.as_bytes());
        }
        let files = DiskFiles::new(folder.path());
        runtime().block_on(mangrove_testkit::contract::repository_files(&files));
    }

    #[cfg(unix)]
    #[test]
    fn circles_end_and_bad_text_is_told() {
        use std::os::unix::ffi::OsStrExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("models")).expect("a directory");
        std::os::unix::fs::symlink(folder.path().join("models"), folder.path().join("models/again")).expect("a link");
        std::fs::write(folder.path().join("models/a.yaml"), [0xff, 0xfe]).expect("a file");
        let files = DiskFiles::new(folder.path());
        let listed = runtime().block_on(files.list("models", true, &[".yaml"])).expect("a list");
        assert_eq!(listed[0], "models/a.yaml");
        std::fs::write(folder.path().join("models").join(OsStr::from_bytes(b"b\xff.yaml")), "").expect("a file");
        std::os::unix::fs::symlink("nowhere", folder.path().join("models/c.yaml")).expect("a link");
        for (path, code) in [("models/b\u{fffd}.yaml", Code::NAME_NOT_UTF8), ("models/c.yaml", Code::UNREADABLE)] {
            let listed = runtime().block_on(files.list("models", false, &[".yaml"])).expect("a list");
            assert!(listed.iter().any(|known| known == path), "{listed:?}");
            assert_eq!(runtime().block_on(files.read(path)).expect_err("not readable").fault.code, code);
        }
        let error = runtime().block_on(files.read("models/a.yaml")).expect_err("not UTF-8").to_string();
        assert_eq!(error, "cannot read models/a.yaml: not UTF-8");
        assert!(runtime().block_on(files.read("../secret")).is_err());
    }
}
