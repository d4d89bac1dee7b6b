//! The data files of a repository on disk (port `RepositoryFiles`).

mod access;
mod listing;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use async_trait::async_trait;
use mangrove_domain::ports::{FileList, FileReading, FilesError, KnownFile, RepositoryFiles};

use self::{
    access::{Known, checked, failed_all, in_background},
    listing::Walk,
};
use crate::{
    faults::{Operation, io_fault},
    stamp::Horizon,
    walk::{Bounds, Budget},
};

/// Reads below one directory.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone, Debug)]
pub struct DiskFiles {
    root: PathBuf,
    /// Where the clock of the file system can be probed.
    state_directory: Option<PathBuf>,
    bounds: Bounds,
}

impl DiskFiles {
    /// The files of the repository in this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), state_directory: None, bounds: Bounds::default() }
    }

    /// The same, which probes the clock of the file system in this directory: what was written knows it again sooner.
    #[must_use]
    pub fn probing_in(mut self, state_directory: impl Into<PathBuf>) -> Self {
        self.state_directory = Some(state_directory.into());
        self
    }

    /// The same, with other bounds of a walk.
    #[must_use]
    pub const fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }
}

#[async_trait]
impl RepositoryFiles for DiskFiles {
    async fn list(&self, directories: &[&str], endings: &[&str]) -> Result<FileList, FilesError> {
        let directories: Vec<String> =
            directories.iter().map(|directory| checked("list", directory)).collect::<Result<_, _>>()?;
        let (root, state_directory) = (self.root.clone(), self.state_directory.clone());
        let endings: Vec<String> = endings.iter().map(|ending| (*ending).to_owned()).collect();
        let budget = Budget::new(self.bounds);
        in_background("list", directories.join(", "), move || {
            let opened = root.canonicalize().and_then(|root| Ok((access::handle(&root)?, root)));
            let (handle, root) = opened.map_err(|error| {
                let fault = io_fault(Operation::List, &root, &error);
                FilesError { operation: "list", path: directories.join(", "), fault }
            })?;
            let start = Horizon::now(state_directory.as_deref(), &root);
            Ok(Walk::new(root, handle, start, endings, budget).over(&directories))
        })
        .await
    }

    async fn read(&self, path: &str) -> Result<Option<String>, FilesError> {
        let path = checked("read", path)?;
        let root = self.root.clone();
        in_background("read", path.clone(), move || access::text(&root, &path)).await
    }

    async fn read_changed(&self, files: Vec<KnownFile>) -> Vec<FileReading> {
        let (root, state_directory) = (self.root.clone(), self.state_directory.clone());
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        let read = in_background("read", String::new(), move || {
            let mut known = Known::new(&root, state_directory.as_deref());
            Ok(files.iter().map(|file| known.read(file)).collect())
        });
        read.await.unwrap_or_else(|error| failed_all(&paths, &error))
    }

    async fn is_listed_so(&self, list: &FileList) -> bool {
        let (root, Some(rests_on)) = (self.root.clone(), list.rests_on.clone()) else { return false };
        in_background("list", String::new(), move || Ok(access::is_as_it_was(&root, &rests_on))).await.unwrap_or(false)
    }
}
