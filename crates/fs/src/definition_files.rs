//! Definitions that the program writes, on disk (port `DefinitionFiles`).

use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    ports::{
        DefinitionFiles, DefinitionText, FileList, FileReading, FileStamp, FilesError, KnownFile, RepositoryFiles as _,
    },
    problem::Code,
    source::RelativePath,
};
use tokio::time::Instant;

use crate::{
    atomic::{self, Durability},
    blocking,
    faults::{Operation, io_fault},
    files::DiskFiles,
    lock,
};

/// The directory of automatic definitions in the state directory.
const AUTOMATIC: &str = "auto-definitions";

/// Whoever replaces one of them holds this file.
const LOCK: &str = "auto-definitions/.lock";

/// How long it is waited for, and how long between two looks: the kernel wakes nobody who does not wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// Definitions of one repository.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone, Debug)]
pub struct DiskDefinitionFiles {
    repository: PathBuf,
    /// Where people keep theirs, relative to the repository.
    directory: String,
    state_directory: PathBuf,
    latest: Arc<Mutex<Arc<Latest>>>,
}

/// The automatic definitions as they were read last.
#[derive(Debug, Default)]
struct Latest {
    list: FileList,
    texts: BTreeMap<String, (Option<FileStamp>, String)>,
}

/// What becomes of a file that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfThere {
    Keep,
    Replace,
}

impl DiskDefinitionFiles {
    /// The definitions of the repository in this directory, whose people keep theirs in `directory` below it, with its state.
    pub fn new(
        repository: impl Into<PathBuf>,
        directory: impl Into<String>,
        state_directory: impl Into<PathBuf>,
    ) -> Self {
        Self {
            repository: repository.into(),
            directory: directory.into(),
            state_directory: state_directory.into(),
            latest: Arc::default(),
        }
    }

    /// What people call a file of the state directory.
    fn name(&self, below: &str) -> String {
        let path = self.state_directory.join(below);
        path.strip_prefix(&self.repository).unwrap_or(&path).display().to_string()
    }

    async fn write_automatic(&self, path: &str, text: &str, if_there: IfThere) -> Result<DefinitionText, FilesError> {
        let below = format!("{AUTOMATIC}/{}", checked(path)?);
        let file = self.name(&below);
        if write(&self.state_directory, &below, text, if_there, Durability::Durable).await? {
            return Ok(DefinitionText { file, text: text.to_owned() });
        }
        match DiskFiles::new(&self.state_directory).read(&below).await? {
            Some(text) => Ok(DefinitionText { file, text }),
            None => Err(failure(&file, "it was removed while it was looked at")),
        }
    }
}

impl DiskDefinitionFiles {
    /// The file that whoever replaces an automatic definition holds, for as long as it is open. Others hold it for a moment.
    async fn locked(&self, below: &str) -> Result<File, FilesError> {
        let not_locked = |error: &io::Error| {
            let fault = io_fault(Operation::Write, Path::new(LOCK), error);
            FilesError { operation: "write", path: below.to_owned(), fault }
        };
        let root = self.state_directory.clone();
        let opened = blocking(move || lock::open(&root, &root.join(LOCK))).await;
        let file = opened.map_err(|error| failure(below, &error.to_string()))?.map_err(|error| not_locked(&error))?;
        let end = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < end => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another process holds {} for too long", self.name(LOCK));
                    return Err(failure(below, &message));
                }
                Err(TryLockError::Error(error)) => return Err(not_locked(&error)),
            }
        }
    }
}

#[async_trait]
impl DefinitionFiles for DiskDefinitionFiles {
    async fn automatic(&self) -> Result<Vec<DefinitionText>, FilesError> {
        if !self.state_directory.join(AUTOMATIC).is_dir() {
            return Ok(Vec::new());
        }
        let files = DiskFiles::new(&self.state_directory);
        let before = Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner));
        let list = if files.is_listed_so(&before.list).await {
            before.list.clone()
        } else {
            files.list(&[AUTOMATIC], &[".yaml"]).await?
        };
        let stamp = |path: &String| before.texts.get(path).and_then(|(stamp, _)| *stamp);
        let known = |path: &String| KnownFile { path: path.clone(), stamp: stamp(path) };
        let readings = files.read_changed(list.paths.iter().map(known).collect()).await;
        let mut texts = BTreeMap::new();
        for (path, reading) in list.paths.iter().zip(readings) {
            let read = match reading {
                FileReading::Text { text, stamp } => Some((stamp, text)),
                FileReading::Unchanged => before.texts.get(path).cloned(),
                FileReading::Absent => None,
                FileReading::Failed(error) => return Err(error),
            };
            texts.extend(read.map(|read| (path.clone(), read)));
        }
        let given = texts.iter().map(|(path, (_, text))| DefinitionText { file: self.name(path), text: text.clone() });
        let given = given.collect();
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Latest { list, texts });
        Ok(given)
    }

    async fn read_automatic(&self, path: &str) -> Result<Option<DefinitionText>, FilesError> {
        let below = format!("{AUTOMATIC}/{}", checked(path)?);
        let text = DiskFiles::new(&self.state_directory).read(&below).await?;
        Ok(text.map(|text| DefinitionText { file: self.name(&below), text }))
    }

    async fn create_automatic(&self, path: &str, text: &str) -> Result<DefinitionText, FilesError> {
        self.write_automatic(path, text, IfThere::Keep).await
    }

    async fn replace_automatic(&self, path: &str, before: &str, text: &str) -> Result<DefinitionText, FilesError> {
        let below = format!("{AUTOMATIC}/{}", checked(path)?);
        // The lock ends with the file.
        let _locked = self.locked(&below).await?;
        match self.read_automatic(path).await? {
            Some(kept) if kept.text != before => Ok(kept),
            Some(_) | None => self.write_automatic(path, text, IfThere::Replace).await,
        }
    }

    async fn create(&self, path: &str, text: &str) -> Result<Option<DefinitionText>, FilesError> {
        let file = format!("{}/{}", self.directory, checked(path)?);
        let is_new = write(&self.repository, &file, text, IfThere::Keep, Durability::Volatile).await?;
        Ok(is_new.then(|| DefinitionText { file, text: text.to_owned() }))
    }
}

/// Paths are made of names that people chose; none may leave the directory.
fn checked(path: &str) -> Result<String, FilesError> {
    match RelativePath::parse(path) {
        Ok(path) => Ok(path.as_str().to_owned()),
        Err(error) => Err(failure(path, &error.to_string())),
    }
}

fn failure(path: &str, message: &str) -> FilesError {
    let fault = Fault::environment(Code::INVALID_DOCUMENT, format!("path:{path}"), message);
    FilesError { operation: "write", path: path.to_owned(), fault }
}

/// Writes a file below a root. False if it is there and is kept.
async fn write(
    root: &Path,
    below: &str,
    text: &str,
    if_there: IfThere,
    durability: Durability,
) -> Result<bool, FilesError> {
    let (root, path, text) = (root.to_owned(), root.join(below), text.to_owned());
    let written = blocking(move || match if_there {
        IfThere::Replace => atomic::write(&root, &path, text.as_bytes(), durability).map(|()| true),
        IfThere::Keep => atomic::create_shared(&root, &path, text.as_bytes(), durability),
    });
    let not_written = |fault: Fault| FilesError { operation: "write", path: below.to_owned(), fault };
    match written.await {
        Ok(Ok(is_new)) => Ok(is_new),
        Ok(Err(error)) => Err(not_written(io_fault(Operation::Write, Path::new(below), &error))),
        Err(error) => Err(failure(below, &error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        let repository = tempfile::tempdir().expect("a directory");
        let root = repository.path();
        let make = || DiskDefinitionFiles::new(root, "models", root.join(".mangrove"));
        mangrove_testkit::contract::definition_files(&make()).await;
        let files: Vec<String> = make().automatic().await.expect("a list").into_iter().map(|it| it.file).collect();
        assert_eq!(files.first().map(String::as_str), Some(".mangrove/auto-definitions/@t/echo/a.yaml"));
    }

    #[tokio::test]
    async fn a_file_for_people_is_like_any_that_they_make() {
        let repository = tempfile::tempdir().expect("a directory");
        let files = DiskDefinitionFiles::new(repository.path(), "models", repository.path().join(".mangrove"));
        let made = files.create("@t/echo/a.yaml", "name: a\n").await.expect("written").expect("new");
        assert_eq!(made.file, "models/@t/echo/a.yaml");
        let metadata = std::fs::metadata(repository.path().join(&made.file)).expect("a file");
        assert_ne!(metadata.permissions().mode() & 0o040, 0);
        assert!(files.create("../a.yaml", "").await.is_err());
    }
}
