//! The files of one kind below some directories, read again only if they changed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use mangrove_domain::{
    digest::Digest,
    ports::{FileList, FileReading, FileStamp, FilesError, KnownFile, RepositoryFiles},
    problem::Problem,
};

use super::read_file::ReadFile;

const ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// What was read of them.
#[derive(Debug)]
pub(super) struct Part<T> {
    pub(super) list: Arc<FileList>,
    /// In the order in which they count.
    pub(super) files: Vec<PartFile<T>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct PartFile<T> {
    path: String,
    stamp: Option<FileStamp>,
    pub(super) outcome: Outcome<T>,
}

/// What reading it gave.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    Read(Arc<ReadFile<T>>),
    /// It was listed and is not there.
    Absent,
    Unreadable(Problem),
}

impl<T> Clone for Outcome<T> {
    fn clone(&self) -> Self {
        match self {
            Outcome::Read(read) => Outcome::Read(Arc::clone(read)),
            Outcome::Absent => Outcome::Absent,
            Outcome::Unreadable(problem) => Outcome::Unreadable(problem.clone()),
        }
    }
}

impl<T> Outcome<T> {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Outcome::Read(one), Outcome::Read(other)) => Arc::ptr_eq(one, other),
            (Outcome::Absent, Outcome::Absent) => true,
            (Outcome::Unreadable(one), Outcome::Unreadable(other)) => one == other,
            _ => false,
        }
    }
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { list: Arc::default(), files: Vec::new() }
    }
}

/// What is to be read and how.
pub(super) struct Request<'a, T> {
    pub(super) files: &'a dyn RepositoryFiles,
    pub(super) directories: &'a [&'a str],
    /// Which of the listed files count, in their order.
    pub(super) choose: &'a (dyn Fn(&FileList) -> Vec<String> + Sync),
    /// What a file with this text says.
    pub(super) parse: &'a (dyn Fn(&str, &str) -> ReadFile<T> + Sync),
}

impl<T> Part<T> {
    /// The part as it is now. Files that are as they were before are not opened, and those whose text is not parsed.
    pub(super) async fn read(&self, request: Request<'_, T>) -> Result<Self, FilesError> {
        let Request { files, directories, choose, parse } = request;
        let (list, paths) = if files.is_listed_so(&self.list).await {
            (Arc::clone(&self.list), self.files.iter().map(|file| file.path.clone()).collect())
        } else {
            // All at once, so that a link from one of them to another is one file.
            let list = files.list(directories, &ENDINGS).await?;
            let paths = choose(&list);
            (Arc::new(list), paths)
        };
        let before: HashMap<&str, &PartFile<T>> = self.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let stamp = |path: &str| before.get(path).and_then(|file| file.stamp);
        let known = paths.into_iter().map(|path| KnownFile { stamp: stamp(&path), path }).collect::<Vec<_>>();
        let readings = files.read_changed(known.clone()).await;
        let taken = known.into_iter().zip(readings).map(|(known, reading)| {
            let before = before.get(known.path.as_str()).copied();
            PartFile::of(known, reading, before, parse)
        });
        Ok(Self { list, files: taken.collect() })
    }

    /// What is known of those of its files that are among these.
    pub(super) fn known(&self, paths: &BTreeSet<&str>) -> Vec<KnownFile> {
        let wanted = self.files.iter().filter(|file| paths.contains(file.path.as_str()));
        wanted.map(|file| KnownFile { path: file.path.clone(), stamp: file.stamp }).collect()
    }

    /// True if nothing has another content than there.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.list.problems == other.list.problems
            && self.files.len() == other.files.len()
            && self.files.iter().zip(&other.files).all(|(one, other)| one.outcome.is_same(&other.outcome))
    }
}

impl<T> PartFile<T> {
    fn of(
        known: KnownFile,
        reading: FileReading,
        before: Option<&Self>,
        parse: &(dyn Fn(&str, &str) -> ReadFile<T> + Sync),
    ) -> Self {
        let KnownFile { path, stamp } = known;
        match (reading, before) {
            (FileReading::Unchanged, Some(before)) => Self { path, stamp, outcome: before.outcome.clone() },
            (FileReading::Text { text, stamp }, before) => {
                let same = before.and_then(|before| match &before.outcome {
                    Outcome::Read(read) if read.digest == Digest::of(text.as_bytes()) => Some(Arc::clone(read)),
                    _ => None,
                });
                let read = same.unwrap_or_else(|| Arc::new(parse(&path, &text)));
                Self { path, stamp, outcome: Outcome::Read(read) }
            }
            // Nothing is unchanged that was not known.
            (FileReading::Absent | FileReading::Unchanged, _) => Self { path, stamp: None, outcome: Outcome::Absent },
            (FileReading::Failed(error), _) => {
                let message = format!("cannot be read: {}", error.fault);
                let problem = Problem::error(error.fault.code, path.clone(), message);
                Self { path, stamp: None, outcome: Outcome::Unreadable(problem) }
            }
        }
    }
}
