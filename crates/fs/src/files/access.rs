//! Reading one file of a repository, and telling whether it is as it was.

use std::{
    collections::{BTreeSet, HashSet},
    io,
    path::Path,
};

use mangrove_domain::{
    failure::Fault,
    ports::{FileReading, FileStamp, FilesError, KnownFile},
    problem::Code,
    source::RelativePath,
};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
};

use crate::{
    blocking,
    read::{self, FileKind, ReadError, Reason, Within},
    stamp::{Horizon, NodeKind, Seen},
};

/// Paths come from our own lists or from people; none may leave the repository.
pub(super) fn checked(operation: &'static str, path: &str) -> Result<String, FilesError> {
    match RelativePath::parse(path) {
        Ok(path) => Ok(path.as_str().to_owned()),
        Err(error) => Err(failure(operation, path, Code::INVALID_DOCUMENT, &error.to_string())),
    }
}

pub(super) async fn in_background<T: Send + 'static>(
    operation: &'static str,
    path: String,
    work: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    match blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(failure(operation, &path, Code::UNREADABLE, &error.to_string())),
    }
}

/// The same failure for each of these files.
pub(super) fn failed_all(paths: &[String], error: &FilesError) -> Vec<FileReading> {
    let of = |path: &String| FilesError { operation: "read", path: path.clone(), fault: error.fault.clone() };
    paths.iter().map(|path| FileReading::Failed(of(path))).collect()
}

/// A directory by which what lies below it can be looked at.
pub(super) fn handle(directory: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The text of a file below `root`; `None` if it is not there.
pub(super) fn text(root: &Path, path: &str) -> Result<Option<String>, FilesError> {
    let text = read::text(root.join(path), Within::Root(root), FileKind::Document);
    text.map(Some).or_else(|error| if is_absent(&error, path)? { Ok(None) } else { Err(unreadable(path, error)) })
}

/// True if all of these have the stamps that they had, and no link has taken the place of one of them or of a directory above.
pub(super) fn is_as_it_was(root: &Path, all: &[(String, FileStamp)]) -> bool {
    let Ok(handle) = handle(root) else { return false };
    let listed: HashSet<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
    let above = |path: &str| path.rfind('/').map(|end| path[..end].to_owned());
    let mut further = BTreeSet::new();
    for (path, _) in all {
        let mut next = above(path);
        while let Some(directory) = next.filter(|directory| !listed.contains(directory.as_str())) {
            next = above(&directory);
            further.insert(directory);
        }
    }
    let is_link = |directory: &String| Seen::look_itself(&handle, directory).kind() == Some(NodeKind::Link);
    all.iter().all(|(path, stamp)| FileStamp::from(Seen::look_itself(&handle, path)) == *stamp)
        && !further.iter().any(is_link)
}

/// Reads files that may be known.
pub(super) struct Known<'a> {
    root: &'a Path,
    handle: Option<OwnedFd>,
    state_directory: Option<&'a Path>,
    /// Before the first of them was read.
    start: Option<Horizon>,
}

impl<'a> Known<'a> {
    pub(super) fn new(root: &'a Path, state_directory: Option<&'a Path>) -> Self {
        // Without it, nothing is known again.
        Self { root, handle: handle(root).ok(), state_directory, start: None }
    }

    pub(super) fn read(&mut self, file: &KnownFile) -> FileReading {
        let path = match checked("read", &file.path) {
            Ok(path) => path,
            Err(error) => return FileReading::Failed(error),
        };
        if file.stamp.is_some() && self.look(&path) == file.stamp {
            return FileReading::Unchanged;
        }
        let (root, state_directory) = (self.root, self.state_directory);
        let start = *self.start.get_or_insert_with(|| Horizon::now(state_directory, root));
        match self.read_now(&path, start) {
            Ok((text, stamp)) => FileReading::Text { text, stamp },
            Err(error) => match is_absent(&error, &path) {
                Ok(true) => FileReading::Absent,
                Ok(false) => FileReading::Failed(unreadable(&path, error)),
                Err(error) => FileReading::Failed(error),
            },
        }
    }

    fn look(&self, path: &str) -> Option<FileStamp> {
        Some(Seen::look(self.handle.as_ref()?, path).into())
    }

    fn read_now(&self, path: &str, start: Horizon) -> Result<(String, Option<FileStamp>), ReadError> {
        let absolute = self.root.join(path);
        let mut opened = read::open(&absolute, Within::Root(self.root), FileKind::Document)?;
        let before = opened.stamp()?;
        let text = String::from_utf8(opened.bytes()?);
        let text = text.map_err(|_| ReadError { path: absolute, reason: Reason::NotUtf8 })?;
        let stamp = FileStamp::from(before);
        // It was written meanwhile, or another one took its place.
        let is_certain = opened.stamp()? == before && self.look(path) == Some(stamp) && !start.is_racy(&before);
        Ok((text, is_certain.then_some(stamp)))
    }
}

/// True if nothing is there.
fn is_absent(error: &ReadError, path: &str) -> Result<bool, FilesError> {
    if error.is_absent() && path.contains(char::REPLACEMENT_CHARACTER) {
        return Err(failure("read", path, Code::NAME_NOT_UTF8, "the name is not UTF-8"));
    }
    Ok(error.is_absent())
}

fn unreadable(path: &str, error: ReadError) -> FilesError {
    // The path is said by who is told, relative to the repository.
    let message = error.reason.to_string();
    let fault = Fault { message, ..error.into_fault() };
    FilesError { operation: "read", path: path.to_owned(), fault }
}

fn failure(operation: &'static str, path: &str, code: Code, message: &str) -> FilesError {
    let fault = Fault::environment(code, format!("path:{path}"), message);
    FilesError { operation, path: path.to_owned(), fault }
}
